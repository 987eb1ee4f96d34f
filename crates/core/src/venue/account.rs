//! The venue's own account of us: fills, fees, funding, margin and liquidation (F5).

use super::simulated::{ALWAYS_SAFE, SimulatedVenue};
use crate::account::{FeeKind, Fill, MarginCheck, MarginState, initial_rate, part_of, reservation};
use crate::error::Code;
use crate::event::AccountEvent;
use crate::instrument::{AssetIndex, FeeAsset, Instrument, InstrumentIndex};
use crate::market::Side;
use crate::number::{RATE_DECIMALS, Rate, Rounding, rescale};
use crate::order::{Liquidity as Role, NewOrder, OrderId, OrderType};
use crate::time::TimeNs;

impl SimulatedVenue {
    /// Fills an order by some quantity, which may be zero. Tells whether the order is gone.
    pub(super) fn fill(
        &mut self,
        instrument: InstrumentIndex,
        place: usize,
        price: i64,
        quantity: i64,
        role: Role,
        time_ns: TimeNs,
    ) -> bool {
        if quantity == 0 {
            return false;
        }
        let order = self.markets[instrument.at()].orders[place];
        let held = self.account.position(instrument).quantity;
        if order.request.reduce_only && (held.signum() != -order.request.side.sign() || quantity > held.abs()) {
            self.end(instrument, place, Code::ReduceOnly, time_ns);
            return true;
        }
        if order.request.order_type == OrderType::Market && !self.can_settle(&order.request, price, quantity) {
            self.end(instrument, place, Code::InsufficientFunds, time_ns);
            return true;
        }
        let rates = self.index.instrument(instrument).specification.fees;
        let rate = if role == Role::Maker { rates.maker } else { rates.taker };
        let fill = self.book(instrument, order.id, order.request.side, price, quantity, role, rate, time_ns);
        self.output.push((time_ns, AccountEvent::Fill(fill)));
        let remaining = &mut self.markets[instrument.at()].orders[place].remaining;
        *remaining -= quantity;
        let done = *remaining == 0;
        if done {
            self.markets[instrument.at()].orders.remove(place);
        }
        self.set_safe_marks(instrument);
        done
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a fill")]
    fn book(
        &mut self,
        instrument: InstrumentIndex,
        order: OrderId,
        side: Side,
        price: i64,
        quantity: i64,
        liquidity: Role,
        rate: Rate,
        time_ns: TimeNs,
    ) -> Fill {
        let definition = self.index.instrument(instrument);
        let (fee_asset, fee) = self.fee(definition, side, price, quantity, rate);
        let market = &mut self.markets[instrument.at()];
        market.trades += 1;
        let fill = Fill {
            order,
            trade_id: market.trades,
            instrument,
            side,
            price,
            quantity,
            liquidity,
            fee,
            fee_asset,
            fee_kind: FeeKind::Exchange,
            venue_time_ns: time_ns,
        };
        self.account.apply_fill(&self.index, &fill);
        fill
    }

    /// The asset and the amount of a fee, rounded once, half to even (N3).
    fn fee(&self, definition: &Instrument, side: Side, price: i64, quantity: i64, rate: Rate) -> (AssetIndex, i128) {
        let specification = &definition.specification;
        let in_base = !definition.is_margined() && side == Side::Buy && specification.fees.asset == FeeAsset::Received;
        let (asset, amount, decimals) = if in_base {
            (definition.base, i128::from(quantity), specification.quantity_decimals)
        } else {
            let asset = if definition.is_margined() { definition.settlement } else { definition.quote };
            (asset, specification.value(price, quantity), specification.value_decimals())
        };
        (asset, rescale(amount * i128::from(rate), decimals + RATE_DECIMALS, self.index.asset(asset).decimals, Rounding::HalfEven))
    }

    /// Whether the account can pay for a new order, or its margin.
    pub(super) fn can_pay(&self, request: &NewOrder, price: i64) -> bool {
        let definition = self.index.instrument(request.instrument);
        match reservation(&self.index, definition, request.side, request.quantity, price) {
            Some((asset, amount)) => self.account.wallet(asset) - self.reserved(asset) >= amount,
            None => self.has_margin(request, definition, price),
        }
    }

    /// Whether a spot market order can pay at the price that it meets.
    fn can_settle(&self, request: &NewOrder, price: i64, quantity: i64) -> bool {
        let definition = self.index.instrument(request.instrument);
        reservation(&self.index, definition, request.side, quantity, price)
            .is_none_or(|(asset, amount)| self.account.wallet(asset) >= amount)
    }

    /// What open spot orders hold back of an asset.
    fn reserved(&self, asset: AssetIndex) -> i128 {
        let orders = self.markets.iter().flat_map(|market| market.orders.iter().map(move |order| (market, order)));
        orders
            .filter_map(|(market, order)| {
                let definition = self.index.instrument(order.request.instrument);
                let price = order.request.order_type.price().or(market.last).unwrap_or(0);
                reservation(&self.index, definition, order.request.side, order.remaining, price)
            })
            .filter(|(held, _)| *held == asset)
            .map(|(_, amount)| amount)
            .sum()
    }

    /// Whether equity covers the initial margin of all positions and orders, with this one,
    /// and its fee; an order that adds nothing to the largest possible position always passes.
    fn has_margin(&self, request: &NewOrder, definition: &Instrument, price: i64) -> bool {
        let settlement = definition.settlement;
        let decimals = self.index.asset(settlement).decimals;
        let state = MarginState::of(&self.account, &self.index, settlement, self.settings.leverage, |instrument| {
            self.markets[instrument.at()].mark.price()
        });
        let mut needed = 0;
        for (at, market) in self.markets.iter().enumerate() {
            let instrument = InstrumentIndex(at as u32);
            let other = self.index.instrument(instrument);
            if other.settlement != settlement || !other.is_margined() {
                continue;
            }
            let held = self.account.position(instrument).quantity;
            let added = Some(request).filter(|request| request.instrument == instrument);
            let (before, after) = (
                largest(held, market.orders.iter().map(|order| (order.request.side, order.remaining)), None),
                largest(held, market.orders.iter().map(|order| (order.request.side, order.remaining)), added),
            );
            if added.is_some() && after <= before {
                return true;
            }
            if after == 0 {
                continue;
            }
            let reference = if added.is_some() { price } else { market.mark.price().unwrap_or(price) };
            needed += part_of(other.specification.value(reference, after), initial_rate(other, self.settings.leverage), other, decimals);
        }
        let (_, fee) = self.fee(definition, request.side, price, request.quantity, definition.specification.fees.taker.max(0));
        state.equity - needed >= fee
    }

    /// Long pays short when the rate is above zero, at the mark.
    pub(super) fn pay_funding(&mut self, instrument: InstrumentIndex, rate: Rate, time_ns: TimeNs) {
        let definition = self.index.instrument(instrument);
        let held = self.account.position(instrument).quantity;
        let (Some(mark), true) = (self.markets[instrument.at()].mark.price(), held != 0 && definition.is_margined()) else { return };
        let specification = &definition.specification;
        let value = specification.value(mark, held);
        let amount = -rescale(
            value * i128::from(rate),
            specification.value_decimals() + RATE_DECIMALS,
            self.index.asset(definition.settlement).decimals,
            Rounding::HalfEven,
        );
        self.account.apply_funding(&self.index, instrument, amount, time_ns);
        self.output.push((time_ns, AccountEvent::Funding { instrument, amount }));
        self.check_margin(instrument, time_ns);
    }

    /// Looks at the margin of the instrument's settlement asset, and steps in.
    pub(super) fn check_margin(&mut self, instrument: InstrumentIndex, time_ns: TimeNs) {
        let definition = self.index.instrument(instrument);
        if !definition.is_margined() {
            return;
        }
        let settlement = definition.settlement;
        let state = self.margin(settlement);
        match state.check() {
            MarginCheck::Enough => self.called.retain(|asset| *asset != settlement),
            MarginCheck::Call if self.called.contains(&settlement) => {}
            MarginCheck::Call => {
                self.called.push(settlement);
                self.output
                    .push((time_ns, AccountEvent::MarginCall { asset: settlement, equity: state.equity, maintenance: state.maintenance }));
            }
            MarginCheck::Liquidate => self.liquidate(settlement, time_ns),
        }
        self.set_safe_marks(instrument);
    }

    fn margin(&self, settlement: AssetIndex) -> MarginState {
        MarginState::of(&self.account, &self.index, settlement, self.settings.leverage, |instrument| {
            self.markets[instrument.at()].mark.price()
        })
    }

    /// Cancels all orders and closes all positions that settle in the asset, at the mark,
    /// with the taker fee and the liquidation fee; insurance pays what is then missing.
    fn liquidate(&mut self, settlement: AssetIndex, time_ns: TimeNs) {
        for at in 0..self.markets.len() {
            let instrument = InstrumentIndex(at as u32);
            let definition = self.index.instrument(instrument);
            if definition.settlement != settlement || !definition.is_margined() {
                continue;
            }
            while !self.markets[at].orders.is_empty() {
                self.end(instrument, 0, Code::Liquidation, time_ns);
            }
            let held = self.account.position(instrument).quantity;
            let (Some(mark), true) = (self.markets[at].mark.price(), held != 0) else { continue };
            let side = Side::of(-held);
            let fees = self.index.instrument(instrument).specification.fees;
            let fill = self.book(instrument, OrderId(0), side, mark, held.abs(), Role::Taker, fees.taker, time_ns);
            self.output.push((time_ns, AccountEvent::Fill(fill)));
            let (asset, amount) = self.fee(self.index.instrument(instrument), side, mark, held.abs(), fees.liquidation);
            self.account.apply_fee(asset, amount, FeeKind::Liquidation, instrument, time_ns);
            self.output.push((time_ns, AccountEvent::Fee { instrument, asset, amount, kind: FeeKind::Liquidation }));
        }
        self.called.retain(|asset| *asset != settlement);
        let missing = -self.account.wallet(settlement);
        if missing > 0 {
            self.account.apply_insurance(settlement, missing, time_ns);
            self.output.push((time_ns, AccountEvent::Insurance { asset: settlement, amount: missing }));
        }
    }

    /// Between these marks no margin call is possible, so that most events need not look.
    fn set_safe_marks(&mut self, instrument: InstrumentIndex) {
        let definition = self.index.instrument(instrument);
        if !definition.is_margined() {
            return;
        }
        let settlement = definition.settlement;
        let decimals = self.index.asset(settlement).decimals;
        let state = self.margin(settlement);
        let held = |at: usize| self.account.position(InstrumentIndex(at as u32)).quantity;
        let shares = |at: usize| held(at) != 0 && self.index.instrument(InstrumentIndex(at as u32)).settlement == settlement;
        let positions = (0..self.markets.len()).filter(|&at| shares(at)).count();
        let safe: Vec<_> = (0..self.markets.len())
            .map(|at| {
                let other = self.index.instrument(InstrumentIndex(at as u32));
                if other.settlement != settlement || !other.is_margined() {
                    return None;
                }
                let mark = self.markets[at].mark.price().filter(|_| shares(at));
                Some(mark.map_or(ALWAYS_SAFE, |mark| {
                    let distance = state.safe_distance(other, held(at), decimals, positions);
                    (mark.saturating_sub(distance), mark.saturating_add(distance))
                }))
            })
            .collect();
        for (market, safe) in self.markets.iter_mut().zip(safe) {
            market.safe = safe.unwrap_or(market.safe);
        }
    }
}

/// The largest position, of either sign, if all orders of one side were filled.
fn largest(held: i64, orders: impl Iterator<Item = (Side, i64)>, added: Option<&NewOrder>) -> i64 {
    let (mut buys, mut sells) = (0, 0);
    for (side, quantity) in orders.chain(added.map(|order| (order.side, order.quantity))) {
        match side {
            Side::Buy => buys += quantity,
            Side::Sell => sells += quantity,
        }
    }
    (held + buys).abs().max((held - sells).abs())
}
