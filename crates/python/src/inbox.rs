//! The buffer into which venues put market rows.

use crate::error::OrRaise;
use crate::event::wrap;
use crate::instrument::{Index, Instrument, price_of, quantity_of};
use crate::number::fixed;
use pyo3::prelude::*;
use std::sync::Arc;
use tradewind_core::instrument::{self as core, InstrumentIndex};
use tradewind_core::market::{Bar, BarInterval, Level, MarketData, MarketEvent, MarketKind, Quote, Side, Trade};
use tradewind_core::number::RATE_DECIMALS;
use tradewind_wire::{Buffer, Levels};

/// Market rows in the order of their arrival.
#[pyclass]
pub struct Inbox {
    pub rows: Buffer,
    pub index: Arc<core::Index>,
    instruments: Arc<Vec<Py<Instrument>>>,
    /// Instruments whose trades wait for those before them.
    held: Vec<InstrumentIndex>,
    waiting: Vec<MarketEvent>,
    /// Trades that wait no more, before all other rows.
    released: Vec<MarketEvent>,
}

impl Inbox {
    /// All rows but trades that are held.
    pub fn take(&mut self) -> Vec<MarketEvent> {
        if self.held.is_empty() && self.released.is_empty() {
            return self.rows.take();
        }
        let mut taken = std::mem::take(&mut self.released);
        for row in self.rows.take() {
            if self.is_held(&row) { &mut self.waiting } else { &mut taken }.push(row);
        }
        taken
    }

    fn is_held(&self, row: &MarketEvent) -> bool {
        row.kind == MarketKind::Trade && self.held.contains(&row.instrument)
    }

