//! Replay: the engine fed a recorded stream, its decisions compared with the recorded ones (D3, D5).

use crate::engine::{Engine, Output, Parts};
use crate::error::{Code, Error, Result};
use crate::event::{Command, Entries, Entry, Event, entries};
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
    #[inline]
    pub fn decided(&mut self, sequence: u64, time_ns: i64, requests: impl ExactSizeIterator<Item = Request>) {
        self.last = (sequence, time_ns);
        if requests.len() > 0 {
            self.decided.extend(requests);
        }
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
    #[inline]
    pub fn unrecorded(&mut self) -> Option<Divergence> {
        let actual = self.decided.pop_front()?;
        Some(self.divergence(None, Some(actual)))
    }

    /// How many decisions were compared and found equal.
    pub fn decisions(&self) -> u64 {
        self.decisions
    }

    fn divergence(&self, expected: Option<Request>, actual: Option<Request>) -> Divergence {
        Divergence { sequence: self.last.0, time_ns: self.last.1, expected, actual }
    }
}

/// An engine that is fed a journal.
pub struct Replay {
    engine: Engine,
    comparison: Comparison,
    last: Option<Event>,
}

impl Replay {
    /// A replay before its first entry.
    pub fn new(parts: Parts) -> Result<Self> {
        Ok(Self { engine: Engine::new(parts)?, comparison: Comparison::default(), last: None })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many decisions were compared and found equal.
    pub fn decisions(&self) -> u64 {
        self.comparison.decisions()
    }

    /// The last input that was fed.
    pub fn last(&self) -> Option<&Event> {
        self.last.as_ref()
    }

    /// Feeds the entries of a block; stops at the first decision that differs.
    pub fn feed(&mut self, block: &[u8]) -> Result<Option<Divergence>> {
        let mut last_at = None;
        let divergence = self.feed_entries(entries(block), &mut last_at)?;
        // Read once more for those who ask, so that no event needs to be kept while it passes.
        if let Some(Ok(Entry::Input(event))) = last_at.and_then(|at: usize| entries(&block[at..]).next()) {
            self.last = Some(event);
        }
        Ok(divergence)
    }

    fn feed_entries(&mut self, mut entries: Entries<'_>, last_at: &mut Option<usize>) -> Result<Option<Divergence>> {
        loop {
            let at = entries.at();
            let (is_input, divergence) = if let Some(row) = entries.row() {
                let event = Event::Market(row);
                event.check(self.engine.state().index())?;
                (true, self.input(&event)?)
            } else {
                let Some(entry) = entries.next().transpose()? else { return Ok(None) };
                (matches!(entry, Entry::Input(_)), self.entry(&entry)?)
            };
            if divergence.is_some() {
                return Ok(divergence);
            }
            if is_input {
                *last_at = Some(at);
            }
        }
    }

    /// Any entry, kept out of the way of rows, which nearly all are.
    #[inline(never)]
    fn entry(&mut self, entry: &Entry) -> Result<Option<Divergence>> {
        check(self.engine.state(), self.engine.sequence(), entry)?;
        match entry {
            Entry::Input(event) => self.input(event),
            Entry::Decision(expected) => Ok(self.comparison.recorded(expected)),
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as the engine's `process`: a row is then read where it lies")]
    fn input(&mut self, event: &Event) -> Result<Option<Divergence>> {
        if let Some(divergence) = self.finish() {
            return Ok(Some(divergence));
        }
        self.engine.process(event)?;
        let sequence = self.engine.sequence();
        self.comparison.decided(sequence, event.arrival_time_ns(), self.engine.output.requests.drain(..));
        forget(&mut self.engine.output);
        Ok(None)
    }

    /// Whether the replay decided something that the journal does not hold.
    pub fn finish(&mut self) -> Option<Divergence> {
        self.comparison.unrecorded()
    }
}

/// Drops what nobody reads in a replay, and keeps its memory for the next input.
fn forget(output: &mut Output) {
    output.fills.clear();
    output.closed.clear();
    output.orders.clear();
    output.amended.clear();
    output.charges.clear();
    output.refused_parameter = None;
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
