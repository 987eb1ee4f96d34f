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
/// curve.begin(5, Some(equity));
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
    /// The equity before money came whose worth is not known yet.
    before_flow: Option<f64>,
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
        Ok(Self { interval_ns, next_boundary_ns: TimeNs::MAX, returns, before_flow: None, keeps_points, points: Vec::new() })
    }

    /// Begins: nothing before counts.
    pub fn begin(&mut self, time_ns: TimeNs, equity: Option<f64>) {
        self.next_boundary_ns = TimeNs::MIN;
        self.sample(time_ns, equity);
    }

    /// Takes the equity before and after money came from outside or left: what was gained until then is kept, and
    /// what follows is measured against what is there now.
    ///
    /// While what came has no price, the first equity that is known again is what is there after it: it is taken as soon
    /// as that is known, so that nothing that is earned later counts as money that came.
    pub fn flow(&mut self, before: Option<f64>, after: Option<f64>) {
        let Some(last) = self.returns.final_equity() else { return };
        let before = self.before_flow.take().or(before).unwrap_or(last);
        if let Some(after) = after {
            self.returns.flow(before, after);
        } else {
            self.before_flow = Some(before);
            self.next_boundary_ns = TimeNs::MIN;
        }
    }

    /// The equity at the start; not known while money that belongs to it has no price.
    pub fn starting_equity(&self) -> Option<f64> {
        self.returns.starting_equity().filter(|_| self.before_flow.is_none() || self.returns.samples() > 1)
    }

    /// Behind when an event must be preceded by [`EquityCurve::sample`]: never before the curve has begun, and
    /// always until the equity is known, at first or behind money that came without a price.
    #[inline]
    pub fn next_boundary_ns(&self) -> TimeNs {
        self.next_boundary_ns
    }

    /// Takes the equity from before an event at `time_ns`, which is past the next boundary.
    ///
    /// The point belongs to that boundary, and what happened right at it counts: a bar that closes at midnight closes the
    /// day. Further boundaries that were passed without
    /// an event repeat it and get none. The first point is the starting equity and
    /// belongs to the event's time. Unknown equity (N4) makes no point, and the start
    /// waits until it is known.
    pub fn sample(&mut self, time_ns: TimeNs, equity: Option<f64>) {
        let is_first = self.next_boundary_ns == TimeNs::MIN;
        debug_assert!(is_first || time_ns > self.next_boundary_ns);
        if let Some(equity) = equity {
            self.add(if is_first { time_ns } else { self.next_boundary_ns }, equity);
        } else if is_first {
            return;
        }
        // What is at the start at its very time is the start; later, what happens right at a boundary is before it.
        let after_ns = if is_first { time_ns } else { time_ns - 1 };
        self.next_boundary_ns = floor_to(after_ns, self.interval_ns) + self.interval_ns;
    }

    /// Takes the equity after the last event.
    pub fn finish(&mut self, time_ns: TimeNs, equity: Option<f64>) {
        if let Some(equity) = equity {
            self.add(time_ns, equity);
        }
    }

    fn add(&mut self, time_ns: TimeNs, equity: f64) {
        if let Some(before) = self.before_flow.take() {
            self.returns.flow(before, equity);
        }
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
        kept.begin(-1, Some(1000.0));
        not_kept.begin(-1, Some(1000.0));
        for minute in 0..5_000_i32 {
            let equity = Some(1000.0 + f64::from(minute * 7 % 13));
            kept.sample(i64::from(minute) * MINUTE_NS + 1, equity);
            not_kept.sample(i64::from(minute) * MINUTE_NS + 1, equity);
        }
        assert_eq!(kept.returns(), not_kept.returns());
        assert_eq!((kept.points().len(), not_kept.points().len()), (5_001, 0));
    }

    #[test]
    fn money_from_outside_is_no_profit() {
        let mut curve = EquityCurve::new(10, Annualisation::EveryDay, true).unwrap();
        curve.flow(Some(5.0), Some(7.0));
        curve.begin(0, Some(0.0));
        // The start comes asset by asset.
        curve.flow(Some(0.0), Some(30.0));
        curve.flow(Some(30.0), Some(100.0));
        curve.sample(11, Some(110.0));
        // Half as much again comes in, then a thing without a price, which turns out to be worth 40.
        curve.flow(Some(110.0), Some(165.0));
        curve.sample(21, Some(165.0));
        curve.flow(Some(165.0), None);
        curve.flow(None, None);
        curve.sample(31, None);
        curve.sample(41, Some(205.0));
        // All but five goes out, of which one is lost.
        curve.flow(Some(205.0), Some(5.0));
        curve.finish(45, Some(4.0));
        assert_eq!(curve.points().iter().map(|point| point.equity).collect::<Vec<_>>(), [0.0, 110.0, 165.0, 205.0, 4.0]);
        let returns = curve.returns();
        assert_eq!((returns.starting_equity(), returns.final_equity()), (Some(100.0), Some(4.0)));
        assert!((returns.total_return().unwrap() - (1.1 * 0.8 - 1.0)).abs() < 1e-12);
        assert!((returns.maximum_drawdown().unwrap() + 0.2).abs() < 1e-12);
    }

    #[test]
    fn what_is_earned_behind_money_without_a_price_is_profit() {
        let mut curve = EquityCurve::new(1_000, Annualisation::EveryDay, true).unwrap();
        curve.begin(0, Some(0.0));
        curve.flow(Some(0.0), Some(60.0));
        curve.flow(Some(60.0), None);
        assert_eq!(curve.starting_equity(), None);
        for (time_ns, equity) in [(1, None), (2, Some(100.0)), (3, Some(104.0)), (4, Some(105.0))] {
            if time_ns > curve.next_boundary_ns() {
                curve.sample(time_ns, equity);
            }
        }
        assert_eq!(curve.starting_equity(), Some(100.0));
        curve.flow(Some(105.0), None);
        assert_eq!(curve.starting_equity(), Some(100.0));
        curve.sample(5, Some(205.0));
        curve.finish(6, Some(205.0));
        assert!((curve.returns().total_return().unwrap() - 0.05).abs() < 1e-12);
    }

    #[test]
    fn what_happens_right_at_a_boundary_is_before_it() {
        let mut curve = EquityCurve::new(10, Annualisation::EveryDay, true).unwrap();
        let mut equity = 1.0;
        curve.begin(0, Some(equity));
        for time_ns in [10, 20, 20, 35, 40] {
            if time_ns > curve.next_boundary_ns() {
                curve.sample(time_ns, Some(equity));
            }
            equity += 1.0;
        }
        curve.finish(40, Some(equity));
        let points: Vec<_> = curve.points().iter().map(|point| (point.time_ns, point.equity)).collect();
        assert_eq!(points, [(0, 1.0), (10, 2.0), (20, 4.0), (40, 6.0)]);
    }

    #[test]
    fn unknown_equity_makes_no_point_and_the_start_waits() {
        let mut curve = EquityCurve::new(10, Annualisation::EveryDay, true).unwrap();
        assert_eq!(curve.next_boundary_ns(), TimeNs::MAX);
        curve.begin(3, None);
        curve.sample(4, Some(1.0));
        curve.sample(12, None);
        curve.sample(55, Some(2.0));
        assert_eq!(curve.next_boundary_ns(), 60);
        curve.finish(58, None);
        assert_eq!(curve.points(), [EquityPoint { time_ns: 4, equity: 1.0 }, EquityPoint { time_ns: 20, equity: 2.0 }]);
    }
}
