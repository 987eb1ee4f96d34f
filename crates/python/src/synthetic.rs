//! The synthetic market's rows as columns.

use crate::error::{OrRaise, raised};
use crate::instrument::Instrument;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use tradewind_core::error::{Code, Error};
use tradewind_core::market::{MarketEvent, MarketKind};
use tradewind_core::synthetic::{Length, SyntheticMarket, SyntheticSettings};

/// The settings of a synthetic market as Python gives them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct SyntheticValues {
    seed: u64,
    start_ns: i64,
    events: Option<u64>,
    duration_ns: Option<i64>,
    initial_price: i64,
    volatility: f64,
    activity: f64,
    latency_ns: i64,
    emit: Vec<String>,
}

impl SyntheticValues {
    pub fn read(&self) -> PyResult<SyntheticSettings> {
        let length = match (self.events, self.duration_ns) {
            (Some(events), None) => Length::Events(events),
            (None, Some(duration_ns)) => Length::Duration(duration_ns),
            _ => return Err(raised(&Error::new(Code::BadSetting, "a synthetic market needs either a number of events or a duration"))),
        };
        let kind = |word: &String| {
            MarketKind::ALL
                .into_iter()
                .find(|kind| kind.name() == word)
                .ok_or_else(|| raised(&Error::new(Code::BadSetting, format!("there is no kind of market event {word:?}"))))
        };
        Ok(SyntheticSettings {
            seed: self.seed,
            start_ns: self.start_ns,
            length,
            initial_price: self.initial_price,
            volatility: self.volatility,
            activity: self.activity,
            latency_ns: self.latency_ns,
            emit: self.emit.iter().map(kind).collect::<PyResult<_>>()?,
        })
    }
}

/// All rows of a synthetic market, as columns of native integers in bytes.
#[pyfunction]
pub fn synthetic_rows<'py>(py: Python<'py>, instrument: &Instrument, settings: SyntheticValues) -> PyResult<Bound<'py, PyDict>> {
    let settings = settings.read()?;
    let mut rows: Vec<MarketEvent> = Vec::new();
    py.detach(|| {
        let mut market = SyntheticMarket::new(instrument.instrument, &instrument.definition().specification, &settings)?;
        while market.fill(&mut rows, 65_536) > 0 {}
        Ok(())
    })
    .or_raise()?;
    let dict = PyDict::new(py);
    let integers =
        |of: &dyn Fn(&MarketEvent) -> i64| PyBytes::new(py, &rows.iter().flat_map(|row| of(row).to_ne_bytes()).collect::<Vec<u8>>());
    dict.set_item("venue_time_ns", integers(&|row| row.venue_time_ns))?;
    dict.set_item("arrival_time_ns", integers(&|row| row.arrival_time_ns))?;
    dict.set_item("kind", PyBytes::new(py, &rows.iter().map(|row| row.kind as u8).collect::<Vec<u8>>()))?;
    dict.set_item("flags", PyBytes::new(py, &rows.iter().map(|row| row.columns().0).collect::<Vec<u8>>()))?;
    for (place, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        dict.set_item(name, integers(&|row| row.columns().1[place]))?;
    }
    Ok(dict)
}
