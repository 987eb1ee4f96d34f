//! What strategies decided: through risk, and on its way.

use super::{Closed, Engine, Notice};
use crate::error::{Code, Result};
use crate::event::Part;
use crate::instrument::{InstrumentIndex, VenueIndex};
use crate::market::Side;
use crate::order::{Confirmed, NewOrder, Order, OrderId, OrderType, Outcome, Report, Request, Status, StrategyIndex, next_status};
use crate::state::{Decision, State, Target};
use smallvec::SmallVec;

impl Engine {
    pub(super) fn carry_out(&mut self, decision: Decision) -> Result<()> {
        match decision {
            Decision::Place(id) => self.place(id),
            Decision::Cancel(id) => self.cancel(id),
            Decision::Pursue(strategy, instrument) => self.pursue(strategy, instrument),
            Decision::Timer(purpose, due_ns) => self.request(Request::Timer { purpose, due_ns }),
        }
    }

    fn place(&mut self, id: OrderId) -> Result<()> {
        let Some(strategy) = self.state.orders.get(id).filter(|order| order.status == Status::Queued).map(|order| order.strategy) else {
            return Ok(());
        };
        self.state.calling = strategy;
        if let Some(refusal) = self.risk.refusal(&mut self.state, id)? {
            if let Some(order) = self.state.orders.get_mut(id) {
                order.note = refusal.note;
            }
            self.report(id, Report::Refused, Some(refusal.code));
            return Ok(());
        }
        self.report(id, Report::Sent, None);
        self.risk.sent(&mut self.state);
        let Some(order) = self.state.orders.get(id) else { return Ok(()) };
        let request = Request::Place { id, strategy, count: order.count, order: order.request, by_target: order.by_target };
        self.request(request)
    }

    fn cancel(&mut self, id: OrderId) -> Result<()> {
        let Some(order) = self.state.orders.get(id) else { return Ok(()) };
        let (status, strategy, count, instrument) = (order.status, order.strategy, order.count, order.request.instrument);
        if status == Status::Queued {
            // It ends as it was asked to, not in vain.
            if let Some(order) = self.state.orders.get_mut(id) {
                order.is_cancel_wanted = true;
            }
            self.report(id, Report::Cancelled, Some(Code::Requested));
            return Ok(());
        }
        if !matches!(next_status(status, Report::CancelSent, Confirmed::Nothing), Outcome::Become(_)) {
            return Ok(());
        }
        self.report(id, Report::CancelSent, None);
        self.request(Request::Cancel { id, strategy, count, instrument })
    }

    /// Works towards a target: cancels the strategy's own earlier target order, waits for its
    /// outcome, then sends the difference (O3).
    fn pursue(&mut self, strategy: StrategyIndex, instrument: InstrumentIndex) -> Result<()> {
        let Some(target) = self.state.strategies[strategy.at()].targets.iter().find(|target| target.instrument == instrument).copied()
        else {
            return Ok(());
        };
        if self.state.is_unsettled(strategy, instrument) {
            // Nothing is known to be reached or missing; but what is not wanted any more can go.
            if self.state.missing(strategy, &target) != 0 {
                self.cancel_earlier(strategy, instrument, None)?;
            }
            return Ok(());
        }
        if self.state.works_otherwise(strategy, &target) && self.cancel_earlier(strategy, instrument, None)? {
            return Ok(());
        }
        let missing = self.state.missing(strategy, &target);
        let free = self.state.sendable(strategy, &target, missing);
        let let_through = self.let_through(strategy, &target, free);
        let sent = self.risk.piece(&self.state, strategy, &target, let_through);
        let order = difference(&self.state, &target, sent);
        if sent == missing {
            self.keep_dust(strategy, instrument, missing - order.map_or(0, |order| order.quantity * order.side.sign()));
        }
        if order.is_some() && self.cancel_earlier(strategy, instrument, None)? {
            return Ok(());
        }
        // What is held back would sell a purchase that has not come: one that is not wanted any more goes.
        if free != missing && self.cancel_earlier(strategy, instrument, Some(Side::Buy))? {
            return Ok(());
        }
        // What is held back follows when more is known of the orders that it waits for; the next piece, behind the one before.
        if sent == missing {
            self.drop_target(strategy, instrument);
        }
        let Some(order) = order else { return Ok(()) };
        self.state.calling = strategy;
        self.state.queue(order, true);
        let strategy = &mut self.state.strategies[strategy.at()];
        if let Some(target) = strategy.targets.iter_mut().find(|target| target.instrument == instrument) {
            target.order = strategy.orders;
        }
        Ok(())
    }

