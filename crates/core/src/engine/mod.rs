//! The engine: one state machine that every mode of trading feeds.
//!
//! [`Engine::process`] takes an input, brings the state up to date, calls the strategies
//! that want to know, passes what they decide through risk, and leaves requests for
//! whoever carries them out. It reads no clock and touches nothing outside of itself.

mod account;
mod decision;
mod market;
mod outside;
mod recorded;
mod route;
mod snapshot;

use crate::account::Fill;
use crate::error::{Code, Error, Result};
use crate::event::{AccountReport, Command, Event, Filter, encode_decision, encode_input};
use crate::instrument::{AssetIndex, Index};
use crate::market::MarketEvent;
use crate::order::{Order, OrderId, Report, Request, Status, StrategyIndex, TimerPurpose};
use crate::risk::Risk;
use crate::state::{Decision, DecisionHasher, State, Stream};
use crate::strategy::{Callbacks, StatusChange, Strategy};
use route::Routes;
use serde::{Deserialize, Serialize};
pub use snapshot::Snapshot;
use std::sync::Arc;

/// How many rounds of decisions one event may lead to (O1).
pub const MOST_ROUNDS: u32 = 1_000;

/// How many decisions one event may lead to in all: a callback that asks for two for each one
/// doubles them every round, and would not come to the last.
pub const MOST_DECISIONS: usize = 100_000;

/// A fill with what it meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked {
    /// The fill.
    pub fill: Fill,
    /// Whose it is.
    pub strategy: StrategyIndex,
    /// The strategy's own count of the order; zero for a liquidation.
    pub count: u64,
    /// The profit that it realised before fees, with the instrument's value decimals.
    pub realised: i128,
    /// Twice the mid at the decision.
    pub decision_mid_doubled: Option<i64>,
    /// When we learned of it.
    pub arrival_time_ns: i64,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What it traded.
    pub instrument: crate::instrument::InstrumentIndex,
    /// Its last status.
    pub status: Status,
    /// The report that ended it: whether it was refused here or rejected there tells no reason.
    pub report: Report,
    /// Why, where it was refused, rejected or cancelled.
    pub reason: Option<Code>,
}

/// Money that moved without a fill, as statistics want to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// For the position in this instrument.
    pub instrument: crate::instrument::InstrumentIndex,
    /// Of which asset.
    pub asset: AssetIndex,
    /// Above zero when we paid.
    pub paid: i128,
    /// Whether it was funding, else a liquidation fee.
    pub is_funding: bool,
}

/// What the engine leaves behind for its driver after an event.
#[derive(Default)]
pub struct Output {
    /// Requests to carry out, in order.
    pub requests: Vec<Request>,
    /// Fills that were booked.
    pub fills: Vec<Booked>,
    /// How orders ended.
    pub closed: Vec<Closed>,
    /// The orders themselves, where they are kept.
    pub orders: Vec<Order>,
    /// Orders that were filled further after they had ended, where they are kept.
    pub amended: Vec<Order>,
    /// Funding and fees without a fill.
    pub charges: Vec<Charge>,
    /// Why the last parameter that was set was not taken, for whoever set it.
    pub refused_parameter: Option<Error>,
}

/// Something that a strategy is told after the state has changed.
enum Notice {
    Order(Box<Order>),
    Fill(StrategyIndex, Fill),
    Timer(StrategyIndex, u64, i64),
    Status(StatusChange),
}

struct Slot {
    strategy: Box<dyn Strategy>,
    callbacks: Callbacks,
}

/// The engine.
pub struct Engine {
    state: Box<State>,
    strategies: Vec<Slot>,
    risk: Risk,
    routes: Vec<Routes>,
    notices: Vec<Notice>,
    hasher: DecisionHasher,
    journal: Option<Vec<u8>>,
    /// How many entries were recorded, and how many of them were taken.
    entries: (u64, u64),
    keeps_details: bool,
    sequence: u64,
    /// Whether decisions are taken from a record, and none are made (D5).
    follows: bool,
    /// What strategies take over from others at their start: what these had declared as theirs (D5).
    inherited: Vec<Vec<u8>>,
    /// Whether that start is still to come.
    awaits_start: bool,
    /// What the driver takes after each event.
    pub output: Output,
}

