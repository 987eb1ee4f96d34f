//! Market events and fills, as callbacks receive them.

use crate::instrument::Instrument;
use crate::number::{datetime, decimal};
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tradewind_core::account;
use tradewind_core::event::{Condition, DataEvent, DataValue};
use tradewind_core::instrument::Index;
use tradewind_core::market::{MarketData, MarketEvent, MarketKind};
use tradewind_core::number::{RATE_DECIMALS, to_float};
use tradewind_core::strategy::StatusChange;

/// A market event in its object. It can be exchanged without a lock, as nobody reads it then (see [`renew`]).
struct Words([AtomicU64; 8]);

impl Words {
    #[inline]
    fn new(event: &MarketEvent) -> Self {
        Self(event.words().map(AtomicU64::new))
    }

    #[inline]
    fn set(&self, event: &MarketEvent) {
        for (held, word) in self.0.iter().zip(event.words()) {
            held.store(word, Ordering::Relaxed);
        }
    }

    #[inline]
    fn event(&self) -> MarketEvent {
        MarketEvent::from_words(self.0.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }
}

/// A class of market events: what all have in common, and what is its own.
macro_rules! market_class {
    ($(#[$doc:meta])* $name:ident { $($methods:tt)* }) => {
        $(#[$doc])*
        #[pyclass(frozen)]
        pub struct $name {
            words: Words,
            instrument: Py<Instrument>,
        }

        impl $name {
            #[inline]
            pub fn wrap(py: Python<'_>, event: &MarketEvent, instrument: &Py<Instrument>) -> PyResult<Py<Self>> {
                Py::new(py, Self { words: Words::new(event), instrument: instrument.clone_ref(py) })
            }

            #[inline]
            fn renew(py: Python<'_>, object: &Py<PyAny>, event: &MarketEvent, instrument: &Py<Instrument>) -> bool {
                let Ok(object) = object.cast_bound::<Self>(py) else { return false };
                let fits = object.get().instrument.is(instrument);
                if fits {
                    object.get().words.set(event);
                }
                fits
            }

            #[inline]
            fn event(&self) -> MarketEvent {
                self.words.event()
            }
        }

        #[pymethods]
        impl $name {
            /// The instrument.
            #[getter]
            fn instrument(&self, py: Python<'_>) -> Py<Instrument> {
                self.instrument.clone_ref(py)
            }

            /// When it happened at the venue, in nanoseconds since the epoch.
            #[getter]
            fn venue_time_ns(&self) -> i64 {
                self.event().venue_time_ns
            }

            /// When it reached us, in nanoseconds since the epoch.
            #[getter]
            fn arrival_time_ns(&self) -> i64 {
                self.event().arrival_time_ns
            }

            /// When it happened at the venue.
            #[getter]
            fn venue_time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                datetime(py, self.event().venue_time_ns)
            }

            /// When it reached us.
            #[getter]
            fn arrival_time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                datetime(py, self.event().arrival_time_ns)
            }

            $($methods)*
        }
    };
}

/// The Python object of a market event.
#[inline]
pub fn wrap(py: Python<'_>, event: &MarketEvent, instrument: &Py<Instrument>) -> PyResult<Py<PyAny>> {
    Ok(match event.kind {
        MarketKind::Trade => Trade::wrap(py, event, instrument)?.into_any(),
        MarketKind::Quote => Quote::wrap(py, event, instrument)?.into_any(),
        MarketKind::Bar => Bar::wrap(py, event, instrument)?.into_any(),
        MarketKind::Book => BookUpdate::wrap(py, event, instrument)?.into_any(),
        MarketKind::Mark => Mark::wrap(py, event, instrument)?.into_any(),
        MarketKind::Funding => Funding::wrap(py, event, instrument)?.into_any(),
    })
}

/// Puts an event into the object of an earlier one, which nobody else holds any more: to make an object takes longer
/// than all that the engine does about an event. False where somebody kept it, or where it is of another kind or instrument.
#[inline]
#[expect(deprecated, reason = "pyo3 names its unsafe function instead; what it says is exact while the interpreter is ours")]
pub fn renew(py: Python<'_>, object: &Py<PyAny>, event: &MarketEvent, instrument: &Py<Instrument>) -> bool {
    let renew = match event.kind {
        MarketKind::Trade => Trade::renew,
        MarketKind::Quote => Quote::renew,
        MarketKind::Bar => Bar::renew,
        MarketKind::Book => BookUpdate::renew,
        MarketKind::Mark => Mark::renew,
        MarketKind::Funding => Funding::renew,
    };
    object.get_refcnt(py) == 1 && renew(py, object, event, instrument)
}

market_class! {
/// A trade between others.
Trade {
    /// The price.
    #[getter]
    fn price(&self) -> f64 {
        let MarketData::Trade(trade) = self.event().data() else { return f64::NAN };
        to_float(trade.price, self.instrument.get().price_decimals)
    }

    /// How much was traded.
    #[getter]
    fn quantity(&self) -> f64 {
        let MarketData::Trade(trade) = self.event().data() else { return f64::NAN };
        to_float(trade.quantity, self.instrument.get().quantity_decimals)
    }

    /// The side of the order that took: `buy`, `sell`, or None where the data do not say.
    #[getter]
    fn side(&self) -> Option<&'static str> {
        let MarketData::Trade(trade) = self.event().data() else { return None };
        trade.aggressor.map(tradewind_core::market::Side::name)
    }

    /// The venue's number of the trade; zero where there is none.
    #[getter]
    fn id(&self) -> i64 {
        let MarketData::Trade(trade) = self.event().data() else { return 0 };
        trade.id
    }

    fn __repr__(&self) -> String {
        format!("Trade({}, {} at {})", self.instrument.get().definition().name, self.quantity(), self.price())
    }
}}

