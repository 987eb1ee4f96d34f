//! Running backtests: one that Python watches, or many on all cores.

use crate::error::raised;
use crate::lender::Failure;
use crate::report::{Outcome, columns_of_fills, columns_of_ledger, columns_of_orders};
use crate::settings::Run;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use tradewind_core::driver::{self, Progress};
use tradewind_core::error::{Code, Error};

/// One run.
#[pyclass(frozen)]
pub struct Backtest {
    run: Mutex<driver::Backtest>,
    failure: Failure,
    needs_python: bool,
}

impl Backtest {
    fn lock(&self) -> PyResult<MutexGuard<'_, driver::Backtest>> {
        match self.run.try_lock() {
            Ok(run) => Ok(run),
            Err(TryLockError::Poisoned(run)) => Ok(run.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(raised(&Error::new(Code::ContextOutsideCallback, "the run is under way").hint("read its results when it has ended")))
            }
        }
    }
}

/// The exception of a failed run: the callback's own if there is one.
fn exception(failure: &Failure, error: &Error) -> PyErr {
    failure.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| raised(error))
}

#[pymethods]
impl Backtest {
    /// Builds a run from a dictionary; see `tradewind.backtest`.
    #[new]
    fn new(run: Run<'_>) -> PyResult<Self> {
        let failure = Failure::default();
        let built = run.build(&failure)?;
        let needs_python = built.needs_python;
        let run = driver::Backtest::new(built.settings, built.strategies, built.risk, built.recordings)
            .map_err(|error| exception(&failure, &error))?;
        Ok(Self { run: Mutex::new(run), failure, needs_python })
    }

    /// Goes on for some rows; tells whether the run has come to its end.
    fn advance(&self, py: Python<'_>, rows: u64) -> PyResult<bool> {
        let result = if self.needs_python { self.lock()?.advance(rows) } else { py.detach(|| Ok::<_, PyErr>(self.lock()?.advance(rows)))? };
        result.map(|progress| progress == Progress::Done).map_err(|error| exception(&self.failure, &error))
    }

    /// How many rows the engine has met.
    #[getter]
    fn rows(&self) -> PyResult<u64> {
        Ok(self.lock()?.rows())
    }

    /// The time of the run.
    #[getter]
    fn now_ns(&self) -> PyResult<i64> {
        Ok(self.lock()?.now_ns())
    }

    /// The journal's entries since the last call: the number of the first and last, and the bytes.
    fn take_journal(&self) -> PyResult<Option<(u64, u64, Vec<u8>)>> {
        Ok(self.lock()?.engine_mut().take_journal())
    }

    /// The figures and hashes of the run.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Outcome::of(&*self.lock()?).to_dict(py)
    }

    /// Closed orders, as columns.
    fn orders<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        columns_of_orders(py, &*self.lock()?)
    }

    /// Fills, as columns.
    fn fills<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        columns_of_fills(py, &*self.lock()?)
    }

    /// The postings of the ledger, as columns.
    fn ledger<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        columns_of_ledger(py, &*self.lock()?)
    }

    /// The equity curve: times in nanoseconds, and values.
    fn equity(&self) -> PyResult<(Vec<i64>, Vec<f64>)> {
        let run = self.lock()?;
        Ok(run.recorder().curve().points().iter().map(|point| (point.time_ns, point.equity)).unzip())
    }
}

/// Runs many native runs on all cores; the figures and hashes of each, in their order.
///
/// `threads` limits how many run at once; `progress` is called with the number that is done.
#[pyfunction]
#[pyo3(signature = (runs, threads=None, progress=None))]
pub fn run_many<'py>(
    py: Python<'py>,
    runs: Vec<Run<'py>>,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let mut waiting = Vec::with_capacity(runs.len());
    for run in &runs {
        let built = run.build(&Failure::default())?;
        if built.needs_python {
            return Err(raised(&Error::new(Code::BadSetting, "only native strategies run on several threads")));
        }
        waiting.push(Mutex::new(Some(built)));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build()
        .map_err(|error| raised(&Error::new(Code::Internal, error.to_string())))?;
    let done = std::sync::atomic::AtomicUsize::new(0);
    let one = |built: &Mutex<Option<crate::settings::Built>>| -> Result<Outcome, Error> {
        let built = built.lock().unwrap_or_else(PoisonError::into_inner).take();
        let built = built.ok_or_else(|| Error::new(Code::Internal, "a run was started twice"))?;
        let mut run = driver::Backtest::new(built.settings, built.strategies, built.risk, built.recordings)?;
        run.run()?;
        let outcome = Outcome::of(&run);
        let count = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        if let Some(progress) = &progress {
            Python::attach(|py| progress.call1(py, (count,)).map(drop))
                .map_err(|failure| Error::new(Code::RunInterrupted, failure.to_string()))?;
        }
        Ok(outcome)
    };
    let outcomes: Result<Vec<Outcome>, Error> = py.detach(|| pool.install(|| waiting.par_iter().map(one).collect()));
    outcomes.map_err(|error| raised(&error))?.iter().map(|outcome| outcome.to_dict(py)).collect()
}
