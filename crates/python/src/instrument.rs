//! Instruments and their streams.

use crate::error::{OrRaise, raised};
use crate::number::fixed;
use pyo3::prelude::*;
use std::sync::Arc;
use tradewind_core::error::{Code, Error};
use tradewind_core::instrument::{self as core, FeeAsset, Fees, InstrumentIndex, Kind, Margin, Specification};
use tradewind_core::market::BarInterval;
use tradewind_core::number::{RATE_DECIMALS, format_decimal, parse_decimal, to_float};
use tradewind_core::state::{self, StreamKind};

/// The names of venues, assets and instruments.
#[pyclass(frozen)]
pub struct Index {
    pub index: Arc<core::Index>,
    pub instruments: Arc<Vec<Py<Instrument>>>,
}

/// The definition of an instrument as Python gives it: numbers as decimal text.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Definition {
    venue: String,
    symbol: String,
    kind: String,
    base: String,
    quote: String,
    settlement: String,
    price_decimals: u8,
    quantity_decimals: u8,
    tick: String,
    lot: String,
    minimum_quantity: String,
    minimum_notional: String,
    multiplier: String,
    maker_fee: String,
    taker_fee: String,
    liquidation_fee: String,
    fee_asset: String,
    initial_margin: Option<String>,
    maintenance_margin: Option<String>,
}

impl Definition {
    /// The specification, or every reason why there is none.
    fn read(&self) -> Result<Specification, Vec<String>> {
        let mut problems = Vec::new();
        let mut number = |field: &str, text: &str, decimals: u8| {
            parse_decimal(text, decimals).unwrap_or_else(|problem| {
                problems.push(format!("{field} = {text}: {problem:?} with {decimals} decimals"));
                0
            })
        };
        let multiplier_decimals = self.multiplier.split_once('.').map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len() as u8);
        let value_decimals = self.price_decimals + self.quantity_decimals + multiplier_decimals;
        let tick = number("tick", &self.tick, self.price_decimals);
        let lot = number("lot", &self.lot, self.quantity_decimals);
        let minimum_quantity = number("minimum_quantity", &self.minimum_quantity, self.quantity_decimals);
        let minimum_notional = number("minimum_notional", &self.minimum_notional, value_decimals.min(18));
        let multiplier = number("multiplier", &self.multiplier, multiplier_decimals);
        let mut rate = |field: &str, text: &str| number(field, text, RATE_DECIMALS);
        let (maker, taker) = (rate("maker_fee", &self.maker_fee), rate("taker_fee", &self.taker_fee));
        let liquidation = rate("liquidation_fee", &self.liquidation_fee);
        let margin = match (&self.initial_margin, &self.maintenance_margin) {
            (Some(initial), Some(maintenance)) => {
                Some(Margin { initial: rate("initial_margin", initial), maintenance: rate("maintenance_margin", maintenance) })
            }
            _ => None,
        };
        let kind = Kind::from_name(&self.kind);
        if kind.is_none() {
            problems.push(format!("kind = {:?}: spot or linear_perpetual", self.kind));
        }
        let asset = FeeAsset::from_name(&self.fee_asset);
        if asset.is_none() {
            problems.push(format!("fee_asset = {:?}: received or quote", self.fee_asset));
        }
        let specification = Specification {
            venue: self.venue.clone(),
            symbol: self.symbol.clone(),
            kind: kind.unwrap_or(Kind::Spot),
            base: self.base.clone(),
            quote: self.quote.clone(),
            settlement: self.settlement.clone(),
            price_decimals: self.price_decimals,
            quantity_decimals: self.quantity_decimals,
            tick,
            lot,
            minimum_quantity,
            minimum_notional: i128::from(minimum_notional) * 10_i128.pow(u32::from(value_decimals.saturating_sub(18))),
            multiplier,
            multiplier_decimals,
            fees: Fees { maker, taker, liquidation, asset: asset.unwrap_or_default() },
            margin,
        };
        if problems.is_empty() { Ok(specification) } else { Err(problems) }
    }
}

