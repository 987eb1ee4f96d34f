//! Checks between a strategy's decision and the venue. A refusal is an event with a reason.

use crate::error::{Code, Error, Result};
use crate::event::Part;
use crate::instrument::InstrumentIndex;
use crate::number::{RATE_DECIMALS, Rate, power_of_ten};
use crate::order::{NewOrder, Order, OrderId, OrderType, Status, StrategyIndex};
use crate::state::{Carried, State, Target, Valuation};
use crate::time::{DAY_NS, DurationNs, TimeNs};
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

/// At most so many orders of all strategies within an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRate {
    /// How many.
    pub orders: u32,
    /// Within how much time.
    pub interval_ns: DurationNs,
}

/// The loss of all strategies within a UTC day at which trading ends for that day.
#[derive(Clone, Debug)]
pub struct DailyLoss {
    /// How much, in the currency of the valuation.
    pub limit: f64,
    /// What everything is worth.
    pub valuation: Valuation,
    /// The profit of earlier runs on the first day.
    pub carried: Option<Carried>,
}

impl DailyLoss {
    /// The limit that an earlier run of a day has reached, unless a larger one was given since.
    fn carried_to(&self, day: i64) -> Option<f64> {
        self.carried.filter(|one| one.day == day)?.reached.filter(|reached| self.limit <= *reached)
    }
}

/// Limits of a whole system: of all strategies and instruments together.
#[derive(Clone, Debug, Default)]
pub struct SystemLimits {
    /// How many orders may leave within an interval.
    pub order_rate: Option<OrderRate>,
    /// How much may be lost on a day.
    pub daily_loss: Option<DailyLoss>,
}

/// A check written by a user. It works like the built-in ones: it sees the order and the
/// state, and says why it refuses, or nothing.
pub trait Check: Send {
    /// Why the order is refused, or nothing to let it pass.
    fn check(&mut self, state: &mut Box<State>, order: OrderId) -> Result<Option<String>>;

    /// What it remembers, to be restored by [`Check::restore`].
    fn save(&mut self, _: &mut Box<State>) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes back what [`Check::save`] gave.
    fn restore(&mut self, _: &mut Box<State>, _: &[u8]) -> Result<()> {
        Ok(())
    }
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
    system: SystemLimits,
}

impl Risk {
    /// Limits by instrument, and the user's own checks in their order.
    pub fn new(limits: Vec<Limits>, checks: Vec<Box<dyn Check>>) -> Self {
        Self { limits, checks, system: SystemLimits::default() }
    }

    /// The same with limits of the whole system.
    #[must_use]
    pub fn with_system(mut self, system: SystemLimits) -> Self {
        self.system = system;
        self
    }

    /// Prepares a state for what is watched.
    pub(crate) fn begin(&self, state: &mut State) {
        if self.system.daily_loss.is_some() {
            state.watch.begin(state.index.assets().count());
        }
    }

    /// Prepares a state that was watched under other limits.
    pub(crate) fn go_on(&self, state: &mut State) {
        let counted = self.system.order_rate.map_or(0, |rate| rate.orders as usize);
        state.watch.go_on(state.index.assets().count(), self.system.daily_loss.as_ref().map(|limit| limit.limit), counted);
    }

    /// An order leaves.
    pub(crate) fn sent(&self, state: &mut State) {
        if let Some(rate) = self.system.order_rate {
            state.watch.sent(state.now_ns, rate.orders as usize);
        }
    }

    /// Before an event of a time: tells whether a day has ended on which the limit was reached.
    pub(crate) fn begin_day(&self, state: &mut State, time_ns: TimeNs) -> bool {
        self.system.daily_loss.as_ref().is_some_and(|limit| state.begin_day(time_ns, limit))
    }

    /// After an event: tells whether the loss of the day has reached its limit; once it has, it stays so for the day.
    pub(crate) fn looks_at_daily_loss(&self, state: &mut State) -> bool {
        let Some(limit) = self.system.daily_loss.as_ref() else { return false };
        state.settle_adopted(&limit.valuation);
        state.settle_spent(&limit.valuation);
        if state.watch.reached.is_none() {
            let is_reached = state.profit_of_day(&limit.valuation).is_some_and(|profit| -profit >= limit.limit);
            state.watch.reached = if is_reached { Some(limit.limit) } else { limit.carried_to(state.watch.day) };
        }
        state.watch.reached.is_some()
    }

