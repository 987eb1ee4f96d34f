//! Orders: their kinds, their life as one table, and what is asked of a venue.

mod client_id;
mod life;
mod order_type;
mod request;

pub use client_id::{client_id, read_client_id};
pub use life::{Confirmed, Outcome, Report, Status, next_status};
pub use order_type::{Liquidity, NewOrder, Order, OrderId, OrderType, PositionSlot, StrategyIndex, TimeInForce};
pub use request::{Request, TimerPurpose};
