//! Lends the engine's state to Python for the length of a callback, by moving its box.

use crate::context::Context;
use crate::error::noted;
use crate::instrument::Instrument;
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use tradewind_core::error::{Code, Error, Result};
use tradewind_core::instrument::Index;
use tradewind_core::state::State;

/// Where the exception of a callback waits until the run has ended.
pub type Failure = Arc<Mutex<Option<PyErr>>>;

/// Lends the state through one context object.
pub struct Lender {
    pub context: Py<Context>,
    /// Stands in for the state while it is lent.
    spare: Option<Box<State>>,
    failure: Failure,
}

impl Lender {
    pub fn new(py: Python<'_>, index: Arc<Index>, instruments: Arc<Vec<Py<Instrument>>>, failure: Failure) -> PyResult<Self> {
        Ok(Self { context: Py::new(py, Context::new(index, instruments))?, spare: Some(Box::default()), failure })
    }

    /// Calls into Python with the state lent. An exception is kept as it is, with a note that
    /// names the callback, and ends the run.
    #[inline]
    pub fn call<T>(&mut self, state: &mut Box<State>, name: &str, call: impl FnOnce(Python<'_>, &Py<Context>) -> PyResult<T>) -> Result<T> {
        Python::attach(|py| {
            let spare = self.spare.take().unwrap_or_default();
            let (lent, result) = self.context.get().lend(std::mem::replace(state, spare), || call(py, &self.context));
            match lent {
                Some(lent) => self.spare = Some(std::mem::replace(state, lent)),
                None => return Err(Error::new(Code::Internal, "the state was not given back by a callback")),
            }
            result.map_err(|failure| self.fail(py, failure, state, name))
        })
    }

    /// Forgets the exception of a call whose failure does not end the run; the error says what it was.
    pub fn forget_failure(&self) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    #[cold]
    fn fail(&self, py: Python<'_>, failure: PyErr, state: &State, name: &str) -> Error {
        let note = format!("raised in {name} at {} ns", state.now_ns());
        let failure = noted(py, failure, &note);
        let error = Error::new(Code::StrategyFailed, format!("{failure} ({note})"));
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        error
    }
}
