//! What a strategy can ask for. A call is checked at once and carried out after the callback.

use super::{History, HistoryIndex, IndicatorIndex, State, Stream, StreamKind};
use crate::error::{Code, Error, Result};
use crate::indicator::{Indicator, IndicatorKind};
use crate::instrument::InstrumentIndex;
use crate::market::Side;
use crate::number::{LARGEST_QUANTITY, LARGEST_VALUE, format_decimal};
use crate::order::{NewOrder, Order, OrderId, OrderType, PositionSlot, Status, StrategyIndex, TimeInForce, TimerPurpose};
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// Something a strategy asked for, in the order of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// Place the queued order.
    Place(OrderId),
    /// Cancel the order.
    Cancel(OrderId),
    /// Work towards the target of this strategy and instrument.
    Pursue(StrategyIndex, InstrumentIndex),
    /// Fire a timer.
    Timer(TimerPurpose, TimeNs),
}

/// A position that a strategy wants and has not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// In which instrument.
    pub instrument: InstrumentIndex,
    /// The wanted position, on the grid of lots.
    pub quantity: i64,
    /// At market, or at a limit.
    pub order_type: OrderType,
    /// The strategy's count of the last order that was sent towards it while something was held back; zero before.
    pub order: u64,
    /// The first order after it was stated: what the strategy orders itself from there on comes on top of it.
    pub since: OrderId,
    /// By how much such orders have moved the position.
    pub added: i64,
}

/// How many orders of a strategy may be open at once. One that sends two for each that ends would fill the memory.
const MOST_OPEN: usize = 100_000;

/// How many events of a stream can be kept.
const LONGEST_HISTORY: usize = 1_000_000;

impl State {
    /// Asks for an order. It is queued at once; risk and venue answer later (O2).
    ///
    /// A mistake in the call is an error (O1): a size that is not above zero, a number off
    /// the grid, a post-only market order.
    pub fn place(&mut self, order: NewOrder) -> Result<OrderId> {
        self.check_call(&order)?;
        if self.orders.count_open(self.calling) >= MOST_OPEN {
            let name = &self.strategies[self.calling.at()].name;
            return Err(Error::new(Code::EndlessDecisions, format!("the strategy {name} has {MOST_OPEN} open orders already"))
                .hint("a callback for orders or fills places more than one order every time; let it stop at a condition"));
        }
        Ok(self.queue(order, false))
    }

    /// Buys or sells with the usual settings.
    pub fn order_of(&self, instrument: InstrumentIndex, side: Side, quantity: i64, order_type: OrderType) -> NewOrder {
        NewOrder {
            account: self.index.instrument(instrument).account,
            slot: PositionSlot::Net,
            instrument,
            side,
            quantity,
            order_type,
            time_in_force: TimeInForce::GoodTillCancelled,
            reduce_only: false,
        }
    }

    pub(crate) fn queue(&mut self, request: NewOrder, by_target: bool) -> OrderId {
        let id = self.orders.next_id();
        let strategy = &mut self.strategies[self.calling.at()];
        strategy.orders += 1;
        let mid_doubled = self.markets[request.instrument.at()].mid_doubled();
        let order = Order::new(id, self.calling, strategy.orders, request, self.now_ns, mid_doubled);
        self.orders.add(Order { by_target, ..order });
        self.outbox.push(Decision::Place(id));
        id
    }

    /// Refuses a mistake in an order that does not depend on anything but its instrument (O1).
    pub fn check_call(&self, order: &NewOrder) -> Result<()> {
        let instrument = self.index.instrument(order.instrument);
        let specification = &instrument.specification;
        if order.quantity <= 0 {
            return Err(Error::new(
                Code::BadQuantity,
                format!(
                    "{}: quantity {} is not above zero",
                    instrument.name,
                    format_decimal(order.quantity.into(), specification.quantity_decimals)
                ),
            ));
        }
        on_grid(&instrument.name, "quantity", order.quantity, specification.lot, specification.quantity_decimals)?;
        if let OrderType::Limit(price) = order.order_type {
            if price <= 0 {
                return Err(Error::new(
                    Code::BadPrice,
                    format!("{}: price {} is not above zero", instrument.name, format_decimal(price.into(), specification.price_decimals)),
                ));
            }
            on_grid(&instrument.name, "price", price, specification.tick, specification.price_decimals)?;
        } else if order.time_in_force == TimeInForce::PostOnly {
            return Err(Error::new(Code::BadPrice, format!("{}: a post-only order needs a price", instrument.name)));
        }
        self.check_size(order.instrument, order.quantity, order.order_type)
    }

