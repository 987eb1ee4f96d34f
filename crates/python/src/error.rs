//! Errors of the kernel as Python exceptions, from the one table.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tradewind_core::error::{Code, Error};

/// The exception of an error of the kernel.
pub fn raised(error: &Error) -> PyErr {
    Python::attach(|py| raised_in(py, error).unwrap_or_else(|failure| failure))
}

fn raised_in(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    static RAISED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let raised = RAISED.import(py, "tradewind.errors", "exception")?;
    let exception = raised.call1((error.code.slug(), &error.message, &error.hint))?;
    Ok(PyErr::from_value(exception))
}

/// The exception with a note, such as where it was raised. A failing note must not hide the exception.
pub fn noted(py: Python<'_>, failure: PyErr, note: &str) -> PyErr {
    let _ = failure.value(py).call_method1("add_note", (note,));
    failure
}

/// Turns the kernel's results into Python's.
pub trait OrRaise<T> {
    /// The value, or the exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T> OrRaise<T> for tradewind_core::error::Result<T> {
    #[inline]
    fn or_raise(self) -> PyResult<T> {
        self.map_err(|error| raised(&error))
    }
}

/// Every code of the one table, with what it means.
#[pyfunction]
pub fn error_codes() -> Vec<(&'static str, &'static str)> {
    Code::ALL.iter().map(|code| (code.slug(), code.summary())).collect()
}
