//! Columns of a table in the making, as Python takes them without an object a cell.
//!
//! A column is `(kind, values, present)`: native bytes, and a byte a row that tells whether it has a value, or None
//! where all have. Decimals are integers at the column's scale, and text where those do not fit 64 bits. Words are the
//! place of each in a list, which comes in the place of `present` and ends with None.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::collections::HashMap;
use tradewind_core::number::{format_decimal, power_of_ten};

/// Columns over some rows.
pub struct Columns<'py, 'row, T> {
    pub dict: Bound<'py, PyDict>,
    rows: &'row [T],
    /// Which are wanted; all where none are named.
    wanted: Option<&'row [String]>,
}

impl<'py, 'row, T> Columns<'py, 'row, T> {
    pub fn new(py: Python<'py>, rows: &'row [T], wanted: Option<&'row [String]>) -> Self {
        Self { dict: PyDict::new(py), rows, wanted }
    }

    fn skips(&self, name: &str) -> bool {
        self.wanted.is_some_and(|wanted| wanted.iter().all(|one| one != name))
    }

    fn add<const SIZE: usize>(&self, name: &str, kind: &str, of: impl Fn(&'row T) -> Option<[u8; SIZE]>) -> PyResult<()> {
        if self.skips(name) {
            return Ok(());
        }
        let py = self.dict.py();
        let mut bytes = Vec::with_capacity(self.rows.len() * SIZE);
        let mut present = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            let value = of(row);
            present.push(u8::from(value.is_some()));
            bytes.extend_from_slice(&value.unwrap_or([0; SIZE]));
        }
        let present = present.contains(&0).then(|| PyBytes::new(py, &present));
        self.dict.set_item(name, (kind, PyBytes::new(py, &bytes), present))
    }

    /// Integers.
    pub fn integers(&self, name: &str, of: impl Fn(&'row T) -> Option<i64>) -> PyResult<()> {
        self.add(name, "integer", |row| of(row).map(i64::to_ne_bytes))
    }

    /// Times in nanoseconds.
    pub fn times(&self, name: &str, of: impl Fn(&'row T) -> Option<i64>) -> PyResult<()> {
        self.add(name, "time", |row| of(row).map(i64::to_ne_bytes))
    }

    /// Floats.
    pub fn floats(&self, name: &str, of: impl Fn(&'row T) -> Option<f64>) -> PyResult<()> {
        self.add(name, "float", |row| of(row).map(f64::to_ne_bytes))
    }

    /// Yes or no.
    pub fn flags(&self, name: &str, of: impl Fn(&'row T) -> Option<bool>) -> PyResult<()> {
        self.add(name, "flag", |row| of(row).map(|value| [value.into()]))
    }

    /// Exact numbers, each with its decimals, at a scale that holds all of them.
    pub fn decimals(&self, name: &str, scale: u8, of: impl Fn(&'row T) -> Option<(i128, u8)>) -> PyResult<()> {
        if self.skips(name) {
            return Ok(());
        }
        let scaled = |row| of(row).map(|(amount, decimals)| in_64_bits(amount, scale - decimals));
        if self.rows.iter().filter_map(scaled).all(|amount| amount.is_some()) {
            return self.add(name, "decimal", |row| scaled(row).flatten().map(i64::to_ne_bytes));
        }
        let texts: Vec<_> = self.rows.iter().map(|row| of(row).map(|(amount, decimals)| format_decimal(amount, decimals))).collect();
        self.dict.set_item(name, ("decimal_text", PyList::new(self.dict.py(), texts)?, None::<()>))
    }

    /// Words.
    pub fn words<'text>(&self, name: &str, of: impl Fn(&'row T) -> Option<&'text str>) -> PyResult<()> {
        if self.skips(name) {
            return Ok(());
        }
        let mut places: HashMap<&str, u32> = HashMap::new();
        let mut words: Vec<Option<&str>> = Vec::new();
        let mut codes: Vec<u32> = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            codes.push(match of(row) {
                None => u32::MAX,
                Some(word) => *places.entry(word).or_insert_with(|| {
                    words.push(Some(word));
                    words.len() as u32 - 1
                }),
            });
        }
        let missing = words.len() as u32;
        words.push(None);
        let bytes: Vec<u8> = codes.iter().flat_map(|&code| code.min(missing).to_ne_bytes()).collect();
        let py = self.dict.py();
        self.dict.set_item(name, ("word", PyBytes::new(py, &bytes), PyList::new(py, words)?))
    }
}

fn in_64_bits(amount: i128, more_decimals: u8) -> Option<i64> {
    i64::try_from(amount.checked_mul(power_of_ten(more_decimals).into())?).ok()
}
