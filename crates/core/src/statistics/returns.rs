//! Returns, and what is commonly said about them.

use super::{Drawdown, DrawdownTracker, known, ratio};
use crate::indicator::Moments;
use crate::time::{DAY_NS, TimeNs};
use serde::{Deserialize, Serialize};

/// Which days count, and how many of them make a year (N6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Annualisation {
    /// Every UTC day, 365 to the year: markets that never close.
    #[default]
    EveryDay,
    /// Only days with a sample, 252 to the year: markets with a calendar.
    TradingDays,
}

impl Annualisation {
    /// How many days make a year.
    pub const fn days_per_year(self) -> f64 {
        match self {
            Annualisation::EveryDay => 365.0,
            Annualisation::TradingDays => 252.0,
        }
    }
}

/// Metrics of an equity curve, from its samples in one pass.
///
/// The first sample is the starting equity. A day's equity is that of the last
/// sample up to its end: a sample at 00:00 UTC closes the day before. A day's return
/// is its equity over that of the day before, less one; the first day's is over the
/// starting equity, and the first and the last day count though they are partial. A
/// day without a sample has a return of 0, or does not count ([`Annualisation`]).
///
/// With r the daily returns, n their number and f the days in a year, the metrics
/// are those of empyrical-reloaded (`annualization=f`):
///
/// | metric | definition | empyrical |
/// |---|---|---|
/// | total return | last equity / starting equity - 1 | `cum_returns_final` |
/// | annual return | (1 + total return)^(f / n) - 1 | `annual_return` |
/// | volatility | sample deviation of r (n - 1) · √f | `annual_volatility` |
/// | Sharpe | mean r / sample deviation of r · √f | `sharpe_ratio` |
/// | Sortino | mean r / √(mean of min(r, 0)² over all days) · √f | `sortino_ratio` |
/// | daily drawdown | the lowest of equity / peak - 1, over days and the start | `max_drawdown` |
/// | Calmar | annual return / -daily drawdown | `calmar_ratio` |
///
/// Money that comes from outside or leaves ([`Returns::flow`]) is no gain: growth is linked from before it to after it, so
/// that total return and drawdown are those of an investor who was there all the time (time-weighted).
///
/// The drawdown over all samples is at least as deep as the daily one. Metrics of
/// days need two of them, and no day before the last may end with nothing or less.
///
/// ```
/// use tradewind_core::statistics::{Annualisation, Returns};
/// use tradewind_core::time::DAY_NS;
/// let mut returns = Returns::new(Annualisation::EveryDay);
/// for (day, equity) in [100.0, 110.0, 99.0].into_iter().enumerate() {
///     returns.add(day as i64 * DAY_NS, equity);
/// }
/// assert_eq!(returns.days(), 2); // +10 % and -10 %
/// assert!((returns.total_return().unwrap() + 0.01).abs() < 1e-12);
/// assert!((returns.volatility().unwrap() - 0.02_f64.sqrt() * 365_f64.sqrt()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    annualisation: Annualisation,
    start: Option<Sample>,
    last: Sample,
    samples: u64,
    /// The UTC day of the last sample, counted from the epoch.
    day: i64,
    /// The equity that the return of `day` is over.
    day_start_equity: f64,
    before_today: Days,
    drawdown: DrawdownTracker,
    /// The equity of the last sample as it is, where that of samples is linked over flows.
    final_equity: f64,
    /// The linked equity and the equity as it was after the last flow.
    base: Option<(f64, f64)>,
}

/// An equity at a time, linked over flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sample {
    time_ns: TimeNs,
    equity: f64,
}

/// The daily returns so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Days {
    returns: Moments,
    /// The sum of the squares of the negative returns.
    losses_squared: f64,
    /// Whether a day began with nothing, or less: its return means nothing.
    is_ruined: bool,
    drawdown: DrawdownTracker,
}

/// A deviation below this is none: a return is a ratio near one, less one, and so
/// known to about 1e-16; the deviation of equal returns is what rounding leaves.
const NO_DEVIATION: f64 = 1e-14;

impl Days {
    fn add(&mut self, end: Sample, start_equity: f64) {
        if start_equity <= 0.0 {
            self.is_ruined = true;
            return;
        }
        let day_return = end.equity / start_equity - 1.0;
        self.returns = self.returns.merge(Moments::of(day_return, 1));
        self.losses_squared += day_return.min(0.0).powi(2);
        self.drawdown.add(end.time_ns, end.equity);
    }

    /// The sample deviation of the returns, zero where they differ by rounding only.
    fn deviation(&self) -> Option<f64> {
        self.returns.sample_deviation().map(|deviation| if deviation < NO_DEVIATION { 0.0 } else { deviation })
    }

