//! The condition of connections, streams and markets.

use crate::instrument::{InstrumentIndex, VenueIndex};
use crate::state::Stream;
use crate::time::{DurationNs, TimeNs};
use serde::{Deserialize, Serialize};

/// A connection, a stream or a market changed its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusEvent {
    /// When we learned of it.
    pub time_ns: TimeNs,
    /// What changed.
    pub change: Condition,
}

/// The half of a venue that a connection serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// Market data.
    MarketData,
    /// Orders and reports about the account.
    Orders,
}

impl Part {
    /// The word for it in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Part::MarketData => "market_data",
            Part::Orders => "orders",
        }
    }
}

/// What a condition can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// A connection stands.
    Connected(VenueIndex, Part),
    /// A connection is gone: what happens at the venue does not reach us, or our orders do not reach it.
    Disconnected(VenueIndex, Part),
    /// What is known of a stream is old or has a hole; it is not traded on.
    Stale(Stream),
    /// The stream is whole again.
    Fresh(Stream),
    /// Rows of a stream are missing and will not come (V4).
    Gap {
        /// Of which stream.
        stream: Stream,
        /// From when, by venue time.
        from_ns: TimeNs,
        /// How long.
        length_ns: DurationNs,
    },
    /// The venue takes no new orders for the instrument.
    Halted(InstrumentIndex),
    /// It takes them again.
    Resumed(InstrumentIndex),
}
