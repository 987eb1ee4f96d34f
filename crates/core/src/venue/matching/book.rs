//! The book: what is asked of it, and the matching itself.

use super::queue::{Ladder, Node, Slab};
use super::{Match, MatchEvent, OrderKey, Participant};
use crate::error::Code;
use crate::market::{Level, Quote, Side};
use crate::order::{OrderType, TimeInForce};
use rustc_hash::FxBuildHasher;
use std::collections::HashMap;

/// An order on its way into the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The caller's number of the order.
    pub key: OrderKey,
    /// Whose it is.
    pub participant: Participant,
    /// Buy or sell.
    pub side: Side,
    /// How much, above zero.
    pub quantity: i64,
    /// At which price. A market order never rests.
    pub order_type: OrderType,
    /// For how long.
    pub time_in_force: TimeInForce,
}

/// An order in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    /// The caller's number of the order.
    pub key: OrderKey,
    /// Whose it is.
    pub participant: Participant,
    /// Buy or sell.
    pub side: Side,
    /// Its limit.
    pub price: i64,
    /// What is left of it.
    pub remaining: i64,
}

/// A price-time priority book.
///
/// The best price trades first, at one price the oldest order; a trade is at the
/// price of the order that rested. The book is never crossed, and what rests on one
/// side together fits 64 bits.
///
/// ```
/// use tradewind_core::market::Side;
/// use tradewind_core::order::{OrderType, TimeInForce};
/// use tradewind_core::venue::matching::{MatchEvent, MatchingBook, OrderKey, Participant, Submission};
///
/// let order = |key, side, quantity, price| Submission {
///     key: OrderKey(key),
///     participant: Participant(0),
///     side,
///     quantity,
///     order_type: OrderType::Limit(price),
///     time_in_force: TimeInForce::GoodTillCancelled,
/// };
/// let (mut book, mut events) = (MatchingBook::default(), Vec::new());
/// book.submit(&order(1, Side::Sell, 5, 101), &mut events);
/// book.submit(&order(2, Side::Buy, 8, 102), &mut events);
/// let trade = events.iter().find_map(|event| match event {
///     MatchEvent::Trade(trade) => Some(trade),
///     _ => None,
/// });
/// assert_eq!(trade.map(|trade| (trade.price, trade.quantity)), Some((101, 5)));
/// assert_eq!(book.best(Side::Buy).map(|level| (level.price, level.quantity)), Some((102, 3)));
/// assert_eq!(book.best(Side::Sell), None);
/// ```
#[derive(Clone, Debug)]
pub struct MatchingBook {
    ladders: [Ladder; 2],
    slab: Slab,
    /// Only ever asked by key, never walked through: its order decides nothing.
    places: HashMap<OrderKey, u32, FxBuildHasher>,
}

impl Default for MatchingBook {
    fn default() -> Self {
        Self { ladders: [Ladder::new(Side::Buy), Ladder::new(Side::Sell)], slab: Slab::default(), places: HashMap::default() }
    }
}

impl MatchingBook {
    /// Takes a new order; trades it as far as its price goes, and rests what may rest.
    pub fn submit(&mut self, order: &Submission, events: &mut Vec<MatchEvent>) {
        if let Some(code) = self.objection(order) {
            events.push(MatchEvent::Rejected { order: order.key, code });
            return;
        }
        events.push(MatchEvent::Accepted { order: order.key, participant: order.participant });
        let limit = order.order_type.price();
        let post_only = order.time_in_force == TimeInForce::PostOnly;
        let mut node = Node::new(order.key, order.participant, order.side, limit.unwrap_or_default(), order.quantity, post_only);
        self.take(&mut node, limit, events);
        if node.remaining == 0 {
            return;
        }
        let code = match (limit, order.time_in_force) {
            (None, _) => Code::NoLiquidity,
            (_, TimeInForce::ImmediateOrCancel) => Code::ImmediateOrCancel,
            (_, TimeInForce::GoodTillCancelled | TimeInForce::PostOnly) => {
                let place = self.slab.insert(node);
                self.places.insert(node.key, place);
                self.rest(place, events);
                return;
            }
        };
        events.push(MatchEvent::Cancelled { order: node.key, participant: node.participant, remaining: node.remaining, code });
    }

