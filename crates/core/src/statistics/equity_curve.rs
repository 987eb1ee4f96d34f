//! Equity at a chosen interval.

use super::{Annualisation, Returns};
use crate::error::{Code, Error, Result};
use crate::time::{DurationNs, TimeNs, floor_to};
use serde::{Deserialize, Serialize};

/// Equity at one time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// When.
    pub time_ns: TimeNs,
    /// How much, in the run's currency.
    pub equity: f64,
}

/// Samples equity at the boundaries of an interval and feeds the metrics.
///
/// The driver asks before each event whether a boundary was passed, and samples what
/// equity was there, which is what it was before that event:
///
/// ```
/// use tradewind_core::statistics::{Annualisation, EquityCurve};
/// use tradewind_core::time::MINUTE_NS;
/// let mut curve = EquityCurve::new(MINUTE_NS, Annualisation::EveryDay, true).unwrap();
/// let mut equity = 100.0;
/// for (time_ns, profit) in [(5, 1.0), (10, 1.0), (MINUTE_NS + 7, -3.0)] {
///     if time_ns >= curve.next_boundary_ns() {
///         curve.sample(time_ns, Some(equity));
///     }
///     equity += profit;
/// }
/// curve.finish(MINUTE_NS + 7, Some(equity));
/// let points: Vec<_> = curve.points().iter().map(|point| (point.time_ns, point.equity)).collect();
/// assert_eq!(points, [(5, 100.0), (MINUTE_NS, 102.0), (MINUTE_NS + 7, 99.0)]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EquityCurve {
    interval_ns: DurationNs,
    next_boundary_ns: TimeNs,
    returns: Returns,
    keeps_points: bool,
    points: Vec<EquityPoint>,
}

impl EquityCurve {
    /// A curve without points. One that does not keep them is of constant size.
    pub fn new(interval_ns: DurationNs, annualisation: Annualisation, keeps_points: bool) -> Result<Self> {
        if interval_ns <= 0 {
            return Err(Error::new(Code::BadSetting, format!("equity interval = {interval_ns} ns: must be above zero"))
                .hint("use a length such as one minute"));
        }
        let returns = Returns::new(annualisation);
        Ok(Self { interval_ns, next_boundary_ns: TimeNs::MIN, returns, keeps_points, points: Vec::new() })
    }

    /// From when on an event must be preceded by [`EquityCurve::sample`]; before the first sample, every event.
    #[inline]
    pub fn next_boundary_ns(&self) -> TimeNs {
        self.next_boundary_ns
    }

    /// Takes the equity from before an event at `time_ns`, which is at or past the next boundary.
    ///
    /// The point belongs to that boundary; further boundaries that were passed without
    /// an event repeat it and get none. The first point is the starting equity and
    /// belongs to the event's time. Unknown equity (N4) makes no point, and the start
    /// waits until it is known.
    pub fn sample(&mut self, time_ns: TimeNs, equity: Option<f64>) {
        debug_assert!(time_ns >= self.next_boundary_ns);
        let is_first = self.next_boundary_ns == TimeNs::MIN;
        if let Some(equity) = equity {
            self.add(if is_first { time_ns } else { self.next_boundary_ns }, equity);
        } else if is_first {
            return;
        }
        self.next_boundary_ns = floor_to(time_ns, self.interval_ns) + self.interval_ns;
    }

    /// Takes the equity after the last event.
    pub fn finish(&mut self, time_ns: TimeNs, equity: Option<f64>) {
        if let Some(equity) = equity {
            self.add(time_ns, equity);
        }
    }

    fn add(&mut self, time_ns: TimeNs, equity: f64) {
        self.returns.add(time_ns, equity);
        if self.keeps_points {
            // What is known later of the same time is what holds.
            self.points.pop_if(|last| last.time_ns == time_ns);
            self.points.push(EquityPoint { time_ns, equity });
        }
    }

    /// The metrics of all points.
    pub fn returns(&self) -> &Returns {
        &self.returns
    }

    /// The points, each later than the one before. Empty if they are not kept.
    pub fn points(&self) -> &[EquityPoint] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MINUTE_NS;

    #[test]
    fn impossible_intervals_are_refused() {
        for interval_ns in [0, -1] {
            let error = EquityCurve::new(interval_ns, Annualisation::EveryDay, true).unwrap_err();
            assert_eq!(error.code, Code::BadSetting);
        }
    }

    #[test]
    fn metrics_without_points_are_the_same() {
        let mut kept = EquityCurve::new(MINUTE_NS, Annualisation::EveryDay, true).unwrap();
        let mut not_kept = EquityCurve::new(MINUTE_NS, Annualisation::EveryDay, false).unwrap();
        for minute in 0..5_000_i32 {
            let equity = Some(1000.0 + f64::from(minute * 7 % 13));
            kept.sample(i64::from(minute) * MINUTE_NS, equity);
            not_kept.sample(i64::from(minute) * MINUTE_NS, equity);
        }
        assert_eq!(kept.returns(), not_kept.returns());
        assert_eq!((kept.points().len(), not_kept.points().len()), (5_000, 0));
    }

    #[test]
    fn unknown_equity_makes_no_point_and_the_start_waits() {
        let mut curve = EquityCurve::new(10, Annualisation::EveryDay, true).unwrap();
        curve.sample(3, None);
        curve.sample(4, Some(1.0));
        curve.sample(12, None);
        curve.sample(55, Some(2.0));
        assert_eq!(curve.next_boundary_ns(), 60);
        curve.finish(58, None);
        assert_eq!(curve.points(), [EquityPoint { time_ns: 4, equity: 1.0 }, EquityPoint { time_ns: 20, equity: 2.0 }]);
    }
}
