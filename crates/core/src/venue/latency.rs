//! How long messages take between us and a venue.

use crate::chance::Chance;
use crate::error::{Code, Error, Result};
use crate::time::{DAY_NS, DurationNs, TimeNs};
use serde::{Deserialize, Serialize};

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
}

impl Latency {
    /// Refuses negative and reversed delays.
    pub fn validate(&self) -> Result<()> {
        let holds = match *self {
            Latency::Constant(delay_ns) => delay_ns >= 0,
            Latency::Uniform { low_ns, high_ns } => low_ns >= 0 && high_ns >= low_ns,
            Latency::Exponential { minimum_ns, mean_ns } => minimum_ns >= 0 && mean_ns >= 0,
        };
        let most_ns = match *self {
            Latency::Constant(delay_ns) => delay_ns,
            Latency::Uniform { high_ns, .. } => high_ns,
            Latency::Exponential { minimum_ns, mean_ns } => minimum_ns.max(mean_ns),
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    latency: Latency,
    chance: Chance,
    last_arrival_ns: TimeNs,
}

impl Line {
    /// A line whose chance is keyed by the venue and the direction.
    pub fn new(latency: Latency, seed: u64, venue: &str, direction: &str) -> Self {
        Self { latency, chance: Chance::new(seed, &["latency", venue, direction]), last_arrival_ns: TimeNs::MIN }
    }

    /// When a message that is sent now arrives.
    #[inline]
    pub fn arrival_ns(&mut self, sent_ns: TimeNs) -> TimeNs {
        let delay_ns = match self.latency {
            Latency::Constant(delay_ns) => delay_ns,
            Latency::Uniform { low_ns, high_ns } => low_ns + (self.chance.uniform() * (high_ns - low_ns + 1) as f64) as i64,
            Latency::Exponential { minimum_ns, mean_ns } => minimum_ns + (self.chance.exponential() * mean_ns as f64) as i64,
        };
        self.last_arrival_ns = self.last_arrival_ns.max(sent_ns.saturating_add(delay_ns));
        self.last_arrival_ns
    }
}
