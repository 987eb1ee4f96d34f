//! Running backtests: one that Python watches, or many on all cores.

use crate::error::{noted, raised};
use crate::lender::Failure;
use crate::report::{Outcome, columns_of_fills, columns_of_ledger, columns_of_orders};
use crate::settings::{Built, Run};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;
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
pub fn exception(failure: &Failure, error: &Error) -> PyErr {
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

/// How many rows a run meets before it sees that all of them should stop.
const SLICE_ROWS: u64 = 200_000;
/// How long the calling thread waits before it sees Ctrl-C.
const STEP: Duration = Duration::from_millis(50);

/// A run of many, until a thread takes it.
type Waiting = Mutex<Option<Built>>;

/// Runs many native runs on all cores; the figures and hashes of each, in their order.
///
/// Every run comes with a label, which the exception of a failed one names. The first failure, Ctrl-C
/// and an exception of `progress` stop all of them. `threads` limits how many run at once; `progress`
/// is called with the number that is done.
#[pyfunction]
#[pyo3(signature = (runs, threads=None, progress=None))]
pub fn run_many<'py>(
    py: Python<'py>,
    runs: Vec<(String, Run<'py>)>,
    threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let mut waiting = Vec::with_capacity(runs.len());
    for (label, run) in &runs {
        let built = run.build(&Failure::default()).map_err(|failure| noted(py, failure, label))?;
        if built.needs_python {
            return Err(raised(&Error::new(Code::BadSetting, "only native strategies run on several threads")));
        }
        waiting.push(Mutex::new(Some(built)));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build()
        .map_err(|error| raised(&Error::new(Code::Internal, error.to_string())))?;
    let stop = AtomicBool::new(false);
    let (sender, mut receiver) = channel();
    let (outcomes, watched) = std::thread::scope(|scope| {
        let (waiting, stop, pool) = (&waiting, &stop, &pool);
        let work = scope.spawn(move || {
            let one = |built: &Waiting| {
                let outcome = run_one(built, stop);
                stop.fetch_or(outcome.is_err(), Ordering::Relaxed);
                // Nobody listens any more after an exception.
                let _ = sender.send(());
                outcome
            };
            pool.install(|| waiting.par_iter().map(one).collect::<Vec<_>>())
        });
        let watched = watch(py, &mut receiver, progress.as_ref());
        stop.fetch_or(watched.is_err(), Ordering::Relaxed);
        (py.detach(|| work.join()), watched)
    });
    watched?;
    let outcomes = outcomes.map_err(|_| raised(&Error::new(Code::Internal, "a run panicked")))?;
    let mut figures = Vec::with_capacity(runs.len());
    for (outcome, (label, _)) in outcomes.iter().zip(&runs) {
        match outcome {
            Ok(Some(outcome)) => figures.push(outcome.to_dict(py)?),
            Ok(None) => {}
            Err(error) => return Err(noted(py, raised(error), label)),
        }
    }
    Ok(figures)
}

/// Waits for runs in short steps, so that Ctrl-C is seen, until all are done.
fn watch(py: Python<'_>, receiver: &mut Receiver<()>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    let mut done = 0_usize;
    loop {
        let held = &mut *receiver;
        let step = py.detach(move || held.recv_timeout(STEP));
        py.check_signals()?;
        match step {
            Ok(()) => {
                done += 1;
                if let Some(progress) = progress {
                    progress.call1((done,))?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// Runs one of many; nothing if it was stopped.
fn run_one(built: &Waiting, stop: &AtomicBool) -> Result<Option<Outcome>, Error> {
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let built = built.lock().unwrap_or_else(PoisonError::into_inner).take();
    let built = built.ok_or_else(|| Error::new(Code::Internal, "a run was started twice"))?;
    let mut run = driver::Backtest::new(built.settings, built.strategies, built.risk, built.recordings)?;
    while run.advance(SLICE_ROWS)? == Progress::Running {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
    Ok(Some(Outcome::of(&run)))
}
