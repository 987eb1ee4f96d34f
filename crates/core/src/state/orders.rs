//! The orders that the engine knows.

use crate::instrument::{AccountIndex, InstrumentIndex};
use crate::order::{Order, OrderId, StrategyIndex};
use std::collections::VecDeque;

/// How many orders are remembered, so that late reports find those that were closed. At 176
/// bytes an order this is most of what a run holds when it keeps nothing else.
const REMEMBERED: usize = 128;

/// Orders by number. Numbers are dense, so that a look-up is an array access; the oldest
/// are forgotten once they are closed.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    known: VecDeque<Order>,
    /// How many were forgotten: the number of the first known order less one.
    forgotten: u64,
    /// The numbers of orders that are not closed, by strategy, oldest first.
    open: Vec<Vec<OrderId>>,
}

impl Orders {
    /// The number that the next order gets; numbers count from one.
    #[inline]
    pub fn next_id(&self) -> OrderId {
        OrderId(self.forgotten + self.known.len() as u64 + 1)
    }

    /// Adds an order that has the next number.
    pub fn add(&mut self, order: Order) {
        debug_assert_eq!(order.id, self.next_id());
        let strategy = order.strategy.at();
        if strategy >= self.open.len() {
            self.open.resize_with(strategy + 1, Vec::new);
        }
        self.open[strategy].push(order.id);
        // First, so that what is held need not grow.
        while self.known.len() >= REMEMBERED && self.known.front().is_some_and(|order| order.status.is_closed()) {
            self.known.pop_front();
            self.forgotten += 1;
        }
        self.known.push_back(order);
    }

    /// Whether there was such an order, closed for so long that it was forgotten.
    pub fn is_forgotten(&self, id: OrderId) -> bool {
        (1..=self.forgotten).contains(&id.0)
    }

    /// An order by number, unless it was forgotten.
    #[inline]
    pub fn get(&self, id: OrderId) -> Option<&Order> {
        self.known.get(id.0.checked_sub(self.forgotten + 1)? as usize)
    }

    /// The same, to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        self.known.get_mut(id.0.checked_sub(self.forgotten + 1)? as usize)
    }

    /// Takes a closed order out of the list of open ones.
    pub(crate) fn close(&mut self, strategy: StrategyIndex, id: OrderId) {
        let open = &mut self.open[strategy.at()];
        if let Ok(place) = open.binary_search(&id) {
            open.remove(place);
        }
    }

    /// Whether no order of a strategy is open.
    #[inline]
    pub fn are_closed(&self, strategy: StrategyIndex) -> bool {
        self.open.get(strategy.at()).is_none_or(Vec::is_empty)
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
    pub fn known(&self) -> impl ExactSizeIterator<Item = &Order> {
        self.known.iter()
    }
}
