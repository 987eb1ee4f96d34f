//! What the engine asks of a venue.

use super::{NewOrder, OrderId, StrategyIndex};
use crate::instrument::InstrumentIndex;
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// A request that passed risk and leaves for a venue, or for whoever keeps the timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Place an order.
    Place {
        /// The engine's number of the order.
        id: OrderId,
        /// Whose it is.
        strategy: StrategyIndex,
        /// The strategy's own count.
        count: u64,
        /// What is wanted.
        order: NewOrder,
        /// Whether `target` sent it, and may replace it: whoever goes on from what was recorded must know (O3).
        by_target: bool,
    },
    /// Cancel an order.
    Cancel {
        /// The engine's number of the order.
        id: OrderId,
        /// Whose it is.
        strategy: StrategyIndex,
        /// The strategy's own count.
        count: u64,
        /// What it trades.
        instrument: InstrumentIndex,
    },
    /// Send a timer event at a time.
    Timer {
        /// What it is for.
        purpose: TimerPurpose,
        /// When, by arrival time.
        due_ns: TimeNs,
    },
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TimerPurpose {
    /// A strategy asked for it; the number is the strategy's own count of timers.
    Strategy(StrategyIndex, u64),
    /// It closes the bar that is being built at this place.
    Bar(u32),
}

impl Request {
    /// The instrument that decides which venue gets it; none for a timer.
    #[inline]
    pub const fn instrument(&self) -> Option<InstrumentIndex> {
        match self {
            Request::Place { order, .. } => Some(order.instrument),
            Request::Cancel { instrument, .. } => Some(*instrument),
            Request::Timer { .. } => None,
        }
    }
}
