//! The book of a local exchange: participants and users on one matching book, in plain tuples.

use crate::error::{OrRaise, raised};
use crate::instrument::Instrument;
use crate::synthetic::SyntheticValues;
use pyo3::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tradewind_core::error::{Code, Error};
use tradewind_core::market::Side;
use tradewind_core::order::{OrderType, TimeInForce};
use tradewind_core::synthetic::OpenMarket;
use tradewind_core::venue::matching::{MatchEvent, OrderKey, Participant, Submission};

/// Price, quantity, whether a buyer took, then key, participant and rest of the maker and of the taker.
type TradeTuple = (i64, i64, bool, u64, u32, i64, u64, u32, i64);
/// Whether it is a bid, price, quantity there now.
type LevelTuple = (bool, i64, i64);
/// Why it was refused, its trades, the levels that changed, and what was cancelled of it at once.
type Outcome = (Option<&'static str>, Vec<TradeTuple>, Vec<LevelTuple>, i64);

/// A price-time book in which users and synthetic participants trade.
#[pyclass(frozen)]
pub struct MatchingBook {
    /// Never held across a call into Python.
    market: Mutex<OpenMarket>,
}

impl MatchingBook {
    fn market(&self) -> MutexGuard<'_, OpenMarket> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl MatchingBook {
    #[new]
    #[pyo3(signature = (instrument=None, settings=None))]
    fn new(instrument: Option<&Instrument>, settings: Option<SyntheticValues>) -> PyResult<Self> {
        let market = match (instrument, settings) {
            (Some(instrument), Some(settings)) => OpenMarket::new(&instrument.definition().specification, &settings.read()?).or_raise()?,
            (None, None) => OpenMarket::default(),
            _ => return Err(raised(&Error::new(Code::BadSetting, "participants need both an instrument and settings"))),
        };
        Ok(Self { market: Mutex::new(market) })
    }

    /// Takes an order; without a price it is a market order.
    #[pyo3(signature = (key, participant, buy, quantity, price, time_in_force))]
    fn submit(&self, key: u64, participant: u32, buy: bool, quantity: i64, price: Option<i64>, time_in_force: &str) -> PyResult<Outcome> {
        let Some(time_in_force) = TimeInForce::ALL.into_iter().find(|known| known.name() == time_in_force) else {
            return Err(raised(&Error::new(Code::BadSetting, format!("there is no time in force {time_in_force:?}"))));
        };
        let order_type = price.map_or(OrderType::Market, OrderType::Limit);
        let (key, participant) = (OrderKey(key), Participant(participant));
        let order = Submission { key, participant, side: side_of(buy), quantity, order_type, time_in_force };
        let mut events = Vec::new();
        self.market().submit(&order, &mut events);
        Ok(outcome(&events))
    }

    /// Takes an order out of the book.
    fn cancel(&self, key: u64) -> Outcome {
        let mut events = Vec::new();
        self.market().cancel(OrderKey(key), &mut events);
        outcome(&events)
    }

    /// Gives an order a price and what is left of it; smaller at the same price it keeps its place.
    fn amend(&self, key: u64, price: i64, remaining: i64) -> Outcome {
        let mut events = Vec::new();
        self.market().amend(OrderKey(key), price, remaining, &mut events);
        outcome(&events)
    }

    /// When a participant acts next.
    #[getter]
    fn next_action_ns(&self) -> Option<i64> {
        self.market().next_action_ns()
    }

    /// What participants do until then, at most so many actions: time, trades and levels of each that did something.
    fn advance(&self, until_ns: i64, maximum: usize) -> Vec<(i64, Vec<TradeTuple>, Vec<LevelTuple>)> {
        let (mut market, mut events, mut actions) = (self.market(), Vec::new(), Vec::new());
        for _ in 0..maximum {
            events.clear();
            let Some(time_ns) = market.act(until_ns, &mut events) else { break };
            let (_, trades, levels, _) = outcome(&events);
            if !levels.is_empty() {
                actions.push((time_ns, trades, levels));
            }
        }
        actions
    }

    /// The trades of the participants until then: time, price, quantity, and whether a buyer took.
    fn history(&self, until_ns: i64) -> Vec<(i64, i64, i64, bool)> {
        let (mut market, mut events, mut trades) = (self.market(), Vec::new(), Vec::new());
        while let Some(time_ns) = market.act(until_ns, &mut events) {
            for event in events.drain(..) {
                if let MatchEvent::Trade(trade) = event {
                    trades.push((time_ns, trade.price, trade.quantity, trade.aggressor == Side::Buy));
                }
            }
        }
        trades
    }

    /// The levels of one side, best first.
    #[pyo3(signature = (buy, maximum=None))]
    fn levels(&self, buy: bool, maximum: Option<usize>) -> Vec<(i64, i64)> {
        let market = self.market();
        let levels = market.book().levels(side_of(buy));
        levels.take(maximum.unwrap_or(usize::MAX)).map(|level| (level.price, level.quantity)).collect()
    }

    /// The best price and quantity of one side.
    fn best(&self, buy: bool) -> Option<(i64, i64)> {
        self.market().book().best(side_of(buy)).map(|level| (level.price, level.quantity))
    }

    /// What is left of an order in the book.
    fn remaining(&self, key: u64) -> Option<i64> {
        self.market().book().order(OrderKey(key)).map(|order| order.remaining)
    }

    /// How much an order could trade at once, up to what is wanted.
    fn available(&self, buy: bool, price: Option<i64>, wanted: i64) -> i64 {
        self.market().book().available(side_of(buy), price, wanted)
    }

    /// How much of a quantity the other side has, and what it costs (price × quantity).
    fn cost(&self, buy: bool, quantity: i64) -> (i64, i128) {
        self.market().book().cost(side_of(buy), quantity)
    }

    /// How much of the other side so much value (price × quantity) pays for, in whole lots.
    fn affordable(&self, buy: bool, value: i128, lot: i64) -> i64 {
        self.market().book().affordable(side_of(buy), value, lot)
    }

    /// What an order would trade before it meets one of its own participant, and the keys that it would meet.
    fn own_orders_ahead(&self, participant: u32, buy: bool, quantity: i64, price: Option<i64>) -> (i64, Vec<u64>) {
        let market = self.market();
        let (before, own) = market.book().own_orders_ahead(Participant(participant), side_of(buy), quantity, price);
        (before, own.into_iter().map(|key| key.0).collect())
    }
}

const fn side_of(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

fn outcome(events: &[MatchEvent]) -> Outcome {
    let (mut refused, mut trades, mut levels, mut cancelled) = (None, Vec::new(), Vec::new(), 0);
    for event in events {
        match *event {
            MatchEvent::Rejected { code, .. } => refused = Some(code.slug()),
            MatchEvent::Accepted { .. } | MatchEvent::Amended { .. } => {}
            MatchEvent::Cancelled { remaining, .. } => cancelled = remaining,
            MatchEvent::Level { side, price, quantity } => levels.push((side == Side::Buy, price, quantity)),
            MatchEvent::Trade(trade) => trades.push((
                trade.price,
                trade.quantity,
                trade.aggressor == Side::Buy,
                trade.maker.0,
                trade.maker_participant.0,
                trade.maker_remaining,
                trade.taker.0,
                trade.taker_participant.0,
                trade.taker_remaining,
            )),
        }
    }
    (refused, trades, levels, cancelled)
}
