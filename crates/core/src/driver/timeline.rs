//! The engine, its simulated venues and what is on its way between them, in the order of time.
//!
//! A backtest feeds it recorded rows, a session rows as they come; everything else is the same code.

use super::link::{Link, Round, Step};
use super::script::Script;
use super::{Cause, Keep, Record, Recorder};
use crate::engine::{self, Engine, MOST_DECISIONS, MOST_ROUNDS, Output, Parts, endless};
use crate::error::{Code, Error, Result};
use crate::event::{AccountEvent, AccountReport, Command, Condition, Event, Part, StatusEvent, TimerFired};
use crate::instrument::{AssetIndex, Index, InstrumentIndex, VenueIndex};
use crate::market::{MarketEvent, MarketKind};
use crate::number::{RATE_DECIMALS, power_of_ten};
use crate::order::{Request, StrategyIndex, TimerPurpose};
use crate::risk::Risk;
use crate::state::Stream;
use crate::statistics::Annualisation;
use crate::strategy::Strategy;
use crate::time::{DurationNs, TimeNs};
use crate::venue::{SimulatedVenue, VenueSettings};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// What a run is made of, besides its strategies and data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The names.
    pub index: Arc<Index>,
    /// How venues are simulated: all of the index in a backtest; in a session those that are not real.
    pub venues: Vec<VenueSettings>,
    /// What each simulated venue's account starts with.
    pub balances: Vec<(VenueIndex, AssetIndex, i128)>,
    /// The currency of totals.
    pub currency: AssetIndex,
    /// The interval of the equity curve.
    pub interval_ns: DurationNs,
    /// How returns are annualised.
    pub annualisation: Annualisation,
    /// The seed of everything that is random.
    pub seed: u64,
    /// What is kept in memory.
    pub keep: Keep,
    /// Whether the stream of inputs and decisions is written.
    pub keeps_journal: bool,
    /// What reaches the engine from outside at given times: commands, values, conditions.
    pub inputs: Vec<Event>,
    /// The names of values from outside that will come; none where any may.
    pub available_data: Option<Vec<String>>,
    /// When connections are gone.
    pub outages: Vec<Outage>,
    /// How much of the data is warm-up (V4).
    pub warm_up_ns: DurationNs,
}

/// A time without a connection to a venue: nothing of its market data arrives, requests fail,
/// reports arrive when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Which venue.
    pub venue: VenueIndex,
    /// From when, by arrival.
    pub from_ns: TimeNs,
    /// Until when.
    pub until_ns: TimeNs,
}

/// A timer: when it is due, what it is for, and how deep a chain of decisions it continues.
type Timer = Reverse<(TimeNs, TimerPurpose, Round)>;

/// A row on its way to a venue that lags: when it gets there, its number, and the row.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Waiting(TimeNs, u64, MarketEvent);

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// A timeline between two events.
#[derive(Serialize, Deserialize)]
pub struct Snapshot {
    engine: engine::Snapshot,
    recorder: Recorder,
    /// Encoded by itself, because venues are not copied.
    links: Vec<u8>,
    timers: Vec<(TimeNs, TimerPurpose, Round)>,
    inputs: Vec<Event>,
    waiting: Vec<Waiting>,
    now_ns: TimeNs,
    met: u64,
}

/// No link: the instrument's venue is real, and requests go out.
const REAL: usize = usize::MAX;

/// The engine and everything that is on its way.
pub(super) struct Timeline {
    pub engine: Engine,
    pub recorder: Recorder,
    pub links: Vec<Link>,
    /// The link of each instrument.
    link_of: Vec<usize>,
    timers: BinaryHeap<Timer>,
    /// What is still to come from outside, the last one first.
    inputs: Vec<Event>,
    /// Rows that have arrived and that a venue which lags has not met.
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Whether venues are shown their rows by `show_ahead`, and not when these arrive.
    shows_ahead: bool,
    /// When anything but a row happens next.
    pub pending_ns: TimeNs,
    pub now_ns: TimeNs,
    /// The time of the last thing that happened and was no row.
    pub stepped_ns: TimeNs,
    /// How many rows either side has met.
    met: u64,
    /// Requests that followed from answers since the last row.
    followed: usize,
    balances: Vec<(usize, AssetIndex, i128)>,
    outages: Vec<Outage>,
    /// Requests for venues that are real.
    pub outgoing: Vec<Request>,
    /// While a journal is taken: every request, to be compared. None leaves.
    pub decided: Option<Vec<Request>>,
}

