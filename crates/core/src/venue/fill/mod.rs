//! Our orders against recorded data: depth, quotes, trades, bars (F1 to F4).

mod bar_path;
mod liquidity;
mod model;

pub use bar_path::BarPath;
pub use liquidity::{Liquidity, Offer, Offers};
pub use model::{FillModel, Resting, Source, TakingOnTrades};
