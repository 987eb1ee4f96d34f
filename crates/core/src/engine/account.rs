//! What venues report about our accounts. The engine only applies it (F5).

use super::{Booked, Charge, Engine, Notice};
use crate::account::{Fill, base_fee};
use crate::event::{AccountEvent, AccountReport, Holding};
use crate::instrument::AccountIndex;
use crate::market::Side;
use crate::order::{OrderId, Outcome, Report, StrategyIndex, next_status};
use crate::risk::is_uncovered;
use crate::state::Decision;
use crate::strategy::StatusChange;
use smallvec::SmallVec;

impl Engine {
    pub(super) fn on_account(&mut self, report: &AccountReport) {
        self.state.now_ns = report.arrival_time_ns;
        let time_ns = report.venue_time_ns;
        let account = report.account.at();
        match report.event {
            AccountEvent::Accepted(id) => {
                self.report(id, Report::Accepted, None);
            }
            AccountEvent::Rejected(id, reason) => {
                self.report(id, Report::Rejected, Some(reason));
            }
            AccountEvent::Cancelled(id, reason) => {
                self.report(id, Report::Cancelled, Some(reason));
            }
            AccountEvent::CancelRejected(id, reason) => {
                self.report(id, Report::CancelRejected, Some(reason));
            }
            AccountEvent::Expired(id) => {
                self.report(id, Report::Expired, None);
            }
            AccountEvent::Fill(fill) if fill.order == OrderId(0) => self.on_liquidation(report.account, &fill),
            AccountEvent::Fill(fill) => self.on_fill(report.account, &fill),
            AccountEvent::Funding { instrument, amount } => {
                self.state.accounts[account].apply_funding(&self.state.index, instrument, amount, time_ns);
                let asset = self.state.index.instrument(instrument).settlement;
                self.state.watch.pay(asset, asset, -amount);
                self.output.charges.push(Charge { instrument, asset, paid: -amount, is_funding: true });
            }
            AccountEvent::Fee { instrument, asset, amount, kind } => {
                self.state.accounts[account].apply_fee(asset, amount, kind, instrument, time_ns);
                let settlement = self.state.index.instrument(instrument).settlement;
                self.state.watch.pay(settlement, asset, amount);
                self.output.charges.push(Charge { instrument, asset, paid: amount, is_funding: false });
            }
            AccountEvent::Deposit { asset, amount } | AccountEvent::Foreign { asset, amount } => {
                self.state.accounts[account].deposit(asset, amount, time_ns);
            }
            AccountEvent::Insurance { asset, amount } => self.state.accounts[account].apply_insurance(asset, amount, time_ns),
            AccountEvent::Lost(id) => {
                self.report(id, Report::Lost, None);
            }
            AccountEvent::Unexplained { asset, amount } => self.state.accounts[account].post_unexplained(asset, amount, time_ns),
            AccountEvent::MarginCall { .. } => self.notices.push(Notice::Status(StatusChange::MarginCall)),
        }
    }

    fn on_fill(&mut self, account: AccountIndex, fill: &Fill) {
        let Some(order) = self.state.orders.get_mut(fill.order) else {
            self.unknown_order(fill.order);
            return;
        };
        if order.trade_ids.contains(&fill.trade_id) {
            self.state.stale_reports += 1;
            return;
        }
        let report = if fill.quantity == order.remaining() { Report::LastFill } else { Report::PartFill };
        let fits = (fill.instrument, fill.side) == (order.request.instrument, order.request.side)
            && account == order.request.account
            && (1..=order.remaining()).contains(&fill.quantity);
        if !fits || next_status(order.status, report, order.confirmed()) == Outcome::Impossible {
            self.state.impossible_reports += 1;
            return;
        }
        let specification = &self.state.index.instrument(fill.instrument).specification;
        order.trade_ids.push(fill.trade_id);
        order.filled += fill.quantity;
        order.filled_value += specification.value(fill.price, fill.quantity);
        let (strategy, count, decision_mid_doubled) = (order.strategy, order.count, order.decision_mid_doubled);
        self.hasher.fill(order.strategy, order.count, fill, self.state.now_ns);
        self.state.accounts[account.at()].apply_fill(&self.state.index, fill);
        let held = self.state.position(strategy, fill.instrument).quantity;
        let realised = self.attribute(strategy, fill);
        self.count_on_top(fill, strategy, held);
        self.cancel_uncovered(strategy, fill, held);
        self.output.fills.push(Booked { fill: *fill, strategy, count, realised, decision_mid_doubled, arrival_time_ns: self.state.now_ns });
        if self.strategies[strategy.at()].callbacks.fill {
            self.notices.push(Notice::Fill(strategy, *fill));
        }
        if self.report(fill.order, report, None) == Outcome::BookOnly
            && let Some(order) = self.state.orders.get(fill.order)
        {
            self.strategies[strategy.at()].strategy.on_closed(order);
            if self.keeps_details {
                self.output.amended.push(order.clone());
            }
        }
    }

