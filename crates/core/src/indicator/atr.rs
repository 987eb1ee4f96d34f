//! The average true range.

use super::{Ema, check_period};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Wilder's average true range, as TA-Lib has it.
///
/// A bar's true range reaches from its low to its high and to the close before it.
/// The first bar has none, so the average, which begins with the plain one of the
/// first `period` ranges, is ready after `period` + 1 bars.
///
/// ```
/// use tradewind_core::indicator::Atr;
/// let mut atr = Atr::new(2).unwrap();
/// for (high, low, close) in [(12.0, 8.0, 10.0), (13.0, 11.0, 12.0), (20.0, 14.0, 15.0)] {
///     atr.update(high, low, close);
/// }
/// assert_eq!(atr.value(), 5.5); // ranges 13 - 10 and 20 - 12
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Atr {
    previous_close: Option<f64>,
    ranges: Ema,
}

impl Atr {
    /// An average over `period` ranges, at least one.
    pub fn new(period: u32) -> Result<Self> {
        check_period("atr", period, 1)?;
        Ok(Self { previous_close: None, ranges: Ema::wilder(period) })
    }

    /// Over how many ranges.
    pub fn period(&self) -> u32 {
        self.ranges.period()
    }

    /// Takes the next bar.
    #[inline]
    pub fn update(&mut self, high: f64, low: f64, close: f64) {
        if let Some(previous) = self.previous_close.replace(close) {
            self.ranges.update(high.max(previous) - low.min(previous));
        }
    }

    /// The average; NaN until ready.
    #[inline]
    pub fn value(&self) -> f64 {
        self.ranges.value()
    }

    /// Whether `period` ranges have come.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.ranges.is_ready()
    }
}
