//! A Python strategy as an implementation of the kernel's trait, and the native ones.

use crate::context::Context;
use crate::event::{Fill, Status, Value, renew, value_of, wrap};
use crate::instrument::{Index, Instrument};
use crate::lender::{Failure, Lender};
use crate::order::Order;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;
use tradewind_core::account;
use tradewind_core::error::Result;
use tradewind_core::event::{DataEvent, DataValue};
use tradewind_core::indicator::{IndicatorKind, Seed};
use tradewind_core::market::{MarketEvent, MarketKind};
use tradewind_core::order;
use tradewind_core::state::State;
use tradewind_core::strategy::{Callbacks, EmaCross, FollowTrades, StatusChange, Strategy};

use crate::error::{OrRaise, raised};

/// The bound methods of the callbacks that a strategy's class defines, looked up once.
struct Methods {
    market: [Option<Py<PyAny>>; 6],
    start: Option<Py<PyAny>>,
    stop: Option<Py<PyAny>>,
    order: Option<Py<PyAny>>,
    fill: Option<Py<PyAny>>,
    timer: Option<Py<PyAny>>,
    status: Option<Py<PyAny>>,
    data: Option<Py<PyAny>>,
}

const MARKET_METHODS: [(MarketKind, &str); 6] = [
    (MarketKind::Funding, "on_funding"),
    (MarketKind::Mark, "on_mark"),
    (MarketKind::Book, "on_book"),
    (MarketKind::Quote, "on_quote"),
    (MarketKind::Trade, "on_trade"),
    (MarketKind::Bar, "on_bar"),
];

/// A strategy written in Python.
pub struct PythonStrategy {
    lender: Lender,
    methods: Methods,
    object: Py<PyAny>,
    /// The object of the last market event, for the next one.
    spare: Option<Py<PyAny>>,
    instruments: Arc<Vec<Py<Instrument>>>,
    index: Arc<tradewind_core::instrument::Index>,
}

impl PythonStrategy {
    /// Wraps a strategy object; callbacks that its base class defines empty do not count.
    pub fn new(object: &Bound<'_, PyAny>, index: &Index, failure: Failure) -> PyResult<Self> {
        let py = object.py();
        let base = py.import("tradewind.strategy")?.getattr("Strategy")?;
        let method = |name: &str| -> PyResult<Option<Py<PyAny>>> {
            let own = object.get_type().getattr(name)?;
            let inherited = base.getattr(name)?;
            if own.is(&inherited) { Ok(None) } else { Ok(Some(object.getattr(name)?.unbind())) }
        };
        let mut market = [const { None }; 6];
        for (kind, name) in MARKET_METHODS {
            market[kind as usize] = method(name)?;
        }
        let methods = Methods {
            market,
            start: method("on_start")?,
            stop: method("on_stop")?,
            order: method("on_order")?,
            fill: method("on_fill")?,
            timer: method("on_timer")?,
            status: method("on_status")?,
            data: method("on_data")?,
        };
        Ok(Self {
            lender: Lender::new(py, Arc::clone(&index.index), Arc::clone(&index.instruments), failure)?,
            methods,
            object: object.clone().unbind(),
            spare: None,
            instruments: Arc::clone(&index.instruments),
            index: Arc::clone(&index.index),
        })
    }

