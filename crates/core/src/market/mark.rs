//! The mark: which price an instrument is valued at (N4).

use super::{MarketData, MarketEvent};
use serde::{Deserialize, Serialize};

/// Where a mark comes from; a better source is never replaced by a worse one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum MarkSource {
    /// Nothing is known yet.
    #[default]
    None = 0,
    /// The close of the last bar.
    Bar = 1,
    /// The last trade.
    Trade = 2,
    /// The middle of the last quote, rounded down to a price unit.
    Quote = 3,
    /// The venue's mark price.
    Venue = 4,
}

impl MarkSource {
    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            MarkSource::None => "none",
            MarkSource::Bar => "bar_close",
            MarkSource::Trade => "last_trade",
            MarkSource::Quote => "mid_quote",
            MarkSource::Venue => "mark_price",
        }
    }
}

/// An instrument's mark price and where it comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    price: i64,
    source: MarkSource,
}

impl Mark {
    /// The price, once one is known.
    #[inline]
    pub const fn price(&self) -> Option<i64> {
        match self.source {
            MarkSource::None => None,
            _ => Some(self.price),
        }
    }

    /// Where the price comes from.
    #[inline]
    pub const fn source(&self) -> MarkSource {
        self.source
    }

    /// Takes a price from a source, unless a better source has spoken.
    #[inline]
    pub fn update(&mut self, source: MarkSource, price: i64) {
        if source >= self.source {
            *self = Self { price, source };
        }
    }

    /// Takes what a market event says; book updates count through [`Mark::update`].
    #[inline]
    pub fn observe(&mut self, event: &MarketEvent) {
        match event.data() {
            MarketData::Trade(trade) => self.update(MarkSource::Trade, trade.price),
            MarketData::Quote(quote) => self.update(MarkSource::Quote, i64::midpoint(quote.bid, quote.ask)),
            MarketData::Mark(price) => self.update(MarkSource::Venue, price),
            MarketData::Bar(bar) => self.update(MarkSource::Bar, bar.close),
            MarketData::Book(_) | MarketData::Funding(_) => {}
        }
    }
}
