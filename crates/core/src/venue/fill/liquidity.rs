//! What is shown and what we have taken of it (F2).

use crate::market::{Book, BookDelta, Level, Quote, Side};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// What an order may take of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The level as it is shown.
    pub shown: Level,
    /// How much of it, at most.
    pub quantity: i64,
}

/// What an order is offered, best first.
pub type Offers = SmallVec<[Offer; 4]>;

/// What we took of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    maker: Side,
    /// The level as it was shown.
    shown: Level,
    quantity: i64,
}

/// The shown sizes of one instrument, less what we took since each price or size last changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Liquidity {
    quote: Option<Quote>,
    book: Option<Box<Book>>,
    taken: Vec<Taken>,
}

impl Liquidity {
    /// Takes a new quote; a side that changed shows its whole size again.
    #[inline]
    pub fn observe_quote(&mut self, quote: Quote) {
        self.quote = Some(quote);
        self.forget_changed();
    }

    /// Takes a change of the book. A level that changed shows its whole size again; one that is only told again, as by a
    /// snapshot, does not.
    pub fn observe_delta(&mut self, delta: &BookDelta) {
        self.book.get_or_insert_default().apply(delta);
        if delta.last {
            self.forget_changed();
        }
    }

    #[inline]
    fn forget_changed(&mut self) {
        if !self.taken.is_empty() {
            let (book, quote) = (&self.book, &self.quote);
            self.taken.retain(|taken| match book {
                Some(book) => book.quantity(taken.maker, taken.shown.price) == taken.shown.quantity,
                None => quote.is_some_and(|quote| touch(&quote, taken.maker.opposite()) == taken.shown),
            });
        }
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
    pub fn offer(&self, taker: Side, mut wanted: i64, accepts: impl Fn(i64) -> bool) -> Offers {
        let mut offers = Offers::new();
        let maker = taker.opposite();
        let shown: SmallVec<[Level; 4]> = match &self.book {
            Some(book) => book.levels(maker).take_while(|level| accepts(level.price)).collect(),
            None => self.quote.map(|quote| touch(&quote, taker)).filter(|level| accepts(level.price)).into_iter().collect(),
        };
        for level in shown {
            let quantity = wanted.min(level.quantity - self.taken_of(maker, level));
            if quantity > 0 {
                offers.push(Offer { shown: level, quantity });
                wanted -= quantity;
            }
            if wanted == 0 {
                break;
            }
        }
        offers
    }

    fn taken_of(&self, maker: Side, shown: Level) -> i64 {
        self.taken.iter().find(|taken| taken.maker == maker && taken.shown == shown).map_or(0, |taken| taken.quantity)
    }

    /// A taker of this side takes some of what it was offered.
    pub fn take(&mut self, taker: Side, offer: &Offer, quantity: i64) {
        let maker = taker.opposite();
        match self.taken.iter_mut().find(|taken| taken.maker == maker && taken.shown == offer.shown) {
            Some(known) => known.quantity += quantity,
            None if quantity > 0 => self.taken.push(Taken { maker, shown: offer.shown, quantity }),
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
    fn taken(liquidity: &mut Liquidity, wanted: i64, accepts: impl Fn(i64) -> bool) -> Vec<Level> {
        let offers = liquidity.offer(Side::Buy, wanted, accepts);
        for offer in &offers {
            liquidity.take(Side::Buy, offer, offer.quantity);
        }
        offers.iter().map(|offer| Level { price: offer.shown.price, quantity: offer.quantity }).collect()
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

    #[test]
    fn what_was_taken_stays_taken_where_a_level_is_only_told_again() {
        let mut liquidity = Liquidity::default();
        let delta = |side, price, quantity, first, last| BookDelta { side, price, quantity, first, last };
        let snapshot =
            [delta(Side::Sell, 101, 3, true, false), delta(Side::Sell, 102, 4, false, false), delta(Side::Buy, 99, 9, false, true)];
        for delta in &snapshot {
            liquidity.observe_delta(delta);
        }
        taken(&mut liquidity, 5, |_| true);
        liquidity.observe_delta(&delta(Side::Sell, 102, 4, false, true));
        assert_eq!(taken(&mut liquidity, 1, |_| true), [Level { price: 102, quantity: 1 }]);
        for delta in &snapshot {
            liquidity.observe_delta(delta);
        }
        assert_eq!(taken(&mut liquidity, 9, |_| true), [Level { price: 102, quantity: 1 }]);
        // Another size in between is a change, also where the first comes back.
        liquidity.observe_delta(&delta(Side::Sell, 101, 2, false, true));
        liquidity.observe_delta(&delta(Side::Sell, 101, 3, false, true));
        assert_eq!(taken(&mut liquidity, 9, |_| true), [Level { price: 101, quantity: 3 }]);
    }
}
