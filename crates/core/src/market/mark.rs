//! The mark: which price an instrument is valued at (N4).

use crate::instrument::Specification;
use crate::market::Quote;
use crate::number::{format_decimal, to_float};
use crate::time::{DurationNs, SECOND_NS, TimeNs};
use serde::{Deserialize, Serialize};

/// How long a source counts after it last spoke, by venue time, when a worse one speaks.
///
/// Venues send a mark price every one to three seconds, and the quote of a traded instrument
/// changes several times a minute: a source that was silent for a minute while another one spoke
/// has most likely stopped. Where nobody speaks nothing happened, and the last mark stays.
pub const MARK_FRESH_NS: DurationNs = 60 * SECOND_NS;

/// Where a mark comes from; a better source is replaced by a worse one only when it is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum MarkSource {
    /// Nothing is known yet.
    #[default]
    None = 0,
    /// The close of the last bar.
    Bar = 1,
    /// The last trade.
    Trade = 2,
    /// The middle of the last quote.
    Quote = 3,
    /// The venue's mark price.
    Venue = 4,
}

impl MarkSource {
    /// All, from the worst to the best.
    const ALL: [Self; 5] = [Self::None, Self::Bar, Self::Trade, Self::Quote, Self::Venue];

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            MarkSource::None => "none",
            MarkSource::Bar => "bar_close",
            MarkSource::Trade => "last_trade",
            MarkSource::Quote => "mid_quote",
            MarkSource::Venue => "mark_price",
        }
    }
}

/// What a source said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spoken {
    /// Twice the price: a middle may lie between two price units. Rounded, it would favour shorts.
    doubled: i64,
    /// By venue time.
    time_ns: TimeNs,
}

const SILENT: Spoken = Spoken { doubled: 0, time_ns: TimeNs::MIN };

/// An instrument's mark price and where it comes from. What worse sources said is remembered: the best of them that is
/// fresh counts once a better one has gone stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    source: MarkSource,
    spoken: [Spoken; MarkSource::ALL.len()],
}

impl Default for Mark {
    fn default() -> Self {
        Self { source: MarkSource::None, spoken: [SILENT; MarkSource::ALL.len()] }
    }
}

impl Mark {
    /// Twice the price, once one is known.
    #[inline]
    pub const fn doubled(&self) -> Option<i64> {
        match self.source {
            MarkSource::None => None,
            source => Some(self.spoken[source as usize].doubled),
        }
    }

    /// The price, rounded down to a price unit: what an order, or a fill at the mark, can have.
    #[inline]
    pub fn price(&self) -> Option<i64> {
        self.doubled().map(|doubled| doubled.div_euclid(2))
    }

    /// What a quantity is worth, with the instrument's value decimals.
    #[inline]
    pub fn value(&self, specification: &Specification, quantity: i64) -> Option<i128> {
        self.doubled().map(|doubled| specification.value(doubled, quantity).div_euclid(2))
    }

    /// The same to the last half unit, with one decimal more.
    #[inline]
    pub fn exact_value(&self, specification: &Specification, quantity: i64) -> Option<i128> {
        self.doubled().map(|doubled| specification.value(doubled, quantity).saturating_mul(5))
    }

    /// The price with its half unit, as a float.
    pub fn to_float(&self, price_decimals: u8) -> Option<f64> {
        self.doubled().map(|doubled| to_float(doubled, price_decimals) / 2.0)
    }

    /// The price with its half unit, as text.
    pub fn to_text(&self, price_decimals: u8) -> Option<String> {
        self.doubled().map(|doubled| match doubled % 2 {
            0 => format_decimal((doubled / 2).into(), price_decimals),
            _ => format_decimal(i128::from(doubled) * 5, price_decimals + 1),
        })
    }

    /// Where the price comes from.
    #[inline]
    pub const fn source(&self) -> MarkSource {
        self.source
    }

    /// What each source said last, twice the price and the venue time, from the worst to the best.
    pub fn spoken(&self) -> impl Iterator<Item = (i64, TimeNs)> {
        self.spoken.iter().skip(1).map(|spoken| (spoken.doubled, spoken.time_ns))
    }

    /// Takes a price from a source, unless a better one has spoken within [`MARK_FRESH_NS`].
    #[inline]
    pub fn update(&mut self, source: MarkSource, price: i64, time_ns: TimeNs) {
        self.update_doubled(source, price.saturating_mul(2), time_ns);
    }