impl Timeline {
    /// A timeline before its first event.
    pub fn new(settings: Settings, strategies: Vec<(String, Box<dyn Strategy>)>, risk: Risk, available: Vec<Stream>) -> Result<Self> {
        let index = settings.index;
        // As the engine counts them.
        let mut names: Vec<String> = strategies.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        let mut links = Vec::new();
        for venue in &settings.venues {
            venue.validate()?;
            let place = index.find_venue(&venue.venue)?;
            check_leverage(&index, place, venue)?;
            let outages = settings.outages.iter().filter(|outage| outage.venue == place).copied().collect();
            let simulated = SimulatedVenue::new(Arc::clone(&index), place, venue.clone(), &available);
            links.push((place, Link::new(simulated, settings.seed, &names, outages)));
        }
        links.sort_by(|left, right| index.venue(left.0).name.cmp(&index.venue(right.0).name));
        let place_of = |venue: VenueIndex| links.iter().position(|(place, _)| *place == venue);
        let link_of: Vec<usize> = index.instruments().map(|(_, definition)| place_of(definition.venue).unwrap_or(REAL)).collect();
        let mut balances = Vec::new();
        for (venue, asset, amount) in settings.balances {
            let place = place_of(venue)
                .ok_or_else(|| Error::new(Code::MissingSetting, format!("the venue {} has no settings", index.venue(venue).name)))?;
            balances.push((place, asset, amount));
        }
        let mut inputs = settings.inputs;
        inputs.extend(settings.outages.iter().flat_map(conditions));
        inputs.extend(settings.venues.iter().flat_map(|venue| &venue.halts).flat_map(|halt| {
            let status = |time_ns, change| Event::Status(StatusEvent { time_ns, change });
            [status(halt.from_ns, Condition::Halted(halt.instrument)), status(halt.until_ns, Condition::Resumed(halt.instrument))]
        }));
        // Stable before it is reversed: at one time they keep the order in which they were given.
        inputs.sort_by_key(Event::arrival_time_ns);
        inputs.reverse();
        let recorder =
            Recorder::new(&index, strategies.len(), settings.currency, settings.interval_ns, settings.annualisation, settings.keep)?;
        let mut engine = Engine::new(Parts {
            index,
            strategies,
            risk,
            available,
            available_data: settings.available_data,
            seed: settings.seed,
            keeps_journal: settings.keeps_journal,
            keeps_details: settings.keep == Keep::Everything,
        })?;
        if link_of.contains(&REAL) {
            engine.expect_late_reports();
        }
        Ok(Self {
            engine,
            recorder,
            links: links.into_iter().map(|(_, link)| link).collect(),
            link_of,
            timers: BinaryHeap::new(),
            inputs,
            waiting: BinaryHeap::new(),
            shows_ahead: false,
            pending_ns: TimeNs::MAX,
            now_ns: 0,
            stepped_ns: TimeNs::MIN,
            met: 0,
            followed: 0,
            balances,
            outages: settings.outages,
            outgoing: Vec::new(),
            decided: None,
        })
    }

    /// The first instrument whose venue is not simulated.
    pub fn first_real(&self) -> Option<InstrumentIndex> {
        self.link_of.iter().position(|&link| link == REAL).map(|at| InstrumentIndex(at as u32))
    }

    /// Whether the venues meet rows when they have arrived or later (F6), and not at their own time; none if some do.
    pub fn lags(&self) -> Option<bool> {
        let mut lags = self.links.iter().map(Link::lags);
        let first = lags.next().unwrap_or(false);
        lags.all(|lag| lag == first).then_some(first)
    }

    /// Whether the venue of an instrument does.
    pub fn lags_behind(&self, instrument: InstrumentIndex) -> bool {
        self.links[self.link_of[instrument.at()]].lags()
    }

