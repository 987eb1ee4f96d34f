//! A session: rows and reports as they come, simulated venues and timers by the clock that the
//! caller reads. Paper trading has only simulated venues, live trading sends requests out.

use super::replay::{Comparison, check};
use super::timeline::{Settings, Snapshot, Timeline};
use super::{Cause, Divergence, Record, Recorder};
use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::event::{Command, Entry, Event, entries};
use crate::instrument::InstrumentIndex;
use crate::market::MarketEvent;
use crate::order::{Request, StrategyIndex};
use crate::risk::Risk;
use crate::state::{Stream, StreamKind};
use crate::strategy::Strategy;
use crate::time::TimeNs;
use crate::venue::SimulatedVenue;
use std::collections::BTreeSet;

/// A run that is fed while it happens.
pub struct Session {
    timeline: Timeline,
    comparison: Comparison,
    rows: u64,
    /// The streams that arrive, where that is not what follows from those that strategies name.
    streams: Option<Vec<Stream>>,
    /// Whether something happens right now; still so after a panic.
    is_busy: bool,
    failed: Option<Error>,
}

impl Session {
    /// A session before its first event. Any stream of the index's instruments may be named.
    pub fn new(settings: Settings, strategies: Vec<(String, Box<dyn Strategy>)>, risk: Risk, available: Vec<Stream>) -> Result<Self> {
        let timeline = Timeline::new(settings, strategies, risk, available)?;
        Ok(Self { timeline, comparison: Comparison::default(), rows: 0, streams: None, is_busy: false, failed: None })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.timeline.engine
    }