market_class! {
/// The best bid and offer.
Quote {
    /// The highest price that somebody pays.
    #[getter]
    fn bid(&self) -> f64 {
        let MarketData::Quote(quote) = self.event().data() else { return f64::NAN };
        to_float(quote.bid, self.instrument.get().price_decimals)
    }

    /// How much is bid there.
    #[getter]
    fn bid_quantity(&self) -> f64 {
        let MarketData::Quote(quote) = self.event().data() else { return f64::NAN };
        to_float(quote.bid_quantity, self.instrument.get().quantity_decimals)
    }

    /// The lowest price that somebody asks.
    #[getter]
    fn ask(&self) -> f64 {
        let MarketData::Quote(quote) = self.event().data() else { return f64::NAN };
        to_float(quote.ask, self.instrument.get().price_decimals)
    }

    /// How much is offered there.
    #[getter]
    fn ask_quantity(&self) -> f64 {
        let MarketData::Quote(quote) = self.event().data() else { return f64::NAN };
        to_float(quote.ask_quantity, self.instrument.get().quantity_decimals)
    }

    /// The middle of both.
    #[getter]
    fn mid(&self) -> f64 {
        f64::midpoint(self.bid(), self.ask())
    }

    fn __repr__(&self) -> String {
        format!("Quote({}, {} x {} / {} x {})", self.instrument.get().definition().name, self.bid_quantity(), self.bid(), self.ask(), self.ask_quantity())
    }
}}

market_class! {
/// A bar that has closed; its venue time is when it opened.
Bar {
    /// The first price.
    #[getter]
    fn open(&self) -> f64 {
        self.price(|bar| bar.open)
    }

    /// The highest price.
    #[getter]
    fn high(&self) -> f64 {
        self.price(|bar| bar.high)
    }

    /// The lowest price.
    #[getter]
    fn low(&self) -> f64 {
        self.price(|bar| bar.low)
    }

    /// The last price.
    #[getter]
    fn close(&self) -> f64 {
        self.price(|bar| bar.close)
    }

    /// How much was traded.
    #[getter]
    fn volume(&self) -> f64 {
        let MarketData::Bar(bar) = self.event().data() else { return f64::NAN };
        to_float(bar.volume, self.instrument.get().quantity_decimals)
    }

    /// Whether no trade is known to be missing in it.
    #[getter]
    fn is_complete(&self) -> bool {
        self.event().is_complete()
    }

    /// Its length, such as `1m`.
    #[getter]
    fn interval(&self) -> String {
        self.event().interval().to_string()
    }

    /// When it closes, in nanoseconds since the epoch.
    #[getter]
    fn close_time_ns(&self) -> i64 {
        self.event().venue_time_ns + self.event().interval().duration_ns()
    }

    fn __repr__(&self) -> String {
        format!("Bar({} {}, open {} high {} low {} close {} volume {})", self.instrument.get().definition().name, self.interval(), self.open(), self.high(), self.low(), self.close(), self.volume())
    }
}}

impl Bar {
    fn price(&self, of: impl Fn(&tradewind_core::market::Bar) -> i64) -> f64 {
        let MarketData::Bar(bar) = self.event().data() else { return f64::NAN };
        to_float(of(&bar), self.instrument.get().price_decimals)
    }
}

