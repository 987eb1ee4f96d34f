//! Replay of a journal through engine and strategies.

use crate::backtest::exception;
use crate::error::OrRaise;
use crate::instrument::Index;
use crate::lender::Failure;
use crate::recording::stream_kind;
use crate::risk::RiskValues;
use crate::settings::strategies;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tradewind_core::driver::{self, Divergence};
use tradewind_core::engine::Parts;
use tradewind_core::event::{AccountEvent, Command, Event};
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::Side;
use tradewind_core::number::format_decimal;
use tradewind_core::order::{OrderType, Request, StrategyIndex, TimerPurpose};
use tradewind_core::state::{State, Stream};

/// An engine that is fed a journal, its decisions compared with the recorded ones.
#[pyclass(frozen)]
pub struct Replay {
    replay: Mutex<driver::Replay>,
    failure: Failure,
    index: Arc<tradewind_core::instrument::Index>,
    needs_python: bool,
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (index, strategies, risk, streams, seed, value_streams))]
    fn new(
        index: &Bound<'_, Index>,
        strategies: Vec<(String, Bound<'_, PyAny>)>,
        risk: RiskValues<'_>,
        streams: Vec<(u32, String)>,
        seed: u64,
        value_streams: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let failure = Failure::default();
        let index = index.get();
        let (strategies, native) = self::strategies(&strategies, index, &failure)?;
        let available = streams
            .iter()
            .map(|(instrument, kind)| Ok(Stream { instrument: InstrumentIndex(*instrument), kind: stream_kind(kind)? }))
            .collect::<PyResult<_>>()?;
        let parts = Parts {
            index: Arc::clone(&index.index),
            strategies,
            risk: risk.read(index, &failure)?,
            available,
            available_data: value_streams,
            seed,
            keeps_journal: false,
            keeps_details: false,
        };
        Ok(Self {
            replay: Mutex::new(driver::Replay::new(parts).or_raise()?),
            failure,
            index: Arc::clone(&index.index),
            needs_python: !native || risk.has_checks(),
        })
    }

    /// Takes a block of the journal; returns the first decision that differs, if there is one.
    fn recover<'py>(&self, py: Python<'py>, block: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
        let outcome = if self.needs_python { self.lock().feed(block) } else { py.detach(|| self.lock().feed(block)) };
        self.described(py, outcome.map_err(|error| exception(&self.failure, &error))?)
    }

    /// The journal has ended; returns a decision that it does not hold, if there is one.
    fn recovered<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let divergence = self.lock().finish();
        self.described(py, divergence)
    }

    /// The hash of the state and of all decisions, hexadecimal.
    #[getter]
    fn hashes(&self) -> (String, String) {
        let replay = self.lock();
        let engine = replay.engine();
        (crate::report::hexadecimal(&engine.state().hash()), crate::report::hexadecimal(&engine.decisions_hash()))
    }

    /// How many inputs were fed.
    #[getter]
    fn inputs(&self) -> u64 {
        self.lock().engine().sequence()
    }

    /// How many decisions were compared and found equal.
    #[getter]
    fn decisions(&self) -> u64 {
        self.lock().decisions()
    }
}

impl Replay {
    fn lock(&self) -> MutexGuard<'_, driver::Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn described<'py>(&self, py: Python<'py>, divergence: Option<Divergence>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let replay = self.lock();
        let words = Words(&self.index);
        divergence.map(|divergence| words.divergence(py, replay.engine().state(), replay.last(), &divergence)).transpose()
    }
}

/// Entries of a journal in words.
pub struct Words<'index>(pub &'index tradewind_core::instrument::Index);