    /// Takes an order out of the book.
    pub fn cancel(&mut self, order: OrderKey, events: &mut Vec<MatchEvent>) {
        let Some(place) = self.places.remove(&order) else {
            events.push(MatchEvent::Rejected { order, code: Code::OrderNotOpen });
            return;
        };
        let Node { participant, side, price, remaining, .. } = *self.slab.get(place);
        let quantity = self.ladders[side as usize].unlink(&mut self.slab, place);
        self.slab.release(place);
        events.push(MatchEvent::Cancelled { order, participant, remaining, code: Code::Requested });
        events.push(MatchEvent::Level { side, price, quantity });
    }

    /// Gives an order a price and a quantity that is left of it.
    ///
    /// At the same price and not larger it keeps its place in the queue; otherwise it
    /// goes to the end, after trading as far as its new price goes. A post-only order
    /// that would trade so is not changed.
    pub fn amend(&mut self, order: OrderKey, price: i64, remaining: i64, events: &mut Vec<MatchEvent>) {
        let place = match self.amendable(order, price, remaining) {
            Ok(place) => place,
            Err(code) => {
                events.push(MatchEvent::Rejected { order, code });
                return;
            }
        };
        let old = *self.slab.get(place);
        let (side, participant) = (old.side, old.participant);
        events.push(MatchEvent::Amended { order, participant, price, remaining });
        if price == old.price && remaining <= old.remaining {
            if remaining < old.remaining {
                let quantity = self.ladders[side as usize].reduce(&mut self.slab, place, remaining);
                events.push(MatchEvent::Level { side, price, quantity });
            }
            return;
        }
        let quantity = self.ladders[side as usize].unlink(&mut self.slab, place);
        if price != old.price {
            events.push(MatchEvent::Level { side, price: old.price, quantity });
        }
        let mut node = old;
        (node.price, node.remaining) = (price, remaining);
        self.take(&mut node, Some(price), events);
        if node.remaining == 0 {
            self.places.remove(&order);
            self.slab.release(place);
        } else {
            *self.slab.get_mut(place) = node;
            self.rest(place, events);
        }
    }

