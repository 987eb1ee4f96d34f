//! An order book by price level, kept from snapshots and deltas.

use super::{Quote, Side};
use serde::{Deserialize, Serialize};

/// The change of one level: its new quantity, zero to delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookDelta {
    /// Bids are buys, asks are sells.
    pub side: Side,
    /// The level's price.
    pub price: i64,
    /// The level's new quantity, not the difference.
    pub quantity: i64,
    /// It begins a snapshot: everything that was known before is dropped.
    pub first: bool,
    /// It ends a message: only then is the book consistent.
    pub last: bool,
}

/// The quantity at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The price.
    pub price: i64,
    /// How much rests there.
    pub quantity: i64,
}

/// Both sides, best prices first.
///
/// Levels are stored worst first, because most changes are near the best price and
/// so near the end of the array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Book {
    /// Forgets everything: the book is stale until the next snapshot.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Takes one delta.
    pub fn apply(&mut self, delta: &BookDelta) {
        if delta.first {
            self.clear();
        }
        let levels = match delta.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let place = place_of(levels, delta.side, delta.price);
        let found = place > 0 && levels[place - 1].price == delta.price;
        match (found, delta.quantity) {
            (true, 0) => {
                levels.remove(place - 1);
            }
            (true, quantity) => levels[place - 1].quantity = quantity,
            (false, 0) => {}
            (false, quantity) => levels.insert(place, Level { price: delta.price, quantity }),
        }
    }

    /// The levels of one side, best first.
    pub fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = Level> + '_ {
        self.side(side).iter().rev().copied()
    }

    /// The best level of one side.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.side(side).last().copied()
    }

    /// How much rests at a price.
    pub fn quantity(&self, side: Side, price: i64) -> i64 {
        let levels = self.side(side);
        levels[..place_of(levels, side, price)].last().filter(|level| level.price == price).map_or(0, |level| level.quantity)
    }

    /// The best bid and offer, if both sides have one.
    #[inline]
    pub fn quote(&self) -> Option<Quote> {
        let (bid, ask) = (self.bids.last()?, self.asks.last()?);
        Some(Quote { bid: bid.price, bid_quantity: bid.quantity, ask: ask.price, ask_quantity: ask.quantity })
    }

    fn side(&self, side: Side) -> &[Level] {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }
}

/// Behind the last level that is not better than the price: changes near the best price,
/// which are the most, are found first, by steps that double.
#[inline]
fn place_of(levels: &[Level], side: Side, price: i64) -> usize {
    let mut step = 1;
    while step <= levels.len() && is_better(side, levels[levels.len() - step].price, price) {
        step *= 2;
    }
    let from = levels.len().saturating_sub(step);
    from + levels[from..].partition_point(|level| !is_better(side, level.price, price))
}

#[inline]
fn is_better(side: Side, price: i64, than: i64) -> bool {
    match side {
        Side::Buy => price > than,
        Side::Sell => price < than,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn equals_a_map_of_levels(deltas in prop::collection::vec((any::<bool>(), 1_i64..40, 0_i64..5, 0_u8..50), 0..300)) {
            let mut book = Book::default();
            let mut maps = [BTreeMap::new(), BTreeMap::new()];
            for (buy, price, quantity, first) in deltas {
                let (side, first) = (if buy { Side::Buy } else { Side::Sell }, first == 0);
                book.apply(&BookDelta { side, price, quantity, first, last: true });
                if first {
                    maps = [BTreeMap::new(), BTreeMap::new()];
                }
                let map = &mut maps[side as usize];
                if quantity == 0 { map.remove(&price); } else { map.insert(price, quantity); }
                prop_assert_eq!(book.quantity(side, price), quantity);
                let bids: Vec<_> = maps[0].iter().rev().map(|(&price, &quantity)| Level { price, quantity }).collect();
                let asks: Vec<_> = maps[1].iter().map(|(&price, &quantity)| Level { price, quantity }).collect();
                prop_assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), bids);
                prop_assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), asks);
            }
        }
    }
}
