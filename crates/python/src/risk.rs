//! Limits, and checks written in Python.

use crate::instrument::Index;
use crate::lender::{Failure, Lender};
use crate::order::Order;
use pyo3::prelude::*;
use std::sync::Arc;
use tradewind_core::error::Result;
use tradewind_core::number::RATE_DECIMALS;
use tradewind_core::order::OrderId;
use tradewind_core::risk::{Check, Limits};
use tradewind_core::state::State;

/// The limits of one instrument as Python gives them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct LimitValues<'py> {
    order_quantity: Option<Bound<'py, PyAny>>,
    order_notional: Option<Bound<'py, PyAny>>,
    position: Option<Bound<'py, PyAny>>,
    open_orders: Option<u32>,
    price_collar: Option<Bound<'py, PyAny>>,
}

impl LimitValues<'_> {
    /// The limits on the instrument's grid.
    pub fn read(&self, definition: &tradewind_core::instrument::Instrument) -> PyResult<Limits> {
        let specification = &definition.specification;
        let number = |value: &Option<Bound<'_, PyAny>>, decimals: u8, what: &str| {
            value.as_ref().map(|value| crate::number::fixed(value, decimals, what, &definition.name)).transpose()
        };
        let notional_decimals = specification.value_decimals().min(8);
        let notional = number(&self.order_notional, notional_decimals, "order_notional")?;
        Ok(Limits {
            order_quantity: number(&self.order_quantity, specification.quantity_decimals, "order_quantity")?,
            order_notional: notional
                .map(|value| i128::from(value) * 10_i128.pow(u32::from(specification.value_decimals() - notional_decimals))),
            position: number(&self.position, specification.quantity_decimals, "position")?,
            open_orders: self.open_orders,
            price_collar: number(&self.price_collar, RATE_DECIMALS, "price_collar")?,
        })
    }
}

/// A check written in Python: `check(ctx, order)` returns why the order is refused, or None.
pub struct PythonCheck {
    lender: Lender,
    check: Py<PyAny>,
}

impl PythonCheck {
    pub fn new(check: &Bound<'_, PyAny>, index: &Index, failure: Failure) -> PyResult<Self> {
        let lender = Lender::new(check.py(), Arc::clone(&index.index), Arc::clone(&index.instruments), failure)?;
        Ok(Self { lender, check: check.clone().unbind() })
    }
}

impl Check for PythonCheck {
    fn check(&mut self, state: &mut Box<State>, order: OrderId) -> Result<Option<String>> {
        let check = &self.check;
        self.lender.call(state, "a risk check", |py, context| {
            let order = Order::live(context.bind(py), order)?;
            check.call1(py, (context, order))?.extract::<Option<String>>(py)
        })
    }
}
