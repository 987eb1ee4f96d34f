//! What happens in a matching book.

use crate::error::Code;
use crate::market::Side;
use serde::{Deserialize, Serialize};

/// The caller's number of an order: unique among the orders that are open, free again after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey(pub u64);

/// The caller's number of somebody who has orders in the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Participant(pub u32);

/// A resting order and an incoming one traded, at the price of the resting one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The price of the trade.
    pub price: i64,
    /// How much was traded.
    pub quantity: i64,
    /// The side of the order that took.
    pub aggressor: Side,
    /// The order that rested.
    pub maker: OrderKey,
    /// Whose it is.
    pub maker_participant: Participant,
    /// What is left of it; at zero it is closed.
    pub maker_remaining: i64,
    /// The order that took.
    pub taker: OrderKey,
    /// Whose it is.
    pub taker_participant: Participant,
    /// What is left of it.
    pub taker_remaining: i64,
}

/// One consequence of a call.
///
/// A call that is refused gives one [`MatchEvent::Rejected`] and changes nothing.
/// Any other gives first what became of the order, then its trades from the best price
/// on; after the trades at one price comes that level's new quantity. What is left of
/// it is then cancelled, or rests and changes a level itself. After the last event of
/// a call the levels are consistent, and no level was named twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchEvent {
    /// The order was taken.
    Accepted {
        /// Which order.
        order: OrderKey,
        /// Whose it is.
        participant: Participant,
    },
    /// The call was refused: the order was not taken, not changed or not cancelled.
    Rejected {
        /// Which order.
        order: OrderKey,
        /// Why.
        code: Code,
    },
    /// The order was changed.
    Amended {
        /// Which order.
        order: OrderKey,
        /// Whose it is.
        participant: Participant,
        /// Its new price.
        price: i64,
        /// What is left of it from now on.
        remaining: i64,
    },
    /// Two orders traded.
    Trade(Match),
    /// What was left of the order was taken out of the book, or never got in.
    Cancelled {
        /// Which order.
        order: OrderKey,
        /// Whose it is.
        participant: Participant,
        /// What was not filled.
        remaining: i64,
        /// Why: asked for, immediate or cancel, or a market order without liquidity.
        code: Code,
    },
    /// The quantity at a price changed.
    Level {
        /// Bids are buys, asks are sells.
        side: Side,
        /// The level's price.
        price: i64,
        /// Everything that rests there now; zero when the level is gone.
        quantity: i64,
    },
}