    /// Refuses what could not be held exactly.
    fn check_size(&self, instrument: InstrumentIndex, quantity: i64, order_type: OrderType) -> Result<()> {
        let definition = self.index.instrument(instrument);
        let specification = &definition.specification;
        let price = order_type.price().or(self.markets[instrument.at()].mark.price()).unwrap_or(1);
        if quantity.unsigned_abs() <= LARGEST_QUANTITY.unsigned_abs() && specification.value(price, quantity).abs() <= LARGEST_VALUE {
            return Ok(());
        }
        let quantity = format_decimal(quantity.into(), specification.quantity_decimals);
        Err(Error::new(Code::OutOfRange, format!("{}: quantity {quantity} is more than can be held exactly", definition.name)))
    }

    /// Asks to cancel an order of the calling strategy.
    ///
    /// Nothing happens if it is closed already or a cancel is under way.
    pub fn cancel(&mut self, id: OrderId) -> Result<()> {
        if self.orders.is_forgotten(id) {
            return Ok(());
        }
        let order = self.order(id)?;
        if order.strategy != self.calling {
            let owner = &self.strategies[order.strategy.at()].name;
            return Err(Error::new(Code::UnknownOrder, format!("order {} belongs to the strategy {owner}", id.0)));
        }
        if !order.status.is_closed() {
            self.want_cancelled(id);
        }
        Ok(())
    }

    /// Asks to cancel all open orders of the calling strategy, in one instrument or in all.
    pub fn cancel_all(&mut self, instrument: Option<InstrumentIndex>) {
        let ids: Vec<OrderId> = self
            .orders
            .open(self.calling)
            .filter(|order| instrument.is_none_or(|wanted| wanted == order.request.instrument))
            .map(|order| order.id)
            .collect();
        for id in ids {
            self.want_cancelled(id);
        }
        self.strategies[self.calling.at()].targets.retain(|target| instrument.is_some_and(|wanted| wanted != target.instrument));
    }

    /// From the call on a target waits for what becomes of the order, whatever is looked at before its cancel leaves (O3).
    fn want_cancelled(&mut self, id: OrderId) {
        if let Some(order) = self.orders.get_mut(id).filter(|order| order.status != Status::CancelInFlight) {
            order.is_cancel_wanted = true;
            self.outbox.push(Decision::Cancel(id));
        }
    }

    /// Wants the calling strategy's position to become `quantity`, rounded towards zero to the lot (O3).
    #[inline]
    pub fn target(&mut self, instrument: InstrumentIndex, quantity: i64, order_type: OrderType) -> Result<()> {
        let strategy = self.calling;
        let held = &self.strategies[strategy.at()];
        // Most calls repeat a target that is reached.
        if self.orders.are_closed(strategy)
            && (quantity >= 0 || self.index.instrument(instrument).is_margined())
            && self.position(strategy, instrument).quantity == quantity
            && held.targets.is_empty()
            && held.dust.is_empty()
        {
            return Ok(());
        }
        self.retarget(instrument, quantity, order_type)
    }

    #[inline(never)]
    fn retarget(&mut self, instrument: InstrumentIndex, quantity: i64, order_type: OrderType) -> Result<()> {
        let definition = self.index.instrument(instrument);
        let lot = definition.specification.lot;
        // On spot what is below zero would be sold of somebody else (M3).
        let least = if definition.is_margined() { i64::MIN } else { 0 };
        let quantity = (quantity / lot * lot).max(least);
        let strategy = self.calling;
        self.check_size(instrument, quantity, order_type)?;
        if let OrderType::Limit(_) = order_type {
            self.check_call(&self.order_of(instrument, Side::Buy, lot, order_type))?;
        }
        let is_reached = self.position(strategy, instrument).quantity == quantity
            && !self.orders.open(strategy).any(|order| order.request.instrument == instrument);
        if is_reached {
            // Nothing is left of it, whatever one before has left.
            let strategy = &mut self.strategies[strategy.at()];
            strategy.targets.retain(|target| target.instrument != instrument);
            strategy.dust.retain(|(held, _)| *held != instrument);
            return Ok(());
        }
        self.want_reached(self.target_of(instrument, quantity, order_type));
        Ok(())
    }

