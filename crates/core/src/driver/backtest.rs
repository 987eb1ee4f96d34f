//! A backtest: recorded rows, simulated venues and the engine on the two-sided timeline.

use super::link::{Link, Round, Step};
use super::{Keep, Recorder};
use crate::engine::{Engine, MOST_DECISIONS, MOST_ROUNDS, Parts, endless};
use crate::error::{Code, Error, Result};
use crate::event::{Command, Event, TimerFired};
use crate::feed::{Merge, Recording};
use crate::instrument::{AssetIndex, Index, VenueIndex};
use crate::market::MarketEvent;
use crate::number::{RATE_DECIMALS, power_of_ten};
use crate::order::{Request, TimerPurpose};
use crate::risk::Risk;
use crate::statistics::Annualisation;
use crate::strategy::Strategy;
use crate::time::{DurationNs, TimeNs};
use crate::venue::{SimulatedVenue, VenueSettings};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// What a backtest is made of, besides its strategies and data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The names.
    pub index: Arc<Index>,
    /// How each venue is simulated, for every venue of the index.
    pub venues: Vec<VenueSettings>,
    /// What each venue's account starts with.
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
    /// Commands that reach the engine at given times, such as a halt.
    pub commands: Vec<(TimeNs, Command)>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Running,
    /// It has come to its end.
    Done,
}

/// A run over recorded data.
pub struct Backtest {
    engine: Engine,
    arrival: Merge,
    venue: Option<Merge>,
    links: Vec<Link>,
    /// The link of each instrument.
    link_of: Vec<usize>,
    timers: BinaryHeap<Reverse<(TimeNs, TimerPurpose, Round)>>,
    /// Commands that are still to come, the last one first.
    commands: Vec<(TimeNs, Command)>,
    /// When anything but a row happens next.
    pending_ns: TimeNs,
    recorder: Recorder,
    balances: Vec<(usize, AssetIndex, i128)>,
    now_ns: TimeNs,
    rows: u64,
    /// How many rows either side has met.
    met: u64,
    /// Requests that followed from answers since the last row.
    followed: usize,
    started: bool,
    done: bool,
    failed: Option<Error>,
}