    /// The square root of the mean of the squared negative returns.
    fn downside_deviation(&self) -> f64 {
        let deviation = (self.losses_squared / self.returns.count as f64).sqrt();
        if deviation < NO_DEVIATION { 0.0 } else { deviation }
    }
}

impl Returns {
    /// Metrics of nothing.
    pub fn new(annualisation: Annualisation) -> Self {
        Self {
            annualisation,
            start: None,
            last: Sample::default(),
            samples: 0,
            day: 0,
            day_start_equity: 0.0,
            before_today: Days::default(),
            drawdown: DrawdownTracker::default(),
            final_equity: 0.0,
            base: None,
        }
    }

    /// Takes that money came from outside or left, which changed the equity from `before` to `after`. While nothing was
    /// gained or lost yet, or nothing was there, it belongs to the start.
    pub fn flow(&mut self, before: f64, after: f64) {
        let Some(start) = self.start else { return };
        #[allow(clippy::float_cmp, reason = "the same figure, where nothing has happened to it")]
        let is_start = self.samples == 1 && before == start.equity;
        if is_start || start.equity <= 0.0 {
            *self = Self::new(self.annualisation);
            self.add(start.time_ns, after);
        } else {
            self.base = Some((self.linked(before), after));
        }
    }

    /// What the starting equity would have become without flows. Nothing grows from nothing.
    fn linked(&self, equity: f64) -> f64 {
        match self.base {
            None => equity,
            Some((linked, base)) if base > 0.0 => linked * (equity / base),
            Some((linked, _)) => linked,
        }
    }

    /// Takes the next sample, in the order of time; equity is finite.
    pub fn add(&mut self, time_ns: TimeNs, equity: f64) {
        debug_assert!(equity.is_finite() && (self.samples == 0 || time_ns >= self.last.time_ns));
        self.final_equity = equity;
        let equity = self.linked(equity);
        let sample = Sample { time_ns, equity };
        if self.start.is_none() {
            self.start = Some(sample);
            self.day = time_ns.div_euclid(DAY_NS);
            self.day_start_equity = equity;
            self.before_today.drawdown.add(time_ns, equity);
        } else {
            // A sample at midnight closes the day before.
            let day = (time_ns - 1).div_euclid(DAY_NS);
            if day > self.day {
                self.close_days(day);
            }
        }
        self.last = sample;
        self.samples += 1;
        self.drawdown.add(time_ns, equity);
    }

    /// Ends the present day; the days between it and `day` have no sample.
    fn close_days(&mut self, day: i64) {
        self.before_today.add(self.last, self.day_start_equity);
        if self.annualisation == Annualisation::EveryDay {
            let without_sample = (day - self.day - 1) as u64;
            self.before_today.returns = self.before_today.returns.merge(Moments::of(0.0, without_sample));
        }
        self.day = day;
        self.day_start_equity = self.last.equity;
    }

    /// The finished days and the present one; none before the second sample.
    fn all_days(&self) -> Option<Days> {
        if self.samples < 2 {
            return None;
        }
        let mut days = self.before_today;
        days.add(self.last, self.day_start_equity);
        Some(days)
    }

    /// The same, if daily returns mean something: two days or more, each begun with something,
    /// and not the few minutes around a midnight.
    fn meaningful_days(&self) -> Option<Days> {
        let spans_a_day = self.span_ns().is_some_and(|(start, end)| end - start >= DAY_NS);
        self.all_days().filter(|days| days.returns.count >= 2 && spans_a_day && !days.is_ruined)
    }

    /// Which days count, and how many make a year.
    pub fn annualisation(&self) -> Annualisation {
        self.annualisation
    }

    /// How many samples there were.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The equity at the start.
    pub fn starting_equity(&self) -> Option<f64> {
        self.start.map(|start| start.equity)
    }

    /// The equity at the end.
    pub fn final_equity(&self) -> Option<f64> {
        self.start.map(|_| self.final_equity)
    }

    /// The time of the first and of the last sample.
    pub fn span_ns(&self) -> Option<(TimeNs, TimeNs)> {
        self.start.map(|start| (start.time_ns, self.last.time_ns))
    }

    /// How many days count.
    pub fn days(&self) -> u64 {
        self.all_days().map_or(0, |days| days.returns.count)
    }

    /// What was gained, as a fraction of the starting equity.
    pub fn total_return(&self) -> Option<f64> {
        let start = self.start.filter(|start| self.samples >= 2 && start.equity > 0.0)?;
        known(self.last.equity / start.equity - 1.0)
    }

    /// What a year of such growth would gain (CAGR).
    pub fn annual_return(&self) -> Option<f64> {
        let years = self.meaningful_days()?.returns.count as f64 / self.annualisation.days_per_year();
        known((1.0 + self.total_return()?).powf(1.0 / years) - 1.0)
    }