    /// Deposits come first, then the strategies start.
    pub fn start(&mut self, now_ns: TimeNs, warms_up: bool) -> Result<()> {
        self.now_ns = now_ns;
        for (place, asset, amount) in std::mem::take(&mut self.balances) {
            let link = &mut self.links[place];
            link.venue.deposit(asset, amount, now_ns);
            let account = link.venue.account_index();
            for (venue_time_ns, event) in std::mem::take(&mut link.venue.output) {
                self.engine.process(&Event::Account(AccountReport { account, venue_time_ns, arrival_time_ns: venue_time_ns, event }))?;
            }
        }
        self.command(Command::Start { warms_up })?;
        self.find_pending();
        Ok(())
    }

    /// Gives the engine a command now.
    pub fn command(&mut self, command: Command) -> Result<()> {
        self.input(&Event::Command { time_ns: self.now_ns, command })
    }

    /// Gives the engine something from outside at its time.
    pub fn input(&mut self, event: &Event) -> Result<()> {
        self.now_ns = self.now_ns.max(event.arrival_time_ns());
        self.stepped_ns = self.now_ns;
        self.sample_before(self.now_ns);
        match event {
            Event::Command { time_ns, command: Command::Start { warms_up } } => {
                // What was to come before the start comes right after it.
                self.inputs.iter_mut().for_each(|input| input.come_not_before(*time_ns));
                if !warms_up {
                    self.recorder.begin(self.engine.state(), *time_ns);
                }
            }
            Event::Command { time_ns, command: Command::WarmedUp } => self.recorder.begin(self.engine.state(), *time_ns),
            Event::Command { time_ns, command: Command::Adopt(strategy, held) } => self.recorder.adopt(*strategy, held, *time_ns),
            _ => {}
        }
        self.process(event)?;
        self.dispatch(Round::default())
    }

    /// The engine takes an input.
    fn process(&mut self, event: &Event) -> Result<()> {
        if let Event::Account(report) = event { self.take_report(report) } else { self.engine.process(event) }
    }

    /// The engine takes a report. Money that comes from outside or leaves is no profit.
    fn take_report(&mut self, report: &AccountReport) -> Result<()> {
        if !matches!(report.event, AccountEvent::Deposit { .. } | AccountEvent::Foreign { .. }) {
            return self.engine.process_report(report);
        }
        let before = self.recorder.valuation().equity(self.engine.state());
        self.engine.process_report(report)?;
        self.recorder.flow(before, self.engine.state());
        Ok(())
    }

    /// Takes the point of the equity curve that lies before an event, if there is one.
    #[inline]
    fn sample_before(&mut self, time_ns: TimeNs) {
        if time_ns > self.recorder.next_sample_ns() {
            self.recorder.sample(self.engine.state(), time_ns);
        }
    }

    /// Remembers something that reaches the engine later.
    pub fn schedule(&mut self, event: Event) {
        let place = self.inputs.partition_point(|held| held.arrival_time_ns() > event.arrival_time_ns());
        self.inputs.insert(place, event);
        self.find_pending();
    }

    /// A row has come to the venue's side or to ours: what follows is another event.
    #[inline]
    pub fn meet(&mut self) {
        self.met += 1;
        self.followed = 0;
    }

    /// Shows a row to its venue, and takes what the venue says of it.
    #[inline]
    pub fn show_venue(&mut self, event: &MarketEvent) {
        let place = self.link_of[event.instrument.at()];
        if !self.links[place].venue.pass(event) {
            self.meet_venue(place, event);
        }
    }

    #[inline(never)]
    fn meet_venue(&mut self, place: usize, event: &MarketEvent) {
        let link = &mut self.links[place];
        link.venue.on_market(event);
        if !link.venue.output.is_empty() || link.venue.next_ns() != TimeNs::MAX {
            link.collect(Round::default());
            self.find_pending();
        }
    }

    /// Keeps a row for a venue that lags behind us, so that it meets rows in the order of venue time
    /// although they arrive in another one (F6). A row that is later than the lag happens when it arrives.
    pub fn keep_for_venue(&mut self, event: &MarketEvent) {
        let place = self.link_of[event.instrument.at()];
        if place == REAL || self.shows_ahead {
            return;
        }
        let lag_ns = self.links[place].lag_ns;
        let due_ns = event.arrival_time_ns.max(event.venue_time_ns + lag_ns);
        let mut row = *event;
        row.venue_time_ns = due_ns - lag_ns;
        self.waiting.push(Reverse(Waiting(due_ns, self.met, row)));
        self.pending_ns = self.pending_ns.min(due_ns);
    }

