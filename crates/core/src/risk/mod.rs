//! Checks between a strategy's decision and the venue. A refusal is an event with a reason.

use crate::error::{Code, Result};
use crate::event::Part;
use crate::number::{RATE_DECIMALS, Rate, power_of_ten};
use crate::order::{NewOrder, Order, OrderId, Status};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// The limits of one instrument; one that is not stated does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest quantity of an order.
    pub order_quantity: Option<i64>,
    /// The largest value of an order, with the instrument's value decimals.
    pub order_notional: Option<i128>,
    /// The largest position of a strategy, long or short, if all its orders were filled.
    pub position: Option<i64>,
    /// The most orders that a strategy may have working in the instrument.
    pub open_orders: Option<u32>,
    /// How far a limit price may be from the mark, in units of 1e-9 of the mark.
    pub price_collar: Option<Rate>,
}

/// A check written by a user. It works like the built-in ones: it sees the order and the
/// state, and says why it refuses, or nothing.
pub trait Check: Send {
    /// Why the order is refused, or nothing to let it pass.
    fn check(&mut self, state: &mut Box<State>, order: OrderId) -> Result<Option<String>>;
}

/// Why an order was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code of the check.
    pub code: Code,
    /// What a check written by the user said.
    pub note: Option<Box<str>>,
}

/// All checks that an order has to pass.
#[derive(Default)]
pub struct Risk {
    limits: Vec<Limits>,
    checks: Vec<Box<dyn Check>>,
}

impl Risk {
    /// Limits by instrument, and the user's own checks in their order.
    pub fn new(limits: Vec<Limits>, checks: Vec<Box<dyn Check>>) -> Self {
        Self { limits, checks }
    }

    /// The refusal of an order, if a check refuses it; built-in checks come first.
    pub fn refusal(&mut self, state: &mut Box<State>, id: OrderId) -> Result<Option<Refusal>> {
        let Some(order) = state.orders.get(id) else { return Ok(None) };
        if let Some(code) = self.built_in(state, order) {
            return Ok(Some(Refusal { code, note: None }));
        }
        for check in &mut self.checks {
            if let Some(note) = check.check(state, id)? {
                return Ok(Some(Refusal { code: Code::RiskUser, note: Some(note.into()) }));
            }
        }
        Ok(None)
    }

    fn built_in(&self, state: &State, order: &Order) -> Option<Code> {
        if !state.trading && !reduces(state, order) {
            return Some(Code::TradingOff);
        }
        if !state.health.is_good() {
            let instrument = order.request.instrument;
            if state.health.is_down(state.index.instrument(instrument).venue, Part::Orders) {
                return Some(Code::VenueDisconnected);
            }
            if state.health.is_stale(&state.index, instrument) && !reduces(state, order) {
                return Some(Code::RiskStaleData);
            }
        }
        let limits = self.limits.get(order.request.instrument.at())?;
        if *limits == Limits::default() {
            return None;
        }
        size(limits, &order.request)
            .or_else(|| notional(limits, state, &order.request))
            .or_else(|| position(limits, state, order))
            .or_else(|| open_orders(limits, state, order))
            .or_else(|| price_collar(limits, state, &order.request))
    }
}

/// Whether an order can only reduce its strategy's position, whatever else is working (O4).
fn reduces(state: &State, order: &Order) -> bool {
    let request = &order.request;
    let held = state.position(order.strategy, request.instrument).quantity;
    let towards_zero = held.signum() == -request.side.sign();
    towards_zero && same_way(state, order) <= held.abs()
}

/// The strategy's other working orders in the order's instrument; those that were asked for
/// after it do not count, because their turn comes later (law 4).
fn earlier<'state>(state: &'state State, order: &Order) -> impl Iterator<Item = &'state Order> {
    let (id, instrument) = (order.id, order.request.instrument);
    let is_later = move |other: &Order| other.status == Status::Queued && other.id > id;
    state.orders.open(order.strategy).filter(move |other| other.id != id && other.request.instrument == instrument && !is_later(other))
}

/// How much the order and the earlier ones of its side still want.
fn same_way(state: &State, order: &Order) -> i64 {
    let others: i64 = earlier(state, order).filter(|other| other.request.side == order.request.side).map(Order::remaining).sum();
    others + order.remaining()
}

fn size(limits: &Limits, request: &NewOrder) -> Option<Code> {
    limits.order_quantity.filter(|&limit| request.quantity > limit).map(|_| Code::RiskOrderQuantity)
}

fn notional(limits: &Limits, state: &State, request: &NewOrder) -> Option<Code> {
    let limit = limits.order_notional?;
    // A sale below the mark is worth the mark: that is what it fills at.
    let mark = state.market(request.instrument).mark.price();
    let Some(price) = request.order_type.price().map_or(mark, |limit| Some(limit.max(mark.unwrap_or(limit)))) else {
        return Some(Code::RiskNoMark);
    };
    let value = state.index.instrument(request.instrument).specification.value(price, request.quantity);
    (value > limit).then_some(Code::RiskOrderNotional)
}

fn position(limits: &Limits, state: &State, order: &Order) -> Option<Code> {
    let limit = limits.position?;
    let request = &order.request;
    let held = state.position(order.strategy, request.instrument).quantity;
    let reached = held + same_way(state, order) * request.side.sign();
    (reached.abs() > limit && reached.abs() > held.abs()).then_some(Code::RiskPosition)
}

fn open_orders(limits: &Limits, state: &State, order: &Order) -> Option<Code> {
    let limit = limits.open_orders?;
    (earlier(state, order).count() >= limit as usize).then_some(Code::RiskOpenOrders)
}

fn price_collar(limits: &Limits, state: &State, request: &NewOrder) -> Option<Code> {
    let collar = limits.price_collar?;
    let price = request.order_type.price()?;
    let Some(mark) = state.market(request.instrument).mark.price() else { return Some(Code::RiskNoMark) };
    let distance = i128::from((price - mark).abs()) * i128::from(power_of_ten(RATE_DECIMALS));
    (distance > i128::from(mark) * i128::from(collar)).then_some(Code::RiskPriceCollar)
}