    /// The last day and the profit of it, where it is limited and known; earlier runs of the day count.
    pub fn day(&self, state: &State) -> Option<Carried> {
        let reached = state.watch.reached;
        let profit = state.profit_of_day(&self.system.daily_loss.as_ref()?.valuation).or(reached.map(|limit| -limit))?;
        Some(Carried { day: state.watch.day, profit, reached })
    }

    /// What the user's checks remember.
    pub(crate) fn save(&mut self, state: &mut Box<State>) -> Result<Vec<Vec<u8>>> {
        self.checks.iter_mut().map(|check| check.save(state)).collect()
    }

    /// Gives the user's checks back what they remembered.
    pub(crate) fn restore(&mut self, state: &mut Box<State>, saved: &[Vec<u8>]) -> Result<()> {
        if saved.len() != self.checks.len() {
            let message = format!("there are {} risk checks, and {} when the state was saved", self.checks.len(), saved.len());
            return Err(Error::new(Code::Divergence, message).hint("go on with the checks of the run, or accept the changes"));
        }
        self.checks.iter_mut().zip(saved).try_for_each(|(check, saved)| check.restore(state, saved))
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

    /// Whether the built-in checks would refuse an order if it was placed now.
    pub(crate) fn refuses(&self, state: &State, strategy: StrategyIndex, order: NewOrder) -> bool {
        let order = Order::new(state.orders.next_id(), strategy, 0, order, state.now_ns, None);
        self.built_in(state, &order).is_some()
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
        if is_uncovered(state, order) {
            return Some(Code::ReduceOnly);
        }
        if exceeds_numbers(state, order) {
            return Some(Code::RiskPosition);
        }
        if let Some(code) = self.system_wide(state, order) {
            return Some(code);
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

impl Risk {
    /// So much of what is missing to a target as one order may be: where it only reduces the position, a larger one than an
    /// order may be is closed in pieces, one behind another.
    pub(crate) fn piece(&self, state: &State, strategy: StrategyIndex, target: &Target, wanted: i64) -> i64 {
        let held = state.position(strategy, target.instrument).quantity;
        let Some(limits) = self.limits.get(target.instrument.at()) else { return wanted };
        if held.signum() != -wanted.signum() || wanted.abs() > held.abs() {
            return wanted;
        }
        let working = state.working_towards(strategy, target, wanted.signum());
        let whole = wanted.abs() + working;
        match piece(limits, state, target, whole) {
            piece if piece == whole => wanted,
            _ if working > 0 => 0,
            piece => piece * wanted.signum(),
        }
    }

    /// The limits of the whole system, which never refuse what reduces a position (O4).
    fn system_wide(&self, state: &State, order: &Order) -> Option<Code> {
        let SystemLimits { order_rate, daily_loss } = &self.system;
        if (order_rate.is_none() && daily_loss.is_none()) || reduces(state, order) {
            return None;
        }
        if let Some(rate) = order_rate
            && state.watch.is_used_up(rate.orders as usize, state.now_ns - rate.interval_ns)
        {
            return Some(Code::RiskOrderRate);
        }
        let limit = daily_loss.as_ref()?;
        match state.profit_of_day(&limit.valuation) {
            _ if state.watch.reached.or_else(|| limit.carried_to(state.now_ns.div_euclid(DAY_NS))).is_some() => Some(Code::RiskDailyLoss),
            None => Some(Code::RiskNoMark),
            Some(profit) => (-profit >= limit.limit).then_some(Code::RiskDailyLoss),
        }
    }
}

/// Whether an order can only reduce its strategy's position, whatever else is working (O4).
pub(crate) fn reduces(state: &State, order: &Order) -> bool {
    let request = &order.request;
    let held = state.position(order.strategy, request.instrument).quantity;
    let towards_zero = held.signum() == -request.side.sign();
    towards_zero && same_way(state, order) <= held.abs()
}

/// Whether an order may only reduce its strategy's position and could do more (O4).
///
/// A spot venue knows no such orders. A margined one looks after them itself, but at the account's position, of all
/// strategies together. Where the others hold none of the order's kind, what rests is cut there and need not be cancelled.
pub(crate) fn is_uncovered(state: &State, order: &Order) -> bool {
    let request = &order.request;
    if !request.reduce_only {
        return false;
    }
    let held = state.position(order.strategy, request.instrument).quantity;
    let of_others = state.accounts[request.account.at()].position(request.instrument).quantity - held;
    if !state.index.instrument(request.instrument).is_margined() || of_others.signum() == -request.side.sign() {
        return !reduces(state, order);
    }
    let is_too_much = order.status == Status::Queued && request.quantity > held.abs();
    held.signum() != -request.side.sign() || is_too_much
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

/// Whether what is held, by the strategy or the account, could become more than a number holds.
fn exceeds_numbers(state: &State, order: &Order) -> bool {
    let instrument = order.request.instrument;
    let held = state.accounts[order.request.account.at()].position(instrument).quantity;
    let of_strategy = state.position(order.strategy, instrument).quantity;
    let held = i128::from(held.unsigned_abs().max(of_strategy.unsigned_abs()));
    let exceeds = |wanted: i128| held + wanted > i128::from(i64::MAX);
    exceeds(state.orders.most_wanted())
        && exceeds(
            state.orders.all_open().filter(|other| other.request.instrument == instrument).map(|other| i128::from(other.remaining())).sum(),
        )
}

fn size(limits: &Limits, request: &NewOrder) -> Option<Code> {
    limits.order_quantity.filter(|&limit| request.quantity > limit).map(|_| Code::RiskOrderQuantity)
}

/// What an order is valued at: a sale below the mark is worth the mark, which is what it fills at.
fn value_price(state: &State, instrument: InstrumentIndex, order_type: OrderType) -> Option<i64> {
    let mark = state.market(instrument).mark.price();
    order_type.price().map_or(mark, |limit| Some(limit.max(mark.unwrap_or(limit))))
}

/// All of a quantity where an order may be as large, and else a piece of it; all of it, too, where no order that the venue
/// takes is small enough, so that it is refused.
fn piece(limits: &Limits, state: &State, target: &Target, whole: i64) -> i64 {
    let specification = &state.index.instrument(target.instrument).specification;
    let mut largest = whole.min(limits.order_quantity.unwrap_or(whole));
    if let (Some(limit), Some(price)) = (limits.order_notional, value_price(state, target.instrument, target.order_type)) {
        let value = specification.value(price, largest);
        if value > limit {
            largest = i64::try_from(i128::from(largest) * limit / value).unwrap_or(largest);
        }
    }
    if largest == whole {
        return whole;
    }
    let lot = specification.lot;
    let largest = largest / lot * lot;
    if largest < specification.minimum_quantity.max(lot) {
        return whole;
    }
    // Pieces of about the same size, so that the last one is not too small to be sent.
    let pieces = (whole - 1) / largest + 1;
    let lots = ((whole - 1) / pieces + 1 + lot - 1) / lot;
    (lots * lot).min(largest)
}

fn notional(limits: &Limits, state: &State, request: &NewOrder) -> Option<Code> {
    let limit = limits.order_notional?;
    let Some(price) = value_price(state, request.instrument, request.order_type) else { return Some(Code::RiskNoMark) };
    let value = state.index.instrument(request.instrument).specification.value(price, request.quantity);
    (value > limit).then_some(Code::RiskOrderNotional)
}

fn position(limits: &Limits, state: &State, order: &Order) -> Option<Code> {
    let limit = limits.position?;
    let request = &order.request;
    let held = state.position(order.strategy, request.instrument).quantity;
    let reached = held + same_way(state, order) * request.side.sign();
    // What is held beyond the limit may become less, and not the same on the other side.
    let is_more = reached.abs() > held.abs() || reached.signum() == -held.signum();
    (reached.abs() > limit && is_more).then_some(Code::RiskPosition)
}

fn open_orders(limits: &Limits, state: &State, order: &Order) -> Option<Code> {
    let limit = limits.open_orders?;
    (earlier(state, order).count() >= limit as usize).then_some(Code::RiskOpenOrders)
}

fn price_collar(limits: &Limits, state: &State, request: &NewOrder) -> Option<Code> {
    let collar = limits.price_collar?;
    let price = request.order_type.price()?;
    let Some(mark) = state.market(request.instrument).mark.doubled() else { return Some(Code::RiskNoMark) };
    let distance = (2 * i128::from(price) - i128::from(mark)).abs() * i128::from(power_of_ten(RATE_DECIMALS));
    (distance > i128::from(mark) * i128::from(collar)).then_some(Code::RiskPriceCollar)
}
