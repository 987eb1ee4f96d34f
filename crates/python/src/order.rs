//! Orders and positions, as strategies hold them.

use crate::context::Context;
use crate::error::OrRaise;
use crate::instrument::Instrument;
use crate::number::datetime;
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tradewind_core::account;
use tradewind_core::market::{Mark, Side};
use tradewind_core::number::{to_float, wide_to_float};
use tradewind_core::order::{self, OrderId, StrategyIndex};

/// The client id of an order.
#[pyfunction]
pub fn client_id(run: &str, strategy: u16, count: u64) -> String {
    order::client_id(run, StrategyIndex(strategy), count)
}

/// The strategy and the count of an id of a run; None of any other.
#[pyfunction]
pub fn read_client_id(text: &str, run: &str) -> Option<(u16, u64)> {
    order::read_client_id(text, run).map(|(strategy, count)| (strategy.0, count))
}

/// An order. During a callback it shows the order as it is now, otherwise as it was last seen, or as it closed.
#[pyclass(frozen)]
pub struct Order {
    pub id: OrderId,
    context: Py<Context>,
    /// Whether it follows the order, or stays as it was reported.
    follows: bool,
    request: order::NewOrder,
    count: u64,
    decided_ns: i64,
    seen: Seen,
}

/// An order as it was last seen, shared by the handles that follow it.
pub type Seen = Arc<Mutex<order::Order>>;

impl Order {
    fn new(context: Py<Context>, follows: bool, order: &order::Order, seen: Seen) -> Self {
        Self { id: order.id, context, follows, request: order.request, count: order.count, decided_ns: order.decided_ns, seen }
    }

    /// A handle that follows the order.
    pub fn live(context: &Bound<'_, Context>, id: OrderId) -> PyResult<Self> {
        let order = context.get().with(|state| state.order(id).cloned().or_raise())?;
        let seen = context.get().follow(&order);
        Ok(Self::new(context.clone().unbind(), true, &order, seen))
    }

    /// The order as it was reported.
    pub fn reported(py: Python<'_>, context: &Py<Context>, order: &order::Order) -> Self {
        Self::new(context.clone_ref(py), false, order, Arc::new(Mutex::new(order.clone())))
    }

    fn seen(&self) -> MutexGuard<'_, order::Order> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&order::Order) -> T) -> T {
        let context = self.context.get();
        if self.follows && context.is_lent() {
            // Of an order that the engine has forgotten the context was told how it ended.
            let now = context.with(|state| Ok(state.order(self.id).ok().cloned())).ok().flatten();
            if let Some(now) = now {
                *self.seen() = now;
            }
        }
        read(&self.seen())
    }

    fn decimals(&self) -> (u8, u8, u8) {
        let instrument = self.request.instrument;
        let context = self.context.get();
        let specification = &context.index().instrument(instrument).specification;
        (specification.price_decimals, specification.quantity_decimals, specification.value_decimals())
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        if self.follows {
            self.context.get().unfollow(self.id, &self.seen);
        }
    }
}

#[pymethods]
impl Order {
    /// The engine's number of the order.
    #[getter]
    fn id(&self) -> u64 {
        self.id.0
    }

    /// The strategy's own count of its orders.
    #[getter]
    fn count(&self) -> u64 {
        self.count
    }

    /// The instrument.
    #[getter]
    fn instrument(&self, py: Python<'_>) -> Py<Instrument> {
        self.context.get().instrument_of(py, self.request.instrument)
    }

