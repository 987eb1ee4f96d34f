//! Streams of market data, as strategies name them.

use crate::instrument::InstrumentIndex;
use crate::market::{BarInterval, MarketKind};
use serde::{Deserialize, Serialize};

/// What kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StreamKind {
    /// Funding payments.
    Funding,
    /// Mark prices.
    Marks,
    /// Changes of the order book.
    Book,
    /// Best bids and offers.
    Quotes,
    /// Trades.
    Trades,
    /// Bars, recorded or built from trades.
    Bars(BarInterval),
}

impl StreamKind {
    /// The kind of its events.
    pub const fn market_kind(self) -> MarketKind {
        match self {
            StreamKind::Funding => MarketKind::Funding,
            StreamKind::Marks => MarketKind::Mark,
            StreamKind::Book => MarketKind::Book,
            StreamKind::Quotes => MarketKind::Quote,
            StreamKind::Trades => MarketKind::Trade,
            StreamKind::Bars(_) => MarketKind::Bar,
        }
    }
}

impl std::fmt::Display for StreamKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StreamKind::Funding => formatter.write_str("funding"),
            StreamKind::Marks => formatter.write_str("marks"),
            StreamKind::Book => formatter.write_str("book"),
            StreamKind::Quotes => formatter.write_str("quotes"),
            StreamKind::Trades => formatter.write_str("trades"),
            StreamKind::Bars(interval) => write!(formatter, "bars({interval})"),
        }
    }
}

/// One kind of market data of one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stream {
    /// Of which instrument.
    pub instrument: InstrumentIndex,
    /// What it tells.
    pub kind: StreamKind,
}

/// The place of an indicator among those of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IndicatorIndex(pub u32);

impl IndicatorIndex {
    /// As a place in an array.
    #[inline]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}