#[pymethods]
impl Index {
    /// Builds the index; every impossible definition is named in one error.
    #[new]
    fn new(py: Python<'_>, definitions: Vec<Definition>) -> PyResult<Self> {
        let mut specifications = Vec::new();
        let mut problems = Vec::new();
        for definition in &definitions {
            match definition.read() {
                Ok(specification) => specifications.push(specification),
                Err(found) => problems.push(format!("instrument {}:{}: {}", definition.venue, definition.symbol, found.join("; "))),
            }
        }
        if !problems.is_empty() {
            return Err(raised(&Error::new(Code::BadSpecification, problems.join("\n"))));
        }
        let index = Arc::new(core::Index::new(&[], &specifications).or_raise()?);
        let wrap = |instrument| Py::new(py, Instrument::new(&index, instrument));
        let instruments = index.instruments().map(|(instrument, _)| wrap(instrument)).collect::<PyResult<Vec<_>>>()?;
        Ok(Self { index, instruments: Arc::new(instruments) })
    }

    /// The instrument of a name.
    fn instrument(&self, py: Python<'_>, name: &str) -> PyResult<Py<Instrument>> {
        Ok(self.instruments[self.index.find_instrument(name).or_raise()?.at()].clone_ref(py))
    }

    /// All instruments, in the order of their definition.
    #[getter]
    fn instruments(&self, py: Python<'_>) -> Vec<Py<Instrument>> {
        self.instruments.iter().map(|instrument| instrument.clone_ref(py)).collect()
    }

    /// The names of all venues.
    #[getter]
    fn venues(&self) -> Vec<String> {
        self.index.venues().map(|(_, venue)| venue.name.clone()).collect()
    }

    /// The names of all assets.
    #[getter]
    fn assets(&self) -> Vec<String> {
        self.index.assets().map(|(_, asset)| asset.name.clone()).collect()
    }
}

/// An instrument: what can be traded, where, and on which grid.
#[pyclass(frozen)]
pub struct Instrument {
    pub index: Arc<core::Index>,
    pub instrument: InstrumentIndex,
    /// Kept here because every value of every event needs them.
    pub price_decimals: u8,
    pub quantity_decimals: u8,
}

impl Instrument {
    fn new(index: &Arc<core::Index>, instrument: InstrumentIndex) -> Self {
        let specification = &index.instrument(instrument).specification;
        let (price_decimals, quantity_decimals) = (specification.price_decimals, specification.quantity_decimals);
        Self { index: Arc::clone(index), instrument, price_decimals, quantity_decimals }
    }

    pub fn definition(&self) -> &core::Instrument {
        self.index.instrument(self.instrument)
    }

    fn stream(slf: &Bound<'_, Self>, kind: StreamKind) -> Stream {
        Stream { instrument: slf.clone().unbind(), kind }
    }
}

#[pymethods]
impl Instrument {
    /// `venue:symbol`.
    #[getter]
    fn name(&self) -> &str {
        &self.definition().name
    }

    /// The venue's name.
    #[getter]
    fn venue(&self) -> &str {
        &self.definition().specification.venue
    }

    /// The venue's name for the instrument.
    #[getter]
    fn symbol(&self) -> &str {
        &self.definition().specification.symbol
    }

