//! Feed, venues and engine on the two-sided timeline: backtests and their replay.

mod backtest;
mod link;
mod recorder;
mod replay;
mod valuation;

pub use backtest::{Backtest, Progress, Settings};
pub use recorder::{AssetReport, InstrumentReport, Keep, Recorder};
pub use replay::{Divergence, Replay};
pub use valuation::Valuation;
