//! The orders that the engine knows.

use crate::instrument::{AccountIndex, InstrumentIndex};
use crate::order::{Order, OrderId, StrategyIndex};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many orders are remembered, so that late reports find those that were closed. At 176
/// bytes an order this is most of what a run holds when it keeps nothing else.
const REMEMBERED: usize = 96;

/// The same where venues are real: a fill may come long after an order was given up, and must find it.
const REMEMBERED_OF_REAL: usize = 4_096;

/// How many of those that outlasted the newest orders are remembered once they are closed.
const REMEMBERED_OLDER: usize = 16;

/// Orders by number. Numbers are dense, so that a look-up among the newest is an array access;
/// older ones are kept apart while they are open, and forgotten some time after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    remembered: usize,
    /// The largest quantity of an order so far.
    largest: i64,
    newest: VecDeque<Order>,
    /// How many came before the newest: the number of the first of these less one.
    passed: u64,
    /// Orders that were open when they ceased to be among the newest.
    older: BTreeMap<OrderId, Box<Order>>,
    /// Those of them that were closed since, in the order of their closing.
    older_closed: VecDeque<OrderId>,
    /// The numbers of orders that are not closed, by strategy, oldest first.
    open: Vec<Vec<OrderId>>,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            remembered: REMEMBERED,
            largest: 0,
            newest: VecDeque::new(),
            passed: 0,
            older: BTreeMap::new(),
            older_closed: VecDeque::new(),
            open: Vec::new(),
        }
    }
}

impl Orders {
    /// Remembers more: some of them are at real venues.
    pub(crate) fn expect_late_reports(&mut self) {
        self.remembered = REMEMBERED_OF_REAL;
    }

    /// The number that the next order gets; numbers count from one.
    #[inline]
    pub fn next_id(&self) -> OrderId {
        OrderId(self.passed + self.newest.len() as u64 + 1)
    }

    /// Adds an order that has the next number.
    pub fn add(&mut self, order: Order) {
        debug_assert_eq!(order.id, self.next_id());
        self.largest = self.largest.max(order.request.quantity);
        let strategy = order.strategy.at();
        if strategy >= self.open.len() {
            self.open.resize_with(strategy + 1, Vec::new);
        }
        self.open[strategy].push(order.id);
        if self.newest.capacity() == 0 {
            // Else it would grow to the next power of two.
            self.newest.reserve_exact(REMEMBERED);
        }
        // First, so that what is held need not grow.
        if self.newest.len() >= self.remembered {
            self.pass_oldest();
        }
        self.newest.push_back(order);
    }

    #[inline]
    fn pass_oldest(&mut self) {
        self.passed += 1;
        if self.newest.front().is_some_and(|oldest| oldest.status.is_closed()) {
            self.newest.pop_front();
        } else {
            self.keep_oldest();
        }
    }

    #[cold]
    fn keep_oldest(&mut self) {
        if let Some(oldest) = self.newest.pop_front() {
            self.older.insert(oldest.id, Box::new(oldest));
        }
    }

    /// Whether there was such an order, closed for so long that it was forgotten.
    pub fn is_forgotten(&self, id: OrderId) -> bool {
        (1..=self.passed).contains(&id.0) && !self.older.contains_key(&id)
    }

    /// An order by number, unless it was forgotten.
    #[inline]
    pub fn get(&self, id: OrderId) -> Option<&Order> {
        match id.0.checked_sub(self.passed + 1) {
            Some(place) => self.newest.get(place as usize),
            None => self.get_older(id),
        }
    }

