//! Money: the double-entry ledger, balances, positions and margin.
//!
//! The engine and the simulated venue each keep an [`Account`]; only the venue decides
//! margin calls and liquidations (F5).

mod book;
mod fill;
mod ledger;
mod margin;
mod position;
mod reservation;

pub use book::{Account, Balance, base_fee};
pub use fill::{FeeKind, Fill};
pub use ledger::{Bucket, Cause, Ledger, Posting};
pub use margin::{MarginCheck, MarginState, initial_rate, part_of};
pub use position::{Change, Position};
pub use reservation::reservation;
