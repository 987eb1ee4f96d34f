//! Chance: streams of random numbers keyed by what they are for (D1).
//!
//! A stream depends on the seed and its key only, so that adding one thing never shifts
//! the numbers of another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The stream of random numbers for a key, such as `["latency", "binance_usdm"]`.
pub fn stream(seed: u64, key: &[&str]) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(key_of(seed, key))
}

/// A number derived from a seed and a key, to seed something else.
pub fn derive(seed: u64, key: &[&str]) -> u64 {
    stream(seed, key).next_u64()
}

fn key_of(seed: u64, key: &[&str]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in key {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// A number in `[0, 1)` with 53 random bits.
pub fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
