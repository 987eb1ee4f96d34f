//! The named choices of how our orders fill.

use crate::instrument::InstrumentIndex;
use crate::state::{Stream, StreamKind};
use serde::{Deserialize, Serialize};

/// Which recorded data decide an instrument's fills: the most detailed at hand (F1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// Nothing: no order can fill.
    #[default]
    None,
    /// Bars.
    Bars,
    /// Trades.
    Trades,
    /// The best bid and offer.
    Quotes,
    /// The order book.
    Depth,
}

impl Source {
    /// The most detailed of the streams that the data hold for an instrument.
    pub fn of(instrument: InstrumentIndex, available: &[Stream]) -> Self {
        let source = |kind: StreamKind| match kind {
            StreamKind::Bars(_) => Source::Bars,
            StreamKind::Trades => Source::Trades,
            StreamKind::Quotes => Source::Quotes,
            StreamKind::Book => Source::Depth,
            StreamKind::Funding | StreamKind::Marks => Source::None,
        };
        available.iter().filter(|stream| stream.instrument == instrument).map(|stream| source(stream.kind)).max().unwrap_or_default()
    }

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Source::None => "none",
            Source::Bars => "bars",
            Source::Trades => "trades",
            Source::Quotes => "quotes",
            Source::Depth => "depth",
        }
    }
}

/// How a taker fills where only trades are known (F2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TakingOnTrades {
    /// From the next trades after its arrival, at most their sizes.
    #[default]
    NextTrades,
    /// Whole, at the price of the next trade.
    NextTradeWhole,
    /// Whole and at once, at the price of the last trade, whatever else is known.
    /// Optimistic: for comparisons with engines that fill so.
    LastTradeWhole,
}

impl TakingOnTrades {
    /// Every choice with its word in Python.
    pub const ALL: [(&'static str, Self); 3] =
        [("next_trades", Self::NextTrades), ("next_trade_whole", Self::NextTradeWhole), ("last_trade_whole", Self::LastTradeWhole)];
}

/// When a resting order fills (F3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resting {
    /// When a trade goes through its price or the opposite quote crosses it.
    #[default]
    Through,
    /// When its price is touched. Optimistic: as if we stood first in the queue.
    Touch,
}

impl Resting {
    /// Every choice with its word in Python.
    pub const ALL: [(&'static str, Self); 2] = [("through", Self::Through), ("touch", Self::Touch)];

    /// Whether a price fills a resting order.
    #[inline]
    pub const fn fills(self, side: crate::market::Side, limit: i64, price: i64) -> bool {
        side.accepts(limit, price) && (price != limit || matches!(self, Resting::Touch))
    }
}

/// How our orders fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillModel {
    /// Takers where only trades are known.
    pub taking_on_trades: TakingOnTrades,
    /// Resting orders.
    pub resting: Resting,
}
