//! What a synthetic market is asked to be.

use crate::error::{Code, Error, Result};
use crate::instrument::{Kind, Specification};
use crate::market::MarketKind;
use crate::time::{DurationNs, HOUR_NS, TimeNs};

/// The fewest ticks that a price may have, so that a tick is a small step.
pub(super) const LOWEST_TICKS: i64 = 100;

/// The most ticks that the value may have: floats hold it exactly, and prices several
/// times as high still fit 64 bits.
pub(super) fn highest_ticks(tick: i64) -> i64 {
    (i64::MAX / 8 / tick).min(1 << 50)
}

/// When a synthetic market ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// After exactly so many rows; the last book message may be cut.
    Events(u64),
    /// Before so much venue time has passed.
    Duration(DurationNs),
}

/// What a synthetic market is asked to be.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticSettings {
    /// With the instrument's name it decides all chance.
    pub seed: u64,
    /// The venue time of the first row.
    pub start_ns: TimeNs,
    /// When it ends.
    pub length: Length,
    /// The fundamental value at the start, in units of the last price decimal.
    pub initial_price: i64,
    /// The standard deviation of returns over a year of 365 days: 0.6 is 60 %.
    pub volatility: f64,
    /// How often somebody acts, in times a second on average, to about a quarter. An
    /// action gives about two book rows, a third of a quote and a third of a trade.
    pub activity: f64,
    /// How long after its venue time a row arrives on average: half of it is fixed,
    /// half of it varies.
    pub latency_ns: DurationNs,
    /// The kinds of rows to produce. What is left out happens all the same.
    pub emit: Vec<MarketKind>,
}

impl SyntheticSettings {
    /// Every reason for which there is no such market of this instrument.
    pub fn problems(&self, specification: &Specification) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, text: String| {
            if !holds {
                problems.push(text);
            }
        };
        let (price, tick) = (self.initial_price, specification.tick);
        let highest = highest_ticks(tick);
        check(price % tick == 0, format!("initial_price = {price}: not a multiple of the tick {tick}"));
        check(
            (LOWEST_TICKS..=highest).contains(&(price / tick)),
            format!("initial_price = {price}: {LOWEST_TICKS} to {highest} ticks of {tick} are needed"),
        );
        check(
            (0.0..=100.0).contains(&self.volatility),
            format!("volatility = {}: a fraction a year, from 0 to 100 (0.6 is 60 %)", self.volatility),
        );
        check((1e-3..=1e6).contains(&self.activity), format!("activity = {}: 0.001 to 1,000,000 actions a second", self.activity));
        check((2..=HOUR_NS).contains(&self.latency_ns), format!("latency_ns = {}: 2 nanoseconds to an hour", self.latency_ns));
        check(self.start_ns >= 0, format!("start_ns = {}: before 1970", self.start_ns));
        check(!self.emit.is_empty(), "emit: no kind of row is asked for".into());
        check(!self.emit.contains(&MarketKind::Bar), "emit: bars are built from trades, not generated".into());
        check(
            specification.kind == Kind::LinearPerpetual
                || !self.emit.iter().any(|kind| [MarketKind::Mark, MarketKind::Funding].contains(kind)),
            "emit: only a perpetual has mark prices and funding".into(),
        );
        if let Length::Duration(duration_ns) = self.length {
            let end = self.start_ns.checked_add(duration_ns);
            check(duration_ns >= 0 && end.is_some(), format!("length = {duration_ns} ns: negative, or beyond the year 2262"));
        }
        problems
    }

    /// Refuses impossible settings, with all reasons at once.
    pub fn validate(&self, specification: &Specification) -> Result<()> {
        specification.validate()?;
        let problems = self.problems(specification);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::new(Code::BadSetting, format!("synthetic market of {}: {}", specification.name(), problems.join("; "))))
    }
}