    /// Simulated venues take over what a session recorded, up to a cause of differences.
    pub fn follow(&mut self, record: &Record, removed: Cause) {
        self.links.iter_mut().for_each(|link| link.follow(Script::new(record, removed)));
        self.shows_ahead = removed >= Cause::DataArrival;
    }

    /// A row that is known before it arrives meets its venue at its own time.
    pub fn show_ahead(&mut self, event: &MarketEvent) {
        if self.link_of[event.instrument.at()] != REAL {
            self.waiting.push(Reverse(Waiting(event.venue_time_ns, self.waiting.len() as u64, *event)));
        }
    }

    /// A row reaches the engine, unless the connection is gone.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: it is a few comparisons around one call")]
    pub fn row(&mut self, event: &MarketEvent) -> Result<()> {
        self.sample_before(event.arrival_time_ns);
        self.now_ns = event.arrival_time_ns;
        if !self.outages.is_empty() && self.misses(event) {
            return Ok(());
        }
        self.engine.process_row(event)?;
        if !self.engine.output.requests.is_empty() || !self.engine.output.closed.is_empty() {
            self.dispatch(Round::default())?;
        }
        Ok(())
    }

    /// A row of the warm-up reaches the engine.
    #[cold]
    pub fn warm_up(&mut self, event: &MarketEvent) -> Result<()> {
        self.now_ns = self.now_ns.max(event.arrival_time_ns);
        self.engine.process(&Event::WarmUp(*event))
    }

    /// A row of a session's warm-up reaches the engine; a venue's book is only whole with what built it.
    pub fn warm_up_from_outside(&mut self, event: &MarketEvent) -> Result<()> {
        if event.kind == MarketKind::Book {
            self.keep_for_venue(event);
        }
        self.warm_up(event)
    }

    #[cold]
    fn misses(&self, event: &MarketEvent) -> bool {
        let venue = self.engine.state().index().instrument(event.instrument).venue;
        self.engine.state().health().is_down(venue, Part::MarketData)
    }

    /// Sends the engine's requests on their way and lets the recorder see the rest.
    #[inline]
    pub fn dispatch(&mut self, round: Round) -> Result<()> {
        let (state, output) = self.engine.state_and_output();
        self.recorder.observe(state, output);
        if self.engine.output.requests.is_empty() { Ok(()) } else { self.send(round) }
    }

    #[inline(never)]
    fn send(&mut self, round: Round) -> Result<()> {
        let now_ns = self.engine.state().now_ns();
        let mut requests = std::mem::take(&mut self.engine.output.requests);
        // A row that either side has met meanwhile is another event, and a chain starts anew.
        let depth = if round.met == self.met { round.depth } else { 0 };
        let next = Round { met: self.met, depth: depth + 1 };
        if depth > 0 {
            self.followed += requests.len();
            if self.followed > MOST_DECISIONS {
                return Err(endless(now_ns));
            }
        }
        for request in requests.drain(..) {
            self.recorder.request(&request);
            if let Some(decided) = &mut self.decided {
                decided.push(request);
            }
            match request {
                Request::Timer { purpose, due_ns } => {
                    self.timers.push(Reverse((due_ns, purpose, if due_ns <= now_ns { next } else { Round::default() })));
                }
                Request::Place { .. } | Request::Cancel { .. } => {
                    if depth >= MOST_ROUNDS {
                        return Err(endless(now_ns));
                    }
                    let place = request.instrument().map_or(REAL, |instrument| self.link_of[instrument.at()]);
                    match self.links.get_mut(place) {
                        Some(link) => link.send(request, now_ns, next),
                        None if self.decided.is_none() => self.outgoing.push(request),
                        None => {}
                    }
                }
            }
        }
        self.engine.output.requests = requests;
        self.find_pending();
        Ok(())
    }

    fn find_pending(&mut self) {
        let timer = self.timers.peek().map_or(TimeNs::MAX, |Reverse(timer)| timer.0);
        let input = self.inputs.last().map_or(TimeNs::MAX, Event::arrival_time_ns);
        self.pending_ns = self.venues_next_ns().min(timer).min(input);
    }

