//! The simulated venue: it keeps its own account of us, matches our orders against what
//! was recorded, and answers with account events.

mod account;
mod directions;
pub mod fill;
mod latency;
pub mod matching;
mod request;
mod simulated;

pub use directions::{Directions, Taking, Verdict};
pub use fill::{FillModel, Resting, TakingOnTrades};
pub use latency::{Latency, Line, MEASURED_SHARES};
pub use simulated::{Halt, SimulatedVenue, VenueSettings};
