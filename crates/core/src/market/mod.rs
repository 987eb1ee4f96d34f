//! Market data: trades, quotes, book updates, bars, mark prices and funding.

mod bar;
mod book;
mod event;
mod mark;
mod written;

pub use bar::{Bar, BarBuilder, BarInterval};
pub use book::{Book, BookDelta, Level};
pub use event::{MarketData, MarketEvent, MarketKind, Quote, Trade};
pub use mark::{MARK_FRESH_NS, Mark, MarkSource};

use serde::{Deserialize, Serialize};

/// Who bought or sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Side {
    /// Buys: the price is paid.
    Buy = 0,
    /// Sells: the price is received.
    Sell = 1,
}

impl Side {
    /// The other side.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// Plus one for a buy, minus one for a sale.
    #[inline]
    pub const fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }

    /// The side that moves a position by a quantity of this sign.
    #[inline]
    pub const fn of(quantity: i64) -> Self {
        if quantity >= 0 { Side::Buy } else { Side::Sell }
    }

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }

    /// Whether `price` is at least as good for this side's counterparty as `limit`:
    /// a buy with this limit accepts the price, or a sale does.
    #[inline]
    pub const fn accepts(self, limit: i64, price: i64) -> bool {
        match self {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        }
    }
}
