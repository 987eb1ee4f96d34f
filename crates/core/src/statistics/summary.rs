//! Orders, fills and what they cost, per instrument and in total.

use super::ratio;
use crate::market::Side;
use crate::order::{Liquidity, Report};
use serde::{Deserialize, Serialize};

/// The figures of one fill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillFigures {
    /// Our side.
    pub side: Side,
    /// How much.
    pub quantity: f64,
    /// At which price, above zero.
    pub price: f64,
    /// Price × quantity × multiplier.
    pub value: f64,
    /// The mid when the order was decided, if there was one.
    pub decision_mid: Option<f64>,
    /// Whether we rested or took.
    pub liquidity: Liquidity,
    /// The profit that it realised, before fees.
    pub realised: f64,
}

impl FillFigures {
    /// How much worse than the mid at the decision the price was, as a fraction of it; negative where it was better.
    ///
    /// ```
    /// use tradewind_core::{market::Side, order::Liquidity, statistics::FillFigures};
    /// let mut fill = FillFigures {
    ///     side: Side::Sell, quantity: 1.0, price: 99.0, value: 99.0,
    ///     decision_mid: Some(100.0), liquidity: Liquidity::Taker, realised: 0.0,
    /// };
    /// assert!((fill.slippage().unwrap() - 0.01).abs() < 1e-15);
    /// fill.decision_mid = None;
    /// assert_eq!(fill.slippage(), None);
    /// ```
    pub fn slippage(&self) -> Option<f64> {
        ratio(self.price - self.decision_mid?, self.decision_mid?).map(|fraction| fraction * self.side.sign() as f64)
    }
}

/// What happened in one instrument, or in several together.
///
/// Amounts are floats in one currency: the settlement's for one instrument, the run's
/// for a total, into which the caller converts them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Orders that left for the venue.
    pub orders_sent: u64,
    /// Orders that were filled whole.
    pub orders_filled: u64,
    /// Orders that the venue did not take.
    pub orders_rejected: u64,
    /// Orders that our own checks refused.
    pub orders_refused: u64,
    /// Orders that were cancelled, by us or by the venue.
    pub orders_cancelled: u64,
    /// Orders whose time in force ended.
    pub orders_expired: u64,
    /// Fills.
    pub fills: u64,
    /// The quantity traded; none in a total, because quantities of different instruments do not add.
    pub quantity: Option<f64>,
    /// The value traded.
    pub value: f64,
    /// The value traded by orders that rested.
    pub maker_value: f64,
    /// Trading fees paid; negative for rebates.
    pub exchange_fees: f64,
    /// Network fees paid.
    pub network_fees: f64,
    /// Liquidation fees paid.
    pub liquidation_fees: f64,
    /// The part of the trading fees that was taken in the base asset. It made the position smaller
    /// and not cheaper (M2), so that it is in the realised profit already.
    pub base_fees: f64,
    /// Funding received; negative when paid.
    pub funding: f64,
    /// Realised profit before fees and funding.
    pub realised: f64,
    /// The sum of value × slippage.
    slipped: f64,
    /// The value of the fills whose slippage is known.
    slippage_value: f64,
}

impl Summary {
    /// Of an instrument in which nothing has happened.
    pub const fn new() -> Self {
        Self {
            orders_sent: 0,
            orders_filled: 0,
            orders_rejected: 0,
            orders_refused: 0,
            orders_cancelled: 0,
            orders_expired: 0,
            fills: 0,
            quantity: Some(0.0),
            value: 0.0,
            maker_value: 0.0,
            exchange_fees: 0.0,
            network_fees: 0.0,
            liquidation_fees: 0.0,
            base_fees: 0.0,
            funding: 0.0,
            realised: 0.0,
            slipped: 0.0,
            slippage_value: 0.0,
        }
    }