    /// The best level of one side.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.ladders[side as usize].queues.last().map(|queue| Level { price: queue.price, quantity: queue.quantity })
    }

    /// The best bid and offer, if both sides have one.
    #[inline]
    pub fn quote(&self) -> Option<Quote> {
        let (bid, ask) = (self.best(Side::Buy)?, self.best(Side::Sell)?);
        Some(Quote { bid: bid.price, bid_quantity: bid.quantity, ask: ask.price, ask_quantity: ask.quantity })
    }

    /// The levels of one side, best first.
    pub fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = Level> + '_ {
        self.ladders[side as usize].queues.iter().rev().map(|queue| Level { price: queue.price, quantity: queue.quantity })
    }

    /// Everything that rests on one side, at all prices together.
    #[inline]
    pub fn total(&self, side: Side) -> i64 {
        self.ladders[side as usize].total
    }

    /// An order that is in the book.
    #[inline]
    pub fn order(&self, key: OrderKey) -> Option<RestingOrder> {
        self.places.get(&key).map(|&place| self.resting(place))
    }

    /// The orders of one side in the order in which they would trade.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        let queues = self.ladders[side as usize].queues.iter().rev();
        queues.flat_map(|queue| queue.places(&self.slab)).map(|place| self.resting(place))
    }

    fn resting(&self, place: u32) -> RestingOrder {
        let Node { key, participant, side, price, remaining, .. } = *self.slab.get(place);
        RestingOrder { key, participant, side, price, remaining }
    }

    /// Why a new order cannot be taken.
    fn objection(&self, order: &Submission) -> Option<Code> {
        let limit = order.order_type.price();
        if order.quantity <= 0 {
            Some(Code::BadQuantity)
        } else if limit.is_some_and(|price| price <= 0) {
            Some(Code::BadPrice)
        } else if self.places.contains_key(&order.key) {
            Some(Code::DuplicateName)
        } else if self.total(order.side).checked_add(order.quantity).is_none() {
            Some(Code::OutOfRange)
        } else if order.time_in_force == TimeInForce::PostOnly && self.would_take(order.side, limit) {
            Some(Code::WouldTake)
        } else {
            None
        }
    }

    /// The place of an order that can be changed so, or why it cannot.
    fn amendable(&self, order: OrderKey, price: i64, remaining: i64) -> Result<u32, Code> {
        let place = *self.places.get(&order).ok_or(Code::OrderNotOpen)?;
        let old = self.slab.get(place);
        if remaining <= 0 {
            Err(Code::BadQuantity)
        } else if price <= 0 {
            Err(Code::BadPrice)
        } else if (self.total(old.side) - old.remaining).checked_add(remaining).is_none() {
            Err(Code::OutOfRange)
        } else if old.post_only && self.would_take(old.side, Some(price)) {
            Err(Code::WouldTake)
        } else {
            Ok(place)
        }
    }

    /// Whether an order of this limit would trade; one without a limit always wants to.
    fn would_take(&self, side: Side, limit: Option<i64>) -> bool {
        let Some(limit) = limit else { return true };
        self.best(side.opposite()).is_some_and(|best| side.accepts(limit, best.price))
    }

    /// Trades an order against the other side, as far as its limit goes.
    fn take(&mut self, taker: &mut Node, limit: Option<i64>, events: &mut Vec<MatchEvent>) {
        let ladder = &mut self.ladders[taker.side.opposite() as usize];
        while taker.remaining > 0 {
            let Some(queue) = ladder.queues.last_mut() else { return };
            let price = queue.price;
            if limit.is_some_and(|limit| !taker.side.accepts(limit, price)) {
                return;
            }
            while taker.remaining > 0 && queue.quantity > 0 {
                let (maker, quantity) = queue.fill_oldest(&mut self.slab, taker.remaining);
                ladder.total -= quantity;
                taker.remaining -= quantity;
                if maker.remaining == 0 {
                    self.places.remove(&maker.key);
                }
                events.push(MatchEvent::Trade(Match {
                    price,
                    quantity,
                    aggressor: taker.side,
                    maker: maker.key,
                    maker_participant: maker.participant,
                    maker_remaining: maker.remaining,
                    taker: taker.key,
                    taker_participant: taker.participant,
                    taker_remaining: taker.remaining,
                }));
            }
            events.push(MatchEvent::Level { side: taker.side.opposite(), price, quantity: queue.quantity });
            if queue.quantity == 0 {
                ladder.queues.pop();
            }
        }
    }

    /// Puts an order at the end of its queue.
    fn rest(&mut self, place: u32, events: &mut Vec<MatchEvent>) {
        let Node { side, price, .. } = *self.slab.get(place);
        let quantity = self.ladders[side as usize].append(&mut self.slab, place);
        events.push(MatchEvent::Level { side, price, quantity });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MatchEvent::{Accepted, Amended, Cancelled, Rejected, Trade};
    use Side::{Buy, Sell};
    use TimeInForce::{GoodTillCancelled, ImmediateOrCancel, PostOnly};

    const US: Participant = Participant(7);

    fn order(key: u64, side: Side, quantity: i64, order_type: OrderType, time_in_force: TimeInForce) -> Submission {
        Submission { key: OrderKey(key), participant: US, side, quantity, order_type, time_in_force }
    }

    fn limit(key: u64, side: Side, quantity: i64, price: i64) -> Submission {
        order(key, side, quantity, OrderType::Limit(price), GoodTillCancelled)
    }

    /// A book of these orders.
    fn book(orders: &[Submission]) -> MatchingBook {
        let mut book = MatchingBook::default();
        for order in orders {
            assert!(!matches!(submit(&mut book, order)[0], Rejected { .. }));
        }
        book
    }

    fn submit(book: &mut MatchingBook, order: &Submission) -> Vec<MatchEvent> {
        let mut events = Vec::new();
        book.submit(order, &mut events);
        events
    }

    fn amend(book: &mut MatchingBook, key: u64, price: i64, remaining: i64) -> Vec<MatchEvent> {
        let mut events = Vec::new();
        book.amend(OrderKey(key), price, remaining, &mut events);
        events
    }

    fn cancel(book: &mut MatchingBook, key: u64) -> Vec<MatchEvent> {
        let mut events = Vec::new();
        book.cancel(OrderKey(key), &mut events);
        events
    }

    fn accepted(key: u64) -> MatchEvent {
        Accepted { order: OrderKey(key), participant: US }
    }

    fn rejected(key: u64, code: Code) -> Vec<MatchEvent> {
        vec![Rejected { order: OrderKey(key), code }]
    }

    fn level(side: Side, price: i64, quantity: i64) -> MatchEvent {
        MatchEvent::Level { side, price, quantity }
    }

    /// A trade of (maker, what is left of it) and (taker, what is left of it).
    fn trade(price: i64, quantity: i64, aggressor: Side, maker: (u64, i64), taker: (u64, i64)) -> MatchEvent {
        Trade(Match {
            price,
            quantity,
            aggressor,
            maker: OrderKey(maker.0),
            maker_participant: US,
            maker_remaining: maker.1,
            taker: OrderKey(taker.0),
            taker_participant: US,
            taker_remaining: taker.1,
        })
    }

    fn keys(book: &MatchingBook, side: Side) -> Vec<u64> {
        book.orders(side).map(|order| order.key.0).collect()
    }

    #[test]
    fn the_best_price_trades_first_then_the_oldest_order_and_the_rest_rests() {
        let mut book = book(&[limit(1, Sell, 2, 102), limit(2, Sell, 2, 101), limit(3, Sell, 2, 101), limit(4, Sell, 2, 103)]);
        let events = submit(&mut book, &limit(5, Buy, 7, 102));
        let expected = [
            accepted(5),
            trade(101, 2, Buy, (2, 0), (5, 5)),
            trade(101, 2, Buy, (3, 0), (5, 3)),
            level(Sell, 101, 0),
            trade(102, 2, Buy, (1, 0), (5, 1)),
            level(Sell, 102, 0),
            level(Buy, 102, 1),
        ];
        assert_eq!(events, expected);
        assert_eq!(book.quote(), Some(Quote { bid: 102, bid_quantity: 1, ask: 103, ask_quantity: 2 }));
        assert_eq!((book.total(Buy), book.total(Sell)), (1, 2));
    }

    #[test]
    fn a_market_order_never_rests() {
        let market = |key, time_in_force| order(key, Sell, 5, OrderType::Market, time_in_force);
        let mut book = book(&[limit(1, Buy, 3, 100)]);
        let rest = |key, remaining| Cancelled { order: OrderKey(key), participant: US, remaining, code: Code::NoLiquidity };
        let expected = [accepted(2), trade(100, 3, Sell, (1, 0), (2, 2)), level(Buy, 100, 0), rest(2, 2)];
        assert_eq!(submit(&mut book, &market(2, GoodTillCancelled)), expected);
        assert_eq!(submit(&mut book, &market(3, ImmediateOrCancel)), [accepted(3), rest(3, 5)]);
        assert_eq!(submit(&mut book, &market(4, PostOnly)), rejected(4, Code::WouldTake));
    }

    #[test]
    fn immediate_or_cancel_takes_up_to_its_limit() {
        let mut book = book(&[limit(1, Sell, 3, 100), limit(2, Sell, 3, 101)]);
        let expected = [
            accepted(3),
            trade(100, 3, Buy, (1, 0), (3, 2)),
            level(Sell, 100, 0),
            Cancelled { order: OrderKey(3), participant: US, remaining: 2, code: Code::ImmediateOrCancel },
        ];
        assert_eq!(submit(&mut book, &order(3, Buy, 5, OrderType::Limit(100), ImmediateOrCancel)), expected);
        assert_eq!(keys(&book, Buy), []);
    }

    #[test]
    fn post_only_rests_or_is_rejected() {
        let mut book = book(&[limit(1, Sell, 3, 100)]);
        assert_eq!(submit(&mut book, &order(2, Buy, 1, OrderType::Limit(100), PostOnly)), rejected(2, Code::WouldTake));
        assert_eq!(submit(&mut book, &order(2, Buy, 1, OrderType::Limit(99), PostOnly)), [accepted(2), level(Buy, 99, 1)]);
        assert_eq!(amend(&mut book, 2, 100, 1), rejected(2, Code::WouldTake));
        assert_eq!(book.order(OrderKey(2)).map(|order| order.price), Some(99));
    }

    #[test]
    fn a_smaller_quantity_keeps_the_place_in_the_queue() {
        let mut book = book(&[limit(1, Buy, 5, 100), limit(2, Buy, 5, 100)]);
        let amended = |remaining| Amended { order: OrderKey(1), participant: US, price: 100, remaining };
        assert_eq!(amend(&mut book, 1, 100, 2), [amended(2), level(Buy, 100, 7)]);
        assert_eq!(amend(&mut book, 1, 100, 2), [amended(2)]);
        assert_eq!(keys(&book, Buy), [1, 2]);
        assert_eq!(amend(&mut book, 1, 100, 3), [amended(3), level(Buy, 100, 8)]);
        assert_eq!(keys(&book, Buy), [2, 1]);
    }

    #[test]
    fn another_price_loses_the_place_and_may_trade() {
        let mut book = book(&[limit(1, Buy, 5, 100), limit(2, Buy, 5, 99), limit(3, Sell, 4, 102)]);
        let amended = |price| Amended { order: OrderKey(1), participant: US, price, remaining: 5 };
        assert_eq!(amend(&mut book, 1, 99, 5), [amended(99), level(Buy, 100, 0), level(Buy, 99, 10)]);
        assert_eq!(keys(&book, Buy), [2, 1]);
        let expected = [amended(103), level(Buy, 99, 5), trade(102, 4, Buy, (3, 0), (1, 1)), level(Sell, 102, 0), level(Buy, 103, 1)];
        assert_eq!(amend(&mut book, 1, 103, 5), expected);
        assert_eq!(submit(&mut book, &limit(4, Sell, 2, 101))[1], trade(103, 1, Sell, (1, 0), (4, 1)));
        amend(&mut book, 2, 101, 1);
        assert_eq!((book.order(OrderKey(2)), book.order(OrderKey(4))), (None, None), "both were filled whole");
        assert_eq!((book.total(Buy), book.total(Sell)), (0, 0));
    }

    #[test]
    fn a_cancelled_order_is_gone_and_its_key_free() {
        let mut book = book(&[limit(1, Buy, 5, 100)]);
        let gone = Cancelled { order: OrderKey(1), participant: US, remaining: 5, code: Code::Requested };
        assert_eq!(cancel(&mut book, 1), [gone, level(Buy, 100, 0)]);
        assert_eq!(cancel(&mut book, 1), rejected(1, Code::OrderNotOpen));
        assert_eq!(amend(&mut book, 1, 100, 1), rejected(1, Code::OrderNotOpen));
        assert_eq!(submit(&mut book, &limit(1, Buy, 5, 100)), [accepted(1), level(Buy, 100, 5)]);
    }

    #[test]
    fn impossible_calls_are_rejected_and_change_nothing() {
        let mut book = book(&[limit(1, Buy, i64::MAX - 1, 100)]);
        assert_eq!(submit(&mut book, &limit(2, Buy, 0, 100)), rejected(2, Code::BadQuantity));
        assert_eq!(submit(&mut book, &limit(2, Buy, 1, 0)), rejected(2, Code::BadPrice));
        assert_eq!(submit(&mut book, &limit(1, Sell, 1, 200)), rejected(1, Code::DuplicateName));
        assert_eq!(submit(&mut book, &limit(2, Buy, 2, 50)), rejected(2, Code::OutOfRange));
        assert_eq!(submit(&mut book, &limit(2, Buy, 1, 50)), [accepted(2), level(Buy, 50, 1)]);
        assert_eq!(amend(&mut book, 2, 50, 2), rejected(2, Code::OutOfRange));
        assert_eq!(amend(&mut book, 2, 50, 0), rejected(2, Code::BadQuantity));
        assert_eq!(amend(&mut book, 2, -1, 1), rejected(2, Code::BadPrice));
        assert_eq!(keys(&book, Buy), [1, 2]);
    }
}
