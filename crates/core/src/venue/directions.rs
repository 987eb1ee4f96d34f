//! Requests of a session that is run again, with what its real venue did of them in the place of what the simulation would.

use super::simulated::{SimulatedVenue, VenueOrder};
use crate::error::Code;
use crate::event::AccountEvent;
use crate::instrument::InstrumentIndex;
use crate::market::Level;
use crate::order::{Liquidity as Role, NewOrder, OrderId, TimeInForce};
use crate::time::TimeNs;

/// What the real venue said to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that is taken over: the simulated venue's rules decide.
    #[default]
    Simulated,
    /// It took the request.
    Accepted,
    /// It did not.
    Rejected(Code),
}

/// What an order took at the real venue when it arrived there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// The prices and sizes.
    pub levels: Vec<Level>,
    /// Why the venue ended what was left, if it did.
    pub end: Option<Code>,
}

/// What is taken over of an order from the real venue; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    /// Whether it is accepted.
    pub verdict: Verdict,
    /// What it takes when it arrives.
    pub taking: Option<Taking>,
    /// Its fills while it rests are told by `fill_resting`, and come from nothing else.
    pub is_filled_by_others: bool,
}

impl SimulatedVenue {
    /// Takes an order at the venue time at which it arrives, as directed. Prices must be within its limit; what resting
    /// orders pay, and all fees, are the simulation's own.
    pub fn place_directed(&mut self, id: OrderId, request: &NewOrder, directions: &Directions, time_ns: TimeNs) {
        self.split_segment(request.instrument, request.side, time_ns);
        let rejection = match directions.verdict {
            Verdict::Simulated => self.rejection(request, time_ns),
            Verdict::Accepted => None,
            Verdict::Rejected(code) => Some(code),
        };
        if let Some(code) = rejection {
            self.output.push((time_ns, AccountEvent::Rejected(id, code)));
            return;
        }
        let instrument = request.instrument;
        // A post-only order that was accepted did not take, whatever is shown here.
        let takes = directions.taking.is_none() && request.time_in_force != TimeInForce::PostOnly && self.takes(request);
        let is_directed = directions.is_filled_by_others;
        let order = VenueOrder { id, request: *request, remaining: request.quantity, takes, is_directed };
        let place = self.accept(order, time_ns);
        match &directions.taking {
            Some(taking) => self.take_directed(instrument, place, taking, time_ns),
            None => self.work(instrument, place, time_ns),
        }
        self.watch_margin(instrument, time_ns);
    }

    fn take_directed(&mut self, instrument: InstrumentIndex, place: usize, taking: &Taking, time_ns: TimeNs) {
        for level in &taking.levels {
            let order = self.markets[instrument.at()].orders[place];
            let limit = order.request.order_type.price();
            let is_within = limit.is_none_or(|limit| order.request.side.accepts(limit, level.price));
            let quantity = if is_within { level.quantity.min(order.remaining) } else { 0 };
            if self.fill(instrument, place, level.price, quantity, Role::Taker, time_ns).is_gone {
                return;
            }
        }
        if let Some(code) = taking.end {
            self.end(instrument, place, code, time_ns);
        }
    }

    /// A resting order fills at its own price, by what the real venue filled of it.
    pub fn fill_resting(&mut self, id: OrderId, instrument: InstrumentIndex, quantity: i64, time_ns: TimeNs) {
        let Some(place) = self.place_of(id, instrument) else { return };
        let order = self.markets[instrument.at()].orders[place];
        if let Some(price) = order.request.order_type.price() {
            self.fill(instrument, place, price, quantity.min(order.remaining), Role::Maker, time_ns);
            self.watch_margin(instrument, time_ns);
        }
    }

    /// A resting order ends, because the real venue ended it.
    pub fn end_resting(&mut self, id: OrderId, instrument: InstrumentIndex, code: Code, time_ns: TimeNs) {
        if let Some(place) = self.place_of(id, instrument) {
            self.end(instrument, place, code, time_ns);
        }
    }

    fn place_of(&self, id: OrderId, instrument: InstrumentIndex) -> Option<usize> {
        self.markets[instrument.at()].orders.iter().position(|order| order.id == id)
    }
}