market_class! {
/// The change of one level of the order book.
BookUpdate {
    /// `buy` for a bid, `sell` for an ask.
    #[getter]
    fn side(&self) -> &'static str {
        let MarketData::Book(delta) = self.event().data() else { return "" };
        delta.side.name()
    }

    /// The level's price.
    #[getter]
    fn price(&self) -> f64 {
        let MarketData::Book(delta) = self.event().data() else { return f64::NAN };
        to_float(delta.price, self.instrument.get().price_decimals)
    }

    /// The level's new quantity; zero when it is gone.
    #[getter]
    fn quantity(&self) -> f64 {
        let MarketData::Book(delta) = self.event().data() else { return f64::NAN };
        to_float(delta.quantity, self.instrument.get().quantity_decimals)
    }

    /// Whether it begins a snapshot.
    #[getter]
    fn is_first(&self) -> bool {
        matches!(self.event().data(), MarketData::Book(delta) if delta.first)
    }

    /// Whether it ends a message: only then is the book consistent.
    #[getter]
    fn is_last(&self) -> bool {
        matches!(self.event().data(), MarketData::Book(delta) if delta.last)
    }

    fn __repr__(&self) -> String {
        format!("BookUpdate({}, {} {} at {})", self.instrument.get().definition().name, self.side(), self.quantity(), self.price())
    }
}}

market_class! {
/// The venue's mark price.
Mark {
    /// The price.
    #[getter]
    fn price(&self) -> f64 {
        let MarketData::Mark(price) = self.event().data() else { return f64::NAN };
        to_float(price, self.instrument.get().price_decimals)
    }

    fn __repr__(&self) -> String {
        format!("Mark({}, {})", self.instrument.get().definition().name, self.price())
    }
}}

market_class! {
/// A funding payment falls due; above zero, long pays short.
Funding {
    /// The rate as a fraction of the position's value.
    #[getter]
    fn rate(&self) -> f64 {
        let MarketData::Funding(rate) = self.event().data() else { return f64::NAN };
        to_float(rate, RATE_DECIMALS)
    }

    fn __repr__(&self) -> String {
        format!("Funding({}, {})", self.instrument.get().definition().name, self.rate())
    }
}}

/// A fill of one of the strategy's orders, or of its share of a liquidation.
#[pyclass(frozen)]
pub struct Fill {
    pub fill: account::Fill,
    pub instrument: Py<Instrument>,
    pub index: Arc<Index>,
}

#[pymethods]
impl Fill {
    /// The number of the order; zero for a liquidation.
    #[getter]
    fn order_id(&self) -> u64 {
        self.fill.order.0
    }

    /// The venue's number of the trade.
    #[getter]
    fn trade_id(&self) -> u64 {
        self.fill.trade_id
    }

    /// The instrument.
    #[getter]
    fn instrument(&self, py: Python<'_>) -> Py<Instrument> {
        self.instrument.clone_ref(py)
    }

    /// `buy` or `sell`.
    #[getter]
    fn side(&self) -> &'static str {
        self.fill.side.name()
    }

    /// The price.
    #[getter]
    fn price(&self) -> f64 {
        to_float(self.fill.price, self.instrument.get().definition().specification.price_decimals)
    }

    /// How much.
    #[getter]
    fn quantity(&self) -> f64 {
        to_float(self.fill.quantity, self.instrument.get().definition().specification.quantity_decimals)
    }

    /// `maker` or `taker`.
    #[getter]
    fn liquidity(&self) -> &'static str {
        self.fill.liquidity.name()
    }

    /// The fee, exact; below zero for a rebate.
    #[getter]
    fn fee(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.fill.fee, self.index.asset(self.fill.fee_asset).decimals)
    }

    /// The asset of the fee.
    #[getter]
    fn fee_asset(&self) -> &str {
        &self.index.asset(self.fill.fee_asset).name
    }

    /// When it happened at the venue, in nanoseconds since the epoch.
    #[getter]
    fn venue_time_ns(&self) -> i64 {
        self.fill.venue_time_ns
    }

    /// When it happened at the venue.
    #[getter]
    fn venue_time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        datetime(py, self.fill.venue_time_ns)
    }

    fn __repr__(&self) -> String {
        format!(
            "Fill({} {} {} at {}, {})",
            self.instrument.get().definition().name,
            self.side(),
            self.quantity(),
            self.price(),
            self.liquidity()
        )
    }
}