    /// The engine, to take its journal.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.timeline.engine
    }

    /// What was observed.
    pub fn recorder(&self) -> &Recorder {
        &self.timeline.recorder
    }

    /// The simulated venues, in the order of their names.
    pub fn venues(&self) -> impl Iterator<Item = &SimulatedVenue> {
        self.timeline.links.iter().map(|link| &link.venue)
    }

    /// How many rows the engine has met.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The time of the session, by arrival.
    pub fn now_ns(&self) -> TimeNs {
        self.timeline.now_ns
    }

    /// When something happens by itself next: the caller advances then.
    pub fn next_ns(&self) -> TimeNs {
        self.timeline.pending_ns
    }

    /// Requests for real venues since the last call.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.timeline.outgoing)
    }

    /// Why the last parameter that was set was not taken.
    pub fn take_refused_parameter(&mut self) -> Option<Error> {
        self.timeline.engine.output.refused_parameter.take()
    }

    /// Whether something failed, so that nothing more is taken.
    pub fn is_failed(&self) -> bool {
        self.is_busy || self.failed.is_some()
    }

    /// The streams that strategies named, each once.
    pub fn named_streams(&self) -> Vec<Stream> {
        let mut streams: Vec<Stream> =
            self.engine().state().strategies().iter().flat_map(|strategy| strategy.subscriptions.clone()).collect();
        streams.sort_unstable();
        streams.dedup();
        streams
    }

    /// The streams that a started session receives; simulated venues fill from them (F1).
    ///
    /// Bars are built from trades. Where no book was named, quotes come too if the venue has them: simulated orders fill
    /// from them, in paper trading and in the backtest that a live session is compared with. An instrument that no
    /// strategy named has them too, or trades: what the account holds of it, as for fees, has a worth. Marks and funding
    /// of a perpetual come whoever named them: margin and payments of a position depend on them (N4, F5).
    pub fn received_streams(&self) -> Vec<Stream> {
        if let Some(streams) = &self.streams {
            return streams.clone();
        }
        let available: BTreeSet<Stream> = self.engine().state().available().iter().copied().collect();
        let mut received: BTreeSet<Stream> = self.named_streams().into_iter().map(built_from).collect();
        let named: BTreeSet<InstrumentIndex> = received.iter().map(|stream| stream.instrument).collect();
        let instruments: BTreeSet<InstrumentIndex> = available.iter().map(|stream| stream.instrument).collect();
        for instrument in instruments {
            let [book, quotes, trades] = [StreamKind::Book, StreamKind::Quotes, StreamKind::Trades].map(|kind| Stream { instrument, kind });
            if available.contains(&quotes) && !received.contains(&book) {
                received.insert(quotes);
            } else if !named.contains(&instrument) {
                received.insert(trades);
            }
        }
        let index = self.engine().state().index();
        let is_owed = |stream: &&Stream| {
            matches!(stream.kind, StreamKind::Marks | StreamKind::Funding) && index.instrument(stream.instrument).is_margined()
        };
        received.extend(available.iter().filter(is_owed));
        received.into_iter().collect()
    }

    /// States which streams arrive from the start on, in the place of those that follow from what strategies name.
    pub fn set_streams(&mut self, streams: &[Stream]) {
        self.streams = Some(streams.to_vec());
    }

    /// The strategies have started, and what they named is known.
    fn receive(&mut self) {
        let streams = self.received_streams();
        self.timeline.links.iter_mut().for_each(|link| link.venue.set_available(&streams));
    }

    /// Starts the strategies. Where they take over from others, what those had sent goes on until then.
    pub fn start(&mut self, now_ns: TimeNs, warms_up: bool) -> Result<()> {
        if self.awaits_start() {
            self.advance(now_ns)?;
            self.act(|timeline| {
                timeline.settle_venues(now_ns)?;
                timeline.meet();
                Ok(())
            })?;
        }
        self.act(|timeline| timeline.start(now_ns, warms_up))?;
        self.receive();
        Ok(())
    }

    /// Lets everything happen that is due before a time, so that what comes at that time comes after it.
    pub fn advance(&mut self, before_ns: TimeNs) -> Result<()> {
        self.act(|timeline| {
            while timeline.pending_ns < before_ns {
                timeline.step()?;
            }
            // What comes later cannot have happened before.
            timeline.now_ns = timeline.now_ns.max(before_ns);
            Ok(())
        })
    }

    /// A row of market data, at its time of arrival.
    pub fn row(&mut self, event: &MarketEvent) -> Result<()> {
        self.advance(event.arrival_time_ns)?;
        self.rows += 1;
        self.act(|timeline| {
            timeline.meet();
            timeline.keep_for_venue(event);
            timeline.row(event)
        })
    }

    /// Rows in the order of their arrival. One that was stamped before what has happened here happens now.
    pub fn rows_of(&mut self, rows: Vec<MarketEvent>) -> Result<()> {
        for mut row in rows {
            row.arrival_time_ns = self.arrival_of(&row);
            self.row(&row)?;
        }
        Ok(())
    }

    /// A row of the warm-up.
    pub fn warm_up(&mut self, event: &MarketEvent) -> Result<()> {
        self.advance(event.arrival_time_ns)?;
        self.act(|timeline| timeline.warm_up_from_outside(event))
    }

    /// Rows of the warm-up, none of which has arrived before what has happened here.
    pub fn warm_up_of(&mut self, rows: Vec<MarketEvent>) -> Result<()> {
        for mut row in rows {
            row.arrival_time_ns = self.arrival_of(&row);
            self.warm_up(&row)?;
        }
        Ok(())
    }

    /// When a row comes here: a backtest takes rows before everything else of their time (T3).
    fn arrival_of(&self, row: &MarketEvent) -> TimeNs {
        row.arrival_time_ns.max(self.timeline.now_ns).max(self.timeline.stepped_ns.saturating_add(1))
    }

    /// Anything else that reaches us: a report of a real venue, a command, a value, a condition.
    pub fn input(&mut self, event: &Event) -> Result<()> {
        let time_ns = event.arrival_time_ns().max(self.timeline.now_ns);
        let mut event = event.clone();
        event.come_not_before(time_ns);
        self.advance(time_ns)?;
        self.act(|timeline| {
            timeline.settle_venues(time_ns)?;
            timeline.meet();
            timeline.input(&event)
        })
    }

    /// What is needed to go on from here, as bytes.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        let snapshot = self.timeline.save()?;
        self.bytes_of(snapshot)
    }

    /// What strategies declare as their own, in the order of their names; also of a session that has failed.
    pub fn declared(&mut self) -> Result<Vec<Vec<u8>>> {
        self.timeline.engine.declared()
    }

    /// Before the first entry: what is rebuilt are the recorded decisions, whatever strategies would decide.
    pub fn follow_recorded(&mut self) {
        self.timeline.engine.follow_recorded();
    }

    /// Takes a block of recorded entries with the recorded decisions in the place of the strategies' (D5).
    pub fn rebuild(&mut self, block: &[u8]) -> Result<()> {
        self.timeline.decided.get_or_insert_default();
        for entry in entries(block) {
            match self.checked(entry)? {
                Entry::Input(event) => self.replay(&event)?,
                Entry::Decision(request) => self.act(|timeline| timeline.take_decision(&request))?,
            }
            self.timeline.decided.get_or_insert_default().clear();
        }
        Ok(())
    }

    /// What other strategies need to go on from here: a session that restores it is to be started. What is declared
    /// is given to them, by the order of their names.
    pub fn hand_over(&mut self, declared: Vec<Vec<u8>>) -> Result<Vec<u8>> {
        let snapshot = self.timeline.hand_over(declared)?;
        self.bytes_of(snapshot)
    }

    /// The timers that strategies wait for, by their numbers.
    pub fn strategy_timers(&self) -> Vec<(StrategyIndex, u64)> {
        self.timeline.strategy_timers()
    }

    /// Whether what was restored waits for strategies to start.
    pub fn awaits_start(&self) -> bool {
        self.engine().awaits_start()
    }

    fn bytes_of(&self, snapshot: Snapshot) -> Result<Vec<u8>> {
        let snapshot = (self.rows, snapshot);
        postcard::to_stdvec(&snapshot).map_err(|error| Error::new(Code::Internal, format!("the state cannot be saved: {error}")))
    }

    /// Goes on from what was saved, in the place of a start.
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (rows, snapshot) = postcard::from_bytes(saved)
            .map_err(|error| Error::new(Code::BadJournal, format!("the saved state cannot be read: {error}")))?;
        self.act(|timeline| timeline.restore(snapshot))?;
        self.rows = rows;
        Ok(())
    }

    /// Takes a block of entries that were recorded after what was restored, or from the start; stops at the first
    /// decision that differs from the recorded one.
    pub fn recover(&mut self, block: &[u8]) -> Result<Option<Divergence>> {
        self.timeline.decided.get_or_insert_default();
        for entry in entries(block) {
            let divergence = match self.checked(entry)? {
                Entry::Input(event) => self.recover_input(&event)?,
                Entry::Decision(expected) => self.comparison.recorded(&expected),
            };
            if divergence.is_some() {
                return Ok(divergence);
            }
        }
        Ok(None)
    }

    fn recover_input(&mut self, event: &Event) -> Result<Option<Divergence>> {
        let divergence = self.comparison.unrecorded();
        if divergence.is_none() {
            self.replay(event)?;
            let decided = self.timeline.decided.get_or_insert_default().drain(..);
            self.comparison.decided(self.timeline.engine.sequence(), event.arrival_time_ns(), decided);
        }
        Ok(divergence)
    }

    /// An input that was recorded; what simulated venues fill from after a start is what they filled from then.
    fn replay(&mut self, event: &Event) -> Result<()> {
        self.rows += u64::from(matches!(event, Event::Market(_)));
        self.act(|timeline| timeline.replay(event))?;
        if let Event::Command { command: Command::Start { .. }, .. } = event {
            self.receive();
        }
        Ok(())
    }

    /// An entry of a block, unless it names what the definitions do not hold.
    fn checked(&self, entry: Result<Entry>) -> Result<Entry> {
        let entry = entry?;
        check(self.engine().state(), self.engine().sequence(), &entry)?;
        Ok(entry)
    }

    /// The journal has ended: from here on the session is fed what happens, and requests leave.
    pub fn recovered(&mut self) -> Option<Divergence> {
        self.timeline.decided = None;
        self.timeline.engine.forget_journal();
        self.comparison.unrecorded()
    }

    /// How many decisions were compared and found equal.
    pub fn decisions(&self) -> u64 {
        self.comparison.decisions()
    }

    /// Lives through a block of a recorded session again, with simulated venues in the place of everything that
    /// answered then: rows, commands, values and conditions come as they did; reports and timers are made
    /// anew. A paper session gives the same fills, without a difference (F6).
    pub fn live_again(&mut self, block: &[u8]) -> Result<()> {
        for entry in entries(block) {
            let Entry::Input(event) = self.checked(entry)? else { continue };
            match &event {
                Event::Market(row) => self.row(row)?,
                Event::WarmUp(row) => self.warm_up(row)?,
                Event::Command { time_ns, command: Command::Start { warms_up } } => {
                    self.timeline.expect(&event);
                    self.start(*time_ns, *warms_up)?;
                }
                Event::Account(report) if report.event.is_transfer() => {
                    self.advance(report.arrival_time_ns)?;
                    self.act(|timeline| timeline.transfer_again(report))?;
                }
                Event::Account(_) | Event::Timer(_) => {}
                Event::Command { time_ns, command: Command::Stop } => self.act(|timeline| timeline.end_again(*time_ns))?,
                event => {
                    self.timeline.expect(event);
                    self.input(event)?;
                }
            }
        }
        Ok(())
    }

    /// Before the start: simulated venues take over what a session recorded, up to and including a cause of differences.
    pub fn follow(&mut self, record: &Record, removed: Cause) {
        self.timeline.follow(record, removed);
    }

    /// Before the start of a re-run without differences in the arrival of data: shows simulated venues all rows of a
    /// block; they meet each at its venue time, and not when it arrived.
    pub fn show_ahead(&mut self, block: &[u8]) -> Result<()> {
        for entry in entries(block) {
            if let Entry::Input(Event::Market(row)) = self.checked(entry)? {
                self.timeline.show_ahead(&row);
            }
        }
        Ok(())
    }

    /// Ends the session: what is on its way from simulated venues arrives, and the strategies stop.
    pub fn finish(&mut self) -> Result<()> {
        self.act(Timeline::finish)
    }

    /// A session that failed stays failed: its state may be half of a change.
    fn act(&mut self, act: impl FnOnce(&mut Timeline) -> Result<()>) -> Result<()> {
        if self.is_failed() {
            let why = self.failed.as_ref().map_or("a panic", |error| &error.message);
            return Err(Error::new(Code::RunInterrupted, format!("the session has failed before: {why}")));
        }
        self.is_busy = true;
        let outcome = act(&mut self.timeline);
        self.is_busy = false;
        self.failed = outcome.as_ref().err().cloned();
        outcome
    }
}

/// The stream that arrives for one that was named.
fn built_from(stream: Stream) -> Stream {
    let is_bars = matches!(stream.kind, StreamKind::Bars(_));
    Stream { kind: if is_bars { StreamKind::Trades } else { stream.kind }, ..stream }
}
