//! Replay of a journal through engine and strategies.

use crate::error::{OrRaise, raised};
use crate::instrument::Index;
use crate::lender::Failure;
use crate::recording::stream_kind;
use crate::risk::LimitValues;
use crate::settings::{risk, strategies};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::{Arc, Mutex, PoisonError};
use tradewind_core::driver;
use tradewind_core::engine::Parts;
use tradewind_core::event::decode_entries;
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::Side;
use tradewind_core::number::format_decimal;
use tradewind_core::order::{OrderType, Request, TimerPurpose};
use tradewind_core::state::Stream;

/// An engine that is fed a journal, its decisions compared with the recorded ones.
#[pyclass(frozen)]
pub struct Replay {
    replay: Mutex<driver::Replay>,
    failure: Failure,
    index: Arc<tradewind_core::instrument::Index>,
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (index, strategies, limits, checks, streams, seed))]
    fn new(
        index: &Bound<'_, Index>,
        strategies: Vec<(String, Bound<'_, PyAny>)>,
        limits: Vec<LimitValues<'_>>,
        checks: Vec<Bound<'_, PyAny>>,
        streams: Vec<(u32, String)>,
        seed: u64,
    ) -> PyResult<Self> {
        let failure = Failure::default();
        let index = index.get();
        let (strategies, _) = self::strategies(&strategies, index, &failure)?;
        let available = streams
            .iter()
            .map(|(instrument, kind)| Ok(Stream { instrument: InstrumentIndex(*instrument), kind: stream_kind(kind)? }))
            .collect::<PyResult<_>>()?;
        let parts = Parts {
            index: Arc::clone(&index.index),
            strategies,
            risk: risk(&limits, &checks, index, &failure)?,
            available,
            seed,
            keeps_journal: false,
            keeps_postings: false,
        };
        Ok(Self { replay: Mutex::new(driver::Replay::new(parts).or_raise()?), failure, index: Arc::clone(&index.index) })
    }

    /// Feeds a block; returns the first divergence, if there is one.
    fn feed<'py>(&self, py: Python<'py>, block: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
        let entries = decode_entries(block).or_raise()?;
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        let divergence = replay
            .feed(&entries)
            .map_err(|error| self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| raised(&error)))?;
        divergence.map(|divergence| self.to_dict(py, &divergence)).transpose()
    }

    /// Ends the replay; returns a decision that the journal does not hold, if there is one.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let divergence = self.replay.lock().unwrap_or_else(PoisonError::into_inner).finish();
        divergence.map(|divergence| self.to_dict(py, &divergence)).transpose()
    }

    /// The state's hash, hexadecimal.
    #[getter]
    fn state_hash(&self) -> String {
        crate::report::hexadecimal(&self.replay.lock().unwrap_or_else(PoisonError::into_inner).engine().state().hash())
    }

    /// The hash of all decisions and fills, hexadecimal.
    #[getter]
    fn decisions_hash(&self) -> String {
        crate::report::hexadecimal(&self.replay.lock().unwrap_or_else(PoisonError::into_inner).engine().decisions_hash())
    }

    /// How many inputs were fed.
    #[getter]
    fn inputs(&self) -> u64 {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner).engine().sequence()
    }

    /// How many decisions were compared and found equal.
    #[getter]
    fn decisions(&self) -> u64 {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner).decisions()
    }
}

impl Replay {
    fn to_dict<'py>(&self, py: Python<'py>, divergence: &driver::Divergence) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("sequence", divergence.sequence)?;
        dict.set_item("time_ns", divergence.time_ns)?;
        dict.set_item("expected", divergence.expected.as_ref().map(|request| self.describe(request)))?;
        dict.set_item("actual", divergence.actual.as_ref().map(|request| self.describe(request)))?;
        Ok(dict)
    }

    /// A request in words.
    fn describe(&self, request: &Request) -> String {
        match request {
            Request::Place { order, count, .. } => {
                let definition = self.index.instrument(order.instrument);
                let specification = &definition.specification;
                let side = if order.side == Side::Buy { "buy" } else { "sell" };
                let quantity = format_decimal(order.quantity.into(), specification.quantity_decimals);
                let price = match order.order_type {
                    OrderType::Market => "at market".to_owned(),
                    OrderType::Limit(price) => format!("at {}", format_decimal(price.into(), specification.price_decimals)),
                };
                format!("order {count}: {side} {quantity} {} {price}, {}", definition.name, order.time_in_force.name())
            }
            Request::Cancel { count, instrument, .. } => format!("cancel order {count} in {}", self.index.instrument(*instrument).name),
            Request::Timer { purpose: TimerPurpose::Strategy(_, number), due_ns } => format!("timer {number} at {due_ns} ns"),
            Request::Timer { purpose: TimerPurpose::Bar(_), due_ns } => format!("the end of a bar at {due_ns} ns"),
        }
    }
}
