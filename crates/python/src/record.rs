//! What really happened to the orders of a recorded session, from Python.

use crate::error::{OrRaise, raised};
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};
use tradewind_core::driver;
use tradewind_core::driver::Cause;
use tradewind_core::error::{Code, Error};
use tradewind_core::order::OrderId;

/// The orders of a recorded session, read from its journal in two passes.
#[pyclass(frozen)]
pub struct Record {
    pub record: Mutex<driver::Record>,
}

#[pymethods]
impl Record {
    /// Takes of each request its order, whether it was a cancel, and when it reached the venue.
    #[new]
    fn new(venue_times: Vec<(u64, bool, Option<i64>)>) -> Self {
        let venue_times = venue_times.into_iter().map(|(id, is_cancel, time_ns)| (OrderId(id), is_cancel, time_ns));
        Self { record: Mutex::new(driver::Record::new(venue_times)) }
    }

    /// Takes a block of the journal, in the first pass.
    fn observe(&self, block: &[u8]) -> PyResult<()> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).observe(block).or_raise()
    }

    /// Takes a block of the journal, in the second pass.
    fn confirm(&self, block: &[u8]) -> PyResult<()> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).confirm(block).or_raise()
    }

    /// The causes of differences, in the order in which they are removed.
    #[staticmethod]
    fn causes() -> Vec<&'static str> {
        Cause::ALL.iter().map(|(word, _)| *word).collect()
    }
}

/// A cause by its word.
pub fn cause(word: &str) -> PyResult<Cause> {
    let found = Cause::ALL.iter().find(|(name, _)| *name == word).map(|(_, cause)| *cause);
    found.ok_or_else(|| raised(&Error::new(Code::Internal, format!("{word:?} is no cause of differences"))))
}
