//! A price-time priority order book of one instrument, order by order (L3).
//!
//! Many participants submit, amend and cancel; what happens is appended to a list of
//! the caller's. The synthetic market and the local exchange both stand on it.
//! Whether a price or quantity is on the instrument's grid is the caller's business.

mod book;
mod event;
#[cfg(test)]
mod model;
mod queue;
mod reach;

pub use book::{MatchingBook, RestingOrder, Submission};
pub use event::{Match, MatchEvent, OrderKey, Participant};
