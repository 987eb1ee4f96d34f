//! The simple moving average.

use super::check_period;
use super::window::Window;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The mean of the last `period` values.
///
/// ```
/// use tradewind_core::indicator::Sma;
/// let mut sma = Sma::new(3).unwrap();
/// for price in [1.0, 2.0, 6.0, 10.0] {
///     sma.update(price);
/// }
/// assert_eq!(sma.value(), 6.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sma {
    window: Window<f64>,
}

impl Sma {
    /// An average over `period` values, at least one.
    pub fn new(period: u32) -> Result<Self> {
        check_period("sma", period, 1)?;
        Ok(Self { window: Window::new(period) })
    }

    /// Over how many values.
    pub fn period(&self) -> u32 {
        self.window.period()
    }

    /// Takes the next value.
    #[inline]
    pub fn update(&mut self, value: f64) {
        self.window.push(value);
    }

    /// The average; NaN until ready.
    #[inline]
    pub fn value(&self) -> f64 {
        if self.is_ready() { self.window.total() / f64::from(self.window.period()) } else { f64::NAN }
    }

    /// Whether `period` values have come.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.window.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_value_leaves_nothing_behind() {
        let mut sma = Sma::new(2).unwrap();
        for value in [0.1, 1e17, 0.1, 0.1] {
            sma.update(value);
        }
        assert_eq!(sma.value().to_bits(), 0.1_f64.to_bits());
    }

    #[test]
    fn a_period_of_one_is_the_value() {
        let mut sma = Sma::new(1).unwrap();
        for value in [3.0, 4.0] {
            sma.update(value);
            assert_eq!(sma.value().to_bits(), value.to_bits());
        }
    }
}