    /// Calls a method with the context and what `argument` makes, if the strategy defines it.
    fn call<A>(
        &mut self,
        state: &mut Box<State>,
        which: impl FnOnce(&Methods) -> Option<&Py<PyAny>>,
        name: &str,
        arguments: impl FnOnce(Python<'_>, &Py<Context>) -> PyResult<A>,
    ) -> Result<()>
    where
        A: for<'py> pyo3::call::PyCallArgs<'py>,
    {
        let Some(method) = which(&self.methods) else { return Ok(()) };
        self.lender.call(state, name, |py, context| method.call1(py, arguments(py, context)?).map(drop))
    }
}

impl PythonStrategy {
    /// A strategy whose callbacks for market data no named stream leads to would stay silent
    /// for ever. One that defines more callbacks than it uses is fine.
    fn warn_of_silence(&mut self, state: &mut Box<State>) -> Result<()> {
        let named: Vec<MarketKind> = state.strategy(state.calling()).subscriptions.iter().map(|stream| stream.kind.market_kind()).collect();
        let defined = || MARKET_METHODS.iter().filter(|(kind, _)| self.methods.market[*kind as usize].is_some());
        let silent: Vec<&str> = defined().map(|(_, name)| *name).collect();
        if silent.is_empty() || defined().any(|(kind, _)| named.contains(kind)) {
            return Ok(());
        }
        let name = state.strategy(state.calling()).name.clone();
        let text = format!("{name}: {} will never be called, because on_start names no such stream", silent.join(" and "));
        self.lender.call(state, "on_start", |py, _| {
            let category = py.import("tradewind.errors")?.getattr("TradewindWarning")?;
            py.import("warnings")?.call_method1("warn", (text, category, 2)).map(drop)
        })
    }
}

impl Strategy for PythonStrategy {
    fn callbacks(&self) -> Callbacks {
        Callbacks {
            market: self.methods.market.each_ref().map(Option::is_some),
            order: self.methods.order.is_some(),
            fill: self.methods.fill.is_some(),
            timer: self.methods.timer.is_some(),
            status: self.methods.status.is_some(),
            data: self.methods.data.is_some(),
        }
    }

    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        self.call(state, |methods| methods.start.as_ref(), "on_start", |py, context| Ok((context.clone_ref(py),)))?;
        self.warn_of_silence(state)
    }

    fn on_stop(&mut self, state: &mut Box<State>) -> Result<()> {
        self.call(state, |methods| methods.stop.as_ref(), "on_stop", |py, context| Ok((context.clone_ref(py),)))
    }

    #[inline]
    fn on_market(&mut self, state: &mut Box<State>, event: &MarketEvent) -> Result<()> {
        let Some(method) = &self.methods.market[event.kind as usize] else { return Ok(()) };
        let instrument = &self.instruments[event.instrument.at()];
        let spare = &mut self.spare;
        self.lender.call(state, MARKET_METHODS[event.kind as usize].1, |py, context| {
            let object = match spare.take() {
                Some(object) if renew(py, &object, event, instrument) => object,
                _ => wrap(py, event, instrument)?,
            };
            let outcome = method.bind(py).call1((context, &object)).map(drop);
            *spare = Some(object);
            outcome
        })
    }

    fn on_order(&mut self, state: &mut Box<State>, order: &order::Order) -> Result<()> {
        self.call(
            state,
            |methods| methods.order.as_ref(),
            "on_order",
            |py, context| Ok((context.clone_ref(py), Order::reported(py, context, order))),
        )
    }

    fn on_closed(&mut self, order: &order::Order) {
        self.lender.context.get().closed(order);
    }

    fn on_fill(&mut self, state: &mut Box<State>, fill: &account::Fill) -> Result<()> {
        let (instruments, index) = (Arc::clone(&self.instruments), Arc::clone(&self.index));
        self.call(
            state,
            |methods| methods.fill.as_ref(),
            "on_fill",
            |py, context| {
                let fill = Fill { fill: *fill, instrument: instruments[fill.instrument.at()].clone_ref(py), index };
                Ok((context.clone_ref(py), fill))
            },
        )
    }

    fn on_timer(&mut self, state: &mut Box<State>, number: u64, _: i64) -> Result<()> {
        self.call(state, |methods| methods.timer.as_ref(), "on_timer", |py, context| Ok((context.clone_ref(py), number)))
    }

    fn on_status(&mut self, state: &mut Box<State>, status: StatusChange) -> Result<()> {
        let (instruments, index) = (Arc::clone(&self.instruments), Arc::clone(&self.index));
        self.call(
            state,
            |methods| methods.status.as_ref(),
            "on_status",
            |py, context| Ok((context.clone_ref(py), Status::of(py, status, &index, &instruments))),
        )
    }

    fn on_data(&mut self, state: &mut Box<State>, data: &DataEvent) -> Result<()> {
        self.call(
            state,
            |methods| methods.data.as_ref(),
            "on_data",
            |py, context| Ok((context.clone_ref(py), Value { event: data.clone() })),
        )
    }

