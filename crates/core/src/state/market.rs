//! What is known of one instrument's market.

use crate::market::{Bar, BarInterval, Book, Mark, MarkSource, MarketData, MarketEvent, Quote, Trade};
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The last of everything that was heard of an instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// The price that positions are valued at.
    pub mark: Mark,
    /// The last trade.
    pub trade: Option<Trade>,
    /// When it happened at the venue.
    pub trade_time_ns: TimeNs,
    /// The best bid and offer.
    pub quote: Option<Quote>,
    /// The order book, where the data hold one.
    pub book: Option<Box<Book>>,
    /// The last closed bar of each interval.
    pub bars: SmallVec<[Bar; 1]>,
    /// The last funding rate.
    pub funding_rate: Option<i64>,
}

impl Market {
    /// Takes a market event.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: only the arm of the event's kind is then on the path of a row")]
    pub fn update(&mut self, event: &MarketEvent) {
        let time_ns = event.venue_time_ns;
        match event.data() {
            MarketData::Trade(trade) => {
                self.mark.update(MarkSource::Trade, trade.price, time_ns);
                (self.trade, self.trade_time_ns) = (Some(trade), time_ns);
            }
            MarketData::Quote(quote) => {
                self.mark.update_quote(&quote, time_ns);
                self.quote = Some(quote);
            }
            MarketData::Book(delta) => {
                let book = self.book.get_or_insert_default();
                book.apply(&delta);
                if let Some(quote) = book.quote().filter(|_| delta.last) {
                    self.mark.update_quote(&quote, time_ns);
                }
            }
            MarketData::Mark(price) => self.mark.update(MarkSource::Venue, price, time_ns),
            MarketData::Funding(rate) => self.funding_rate = Some(rate),
            MarketData::Bar(bar) => {
                self.mark.update(MarkSource::Bar, bar.close, bar.close_time_ns());
                match self.bars.iter_mut().find(|held| held.interval == bar.interval) {
                    Some(held) => *held = bar,
                    None => self.bars.push(bar),
                }
            }
        }
    }

    /// The last closed bar of an interval.
    pub fn bar(&self, interval: BarInterval) -> Option<Bar> {
        self.bars.iter().find(|bar| bar.interval == interval).copied()
    }

    /// Twice the middle of the best quote, or twice the mark where there is no quote.
    #[inline]
    pub fn mid_doubled(&self) -> Option<i64> {
        let best = self.quote.or_else(|| self.book.as_ref().and_then(|book| book.quote()));
        best.map(|quote| quote.bid + quote.ask).or_else(|| self.mark.doubled())
    }
}