impl Words<'_> {
    /// A divergence, and the input before it where it is known.
    pub fn divergence<'py>(
        &self,
        py: Python<'py>,
        state: &State,
        event: Option<&Event>,
        divergence: &Divergence,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("sequence", divergence.sequence)?;
        dict.set_item("time_ns", divergence.time_ns)?;
        dict.set_item("event", event.map_or_else(String::new, |event| self.describe_event(event)))?;
        dict.set_item("expected", divergence.expected.as_ref().map(|request| self.describe_request(state, request)))?;
        dict.set_item("actual", divergence.actual.as_ref().map(|request| self.describe_request(state, request)))?;
        Ok(dict)
    }

    fn name(&self, instrument: InstrumentIndex) -> &str {
        &self.0.instrument(instrument).name
    }

    /// An input in words.
    fn describe_event(&self, event: &Event) -> String {
        match event {
            Event::Market(event) => format!("{} of {}", event.kind.name(), self.name(event.instrument)),
            Event::Account(report) => match report.event {
                AccountEvent::Accepted(_) => "an order was accepted".to_owned(),
                AccountEvent::Rejected(_, code) => format!("an order was rejected: {code}"),
                AccountEvent::Cancelled(_, code) => format!("an order was cancelled: {code}"),
                AccountEvent::CancelRejected(_, code) => format!("a cancel was rejected: {code}"),
                AccountEvent::Expired(_) => "an order expired".to_owned(),
                AccountEvent::Fill(fill) => format!("fill in {}", self.name(fill.instrument)),
                AccountEvent::Funding { instrument, .. } => format!("funding payment for {}", self.name(instrument)),
                AccountEvent::Fee { instrument, .. } => format!("fee for {}", self.name(instrument)),
                AccountEvent::Deposit { asset, .. } => format!("deposit of {}", self.0.asset(asset).name),
                AccountEvent::Insurance { asset, .. } => format!("insurance in {}", self.0.asset(asset).name),
                AccountEvent::Lost(_) => "an order's fate is unknown".to_owned(),
                AccountEvent::Foreign { asset, .. } => format!("somebody else moved {}", self.0.asset(asset).name),
                AccountEvent::Unexplained { asset, .. } => format!("an unexplained difference of {}", self.0.asset(asset).name),
                AccountEvent::MarginCall { asset, .. } => format!("margin call in {}", self.0.asset(asset).name),
            },
            Event::Timer(timer) => match timer.purpose {
                TimerPurpose::Strategy(_, number) => format!("timer {number}"),
                TimerPurpose::Bar(_) => "the end of a bar".to_owned(),
            },
            Event::Command { command, .. } => match command {
                Command::TradingOn => "command: trading on",
                Command::TradingOff => "command: trading off",
                Command::CancelAll(_) => "command: cancel all",
                Command::CloseAll(_) => "command: close all",
                Command::Start { .. } => "command: start",
                Command::WarmedUp => "command: warm-up is over",
                Command::Open(..) => "command: open an order",
                Command::Cancel(_) => "command: cancel an order",
                Command::Adopt(..) => "command: adopt a holding",
                Command::Stop => "command: stop",
            }
            .to_owned(),
            Event::WarmUp(event) => format!("warm-up {} of {}", event.kind.name(), self.name(event.instrument)),
            Event::Data(data) => format!("value of {}", data.name),
            Event::Status(status) => tradewind_core::strategy::StatusChange::Condition(status.change).name().to_owned(),
            Event::Parameter(parameter) => format!("parameter {} is set", parameter.name),
        }
    }

    /// A request in words.
    fn describe_request(&self, state: &State, request: &Request) -> String {
        let of = |strategy: StrategyIndex| &state.strategy(strategy).name;
        match request {
            Request::Place { strategy, count, order, .. } => {
                let specification = &self.0.instrument(order.instrument).specification;
                let side = if order.side == Side::Buy { "buy" } else { "sell" };
                let quantity = format_decimal(order.quantity.into(), specification.quantity_decimals);
                let price = match order.order_type {
                    OrderType::Market => "at market".to_owned(),
                    OrderType::Limit(price) => format!("at {}", format_decimal(price.into(), specification.price_decimals)),
                };
                let reduce = if order.reduce_only { ", reduce only" } else { "" };
                let name = self.name(order.instrument);
                format!("{} order {count}: {side} {quantity} {name} {price}, {}{reduce}", of(*strategy), order.time_in_force.name())
            }
            Request::Cancel { strategy, count, instrument, .. } => {
                format!("{} cancel order {count} in {}", of(*strategy), self.name(*instrument))
            }
            Request::Timer { purpose: TimerPurpose::Strategy(strategy, number), due_ns } => {
                format!("{} timer {number} at {due_ns} ns", of(*strategy))
            }
            Request::Timer { purpose: TimerPurpose::Bar(_), due_ns } => format!("the end of a bar at {due_ns} ns"),
        }
    }
}