    /// Takes the middle of a quote in the same way.
    #[inline]
    pub fn update_quote(&mut self, quote: &Quote, time_ns: TimeNs) {
        self.update_doubled(MarkSource::Quote, quote.bid.saturating_add(quote.ask), time_ns);
    }

    #[inline]
    fn update_doubled(&mut self, source: MarkSource, doubled: i64, time_ns: TimeNs) {
        self.spoken[source as usize] = Spoken { doubled, time_ns };
        if source >= self.source {
            self.source = source;
        } else if self.is_stale(self.source, time_ns) {
            let fresh = MarkSource::ALL.into_iter().rfind(|&other| !self.is_stale(other, time_ns));
            self.source = fresh.unwrap_or(source);
        }
    }

    #[inline]
    fn is_stale(&self, source: MarkSource, time_ns: TimeNs) -> bool {
        time_ns.saturating_sub(self.spoken[source as usize].time_ns) > MARK_FRESH_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark_after(updates: &[(MarkSource, i64, TimeNs)]) -> (MarkSource, Option<i64>) {
        let mut mark = Mark::default();
        for &(source, price, time_ns) in updates {
            mark.update(source, price, time_ns);
        }
        (mark.source(), mark.price())
    }

    #[test]
    fn a_better_source_counts_while_it_is_fresh() {
        use MarkSource::{Quote, Trade, Venue};
        let start_ns = 1_700_000_000 * SECOND_NS;
        let limit_ns = start_ns + MARK_FRESH_NS;
        assert_eq!(mark_after(&[(Quote, 10, start_ns), (Trade, 11, limit_ns)]), (Quote, Some(10)));
        assert_eq!(mark_after(&[(Quote, 10, start_ns), (Trade, 11, limit_ns + 1)]), (Trade, Some(11)));
        assert_eq!(mark_after(&[(Venue, 10, start_ns), (Quote, 11, limit_ns + 1), (Trade, 12, limit_ns + 2)]), (Quote, Some(11)));
        // What was said in the meantime counts as well as what is said now.
        let between_ns = limit_ns - SECOND_NS;
        assert_eq!(mark_after(&[(Venue, 10, start_ns), (Quote, 11, between_ns), (Trade, 12, limit_ns + 1)]), (Quote, Some(11)));
        assert_eq!(mark_after(&[(Quote, 10, start_ns), (Trade, 11, between_ns), (MarkSource::Bar, 12, limit_ns + 1)]), (Trade, Some(11)));
        let fresh = [(Venue, 10, start_ns), (Quote, 9, start_ns - 1), (Trade, 11, between_ns), (MarkSource::Bar, 12, limit_ns + 1)];
        assert_eq!(mark_after(&fresh), (Trade, Some(11)));
        // It takes over again as soon as it speaks, and speaking keeps it fresh.
        assert_eq!(mark_after(&[(Quote, 10, start_ns), (Trade, 11, limit_ns + 1), (Quote, 12, limit_ns + 2)]), (Quote, Some(12)));
        assert_eq!(mark_after(&[(Quote, 10, start_ns), (Quote, 10, limit_ns), (Trade, 11, limit_ns + 1)]), (Quote, Some(10)));
    }

    #[test]
    fn a_mark_stays_while_nobody_speaks_and_any_time_is_taken() {
        assert_eq!(mark_after(&[]), (MarkSource::None, None));
        assert_eq!(mark_after(&[(MarkSource::Bar, 5, TimeNs::MIN)]), (MarkSource::Bar, Some(5)));
        assert_eq!(mark_after(&[(MarkSource::Quote, 5, TimeNs::MAX), (MarkSource::Trade, 6, TimeNs::MIN)]), (MarkSource::Quote, Some(5)));
        assert_eq!(mark_after(&[(MarkSource::Quote, 5, TimeNs::MIN), (MarkSource::Trade, 6, TimeNs::MAX)]), (MarkSource::Trade, Some(6)));
    }

    #[test]
    fn a_middle_between_two_price_units_is_kept() {
        let mut mark = Mark::default();
        assert_eq!((mark.to_float(4), mark.to_text(4), mark.doubled()), (None, None, None));
        for (ask, float, text, price) in [(5_001, 0.50005, "0.50005", 5_000), (5_002, 0.5001, "0.5001", 5_001)] {
            mark.update_quote(&Quote { bid: 5_000, ask, bid_quantity: 1, ask_quantity: 1 }, 0);
            assert_eq!((mark.to_float(4), mark.to_text(4).as_deref()), (Some(float), Some(text)));
            assert_eq!(mark.price(), Some(price));
        }
    }
}