/// A value of a stream from outside (V2).
#[pyclass(frozen)]
pub struct Value {
    pub event: DataEvent,
}

/// A value as Python has it; a JSON document is read.
pub fn value_of(py: Python<'_>, value: &DataValue) -> PyResult<Py<PyAny>> {
    match value {
        DataValue::Number(number) => Ok(number.into_pyobject(py)?.into_any().unbind()),
        DataValue::Text(text) => Ok(text.into_pyobject(py)?.into_any().unbind()),
        DataValue::Json(text) => Ok(py.import("json")?.call_method1("loads", (text,))?.unbind()),
    }
}

#[pymethods]
impl Value {
    /// The stream's name.
    #[getter]
    fn name(&self) -> &str {
        &self.event.name
    }

    /// What it says: a number, a text, or what a JSON document holds.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        value_of(py, &self.event.value)
    }

    /// When it was true, by its source, in nanoseconds since the epoch.
    #[getter]
    fn time_ns(&self) -> i64 {
        self.event.time_ns
    }

    /// When it reached us, in nanoseconds since the epoch.
    #[getter]
    fn arrival_time_ns(&self) -> i64 {
        self.event.arrival_time_ns
    }

    /// When it was true, by its source.
    #[getter]
    fn time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        datetime(py, self.event.time_ns)
    }

    /// When it reached us.
    #[getter]
    fn arrival_time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        datetime(py, self.event.arrival_time_ns)
    }

    fn __repr__(&self) -> String {
        match &self.event.value {
            DataValue::Number(number) => format!("Value({} = {number})", self.event.name),
            DataValue::Text(text) => format!("Value({} = {text:?})", self.event.name),
            DataValue::Json(text) => format!("Value({} = {text})", self.event.name),
        }
    }
}

/// A change that concerns trading: `str(status)` is its kind.
#[pyclass(frozen)]
pub struct Status {
    kind: &'static str,
    venue: Option<String>,
    instrument: Option<Py<Instrument>>,
    stream: Option<String>,
    part: Option<&'static str>,
}

impl Status {
    pub fn of(py: Python<'_>, change: StatusChange, index: &Index, instruments: &[Py<Instrument>]) -> Self {
        let mut status = Self { kind: change.name(), venue: None, instrument: None, stream: None, part: None };
        let StatusChange::Condition(condition) = change else { return status };
        let instrument = match condition {
            Condition::Connected(venue, part) | Condition::Disconnected(venue, part) => {
                status.venue = Some(index.venue(venue).name.clone());
                status.part = Some(part.name());
                return status;
            }
            Condition::Stale(stream) | Condition::Fresh(stream) | Condition::Gap { stream, .. } => {
                status.stream = Some(stream.kind.to_string());
                stream.instrument
            }
            Condition::Halted(instrument) | Condition::Resumed(instrument) => instrument,
        };
        status.venue = Some(index.venue(index.instrument(instrument).venue).name.clone());
        status.instrument = Some(instruments[instrument.at()].clone_ref(py));
        status
    }
}

#[pymethods]
impl Status {
    /// `trading_on`, `trading_off`, `margin_call`, `liquidation`; `connected` and `disconnected` of a
    /// venue; `stale`, `fresh` and `gap` of a stream; `halted` and `resumed` of an instrument.
    #[getter]
    fn kind(&self) -> &'static str {
        self.kind
    }

    /// Which venue, where one is concerned.
    #[getter]
    fn venue(&self) -> Option<&str> {
        self.venue.as_deref()
    }

    /// Which instrument, where one is concerned.
    #[getter]
    fn instrument(&self, py: Python<'_>) -> Option<Py<Instrument>> {
        self.instrument.as_ref().map(|instrument| instrument.clone_ref(py))
    }

    /// Which stream of the instrument, where one is concerned.
    #[getter]
    fn stream(&self) -> Option<&str> {
        self.stream.as_deref()
    }

    /// `market_data` or `orders`: what a connection serves.
    #[getter]
    fn part(&self) -> Option<&'static str> {
        self.part
    }

    fn __str__(&self) -> &'static str {
        self.kind
    }

    fn __repr__(&self) -> String {
        let place = [self.venue.clone(), self.instrument.as_ref().map(|held| held.get().definition().name.clone()), self.stream.clone()];
        let place: Vec<String> = place.into_iter().flatten().chain(self.part.map(str::to_owned)).collect();
        format!("Status({}{}{})", self.kind, if place.is_empty() { "" } else { ": " }, place.join(", "))
    }
}
