//! The venue's own account of us: fills, fees, funding, margin and liquidation (F5).

use super::simulated::{ALWAYS_SAFE, NEVER_SAFE, SimulatedVenue, VenueOrder};
use crate::account::{FeeKind, Fill, MarginCheck, MarginState, initial_rate, part_of, reservation};
use crate::error::Code;
use crate::event::AccountEvent;
use crate::instrument::{AssetIndex, FeeAsset, Instrument, InstrumentIndex};
use crate::market::Side;
use crate::number::{RATE_DECIMALS, Rate, Rounding, rescale};
use crate::order::{Liquidity as Role, NewOrder, OrderId, OrderType};
use crate::time::TimeNs;

/// What became of an order that could be filled. What it did not take is there for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filling {
    pub quantity: i64,
    pub is_gone: bool,
}

impl Filling {
    /// Nothing was filled, and the order waits on.
    const NONE: Self = Self { quantity: 0, is_gone: false };
    /// The order ended without a fill.
    const ENDED: Self = Self { quantity: 0, is_gone: true };
}

impl SimulatedVenue {
    /// Fills an order by some quantity, which may be zero, or by what of it the order may take.
    pub(super) fn fill(
        &mut self,
        instrument: InstrumentIndex,
        place: usize,
        price: i64,
        quantity: i64,
        role: Role,
        time_ns: TimeNs,
    ) -> Filling {
        let order = self.markets[instrument.at()].orders[place];
        let held = self.account.position(instrument).quantity;
        let can_reduce = if held.signum() == -order.request.side.sign() { held.abs() } else { 0 };
        let is_reduce_only = self.knows_reduce_only(&order.request);
        let reduced = if is_reduce_only { quantity.min(can_reduce) } else { quantity };
        if quantity == 0 {
            return Filling::NONE;
        }
        if reduced == 0 {
            self.end(instrument, place, Code::ReduceOnly, time_ns);
            return Filling::ENDED;
        }
        let quantity = reduced;
        if !self.can_settle(&order, price, quantity) {
            self.end(instrument, place, Code::InsufficientFunds, time_ns);
            return Filling::ENDED;
        }
        let rates = self.index.instrument(instrument).specification.fees;
        let rate = if role == Role::Maker { rates.maker } else { rates.taker };
        let fill = self.book(instrument, order.id, order.request.side, price, quantity, role, rate, time_ns);
        self.output.push((time_ns, AccountEvent::Fill(fill)));
        let remaining = &mut self.markets[instrument.at()].orders[place].remaining;
        *remaining -= quantity;
        let mut is_gone = *remaining == 0;
        if is_gone {
            self.markets[instrument.at()].orders.remove(place);
        } else if is_reduce_only && quantity == can_reduce {
            self.end(instrument, place, Code::ReduceOnly, time_ns);
            is_gone = true;
        }
        if self.has_margined {
            self.settle_margin(instrument);
        }
        Filling { quantity, is_gone }
    }

    /// Whether the venue lets an order reduce the account's position only: on spot there are no such orders, as with real
    /// venues; there the engine looks after them (O4).
    pub(super) fn knows_reduce_only(&self, request: &NewOrder) -> bool {
        request.reduce_only && self.index.instrument(request.instrument).is_margined()
    }

    /// After a fill: the margin of every asset whose wallet it moved.
    fn settle_margin(&mut self, instrument: InstrumentIndex) {
        let definition = self.index.instrument(instrument);
        let (settlement, base, is_spot) = (definition.settlement, definition.base, !definition.is_margined());
        for asset in [Some(settlement), Some(base).filter(|_| is_spot)].into_iter().flatten() {
            match self.set_safe_marks(asset) {
                MarginCheck::Enough => self.called.retain(|called| *called != asset),
                _ if self.short.contains(&asset) => {}
                _ => self.short.push(asset),
            }
        }
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
        (asset, rescale(amount.saturating_mul(rate.into()), decimals + RATE_DECIMALS, self.index.asset(asset).decimals, Rounding::HalfEven))
    }