    /// The deviation of daily returns, for a year.
    pub fn volatility(&self) -> Option<f64> {
        Some(self.meaningful_days()?.deviation()? * self.annualisation.days_per_year().sqrt())
    }

    /// The mean of daily returns over their deviation, for a year.
    pub fn sharpe(&self) -> Option<f64> {
        let days = self.meaningful_days()?;
        ratio(days.returns.mean * self.annualisation.days_per_year().sqrt(), days.deviation()?)
    }

    /// The mean of daily returns over the deviation of the negative ones, for a year.
    pub fn sortino(&self) -> Option<f64> {
        let days = self.meaningful_days()?;
        ratio(days.returns.mean * self.annualisation.days_per_year().sqrt(), days.downside_deviation())
    }

    /// The annual return over the deepest daily drawdown.
    pub fn calmar(&self) -> Option<f64> {
        ratio(self.annual_return()?, -self.daily_drawdown()?)
    }

    /// How deep equity fell from a peak, over all samples: zero or negative.
    pub fn maximum_drawdown(&self) -> Option<f64> {
        self.drawdown.depth().filter(|_| self.samples >= 2)
    }

    /// The deepest drawdown over all samples; none if equity never fell.
    pub fn deepest_drawdown(&self) -> Option<Drawdown> {
        self.drawdown.deepest()
    }

