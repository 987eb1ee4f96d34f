//! The last events of a stream, as strategies read them.

use crate::context::Context;
use crate::event::wrap;
use crate::instrument::Instrument;
use pyo3::prelude::*;
use tradewind_core::market::{MarketData, MarketEvent};
use tradewind_core::number::to_float;
use tradewind_core::state::HistoryIndex;

/// The last events of a stream. What it gives is a copy, never a view of what the engine writes.
#[pyclass(frozen)]
pub struct History {
    context: Py<Context>,
    instrument: Py<Instrument>,
    index: HistoryIndex,
}

impl History {
    pub fn new(context: Py<Context>, instrument: Py<Instrument>, index: HistoryIndex) -> Self {
        Self { context, instrument, index }
    }

    fn events(&self) -> PyResult<Vec<MarketEvent>> {
        self.context.get().with(|state| Ok(state.history(self.index).events().copied().collect()))
    }
}

#[pymethods]
impl History {
    /// The events, oldest first.
    #[getter(events)]
    fn wrapped(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        self.events()?.iter().map(|event| wrap(py, event, &self.instrument)).collect()
    }

    /// Their prices, oldest first: of a trade or mark its price, of a quote the middle, of a bar the close.
    #[getter]
    fn prices(&self) -> PyResult<Vec<f64>> {
        let decimals = self.instrument.get().price_decimals;
        let float = |price| to_float(price, decimals);
        let price = |event: &MarketEvent| match event.data() {
            MarketData::Trade(trade) => float(trade.price),
            MarketData::Mark(price) => float(price),
            MarketData::Quote(quote) => f64::midpoint(float(quote.bid), float(quote.ask)),
            MarketData::Bar(bar) => float(bar.close),
            MarketData::Book(delta) => float(delta.price),
            MarketData::Funding(_) => f64::NAN,
        };
        Ok(self.events()?.iter().map(price).collect())
    }

    fn __len__(&self) -> PyResult<usize> {
        self.context.get().with(|state| Ok(state.history(self.index).events().len()))
    }
}
