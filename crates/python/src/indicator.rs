//! Indicators: what to compute, and the handle that reads it.

use crate::context::Context;
use crate::error::{OrRaise, raised};
use pyo3::prelude::*;
use tradewind_core::error::{Code, Error};
use tradewind_core::indicator::{self, IndicatorKind, Seed};
use tradewind_core::state::IndicatorIndex;

/// What an indicator computes; made by `tw.Sma`, `tw.Ema` and the like.
#[pyclass(frozen)]
pub struct IndicatorSpecification {
    pub kind: IndicatorKind,
}

#[pymethods]
impl IndicatorSpecification {
    #[new]
    #[pyo3(signature = (name, period, seed="average"))]
    fn new(name: &str, period: u32, seed: &str) -> PyResult<Self> {
        let seed = match seed {
            "average" => Seed::Average,
            "first" => Seed::First,
            other => {
                return Err(raised(&Error::new(Code::BadSetting, format!("seed {other:?} is not known")).hint("write average or first")));
            }
        };
        let kind = match name {
            "sma" => IndicatorKind::Sma { period },
            "ema" => IndicatorKind::Ema { period, seed },
            "rsi" => IndicatorKind::Rsi { period },
            "atr" => IndicatorKind::Atr { period },
            "standard_deviation" => IndicatorKind::StandardDeviation { period },
            other => return Err(raised(&Error::new(Code::BadSetting, format!("indicator {other:?} is not known")))),
        };
        indicator::Indicator::new(kind).or_raise()?;
        Ok(Self { kind })
    }

    /// The values for a series of inputs, for research and tests: NaN until ready.
    fn over(&self, values: Vec<f64>) -> PyResult<Vec<f64>> {
        let mut indicator = indicator::Indicator::new(self.kind).or_raise()?;
        Ok(values
            .into_iter()
            .map(|value| {
                indicator.update_value(value);
                indicator.value()
            })
            .collect())
    }

    /// The same for bars, given as (high, low, close).
    fn over_bars(&self, bars: Vec<(f64, f64, f64)>) -> PyResult<Vec<f64>> {
        let mut indicator = indicator::Indicator::new(self.kind).or_raise()?;
        Ok(bars
            .into_iter()
            .map(|(high, low, close)| {
                indicator.update_bar(high, low, close);
                indicator.value()
            })
            .collect())
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.kind)
    }
}

/// An indicator that is attached to a stream. The engine updates it before the callback.
#[pyclass(frozen)]
pub struct Indicator {
    context: Py<Context>,
    index: IndicatorIndex,
}

impl Indicator {
    pub fn new(context: Py<Context>, index: IndicatorIndex) -> Self {
        Self { context, index }
    }
}

#[pymethods]
impl Indicator {
    /// The value; NaN until it is ready.
    #[getter]
    fn value(&self) -> PyResult<f64> {
        self.context.get().with(|state| Ok(state.indicator(self.index).value()))
    }

    /// Whether enough inputs have been seen.
    #[getter]
    fn ready(&self) -> PyResult<bool> {
        self.context.get().with(|state| Ok(state.indicator(self.index).is_ready()))
    }
}
