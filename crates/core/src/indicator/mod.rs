//! Indicators that take one value or bar at a time, in constant (amortised) time.
//!
//! All start, and smooth, as TA-Lib does, so that their values can be compared
//! bar by bar. Until an indicator has seen enough it is not ready and its value
//! is NaN, which compares false with everything. Inputs are finite: market data
//! are checked before they reach an indicator.

mod atr;
mod ema;
mod moments;
mod rsi;
mod sma;
mod standard_deviation;
mod window;

pub use atr::Atr;
pub use ema::{Ema, Seed};
pub(crate) use moments::Moments;
pub use rsi::Rsi;
pub use sma::Sma;
pub use standard_deviation::StandardDeviation;

use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// The longest period; a window of so many values still fits memory.
pub const MAXIMUM_PERIOD: u32 = 1_000_000;

/// Which indicator, with its settings: all that is needed to build it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IndicatorKind {
    /// The simple moving average.
    Sma {
        /// How many values.
        period: u32,
    },
    /// The exponential moving average.
    Ema {
        /// The weight of a new value is 2 / (period + 1).
        period: u32,
        /// How it starts.
        seed: Seed,
    },
    /// Wilder's relative strength index.
    Rsi {
        /// Changes are smoothed with a weight of 1 / period.
        period: u32,
    },
    /// Wilder's average true range.
    Atr {
        /// True ranges are smoothed with a weight of 1 / period.
        period: u32,
    },
    /// The standard deviation of a window.
    StandardDeviation {
        /// How many values.
        period: u32,
    },
}

impl IndicatorKind {
    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            IndicatorKind::Sma { .. } => "sma",
            IndicatorKind::Ema { .. } => "ema",
            IndicatorKind::Rsi { .. } => "rsi",
            IndicatorKind::Atr { .. } => "atr",
            IndicatorKind::StandardDeviation { .. } => "standard_deviation",
        }
    }
}

/// Any of the indicators.
///
/// ```
/// use tradewind_core::indicator::{Indicator, IndicatorKind};
/// let mut average = Indicator::new(IndicatorKind::Sma { period: 2 }).unwrap();
/// average.update_value(1.0);
/// assert!(!average.is_ready() && average.value().is_nan());
/// average.update_value(2.0);
/// assert_eq!(average.value(), 1.5);
/// assert!(Indicator::new(IndicatorKind::Sma { period: 0 }).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Indicator {
    /// The simple moving average.
    Sma(Sma),
    /// The exponential moving average.
    Ema(Ema),
    /// Wilder's relative strength index.
    Rsi(Rsi),
    /// Wilder's average true range.
    Atr(Atr),
    /// The standard deviation of a window.
    StandardDeviation(StandardDeviation),
}

impl Indicator {
    /// The indicator of a kind, which has seen nothing.
    pub fn new(kind: IndicatorKind) -> Result<Self> {
        Ok(match kind {
            IndicatorKind::Sma { period } => Self::Sma(Sma::new(period)?),
            IndicatorKind::Ema { period, seed } => Self::Ema(Ema::new(period, seed)?),
            IndicatorKind::Rsi { period } => Self::Rsi(Rsi::new(period)?),
            IndicatorKind::Atr { period } => Self::Atr(Atr::new(period)?),
            IndicatorKind::StandardDeviation { period } => Self::StandardDeviation(StandardDeviation::new(period)?),
        })
    }

    /// The kind it was built from.
    pub fn kind(&self) -> IndicatorKind {
        match self {
            Self::Sma(sma) => IndicatorKind::Sma { period: sma.period() },
            Self::Ema(ema) => IndicatorKind::Ema { period: ema.period(), seed: ema.seed() },
            Self::Rsi(rsi) => IndicatorKind::Rsi { period: rsi.period() },
            Self::Atr(atr) => IndicatorKind::Atr { period: atr.period() },
            Self::StandardDeviation(deviation) => IndicatorKind::StandardDeviation { period: deviation.period() },
        }
    }

    /// Takes a single price; for the average true range it is a bar that never moved.
    #[inline]
    pub fn update_value(&mut self, value: f64) {
        // The commonest one without a call.
        if let Self::Ema(ema) = self {
            ema.update(value);
        } else {
            self.update_bar(value, value, value);
        }
    }

    /// Takes a closed bar, of which all but the average true range see the close.
    #[inline]
    pub fn update_bar(&mut self, high: f64, low: f64, close: f64) {
        match self {
            Self::Sma(sma) => sma.update(close),
            Self::Ema(ema) => ema.update(close),
            Self::Rsi(rsi) => rsi.update(close),
            Self::Atr(atr) => atr.update(high, low, close),
            Self::StandardDeviation(deviation) => deviation.update(close),
        }
    }