    /// Whether the account can pay for a new order, or its margin.
    pub(super) fn can_pay(&self, request: &NewOrder, price: i64) -> bool {
        let definition = self.index.instrument(request.instrument);
        match reservation(&self.index, definition, request.side, request.quantity, price) {
            Some((asset, amount)) => self.free(asset) >= amount,
            None => self.has_margin(request, definition, price),
        }
    }

    /// What is left of a wallet for a new spot order: not what other orders hold back, nor what
    /// positions and orders in contracts that settle in it need.
    fn free(&self, asset: AssetIndex) -> i128 {
        let reserved = self.reserved(asset, true);
        let wallet = self.account.wallet(asset);
        if !self.has_margined {
            return wallet - reserved;
        }
        wallet.min(self.margin(asset).equity - self.needed(asset, None).unwrap_or(0)) - reserved
    }

    /// Whether a spot order can pay at the price that it meets. What limit orders hold back is
    /// theirs; a market order, whose price nobody knew, may not take it.
    fn can_settle(&self, order: &VenueOrder, price: i64, quantity: i64) -> bool {
        let request = &order.request;
        let definition = self.index.instrument(request.instrument);
        let Some((asset, amount)) = reservation(&self.index, definition, request.side, quantity, price) else { return true };
        let others = if request.order_type == OrderType::Market { self.reserved(asset, false) } else { 0 };
        self.account.wallet(asset) - others >= amount
    }

    /// What open spot orders hold back of an asset: limit orders, and market orders if they are asked for.
    fn reserved(&self, asset: AssetIndex, market_orders: bool) -> i128 {
        let mut reserved = 0;
        for market in &self.markets {
            for order in &market.orders {
                let price = match order.request.order_type {
                    OrderType::Limit(price) => price,
                    OrderType::Market if market_orders => self.expected_price(&order.request).unwrap_or(0),
                    OrderType::Market => continue,
                };
                let definition = self.index.instrument(order.request.instrument);
                match reservation(&self.index, definition, order.request.side, order.remaining, price) {
                    Some((held, amount)) if held == asset => reserved += amount,
                    _ => {}
                }
            }
        }
        reserved
    }

    /// Whether equity covers the initial margin of all positions and orders, with this one,
    /// and its fee; an order that adds nothing to the largest possible position always passes.
    ///
    /// A sale below the market is valued at the market: that is what it fills at.
    fn has_margin(&self, request: &NewOrder, definition: &Instrument, price: i64) -> bool {
        let settlement = definition.settlement;
        let price = price.max(self.markets[request.instrument.at()].mark.price().or(self.expected_price(request)).unwrap_or(price));
        let Some(needed) = self.needed(settlement, Some((request, price))) else { return true };
        let (_, fee) = self.fee(definition, request.side, price, request.quantity, definition.specification.fees.taker.max(0));
        self.margin(settlement).equity - self.reserved(settlement, true) - needed >= fee
    }

    /// The initial margin of all positions if their orders were filled, with an added one; none
    /// if the added one makes no position larger than it could become already.
    fn needed(&self, settlement: AssetIndex, added: Option<(&NewOrder, i64)>) -> Option<i128> {
        let decimals = self.index.asset(settlement).decimals;
        let mut needed = 0;
        for (at, market) in self.markets.iter().enumerate() {
            let instrument = InstrumentIndex(at as u32);
            let other = self.index.instrument(instrument);
            if other.settlement != settlement || !other.is_margined() {
                continue;
            }
            let held = self.account.position(instrument).quantity;
            let orders = || market.orders.iter().map(|order| (order.request.side, order.remaining));
            let added = added.filter(|(request, _)| request.instrument == instrument);
            let after = largest(held, orders(), added.map(|(request, _)| request));
            if added.is_some() && after <= largest(held, orders(), None) {
                return None;
            }
            if after == 0 {
                continue;
            }
            let mark = || market.mark.price().or(market.last).unwrap_or(0);
            let reference = added.map_or_else(mark, |(_, price)| price);
            needed += part_of(other.specification.value(reference, after), initial_rate(other, self.settings.leverage), other, decimals);
        }
        Some(needed)
    }

