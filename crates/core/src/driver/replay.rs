//! Replay: the engine fed a recorded stream, its decisions compared with the recorded ones (D3, D5).

use crate::engine::{Engine, Parts};
use crate::error::{Code, Error, Result};
use crate::event::{Command, Entry, Event};
use crate::order::{Request, TimerPurpose};
use std::collections::VecDeque;

/// The first place at which a replay took another decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The number of the input, counted from one, that the decision followed.
    pub sequence: u64,
    /// Its time of arrival.
    pub time_ns: i64,
    /// What was recorded; none where the replay decided more.
    pub expected: Option<Request>,
    /// What the replay decided; none where it decided less.
    pub actual: Option<Request>,
}

/// An engine that is fed a journal.
pub struct Replay {
    engine: Engine,
    /// What the engine decided and the journal has not confirmed yet.
    decided: VecDeque<Request>,
    decisions: u64,
    last: (u64, i64),
}

impl Replay {
    /// A replay before its first entry.
    pub fn new(parts: Parts) -> Result<Self> {
        Ok(Self { engine: Engine::new(parts)?, decided: VecDeque::new(), decisions: 0, last: (0, 0) })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many decisions were compared and found equal.
    pub fn decisions(&self) -> u64 {
        self.decisions
    }

    /// Feeds some entries; stops at the first decision that differs.
    pub fn feed(&mut self, entries: &[Entry]) -> Result<Option<Divergence>> {
        for entry in entries {
            self.check(entry)?;
            match entry {
                Entry::Input(event) => {
                    if let Some(divergence) = self.finish() {
                        return Ok(Some(divergence));
                    }
                    self.engine.process(event)?;
                    self.last = (self.engine.sequence(), event.arrival_time_ns());
                    self.decided.extend(self.engine.output.requests.drain(..));
                    self.engine.output.fills.clear();
                    self.engine.output.closed.clear();
                    self.engine.output.orders.clear();
                    self.engine.output.charges.clear();
                }
                Entry::Decision(expected) => {
                    let actual = self.decided.pop_front();
                    if actual.as_ref() != Some(expected) {
                        return Ok(Some(self.divergence(Some(*expected), actual)));
                    }
                    self.decisions += 1;
                }
            }
        }
        Ok(None)
    }

    /// Whether the replay decided something that the journal does not hold.
    pub fn finish(&mut self) -> Option<Divergence> {
        let actual = self.decided.pop_front()?;
        Some(self.divergence(None, Some(actual)))
    }

    /// Refuses an entry that names what the journal's definitions do not hold, so that look-ups cannot fail.
    fn check(&self, entry: &Entry) -> Result<()> {
        let state = self.engine.state();
        let (instrument, strategy) = match entry {
            Entry::Input(event) => {
                event.check(state.index())?;
                let filter = match event {
                    Event::Command { command: Command::CancelAll(filter) | Command::CloseAll(filter), .. } => Some(filter),
                    _ => None,
                };
                (None, filter.and_then(|filter| filter.strategy))
            }
            Entry::Decision(request) => match request {
                Request::Place { strategy, .. }
                | Request::Cancel { strategy, .. }
                | Request::Timer { purpose: TimerPurpose::Strategy(strategy, _), .. } => (request.instrument(), Some(*strategy)),
                Request::Timer { purpose: TimerPurpose::Bar(_), .. } => (None, None),
            },
        };
        let problem = if instrument.is_some_and(|instrument| instrument.at() >= state.index().instruments().len()) {
            "an unknown instrument"
        } else if strategy.is_some_and(|strategy| strategy.at() >= state.strategies().len()) {
            "an unknown strategy"
        } else {
            return Ok(());
        };
        Err(Error::new(Code::BadJournal, format!("an entry after input {} names {problem}: {entry:?}", self.engine.sequence()))
            .hint("the journal was altered, or the definitions are not those of its run"))
    }

    fn divergence(&self, expected: Option<Request>, actual: Option<Request>) -> Divergence {
        Divergence { sequence: self.last.0, time_ns: self.last.1, expected, actual }
    }
}
