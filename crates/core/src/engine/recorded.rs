//! Going on with changed code: recorded decisions in the place of the strategies', then a start of their own (D5).

use super::{Engine, Slot, Snapshot};
use crate::error::{Code, Error, Result};
use crate::order::{Confirmed, Order, OrderId, Outcome, Report, Request, Status, StrategyIndex, TimerPurpose, next_status};
use crate::state::State;
use crate::strategy::{Callbacks, Strategy};

/// Stands for a strategy whose decisions are recorded.
struct Silent;

impl Strategy for Silent {
    fn callbacks(&self) -> Callbacks {
        Callbacks::default()
    }

    fn on_start(&mut self, _: &mut Box<State>) -> Result<()> {
        Ok(())
    }
}

impl Engine {
    /// From here on no strategy is asked, and nothing is decided: [`Engine::take_decision`] tells what was.
    pub fn follow_recorded(&mut self) {
        self.follows = true;
        for slot in &mut self.strategies {
            *slot = Slot { strategy: Box::new(Silent), callbacks: Callbacks::default() };
        }
    }

    /// Takes a decision as it was recorded: its order has the recorded number and count, and has left.
    pub fn take_decision(&mut self, request: &Request) -> Result<()> {
        match *request {
            Request::Place { id, strategy, count, order, by_target } => {
                let mid_doubled = self.state.markets[order.instrument.at()].mid_doubled();
                let order = Order::new(id, strategy, count, order, self.state.now_ns, mid_doubled);
                self.place_recorded(Order { by_target, ..order })?;
            }
            Request::Cancel { id, .. } => self.cancel_recorded(id)?,
            Request::Timer { purpose: TimerPurpose::Strategy(strategy, number), .. } => {
                let timers = &mut self.state.strategies[strategy.at()].timers;
                *timers = number.max(*timers);
            }
            Request::Timer { purpose: TimerPurpose::Bar(_), .. } => {}
        }
        self.request(*request)?;
        self.drop_decisions();
        Ok(())
    }

    /// What would be decided here was decided then.
    pub(super) fn drop_decisions(&mut self) {
        self.state.outbox.clear();
        self.notices.clear();
    }

    fn place_recorded(&mut self, order: Order) -> Result<()> {
        let Order { id, strategy, count, .. } = order;
        let next = self.state.orders.next_id();
        let orders = self.state.strategies[strategy.at()].orders;
        if id < next || count <= orders {
            let message = format!("order {} of {}, its {count}th, comes after order {}", id.0, self.name(strategy), next.0 - 1);
            return Err(Error::new(Code::BadJournal, message).hint("the journal was altered"));
        }
        // Numbers between were those of orders that risk refused, of which nothing is recorded.
        while self.state.orders.next_id() < id {
            let refused = Order { id: self.state.orders.next_id(), count: 0, status: Status::Rejected, ..order.clone() };
            let number = refused.id;
            self.state.orders.add(refused);
            self.state.orders.close(strategy, number);
        }
        self.state.orders.add(order);
        self.state.strategies[strategy.at()].orders = count;
        self.report(id, Report::Sent, None);
        self.risk.sent(&mut self.state);
        Ok(())
    }

    fn cancel_recorded(&mut self, id: OrderId) -> Result<()> {
        let order = self.state.orders.get(id);
        let is_possible =
            order.is_some_and(|order| matches!(next_status(order.status, Report::CancelSent, Confirmed::Nothing), Outcome::Become(_)));
        if !is_possible {
            let what = order.map_or("not known", |order| order.status.name());
            let message = format!("order {} was cancelled, and is {what}", id.0);
            return Err(Error::new(Code::BadJournal, message).hint("the journal was altered, or belongs to another version"));
        }
        self.report(id, Report::CancelSent, None);
        Ok(())
    }

    fn name(&self, strategy: StrategyIndex) -> &str {
        &self.state.strategies[strategy.at()].name
    }

    /// What strategies declare as their own, in the order of their names: of those before them, until they start.
    pub fn declared(&mut self) -> Result<Vec<Vec<u8>>> {
        if self.awaits_start {
            return Ok(self.inherited.clone());
        }
        let mut declared = Vec::new();
        for (place, slot) in self.strategies.iter_mut().enumerate() {
            self.state.calling = StrategyIndex(place as u16);
            declared.push(slot.strategy.save(&mut self.state)?);
        }
        Ok(declared)
    }

    /// What other strategies of the same names need to go on from here with a start of their own; they take over what
    /// is declared as theirs.
    pub fn hand_over(&mut self, declared: Vec<Vec<u8>>) -> Snapshot {
        self.forget_strategies();
        // Nobody trades unasked on what others have begun, also where their run had come to its end.
        (self.state.trading, self.state.stopped, self.state.warming, self.state.stays_off) = (false, false, false, false);
        self.snapshot(declared, Vec::new(), true)
    }

    /// Whether strategies take over from others at the next start.
    pub fn awaits_start(&self) -> bool {
        self.awaits_start
    }

    /// Nothing is left of what strategies named, attached and aimed at.
    pub(super) fn forget_strategies(&mut self) {
        self.routes.clear();
        self.state.indicators.clear();
        self.state.histories.clear();
        self.state.builders.clear();
        self.state.health.forget_streams();
        for strategy in &mut self.state.strategies {
            strategy.subscriptions.clear();
            strategy.data.clear();
            strategy.targets.clear();
            strategy.dust.clear();
            strategy.put_off.clear();
        }
    }

    /// Strategies that are about to start take over what those before them declared: they find it in their start, and
    /// what they set there stays.
    pub(super) fn give_inherited(&mut self) -> Result<()> {
        for (place, saved) in self.inherited.iter().enumerate().filter(|(_, saved)| !saved.is_empty()) {
            self.state.calling = StrategyIndex(place as u16);
            self.strategies[place].strategy.restore(&mut self.state, saved)?;
        }
        Ok(())
    }
}
