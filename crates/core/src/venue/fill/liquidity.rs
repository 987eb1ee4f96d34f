//! What is shown and what we have taken of it (F2).

use crate::market::{Book, BookDelta, Level, Quote, Side};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Prices and quantities that an order is offered.
pub type Offered = SmallVec<[Level; 4]>;

/// The shown sizes of one instrument, less what we took since each price or size last changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Liquidity {
    quote: Option<Quote>,
    book: Option<Box<Book>>,
    taken: Vec<(Side, Level)>,
}

impl Liquidity {
    /// Takes a new quote; a side that changed shows its whole size again.
    #[inline]
    pub fn observe_quote(&mut self, quote: Quote) {
        if !self.taken.is_empty() {
            let before = self.quote;
            let same_bid = before.is_some_and(|before| (before.bid, before.bid_quantity) == (quote.bid, quote.bid_quantity));
            let same_ask = before.is_some_and(|before| (before.ask, before.ask_quantity) == (quote.ask, quote.ask_quantity));
            self.taken.retain(|(side, _)| match side {
                Side::Buy => same_bid,
                Side::Sell => same_ask,
            });
        }
        self.quote = Some(quote);
    }

    /// Takes a change of the book; the level shows its whole size again.
    pub fn observe_delta(&mut self, delta: &BookDelta) {
        if delta.first {
            self.taken.clear();
        } else {
            self.taken.retain(|(side, level)| *side != delta.side || level.price != delta.price);
        }
        self.book.get_or_insert_default().apply(delta);
    }

    /// The best price that a taker of this side would meet.
    pub fn best(&self, taker: Side) -> Option<i64> {
        match &self.book {
            Some(book) => book.best(taker.opposite()).map(|level| level.price),
            None => self.quote.map(|quote| touch(&quote, taker).price),
        }
    }

    /// The best prices.
    pub fn best_quote(&self) -> Option<Quote> {
        self.book.as_ref().map_or(self.quote, |book| book.quote())
    }

    /// Up to `wanted` of what is left at prices that pass `accepts`, best first.
    pub fn offer(&self, taker: Side, mut wanted: i64, accepts: impl Fn(i64) -> bool) -> Offered {
        let mut offered = Offered::new();
        let maker = taker.opposite();
        let shown: SmallVec<[Level; 4]> = match &self.book {
            Some(book) => book.levels(maker).take_while(|level| accepts(level.price)).collect(),
            None => self.quote.map(|quote| touch(&quote, taker)).filter(|level| accepts(level.price)).into_iter().collect(),
        };
        for level in shown {
            let quantity = wanted.min(level.quantity - self.taken_at(maker, level.price));
            if quantity > 0 {
                offered.push(Level { price: level.price, quantity });
                wanted -= quantity;
            }
            if wanted == 0 {
                break;
            }
        }
        offered
    }

    fn taken_at(&self, side: Side, price: i64) -> i64 {
        self.taken.iter().find(|(held, level)| *held == side && level.price == price).map_or(0, |(_, level)| level.quantity)
    }

    /// A taker of this side takes some of what is shown at a price.
    pub fn take(&mut self, taker: Side, price: i64, quantity: i64) {
        let side = taker.opposite();
        match self.taken.iter_mut().find(|(held, level)| *held == side && level.price == price) {
            Some((_, level)) => level.quantity += quantity,
            None if quantity > 0 => self.taken.push((side, Level { price, quantity })),
            None => {}
        }
    }
}

#[inline]
const fn touch(quote: &Quote, taker: Side) -> Level {
    match taker {
        Side::Buy => Level { price: quote.ask, quantity: quote.ask_quantity },
        Side::Sell => Level { price: quote.bid, quantity: quote.bid_quantity },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to `wanted`, taken.
    fn taken(liquidity: &mut Liquidity, wanted: i64, accepts: impl Fn(i64) -> bool) -> Offered {
        let offered = liquidity.offer(Side::Buy, wanted, accepts);
        for level in &offered {
            liquidity.take(Side::Buy, level.price, level.quantity);
        }
        offered
    }

    const QUOTE: Quote = Quote { bid: 99, bid_quantity: 5, ask: 101, ask_quantity: 7 };

    #[test]
    fn what_was_taken_comes_back_when_the_side_changes() {
        let mut liquidity = Liquidity::default();
        liquidity.observe_quote(QUOTE);
        assert_eq!(taken(&mut liquidity, 5, |_| true).as_slice(), [Level { price: 101, quantity: 5 }]);
        liquidity.observe_quote(Quote { bid: 98, ..QUOTE });
        assert_eq!(taken(&mut liquidity, 5, |_| true).as_slice(), [Level { price: 101, quantity: 2 }]);
        assert!(taken(&mut liquidity, 5, |_| true).is_empty());
        liquidity.observe_quote(Quote { ask_quantity: 8, ..QUOTE });
        assert_eq!(taken(&mut liquidity, 9, |_| true).as_slice(), [Level { price: 101, quantity: 8 }]);
    }

    #[test]
    fn depth_is_walked_and_remembered_by_level() {
        let mut liquidity = Liquidity::default();
        let delta = |side, price, quantity, first| BookDelta { side, price, quantity, first, last: true };
        for delta in [delta(Side::Sell, 101, 3, true), delta(Side::Sell, 102, 4, false), delta(Side::Buy, 99, 9, false)] {
            liquidity.observe_delta(&delta);
        }
        let offered = taken(&mut liquidity, 5, |price| price <= 102);
        assert_eq!(offered.as_slice(), [Level { price: 101, quantity: 3 }, Level { price: 102, quantity: 2 }]);
        liquidity.observe_delta(&delta(Side::Sell, 101, 1, false));
        let offered = taken(&mut liquidity, 9, |price| price <= 102);
        assert_eq!(offered.as_slice(), [Level { price: 101, quantity: 1 }, Level { price: 102, quantity: 2 }]);
    }
}