    /// Its value; NaN until it is ready.
    #[inline]
    pub fn value(&self) -> f64 {
        if let Self::Ema(ema) = self { ema.value() } else { self.value_of_others() }
    }

    /// The same, out of the way of the commonest one.
    #[inline(never)]
    fn value_of_others(&self) -> f64 {
        match self {
            Self::Sma(sma) => sma.value(),
            Self::Ema(ema) => ema.value(),
            Self::Rsi(rsi) => rsi.value(),
            Self::Atr(atr) => atr.value(),
            Self::StandardDeviation(deviation) => deviation.value(),
        }
    }

    /// Everything that it has seen and that decides its next values, as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // Writing numbers into memory cannot fail.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Whether it has seen enough to have a value.
    #[inline]
    pub fn is_ready(&self) -> bool {
        if let Self::Ema(ema) = self { ema.is_ready() } else { self.is_other_ready() }
    }

    #[inline(never)]
    fn is_other_ready(&self) -> bool {
        match self {
            Self::Sma(sma) => sma.is_ready(),
            Self::Ema(ema) => ema.is_ready(),
            Self::Rsi(rsi) => rsi.is_ready(),
            Self::Atr(atr) => atr.is_ready(),
            Self::StandardDeviation(deviation) => deviation.is_ready(),
        }
    }
}

