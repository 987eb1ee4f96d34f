//! What a perpetual has besides its book: an index, a mark price, funding.

use crate::chance::Chance;
use crate::number::{RATE_DECIMALS, Rate, power_of_ten};
use crate::time::{DurationNs, HOUR_NS, SECOND_NS};

/// How often there is a mark price.
pub(super) const MARK_INTERVAL_NS: DurationNs = SECOND_NS;

/// How often funding falls due.
pub(super) const FUNDING_INTERVAL_NS: DurationNs = 8 * HOUR_NS;

/// The contract is worth more or less than the index by so much (one standard deviation) ...
const BASIS_SPREAD: f64 = 0.0006;

/// ... for about so many seconds.
const BASIS_MEMORY: f64 = 4.0 * 3600.0;

/// The share by which the mark follows the book's premium at every mark.
const PREMIUM_WEIGHT: f64 = 0.1;

/// The interest of one funding interval, and how far the rate may stay away from the premium.
const INTEREST: f64 = 0.0001;
const DAMPER: f64 = 0.0005;

/// The largest funding rate.
const RATE_LIMIT: f64 = 0.02;

/// The index, and how the book's premium over it becomes mark price and funding rate.
#[derive(Clone, Debug)]
pub(super) struct Perpetual {
    chance: Chance,
    basis: f64,
    smooth_premium: f64,
    premiums: f64,
    samples: u32,
}

impl Perpetual {
    pub fn new(mut chance: Chance) -> Self {
        let basis = BASIS_SPREAD * chance.normal();
        Self { chance, basis, smooth_premium: basis, premiums: 0.0, samples: 0 }
    }

    /// The mark price, in the unit of the value and the mid; to be asked for at every interval.
    pub fn mark(&mut self, value: f64, mid: f64) -> f64 {
        let share = MARK_INTERVAL_NS as f64 / SECOND_NS as f64 / BASIS_MEMORY;
        self.basis = (self.basis + BASIS_SPREAD * (2.0 * share + share * share).sqrt() * self.chance.normal()) / (1.0 + share);
        let index = value / (1.0 + self.basis);
        let premium = mid / index - 1.0;
        self.premiums += premium;
        self.samples += 1;
        self.smooth_premium += PREMIUM_WEIGHT * (premium - self.smooth_premium);
        index * (1.0 + self.smooth_premium)
    }

    /// The funding rate of the interval that ends: its average premium, drawn towards the interest.
    pub fn funding_rate(&mut self) -> Rate {
        let premium = self.premiums / f64::from(self.samples.max(1));
        (self.premiums, self.samples) = (0.0, 0);
        let rate = premium + (INTEREST - premium).clamp(-DAMPER, DAMPER);
        libm::round(rate.clamp(-RATE_LIMIT, RATE_LIMIT) * power_of_ten(RATE_DECIMALS) as f64) as Rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn funding_is_the_interest_while_the_premium_is_small() {
        let mut perpetual = Perpetual::new(Chance::new(1, &["perpetual", "x:Y"]));
        for (basis, rate) in [(0.0, 100_000), (0.0005, 100_000), (0.001, 500_000), (-0.001, -500_000), (0.5, 20_000_000)] {
            perpetual.basis = basis;
            perpetual.premiums = basis * 10.0;
            perpetual.samples = 10;
            assert_eq!(perpetual.funding_rate(), rate);
        }
    }

    #[test]
    fn the_mark_follows_the_book() {
        let mut perpetual = Perpetual::new(Chance::new(1, &["perpetual", "x:Y"]));
        let marks: Vec<f64> = (0..200).map(|_| perpetual.mark(1000.0, 1010.0)).collect();
        assert!((marks[0] - 1001.0).abs() < 0.5 && (marks[199] - 1010.0).abs() < 0.5, "{} {}", marks[0], marks[199]);
    }
}
