//! A snapshot: what the engine knows, to go on from later without the inputs before it (D5).

use super::{Engine, Routes};
use crate::error::{Code, Error, Result};
use crate::order::StrategyIndex;
use crate::state::{Chained, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An engine between two events.
#[derive(Serialize, Deserialize)]
pub struct Snapshot {
    sequence: u64,
    entries: u64,
    state: State,
    chains: Vec<Chained>,
    /// What each strategy declares as its own.
    strategies: Vec<Vec<u8>>,
    /// What each check of the user remembers.
    checks: Vec<Vec<u8>>,
}

impl Engine {
    /// What is needed to go on from here.
    pub fn save(&mut self) -> Result<Snapshot> {
        let mut strategies = Vec::new();
        for (place, slot) in self.strategies.iter_mut().enumerate() {
            self.state.calling = StrategyIndex(place as u16);
            strategies.push(slot.strategy.save(&mut self.state)?);
        }
        let checks = self.risk.save(&mut self.state)?;
        Ok(Snapshot {
            sequence: self.sequence,
            entries: self.entries.0,
            state: State::clone(&self.state),
            chains: self.hasher.chains(),
            strategies,
            checks,
        })
    }

    /// Goes on from a snapshot: strategies start, as they did then, what they ask for is dropped,
    /// and they get back what they had declared as theirs.
    ///
    /// One that names other streams or attaches other indicators than it did then was changed,
    /// and is refused.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<()> {
        let saved = snapshot.state;
        self.state.now_ns = saved.started_ns;
        self.state.accounts.clone_from(&saved.starting_accounts);
        self.start(saved.warming)?;
        self.notices.clear();
        let differs = self.first_difference(&saved);
        if let Some(what) = differs {
            return Err(Error::new(Code::Divergence, format!("{what} than when the state was saved"))
                .hint("the strategy was changed: go on with the code of the run, or accept the changes"));
        }
        let index = Arc::clone(&self.state.index);
        *self.state = saved;
        self.state.index = index;
        self.hasher.resume(snapshot.chains);
        (self.sequence, self.entries) = (snapshot.sequence, (snapshot.entries, snapshot.entries));
        for (place, saved) in snapshot.strategies.iter().enumerate() {
            self.state.calling = StrategyIndex(place as u16);
            self.strategies[place].strategy.restore(&mut self.state, saved)?;
        }
        self.risk.restore(&mut self.state, &snapshot.checks)?;
        self.state.outbox.clear();
        if let Some(journal) = &mut self.journal {
            journal.clear();
        }
        if self.state.stopped {
            self.routes.iter_mut().for_each(Routes::silence);
        }
        Ok(())
    }

    /// What strategies named at their start that they did not name then.
    fn first_difference(&self, saved: &State) -> Option<String> {
        let now = &self.state;
        for (place, strategy) in now.strategies.iter().enumerate() {
            let Some(then) = saved.strategies.get(place).filter(|then| then.name == strategy.name) else {
                return Some(format!("there is another strategy {}", strategy.name));
            };
            if (&strategy.subscriptions, &strategy.data) != (&then.subscriptions, &then.data) {
                return Some(format!("{} names other streams", strategy.name));
            }
        }
        let indicators = |state: &State| state.indicators.iter().map(|(stream, indicator)| (*stream, indicator.kind())).collect::<Vec<_>>();
        let histories = |state: &State| state.histories.iter().map(|history| (history.stream, history.length())).collect::<Vec<_>>();
        if saved.strategies.len() != now.strategies.len() {
            Some("there are fewer strategies".to_owned())
        } else if indicators(now) != indicators(saved) {
            Some("strategies attach other indicators".to_owned())
        } else if histories(now) != histories(saved) {
            Some("strategies keep other histories".to_owned())
        } else if now.markets.len() != saved.markets.len() {
            Some("there are other instruments".to_owned())
        } else {
            None
        }
    }
}
