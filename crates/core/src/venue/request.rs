//! Requests as the venue takes them: its rules, then what they meet.

use super::account::largest;
use super::fill::{Source, TakingOnTrades};
use super::simulated::{SimulatedVenue, VenueOrder};
use crate::error::Code;
use crate::event::AccountEvent;
use crate::instrument::InstrumentIndex;
use crate::number::{LARGEST_QUANTITY, LARGEST_VALUE};
use crate::order::{Liquidity as Role, NewOrder, OrderId, OrderType, Request, TimeInForce};
use crate::time::TimeNs;

impl SimulatedVenue {
    /// Takes a request at the venue time at which it arrives.
    pub fn on_request(&mut self, request: &Request, time_ns: TimeNs) {
        match request {
            Request::Place { id, order, .. } => {
                self.split_segment(order.instrument, order.side, time_ns);
                self.place(*id, order, time_ns);
                self.watch_margin(order.instrument, time_ns);
            }
            Request::Cancel { id, instrument, .. } => {
                if let Some(order) = self.markets[instrument.at()].orders.iter().find(|order| order.id == *id) {
                    self.split_segment(*instrument, order.request.side, time_ns);
                }
                self.cancel(*id, *instrument, time_ns);
                self.watch_margin(*instrument, time_ns);
            }
            Request::Timer { .. } => {}
        }
    }

    fn place(&mut self, id: OrderId, request: &NewOrder, time_ns: TimeNs) {
        if let Some(code) = self.rejection(request, time_ns) {
            self.output.push((time_ns, AccountEvent::Rejected(id, code)));
            return;
        }
        let takes = self.takes(request);
        let order = VenueOrder { id, request: *request, remaining: request.quantity, takes, is_directed: false };
        let place = self.accept(order, time_ns);
        self.work(request.instrument, place, time_ns);
    }

    /// Takes an order in; gives its place.
    pub(super) fn accept(&mut self, order: VenueOrder, time_ns: TimeNs) -> usize {
        self.output.push((time_ns, AccountEvent::Accepted(order.id)));
        let orders = &mut self.markets[order.request.instrument.at()].orders;
        orders.push(order);
        orders.len() - 1
    }

    /// An order that has arrived takes what it can; the rest waits, rests, or ends.
    pub(super) fn work(&mut self, instrument: InstrumentIndex, place: usize, time_ns: TimeNs) {
        let takes = self.markets[instrument.at()].orders[place].takes;
        if !(takes && self.take_on_arrival(instrument, place, time_ns)) {
            self.settle_rest(instrument, place, time_ns);
        }
    }

    /// What is left of an order after its arrival: it waits for liquidity, rests, or ends.
    ///
    /// A limit order whose price is still met after everything that is shown was taken goes on
    /// taking at the prices that come; it would not fill at the price that it names (F1).
    fn settle_rest(&mut self, instrument: InstrumentIndex, place: usize, time_ns: TimeNs) {
        let order = self.markets[instrument.at()].orders[place];
        let takes = order.takes && self.takes(&order.request);
        let market = &mut self.markets[instrument.at()];
        // Where only trades are known, an immediate order meets the next trade and ends there.
        let waits_for_trade = market.source == Source::Trades && order.takes;
        if order.request.time_in_force == TimeInForce::ImmediateOrCancel && !waits_for_trade {
            let code = if order.remaining == order.request.quantity { Code::NoLiquidity } else { Code::ImmediateOrCancel };
            self.end(instrument, place, code, time_ns);
        } else if order.request.order_type != OrderType::Market && !waits_for_trade {
            market.orders[place].takes = takes;
        }
    }

    /// Whether an order that arrives now would take.
    pub(super) fn takes(&self, request: &NewOrder) -> bool {
        let market = &self.markets[request.instrument.at()];
        let OrderType::Limit(limit) = request.order_type else { return true };
        match market.source {
            Source::None => false,
            Source::Quotes | Source::Depth => market.liquidity.best(request.side).is_some_and(|best| request.side.accepts(limit, best)),
            // A trade at the limit may have been on either side of the spread: only a better one says that the order takes.
            Source::Trades | Source::Bars => market.last.is_some_and(|last| last != limit && request.side.accepts(limit, last)),
        }
    }