/// What an engine is made of.
pub struct Parts {
    /// The names.
    pub index: Arc<Index>,
    /// The strategies with their names; they are called in the order of their names (T3).
    pub strategies: Vec<(String, Box<dyn Strategy>)>,
    /// The checks.
    pub risk: Risk,
    /// The streams that the data hold.
    pub available: Vec<Stream>,
    /// The names of values from outside that will come; none where any may.
    pub available_data: Option<Vec<String>>,
    /// The seed of everything that is random.
    pub seed: u64,
    /// Whether the stream of inputs and decisions is written.
    pub keeps_journal: bool,
    /// Whether the ledger keeps every posting, and closed orders are handed out whole.
    pub keeps_details: bool,
}

impl Engine {
    /// An engine before its first event.
    pub fn new(mut parts: Parts) -> Result<Self> {
        parts.strategies.sort_by(|left, right| left.0.cmp(&right.0));
        if let Some(pair) = parts.strategies.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(
                Error::new(Code::DuplicateName, format!("two strategies are called {:?}", pair[0].0)).hint("give one of them another name")
            );
        }
        let names: Vec<String> = parts.strategies.iter().map(|(name, _)| name.clone()).collect();
        let hasher = DecisionHasher::new(&parts.index, names.iter().map(String::as_str));
        let mut state = State::new(parts.index, &names, parts.available, parts.seed, parts.keeps_details);
        state.available_data = parts.available_data;
        parts.risk.begin(&mut state);
        Ok(Self {
            state: Box::new(state),
            strategies: parts.strategies.into_iter().map(|(_, strategy)| Slot { callbacks: strategy.callbacks(), strategy }).collect(),
            risk: parts.risk,
            routes: Vec::new(),
            notices: Vec::new(),
            hasher,
            journal: parts.keeps_journal.then(Vec::new),
            entries: (0, 0),
            keeps_details: parts.keeps_details,
            sequence: 0,
            follows: false,
            inherited: Vec::new(),
            awaits_start: false,
            output: Output::default(),
        })
    }

    /// Remembers closed orders for longer: some venues are real.
    pub fn expect_late_reports(&mut self) {
        self.state.orders.expect_late_reports();
    }

    /// What the engine knows.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the engine knows, and what it left behind, to be taken.
    pub fn state_and_output(&mut self) -> (&State, &mut Output) {
        (&self.state, &mut self.output)
    }

    /// What orders have to pass.
    pub fn risk(&self) -> &Risk {
        &self.risk
    }

    /// How many inputs it has taken.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many trades came after the bars that they belong to had closed, over all bars that are
    /// built from trades; they are left out of them (V5).
    pub fn late_trades(&self) -> u64 {
        self.state.builders.iter().map(|(_, bars)| bars.late_trades()).sum()
    }

    /// The hash of each strategy's requests and fills so far (D3).
    pub fn decisions_hash(&self) -> [u8; 32] {
        self.hasher.finish()
    }

    /// The same of one strategy alone, which other strategies do not change.
    pub fn strategy_decisions_hash(&self, strategy: StrategyIndex) -> [u8; 32] {
        self.hasher.of_strategy(strategy)
    }

    /// The entries since the last call: the number of the first and of the last, from one, and
    /// the block that holds them. Nothing where there are none or no journal is kept.
    pub fn take_journal(&mut self) -> Option<(u64, u64, Vec<u8>)> {
        let block = std::mem::take(self.journal.as_mut()?);
        let (last, taken) = self.entries;
        self.entries.1 = last;
        (last > taken).then_some((taken + 1, last, block))
    }

    /// How many entries there are, taken or not.
    pub fn entries(&self) -> u64 {
        self.entries.0
    }

    /// Drops what was recorded while a journal was taken: it is in there already.
    pub fn forget_journal(&mut self) {
        self.entries.1 = self.entries.0;
        self.journal.as_mut().map(Vec::clear);
    }

    /// Takes one input.
    pub fn process(&mut self, event: &Event) -> Result<()> {
        self.write(event)?;
        let watches = self.begin(event.arrival_time_ns());
        match event {
            Event::Market(row) => self.on_market(row)?,
            event => self.on_other(event)?,
        }
        self.finish(watches)
    }

    /// Takes a row of market data as an input. It is read where it lies: an event around it would be a copy of it.
    #[inline]
    pub fn process_row(&mut self, row: &MarketEvent) -> Result<()> {
        if self.journal.is_some() {
            self.write_row(row)?;
        }
        let watches = self.begin(row.arrival_time_ns);
        self.on_market(row)?;
        self.finish(watches)
    }

    /// Takes a report about an account as an input, where it lies.
    pub fn process_report(&mut self, report: &AccountReport) -> Result<()> {
        if self.journal.is_some() {
            self.write(&Event::Account(*report))?;
        }
        let watches = self.begin(report.arrival_time_ns);
        self.on_account(report);
        debug_assert_eq!(self.state.broken_own_rule(), None, "after {report:?}");
        self.finish(watches)
    }

    /// Writes an input to the journal, where one is kept.
    fn write(&mut self, event: &Event) -> Result<()> {
        if let Some(journal) = &mut self.journal {
            self.entries.0 += 1;
            encode_input(event, journal)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn write_row(&mut self, row: &MarketEvent) -> Result<()> {
        self.write(&Event::Market(*row))
    }

    /// Before an input: tells whether the day's loss is looked at behind it.
    #[inline]
    fn begin(&mut self, time_ns: i64) -> bool {
        self.sequence += 1;
        let watches = time_ns >= self.state.watch.next_ns;
        if watches {
            self.begin_day(time_ns);
        }
        watches
    }

    /// Behind an input: what it led to is carried out.
    #[inline]
    fn finish(&mut self, watches: bool) -> Result<()> {
        if watches {
            self.watch_loss();
        }
        if self.state.outbox.is_empty() && self.notices.is_empty() { Ok(()) } else { self.settle() }
    }

    #[cold]
    fn begin_day(&mut self, time_ns: i64) {
        if self.risk.begin_day(&mut self.state, time_ns) {
            self.notices.push(Notice::Status(StatusChange::DailyLossOver));
        }
    }

    /// Once the day's loss has reached its limit, nothing that could open a position may work any more, then and later: what
    /// reduces one may come to open one.
    #[cold]
    fn watch_loss(&mut self) {
        let was_reached = self.state.is_daily_loss_reached();
        if !self.risk.looks_at_daily_loss(&mut self.state) {
            return;
        }
        if !was_reached {
            self.notices.push(Notice::Status(StatusChange::DailyLossReached));
        }
        let opens = |order: &&Order| !order.is_cancel_wanted && !crate::risk::reduces(&self.state, order);
        let orders: Vec<_> = self.state.orders.all_open().filter(opens).map(|order| Decision::Cancel(order.id)).collect();
        self.state.outbox.extend(orders);
    }

    /// Everything but market data, kept out of the way of the hot path.
    #[inline(never)]
    fn on_other(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Market(event) => self.on_market(event)?,
            Event::Account(report) => self.on_account(report),
            Event::Timer(timer) => self.on_timer(timer.purpose, timer.due_ns, timer.fired_ns)?,
            Event::Command { time_ns, command } => self.on_command(*time_ns, command)?,
            Event::WarmUp(event) => self.on_warm_up(event)?,
            Event::Data(data) => self.on_data(data)?,
            Event::Status(status) => self.on_status(status)?,
            Event::Parameter(parameter) => self.on_parameter(parameter),
        }
        debug_assert_eq!(self.state.broken_own_rule(), None, "after {event:?}");
        Ok(())
    }

    /// Sends a request on its way.
    fn request(&mut self, request: Request) -> Result<()> {
        self.hasher.request(&request, self.state.now_ns);
        if let Some(journal) = &mut self.journal {
            self.entries.0 += 1;
            encode_decision(&request, journal)?;
        }
        self.output.requests.push(request);
        Ok(())
    }

    /// Carries out decisions and delivers what follows from them, until nothing is left.
    fn settle(&mut self) -> Result<()> {
        if self.follows || self.awaits_start() {
            self.drop_decisions();
            return Ok(());
        }
        let mut carried_out = 0;
        for _ in 0..MOST_ROUNDS {
            let mut decisions = std::mem::take(&mut self.state.outbox);
            carried_out += decisions.len();
            if carried_out > MOST_DECISIONS {
                break;
            }
            for decision in decisions.drain(..) {
                self.carry_out(decision)?;
            }
            // Keeps the buffer: what was asked for meanwhile is rare and moves over.
            decisions.append(&mut self.state.outbox);
            self.state.outbox = decisions;
            if self.notices.is_empty() && self.state.outbox.is_empty() {
                return Ok(());
            }
            self.deliver()?;
            if self.state.outbox.is_empty() && self.notices.is_empty() {
                return Ok(());
            }
        }
        Err(endless(self.state.now_ns))
    }

    fn deliver(&mut self) -> Result<()> {
        let mut notices = std::mem::take(&mut self.notices);
        for notice in notices.drain(..) {
            match notice {
                Notice::Order(order) => {
                    self.state.calling = order.strategy;
                    self.strategies[order.strategy.at()].strategy.on_order(&mut self.state, &order)?;
                }
                Notice::Fill(strategy, fill) => {
                    self.state.calling = strategy;
                    self.strategies[strategy.at()].strategy.on_fill(&mut self.state, &fill)?;
                }
                Notice::Timer(strategy, number, due_ns) => {
                    self.state.calling = strategy;
                    self.strategies[strategy.at()].strategy.on_timer(&mut self.state, number, due_ns)?;
                }
                Notice::Status(status) => {
                    for (place, slot) in self.strategies.iter_mut().enumerate().filter(|(_, slot)| slot.callbacks.status) {
                        let strategy = StrategyIndex(place as u16);
                        if outside::concerns(&self.state, strategy, status) {
                            self.state.calling = strategy;
                            slot.strategy.on_status(&mut self.state, status)?;
                        }
                    }
                }
            }
        }
        notices.append(&mut self.notices);
        self.notices = notices;
        Ok(())
    }

    fn on_timer(&mut self, purpose: TimerPurpose, due_ns: i64, fired_ns: i64) -> Result<()> {
        self.state.now_ns = fired_ns;
        match purpose {
            TimerPurpose::Strategy(strategy, number) => {
                if self.strategies.get(strategy.at()).is_some_and(|slot| slot.callbacks.timer) {
                    if self.state.warming {
                        self.state.strategies[strategy.at()].put_off.push((number, due_ns));
                    } else {
                        self.notices.push(Notice::Timer(strategy, number, due_ns));
                    }
                }
                Ok(())
            }
            TimerPurpose::Bar(builder) => self.close_bar(builder as usize, due_ns),
        }
    }

    fn on_command(&mut self, time_ns: i64, command: &Command) -> Result<()> {
        self.state.now_ns = time_ns;
        match command {
            Command::TradingOn => self.set_trading(true),
            Command::TradingOff => self.set_trading(false),
            Command::CancelAll(filter) => self.cancel_all(filter, false)?,
            Command::CloseAll(filter) => self.cancel_all(filter, true)?,
            Command::Start { warms_up } => self.start(*warms_up)?,
            Command::Stop => self.stop()?,
            Command::WarmedUp => self.warmed_up()?,
            // What left because of it is recorded with its own number.
            Command::Open(..) if self.follows => {}
            Command::Open(strategy, order) => {
                self.state.calling = *strategy;
                self.state.place(*order)?;
            }
            Command::Cancel(id) => self.cancel_one(*id)?,
            Command::Adopt(strategy, held) => self.adopt(*strategy, held),
        }
        Ok(())
    }

    fn set_trading(&mut self, trading: bool) {
        self.state.stays_off = self.state.warming && !trading;
        if self.state.trading != trading && !(trading && (self.state.stopped || self.state.warming)) {
            self.state.trading = trading;
            self.notices.push(Notice::Status(if trading { StatusChange::TradingOn } else { StatusChange::TradingOff }));
        }
    }

    fn start(&mut self, warms_up: bool) -> Result<()> {
        let takes_over = self.awaits_start();
        self.state.started_ns = self.state.now_ns;
        self.state.starting = true;
        // Who takes over from others trades when a person says so (D5).
        self.state.trading = !warms_up && !takes_over;
        self.state.warming = warms_up;
        self.state.stays_off = warms_up && takes_over;
        if self.journal.is_some() {
            self.state.starting_accounts.clone_from(&self.state.accounts);
            self.state.starting_positions = self.state.strategies.iter().map(|strategy| strategy.positions.clone()).collect();
        }
        self.give_inherited()?;
        for (place, slot) in self.strategies.iter_mut().enumerate() {
            self.state.calling = StrategyIndex(place as u16);
            slot.strategy.on_start(&mut self.state)?;
        }
        self.state.starting = false;
        self.build_routes();
        if takes_over {
            self.awaits_start = false;
            self.risk.go_on(&mut self.state);
        }
        Ok(())
    }

    /// Open orders are cancelled first, so that a strategy that closes its positions as it stops
    /// is not stopped from it; nothing but reductions passes from here on, and of what comes
    /// afterwards strategies hear only about their orders. A second stop only cancels.
    fn stop(&mut self) -> Result<()> {
        self.state.trading = false;
        self.cancel_all(&Filter::default(), false)?;
        if std::mem::replace(&mut self.state.stopped, true) {
            return Ok(());
        }
        self.routes.iter_mut().for_each(Routes::silence);
        for (place, slot) in self.strategies.iter_mut().enumerate() {
            self.state.calling = StrategyIndex(place as u16);
            slot.strategy.on_stop(&mut self.state)?;
        }
        Ok(())
    }

    fn cancel_all(&mut self, filter: &Filter, closes: bool) -> Result<()> {
        for place in 0..self.strategies.len() {
            let strategy = StrategyIndex(place as u16);
            if filter.strategy.is_some_and(|wanted| wanted != strategy) {
                continue;
            }
            self.state.calling = strategy;
            match filter.instrument {
                Some(instrument) if closes => self.state.close(instrument)?,
                None if closes => {
                    let wanted = self.state.to_close(strategy);
                    self.state.cancel_all(None);
                    for instrument in wanted {
                        self.state.close(instrument)?;
                    }
                }
                instrument => self.state.cancel_all(instrument),
            }
        }
        Ok(())
    }

    /// Cancels an order of whichever strategy, and drops the target that it works for: else another order would follow.
    fn cancel_one(&mut self, id: OrderId) -> Result<()> {
        let Some(order) = self.state.orders.get(id).filter(|order| !order.status.is_closed()) else { return Ok(()) };
        let (strategy, instrument) = (order.strategy, order.request.instrument);
        if order.by_target {
            self.drop_target(strategy, instrument);
        }
        self.state.calling = strategy;
        self.state.cancel(id)
    }
}

/// The error that ends a run whose strategies decide without end.
pub fn endless(now_ns: i64) -> Error {
    Error::new(
        Code::EndlessDecisions,
        format!("more than {MOST_ROUNDS} rounds or {MOST_DECISIONS} decisions followed from one event, at the time {now_ns} ns"),
    )
    .hint("each callback asks for another order, or for a timer that is due at once; let it stop at a condition, or wait longer")
}