    /// When something happens at a simulated venue, or an answer of one arrives, next.
    fn venues_next_ns(&self) -> TimeNs {
        let links = self.links.iter().map(|link| link.next().0).min().unwrap_or(TimeNs::MAX);
        links.min(self.waiting.peek().map_or(TimeNs::MAX, |Reverse(row)| row.0))
    }

    /// Lets everything happen at simulated venues up to a time, and their answers arrive: what comes from outside at
    /// that time comes after it (T3).
    pub fn settle_venues(&mut self, until_ns: TimeNs) -> Result<()> {
        while self.venues_next_ns() <= until_ns {
            self.step()?;
        }
        Ok(())
    }

    /// Does the one thing that is pending first: at one time rows for venues before paths, paths
    /// before requests, requests before answers, answers before what comes from outside, and
    /// timers last; venues by name.
    pub fn step(&mut self) -> Result<()> {
        self.stepped_ns = self.pending_ns;
        if self.waiting.peek().is_some_and(|Reverse(row)| row.0 == self.pending_ns) {
            self.step_waiting();
            self.find_pending();
            return Ok(());
        }
        let next = self.links.iter().enumerate().map(|(place, link)| (link.next(), place)).min();
        let Some(((time_ns, step), place)) = next.filter(|((time_ns, _), _)| *time_ns == self.pending_ns) else { return self.fire() };
        match step {
            Step::Path | Step::Request => self.step_venue(place, step),
            Step::Answer => {
                self.sample_before(time_ns);
                if let Some((report, round)) = self.links[place].take_answer() {
                    self.now_ns = time_ns;
                    self.take_report(&report)?;
                    self.dispatch(round)?;
                }
            }
        }
        self.find_pending();
        Ok(())
    }

    /// A venue that lags meets a row.
    fn step_waiting(&mut self) {
        if let Some(Reverse(Waiting(_, _, row))) = self.waiting.pop() {
            self.meet();
            self.show_venue(&row);
        }
    }

    /// A venue goes on by itself, or takes a request.
    fn step_venue(&mut self, place: usize, step: Step) {
        let link = &mut self.links[place];
        if step == Step::Path {
            link.venue.advance();
            link.collect(Round::default());
        } else {
            link.deliver_request();
        }
    }

    /// What comes from outside comes before timers of the same time.
    fn fire(&mut self) -> Result<()> {
        if let Some(input) = self.inputs.pop_if(|input| input.arrival_time_ns() == self.pending_ns) {
            self.input(&input)?;
        } else if let Some(Reverse((due_ns, purpose, round))) = self.timers.pop() {
            self.sample_before(due_ns);
            if round.depth >= MOST_ROUNDS {
                return Err(endless(due_ns));
            }
            self.now_ns = self.now_ns.max(due_ns);
            self.engine.process(&Event::Timer(TimerFired { purpose, due_ns, fired_ns: self.now_ns }))?;
            self.dispatch(round)?;
        }
        self.find_pending();
        Ok(())
    }

    /// Everything that is needed to go on from here.
    pub fn save(&mut self) -> Result<Snapshot> {
        let engine = self.engine.save()?;
        self.snapshot(engine)
    }

    /// The timers that strategies wait for, by their numbers.
    pub fn strategy_timers(&self) -> Vec<(StrategyIndex, u64)> {
        let asked_for = |Reverse((_, purpose, _)): &Timer| match purpose {
            TimerPurpose::Strategy(strategy, number) => Some((*strategy, *number)),
            TimerPurpose::Bar(_) => None,
        };
        let mut timers: Vec<_> = self.timers.iter().filter_map(asked_for).collect();
        timers.sort_unstable();
        timers
    }

    /// The same for other strategies, which take over what is declared as theirs and get no timer of those before them.
    pub fn hand_over(&mut self, declared: Vec<Vec<u8>>) -> Result<Snapshot> {
        self.timers.clear();
        let engine = self.engine.hand_over(declared);
        self.snapshot(engine)
    }

    fn snapshot(&self, engine: engine::Snapshot) -> Result<Snapshot> {
        Ok(Snapshot {
            engine,
            recorder: self.recorder.clone(),
            links: postcard::to_stdvec(&self.links).map_err(unsaved)?,
            timers: self.timers.iter().map(|Reverse(timer)| *timer).collect(),
            inputs: self.inputs.clone(),
            waiting: self.waiting.iter().map(|Reverse(row)| *row).collect(),
            now_ns: self.now_ns,
            met: self.met,
        })
    }