    fn set_parameter(&mut self, state: &mut Box<State>, name: &str, value: &DataValue) -> Result<()> {
        let object = &self.object;
        let outcome = self.lender.call(state, "set_parameter", |py, _| {
            let value = value_of(py, value)?;
            object.bind(py).call_method1("set_parameter", (name, value)).map(drop)
        });
        if outcome.is_err() {
            self.lender.forget_failure();
        }
        outcome
    }

    fn save(&mut self, state: &mut Box<State>) -> Result<Vec<u8>> {
        let object = &self.object;
        self.lender.call(state, "save", |py, context| {
            let chance = context.get().chance(py)?;
            py.import("tradewind.memory")?.call_method1("save", (object, chance))?.extract()
        })
    }

    fn restore(&mut self, state: &mut Box<State>, saved: &[u8]) -> Result<()> {
        let object = &self.object;
        self.lender.call(state, "restore", |py, context| {
            let chance = py.import("tradewind.memory")?.call_method1("restore", (object, saved))?;
            context.get().set_chance(py, &chance)
        })
    }
}

/// A strategy written in Rust, by its kind and parameters.
#[pyclass(frozen, module = "tradewind._core")]
pub struct NativeStrategy {
    kind: String,
    parameters: Py<PyDict>,
    name: String,
}

#[pymethods]
impl NativeStrategy {
    #[new]
    #[pyo3(signature = (kind, parameters, name = None))]
    fn new(kind: String, parameters: Py<PyDict>, name: Option<String>) -> Self {
        let name = name.unwrap_or_else(|| kind.clone());
        Self { kind, parameters, name }
    }

    /// Which of the strategies that there are.
    #[getter]
    fn kind(&self) -> &str {
        &self.kind
    }

    /// What its orders, positions and reports carry.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Its parameters.
    #[getter]
    fn parameters(&self, py: Python<'_>) -> Py<PyDict> {
        self.parameters.clone_ref(py)
    }

    /// The same under another name.
    fn named(&self, py: Python<'_>, name: String) -> Self {
        Self { kind: self.kind.clone(), parameters: self.parameters.clone_ref(py), name }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let parameters =
            self.parameters.bind(py).iter().map(|(name, value)| Ok(format!("{name}={}", value.repr()?))).collect::<PyResult<Vec<_>>>()?;
        Ok(format!("{}({})", self.kind, parameters.join(", ")))
    }

    fn __getnewargs__(&self, py: Python<'_>) -> (String, Py<PyDict>, String) {
        (self.kind.clone(), self.parameters.clone_ref(py), self.name.clone())
    }
}

impl NativeStrategy {
    /// The strategy itself.
    pub fn build(&self, py: Python<'_>, index: &Index) -> PyResult<Box<dyn Strategy>> {
        let parameters = self.parameters.bind(py);
        let get = |name: &str| parameters.get_item(name)?.ok_or_else(|| missing(&self.kind, name));
        match self.kind.as_str() {
            "ema_cross" => {
                let instrument = index.index.find_instrument(&get("instrument")?.extract::<String>()?).or_raise()?;
                let seed = if get("seed")?.extract::<String>()? == "first" { Seed::First } else { Seed::Average };
                let ema = |period| IndicatorKind::Ema { period, seed };
                let quantity = crate::instrument::quantity_of(index.index.instrument(instrument), &get("quantity")?)?;
                Ok(Box::new(EmaCross::new(
                    instrument,
                    ema(get("fast")?.extract()?),
                    ema(get("slow")?.extract()?),
                    quantity,
                    get("short")?.extract()?,
                )))
            }
            "follow_trades" => Ok(Box::new(FollowTrades::new(get("orders")?.extract()?))),
            other => Err(raised(
                &tradewind_core::error::Error::new(
                    tradewind_core::error::Code::BadStrategy,
                    format!("there is no native strategy {other:?}"),
                )
                .hint("there are ema_cross and follow_trades"),
            )),
        }
    }
}

fn missing(strategy: &str, parameter: &str) -> PyErr {
    raised(&tradewind_core::error::Error::new(
        tradewind_core::error::Code::BadStrategy,
        format!("{strategy} needs the parameter {parameter}"),
    ))
}
