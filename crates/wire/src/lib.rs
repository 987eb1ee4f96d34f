//! Frames of venues as market events.
//!
//! Bytes in, rows out: nothing here reads a socket or a clock. A frame that cannot be read whole adds no row.

mod binance;
mod buffer;
mod bybit;
mod feed;
mod follower;
mod json;

pub use binance::{BinanceDecoder, check_quote};
pub use buffer::Buffer;
pub use bybit::BybitDecoder;
pub use feed::{Feed, Feeds, Kind, Outcome};
pub use follower::{Continuity, Levels, SnapshotFate};
