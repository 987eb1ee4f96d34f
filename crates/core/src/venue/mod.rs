//! The simulated venue.

pub mod matching;
