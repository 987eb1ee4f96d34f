//! Count, mean and spread of values, to be merged without loss.

use super::window::Merge;
use serde::{Deserialize, Serialize};

/// Count, mean and the sum of squared deviations from the mean.
///
/// Merged by the method of Chan, Golub and `LeVeque` (1979), which never subtracts
/// large sums from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moments {
    pub count: u64,
    pub mean: f64,
    squares: f64,
}

impl Moments {
    /// Of the same value `count` times.
    #[inline]
    pub const fn of(value: f64, count: u64) -> Self {
        Self { count, mean: value, squares: 0.0 }
    }

    /// Of the values of both.
    #[inline]
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.count == 0 {
            return other;
        }
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        let share = other.count as f64 / count as f64;
        Self {
            count,
            mean: self.mean + distance * share,
            squares: self.squares + other.squares + distance * distance * share * self.count as f64,
        }
    }

    /// The standard deviation of the values themselves (divided by their number).
    #[inline]
    pub fn population_deviation(self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }

    /// The standard deviation of what the values are a sample of (divided by one less); none for fewer than two.
    pub fn sample_deviation(self) -> Option<f64> {
        (self.count >= 2).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }
}

impl Merge for Moments {
    const EMPTY: Self = Self::of(0.0, 0);

    #[inline]
    fn merge(self, other: Self) -> Self {
        Moments::merge(self, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let moments = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
            .map(|value| Moments::of(value, 1))
            .into_iter()
            .fold(Moments::default(), Moments::merge);
        assert!((moments.mean - 5.0).abs() < 1e-15 && (moments.population_deviation() - 2.0).abs() < 1e-15);
        assert!((moments.sample_deviation().unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!(moments.merge(Moments::default()), moments);
        assert_eq!(Moments::of(3.0, 1).sample_deviation(), None);
    }
}
