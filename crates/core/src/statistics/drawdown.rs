//! How far equity fell from its peak.

use crate::time::{DurationNs, TimeNs};
use serde::{Deserialize, Serialize};

/// A fall from a peak, and the way back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// The lowest equity over the peak's, less one: -0.2 is a fall of a fifth.
    pub depth: f64,
    /// When equity was last at its peak.
    pub peak_time_ns: TimeNs,
    /// When it was lowest.
    pub trough_time_ns: TimeNs,
    /// When it was at the peak's height again; none if that has not happened.
    pub recovery_time_ns: Option<TimeNs>,
}

impl Drawdown {
    /// From the peak to the recovery, or to `now_ns` while there is none.
    pub fn length_ns(&self, now_ns: TimeNs) -> DurationNs {
        self.recovery_time_ns.unwrap_or(now_ns) - self.peak_time_ns
    }
}

/// Finds the deepest drawdown of a series in one pass.
///
/// ```
/// use tradewind_core::statistics::DrawdownTracker;
/// let mut tracker = DrawdownTracker::default();
/// for (time_ns, equity) in [100.0, 120.0, 90.0, 130.0].into_iter().enumerate() {
///     tracker.add(time_ns as i64, equity);
/// }
/// let deepest = tracker.deepest().unwrap();
/// assert_eq!((deepest.depth, deepest.peak_time_ns, deepest.recovery_time_ns), (-0.25, 1, Some(3)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrawdownTracker {
    peak: Option<(TimeNs, f64)>,
    deepest: Option<Drawdown>,
}

impl DrawdownTracker {
    /// Takes the next equity, in the order of time. What comes before the first positive one is no peak.
    #[inline]
    pub fn add(&mut self, time_ns: TimeNs, equity: f64) {
        match self.peak {
            Some((peak_time_ns, peak)) if equity < peak => self.fall(time_ns, equity / peak - 1.0, peak_time_ns),
            None if equity <= 0.0 => {}
            _ => {
                self.peak = Some((time_ns, equity));
                if let Some(deepest) = &mut self.deepest {
                    deepest.recovery_time_ns = deepest.recovery_time_ns.or(Some(time_ns));
                }
            }
        }
    }

    fn fall(&mut self, time_ns: TimeNs, depth: f64, peak_time_ns: TimeNs) {
        if self.deepest.is_none_or(|deepest| depth < deepest.depth) {
            self.deepest = Some(Drawdown { depth, peak_time_ns, trough_time_ns: time_ns, recovery_time_ns: None });
        }
    }

    /// The deepest drawdown, the earliest of equal ones; none if equity never fell.
    pub fn deepest(&self) -> Option<Drawdown> {
        self.deepest
    }

    /// The deepest drawdown's depth; zero if equity never fell, unknown if it was never above zero.
    pub fn depth(&self) -> Option<f64> {
        self.peak.map(|_| self.deepest.map_or(0.0, |deepest| deepest.depth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn track(equities: &[f64]) -> DrawdownTracker {
        let mut tracker = DrawdownTracker::default();
        for (time_ns, equity) in equities.iter().enumerate() {
            tracker.add(time_ns as TimeNs, *equity);
        }
        tracker
    }

    #[test]
    fn nothing_to_fall_from() {
        assert_eq!(track(&[]).depth(), None);
        assert_eq!(track(&[0.0, -5.0]).depth(), None);
        assert_eq!(track(&[1.0, 1.0, 2.0]).depth(), Some(0.0));
        assert_eq!(track(&[1.0, 2.0]).deepest(), None);
        assert_eq!(track(&[4.0, -1.0]).depth(), Some(-1.25)); // more than everything
    }

    #[test]
    fn a_shallower_fall_does_not_change_the_deepest() {
        let deepest = track(&[100.0, 50.0, 100.0, 110.0, 99.0]).deepest().unwrap();
        assert_eq!((deepest.peak_time_ns, deepest.trough_time_ns, deepest.recovery_time_ns), (0, 1, Some(2)));
        assert_eq!(deepest.length_ns(4), 2);
        let open = track(&[100.0, 100.0, 50.0, 60.0]).deepest().unwrap();
        assert_eq!((open.peak_time_ns, open.length_ns(3)), (1, 2));
    }

    proptest! {
        #[test]
        fn it_is_the_deepest_of_all_pairs(equities in prop::collection::vec(1.0..100.0_f64, 1..60)) {
            let pairs = (0..equities.len()).flat_map(|from| (from..equities.len()).map(move |to| (from, to)));
            let wanted = pairs.map(|(from, to)| equities[to] / equities[from] - 1.0).fold(0.0, f64::min);
            let tracker = track(&equities);
            prop_assert_eq!(tracker.depth(), Some(wanted));
            if let Some(deepest) = tracker.deepest() {
                let (peak, trough) = (equities[deepest.peak_time_ns as usize], equities[deepest.trough_time_ns as usize]);
                prop_assert_eq!(Some(trough / peak - 1.0), tracker.depth());
                let recovery = equities.iter().skip(deepest.trough_time_ns as usize).position(|equity| *equity >= peak);
                prop_assert_eq!(deepest.recovery_time_ns, recovery.map(|after| deepest.trough_time_ns + after as TimeNs));
            }
        }
    }
}
