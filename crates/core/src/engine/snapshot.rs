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
    /// What each strategy had taken over from others when it started; nothing where it did not.
    inherited: Vec<Vec<u8>>,
    /// Whether other strategies than those that were there go on from here.
    is_handover: bool,
}

impl Engine {
    /// What is needed to go on from here.
    pub fn save(&mut self) -> Result<Snapshot> {
        let declared = self.declared()?;
        let checks = if self.awaits_start() { Vec::new() } else { self.risk.save(&mut self.state)? };
        Ok(self.snapshot(declared, checks, self.awaits_start()))
    }

    pub(super) fn snapshot(&self, strategies: Vec<Vec<u8>>, checks: Vec<Vec<u8>>, is_handover: bool) -> Snapshot {
        Snapshot {
            sequence: self.sequence,
            entries: self.entries.0,
            state: State::clone(&self.state),
            chains: self.hasher.chains(),
            strategies,
            checks,
            inherited: if is_handover { Vec::new() } else { self.inherited.clone() },
            is_handover,
        }
    }

    /// Goes on from a snapshot: strategies start, as they did then, what they ask for is dropped,
    /// and they get back what they had declared as theirs.
    ///
    /// One that names other streams or attaches other indicators than it did then was changed,
    /// and is refused.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<()> {
        let saved = snapshot.state;
        let is_anew = self.follows || snapshot.is_handover;
        if !is_anew {
            self.inherited = snapshot.inherited;
            self.start_again(&saved)?;
        }
        if let Some(what) = self.first_difference(&saved, is_anew) {
            return Err(Error::new(Code::Divergence, format!("{what} than when the state was saved"))
                .hint("the strategy was changed: go on with the code of the run, or accept the changes"));
        }
        let index = Arc::clone(&self.state.index);
        *self.state = saved;
        self.state.index = index;
        self.hasher.resume(snapshot.chains);
        (self.sequence, self.entries) = (snapshot.sequence, (snapshot.entries, snapshot.entries));
        if is_anew {
            self.awaits_start = snapshot.is_handover;
            self.inherited = if snapshot.is_handover { snapshot.strategies } else { Vec::new() };
            self.forget_strategies();
        } else {
            for (place, saved) in snapshot.strategies.iter().enumerate() {
                self.state.calling = StrategyIndex(place as u16);
                self.strategies[place].strategy.restore(&mut self.state, saved)?;
            }
            self.risk.restore(&mut self.state, &snapshot.checks)?;
        }
        self.state.outbox.clear();
        if let Some(journal) = &mut self.journal {
            journal.clear();
        }
        if self.state.stopped {
            self.routes.iter_mut().for_each(Routes::silence);
        }
        Ok(())
    }

    /// Starts the strategies with what they found when they started then.
    fn start_again(&mut self, saved: &State) -> Result<()> {
        self.state.now_ns = saved.started_ns;
        self.state.accounts.clone_from(&saved.starting_accounts);
        for (strategy, positions) in self.state.strategies.iter_mut().zip(&saved.starting_positions) {
            strategy.positions.clone_from(positions);
        }
        self.start(saved.warming)?;
        self.notices.clear();
        Ok(())
    }

    /// What strategies named at their start that they did not name then; only who they are, where they start anew.
    fn first_difference(&self, saved: &State, is_anew: bool) -> Option<String> {
        let now = &self.state;
        for (place, strategy) in now.strategies.iter().enumerate() {
            let Some(then) = saved.strategies.get(place).filter(|then| then.name == strategy.name) else {
                return Some(format!("there is another strategy {}", strategy.name));
            };
            if !is_anew && (&strategy.subscriptions, &strategy.data) != (&then.subscriptions, &then.data) {
                return Some(format!("{} names other streams", strategy.name));
            }
        }
        let indicators = |state: &State| state.indicators.iter().map(|(stream, indicator)| (*stream, indicator.kind())).collect::<Vec<_>>();
        let histories = |state: &State| state.histories.iter().map(|history| (history.stream, history.length())).collect::<Vec<_>>();
        if saved.strategies.len() != now.strategies.len() {
            Some("there are fewer strategies".to_owned())
        } else if !is_anew && indicators(now) != indicators(saved) {
            Some("strategies attach other indicators".to_owned())
        } else if !is_anew && histories(now) != histories(saved) {
            Some("strategies keep other histories".to_owned())
        } else if now.markets.len() != saved.markets.len() {
            Some("there are other instruments".to_owned())
        } else {
            None
        }
    }
}
