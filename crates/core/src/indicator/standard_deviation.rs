//! The standard deviation of a window.

use super::window::Window;
use super::{Moments, check_period};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The standard deviation of the last `period` values, divided by their number, as
/// TA-Lib's STDDEV.
///
/// Values are held as distances from a recent one, so that small moves of a large
/// price keep their digits.
///
/// ```
/// use tradewind_core::indicator::StandardDeviation;
/// let mut deviation = StandardDeviation::new(4).unwrap();
/// for price in [50.0, 1.0, 1.0, 3.0, 3.0] {
///     deviation.update(price);
/// }
/// assert!((deviation.value() - 1.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StandardDeviation {
    origin: f64,
    window: Window<Moments>,
}

impl StandardDeviation {
    /// A deviation over `period` values, at least two.
    pub fn new(period: u32) -> Result<Self> {
        check_period("standard_deviation", period, 2)?;
        Ok(Self { origin: 0.0, window: Window::new(period) })
    }

    /// Over how many values.
    pub fn period(&self) -> u32 {
        self.window.period()
    }

    /// Takes the next value.
    #[inline]
    pub fn update(&mut self, value: f64) {
        if let Some(items) = self.window.between_rounds() {
            let moved = value - self.origin;
            for moments in items {
                moments.mean -= moved;
            }
            self.origin = value;
        }
        self.window.push(Moments::of(value - self.origin, 1));
    }

    /// The deviation; NaN until ready.
    #[inline]
    pub fn value(&self) -> f64 {
        if self.is_ready() { self.window.total().population_deviation() } else { f64::NAN }
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
    fn of_a_constant_it_is_zero() {
        let mut deviation = StandardDeviation::new(5).unwrap();
        for value in [7.3; 30] {
            deviation.update(value);
        }
        assert_eq!(deviation.value().to_bits(), 0.0_f64.to_bits());
    }

    /// Prices about 60,000 that move by 0.1 for two million updates, with a crash to a
    /// tenth and back: the last windows are as accurate as the first.
    #[test]
    fn the_error_does_not_grow() {
        const PERIOD: usize = 100;
        let mut deviation = StandardDeviation::new(PERIOD as u32).unwrap();
        let mut state = 1_u64;
        let mut recent = Vec::new();
        for count in 0..2_000_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5;
            let level = if (1_000_000..1_000_500).contains(&count) { 6_000.0 } else { 60_000.0 };
            let price = level + 0.35 * noise;
            deviation.update(price);
            if count % 100_000 >= 100_000 - PERIOD || (1_000_000..1_001_000).contains(&count) {
                recent.push(price);
            }
            if recent.len() >= PERIOD && (count % 100_000 == 99_999 || (1_000_000 + PERIOD..1_001_000).contains(&count)) {
                let window = &recent[recent.len() - PERIOD..];
                let origin = window[PERIOD - 1];
                let mean = window.iter().map(|value| value - origin).sum::<f64>() / PERIOD as f64;
                let squares: f64 = window.iter().map(|value| (value - origin - mean).powi(2)).sum();
                let wanted = (squares / PERIOD as f64).sqrt();
                assert!((deviation.value() / wanted - 1.0).abs() < 1e-9, "after {count}: {} instead of {wanted}", deviation.value());
            }
            if count % 100_000 == 99_999 {
                recent.clear();
            }
        }
    }
}
