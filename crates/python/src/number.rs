//! Numbers of Python as fixed-point integers, and back.

use crate::error::raised;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFloat, PyInt, PyString};
use tradewind_core::error::{Code, Error};
use tradewind_core::number::{NumberProblem, format_decimal, from_float, parse_decimal, parse_truncated, power_of_ten};

/// Reads a float, an integer, a `Decimal` or text as a fixed-point number (N2).
#[inline]
pub fn fixed(value: &Bound<'_, PyAny>, decimals: u8, what: &str, name: &str) -> PyResult<i64> {
    let read = if let Ok(float) = value.cast::<PyFloat>() {
        from_float(float.value(), decimals)
    } else if let Some(whole) = whole(value, decimals) {
        Ok(whole)
    } else {
        parse_decimal(&text_of(value)?, decimals)
    };
    read.map_err(|problem| refusal(problem, value, decimals, what, name))
}

/// Reads an integer, a `Decimal` or text as a fixed-point number, rounded towards zero.
pub fn truncated(value: &Bound<'_, PyAny>, decimals: u8, what: &str, name: &str) -> PyResult<i64> {
    if let Some(whole) = whole(value, decimals) {
        return Ok(whole);
    }
    parse_truncated(&text_of(value)?, decimals).map_err(|problem| refusal(problem, value, decimals, what, name))
}

/// An integer, where it fits; what does not is read as text, and refused in words. A truth value is no number.
#[inline]
fn whole(value: &Bound<'_, PyAny>, decimals: u8) -> Option<i64> {
    value.cast_exact::<PyInt>().ok()?.extract::<i64>().ok()?.checked_mul(power_of_ten(decimals))
}

fn text_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(match value.cast::<PyString>() {
        Ok(text) => text.to_string(),
        Err(_) => value.str()?.to_string(),
    })
}

#[cold]
fn refusal(problem: NumberProblem, value: &Bound<'_, PyAny>, decimals: u8, what: &str, name: &str) -> PyErr {
    let shown = value.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string());
    let (code, why) = match problem {
        NumberProblem::NotANumber => (if what == "price" { Code::BadPrice } else { Code::BadQuantity }, "is not a number".to_owned()),
        NumberProblem::OffGrid => (Code::OffGrid, format!("has more than {decimals} decimal{}", if decimals == 1 { "" } else { "s" })),
        NumberProblem::OutOfRange => (Code::OutOfRange, "is too large to be held exactly".to_owned()),
    };
    let error = Error::new(code, format!("{name}: {what} {shown} {why}"));
    raised(&if problem == NumberProblem::OffGrid {
        let helper = if what == "price" { "round_price" } else { "round_quantity" };
        error.hint(format!("round it to the instrument's grid: instrument.{helper}(...)"))
    } else {
        error
    })
}

/// A fixed-point number as a `Decimal`.
pub fn decimal(py: Python<'_>, value: i128, decimals: u8) -> PyResult<Py<PyAny>> {
    static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Ok(DECIMAL.import(py, "decimal", "Decimal")?.call1((format_decimal(value, decimals),))?.unbind())
}

/// An instant as a `datetime` in UTC, to the microsecond.
pub fn datetime(py: Python<'_>, time_ns: i64) -> PyResult<Py<PyAny>> {
    static FROM_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Ok(FROM_NS.import(py, "tradewind.times", "from_ns")?.call1((time_ns,))?.unbind())
}

/// A `datetime`, or nanoseconds since the epoch, as an instant.
pub fn instant(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    static TO_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    match value.extract::<i64>() {
        Ok(time_ns) => Ok(time_ns),
        Err(_) => TO_NS.import(value.py(), "tradewind.times", "to_ns")?.call1((value,))?.extract(),
    }
}

/// A `timedelta`, or seconds, as nanoseconds.
pub fn duration(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    static DURATION_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    DURATION_NS.import(value.py(), "tradewind.times", "duration_ns")?.call1((value,))?.extract()
}