    /// What an order of the strategy itself has moved comes on top of a target that was stated before it (O3).
    fn count_on_top(&mut self, fill: &Fill, strategy: StrategyIndex, held: i64) {
        let Some(order) = self.state.orders.get(fill.order).filter(|order| !order.by_target) else { return };
        let moved = self.state.position(strategy, fill.instrument).quantity - held;
        let mut targets = self.state.strategies[strategy.at()].targets.iter_mut();
        if let Some(target) = targets.find(|target| target.instrument == fill.instrument && target.since <= order.id) {
            target.added += moved;
        }
    }

    /// Cancels orders that may only reduce and that what is held does not cover any more (O4): of a strategy whose position
    /// has become smaller, and at a margined venue, which looks at the account's, of the others where that became larger.
    fn cancel_uncovered(&mut self, strategy: StrategyIndex, fill: &Fill, held_before: i64) {
        let is_reduced = held_before.signum() == -fill.signed_quantity().signum();
        let concerns_others = self.strategies.len() > 1 && self.state.index.instrument(fill.instrument).is_margined();
        for place in 0..self.strategies.len() {
            let one = StrategyIndex(place as u16);
            let is_concerned = if one == strategy { is_reduced } else { concerns_others };
            if is_concerned {
                let open = self.state.orders.open(one).filter(|order| order.request.instrument == fill.instrument);
                let uncovered = open.filter(|order| order.remaining() > 0 && is_uncovered(&self.state, order));
                self.state.outbox.extend(uncovered.map(|order| Decision::Cancel(order.id)).collect::<SmallVec<[Decision; 4]>>());
            }
        }
    }

    /// What the account holds already becomes a strategy's position, at its stated cost: no money moves (M3).
    pub(super) fn adopt(&mut self, strategy: StrategyIndex, held: &Holding) {
        let Holding { instrument, quantity, cost } = *held;
        let account = self.state.index.instrument(instrument).account;
        self.state.accounts[account.at()].adopt(instrument, quantity, cost);
        self.state.strategies[strategy.at()].positions[instrument.at()].apply(quantity, cost);
        self.state.watch.adopt(held);
    }

    /// Books a fill to a strategy's position; returns the profit that it realised.
    fn attribute(&mut self, strategy: StrategyIndex, fill: &Fill) -> i128 {
        let instrument = self.state.index.instrument(fill.instrument);
        let value = instrument.specification.value(fill.price, fill.signed_quantity());
        let base_fee = base_fee(instrument, fill);
        if base_fee == 0 {
            self.state.watch.pay(instrument.settlement, fill.fee_asset, fill.fee);
        }
        let position = &mut self.state.strategies[strategy.at()].positions[fill.instrument.at()];
        let change = position.apply(fill.signed_quantity(), value);
        change.realised + position.take_base_fee(base_fee).realised
    }

    /// The venue closed the account's position: each strategy's share is closed at that price.
    ///
    /// The fee is booked to the strategy with the first name that held a position, because
    /// the account paid it once.
    fn on_liquidation(&mut self, account: AccountIndex, fill: &Fill) {
        self.state.accounts[account.at()].apply_fill(&self.state.index, fill);
        self.notices.push(Notice::Status(StatusChange::Liquidation));
        let mut fee = fill.fee;
        for place in 0..self.strategies.len() {
            let strategy = StrategyIndex(place as u16);
            let held = self.state.position(strategy, fill.instrument).quantity;
            if held == 0 {
                continue;
            }
            let share = Fill { side: Side::of(-held), quantity: held.abs(), fee: std::mem::take(&mut fee), ..*fill };
            let realised = self.attribute(strategy, &share);
            self.hasher.fill(strategy, 0, &share, self.state.now_ns);
            self.output.fills.push(Booked {
                fill: share,
                strategy,
                count: 0,
                realised,
                decision_mid_doubled: None,
                arrival_time_ns: self.state.now_ns,
            });
            if self.strategies[place].callbacks.fill {
                self.notices.push(Notice::Fill(strategy, share));
            }
        }
    }
}
