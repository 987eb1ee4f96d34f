//! Replay: the engine fed a recorded stream, its decisions compared with the recorded ones (D3, D5).

use crate::engine::{Engine, Output, Parts};
use crate::error::{Code, Error, Result};
use crate::event::{Command, Entry, Event};
use crate::order::{Request, TimerPurpose};
use crate::state::State;
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

/// Decisions taken again, compared with the recorded ones.
#[derive(Default)]
pub(super) struct Comparison {
    /// What was decided and the journal has not confirmed yet.
    decided: VecDeque<Request>,
    decisions: u64,
    last: (u64, i64),
}

impl Comparison {
    /// What followed from an input, by its number and time.
    pub fn decided(&mut self, sequence: u64, time_ns: i64, requests: impl Iterator<Item = Request>) {
        self.last = (sequence, time_ns);
        self.decided.extend(requests);
    }

    /// The recorded decision that comes next.
    pub fn recorded(&mut self, expected: &Request) -> Option<Divergence> {
        let actual = self.decided.pop_front();
        if actual.as_ref() == Some(expected) {
            self.decisions += 1;
            return None;
        }
        Some(self.divergence(Some(*expected), actual))
    }

    /// A decision that the journal does not hold before the next input, or at its end.
    pub fn unrecorded(&mut self) -> Option<Divergence> {
        let actual = self.decided.pop_front()?;
        Some(self.divergence(None, Some(actual)))
    }

    fn divergence(&self, expected: Option<Request>, actual: Option<Request>) -> Divergence {
        Divergence { sequence: self.last.0, time_ns: self.last.1, expected, actual }
    }
}

/// An engine that is fed a journal.
pub struct Replay {
    engine: Engine,
    comparison: Comparison,
}

impl Replay {
    /// A replay before its first entry.
    pub fn new(parts: Parts) -> Result<Self> {
        Ok(Self { engine: Engine::new(parts)?, comparison: Comparison::default() })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many decisions were compared and found equal.
    pub fn decisions(&self) -> u64 {
        self.comparison.decisions
    }

    /// Feeds some entries; stops at the first decision that differs.
    pub fn feed(&mut self, entries: &[Entry]) -> Result<Option<Divergence>> {
        for entry in entries {
            check(self.engine.state(), self.engine.sequence(), entry)?;
            let divergence = match entry {
                Entry::Input(event) => {
                    if let Some(divergence) = self.finish() {
                        return Ok(Some(divergence));
                    }
                    self.engine.process(event)?;
                    let sequence = self.engine.sequence();
                    self.comparison.decided(sequence, event.arrival_time_ns(), self.engine.output.requests.drain(..));
                    self.engine.output = Output::default();
                    None
                }
                Entry::Decision(expected) => self.comparison.recorded(expected),
            };
            if divergence.is_some() {
                return Ok(divergence);
            }
        }
        Ok(None)
    }

    /// Whether the replay decided something that the journal does not hold.
    pub fn finish(&mut self) -> Option<Divergence> {
        self.comparison.unrecorded()
    }
}

/// Refuses an entry that names what the journal's definitions do not hold, so that look-ups cannot fail.
pub(super) fn check(state: &State, sequence: u64, entry: &Entry) -> Result<()> {
    let (instrument, strategy) = match entry {
        Entry::Input(event) => {
            event.check(state.index())?;
            let strategy = match event {
                Event::Command { command: Command::CancelAll(filter) | Command::CloseAll(filter), .. } => filter.strategy,
                Event::Command { command: Command::Open(strategy, _) | Command::Adopt(strategy, _), .. } => Some(*strategy),
                Event::Parameter(parameter) => Some(parameter.strategy),
                _ => None,
            };
            (None, strategy)
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
    Err(Error::new(Code::BadJournal, format!("an entry after input {sequence} names {problem}: {entry:?}"))
        .hint("the journal was altered, or the definitions are not those of its run"))
}