    /// So much of what is wanted as risk lets through: where it refuses what goes through zero, what closes the position (O4).
    fn let_through(&self, strategy: StrategyIndex, target: &Target, wanted: i64) -> i64 {
        let held = self.state.position(strategy, target.instrument).quantity;
        let working = self.state.working_towards(strategy, target, wanted.signum());
        if held.signum() != -wanted.signum() || wanted.abs() + working <= held.abs() {
            return wanted;
        }
        if target.order != 0 && working > 0 {
            // It closes: what comes behind zero is for later, also where it would be let through by now.
            return 0;
        }
        let order = difference(&self.state, target, wanted);
        let is_refused = order.is_some_and(|order| self.risk.refuses(&self.state, strategy, order));
        if is_refused { (held.abs() - working).max(0) * wanted.signum() } else { wanted }
    }

    /// Cancels the strategy's own earlier target orders, or those of a side; tells whether there were any. Their
    /// outcome leads back to the target.
    fn cancel_earlier(&mut self, strategy: StrategyIndex, instrument: InstrumentIndex, side: Option<Side>) -> Result<bool> {
        let is_earlier = |order: &&Order| {
            order.request.instrument == instrument
                && order.by_target
                && side.is_none_or(|side| order.request.side == side)
                && !matches!(order.status, Status::CancelInFlight | Status::Unknown)
        };
        let earlier: SmallVec<[OrderId; 4]> = self.state.orders.open(strategy).filter(is_earlier).map(|order| order.id).collect();
        for &id in &earlier {
            self.cancel(id)?;
        }
        Ok(!earlier.is_empty())
    }

    /// Shows what a target could not reach (O3).
    fn keep_dust(&mut self, strategy: StrategyIndex, instrument: InstrumentIndex, quantity: i64) {
        let dust = &mut self.state.strategies[strategy.at()].dust;
        dust.retain(|(held, _)| *held != instrument);
        if quantity != 0 {
            dust.push((instrument, quantity));
        }
    }

    pub(super) fn drop_target(&mut self, strategy: StrategyIndex, instrument: InstrumentIndex) {
        self.state.strategies[strategy.at()].targets.retain(|target| target.instrument != instrument);
    }

    /// Applies a report to an order; tells whether it was one that can be true.
    pub(super) fn report(&mut self, id: OrderId, report: Report, reason: Option<Code>) -> Outcome {
        let now_ns = self.state.now_ns;
        let Some(order) = self.state.orders.get_mut(id) else {
            return self.unknown_order(id);
        };
        let (strategy, instrument) = (order.strategy, order.request.instrument);
        let outcome = next_status(order.status, report, order.confirmed());
        order.is_accepted |= report == Report::Accepted;
        match report {
            Report::CancelSent => order.is_cancel_wanted = true,
            // That it could not be delivered says nothing: it is still wanted.
            Report::CancelRejected if !reason.is_some_and(is_undelivered) => order.is_cancel_wanted = false,
            _ => {}
        }
        match outcome {
            Outcome::Become(status) => {
                order.status = status;
                order.updated_ns = now_ns;
                if reason.is_some() {
                    order.reason = reason;
                }
                self.changed(id, report);
                if matches!(report, Report::Refused | Report::Rejected) || self.state.orders.get(id).is_some_and(is_in_vain) {
                    self.give_up(id);
                }
                // That a cancel was refused is no reason to send it again at once: what the order is has to come first.
                if report != Report::CancelRejected {
                    self.go_on_from(id, strategy, instrument);
                }
            }
            Outcome::Stale => {
                self.state.stale_reports += 1;
                if report == Report::Accepted {
                    self.go_on_from(id, strategy, instrument);
                }
            }
            Outcome::Impossible => self.state.impossible_reports += 1,
            Outcome::BookOnly => {}
        }
        outcome
    }