    /// Takes what can be taken at once. Tells whether the order is gone.
    fn take_on_arrival(&mut self, instrument: InstrumentIndex, place: usize, time_ns: TimeNs) -> bool {
        let market = &mut self.markets[instrument.at()];
        let order = market.orders[place];
        if self.settings.fill_model.taking_on_trades == TakingOnTrades::LastTradeWhole && order.request.order_type == OrderType::Market {
            return market.last.is_some_and(|price| self.fill(instrument, place, price, order.remaining, Role::Taker, time_ns).is_gone);
        }
        match market.source {
            Source::Quotes | Source::Depth => self.take_shown(instrument, place, time_ns),
            Source::Bars => self.take_from_bar(instrument, place, time_ns),
            Source::Trades | Source::None => false,
        }
    }

    fn take_from_bar(&mut self, instrument: InstrumentIndex, place: usize, time_ns: TimeNs) -> bool {
        let market = &mut self.markets[instrument.at()];
        let order = market.orders[place];
        let side = order.request.side;
        let tick = self.index.instrument(instrument).specification.tick;
        let Some(path) = &mut market.path else { return false };
        let price = path.price_at(time_ns, side, tick);
        let accepted = order.request.order_type.price().is_none_or(|limit| side.accepts(limit, price));
        let quantity = if accepted { order.remaining.min(path.budget) } else { 0 };
        self.fill_from_bar(instrument, place, price, quantity, Role::Taker, time_ns)
    }

    fn cancel(&mut self, id: OrderId, instrument: InstrumentIndex, time_ns: TimeNs) {
        match self.markets[instrument.at()].orders.iter().position(|order| order.id == id) {
            Some(place) => self.end(instrument, place, Code::Requested, time_ns),
            None => self.output.push((time_ns, AccountEvent::CancelRejected(id, Code::OrderNotOpen))),
        }
    }

    /// Cancels everything that still works, at the end of a run; nothing is taken any more.
    pub fn end_all(&mut self, code: Code, time_ns: TimeNs) {
        self.ended = Some(code);
        for at in 0..self.markets.len() {
            while !self.markets[at].orders.is_empty() {
                self.end(InstrumentIndex(at as u32), 0, code, time_ns);
            }
        }
    }

    /// Takes an order out and says that it was cancelled.
    pub(super) fn end(&mut self, instrument: InstrumentIndex, place: usize, code: Code, time_ns: TimeNs) {
        let order = self.markets[instrument.at()].orders.remove(place);
        self.output.push((time_ns, AccountEvent::Cancelled(order.id, code)));
    }

    /// The first rule that an order breaks.
    pub(super) fn rejection(&self, request: &NewOrder, time_ns: TimeNs) -> Option<Code> {
        let specification = &self.index.instrument(request.instrument).specification;
        let market = &self.markets[request.instrument.at()];
        if self.ended.is_some() {
            return self.ended;
        }
        if self.is_halted(request.instrument, time_ns) {
            return Some(Code::MarketHalted);
        }
        if market.source == Source::None {
            return Some(Code::NoLiquidity);
        }
        if request.quantity % specification.lot != 0 || request.order_type.price().is_some_and(|price| price % specification.tick != 0) {
            return Some(Code::OffGrid);
        }
        if request.quantity < specification.minimum_quantity {
            return Some(Code::BelowMinimumQuantity);
        }
        if request.time_in_force == TimeInForce::PostOnly && self.takes(request) {
            return Some(Code::WouldTake);
        }
        let held = self.account.position(request.instrument).quantity;
        let is_reduce_only = self.knows_reduce_only(request);
        if is_reduce_only && (held.signum() != -request.side.sign() || request.quantity > held.abs()) {
            return Some(Code::ReduceOnly);
        }
        let Some(price) = request.order_type.price().or_else(|| self.expected_price(request)) else {
            // Nothing is known of the market yet, so that a market order cannot be priced.
            return Some(Code::NoLiquidity);
        };
        let position = largest(held, market.orders.iter().map(|order| (order.request.side, order.remaining)), Some(request));
        if position > LARGEST_QUANTITY || specification.value(price, position) > LARGEST_VALUE {
            return Some(Code::OutOfRange);
        }
        if specification.value(price, request.quantity) < specification.minimum_notional && !is_reduce_only {
            return Some(Code::BelowMinimumNotional);
        }
        (!self.can_pay(request, price)).then_some(Code::InsufficientFunds)
    }

    pub(super) fn expected_price(&self, request: &NewOrder) -> Option<i64> {
        let market = &self.markets[request.instrument.at()];
        market.liquidity.best(request.side).or(market.last).or(market.mark.price())
    }
}