    /// `buy` or `sell`.
    #[getter]
    fn side(&self) -> &'static str {
        self.request.side.name()
    }

    /// `market` or `limit`.
    #[getter]
    fn order_type(&self) -> &'static str {
        self.request.order_type.name()
    }

    /// `gtc`, `ioc` or `post_only`.
    #[getter]
    fn time_in_force(&self) -> &'static str {
        self.request.time_in_force.name()
    }

    /// Whether it may only reduce the strategy's position.
    #[getter]
    fn reduce_only(&self) -> bool {
        self.request.reduce_only
    }

    /// How much was asked for.
    #[getter]
    fn quantity(&self) -> f64 {
        to_float(self.request.quantity, self.decimals().1)
    }

    /// The limit price; None for a market order.
    #[getter]
    fn price(&self) -> Option<f64> {
        let decimals = self.decimals().0;
        self.request.order_type.price().map(|price| to_float(price, decimals))
    }

    /// Where it is in its life, such as `open`.
    #[getter]
    fn status(&self) -> &'static str {
        self.read(|order| order.status.name())
    }

    /// Whether nothing can happen to it any more.
    #[getter]
    fn is_closed(&self) -> bool {
        self.read(|order| order.status.is_closed())
    }

    /// How much has been filled.
    #[getter]
    fn filled(&self) -> f64 {
        let decimals = self.decimals().1;
        self.read(|order| to_float(order.filled, decimals))
    }

    /// How much has not been filled.
    #[getter]
    fn remaining(&self) -> f64 {
        let decimals = self.decimals().1;
        self.read(|order| to_float(order.remaining(), decimals))
    }

    /// The average price of its fills; None before the first.
    #[getter]
    fn average_price(&self) -> Option<f64> {
        let instrument = self.request.instrument;
        let context = self.context.get();
        let specification = &context.index().instrument(instrument).specification;
        let unit = to_float(specification.multiplier, specification.multiplier_decimals);
        let (_, quantity_decimals, value_decimals) = self.decimals();
        self.read(|order| {
            (order.filled > 0)
                .then(|| wide_to_float(order.filled_value, value_decimals) / (to_float(order.filled, quantity_decimals) * unit))
        })
    }

    /// Why it was refused, rejected or cancelled, as a code of the table of errors.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.read(|order| order.reason.map(tradewind_core::error::Code::slug))
    }

    /// What a check written by the user said about it.
    #[getter]
    fn note(&self) -> Option<String> {
        self.read(|order| order.note.as_deref().map(str::to_owned))
    }

    /// When it was decided.
    #[getter]
    fn decided(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        datetime(py, self.decided_ns)
    }

    fn __repr__(&self) -> String {
        let price = self.price().map_or_else(|| "market".to_owned(), |price| price.to_string());
        let name = self.context.get().index().instrument(self.request.instrument).name.clone();
        format!("Order({} {name} {} {} at {price}, {})", self.id.0, self.side(), self.quantity(), self.status())
    }
}

/// A strategy's position in an instrument, as it was when it was asked for.
#[pyclass(frozen)]
pub struct Position {
    instrument: Py<Instrument>,
    position: account::Position,
    mark: Mark,
}

impl Position {
    pub fn new(instrument: Py<Instrument>, position: account::Position, mark: Mark) -> Self {
        Self { instrument, position, mark }
    }

    fn value(&self, value: i128) -> f64 {
        wide_to_float(value, self.instrument.get().definition().specification.value_decimals())
    }
}

#[pymethods]
impl Position {
    /// The instrument.
    #[getter]
    fn instrument(&self, py: Python<'_>) -> Py<Instrument> {
        self.instrument.clone_ref(py)
    }

    /// How much is held, below zero when short.
    #[getter]
    fn quantity(&self) -> f64 {
        to_float(self.position.quantity, self.instrument.get().definition().specification.quantity_decimals)
    }

    /// `long`, `short`, or None when flat.
    #[getter]
    fn side(&self) -> Option<&'static str> {
        (self.position.quantity != 0).then(|| if Side::of(self.position.quantity) == Side::Buy { "long" } else { "short" })
    }

    /// What it cost, below zero when short.
    #[getter]
    fn cost(&self) -> f64 {
        self.value(self.position.cost)
    }

    /// The average price of what is held; None when flat.
    #[getter]
    fn average_price(&self) -> Option<f64> {
        let specification = &self.instrument.get().definition().specification;
        let unit = to_float(specification.multiplier, specification.multiplier_decimals);
        (self.position.quantity != 0).then(|| self.cost() / (self.quantity() * unit))
    }

    /// The profit of what was closed, before fees.
    #[getter]
    fn realised(&self) -> f64 {
        self.value(self.position.realised)
    }

    /// The profit of what is held, at the mark; None without a mark.
    #[getter]
    fn unrealised(&self) -> Option<f64> {
        if self.position.quantity == 0 {
            return Some(0.0);
        }
        let specification = &self.instrument.get().definition().specification;
        self.position.unrealised(specification, &self.mark).map(|value| self.value(value))
    }

    fn __bool__(&self) -> bool {
        self.position.quantity != 0
    }

    fn __repr__(&self) -> String {
        let average = self.average_price().map_or_else(String::new, |price| format!(" at {price}"));
        format!("Position({} {}{average})", self.instrument.get().definition().name, self.quantity())
    }
}