    /// A target in the place of what was wanted before: it is looked at behind all that was asked for until now, some of
    /// which may be refused.
    fn want_reached(&mut self, target: Target) {
        let (strategy, instrument) = (self.calling, target.instrument);
        let targets = &mut self.strategies[strategy.at()].targets;
        targets.retain(|before| before.instrument != instrument);
        targets.push(target);
        let pursue = Decision::Pursue(strategy, instrument);
        self.outbox.retain(|decision| *decision != pursue);
        self.outbox.push(pursue);
    }

    fn target_of(&self, instrument: InstrumentIndex, quantity: i64, order_type: OrderType) -> Target {
        Target { instrument, quantity, order_type, order: 0, since: self.orders.next_id(), added: 0 }
    }

    /// How much the strategy has ordered itself since a target was stated, by what it has moved and what still works.
    fn asked_since(&self, strategy: StrategyIndex, target: &Target) -> i64 {
        let is_later = |order: &&Order| order.id >= target.since && order.request.instrument == target.instrument && !order.by_target;
        target.added + self.orders.open(strategy).filter(is_later).map(Order::working).sum::<i64>()
    }

    /// What is missing to a target.
    pub(crate) fn missing(&self, strategy: StrategyIndex, target: &Target) -> i64 {
        target.quantity + self.asked_since(strategy, target) - self.exposure(strategy, target.instrument)
    }

    /// What may be sent of what is missing to a target. A purchase that still works counts as coming (O3), and cannot be
    /// sold before it has come: on spot that would sell what belongs to nobody here (M3).
    pub(crate) fn sendable(&self, strategy: StrategyIndex, target: &Target, missing: i64) -> i64 {
        let is_spot = !self.index.instrument(target.instrument).is_margined();
        if missing >= 0 || !is_spot {
            return missing;
        }
        let held = self.position(strategy, target.instrument).quantity;
        let held = held.min(held - target.added);
        let working = self.orders.open(strategy).filter(|order| order.request.instrument == target.instrument);
        let sold: i64 = working.map(|order| order.working().min(0)).sum();
        missing.max(-(held + sold).max(0))
    }

    /// How much orders of targets still want of one side.
    pub(crate) fn working_towards(&self, strategy: StrategyIndex, target: &Target, sign: i64) -> i64 {
        let open = self.orders.open(strategy).filter(|order| order.by_target && order.request.instrument == target.instrument);
        open.map(Order::working).filter(|working| working.signum() == sign).map(i64::abs).sum()
    }

    /// Whether an order of an earlier target works at another price than the target's.
    pub(crate) fn works_otherwise(&self, strategy: StrategyIndex, target: &Target) -> bool {
        let mut open = self.orders.open(strategy);
        open.any(|order| order.by_target && order.request.instrument == target.instrument && order.request.order_type != target.order_type)
    }

    /// Cancels the calling strategy's open orders in an instrument and closes its position at market; what one before
    /// has sent goes on: called on every row, it would cancel that again and again.
    pub fn close(&mut self, instrument: InstrumentIndex) -> Result<()> {
        if self.is_closing(instrument) {
            return Ok(());
        }
        self.cancel_all(Some(instrument));
        self.want_reached(self.target_of(instrument, 0, OrderType::Market));
        Ok(())
    }

    /// Whether all that is on its way in an instrument closes the calling strategy's position at market.
    fn is_closing(&self, instrument: InstrumentIndex) -> bool {
        let strategy = self.calling;
        let mut open = self.orders.open(strategy).filter(|order| order.request.instrument == instrument).peekable();
        let closes = |order: &Order| order.by_target && order.request.order_type == OrderType::Market;
        let is_sent = open.peek().is_some() && open.all(closes) && !self.is_unsettled(strategy, instrument);
        is_sent
            && match self.strategies[strategy.at()].targets.iter().find(|target| target.instrument == instrument) {
                // The rest follows piece by piece.
                Some(target) => target.quantity == 0 && target.order_type == OrderType::Market && target.added == 0,
                None => self.exposure(strategy, instrument) == 0,
            }
    }

    /// Asks for a timer; returns its number, which the event carries.
    pub fn timer(&mut self, due_ns: TimeNs) -> u64 {
        let strategy = &mut self.strategies[self.calling.at()];
        strategy.timers += 1;
        let number = strategy.timers;
        self.outbox.push(Decision::Timer(TimerPurpose::Strategy(self.calling, number), due_ns.max(self.now_ns)));
        number
    }

