//! Chance: streams of random numbers keyed by what they are for, the same on every platform.
//!
//! A stream depends on the seed and its key only, so that adding one thing never shifts the
//! numbers of another (SEMANTICS D1). Logarithms and the like come from `libm`, because
//! those of the platform may differ in the last bit.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// One stream of chance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chance {
    source: ChaCha8Rng,
}

impl Chance {
    /// The stream of a key, such as `["latency", "binance_usdm"]`.
    pub fn new(seed: u64, key: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("tradewind 2026 chance");
        hasher.update(&seed.to_le_bytes());
        for part in key {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self { source: ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()) }
    }

    /// A number to seed something else with.
    pub fn seed(&mut self) -> u64 {
        self.source.next_u64()
    }

    /// At least zero, below one.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.source.next_u64() >> 11) as f64 * STEP
    }

    /// Whether something of this probability happens.
    #[inline]
    pub fn happens(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A whole number from zero to below `count`.
    #[inline]
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.source.next_u32()) * count as u64) >> 32) as usize
    }

    /// Above zero, with mean one.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.uniform())
    }

    /// At least one, with a tail that falls with this power: the smaller, the heavier.
    #[inline]
    pub fn heavy(&mut self, power: f64) -> f64 {
        libm::exp(self.exponential() / power)
    }

    /// With mean zero and variance one (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * libm::log(square) / square).sqrt();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..100_000).map(|_| draw()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        (mean, draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64)
    }

    #[test]
    fn the_moments_are_right() {
        let mut chance = Chance::new(1, &["test", "x:Y"]);
        let near = |(mean, variance): (f64, f64), wanted: (f64, f64)| {
            assert!((mean - wanted.0).abs() < 0.02 && (variance - wanted.1).abs() < 0.05, "{mean} {variance}");
        };
        near(moments(|| chance.uniform()), (0.5, 1.0 / 12.0));
        near(moments(|| chance.exponential()), (1.0, 1.0));
        near(moments(|| chance.normal()), (0.0, 1.0));
        near(moments(|| chance.below(4) as f64), (1.5, 1.25));
        near(moments(|| 1.0 / chance.heavy(1.0)), (0.5, 1.0 / 12.0));
    }

    #[test]
    fn streams_differ_by_each_part_of_their_name() {
        let first = |seed, purpose, instrument| Chance::new(seed, &[purpose, instrument]).uniform().to_bits();
        let streams = [first(1, "a", "bc"), first(2, "a", "bc"), first(1, "ab", "c"), first(1, "a", "bd")];
        for (place, stream) in streams.iter().enumerate() {
            assert!(!streams[..place].contains(stream));
        }
        assert_eq!(first(1, "a", "bc"), streams[0]);
    }
}