    /// How deep equity fell from a peak, over the days' ends and the start: zero or negative.
    pub fn daily_drawdown(&self) -> Option<f64> {
        self.meaningful_days()?.drawdown.depth()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR_NS;
    use proptest::prelude::*;

    fn returns_of(annualisation: Annualisation, samples: &[(TimeNs, f64)]) -> Returns {
        let mut returns = Returns::new(annualisation);
        for (time_ns, equity) in samples {
            returns.add(*time_ns, *equity);
        }
        returns
    }

    fn daily(equities: &[f64]) -> Returns {
        let samples: Vec<_> = equities.iter().enumerate().map(|(day, equity)| (day as TimeNs * DAY_NS, *equity)).collect();
        returns_of(Annualisation::EveryDay, &samples)
    }

    fn metrics(returns: &Returns) -> [Option<f64>; 7] {
        [
            returns.total_return(),
            returns.annual_return(),
            returns.volatility(),
            returns.sharpe(),
            returns.sortino(),
            returns.calmar(),
            returns.daily_drawdown(),
        ]
    }

    fn is_near(left: Option<f64>, right: Option<f64>) -> bool {
        match (left, right) {
            (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * right.abs().max(1.0),
            (left, right) => left == right,
        }
    }

    /// Daily returns of 2, -1, (no samples: 0, 0), 4, -5 and 1 %; the values are those of
    /// empyrical-reloaded 0.7.1, with the two days without samples left out for 252.
    #[test]
    fn values_of_empyrical() {
        let samples = [
            (9 * HOUR_NS, 100.0),
            (20 * HOUR_NS, 97.0),
            (DAY_NS, 102.0), // midnight: still the first day
            (DAY_NS + 1, 110.0),
            (DAY_NS + 5 * HOUR_NS, 100.98),
            (4 * DAY_NS + HOUR_NS, 105.019_2),
            (6 * DAY_NS, 99.768_24),
            (6 * DAY_NS + 3 * HOUR_NS, 100.765_922_4),
        ];
        for (annualisation, days, wanted) in [
            (
                Annualisation::EveryDay,
                7,
                [0.007_659_224, 0.488_623_907_293, 0.533_898_510_063, 0.976_643_615_969, 1.416_154_831_046, 9.772_478_145_859, -0.05],
            ),
            (
                Annualisation::TradingDays,
                5,
                [0.007_659_224, 0.468_959_121_695, 0.542_991_712_644, 0.928_190_961_785, 1.392_286_442_677, 9.379_182_433_895, -0.05],
            ),
        ] {
            let returns = returns_of(annualisation, &samples);
            assert_eq!(returns.days(), days);
            for (ours, wanted) in metrics(&returns).into_iter().zip(wanted) {
                assert!(is_near(ours, Some(wanted)), "{ours:?} instead of {wanted}");
            }
            assert!(is_near(returns.maximum_drawdown(), Some(99.768_24 / 110.0 - 1.0)));
            assert_eq!(returns.deepest_drawdown().map(|deepest| deepest.peak_time_ns), Some(DAY_NS + 1));
            assert_eq!(returns.span_ns(), Some((9 * HOUR_NS, 6 * DAY_NS + 3 * HOUR_NS)));
        }
    }

    #[test]
    fn a_start_alone_says_nothing() {
        for returns in [daily(&[]), daily(&[100.0])] {
            assert_eq!((metrics(&returns), returns.maximum_drawdown(), returns.days()), ([None; 7], None, 0));
        }
        assert_eq!((daily(&[]).starting_equity(), daily(&[100.0]).final_equity()), (None, Some(100.0)));
    }

    #[test]
    fn of_one_day_only_the_total_and_the_fall_are_known() {
        let returns = returns_of(Annualisation::EveryDay, &[(0, 100.0), (5, 80.0), (HOUR_NS, 150.0)]);
        assert_eq!(returns.days(), 1);
        assert_eq!(metrics(&returns), [Some(0.5), None, None, None, None, None, None]);
        assert!(is_near(returns.maximum_drawdown(), Some(-0.2)));
    }

    #[test]
    fn without_variance_there_is_no_ratio() {
        let flat = daily(&[100.0; 5]);
        let growing = daily(&(0..50).map(|day| 100.0 * 1.001_f64.powi(day)).collect::<Vec<_>>());
        for returns in [&flat, &growing] {
            assert_eq!((returns.volatility(), returns.sharpe(), returns.sortino(), returns.calmar()), (Some(0.0), None, None, None));
            assert_eq!((returns.daily_drawdown(), returns.maximum_drawdown()), (Some(0.0), Some(0.0)));
        }
        assert_eq!((flat.total_return(), flat.annual_return()), (Some(0.0), Some(0.0)));
        assert!(is_near(growing.annual_return(), Some(1.001_f64.powi(365) - 1.0)));
    }

    #[test]
    fn nothing_left_ends_what_can_be_known() {
        let gone = daily(&[100.0, 50.0, 0.0]);
        assert_eq!((gone.total_return(), gone.annual_return(), gone.maximum_drawdown()), (Some(-1.0), Some(-1.0), Some(-1.0)));
        let debt = daily(&[100.0, 50.0, -10.0, 20.0, 30.0]);
        assert_eq!(metrics(&debt)[1..], [None; 6]);
        assert!(is_near(debt.total_return(), Some(-0.7)) && is_near(debt.maximum_drawdown(), Some(-1.1)));
        let from_nothing = daily(&[0.0, 50.0, 60.0, 30.0]);
        assert_eq!(metrics(&from_nothing), [None; 7]);
    }

    #[test]
    fn times_before_the_epoch_have_days_too() {
        let returns = returns_of(Annualisation::EveryDay, &[(-DAY_NS, 100.0), (-1, 110.0), (0, 121.0), (1, 242.0)]);
        assert_eq!(returns.days(), 2);
        assert!(is_near(returns.total_return(), Some(1.42)));
    }

    proptest! {
        #[test]
        fn it_is_what_the_table_of_days_says(
            steps in prop::collection::vec((1_i64..60 * HOUR_NS, 0.8..1.25_f64), 1..60),
            start_ns in 1_i64..DAY_NS,
        ) {
            let mut samples = vec![(start_ns, 100.0)];
            for (wait_ns, factor) in steps {
                let (time_ns, equity) = samples[samples.len() - 1];
                samples.push((time_ns + wait_ns, equity * factor));
            }
            if samples[samples.len() - 1].0 - start_ns < DAY_NS {
                let short = returns_of(Annualisation::EveryDay, &samples);
                prop_assert_eq!(&metrics(&short)[1..], &[None; 6]);
                return Ok(());
            }
            let last_day = (samples[samples.len() - 1].0 - 1) / DAY_NS;
            let ends: Vec<f64> = (0..=last_day)
                .map(|day| samples.iter().rfind(|sample| sample.0 <= (day + 1) * DAY_NS).map_or(100.0, |sample| sample.1))
                .collect();
            let returns: Vec<f64> = ends.iter().enumerate().map(|(day, end)| end / if day == 0 { 100.0 } else { ends[day - 1] } - 1.0).collect();
            let count = returns.len() as f64;
            let mean = returns.iter().sum::<f64>() / count;
            let deviation = (returns.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
            let downside = (returns.iter().map(|value| value.min(0.0).powi(2)).sum::<f64>() / count).sqrt();
            let ours = returns_of(Annualisation::EveryDay, &samples);
            prop_assert_eq!(ours.days(), returns.len() as u64);
            if returns.len() >= 2 {
                prop_assert!(is_near(ours.volatility(), Some(deviation * 365_f64.sqrt())));
                prop_assert!(is_near(ours.sharpe(), ratio(mean * 365_f64.sqrt(), deviation)));
                prop_assert!(is_near(ours.sortino(), ratio(mean * 365_f64.sqrt(), downside)));
                prop_assert!(ours.maximum_drawdown() <= ours.daily_drawdown());
            }
        }
    }
}