    /// Of several instruments, whose amounts are in one currency.
    pub fn total<'a>(parts: impl IntoIterator<Item = &'a Summary>) -> Self {
        let mut total = Self { quantity: None, ..Self::new() };
        for part in parts {
            total.orders_sent += part.orders_sent;
            total.orders_filled += part.orders_filled;
            total.orders_rejected += part.orders_rejected;
            total.orders_refused += part.orders_refused;
            total.orders_cancelled += part.orders_cancelled;
            total.orders_expired += part.orders_expired;
            total.fills += part.fills;
            total.value += part.value;
            total.maker_value += part.maker_value;
            total.exchange_fees += part.exchange_fees;
            total.network_fees += part.network_fees;
            total.liquidation_fees += part.liquidation_fees;
            total.base_fees += part.base_fees;
            total.funding += part.funding;
            total.realised += part.realised;
            total.slipped += part.slipped;
            total.slippage_value += part.slippage_value;
        }
        total
    }

    /// The same amounts in another currency, of which one unit of the present one is worth `rate`.
    #[must_use]
    pub fn converted(&self, rate: f64) -> Self {
        let mut converted = self.clone();
        for amount in [
            &mut converted.value,
            &mut converted.maker_value,
            &mut converted.exchange_fees,
            &mut converted.network_fees,
            &mut converted.liquidation_fees,
            &mut converted.base_fees,
            &mut converted.funding,
            &mut converted.realised,
            &mut converted.slipped,
            &mut converted.slippage_value,
        ] {
            *amount *= rate;
        }
        converted
    }

    /// Takes a report that changed an order's status, once for each order and report.
    #[inline]
    pub fn add_report(&mut self, report: Report) {
        match report {
            Report::Sent => self.orders_sent += 1,
            Report::Refused => self.orders_refused += 1,
            Report::LastFill => self.orders_filled += 1,
            Report::Rejected => self.orders_rejected += 1,
            Report::Cancelled => self.orders_cancelled += 1,
            Report::Expired => self.orders_expired += 1,
            Report::AmendSent
            | Report::CancelSent
            | Report::Lost
            | Report::Accepted
            | Report::Amended
            | Report::AmendRejected
            | Report::CancelRejected
            | Report::PartFill => {}
        }
    }

    /// Takes a fill; its fee goes to the fee's own field.
    #[inline]
    pub fn add_fill(&mut self, fill: &FillFigures) {
        self.fills += 1;
        self.quantity = self.quantity.map(|quantity| quantity + fill.quantity);
        self.value += fill.value;
        if fill.liquidity == Liquidity::Maker {
            self.maker_value += fill.value;
        }
        self.realised += fill.realised;
        if let Some(slippage) = fill.slippage() {
            self.slipped += fill.value * slippage;
            self.slippage_value += fill.value;
        }
    }

    /// The fees of every kind.
    pub fn fees(&self) -> f64 {
        self.exchange_fees + self.network_fees + self.liquidation_fees
    }

    /// Realised profit after fees and funding.
    pub fn net_realised(&self) -> f64 {
        self.realised - (self.fees() - self.base_fees) + self.funding
    }

    /// The part of the value that was traded by resting orders.
    pub fn maker_share(&self) -> Option<f64> {
        ratio(self.maker_value, self.value)
    }

    /// The mean slippage of the fills for which it is known, weighted by value ([`FillFigures::slippage`]).
    pub fn slippage(&self) -> Option<f64> {
        ratio(self.slipped, self.slippage_value)
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(side: Side, price: f64, decision_mid: Option<f64>, liquidity: Liquidity) -> FillFigures {
        FillFigures { side, quantity: 2.0, price, value: 2.0 * price, decision_mid, liquidity, realised: 5.0 }
    }

    #[test]
    fn nothing_is_known_of_no_fills() {
        let summary = Summary::new();
        assert_eq!((summary.maker_share(), summary.slippage(), summary.quantity), (None, None, Some(0.0)));
        assert_eq!(Summary::total([]).quantity, None);
    }

    #[test]
    fn fills_by_hand() {
        let mut summary = Summary::new();
        summary.add_fill(&fill(Side::Buy, 101.0, Some(100.0), Liquidity::Taker));
        summary.add_fill(&fill(Side::Sell, 300.0, Some(200.0), Liquidity::Maker));
        summary.add_fill(&fill(Side::Sell, 99.0, None, Liquidity::Taker));
        summary.exchange_fees += 1.5;
        summary.liquidation_fees += 2.0;
        summary.funding -= 0.5;
        assert_eq!((summary.fills, summary.quantity), (3, Some(6.0)));
        assert!((summary.maker_share().unwrap() - 0.6).abs() < 1e-15);
        assert!((summary.slippage().unwrap() - (202.0 * 0.01 - 600.0 * 0.5) / 802.0).abs() < 1e-15);
        assert!((summary.net_realised() - 11.0).abs() < 1e-15);
        let total = Summary::total([&summary, &summary.converted(2.0)]);
        assert!((total.value - 3000.0).abs() < 1e-12 && (total.fees() - 10.5).abs() < 1e-12);
        assert!((total.slippage().unwrap() - summary.slippage().unwrap()).abs() < 1e-15);
    }

    #[test]
    fn every_end_of_an_order_is_counted_once() {
        let mut summary = Summary::new();
        for report in Report::ALL {
            summary.add_report(report);
        }
        let ends =
            [summary.orders_filled, summary.orders_rejected, summary.orders_refused, summary.orders_cancelled, summary.orders_expired];
        assert_eq!((summary.orders_sent, ends), (1, [1; 5]));
    }
}