    /// Names a stream that the calling strategy wants to receive (V1).
    pub fn subscribe(&mut self, stream: Stream) -> Result<()> {
        self.check_start("subscribe")?;
        self.check_available(stream)?;
        let subscriptions = &mut self.strategies[self.calling.at()].subscriptions;
        if !subscriptions.contains(&stream) {
            subscriptions.push(stream);
        }
        Ok(())
    }

    /// Names a stream of values from outside that the calling strategy wants to receive (V2).
    pub fn subscribe_data(&mut self, name: &str) -> Result<()> {
        self.check_start("subscribe")?;
        if let Some(held) = self.available_data.as_ref().filter(|held| !held.iter().any(|one| one == name)) {
            let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
            return Err(Error::new(Code::MissingStream, format!("there is no stream of values {name:?}"))
                .hint(format!("values from outside are given by name beside the instruments' data; here are {held}")));
        }
        let data = &mut self.strategies[self.calling.at()].data;
        if !data.iter().any(|held| held == name) {
            data.push(name.to_owned());
        }
        Ok(())
    }

    /// Attaches an indicator to a stream, and names the stream.
    pub fn attach(&mut self, kind: IndicatorKind, stream: Stream) -> Result<IndicatorIndex> {
        self.check_start("indicator")?;
        if matches!(kind, IndicatorKind::Atr { .. }) && !matches!(stream.kind, StreamKind::Bars(_)) {
            return Err(Error::new(Code::BadSetting, format!("an average true range cannot be attached to {}", stream.kind))
                .hint("attach it to bars, which have a high and a low"));
        }
        self.subscribe(stream)?;
        if !matches!(stream.kind, StreamKind::Trades | StreamKind::Quotes | StreamKind::Marks | StreamKind::Bars(_)) {
            return Err(Error::new(Code::BadSetting, format!("an indicator cannot be attached to {}", stream.kind))
                .hint("attach it to trades, quotes (their middle), marks or bars"));
        }
        let place = IndicatorIndex(self.indicators.len() as u32);
        self.indicators.push((stream, Indicator::new(kind)?));
        Ok(place)
    }

    /// Keeps the last events of a stream, and names the stream.
    pub fn keep(&mut self, stream: Stream, length: usize) -> Result<HistoryIndex> {
        self.check_start("history")?;
        self.subscribe(stream)?;
        if length == 0 || length > LONGEST_HISTORY {
            return Err(Error::new(Code::BadSetting, format!("a history of {length} events: from 1 to {LONGEST_HISTORY} can be kept")));
        }
        self.histories.push(History::new(stream, length));
        Ok(HistoryIndex(self.histories.len() as u32 - 1))
    }

    fn check_start(&self, what: &str) -> Result<()> {
        if self.starting {
            return Ok(());
        }
        Err(Error::new(Code::NotInOnStart, format!("{what} was called after the start"))
            .hint("name streams and attach indicators in on_start"))
    }

    /// A stream exists if the data hold it, or hold the trades that bars are built from.
    fn check_available(&self, stream: Stream) -> Result<()> {
        let trades = Stream { kind: StreamKind::Trades, ..stream };
        let built = matches!(stream.kind, StreamKind::Bars(_)) && self.available.contains(&trades);
        if built || self.available.contains(&stream) {
            return Ok(());
        }
        let name = &self.index.instrument(stream.instrument).name;
        let held: Vec<String> =
            self.available.iter().filter(|held| held.instrument == stream.instrument).map(|held| held.kind.to_string()).collect();
        let held = if held.is_empty() { "nothing".to_owned() } else { held.join(", ") };
        Err(Error::new(Code::MissingStream, format!("{name}: there is no stream {}", stream.kind))
            .hint(format!("the data hold {held} for it")))
    }
}

fn on_grid(name: &str, what: &str, value: i64, step: i64, decimals: u8) -> Result<()> {
    if value % step == 0 {
        return Ok(());
    }
    let text = |value: i64| format_decimal(value.into(), decimals);
    let message = format!("{name}: {what} {} is not a multiple of {}", text(value), text(step));
    let below = value.div_euclid(step) * step;
    Err(Error::new(Code::OffGrid, message).hint(format!("the nearest are {} and {}", text(below), text(below + step))))
}