    /// `spot` or `linear_perpetual`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.definition().specification.kind.name()
    }

    /// The asset that is traded.
    #[getter]
    fn base(&self) -> &str {
        &self.definition().specification.base
    }

    /// The asset that the price is in.
    #[getter]
    fn quote(&self) -> &str {
        &self.definition().specification.quote
    }

    /// The asset that profit and fees are settled in.
    #[getter]
    fn settlement(&self) -> &str {
        &self.definition().specification.settlement
    }

    /// Decimals of prices.
    #[getter]
    fn price_decimals(&self) -> u8 {
        self.price_decimals
    }

    /// Decimals of quantities.
    #[getter]
    fn quantity_decimals(&self) -> u8 {
        self.quantity_decimals
    }

    /// The step of prices.
    #[getter]
    fn tick(&self) -> f64 {
        to_float(self.definition().specification.tick, self.price_decimals)
    }

    /// The step of quantities.
    #[getter]
    fn lot(&self) -> f64 {
        to_float(self.definition().specification.lot, self.quantity_decimals)
    }

    /// Base per unit of quantity.
    #[getter]
    fn multiplier(&self) -> f64 {
        let specification = &self.definition().specification;
        to_float(specification.multiplier, specification.multiplier_decimals)
    }

    /// A quantity rounded towards zero to the lot.
    fn round_quantity(&self, quantity: f64) -> PyResult<f64> {
        let specification = &self.definition().specification;
        round_to(quantity, specification.lot, specification.quantity_decimals, f64::trunc)
    }

    /// A price rounded to the nearest tick.
    fn round_price(&self, price: f64) -> PyResult<f64> {
        let specification = &self.definition().specification;
        round_to(price, specification.tick, specification.price_decimals, f64::round)
    }

    /// Its trades.
    #[getter]
    fn trades(slf: &Bound<'_, Self>) -> Stream {
        Self::stream(slf, StreamKind::Trades)
    }

    /// Its best bids and offers.
    #[getter]
    fn quotes(slf: &Bound<'_, Self>) -> Stream {
        Self::stream(slf, StreamKind::Quotes)
    }

    /// The changes of its order book.
    #[getter]
    fn book(slf: &Bound<'_, Self>) -> Stream {
        Self::stream(slf, StreamKind::Book)
    }

    /// Its mark prices.
    #[getter]
    fn marks(slf: &Bound<'_, Self>) -> Stream {
        Self::stream(slf, StreamKind::Marks)
    }

    /// Its funding payments.
    #[getter]
    fn funding(slf: &Bound<'_, Self>) -> Stream {
        Self::stream(slf, StreamKind::Funding)
    }

    /// Its bars of an interval such as `1m`, recorded or built from its trades.
    fn bars(slf: &Bound<'_, Self>, interval: &str) -> PyResult<Stream> {
        Ok(Self::stream(slf, StreamKind::Bars(BarInterval::parse(interval).or_raise()?)))
    }

    fn __repr__(&self) -> String {
        let specification = &self.definition().specification;
        format!(
            "Instrument({}, {}, tick {}, lot {})",
            self.name(),
            self.kind(),
            format_decimal(specification.tick.into(), specification.price_decimals),
            format_decimal(specification.lot.into(), specification.quantity_decimals)
        )
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().name() == self.name())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        pyo3::types::PyString::new(py, self.name()).hash()
    }
}

fn round_to(value: f64, step: i64, decimals: u8, round: impl Fn(f64) -> f64) -> PyResult<f64> {
    if !value.is_finite() {
        return Err(raised(&Error::new(Code::NotANumber, format!("{value} cannot be rounded"))));
    }
    let step_value = to_float(step, decimals);
    let steps = value / step_value;
    // A value that is a step up to float noise is that step (N2).
    let nearest = steps.round();
    let steps = if (steps - nearest).abs() < 1e-6 { nearest } else { round(steps) };
    Ok(to_float(steps as i64 * step, decimals))
}

/// One kind of market data of one instrument.
#[pyclass(frozen)]
pub struct Stream {
    pub instrument: Py<Instrument>,
    pub kind: StreamKind,
}

impl Stream {
    pub fn core(&self) -> state::Stream {
        state::Stream { instrument: self.instrument.get().instrument, kind: self.kind }
    }
}

#[pymethods]
impl Stream {
    /// Its instrument.
    #[getter]
    fn instrument(&self, py: Python<'_>) -> Py<Instrument> {
        self.instrument.clone_ref(py)
    }

    fn __repr__(&self) -> String {
        format!("{}.{}", self.instrument.get().definition().name, self.kind)
    }
}

/// A price on the instrument's decimals.
#[inline]
pub fn price_of(instrument: &core::Instrument, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    fixed(value, instrument.specification.price_decimals, "price", &instrument.name)
}

/// A quantity on the instrument's decimals.
#[inline]
pub fn quantity_of(instrument: &core::Instrument, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    fixed(value, instrument.specification.quantity_decimals, "quantity", &instrument.name)
}
