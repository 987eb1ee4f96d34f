//! The rules of matching at their plainest: a list of orders, searched from end to end.
//! The book must say the same, event by event.

use super::{Match, MatchEvent, MatchingBook, OrderKey, Participant, RestingOrder, Submission};
use crate::error::Code;
use crate::market::{Level, Side};
use crate::order::{OrderType, TimeInForce};
use proptest::prelude::*;

/// All resting orders in the order of their time priority.
#[derive(Default)]
struct Model {
    orders: Vec<(RestingOrder, bool)>,
}

impl Model {
    fn place(&self, key: OrderKey) -> Option<usize> {
        self.orders.iter().position(|(order, _)| order.key == key)
    }

    /// The order that trades next: of the best price the first in the list.
    fn best(&self, side: Side) -> Option<usize> {
        let places = (0..self.orders.len()).filter(|&place| self.orders[place].0.side == side);
        places.min_by_key(|&place| -side.sign() * self.orders[place].0.price)
    }

    fn crosses(&self, side: Side, limit: i64) -> bool {
        self.best(side.opposite()).is_some_and(|place| side.accepts(limit, self.orders[place].0.price))
    }

    fn level(&self, side: Side, price: i64) -> MatchEvent {
        let at_price = self.orders.iter().filter(|(order, _)| order.side == side && order.price == price);
        MatchEvent::Level { side, price, quantity: at_price.map(|(order, _)| order.remaining).sum() }
    }

