//! The bare boundary between the kernel and Python, for benchmarks: it bounds what a run can reach.

use crate::error::{OrRaise, raised};
use crate::instrument::Index;
use crate::lender::Failure;
use crate::recording::Recording;
use crate::strategy::PythonStrategy;
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::Instant;
use tradewind_core::error::{Code, Error};
use tradewind_core::market::MarketData;
use tradewind_core::number::to_float;
use tradewind_core::state::State;
use tradewind_core::strategy::Strategy;

/// The seconds of a loop over a recording of trades that builds each trade's object, updates
/// the indicators that the strategy attached if `averages` says so, and calls the strategy.
#[pyfunction]
pub fn boundary(strategy: &Bound<'_, PyAny>, index: &Index, recording: &Recording, averages: bool) -> PyResult<f64> {
    let mut strategy = PythonStrategy::new(strategy, index, Failure::default())?;
    let names = ["boundary".to_owned()];
    let mut state = Box::new(State::new(Arc::clone(&index.index), &names, recording.recording.streams.clone(), 0, false));
    state.start_for_measuring();
    strategy.on_start(&mut state).or_raise()?;
    let rows = recording.recording.whole_rows().ok_or_else(|| raised(&Error::new(Code::BadSetting, "the recording is fed in chunks")))?;
    let start = Instant::now();
    for event in rows {
        if averages && let MarketData::Trade(trade) = event.data() {
            state.update_indicators(to_float(trade.price, index.index.instrument(event.instrument).specification.price_decimals));
        }
        strategy.on_market(&mut state, event).or_raise()?;
    }
    Ok(start.elapsed().as_secs_f64())
}
