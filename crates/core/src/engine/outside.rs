//! What comes from outside of markets and accounts: values, conditions, parameters.

use super::{Engine, Notice};
use crate::error::Result;
use crate::event::{Condition, DataEvent, ParameterEvent, Part, StatusEvent};
use crate::order::StrategyIndex;
use crate::state::State;
use crate::strategy::StatusChange;

impl Engine {
    /// A value goes to the strategies that named its stream (V1, V2).
    pub(super) fn on_data(&mut self, data: &DataEvent) -> Result<()> {
        self.state.now_ns = data.arrival_time_ns;
        if self.state.warming || self.state.stopped {
            return Ok(());
        }
        for place in 0..self.strategies.len() {
            if self.strategies[place].callbacks.data && self.state.strategies[place].data.contains(&data.name) {
                self.state.calling = StrategyIndex(place as u16);
                self.strategies[place].strategy.on_data(&mut self.state, data)?;
            }
        }
        Ok(())
    }

    pub(super) fn on_status(&mut self, status: &StatusEvent) -> Result<()> {
        self.state.now_ns = status.time_ns;
        if self.state.health.apply(&status.change) {
            self.notices.push(Notice::Status(StatusChange::Condition(status.change)));
            if let Condition::Connected(venue, Part::Orders) = status.change {
                self.go_on_at(venue);
            }
            self.tell_bars(&status.change)?;
        }
        Ok(())
    }

    /// A mistake in a parameter is that of the person who set it: it is told, and the run goes on.
    pub(super) fn on_parameter(&mut self, parameter: &ParameterEvent) {
        self.state.now_ns = parameter.time_ns;
        self.state.calling = parameter.strategy;
        let strategy = &mut self.strategies[parameter.strategy.at()].strategy;
        self.output.refused_parameter = strategy.set_parameter(&mut self.state, &parameter.name, &parameter.value).err();
    }
}

/// Whether a change of status concerns a strategy: a condition does if it named a stream of the
/// market or venue, so that an unrelated instrument changes nothing for it.
pub(super) fn concerns(state: &State, strategy: StrategyIndex, status: StatusChange) -> bool {
    let StatusChange::Condition(condition) = status else { return true };
    let mut named = state.strategies[strategy.at()].subscriptions.iter().map(|stream| stream.instrument);
    match condition {
        Condition::Connected(venue, _) | Condition::Disconnected(venue, _) => named.any(|held| state.index.instrument(held).venue == venue),
        Condition::Stale(stream) | Condition::Fresh(stream) | Condition::Gap { stream, .. } => named.any(|held| held == stream.instrument),
        Condition::Halted(instrument) | Condition::Resumed(instrument) => named.any(|held| held == instrument),
    }
}