    /// Long pays short when the rate is above zero, at the mark.
    #[inline(never)]
    pub(super) fn pay_funding(&mut self, instrument: InstrumentIndex, rate: Rate, time_ns: TimeNs) {
        let definition = self.index.instrument(instrument);
        let held = self.account.position(instrument).quantity;
        let specification = &definition.specification;
        let value = self.markets[instrument.at()].mark.exact_value(specification, held);
        let (Some(value), true) = (value, held != 0 && definition.is_margined()) else { return };
        let amount = -rescale(
            value.saturating_mul(rate.into()),
            specification.value_decimals() + 1 + RATE_DECIMALS,
            self.index.asset(definition.settlement).decimals,
            Rounding::HalfEven,
        );
        self.account.apply_funding(&self.index, instrument, amount, time_ns);
        self.output.push((time_ns, AccountEvent::Funding { instrument, amount }));
        let settlement = definition.settlement;
        self.check_margin(settlement, time_ns);
    }

    /// Looks at the margin of a settlement asset, and steps in.
    pub(super) fn check_margin(&mut self, settlement: AssetIndex, time_ns: TimeNs) {
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
        self.set_safe_marks(settlement);
    }

    /// Whether a margin call for the asset was sent and still holds.
    pub fn is_called(&self, settlement: AssetIndex) -> bool {
        self.called.contains(&settlement)
    }

    /// Equity and margin of everything that settles in an asset, at the marks of now.
    pub fn margin(&self, settlement: AssetIndex) -> MarginState {
        MarginState::of(&self.account, &self.index, settlement, |instrument| self.markets[instrument.at()].mark)
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
            // The fee comes first, while there is a position to which it belongs.
            let (asset, amount) = self.fee(self.index.instrument(instrument), side, mark, held.abs(), fees.liquidation);
            self.account.apply_fee(asset, amount, FeeKind::Liquidation, instrument, time_ns);
            self.output.push((time_ns, AccountEvent::Fee { instrument, asset, amount, kind: FeeKind::Liquidation }));
            let fill = self.book(instrument, OrderId(0), side, mark, held.abs(), Role::Taker, fees.taker, time_ns);
            self.output.push((time_ns, AccountEvent::Fill(fill)));
        }
        self.called.retain(|asset| *asset != settlement);
        let missing = -self.account.wallet(settlement);
        if missing > 0 {
            self.account.apply_insurance(settlement, missing, time_ns);
            self.output.push((time_ns, AccountEvent::Insurance { asset: settlement, amount: missing }));
        }
    }

    /// Between these marks no margin call is possible, so that most events need not look.
    /// Tells how the margin stands at the marks of now.
    fn set_safe_marks(&mut self, settlement: AssetIndex) -> MarginCheck {
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
                if !shares(at) {
                    return Some(ALWAYS_SAFE);
                }
                Some(self.markets[at].mark.doubled().map_or(NEVER_SAFE, |mark| {
                    let distance = state.safe_distance(other, held(at), decimals, positions).saturating_mul(2);
                    (mark.saturating_sub(distance), mark.saturating_add(distance))
                }))
            })
            .collect();
        for (market, safe) in self.markets.iter_mut().zip(safe) {
            market.safe = safe.unwrap_or(market.safe);
        }
        state.check()
    }
}

/// The largest position, of either sign, if all orders of one side were filled.
pub(super) fn largest(held: i64, orders: impl Iterator<Item = (Side, i64)>, added: Option<&NewOrder>) -> i64 {
    let (mut buys, mut sells) = (0, 0);
    for (side, quantity) in orders.chain(added.map(|order| (order.side, order.quantity))) {
        match side {
            Side::Buy => buys += quantity,
            Side::Sell => sells += quantity,
        }
    }
    (held + buys).abs().max((held - sells).abs())
}
