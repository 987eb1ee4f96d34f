//! Limits, and checks written in Python.

use crate::error::{OrRaise, raised};
use crate::instrument::Index;
use crate::lender::{Failure, Lender};
use crate::order::Order;
use pyo3::prelude::*;
use std::sync::Arc;
use tradewind_core::error::{Code, Error, Result};
use tradewind_core::number::RATE_DECIMALS;
use tradewind_core::order::OrderId;
use tradewind_core::risk::{Check, DailyLoss, Limits, OrderRate, Risk, SystemLimits};
use tradewind_core::state::{Carried, State, Valuation};

/// The limits of one instrument as Python gives them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct LimitValues<'py> {
    order_quantity: Option<Bound<'py, PyAny>>,
    order_notional: Option<Bound<'py, PyAny>>,
    position: Option<Bound<'py, PyAny>>,
    open_orders: Option<u32>,
    price_collar: Option<Bound<'py, PyAny>>,
}

impl LimitValues<'_> {
    /// The limits on the instrument's grid.
    fn read(&self, definition: &tradewind_core::instrument::Instrument) -> PyResult<Limits> {
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

/// Limits of a whole system as Python gives them: orders within nanoseconds; a loss in a currency, with the day and the
/// profit of earlier runs.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct SystemLimitValues {
    order_rate: Option<(u32, i64)>,
    daily_loss: Option<(String, f64)>,
    carried: Option<(i64, f64, Option<f64>)>,
}

impl SystemLimitValues {
    /// The limits, once everything that can be lost has a price in the currency.
    fn read(&self, index: &tradewind_core::instrument::Index) -> PyResult<SystemLimits> {
        let bad = |message: String, hint: &str| raised(&Error::new(Code::BadSetting, message).hint(hint));
        let order_rate = self.order_rate.map(|(orders, interval_ns)| OrderRate { orders, interval_ns });
        if let Some(OrderRate { orders, interval_ns }) = order_rate.filter(|rate| rate.orders == 0 || rate.interval_ns <= 0) {
            return Err(bad(
                format!("order_rate of {orders} orders within {interval_ns} ns lets no order pass"),
                "state how many orders, within how much time",
            ));
        }
        let Some((currency, limit)) = &self.daily_loss else { return Ok(SystemLimits { order_rate, daily_loss: None }) };
        if !(limit.is_finite() && *limit > 0.0) {
            return Err(bad(format!("daily_loss = {limit} is not above zero"), "state it in the currency of the totals"));
        }
        let valuation = Valuation::new(index, index.find_asset(currency).or_raise()?);
        let unknown: Vec<&str> = valuation.unknown().map(|asset| index.asset(asset).name.as_str()).collect();
        // A perpetual's base asset is never held.
        let held = |asset: &&str| {
            index.instruments().any(|(_, one)| {
                let assets = if one.is_margined() { [one.settlement; 2] } else { [one.base, one.quote] };
                assets.iter().any(|&held| index.asset(held).name == **asset)
            })
        };
        let unknown: Vec<&str> = unknown.into_iter().filter(held).collect();
        if !unknown.is_empty() {
            let message = format!("daily_loss is in {currency}, and no instrument says what {} is worth in it", unknown.join(", "));
            return Err(bad(message, "add the instruments of these pairs, or choose another currency"));
        }
        let carried = self.carried.map(|(day, profit, reached)| Carried { day, profit, reached });
        Ok(SystemLimits { order_rate, daily_loss: Some(DailyLoss { limit: *limit, valuation, carried }) })
    }
}

/// The limits by instrument and of the whole system, and the user's own checks.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct RiskValues<'py> {
    limits: Vec<LimitValues<'py>>,
    system: SystemLimitValues,
    checks: Vec<Bound<'py, PyAny>>,
}

impl RiskValues<'_> {
    /// Whether Python is asked about orders.
    pub fn has_checks(&self) -> bool {
        !self.checks.is_empty()
    }

    /// The risk checks of a run.
    pub fn read(&self, index: &Index, failure: &Failure) -> PyResult<Risk> {
        let instruments = index.index.instruments();
        let limits: Vec<Limits> =
            self.limits.iter().zip(instruments).map(|(values, (_, definition))| values.read(definition)).collect::<PyResult<_>>()?;
        let mut own: Vec<Box<dyn Check>> = Vec::new();
        for check in &self.checks {
            own.push(Box::new(PythonCheck::new(check, index, Arc::clone(failure))?));
        }
        Ok(Risk::new(limits, own).with_system(self.system.read(&index.index)?))
    }
}

/// A check written in Python: `check(ctx, order)` returns why the order is refused, or None.
struct PythonCheck {
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

    fn save(&mut self, state: &mut Box<State>) -> Result<Vec<u8>> {
        let check = &self.check;
        self.lender
            .call(state, "save of a risk check", |py, _| py.import("tradewind.memory")?.call_method1("save_check", (check,))?.extract())
    }

    fn restore(&mut self, state: &mut Box<State>, saved: &[u8]) -> Result<()> {
        let check = &self.check;
        self.lender.call(state, "restore of a risk check", |py, _| {
            py.import("tradewind.memory")?.call_method1("restore_check", (check, saved)).map(drop)
        })
    }
}