    /// Puts trades that are held apart from the other rows.
    fn part(&mut self) -> PyResult<()> {
        for row in self.rows.take() {
            if self.is_held(&row) {
                self.waiting.push(row);
            } else {
                self.keep(&row)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, row: &MarketEvent) -> PyResult<()> {
        self.rows.push(row.instrument, Some(row.venue_time_ns), row.arrival_time_ns, row.data()).or_raise()
    }

    /// Takes out the trades of an instrument that are held before the last hole among them; gives them and the first
    /// that stays.
    fn broken_off(&mut self, place: InstrumentIndex, numbered: fn(&MarketEvent) -> (i64, i64)) -> (Vec<MarketEvent>, Option<(i64, i64)>) {
        let (mut mine, others) = std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(|row| row.instrument == place);
        let last_hole = (1..mine.len()).rev().find(|at| is_hole(numbered(&mine[at - 1]), numbered(&mine[*at])));
        let rest = mine.split_off(last_hole.unwrap_or(0));
        let first = rest.first().map(numbered);
        self.waiting = others;
        self.waiting.extend(rest);
        (mine, first)
    }

    fn find(&self, name: &str) -> PyResult<InstrumentIndex> {
        self.index.find_instrument(name).or_raise()
    }

    fn push(
        &mut self,
        name: &str,
        venue_ns: Option<i64>,
        arrival_ns: i64,
        of: impl FnOnce(&core::Instrument) -> PyResult<MarketData>,
    ) -> PyResult<()> {
        let place = self.find(name)?;
        let data = of(self.index.instrument(place))?;
        self.rows.push(place, venue_ns, arrival_ns, data).or_raise()
    }
}

/// A row as exact numbers: kind, instrument, times, flags, values.
type Row<'a> = (&'static str, &'a str, i64, i64, u8, [i64; 5]);

#[pymethods]
#[allow(clippy::too_many_arguments, reason = "a row has as many parts as it has")]
impl Inbox {
    #[new]
    #[pyo3(signature = (index, latency_ns = 1_000_000))]
    fn new(index: &Index, latency_ns: i64) -> Self {
        Self {
            rows: Buffer::new(latency_ns),
            index: Arc::clone(&index.index),
            instruments: Arc::clone(&index.instruments),
            held: Vec::new(),
            waiting: Vec::new(),
            released: Vec::new(),
        }
    }

    fn trade(
        &mut self,
        instrument: &str,
        venue_ns: Option<i64>,
        arrival_ns: i64,
        price: &Bound<'_, PyAny>,
        quantity: &Bound<'_, PyAny>,
        aggressor: Option<&str>,
        id: i64,
    ) -> PyResult<()> {
        let aggressor = aggressor.map(side_of).transpose()?;
        self.push(instrument, venue_ns, arrival_ns, |one| {
            Ok(MarketData::Trade(Trade { price: price_of(one, price)?, quantity: quantity_of(one, quantity)?, aggressor, id }))
        })
    }

    fn quote(
        &mut self,
        instrument: &str,
        venue_ns: Option<i64>,
        arrival_ns: i64,
        bid: &Bound<'_, PyAny>,
        bid_quantity: &Bound<'_, PyAny>,
        ask: &Bound<'_, PyAny>,
        ask_quantity: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.push(instrument, venue_ns, arrival_ns, |one| {
            let quote = Quote {
                bid: price_of(one, bid)?,
                bid_quantity: quantity_of(one, bid_quantity)?,
                ask: price_of(one, ask)?,
                ask_quantity: quantity_of(one, ask_quantity)?,
            };
            tradewind_wire::check_quote(&quote).or_raise()?;
            Ok(MarketData::Quote(quote))
        })
    }

    fn book(
        &mut self,
        instrument: &str,
        venue_ns: Option<i64>,
        arrival_ns: i64,
        bids: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        asks: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        is_snapshot: bool,
    ) -> PyResult<()> {
        let place = self.find(instrument)?;
        let one = self.index.instrument(place);
        let level = |(price, quantity): &(Bound<'_, PyAny>, Bound<'_, PyAny>)| -> PyResult<Level> {
            Ok(Level { price: price_of(one, price)?, quantity: quantity_of(one, quantity)? })
        };
        let all = bids.iter().chain(&asks).map(level).collect::<PyResult<Vec<_>>>()?;
        let levels = Levels { all, bids: bids.len() };
        levels.push(&mut self.rows, place, (venue_ns, arrival_ns), is_snapshot).or_raise()
    }

    fn bar(
        &mut self,
        instrument: &str,
        interval: &str,
        open_time_ns: i64,
        arrival_ns: i64,
        open: &Bound<'_, PyAny>,
        high: &Bound<'_, PyAny>,
        low: &Bound<'_, PyAny>,
        close: &Bound<'_, PyAny>,
        volume: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let interval = BarInterval::parse(interval).or_raise()?;
        self.push(instrument, Some(open_time_ns), arrival_ns, |one| {
            Ok(MarketData::Bar(Bar {
                interval,
                open_time_ns,
                open: price_of(one, open)?,
                high: price_of(one, high)?,
                low: price_of(one, low)?,
                close: price_of(one, close)?,
                volume: quantity_of(one, volume)?,
            }))
        })
    }

    fn mark(&mut self, instrument: &str, venue_ns: Option<i64>, arrival_ns: i64, price: &Bound<'_, PyAny>) -> PyResult<()> {
        self.push(instrument, venue_ns, arrival_ns, |one| Ok(MarketData::Mark(price_of(one, price)?)))
    }

    fn funding(&mut self, instrument: &str, venue_ns: Option<i64>, arrival_ns: i64, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        self.push(instrument, venue_ns, arrival_ns, |one| Ok(MarketData::Funding(fixed(rate, RATE_DECIMALS, "rate", &one.name)?)))
    }

    /// The instrument of a name.
    fn instrument(&self, py: Python<'_>, name: &str) -> PyResult<Py<Instrument>> {
        Ok(self.instruments[self.find(name)?.at()].clone_ref(py))
    }

    /// The rows as event objects; the inbox is empty afterwards.
    fn take_events(&mut self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        self.rows.take().iter().map(|event| wrap(py, event, &self.instruments[event.instrument.at()])).collect()
    }

    /// The rows as exact numbers, for tests and tools: kind, instrument, times, flags, values. They stay.
    fn rows(&self) -> Vec<Row<'_>> {
        let plain = |event: &MarketEvent| {
            let (flags, values) = event.columns();
            let name = self.index.instrument(event.instrument).name.as_str();
            (event.kind.name(), name, event.venue_time_ns, event.arrival_time_ns, flags, values)
        };
        self.rows.rows().iter().map(plain).collect()
    }

    /// Keep an instrument's trades back from now on, until they are released.
    fn hold(&mut self, instrument: &str) -> PyResult<()> {
        let place = self.find(instrument)?;
        if !self.held.contains(&place) {
            self.held.push(place);
        }
        Ok(())
    }

    /// Let an instrument's trades go on, those first that were held.
    fn release(&mut self, instrument: &str) -> PyResult<()> {
        let place = self.find(instrument)?;
        self.held.retain(|held| *held != place);
        let (released, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|row| row.instrument == place);
        self.waiting = waiting;
        self.released.extend::<Vec<_>>(released);
        Ok(())
    }

    /// The number and the venue's time of the first trade that is held.
    fn first_held(&mut self, instrument: &str) -> PyResult<Option<(i64, i64)>> {
        self.part()?;
        let place = self.find(instrument)?;
        Ok(self.waiting.iter().find(|row| row.instrument == place).map(numbered))
    }

    /// Keep of the trades in here those that lie between the last that is known and the first that `held` holds back,
    /// each once; what it holds before a hole moves over. Gives the times between which trades are still missing.
    /// Where the venue does not number its trades without holes, times decide, and nothing can be said of what is missing.
    fn join(
        &mut self,
        instrument: &str,
        last: Option<(i64, i64)>,
        held: &Bound<'_, Inbox>,
        is_numbered: bool,
    ) -> PyResult<Vec<(i64, i64)>> {
        let place = self.find(instrument)?;
        let numbered = if is_numbered { numbered } else { unnumbered };
        let last = last.map(|(id, time_ns)| if is_numbered { (id, time_ns) } else { (0, time_ns) });
        let mut held = held.borrow_mut();
        held.part()?;
        let (broken_off, first) = held.broken_off(place, numbered);
        let mut rows = self.rows.take();
        rows.extend(broken_off);
        rows.sort_by_key(numbered);
        let mut known = last;
        rows.retain(|row| {
            let this = numbered(row);
            let is_between = known.is_none_or(|known| is_before(known, this)) && first.is_none_or(|first| is_before(this, first));
            if is_between && this.0 > 0 {
                known = Some(this);
            }
            is_between
        });
        let line: Vec<(i64, i64)> = last.into_iter().chain(rows.iter().map(numbered)).chain(first).collect();
        rows.iter().try_for_each(|row| self.keep(row))?;
        Ok(line.windows(2).filter(|pair| is_hole(pair[0], pair[1])).map(|pair| (pair[0].1, pair[1].1)).collect())
    }

    /// Brings rows that are ahead of a time by more than a limit back to it; tells whether there were any.
    fn bring_back(&mut self, now_ns: i64, limit_ns: i64) -> bool {
        self.rows.bring_back(now_ns, limit_ns)
    }

    /// Forget all rows.
    fn clear(&mut self) {
        self.rows.undo_to(0);
    }

    /// How many rows arrived before they happened, by the clocks (T2).
    #[getter]
    fn clamped(&self) -> u64 {
        self.rows.clamped()
    }

    fn __len__(&self) -> usize {
        self.rows.rows().len()
    }
}

/// The number and the venue's time of a trade.
fn numbered(row: &MarketEvent) -> (i64, i64) {
    let MarketData::Trade(trade) = row.data() else { return (0, row.venue_time_ns) };
    (trade.id, row.venue_time_ns)
}

/// The same of a venue whose numbers do not follow each other.
fn unnumbered(row: &MarketEvent) -> (i64, i64) {
    (0, row.venue_time_ns)
}

/// Whether there are trades between two that follow each other.
fn is_hole(left: (i64, i64), right: (i64, i64)) -> bool {
    left.0 > 0 && right.0 > left.0 + 1
}

/// Whether a trade comes before another, by number, or by time where trades have none.
fn is_before(left: (i64, i64), right: (i64, i64)) -> bool {
    if left.0 > 0 && right.0 > 0 { left.0 < right.0 } else { left.1 < right.1 }
}

fn side_of(word: &str) -> PyResult<Side> {
    match word {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(pyo3::exceptions::PyValueError::new_err(format!("side {word:?}: buy or sell"))),
    }
}
