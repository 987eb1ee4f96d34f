//! What the engine asks of a venue.

use super::{NewOrder, OrderId, StrategyIndex};
use crate::instrument::InstrumentIndex;
use serde::{Deserialize, Serialize};

/// A request that passed risk and leaves for a venue.
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
}

impl Request {
    /// The instrument that decides which venue gets it.
    #[inline]
    pub const fn instrument(&self) -> InstrumentIndex {
        match self {
            Request::Place { order, .. } => order.instrument,
            Request::Cancel { instrument, .. } => *instrument,
        }
    }
}
