//! The seeded market generator: many participants on a real order book.
//!
//! A fundamental value wanders with clustered volatility; market makers quote around
//! it, informed traders take what is stale, others trade for their own reasons.
//! Quotes, depth and trades come from one [`MatchingBook`](crate::venue::matching::MatchingBook)
//! and so agree. The same settings give the same rows on every machine, in debug and
//! release builds; an instrument's rows do not depend on what else is generated, nor
//! on which kinds of rows are asked for.

mod market;
mod open;
mod participants;
mod perpetual;
mod settings;
#[cfg(test)]
mod tests;
mod value;

pub use market::SyntheticMarket;
pub use open::OpenMarket;
pub use participants::Participants;
pub use settings::{Length, SyntheticSettings};
