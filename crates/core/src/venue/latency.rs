//! How long messages take between us and a venue.

use crate::chance::Chance;
use crate::error::{Code, Error, Result};
use crate::time::{DAY_NS, DurationNs, TimeNs};
use serde::{Deserialize, Serialize};

/// Of which shares of all messages a measured distribution keeps how long they took at most. The tail is told apart, so
/// that one slow message of many stays as rare as it was.
#[rustfmt::skip]
pub const MEASURED_SHARES: [f64; 23] = [
    0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 0.999, 1.0,
];

const LAST: usize = MEASURED_SHARES.len() - 1;

/// A distribution of delays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Latency {
    /// Always the same.
    Constant(DurationNs),
    /// Anything between two bounds, equally likely.
    Uniform {
        /// The smallest delay.
        low_ns: DurationNs,
        /// The largest delay.
        high_ns: DurationNs,
    },
    /// At least a minimum, then exponentially distributed: many short ones, a long tail.
    Exponential {
        /// The smallest delay.
        minimum_ns: DurationNs,
        /// The mean of what comes on top.
        mean_ns: DurationNs,
    },
    /// As it was measured: the delay at each of [`MEASURED_SHARES`], from the smallest to the largest.
    Measured([DurationNs; LAST + 1]),
}

impl Latency {
    /// Refuses negative and reversed delays.
    pub fn validate(&self) -> Result<()> {
        let holds = match *self {
            Latency::Constant(delay_ns) => delay_ns >= 0,
            Latency::Uniform { low_ns, high_ns } => low_ns >= 0 && high_ns >= low_ns,
            Latency::Exponential { minimum_ns, mean_ns } => minimum_ns >= 0 && mean_ns >= 0,
            Latency::Measured(quantiles_ns) => quantiles_ns[0] >= 0 && quantiles_ns.is_sorted(),
        };
        let most_ns = match *self {
            Latency::Constant(delay_ns) => delay_ns,
            Latency::Uniform { high_ns, .. } => high_ns,
            Latency::Exponential { minimum_ns, mean_ns } => minimum_ns.max(mean_ns),
            Latency::Measured(quantiles_ns) => quantiles_ns[LAST],
        };
        if !holds {
            return Err(Error::new(
                Code::BadSetting,
                format!("latency {self:?}: delays must not be negative, nor the lower above the higher"),
            ));
        }
        if most_ns > DAY_NS {
            return Err(Error::new(Code::BadSetting, format!("latency {self:?}: delays of more than a day")).hint("delays are nanoseconds"));
        }
        Ok(())
    }
}

/// One direction of a connection: messages keep their order, as on one TCP connection.
///
/// Each sender has chance of its own, so that the messages of one do not shift that of another (D1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    latency: Latency,
    chances: Vec<Chance>,
    last_arrival_ns: TimeNs,
}

impl Line {
    /// A line whose chance is keyed by the venue, the direction and the sender.
    pub fn new(latency: Latency, seed: u64, venue: &str, direction: &str, senders: &[String]) -> Self {
        let chances = senders.iter().map(|sender| Chance::new(seed, &["latency", venue, direction, sender])).collect();
        Self { latency, chances, last_arrival_ns: TimeNs::MIN }
    }

    /// When a message of a sender that is sent now arrives.
    #[inline]
    pub fn arrival_ns(&mut self, sender: usize, sent_ns: TimeNs) -> TimeNs {
        let delay_ns = match self.latency {
            Latency::Constant(delay_ns) => delay_ns,
            Latency::Uniform { low_ns, high_ns } => low_ns + (self.chances[sender].uniform() * (high_ns - low_ns + 1) as f64) as i64,
            Latency::Exponential { minimum_ns, mean_ns } => minimum_ns + (self.chances[sender].exponential() * mean_ns as f64) as i64,
            Latency::Measured(quantiles_ns) => between(&quantiles_ns, self.chances[sender].uniform()),
        };
        self.last_arrival_ns = self.last_arrival_ns.max(sent_ns.saturating_add(delay_ns));
        self.last_arrival_ns
    }
}

/// The delay at a share of the distribution: between two quantiles all delays are equally likely.
fn between(quantiles_ns: &[DurationNs; LAST + 1], share: f64) -> DurationNs {
    let at = MEASURED_SHARES.partition_point(|&kept| kept <= share).clamp(1, LAST) - 1;
    let (low_ns, high_ns) = (quantiles_ns[at], quantiles_ns[at + 1]);
    let within = (share - MEASURED_SHARES[at]) / (MEASURED_SHARES[at + 1] - MEASURED_SHARES[at]);
    low_ns + (within * (high_ns - low_ns) as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rising() -> [DurationNs; LAST + 1] {
        std::array::from_fn(|place| 1_000 * place as i64)
    }

    fn drawn(quantiles_ns: [DurationNs; LAST + 1]) -> Vec<i64> {
        let mut line = Line::new(Latency::Measured(quantiles_ns), 1, "v", "requests", &["s".to_owned()]);
        let sent_ns = (0..100_000_i64).map(|place| place * 200_000_000);
        let mut delays_ns: Vec<i64> = sent_ns.map(|sent_ns| line.arrival_ns(0, sent_ns) - sent_ns).collect();
        delays_ns.sort_unstable();
        delays_ns
    }

    #[test]
    fn a_measured_delay_is_drawn_from_where_the_measurements_lie() {
        let quantiles_ns = rising();
        let delays_ns = drawn(quantiles_ns);
        for (share, quantile_ns) in MEASURED_SHARES.into_iter().zip(quantiles_ns) {
            let place = ((share * 100_000.0) as usize).min(99_999);
            assert!((delays_ns[place] - quantile_ns).abs() < 200, "{share}: {} and not {quantile_ns}", delays_ns[place]);
        }
    }

    #[test]
    fn a_slow_message_of_thousands_stays_as_rare() {
        let mut quantiles_ns = [1_000; LAST + 1];
        quantiles_ns[LAST] = 5_000_000;
        let slow = drawn(quantiles_ns).into_iter().filter(|&delay_ns| delay_ns > 1_000).count();
        assert!((60..=140).contains(&slow), "{slow} of 100000");
    }

    #[test]
    fn a_measured_delay_that_never_varied_is_a_constant() {
        let mut line = Line::new(Latency::Measured([7; LAST + 1]), 3, "v", "answers", &["s".to_owned()]);
        assert!((0..100).all(|sent_ns| line.arrival_ns(0, sent_ns) == sent_ns + 7));
    }

    #[test]
    fn quantiles_are_sorted_and_not_negative() {
        let quantiles_ns = rising();
        assert!(Latency::Measured(quantiles_ns).validate().is_ok());
        let mut unsorted = quantiles_ns;
        unsorted.swap(3, 4);
        assert!(Latency::Measured(unsorted).validate().is_err());
        let mut negative = quantiles_ns;
        negative[0] = -1;
        assert!(Latency::Measured(negative).validate().is_err());
        let mut long = quantiles_ns;
        long[LAST] = DAY_NS + 1;
        assert!(Latency::Measured(long).validate().is_err());
    }
}
