//! The fundamental value: a random walk of the price with clustered volatility.

use crate::chance::Chance;
use crate::time::DAY_NS;

/// The standard deviation of the logarithm of volatility, for each of its two waves.
const SPREADS: [f64; 2] = [0.35, 0.45];

/// How long the two waves of volatility last, in seconds.
const MEMORIES: [f64; 2] = [3600.0, 90.0];

const YEAR_SECONDS: f64 = 365.0 * (DAY_NS / 1_000_000_000) as f64;

/// What the instrument is worth, in ticks. News change it; between news it stands still.
#[derive(Clone, Debug)]
pub(super) struct Value {
    chance: Chance,
    ticks: f64,
    bounds: (f64, f64),
    volatility: f64,
    waves: [f64; 2],
}

impl Value {
    /// `volatility` is the standard deviation of returns over a year; the value stays within the bounds.
    pub fn new(chance: Chance, ticks: i64, bounds: (i64, i64), volatility: f64) -> Self {
        let (volatility, bounds) = (volatility / YEAR_SECONDS.sqrt(), (bounds.0 as f64, bounds.1 as f64));
        let mut value = Self { chance, ticks: ticks as f64, bounds, volatility, waves: [0.0; 2] };
        value.waves = SPREADS.map(|spread| spread * value.chance.normal());
        value
    }

    #[inline]
    pub fn ticks(&self) -> f64 {
        self.ticks
    }

    /// By how many ticks the value changes within so many seconds, as a standard deviation.
    pub fn typical_move(&self, seconds: f64) -> f64 {
        self.ticks * self.volatility * seconds.sqrt()
    }

    /// Volatility now over its average; the squares average to one.
    pub fn agitation(&self) -> f64 {
        let variance: f64 = SPREADS.iter().map(|spread| spread * spread).sum();
        libm::exp(self.waves.iter().sum::<f64>() - variance)
    }

    /// News, so many seconds after the last: a step of a variance gamma process, the
    /// heavier in its tails the shorter the time.
    pub fn change(&mut self, seconds: f64) {
        for ((wave, spread), memory) in self.waves.iter_mut().zip(SPREADS).zip(MEMORIES) {
            // An implicit step of an Ornstein-Uhlenbeck process: stable for any time.
            let share = seconds / memory;
            *wave = (*wave + spread * (2.0 * share + share * share).sqrt() * self.chance.normal()) / (1.0 + share);
        }
        let step = self.chance.exponential().sqrt() * self.chance.normal();
        let change = self.volatility * self.agitation() * seconds.sqrt() * step;
        // Without the second term the price would have an upward drift.
        let factor = libm::exp((change - change * change / 2.0).clamp(-0.5, 0.5));
        self.ticks = (self.ticks * factor).clamp(self.bounds.0, self.bounds.1);
    }
}