    /// The same, to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        match id.0.checked_sub(self.passed + 1) {
            Some(place) => self.newest.get_mut(place as usize),
            None => self.get_older_mut(id),
        }
    }

    #[cold]
    fn get_older(&self, id: OrderId) -> Option<&Order> {
        self.older.get(&id).map(Box::as_ref)
    }

    #[cold]
    fn get_older_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        self.older.get_mut(&id).map(Box::as_mut)
    }

    /// How many orders of a strategy are open.
    #[inline]
    pub(crate) fn count_open(&self, strategy: StrategyIndex) -> usize {
        self.open.get(strategy.at()).map_or(0, Vec::len)
    }

    /// Takes a closed order out of the list of open ones.
    pub(crate) fn close(&mut self, strategy: StrategyIndex, id: OrderId) {
        let open = &mut self.open[strategy.at()];
        if let Ok(place) = open.binary_search(&id) {
            open.remove(place);
            if id.0 <= self.passed {
                self.close_older(id);
            }
        }
    }

    #[cold]
    fn close_older(&mut self, id: OrderId) {
        self.older_closed.push_back(id);
        if self.older_closed.len() > REMEMBERED_OLDER
            && let Some(first) = self.older_closed.pop_front()
        {
            self.older.remove(&first);
        }
    }

    /// More than all open orders together can want.
    pub(crate) fn most_wanted(&self) -> i128 {
        i128::from(self.largest) * self.open.iter().map(|open| open.len() as i128).sum::<i128>()
    }

    /// Whether no order of a strategy is open.
    #[inline]
    pub fn are_closed(&self, strategy: StrategyIndex) -> bool {
        self.count_open(strategy) == 0
    }

    /// The orders of a strategy that are not closed, oldest first.
    pub fn open(&self, strategy: StrategyIndex) -> impl Iterator<Item = &Order> {
        self.open.get(strategy.at()).into_iter().flatten().filter_map(|&id| self.get(id))
    }

    /// The orders of all strategies that are not closed, by strategy, then oldest first.
    pub fn all_open(&self) -> impl Iterator<Item = &Order> {
        self.open.iter().flatten().filter_map(|&id| self.get(id))
    }

    /// The orders of an account that are not closed.
    pub fn open_of_account(&self, account: AccountIndex) -> impl Iterator<Item = &Order> {
        self.all_open().filter(move |order| order.request.account == account)
    }

    /// What a strategy's orders in an instrument still want, with its sign.
    #[inline]
    pub fn working(&self, strategy: StrategyIndex, instrument: InstrumentIndex) -> i64 {
        self.open(strategy).filter(|order| order.request.instrument == instrument).map(Order::working).sum()
    }

    /// Every order that is known, oldest first.
    pub fn known(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.older.values().map(Box::as_ref).chain(&self.newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Side;
    use crate::order::{NewOrder, OrderType, PositionSlot, Status, TimeInForce};

    fn add(orders: &mut Orders) -> OrderId {
        let id = orders.next_id();
        let request = NewOrder {
            account: AccountIndex(0),
            slot: PositionSlot::Net,
            instrument: InstrumentIndex(0),
            side: Side::Buy,
            quantity: 1,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::GoodTillCancelled,
            reduce_only: false,
        };
        orders.add(Order {
            id,
            strategy: StrategyIndex(0),
            count: id.0,
            request,
            by_target: false,
            status: Status::Open,
            reason: None,
            note: None,
            trade_ids: smallvec::SmallVec::new(),
            is_accepted: true,
            is_cancel_wanted: false,
            filled: 0,
            filled_value: 0,
            decided_ns: 0,
            updated_ns: 0,
            decision_mid_doubled: None,
        });
        id
    }

    fn close(orders: &mut Orders, id: OrderId) {
        orders.get_mut(id).unwrap().status = Status::Cancelled;
        orders.close(StrategyIndex(0), id);
    }

    fn closed_on_the_way(orders: &mut Orders, count: usize) {
        for _ in 0..count {
            let id = add(orders);
            close(orders, id);
        }
    }

    #[test]
    fn an_open_order_is_reached_while_closed_ones_around_it_are_forgotten() {
        let mut orders = Orders::default();
        closed_on_the_way(&mut orders, 5);
        let resting = add(&mut orders);
        closed_on_the_way(&mut orders, 10_000);
        assert_eq!(orders.next_id(), OrderId(10_007));
        assert_eq!(orders.known().count(), REMEMBERED + 1);
        assert_eq!(orders.known().next().unwrap().id, resting);
        assert_eq!(orders.all_open().map(|order| order.id).collect::<Vec<_>>(), [resting]);
        for id in [5, 7, 9_000] {
            assert!(orders.is_forgotten(OrderId(id)) && orders.get(OrderId(id)).is_none());
        }
        for id in [resting, OrderId(10_006)] {
            assert!(!orders.is_forgotten(id) && orders.get(id).is_some_and(|order| order.id == id));
        }
        assert!(!orders.is_forgotten(OrderId(0)) && !orders.is_forgotten(orders.next_id()) && orders.get(orders.next_id()).is_none());
    }

    #[test]
    fn one_that_is_closed_late_is_remembered_for_a_while() {
        let mut orders = Orders::default();
        let resting: Vec<_> = (0..200).map(|_| add(&mut orders)).collect();
        closed_on_the_way(&mut orders, 1_000);
        assert_eq!(orders.known().count(), REMEMBERED + 200);
        for &id in resting.iter().rev() {
            close(&mut orders, id);
            assert!(orders.get(id).is_some_and(|order| order.status == Status::Cancelled));
        }
        let known: Vec<_> = orders.known().take(REMEMBERED_OLDER).map(|order| order.id).collect();
        assert_eq!(known, resting[..REMEMBERED_OLDER]);
        assert_eq!(orders.known().count(), REMEMBERED + REMEMBERED_OLDER);
        assert!(orders.are_closed(StrategyIndex(0)));
        // Closing again changes nothing.
        orders.close(StrategyIndex(0), resting[0]);
        assert_eq!(orders.known().count(), REMEMBERED + REMEMBERED_OLDER);
    }
}
