//! What a strategy is, for the engine.

mod ema_cross;
mod follow_trades;

pub use ema_cross::EmaCross;
pub use follow_trades::FollowTrades;

use crate::account::Fill;
use crate::error::{Code, Error, Result};
use crate::event::{Condition, DataEvent, DataValue};
use crate::market::MarketEvent;
use crate::order::Order;
use crate::state::State;
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// Which callbacks a strategy defines; the others are never called (law 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "one per callback")]
pub struct Callbacks {
    /// Market data by kind, in the order of [`crate::market::MarketKind::ALL`].
    pub market: [bool; 6],
    /// Changes of orders.
    pub order: bool,
    /// Fills.
    pub fill: bool,
    /// Timers.
    pub timer: bool,
    /// Changes of status.
    pub status: bool,
    /// Values from outside.
    pub data: bool,
}

impl Callbacks {
    /// All of them.
    pub const ALL: Self = Self { market: [true; 6], order: true, fill: true, timer: true, status: true, data: true };
}

/// A change that concerns trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusChange {
    /// Strategies may open positions.
    TradingOn,
    /// Only reductions pass.
    TradingOff,
    /// The venue warns that the margin is nearly used up.
    MarginCall,
    /// The venue closed positions because their margin was used up.
    Liquidation,
    /// The loss of the UTC day has reached its limit: only reductions pass until the day ends.
    DailyLossReached,
    /// A new UTC day began after one that had reached its limit.
    DailyLossOver,
    /// A connection, a stream or a market changed its condition.
    Condition(Condition),
}

impl StatusChange {
    /// The word for it in Python.
    pub const fn name(self) -> &'static str {
        match self {
            StatusChange::TradingOn => "trading_on",
            StatusChange::TradingOff => "trading_off",
            StatusChange::MarginCall => "margin_call",
            StatusChange::Liquidation => "liquidation",
            StatusChange::DailyLossReached => "daily_loss_reached",
            StatusChange::DailyLossOver => "daily_loss_over",
            StatusChange::Condition(condition) => match condition {
                Condition::Connected(..) => "connected",
                Condition::Disconnected(..) => "disconnected",
                Condition::Stale(_) => "stale",
                Condition::Fresh(_) => "fresh",
                Condition::Gap { .. } => "gap",
                Condition::Halted(_) => "halted",
                Condition::Resumed(_) => "resumed",
            },
        }
    }
}

/// A strategy. Callbacks read the state and ask for orders through it; what they ask for
/// happens after they have returned.
///
/// The state comes in its box, so that an implementation in another language can be lent
/// it by moving the box.
#[allow(unused_variables, reason = "the defaults do nothing")]
pub trait Strategy: Send {
    /// Which callbacks it defines.
    fn callbacks(&self) -> Callbacks;

    /// Names streams and attaches indicators.
    fn on_start(&mut self, state: &mut Box<State>) -> Result<()>;

    /// The run ends.
    fn on_stop(&mut self, state: &mut Box<State>) -> Result<()> {
        Ok(())
    }

    /// Market data of a stream that it named.
    fn on_market(&mut self, state: &mut Box<State>, event: &MarketEvent) -> Result<()> {
        Ok(())
    }

    /// One of its orders changed.
    fn on_order(&mut self, state: &mut Box<State>, order: &Order) -> Result<()> {
        Ok(())
    }

    /// One of its orders has closed, or was filled after that. Unlike the callbacks, this is told at once, and to everybody:
    /// who keeps orders sees what became of them when the engine has forgotten them.
    fn on_closed(&mut self, order: &Order) {}

    /// One of its orders was filled, or its position was closed by the venue.
    fn on_fill(&mut self, state: &mut Box<State>, fill: &Fill) -> Result<()> {
        Ok(())
    }

    /// A timer that it asked for fired.
    fn on_timer(&mut self, state: &mut Box<State>, number: u64, due_ns: TimeNs) -> Result<()> {
        Ok(())
    }

    /// Something changed that concerns trading.
    fn on_status(&mut self, state: &mut Box<State>, status: StatusChange) -> Result<()> {
        Ok(())
    }

    /// A value of a stream from outside that it named (V2).
    fn on_data(&mut self, state: &mut Box<State>, data: &DataEvent) -> Result<()> {
        Ok(())
    }

    /// Sets one of its parameters while it runs.
    fn set_parameter(&mut self, state: &mut Box<State>, name: &str, value: &DataValue) -> Result<()> {
        Err(Error::new(Code::BadStrategy, format!("the parameter {name} cannot be set while the strategy runs")))
    }

    /// What it declares as its own state, to be restored by [`Strategy::restore`] (D4).
    fn save(&mut self, state: &mut Box<State>) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes back what [`Strategy::save`] gave, after it was started anew.
    fn restore(&mut self, state: &mut Box<State>, saved: &[u8]) -> Result<()> {
        Ok(())
    }
}
