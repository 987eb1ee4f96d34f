//! The relative strength index.

use super::{Ema, check_period};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Wilder's relative strength index, from 0 to 100, as TA-Lib has it.
///
/// The average of the gains over the sum of the averages of gains and losses. The
/// averages begin with the plain one of the first `period` changes, so it is ready
/// after `period` + 1 values. Where the price has not moved it is 0, as in TA-Lib.
///
/// ```
/// use tradewind_core::indicator::Rsi;
/// let mut rsi = Rsi::new(2).unwrap();
/// for price in [10.0, 13.0, 12.0] {
///     rsi.update(price);
/// }
/// assert_eq!(rsi.value(), 75.0); // gains 3 and 0, losses 0 and 1
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rsi {
    previous: Option<f64>,
    gains: Ema,
    losses: Ema,
}

/// Average moves below this are none, as in TA-Lib.
const NO_MOVE: f64 = 1e-14;

impl Rsi {
    /// An index over `period` changes, at least two.
    pub fn new(period: u32) -> Result<Self> {
        check_period("rsi", period, 2)?;
        Ok(Self { previous: None, gains: Ema::wilder(period), losses: Ema::wilder(period) })
    }

    /// Over how many changes.
    pub fn period(&self) -> u32 {
        self.gains.period()
    }

    /// Takes the next price.
    #[inline]
    pub fn update(&mut self, price: f64) {
        if let Some(previous) = self.previous.replace(price) {
            let change = price - previous;
            self.gains.update(change.max(0.0));
            self.losses.update((-change).max(0.0));
        }
    }

    /// The index; NaN until ready.
    #[inline]
    pub fn value(&self) -> f64 {
        let moves = self.gains.value() + self.losses.value();
        if moves < NO_MOVE { 0.0 } else { 100.0 * (self.gains.value() / moves) }
    }

    /// Whether `period` changes have come.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.gains.is_ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsi_of(period: u32, prices: &[f64]) -> f64 {
        let mut rsi = Rsi::new(period).unwrap();
        for price in prices {
            rsi.update(*price);
        }
        rsi.value()
    }

    #[test]
    fn by_hand() {
        // Gains 2, 0, 3 and losses 0, 1, 0: averages 1 and 0.5, then 2 and 0.25.
        assert!((rsi_of(2, &[10.0, 12.0, 11.0, 14.0]) - 100.0 * 2.0 / 2.25).abs() < 1e-12);
    }

    #[test]
    fn only_up_only_down_and_nowhere() {
        for (prices, wanted) in [([1.0, 2.0, 3.0], 100.0), ([3.0, 2.0, 1.0], 0.0), ([5.0, 5.0, 5.0], 0.0)] {
            assert!((rsi_of(2, &prices) - wanted).abs() < f64::EPSILON);
        }
    }
}
