//! The deterministic kernel of Tradewind.
//!
//! Pure Rust, no input or output, no clock: the same events give the same
//! decisions, in a backtest, on paper, live and in a replay. A module knows only
//! the modules listed above it.
#![forbid(unsafe_code)]

pub mod error;

pub mod time;

pub mod number;

pub mod chance;

pub mod instrument;

pub mod market;

pub mod order;

pub mod account;

pub mod event;

pub mod indicator;

pub mod state;

pub mod risk;

pub mod strategy;

pub mod engine;

pub mod venue;

pub mod synthetic;

pub mod feed;

pub mod statistics;

pub mod driver;
