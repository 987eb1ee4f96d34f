//! Feed, venues and engine on the two-sided timeline: backtests and their replay.

mod backtest;
mod lines;
mod link;
mod record;
mod recorder;
mod replay;
mod script;
mod session;
mod timeline;

pub use backtest::{Backtest, Progress};
pub use record::Record;
pub use recorder::{AssetReport, InstrumentReport, Keep, Recorder};
pub use replay::{Divergence, Replay};
pub use script::Cause;
pub use session::Session;
pub use timeline::{Outage, Settings};

use crate::engine::Engine;
use crate::time::TimeNs;

/// What can be reported of a run, whoever feeds it.
pub trait Run {
    /// The engine.
    fn engine(&self) -> &Engine;
    /// What was observed.
    fn recorder(&self) -> &Recorder;
    /// How many rows the engine has met.
    fn rows(&self) -> u64;
    /// The time of the run, by arrival.
    fn now_ns(&self) -> TimeNs;
}

macro_rules! run {
    ($type:ty) => {
        impl Run for $type {
            fn engine(&self) -> &Engine {
                self.engine()
            }

            fn recorder(&self) -> &Recorder {
                self.recorder()
            }

            fn rows(&self) -> u64 {
                self.rows()
            }

            fn now_ns(&self) -> TimeNs {
                self.now_ns()
            }
        }
    };
}

run!(Backtest);
run!(Session);