    /// Goes on from a snapshot.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<()> {
        self.engine.restore(snapshot.engine)?;
        self.engine.output = Output::default();
        self.recorder = snapshot.recorder;
        self.links = postcard::from_bytes(&snapshot.links).map_err(unsaved)?;
        let index = self.engine.state().shared_index();
        self.links.iter_mut().for_each(|link| link.venue.attach(std::sync::Arc::clone(&index)));
        self.timers = snapshot.timers.into_iter().map(Reverse).collect();
        self.inputs = snapshot.inputs;
        self.waiting = snapshot.waiting.into_iter().map(Reverse).collect();
        self.now_ns = snapshot.now_ns;
        self.met = snapshot.met;
        self.balances.clear();
        self.find_pending();
        Ok(())
    }

    /// Takes an input that was recorded (D5): simulated venues go on as they did then, but their
    /// answers are recorded inputs themselves, and so are timers that fired. Requests for real venues
    /// are left for the caller to compare; they have left already.
    pub fn replay(&mut self, event: &Event) -> Result<()> {
        let now_ns = event.arrival_time_ns();
        let from_timeline = match event {
            Event::Account(report) => self.links.iter().any(|link| link.venue.account_index() == report.account),
            Event::Timer(_) => true,
            _ => false,
        };
        self.catch_up(now_ns, from_timeline)?;
        self.find_pending();
        if !from_timeline {
            self.meet();
        }
        match event {
            Event::Market(row) => {
                self.keep_for_venue(row);
                return self.row(row);
            }
            Event::WarmUp(row) => return self.warm_up_from_outside(row),
            Event::Account(report) => {
                if !self.replay_answer(report) {
                    return Err(diverged(format!("the simulated venue did not answer {:?}", report.event)));
                }
            }
            Event::Timer(timer) => self.timers.retain(|Reverse((due_ns, held, _))| (*due_ns, *held) != (timer.due_ns, timer.purpose)),
            event => self.expect(event),
        }
        self.input(event)?;
        self.find_pending();
        Ok(())
    }

    /// Takes a decision that was recorded, of which nothing leaves (D5).
    pub fn take_decision(&mut self, request: &Request) -> Result<()> {
        self.engine.take_decision(request)?;
        self.dispatch(Round::default())
    }

    /// A recorded input is about to be taken: what these settings would bring in by themselves is this one.
    pub fn expect(&mut self, event: &Event) {
        if let Event::Command { command: Command::Start { .. }, .. } = event {
            self.balances.clear();
        } else if let Some(place) = self.inputs.iter().rposition(|input| input == event) {
            self.inputs.remove(place);
        }
    }

    /// Takes a recorded answer of a simulated venue; false if it did not say so.
    fn replay_answer(&mut self, report: &AccountReport) -> bool {
        let account = report.account;
        let Some(link) = self.links.iter_mut().find(|link| link.venue.account_index() == account) else { return true };
        if link.replay(report) {
            return true;
        }
        if !matches!(report.event, AccountEvent::Cancelled(_, Code::EndOfRun)) {
            return false;
        }
        // The end of the run is no input: its first trace is what venues then said.
        let end_ns = report.venue_time_ns + link.lag_ns;
        self.end_venues(end_ns);
        self.links.iter_mut().any(|link| link.venue.account_index() == account && link.replay(report))
    }

    /// What still works at simulated venues is cancelled.
    fn end_venues(&mut self, end_ns: TimeNs) {
        for link in &mut self.links {
            link.venue.end_all(Code::EndOfRun, end_ns - link.lag_ns);
            link.collect(Round::default());
        }
    }

    /// Money comes in or leaves again without an order, at the venue and here.
    pub fn transfer_again(&mut self, report: &AccountReport) -> Result<()> {
        if let Some(link) = self.links.iter_mut().find(|link| link.venue.account_index() == report.account) {
            link.transfer(report);
        }
        self.input(&Event::Account(*report))
    }

    /// Lets simulated venues go on up to a time, or including it.
    fn catch_up(&mut self, until_ns: TimeNs, inclusive: bool) -> Result<()> {
        loop {
            let link = self.links.iter().enumerate().map(|(place, link)| (link.next(), place)).min();
            let ((link_ns, step), place) = link.unwrap_or(((TimeNs::MAX, Step::Answer), 0));
            let waiting_ns = self.waiting.peek().map_or(TimeNs::MAX, |Reverse(row)| row.0);
            let next_ns = link_ns.min(waiting_ns);
            if next_ns > until_ns || next_ns == TimeNs::MAX || (next_ns == until_ns && !inclusive) {
                return Ok(());
            }
            if waiting_ns <= link_ns {
                self.step_waiting();
            } else if step != Step::Answer {
                self.step_venue(place, step);
            } else if link_ns == until_ns {
                return Ok(());
            } else {
                return Err(diverged(format!("a simulated venue answered at {link_ns} ns, and the journal holds no such answer")));
            }
        }
    }

    /// After the last row only reductions pass: what is on its way arrives, timers that lie
    /// beyond are dropped, the strategies stop, and what still works at simulated venues is cancelled (O6).
    pub fn finish(&mut self) -> Result<()> {
        self.inputs.clear();
        self.find_pending();
        self.settle_venues(self.now_ns)?;
        self.command(Command::TradingOff)?;
        self.end()
    }

    /// The end, once trading is off.
    pub fn end(&mut self) -> Result<()> {
        let end_ns = self.now_ns;
        self.drain(end_ns)?;
        self.stop(end_ns)
    }

    /// The end of a session that is run again, at its time: one at real venues did not wait for what was on its way.
    pub fn end_again(&mut self, time_ns: TimeNs) -> Result<()> {
        if !self.links.iter().any(Link::follows) {
            return self.end();
        }
        self.settle_venues(time_ns)?;
        self.now_ns = self.now_ns.max(time_ns);
        self.stop(time_ns)
    }

    fn stop(&mut self, end_ns: TimeNs) -> Result<()> {
        self.command(Command::Stop)?;
        self.drain(end_ns)?;
        self.end_venues(self.now_ns);
        self.find_pending();
        self.drain(end_ns)?;
        self.recorder.finish(self.engine.state(), self.now_ns);
        Ok(())
    }

    /// Lets everything arrive that is on its way, and timers fire that were due by the end.
    fn drain(&mut self, end_ns: TimeNs) -> Result<()> {
        loop {
            if self.timers.peek().is_some_and(|Reverse(timer)| timer.0 > end_ns) {
                self.timers.clear();
            }
            self.find_pending();
            if self.pending_ns == TimeNs::MAX {
                return Ok(());
            }
            self.step()?;
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn unsaved(error: postcard::Error) -> Error {
    Error::new(Code::BadJournal, format!("the simulated venues' state cannot be saved or read: {error}"))
}

fn diverged(what: String) -> Error {
    Error::new(Code::Divergence, what).hint("the journal belongs to other settings, or to another version")
}

/// What the engine hears of an outage.
fn conditions(outage: &Outage) -> [Event; 4] {
    let status = |time_ns, change| Event::Status(StatusEvent { time_ns, change });
    let Outage { venue, from_ns, until_ns } = *outage;
    [
        status(from_ns, Condition::Disconnected(venue, Part::MarketData)),
        status(from_ns, Condition::Disconnected(venue, Part::Orders)),
        status(until_ns, Condition::Connected(venue, Part::Orders)),
        status(until_ns, Condition::Connected(venue, Part::MarketData)),
    ]
}

/// Refuses a leverage that an instrument of the venue does not allow, rather than lower it silently (N5).
fn check_leverage(index: &Index, venue: VenueIndex, settings: &VenueSettings) -> Result<()> {
    let Some(leverage) = settings.leverage else { return Ok(()) };
    for (_, definition) in index.instruments().filter(|(_, definition)| definition.venue == venue) {
        let Some(margin) = definition.specification.margin else { continue };
        // The margin rate was rounded up from one over the leverage, so the largest leverage rounds back to it.
        let most = (power_of_ten(RATE_DECIMALS) - 1) / (margin.initial - 1).max(1);
        if leverage > most {
            let message = format!("{}: leverage {leverage}, but {} allows at most {most}", settings.venue, definition.name);
            return Err(Error::new(Code::BadSetting, message).hint(format!("state leverage={most} or less, or leave it out")));
        }
    }
    Ok(())
}
