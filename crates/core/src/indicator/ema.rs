//! The exponential moving average.

use super::check_period;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// What an exponential average starts from. It is ready after `period` values in both cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Seed {
    /// The plain average of the first `period` values, as in TA-Lib.
    #[default]
    Average,
    /// The first value, as in pandas' `ewm(span=period, adjust=False)`.
    First,
}

/// The average in which a new value weighs 2 / (period + 1) and older ones fade.
///
/// ```
/// use tradewind_core::indicator::{Ema, Seed};
/// let mut ema = Ema::new(3, Seed::Average).unwrap();
/// for price in [1.0, 2.0, 6.0, 11.0] {
///     ema.update(price);
/// }
/// assert_eq!(ema.value(), 7.0); // (1 + 2 + 6) / 3 = 3, then half way to 11
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    /// While the seed is an average and incomplete, the sum of what has come.
    average: f64,
    weight: f64,
    period: u32,
    missing: u32,
    seed: Seed,
}

impl Ema {
    /// An average with a weight of 2 / (`period` + 1), at least one.
    pub fn new(period: u32, seed: Seed) -> Result<Self> {
        check_period("ema", period, 1)?;
        Ok(Self::with_weight(period, 2.0 / f64::from(period + 1), seed))
    }

    /// Wilder's smoothing: a weight of 1 / `period`, seeded with the average.
    pub(super) fn wilder(period: u32) -> Self {
        Self::with_weight(period, 1.0 / f64::from(period), Seed::Average)
    }

    fn with_weight(period: u32, weight: f64, seed: Seed) -> Self {
        Self { average: 0.0, weight, period, missing: period, seed }
    }

    /// Over how many values, in the sense of its weight.
    pub fn period(&self) -> u32 {
        self.period
    }

    /// What it started from.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Takes the next value.
    #[inline]
    pub fn update(&mut self, value: f64) {
        if self.missing == 0 {
            self.average += self.weight * (value - self.average);
        } else {
            self.warm_up(value);
        }
    }

    #[cold]
    fn warm_up(&mut self, value: f64) {
        match self.seed {
            Seed::First if self.missing == self.period => self.average = value,
            Seed::First => self.average += self.weight * (value - self.average),
            Seed::Average => self.average += value,
        }
        self.missing -= 1;
        if self.missing == 0 && self.seed == Seed::Average {
            self.average /= f64::from(self.period);
        }
    }

    /// The average; NaN until ready.
    #[inline]
    pub fn value(&self) -> f64 {
        if self.is_ready() { self.average } else { f64::NAN }
    }

    /// Whether `period` values have come.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.missing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_with_the_first_value() {
        let mut ema = Ema::new(3, Seed::First).unwrap();
        for price in [4.0, 8.0] {
            ema.update(price);
            assert!(ema.value().is_nan());
        }
        ema.update(10.0);
        assert!((ema.value() - 8.0).abs() < 1e-15); // 4, then 6, then 8
    }

    #[test]
    fn of_a_constant_it_is_the_constant() {
        for seed in [Seed::Average, Seed::First] {
            let mut ema = Ema::new(7, seed).unwrap();
            for _ in 0..1000 {
                ema.update(61_800.25);
            }
            assert_eq!(ema.value().to_bits(), 61_800.25_f64.to_bits());
        }
    }
}