/// Refuses a period with which an indicator would say nothing or fill the memory.
fn check_period(indicator: &str, period: u32, minimum: u32) -> Result<()> {
    if (minimum..=MAXIMUM_PERIOD).contains(&period) {
        return Ok(());
    }
    Err(Error::new(Code::BadSetting, format!("indicator {indicator}: period = {period} is impossible"))
        .hint(format!("use a period from {minimum} to {MAXIMUM_PERIOD}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(period: u32) -> [IndicatorKind; 6] {
        [
            IndicatorKind::Sma { period },
            IndicatorKind::Ema { period, seed: Seed::Average },
            IndicatorKind::Ema { period, seed: Seed::First },
            IndicatorKind::Rsi { period },
            IndicatorKind::Atr { period },
            IndicatorKind::StandardDeviation { period },
        ]
    }

    #[test]
    fn impossible_periods_are_refused() {
        for period in [0, MAXIMUM_PERIOD + 1] {
            for kind in kinds(period) {
                let error = Indicator::new(kind).unwrap_err();
                assert_eq!(error.code, Code::BadSetting);
                assert!(error.message.contains(kind.name()) && error.hint.contains("1000000"), "{error}");
            }
        }
        assert!(Indicator::new(IndicatorKind::Rsi { period: 1 }).is_err());
        assert!(Indicator::new(IndicatorKind::StandardDeviation { period: 1 }).is_err());
    }

    #[test]
    fn the_kind_comes_back_and_the_value_is_unknown_until_ready() {
        for kind in kinds(3) {
            let mut indicator = Indicator::new(kind).unwrap();
            assert_eq!(indicator.kind(), kind);
            let needed = 3 + u32::from(matches!(kind, IndicatorKind::Rsi { .. } | IndicatorKind::Atr { .. }));
            for seen in 0..10 {
                assert_eq!(indicator.is_ready(), seen >= needed, "{kind:?} after {seen}");
                assert_eq!(indicator.value().is_nan(), seen < needed);
                assert_eq!(indicator, indicator.clone());
                indicator.update_value(100.0 + f64::from(seen * seen % 7));
            }
        }
    }

    /// High, low and close of the first 20 rows of `backtesting-py/GOOG.csv`.
    const BARS: [(f64, f64, f64); 20] = [
        (104.06, 95.96, 100.34),
        (109.08, 100.5, 108.31),
        (113.48, 109.05, 109.4),
        (111.6, 103.57, 104.87),
        (108.0, 103.88, 106.0),
        (107.95, 104.66, 107.91),
        (108.62, 105.69, 106.15),
        (105.49, 102.01, 102.01),
        (103.71, 102.16, 102.37),
        (102.97, 99.67, 100.25),
        (102.37, 98.94, 101.51),
        (101.74, 99.32, 100.01),
        (102.0, 99.61, 101.58),
        (103.03, 100.5, 102.3),
        (102.71, 101.0, 102.31),
        (106.56, 101.3, 105.33),
        (108.41, 106.46, 107.5),
        (112.0, 106.79, 111.49),
        (114.23, 110.2, 112.0),
        (115.8, 111.65, 113.97),
    ];

    /// The values after the last of them are those of TA-Lib 0.8.2 (and, for the seed
    /// with the first value, of pandas 3.1.1).
    #[test]
    fn values_of_talib() {
        let wanted = [110.058, 110.378_512_451_3, 110.377_550_382_7, 88.952_451_860_4, 3.853_555_062_1, 3.163_007_429_6];
        for (kind, wanted) in kinds(5).into_iter().zip(wanted) {
            let mut indicator = Indicator::new(kind).unwrap();
            for (high, low, close) in BARS {
                indicator.update_bar(high, low, close);
            }
            assert!((indicator.value() - wanted).abs() < 1e-9, "{kind:?}: {}", indicator.value());
        }
    }

    #[test]
    fn a_serialised_indicator_goes_on_identically() {
        for kind in kinds(5) {
            for cut in 0..BARS.len() {
                let mut whole = Indicator::new(kind).unwrap();
                for (high, low, close) in &BARS[..cut] {
                    whole.update_bar(*high, *low, *close);
                }
                let mut resumed: Indicator = postcard::from_bytes(&postcard::to_stdvec(&whole).unwrap()).unwrap();
                assert_eq!(resumed, whole);
                for (high, low, close) in &BARS[cut..] {
                    whole.update_bar(*high, *low, *close);
                    resumed.update_bar(*high, *low, *close);
                    assert_eq!(resumed.value().to_bits(), whole.value().to_bits());
                }
            }
        }
    }

    /// Bars whose closes jump between levels, repeat, and move by little.
    fn bars() -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
        let close = prop_oneof![Just(50.0), 59_999.0..60_001.0_f64, 0.001..1000.0_f64];
        prop::collection::vec((close, 0.0..1.0_f64, 0.0..1.0_f64), 0..120)
            .prop_map(|rows| rows.into_iter().map(|(close, up, down)| (close * (1.0 + up), close * (1.0 - down), close)).collect())
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// The indicator as its definition says, over all values seen; none until ready.
    fn naive(kind: IndicatorKind, bars: &[(f64, f64, f64)]) -> Option<f64> {
        let closes: Vec<f64> = bars.iter().map(|bar| bar.2).collect();
        let smooth = |values: &[f64], period: usize, weight: f64| {
            let start = mean(values.get(..period)?);
            Some(values[period..].iter().fold(start, |average, value| average * (1.0 - weight) + value * weight))
        };
        let changes: Vec<f64> = closes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        match kind {
            IndicatorKind::Sma { period } => Some(mean(&closes[closes.len().checked_sub(period as usize)?..])),
            IndicatorKind::StandardDeviation { period } => {
                let window = &closes[closes.len().checked_sub(period as usize)?..];
                let centre = mean(window);
                Some(mean(&window.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>()).sqrt())
            }
            IndicatorKind::Ema { period, seed: Seed::Average } => smooth(&closes, period as usize, 2.0 / f64::from(period + 1)),
            IndicatorKind::Ema { period, seed: Seed::First } => {
                smooth(&closes, 1, 2.0 / f64::from(period + 1)).filter(|_| closes.len() >= period as usize)
            }
            IndicatorKind::Rsi { period } => {
                let average = |sign: f64| {
                    let moves: Vec<f64> = changes.iter().map(|change| (sign * change).max(0.0)).collect();
                    smooth(&moves, period as usize, 1.0 / f64::from(period))
                };
                let (gain, loss) = (average(1.0)?, average(-1.0)?);
                Some(if gain + loss > 0.0 { 100.0 * gain / (gain + loss) } else { 0.0 })
            }
            IndicatorKind::Atr { period } => {
                let ranges: Vec<f64> = bars.windows(2).map(|pair| pair[1].0.max(pair[0].2) - pair[1].1.min(pair[0].2)).collect();
                smooth(&ranges, period as usize, 1.0 / f64::from(period))
            }
        }
    }

    proptest! {
        #[test]
        fn every_value_is_that_of_the_definition(bars in bars(), period in 2_u32..30) {
            for kind in kinds(period) {
                let mut indicator = Indicator::new(kind).unwrap();
                for (at, (high, low, close)) in bars.iter().enumerate() {
                    indicator.update_bar(*high, *low, *close);
                    match naive(kind, &bars[..=at]) {
                        None => prop_assert!(!indicator.is_ready()),
                        Some(wanted) => prop_assert!(
                            (indicator.value() - wanted).abs() <= 1e-9 * wanted.abs().max(1e-3),
                            "{kind:?} after {at}: {} instead of {wanted}", indicator.value()
                        ),
                    }
                }
            }
        }
    }
}
