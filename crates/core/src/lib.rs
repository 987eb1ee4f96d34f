//! The deterministic kernel of Tradewind.
//!
//! Pure Rust, no input or output, no clock: the same events give the same
//! decisions, in a backtest, on paper, live and in a replay. A module knows only
//! the modules listed above it.
#![forbid(unsafe_code)]

pub mod error;
pub mod number;
pub mod time;

pub mod instrument;

pub mod market;
pub mod order;

pub mod venue;

pub mod synthetic;
