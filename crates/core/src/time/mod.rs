//! Instants and durations: nanoseconds, UTC. No clock lives here.

/// Nanoseconds since 1970-01-01T00:00:00 UTC.
pub type TimeNs = i64;

/// A length of time in nanoseconds.
pub type DurationNs = i64;

/// One microsecond.
pub const MICROSECOND_NS: DurationNs = 1_000;
/// One millisecond.
pub const MILLISECOND_NS: DurationNs = 1_000_000;
/// One second.
pub const SECOND_NS: DurationNs = 1_000_000_000;
/// One minute.
pub const MINUTE_NS: DurationNs = 60 * SECOND_NS;
/// One hour.
pub const HOUR_NS: DurationNs = 60 * MINUTE_NS;
/// One day of 24 hours.
pub const DAY_NS: DurationNs = 24 * HOUR_NS;

/// Times are within this of the epoch (the year 2116), so that adding durations stays in range.
pub const LARGEST_TIME_NS: TimeNs = TimeNs::MAX / 2;

/// The start of the interval that contains `time_ns`; intervals count from the epoch.
///
/// ```
/// use tradewind_core::time::{floor_to, MINUTE_NS, SECOND_NS};
/// assert_eq!(floor_to(61 * SECOND_NS, MINUTE_NS), 60 * SECOND_NS);
/// assert_eq!(floor_to(-1, MINUTE_NS), -MINUTE_NS);
/// ```
pub const fn floor_to(time_ns: TimeNs, interval_ns: DurationNs) -> TimeNs {
    time_ns - time_ns.rem_euclid(interval_ns)
}