impl Backtest {
    /// A run before its first event.
    pub fn new(
        settings: Settings,
        strategies: Vec<(String, Box<dyn Strategy>)>,
        risk: Risk,
        mut recordings: Vec<Recording>,
    ) -> Result<Self> {
        let index = settings.index;
        recordings.sort_by_cached_key(|recording| {
            (recording.streams.first().map(|stream| index.instrument(stream.instrument).name.clone()), recording.name.clone())
        });
        let mut available: Vec<_> = recordings.iter().flat_map(|recording| recording.streams.iter().copied()).collect();
        available.sort_unstable();
        available.dedup();
        let mut links = Vec::new();
        for venue in &settings.venues {
            venue.request_latency.validate()?;
            venue.answer_latency.validate()?;
            if let Some(leverage) = venue.leverage.filter(|&leverage| leverage < 1) {
                return Err(Error::new(Code::BadSetting, format!("the leverage {leverage} of {} is below 1", venue.venue)));
            }
            let place = index.find_venue(&venue.venue)?;
            check_leverage(&index, place, venue)?;
            links.push((place, Link::new(SimulatedVenue::new(Arc::clone(&index), place, venue.clone(), &available), settings.seed)));
        }
        links.sort_by(|left, right| index.venue(left.0).name.cmp(&index.venue(right.0).name));
        let place_of = |venue: VenueIndex| links.iter().position(|(place, _)| *place == venue);
        let mut link_of = Vec::new();
        for (_, definition) in index.instruments() {
            let place = place_of(definition.venue).ok_or_else(|| {
                let name = &index.venue(definition.venue).name;
                Error::new(Code::MissingSetting, format!("the venue {name} of {} has no settings", definition.name))
                    .hint("state its latency and fill model")
            })?;
            link_of.push(place);
        }
        let mut balances = Vec::new();
        for (venue, asset, amount) in settings.balances {
            let place = place_of(venue)
                .ok_or_else(|| Error::new(Code::MissingSetting, format!("the venue {} has no settings", index.venue(venue).name)))?;
            balances.push((place, asset, amount));
        }
        let mut commands = settings.commands;
        commands.sort_by_key(|(time_ns, _)| Reverse(*time_ns));
        let recorder =
            Recorder::new(&index, strategies.len(), settings.currency, settings.interval_ns, settings.annualisation, settings.keep)?;
        let engine = Engine::new(Parts {
            index,
            strategies,
            risk,
            available,
            seed: settings.seed,
            keeps_journal: settings.keeps_journal,
            keeps_details: settings.keep == Keep::Everything,
        })?;
        let (arrival, venue) = Merge::both(recordings)?;
        Ok(Self {
            engine,
            arrival,
            venue,
            links: links.into_iter().map(|(_, link)| link).collect(),
            link_of,
            timers: BinaryHeap::new(),
            commands,
            pending_ns: TimeNs::MAX,
            recorder,
            balances,
            now_ns: 0,
            rows: 0,
            met: 0,
            followed: 0,
            started: false,
            done: false,
            failed: None,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to take its journal.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// What was observed.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The simulated venues, in the order of their names.
    pub fn venues(&self) -> impl Iterator<Item = &SimulatedVenue> {
        self.links.iter().map(|link| &link.venue)
    }

    /// How many rows the engine has met.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The time of the run, by arrival.
    pub fn now_ns(&self) -> TimeNs {
        self.now_ns
    }

    /// Runs to the end.
    pub fn run(&mut self) -> Result<()> {
        while self.advance(u64::MAX)? == Progress::Running {}
        Ok(())
    }

    /// Runs until the engine has met some more rows, or to the end. A run that failed stays failed.
    pub fn advance(&mut self, rows: u64) -> Result<Progress> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let progress = self.go_on(rows);
        self.failed = progress.as_ref().err().cloned();
        progress
    }

    fn go_on(&mut self, rows: u64) -> Result<Progress> {
        if self.done {
            return Ok(Progress::Done);
        }
        if !self.started {
            self.start()?;
        }
        let until = self.rows.saturating_add(rows);
        if self.venue.is_some() {
            self.walk::<false>(until)?;
        } else {
            self.walk::<true>(until)?;
        }
        if self.rows < until {
            self.finish()?;
            self.done = true;
            return Ok(Progress::Done);
        }
        Ok(Progress::Running)
    }

    /// Deposits come first, then the strategies start, at the time of the first row.
    fn start(&mut self) -> Result<()> {
        self.started = true;
        let first = self.venue.as_ref().map_or(TimeNs::MAX, Merge::next_ns).min(self.arrival.next_ns());
        if first == TimeNs::MAX {
            return Err(
                Error::new(Code::EmptyData, "the data hold no rows").hint("check the files and the filters that they were read with")
            );
        }
        self.now_ns = first;
        for (place, asset, amount) in std::mem::take(&mut self.balances) {
            let link = &mut self.links[place];
            link.venue.deposit(asset, amount, first);
            let account = link.venue.account_index();
            for (venue_time_ns, event) in std::mem::take(&mut link.venue.output) {
                self.engine.process(&Event::Account(crate::event::AccountReport {
                    account,
                    venue_time_ns,
                    arrival_time_ns: venue_time_ns,
                    event,
                }))?;
            }
        }
        self.recorder.sample(self.engine.state(), first);
        self.command(Command::Start)
    }

    fn command(&mut self, command: Command) -> Result<()> {
        self.engine.process(&Event::Command { time_ns: self.now_ns, command })?;
        self.dispatch(Round::default())
    }

    /// Meets rows and everything between them. With one clock the venue meets a row just
    /// before the engine does; with two, each side has its own merge.
    fn walk<const ONE_CLOCK: bool>(&mut self, until: u64) -> Result<()> {
        while self.rows < until {
            let row_ns = self.arrival.next_ns();
            if !ONE_CLOCK {
                let venue_ns = self.venue.as_ref().map_or(TimeNs::MAX, Merge::next_ns);
                if venue_ns <= row_ns.min(self.pending_ns) && venue_ns != TimeNs::MAX {
                    self.venue_row()?;
                    continue;
                }
            }
            if row_ns <= self.pending_ns && row_ns != TimeNs::MAX {
                self.row::<ONE_CLOCK>(row_ns)?;
            } else if row_ns == TimeNs::MAX {
                return Ok(());
            } else {
                self.step()?;
            }
        }
        Ok(())
    }

    #[inline]
    fn venue_row(&mut self) -> Result<()> {
        let Some(merge) = &mut self.venue else { return Ok(()) };
        let Some(&event) = merge.event() else { return Ok(()) };
        merge.advance()?;
        self.met += 1;
        self.followed = 0;
        self.show_venue(&event);
        Ok(())
    }

    /// Shows a row to its venue, and takes what the venue says of it.
    #[inline]
    fn show_venue(&mut self, event: &MarketEvent) {
        let link = &mut self.links[self.link_of[event.instrument.at()]];
        link.venue.on_market(event);
        if !link.venue.output.is_empty() || link.venue.next_ns() != TimeNs::MAX {
            link.collect(Round::default());
            self.find_pending();
        }
    }

    #[inline]
    fn row<const ONE_CLOCK: bool>(&mut self, row_ns: TimeNs) -> Result<()> {
        if row_ns >= self.recorder.next_sample_ns() {
            self.recorder.sample(self.engine.state(), row_ns);
        }
        self.now_ns = row_ns;
        self.rows += 1;
        self.met += 1;
        self.followed = 0;
        let Some(&event) = self.arrival.event() else { return Ok(()) };
        if ONE_CLOCK {
            self.show_venue(&event);
        }
        self.engine.process(&Event::Market(event))?;
        self.arrival.advance()?;
        if !self.engine.output.requests.is_empty() || !self.engine.output.closed.is_empty() {
            self.dispatch(Round::default())?;
        }
        Ok(())
    }

    /// Sends the engine's requests on their way and lets the recorder see the rest.
    fn dispatch(&mut self, round: Round) -> Result<()> {
        let now_ns = self.engine.state().now_ns();
        let (state, output) = self.engine.state_and_output();
        self.recorder.observe(state, output);
        if self.engine.output.requests.is_empty() {
            return Ok(());
        }
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
            match request {
                Request::Timer { purpose, due_ns } => {
                    self.timers.push(Reverse((due_ns, purpose, if due_ns <= now_ns { next } else { Round::default() })));
                }
                Request::Place { .. } | Request::Cancel { .. } => {
                    if depth >= MOST_ROUNDS {
                        return Err(endless(now_ns));
                    }
                    let place = request.instrument().map_or(0, |instrument| self.link_of[instrument.at()]);
                    self.links[place].send(request, now_ns, next);
                }
            }
        }
        self.engine.output.requests = requests;
        self.find_pending();
        Ok(())
    }

    fn find_pending(&mut self) {
        let links = self.links.iter().map(|link| link.next().0).min().unwrap_or(TimeNs::MAX);
        let timer = self.timers.peek().map_or(TimeNs::MAX, |Reverse(timer)| timer.0);
        let command = self.commands.last().map_or(TimeNs::MAX, |command| command.0);
        self.pending_ns = links.min(timer).min(command);
    }

    /// Does the one thing that is pending first: at one time paths before requests, requests
    /// before answers, answers before timers, venues by name.
    fn step(&mut self) -> Result<()> {
        let next = self.links.iter().enumerate().map(|(place, link)| (link.next(), place)).min();
        let Some(((time_ns, step), place)) = next.filter(|((time_ns, _), _)| *time_ns == self.pending_ns) else { return self.fire() };
        match step {
            Step::Path => {
                self.links[place].venue.advance();
                self.links[place].collect(Round::default());
            }
            Step::Request => self.links[place].deliver_request(),
            Step::Answer => {
                if time_ns >= self.recorder.next_sample_ns() {
                    self.recorder.sample(self.engine.state(), time_ns);
                }
                if let Some((report, round)) = self.links[place].take_answer() {
                    self.now_ns = time_ns;
                    self.engine.process(&Event::Account(report))?;
                    self.dispatch(round)?;
                }
            }
        }
        self.find_pending();
        Ok(())
    }

    /// Commands come before timers of the same time.
    fn fire(&mut self) -> Result<()> {
        if let Some((time_ns, command)) = self.commands.pop_if(|(time_ns, _)| *time_ns == self.pending_ns) {
            self.now_ns = self.now_ns.max(time_ns);
            self.command(command)?;
        } else if let Some(Reverse((due_ns, purpose, round))) = self.timers.pop() {
            if due_ns >= self.recorder.next_sample_ns() {
                self.recorder.sample(self.engine.state(), due_ns);
            }
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

    /// After the last row only reductions pass: what is on its way arrives, timers that lie
    /// beyond are dropped, the strategies stop, and what still works at the venues is cancelled (O6).
    fn finish(&mut self) -> Result<()> {
        let end_ns = self.now_ns;
        self.commands.clear();
        self.command(Command::TradingOff)?;
        self.drain(end_ns)?;
        self.command(Command::Stop)?;
        self.drain(end_ns)?;
        for link in &mut self.links {
            link.venue.end_all(Code::EndOfRun, self.now_ns);
            link.collect(Round::default());
        }
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
