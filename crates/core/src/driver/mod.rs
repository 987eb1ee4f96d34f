//! Feed, venues and engine on the two-sided timeline: backtests and their replay.

mod backtest;
mod link;
mod recorder;
mod replay;
mod session;
mod timeline;
mod valuation;

pub use backtest::{Backtest, Progress};
pub use recorder::{AssetReport, InstrumentReport, Keep, Recorder};
pub use replay::{Divergence, Replay};
pub use session::Session;
pub use timeline::{Outage, Settings};
pub use valuation::Valuation;
