//! What an order would meet in the book, without sending it.

use super::{MatchingBook, OrderKey, Participant};
use crate::market::{Level, Side};

impl MatchingBook {
    /// How much an order of this limit could trade at once; no more than `wanted` is looked for.
    pub fn available(&self, side: Side, limit: Option<i64>, wanted: i64) -> i64 {
        let mut found = 0_i64;
        for level in self.within(side, limit) {
            found += level.quantity;
            if found >= wanted {
                return wanted;
            }
        }
        found
    }

    /// What the best `quantity` of the other side costs: how much of it there is, and price × quantity.
    pub fn cost(&self, side: Side, quantity: i64) -> (i64, i128) {
        let (mut left, mut value) = (quantity, 0_i128);
        for level in self.within(side, None) {
            let taken = level.quantity.min(left);
            left -= taken;
            value += i128::from(taken) * i128::from(level.price);
            if left == 0 {
                break;
            }
        }
        (quantity - left, value)
    }

    /// How much of the other side so much value (price × quantity) pays for, in whole lots.
    pub fn affordable(&self, side: Side, value: i128, lot: i64) -> i64 {
        let (mut left, mut quantity) = (value, 0_i64);
        for level in self.within(side, None) {
            let whole = i128::from(level.quantity) * i128::from(level.price);
            if whole > left {
                quantity += (left / i128::from(level.price)) as i64;
                break;
            }
            left -= whole;
            quantity += level.quantity;
        }
        quantity / lot.max(1) * lot.max(1)
    }

    /// What an order would trade before it meets an order of its own participant, and which of
    /// those it would meet while it has something left for others.
    pub fn own_orders_ahead(&self, participant: Participant, side: Side, quantity: i64, limit: Option<i64>) -> (i64, Vec<OrderKey>) {
        let (mut others, mut before, mut own) = (0_i64, quantity, Vec::new());
        for order in self.orders(side.opposite()) {
            if others >= quantity || limit.is_some_and(|limit| !side.accepts(limit, order.price)) {
                break;
            }
            if order.participant == participant {
                before = if own.is_empty() { others } else { before };
                own.push(order.key);
            } else {
                others = others.saturating_add(order.remaining);
            }
        }
        (before.min(quantity), own)
    }

    /// The levels of the other side that an order of this limit accepts, best first.
    fn within(&self, side: Side, limit: Option<i64>) -> impl Iterator<Item = Level> + '_ {
        self.levels(side.opposite()).take_while(move |level| limit.is_none_or(|limit| side.accepts(limit, level.price)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{OrderType, TimeInForce};
    use crate::venue::matching::Submission;

    fn book(offers: &[(u64, u32, i64, i64)]) -> MatchingBook {
        let mut book = MatchingBook::default();
        for &(key, participant, quantity, price) in offers {
            let order = Submission {
                key: OrderKey(key),
                participant: Participant(participant),
                side: Side::Sell,
                quantity,
                order_type: OrderType::Limit(price),
                time_in_force: TimeInForce::GoodTillCancelled,
            };
            book.submit(&order, &mut Vec::new());
        }
        book
    }

    #[test]
    fn what_is_there_within_a_limit_and_what_it_costs() {
        let book = book(&[(1, 1, 5, 100), (2, 2, 5, 101), (3, 1, 5, 103)]);
        assert_eq!(book.available(Side::Buy, Some(101), 100), 10);
        assert_eq!(book.available(Side::Buy, Some(101), 7), 7);
        assert_eq!(book.available(Side::Buy, Some(99), 7), 0);
        assert_eq!(book.cost(Side::Buy, 7), (7, 702));
        assert_eq!(book.cost(Side::Buy, 70), (15, 1_520));
        assert_eq!(book.affordable(Side::Buy, 702, 1), 7);
        assert_eq!(book.affordable(Side::Buy, 701, 1), 6);
        assert_eq!(book.affordable(Side::Buy, 701, 5), 5);
        assert_eq!(book.affordable(Side::Buy, 1_000_000, 1), 15);
    }

    #[test]
    fn own_orders_are_met_only_while_others_do_not_suffice() {
        let book = book(&[(1, 1, 5, 100), (2, 2, 5, 101), (3, 1, 5, 103)]);
        let ahead = |participant, quantity, limit| book.own_orders_ahead(Participant(participant), Side::Buy, quantity, limit);
        assert_eq!(ahead(2, 5, None), (5, vec![]));
        assert_eq!(ahead(2, 6, None), (5, vec![OrderKey(2)]));
        assert_eq!(ahead(2, 6, Some(100)), (6, vec![]));
        assert_eq!(ahead(1, 5, None), (0, vec![OrderKey(1)]));
        assert_eq!(ahead(1, 6, None), (0, vec![OrderKey(1), OrderKey(3)]));
    }
}