    fn take(&mut self, taker: &mut RestingOrder, limit: i64, events: &mut Vec<MatchEvent>) {
        let opposite = taker.side.opposite();
        let mut traded_at = None;
        while taker.remaining > 0 && self.crosses(taker.side, limit) {
            let place = self.best(opposite).unwrap();
            let maker = &mut self.orders[place].0;
            let (price, quantity) = (maker.price, maker.remaining.min(taker.remaining));
            maker.remaining -= quantity;
            taker.remaining -= quantity;
            let maker = *maker;
            if maker.remaining == 0 {
                self.orders.remove(place);
            }
            if traded_at.is_some_and(|before| before != price) {
                events.push(self.level(opposite, traded_at.unwrap()));
            }
            traded_at = Some(price);
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
        events.extend(traded_at.map(|price| self.level(opposite, price)));
    }

    fn submit(&mut self, order: &Submission, events: &mut Vec<MatchEvent>) {
        let &Submission { key, participant, side, quantity, order_type, time_in_force } = order;
        let everything = if side == Side::Buy { i64::MAX } else { i64::MIN };
        let limit = order_type.price().unwrap_or(everything);
        let post_only = time_in_force == TimeInForce::PostOnly;
        let code = if quantity <= 0 {
            Some(Code::BadQuantity)
        } else if order_type.price().is_some_and(|price| price <= 0) {
            Some(Code::BadPrice)
        } else if self.place(key).is_some() {
            Some(Code::DuplicateName)
        } else {
            (post_only && (order_type == OrderType::Market || self.crosses(side, limit))).then_some(Code::WouldTake)
        };
        if let Some(code) = code {
            events.push(MatchEvent::Rejected { order: key, code });
            return;
        }
        events.push(MatchEvent::Accepted { order: key, participant });
        let mut taker = RestingOrder { key, participant, side, price: limit, remaining: quantity };
        self.take(&mut taker, limit, events);
        let cancelled = |code| MatchEvent::Cancelled { order: key, participant, remaining: taker.remaining, code };
        if taker.remaining == 0 {
        } else if order_type == OrderType::Market {
            events.push(cancelled(Code::NoLiquidity));
        } else if time_in_force == TimeInForce::ImmediateOrCancel {
            events.push(cancelled(Code::ImmediateOrCancel));
        } else {
            self.orders.push((taker, post_only));
            events.push(self.level(side, limit));
        }
    }

    fn cancel(&mut self, key: OrderKey, events: &mut Vec<MatchEvent>) {
        let Some(place) = self.place(key) else {
            events.push(MatchEvent::Rejected { order: key, code: Code::OrderNotOpen });
            return;
        };
        let (order, _) = self.orders.remove(place);
        let RestingOrder { participant, remaining, .. } = order;
        events.push(MatchEvent::Cancelled { order: key, participant, remaining, code: Code::Requested });
        events.push(self.level(order.side, order.price));
    }

    fn amend(&mut self, key: OrderKey, price: i64, remaining: i64, events: &mut Vec<MatchEvent>) {
        let code = match self.place(key) {
            None => Code::OrderNotOpen,
            Some(_) if remaining <= 0 => Code::BadQuantity,
            Some(_) if price <= 0 => Code::BadPrice,
            Some(place) if self.orders[place].1 && self.crosses(self.orders[place].0.side, price) => Code::WouldTake,
            Some(place) => return self.change(place, price, remaining, events),
        };
        events.push(MatchEvent::Rejected { order: key, code });
    }

    fn change(&mut self, place: usize, price: i64, remaining: i64, events: &mut Vec<MatchEvent>) {
        let (old, post_only) = self.orders[place];
        let RestingOrder { key, participant, side, .. } = old;
        events.push(MatchEvent::Amended { order: key, participant, price, remaining });
        if price == old.price && remaining <= old.remaining {
            self.orders[place].0.remaining = remaining;
            events.extend((remaining < old.remaining).then(|| self.level(side, price)));
            return;
        }
        self.orders.remove(place);
        if price != old.price {
            events.push(self.level(side, old.price));
        }
        let mut order = RestingOrder { price, remaining, ..old };
        self.take(&mut order, price, events);
        if order.remaining > 0 {
            self.orders.push((order, post_only));
            events.push(self.level(side, price));
        }
    }

    /// The orders of one side as they would trade; sorting keeps the time order at one price.
    fn orders(&self, side: Side) -> Vec<RestingOrder> {
        let mut orders: Vec<_> = self.orders.iter().map(|(order, _)| *order).filter(|order| order.side == side).collect();
        orders.sort_by_key(|order| -side.sign() * order.price);
        orders
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Submit(Submission),
    Cancel(OrderKey),
    Amend(OrderKey, i64, i64),
}

fn any_call() -> impl Strategy<Value = Call> {
    let key = || (0_u64..40).prop_map(OrderKey);
    let price = || -1_i64..25;
    let time_in_force = prop::sample::select(&TimeInForce::ALL[..]);
    let submission = (key(), 0_u32..5, any::<bool>(), -1_i64..30, prop::option::weighted(0.85, price()), time_in_force);
    prop_oneof![
        6 => submission.prop_map(|(key, participant, buy, quantity, limit, time_in_force)| Call::Submit(Submission {
            key,
            participant: Participant(participant),
            side: if buy { Side::Buy } else { Side::Sell },
            quantity,
            order_type: limit.map_or(OrderType::Market, OrderType::Limit),
            time_in_force,
        })),
        1 => key().prop_map(Call::Cancel),
        3 => (key(), price(), -1_i64..30).prop_map(|(key, price, remaining)| Call::Amend(key, price, remaining)),
    ]
}

/// What a call brought into the book, less what it took out, as its events tell it:
/// a trade takes from both of its orders.
fn brought_in(call: Call, before: Option<RestingOrder>, events: &[MatchEvent]) -> i64 {
    let asked = match call {
        Call::Submit(order) => order.quantity,
        Call::Amend(_, _, remaining) => remaining - before.map_or(0, |order| order.remaining),
        Call::Cancel(_) => 0,
    };
    let changes = events.iter().map(|event| match *event {
        MatchEvent::Accepted { .. } | MatchEvent::Amended { .. } => asked,
        MatchEvent::Trade(trade) => -2 * trade.quantity,
        MatchEvent::Cancelled { remaining, .. } => -remaining,
        MatchEvent::Rejected { .. } | MatchEvent::Level { .. } => 0,
    });
    changes.sum()
}

proptest! {
    #[test]
    fn the_book_says_what_the_model_says(calls in prop::collection::vec(any_call(), 0..400)) {
        let (mut book, mut model) = (MatchingBook::default(), Model::default());
        let (mut events, mut expected) = (Vec::new(), Vec::new());
        let mut brought = 0;
        for call in calls {
            events.clear();
            expected.clear();
            let before = match call {
                Call::Amend(key, ..) => book.order(key),
                Call::Submit(_) | Call::Cancel(_) => None,
            };
            match call {
                Call::Submit(order) => { book.submit(&order, &mut events); model.submit(&order, &mut expected); }
                Call::Cancel(key) => { book.cancel(key, &mut events); model.cancel(key, &mut expected); }
                Call::Amend(key, price, remaining) => {
                    book.amend(key, price, remaining, &mut events);
                    model.amend(key, price, remaining, &mut expected);
                }
            }
            prop_assert_eq!(&events, &expected, "{:?}", call);
            brought += brought_in(call, before, &events);
            prop_assert_eq!(brought, book.total(Side::Buy) + book.total(Side::Sell));
            if let Some(quote) = book.quote() {
                prop_assert!(quote.bid < quote.ask);
            }
            for side in [Side::Buy, Side::Sell] {
                let orders = model.orders(side);
                prop_assert_eq!(book.orders(side).collect::<Vec<_>>(), orders.clone());
                prop_assert_eq!(book.total(side), orders.iter().map(|order| order.remaining).sum::<i64>());
                let mut levels: Vec<Level> = Vec::new();
                for order in orders {
                    prop_assert_eq!(book.order(order.key), Some(order));
                    match levels.last_mut().filter(|level| level.price == order.price) {
                        Some(level) => level.quantity += order.remaining,
                        None => levels.push(Level { price: order.price, quantity: order.remaining }),
                    }
                }
                prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), levels);
                prop_assert_eq!(book.best(side), book.levels(side).next());
            }
        }
    }
}