    /// A report about an order that is not known: old if it was forgotten, else impossible.
    pub(super) fn unknown_order(&mut self, id: OrderId) -> Outcome {
        if self.state.orders.is_forgotten(id) {
            self.state.stale_reports += 1;
            Outcome::Stale
        } else {
            self.state.impossible_reports += 1;
            Outcome::Impossible
        }
    }

    /// What follows from a change of an order.
    pub(super) fn changed(&mut self, id: OrderId, report: Report) {
        let Some(order) = self.state.orders.get(id) else { return };
        let (strategy, instrument) = (order.strategy, order.request.instrument);
        if self.strategies[strategy.at()].callbacks.order {
            self.notices.push(Notice::Order(Box::new(order.clone())));
        }
        if order.status.is_closed() {
            self.output.closed.push(Closed { instrument, status: order.status, report, reason: order.reason });
            if self.keeps_details {
                self.output.orders.push(order.clone());
            }
            self.strategies[strategy.at()].strategy.on_closed(order);
            self.state.orders.close(strategy, id);
        }
    }

    /// A target whose own order was refused or rejected, or ended by the venue without a fill, is given up, as it is where
    /// nothing was held back: the same order would be sent again and again (O3).
    fn give_up(&mut self, id: OrderId) {
        let Some(order) = self.state.orders.get(id) else { return };
        let (strategy, instrument, count) = (order.strategy, order.request.instrument, order.count);
        self.state.strategies[strategy.at()].targets.retain(|target| target.instrument != instrument || target.order != count);
    }

    /// What is known of an order may show that its cancel did not get through, and let the target in its instrument go on.
    #[inline]
    fn go_on_from(&mut self, id: OrderId, strategy: StrategyIndex, instrument: InstrumentIndex) {
        let has_outlived = self.state.orders.get(id).is_some_and(Order::has_outlived_cancel);
        // Where nothing reaches the venue, it waits for the connection.
        if has_outlived && !self.state.health.is_down(self.state.index.instrument(instrument).venue, Part::Orders) {
            self.state.outbox.push(Decision::Cancel(id));
        }
        if self.state.strategies[strategy.at()].targets.iter().any(|target| target.instrument == instrument) {
            self.state.outbox.push(Decision::Pursue(strategy, instrument));
        }
    }

    /// Requests reach a venue again: cancels that did not get through are sent again, and targets there go on.
    pub(super) fn go_on_at(&mut self, venue: VenueIndex) {
        let is_there = |order: &&Order| self.state.index.instrument(order.request.instrument).venue == venue;
        let outlived = self.state.orders.all_open().filter(is_there).filter(|order| order.has_outlived_cancel());
        self.state.outbox.extend(outlived.map(|order| Decision::Cancel(order.id)));
        for (place, strategy) in self.state.strategies.iter().enumerate() {
            for target in strategy.targets.iter().filter(|target| self.state.index.instrument(target.instrument).venue == venue) {
                self.state.outbox.push(Decision::Pursue(StrategyIndex(place as u16), target.instrument));
            }
        }
    }
}

/// Whether the venue ended an order that nobody wanted cancelled, and that had filled nothing.
fn is_in_vain(order: &Order) -> bool {
    matches!(order.status, Status::Cancelled | Status::Expired) && !order.is_cancel_wanted && order.filled == 0
}

/// Whether a cancel was refused because it did not reach the venue, or was not looked at there.
const fn is_undelivered(reason: Code) -> bool {
    matches!(reason, Code::Unreachable | Code::VenueDisconnected | Code::RateLimited)
}

/// The order over what is missing to a target; none if that is dust.
fn difference(state: &State, target: &Target, missing: i64) -> Option<NewOrder> {
    let specification = &state.index.instrument(target.instrument).specification;
    let quantity = missing.abs() / specification.lot * specification.lot;
    let price = target.order_type.price().or(state.market(target.instrument).mark.price());
    let is_dust = quantity == 0
        || quantity < specification.minimum_quantity
        || price.is_some_and(|price| {
            specification.value(price, quantity) < specification.minimum_notional && specification.minimum_notional > 0
        });
    if is_dust {
        return None;
    }
    let mut order = state.order_of(target.instrument, Side::of(missing), quantity, OrderType::Market);
    order.order_type = target.order_type;
    Some(order)
}
