//! A journal's entries as tables: what `tradewind journal query` and the archives are made of.

use crate::columns::Columns;
use crate::error::OrRaise;
use crate::instrument::Index;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::BTreeMap;
use tradewind_core::account::Fill;
use tradewind_core::error::{Code, Result};
use tradewind_core::event::{
    AccountEvent, AccountReport, Command, Condition, DataEvent, DataValue, Entry, Event, Filter, ParameterEvent, StatusEvent, TimerFired,
    decode_entries,
};
use tradewind_core::instrument::{self as core, AssetIndex, InstrumentIndex, Specification};
use tradewind_core::market::{MarketData, MarketEvent};
use tradewind_core::number::RATE_DECIMALS;
use tradewind_core::order::{NewOrder, OrderId, Request, StrategyIndex, TimerPurpose};
use tradewind_core::state::{Stream, StreamKind};
use tradewind_core::time::TimeNs;

/// The entries of a block as tables, each a dictionary of columns by name.
///
/// `first` is the number of the block's first entry; `time_ns` the time of the input before it, which its decisions
/// belong to where no input comes first. `tables` names those that are wanted, each with its wanted columns, or None
/// for all. Returns the tables and the time of the last input.
#[pyfunction]
pub fn entry_tables<'py>(
    py: Python<'py>,
    index: &Index,
    strategies: Vec<String>,
    block: &[u8],
    first: u64,
    time_ns: i64,
    tables: BTreeMap<String, Option<Vec<String>>>,
) -> PyResult<(Bound<'py, PyDict>, i64)> {
    let entries = py.detach(|| decode(&index.index, block)).or_raise()?;
    let rows = rows(&entries, first, time_ns);
    let dict = PyDict::new(py);
    for (name, wanted) in &tables {
        let names = Names { index: &index.index, strategies: &strategies, scales: Scales::of(&index.index), wanted: wanted.as_deref() };
        dict.set_item(name, names.table(py, name, &rows)?)?;
    }
    Ok((dict, rows.last().map_or(time_ns, |row| row.time_ns)))
}

/// The scale of each kind of exact number.
#[pyfunction]
pub fn entry_scales(index: &Index) -> [u8; 4] {
    let scales = Scales::of(&index.index);
    [scales.prices, scales.quantities, scales.amounts, RATE_DECIMALS]
}

fn decode(index: &core::Index, block: &[u8]) -> Result<Vec<Entry>> {
    let entries = decode_entries(block)?;
    for entry in &entries {
        if let Entry::Input(event) = entry {
            event.check(index)?;
        }
    }
    Ok(entries)
}

/// The decimals that hold every price, every quantity and every amount of money of an index.
struct Scales {
    prices: u8,
    quantities: u8,
    amounts: u8,
}

impl Scales {
    fn of(index: &core::Index) -> Self {
        let most = |of: fn(&Specification) -> u8| index.instruments().map(|(_, one)| of(&one.specification)).max().unwrap_or(0);
        Self {
            prices: most(|one| one.price_decimals),
            quantities: most(|one| one.quantity_decimals),
            amounts: index.assets().map(|(_, asset)| asset.decimals).max().unwrap_or(0),
        }
    }
}

/// A part of an entry, with the entry's number and the time of its input.
struct Row<'entry, T> {
    sequence: u64,
    time_ns: TimeNs,
    what: &'entry T,
}

fn rows(entries: &[Entry], first: u64, mut time_ns: TimeNs) -> Vec<Row<'_, Entry>> {
    let numbered = (first..).zip(entries);
    numbered
        .map(|(sequence, what)| {
            if let Entry::Input(event) = what {
                time_ns = event.arrival_time_ns();
            }
            Row { sequence, time_ns, what }
        })
        .collect()
}

/// The rows whose entry holds what a table is of.
fn only<'entry, T>(rows: &[Row<'entry, Entry>], of: impl Fn(&'entry Entry) -> Option<&'entry T>) -> Vec<Row<'entry, T>> {
    rows.iter().filter_map(|row| Some(Row { sequence: row.sequence, time_ns: row.time_ns, what: of(row.what)? })).collect()
}

/// A market event, whether it warms up, and what it holds.
type MarketRow<'entry, T> = (Row<'entry, MarketEvent>, bool, T);

/// The market events of one kind; `None` for other kinds.
fn market<'entry, T>(rows: &[Row<'entry, Entry>], of: impl Fn(MarketData) -> Option<T>) -> Vec<MarketRow<'entry, T>> {
    rows.iter()
        .filter_map(|row| {
            let (event, warms_up) = match row.what {
                Entry::Input(Event::Market(event)) => (event, false),
                Entry::Input(Event::WarmUp(event)) => (event, true),
                _ => return None,
            };
            Some((Row { sequence: row.sequence, time_ns: row.time_ns, what: event }, warms_up, of(event.data())?))
        })
        .collect()
}

struct Names<'run> {
    index: &'run core::Index,
    strategies: &'run [String],
    scales: Scales,
    wanted: Option<&'run [String]>,
}

impl<'run> Names<'run> {
    fn table<'py>(&self, py: Python<'py>, name: &str, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        match name {
            "inputs" => self.inputs(py, rows),
            "trades" => self.trades(py, rows),
            "quotes" => self.quotes(py, rows),
            "book" => self.book(py, rows),
            "bars" => self.bars(py, rows),
            "marks" => self.marks(py, rows),
            "funding" => self.funding(py, rows),
            "decisions" => self.decisions(py, rows),
            "account" => self.account(py, rows),
            "fills" => self.fills(py, rows),
            "commands" => self.commands(py, rows),
            "timers" => self.timers(py, rows),
            "values" => self.values(py, rows),
            "parameters" => self.parameters(py, rows),
            "status" => self.status(py, rows),
            _ => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    /// The columns that every table begins with.
    fn begin<'py, 'row, T>(&self, py: Python<'py>, rows: &'row [Row<'row, T>]) -> PyResult<Columns<'py, 'row, Row<'row, T>>>
    where
        'run: 'row,
    {
        let columns = Columns::new(py, rows, self.wanted);
        columns.integers("sequence", |row| Some(row.sequence as i64))?;
        columns.times("time", |row| Some(row.time_ns))?;
        Ok(columns)
    }

    fn instrument(&self, instrument: InstrumentIndex) -> &'run str {
        &self.index.instrument(instrument).name
    }

    fn specification(&self, instrument: InstrumentIndex) -> &'run Specification {
        &self.index.instrument(instrument).specification
    }

    fn asset(&self, asset: AssetIndex) -> &'run str {
        &self.index.asset(asset).name
    }

    fn strategy(&self, strategy: StrategyIndex) -> Option<&'run str> {
        self.strategies.get(strategy.at()).map(String::as_str)
    }

    fn inputs<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = only(rows, |entry| if let Entry::Input(event) = entry { Some(event) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.words("kind", |row| Some(input_kind(row.what)))?;
        columns.words("what", |row| Some(input_name(row.what)))?;
        columns.words("instrument", |row| input_instrument(row.what).map(|instrument| self.instrument(instrument)))?;
        Ok(columns.dict)
    }

    fn trades<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = market(rows, |data| if let MarketData::Trade(trade) = data { Some(trade) } else { None });
        let columns = self.begin_market(py, &rows)?;
        columns.decimals("price", self.scales.prices, |(row, _, trade)| Some(self.price(row, trade.price)))?;
        columns.decimals("quantity", self.scales.quantities, |(row, _, trade)| Some(self.quantity(row, trade.quantity)))?;
        columns.words("aggressor", |(_, _, trade)| trade.aggressor.map(tradewind_core::market::Side::name))?;
        columns.integers("trade_id", |(_, _, trade)| Some(trade.id))?;
        Ok(columns.dict)
    }

    fn quotes<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = market(rows, |data| if let MarketData::Quote(quote) = data { Some(quote) } else { None });
        let columns = self.begin_market(py, &rows)?;
        columns.decimals("bid", self.scales.prices, |(row, _, quote)| Some(self.price(row, quote.bid)))?;
        columns.decimals("bid_quantity", self.scales.quantities, |(row, _, quote)| Some(self.quantity(row, quote.bid_quantity)))?;
        columns.decimals("ask", self.scales.prices, |(row, _, quote)| Some(self.price(row, quote.ask)))?;
        columns.decimals("ask_quantity", self.scales.quantities, |(row, _, quote)| Some(self.quantity(row, quote.ask_quantity)))?;
        Ok(columns.dict)
    }

    fn book<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = market(rows, |data| if let MarketData::Book(delta) = data { Some(delta) } else { None });
        let columns = self.begin_market(py, &rows)?;
        columns.words("side", |(_, _, delta)| Some(delta.side.name()))?;
        columns.decimals("price", self.scales.prices, |(row, _, delta)| Some(self.price(row, delta.price)))?;
        columns.decimals("quantity", self.scales.quantities, |(row, _, delta)| Some(self.quantity(row, delta.quantity)))?;
        columns.flags("is_first", |(_, _, delta)| Some(delta.first))?;
        columns.flags("is_last", |(_, _, delta)| Some(delta.last))?;
        Ok(columns.dict)
    }

    fn bars<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = market(rows, |data| if let MarketData::Bar(bar) = data { Some(bar) } else { None });
        let columns = self.begin_market(py, &rows)?;
        columns.integers("interval_ns", |(_, _, bar)| Some(bar.interval.duration_ns()))?;
        columns.decimals("open", self.scales.prices, |(row, _, bar)| Some(self.price(row, bar.open)))?;
        columns.decimals("high", self.scales.prices, |(row, _, bar)| Some(self.price(row, bar.high)))?;
        columns.decimals("low", self.scales.prices, |(row, _, bar)| Some(self.price(row, bar.low)))?;
        columns.decimals("close", self.scales.prices, |(row, _, bar)| Some(self.price(row, bar.close)))?;
        columns.decimals("volume", self.scales.quantities, |(row, _, bar)| Some(self.quantity(row, bar.volume)))?;
        Ok(columns.dict)
    }

    fn marks<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = market(rows, |data| if let MarketData::Mark(price) = data { Some(price) } else { None });
        let columns = self.begin_market(py, &rows)?;
        columns.decimals("price", self.scales.prices, |(row, _, price)| Some(self.price(row, *price)))?;
        Ok(columns.dict)
    }

    fn funding<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = market(rows, |data| if let MarketData::Funding(rate) = data { Some(rate) } else { None });
        let columns = self.begin_market(py, &rows)?;
        columns.decimals("rate", RATE_DECIMALS, |(_, _, rate)| Some((i128::from(*rate), RATE_DECIMALS)))?;
        Ok(columns.dict)
    }

    fn begin_market<'py, 'row, T>(
        &self,
        py: Python<'py>,
        rows: &'row [MarketRow<'row, T>],
    ) -> PyResult<Columns<'py, 'row, MarketRow<'row, T>>>
    where
        'run: 'row,
    {
        let columns = Columns::new(py, rows, self.wanted);
        columns.integers("sequence", |(row, ..)| Some(row.sequence as i64))?;
        columns.times("time", |(row, ..)| Some(row.time_ns))?;
        columns.times("venue_time", |(row, ..)| Some(row.what.venue_time_ns))?;
        columns.words("instrument", |(row, ..)| Some(self.instrument(row.what.instrument)))?;
        columns.flags("is_warm_up", |(_, warms_up, _)| Some(*warms_up))?;
        Ok(columns)
    }

    fn price(&self, row: &Row<'_, MarketEvent>, price: i64) -> (i128, u8) {
        (price.into(), self.specification(row.what.instrument).price_decimals)
    }

    fn quantity(&self, row: &Row<'_, MarketEvent>, quantity: i64) -> (i128, u8) {
        (quantity.into(), self.specification(row.what.instrument).quantity_decimals)
    }

    fn decisions<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = only(rows, |entry| if let Entry::Decision(request) = entry { Some(request) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.words("kind", |row| Some(request_kind(row.what)))?;
        columns.integers("order_id", |row| request_order(row.what).map(|(id, ..)| id.0 as i64))?;
        columns.words("strategy", |row| request_strategy(row.what).and_then(|strategy| self.strategy(strategy)))?;
        columns.integers("count", |row| request_count(row.what).map(|count| count as i64))?;
        columns.words("instrument", |row| row.what.instrument().map(|instrument| self.instrument(instrument)))?;
        columns.words("account", |row| placed(row.what).map(|order| self.index.account(order.account).name.as_str()))?;
        columns.words("side", |row| placed(row.what).map(|order| order.side.name()))?;
        columns.decimals("quantity", self.scales.quantities, |row| {
            placed(row.what).map(|order| (order.quantity.into(), self.specification(order.instrument).quantity_decimals))
        })?;
        columns.words("order_type", |row| placed(row.what).map(|order| order.order_type.name()))?;
        columns.decimals("price", self.scales.prices, |row| {
            let order = placed(row.what)?;
            Some((order.order_type.price()?.into(), self.specification(order.instrument).price_decimals))
        })?;
        columns.words("time_in_force", |row| placed(row.what).map(|order| order.time_in_force.name()))?;
        columns.flags("reduce_only", |row| placed(row.what).map(|order| order.reduce_only))?;
        columns.times("due", |row| if let Request::Timer { due_ns, .. } = row.what { Some(*due_ns) } else { None })?;
        Ok(columns.dict)
    }

    fn account<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = only(rows, |entry| if let Entry::Input(Event::Account(report)) = entry { Some(report) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.times("venue_time", |row| Some(row.what.venue_time_ns))?;
        columns.words("account", |row| Some(self.index.account(row.what.account).name.as_str()))?;
        columns.words("kind", |row| Some(account_kind(&row.what.event)))?;
        columns.integers("order_id", |row| account_order(&row.what.event).map(|order| order.0 as i64))?;
        columns.words("code", |row| account_code(&row.what.event).map(Code::slug))?;
        columns.words("instrument", |row| account_instrument(&row.what.event).map(|instrument| self.instrument(instrument)))?;
        columns.words("asset", |row| self.account_amount(row.what).map(|(asset, _)| self.asset(asset)))?;
        columns.decimals("amount", self.scales.amounts, |row| {
            self.account_amount(row.what).map(|(asset, amount)| (amount, self.index.asset(asset).decimals))
        })?;
        Ok(columns.dict)
    }

    /// The money that a report is about; for a margin call, the equity that is left.
    fn account_amount(&self, report: &AccountReport) -> Option<(AssetIndex, i128)> {
        match report.event {
            AccountEvent::Fill(fill) => Some((fill.fee_asset, -fill.fee)),
            AccountEvent::Funding { instrument, amount } => Some((self.index.instrument(instrument).settlement, amount)),
            AccountEvent::Fee { asset, amount, .. } => Some((asset, -amount)),
            AccountEvent::MarginCall { asset, equity: amount, .. }
            | AccountEvent::Deposit { asset, amount }
            | AccountEvent::Insurance { asset, amount }
            | AccountEvent::Foreign { asset, amount }
            | AccountEvent::Unexplained { asset, amount } => Some((asset, amount)),
            AccountEvent::Accepted(_)
            | AccountEvent::Rejected(..)
            | AccountEvent::Cancelled(..)
            | AccountEvent::CancelRejected(..)
            | AccountEvent::Expired(_)
            | AccountEvent::Lost(_) => None,
        }
    }

    fn fills<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = only(rows, |entry| match entry {
            Entry::Input(Event::Account(AccountReport { event: AccountEvent::Fill(fill), .. })) => Some(fill),
            _ => None,
        });
        let specification = |fill: &Fill| self.specification(fill.instrument);
        let columns = self.begin(py, &rows)?;
        columns.times("venue_time", |row| Some(row.what.venue_time_ns))?;
        columns.integers("order_id", |row| Some(row.what.order.0 as i64))?;
        columns.integers("trade_id", |row| Some(row.what.trade_id as i64))?;
        columns.words("instrument", |row| Some(self.instrument(row.what.instrument)))?;
        columns.words("side", |row| Some(row.what.side.name()))?;
        columns.decimals("price", self.scales.prices, |row| Some((row.what.price.into(), specification(row.what).price_decimals)))?;
        columns.decimals("quantity", self.scales.quantities, |row| {
            Some((row.what.quantity.into(), specification(row.what).quantity_decimals))
        })?;
        columns.words("liquidity", |row| Some(row.what.liquidity.name()))?;
        columns.decimals("fee", self.scales.amounts, |row| Some((row.what.fee, self.index.asset(row.what.fee_asset).decimals)))?;
        columns.words("fee_asset", |row| Some(self.asset(row.what.fee_asset)))?;
        columns.words("fee_kind", |row| Some(row.what.fee_kind.name()))?;
        Ok(columns.dict)
    }

    fn commands<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = only(rows, |entry| if let Entry::Input(Event::Command { command, .. }) = entry { Some(command) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.words("command", |row| Some(command_name(row.what)))?;
        columns.words("strategy", |row| command_strategy(row.what).and_then(|strategy| self.strategy(strategy)))?;
        columns.words("instrument", |row| command_instrument(row.what).map(|instrument| self.instrument(instrument)))?;
        columns.integers("order_id", |row| if let Command::Cancel(order) = row.what { Some(order.0 as i64) } else { None })?;
        columns.words("side", |row| opened(row.what).map(|order| order.side.name()))?;
        columns.decimals("quantity", self.scales.quantities, |row| {
            let (instrument, quantity) = match row.what {
                Command::Open(_, order) => (order.instrument, order.quantity),
                Command::Adopt(_, held) => (held.instrument, held.quantity),
                _ => return None,
            };
            Some((quantity.into(), self.specification(instrument).quantity_decimals))
        })?;
        columns.decimals("price", self.scales.prices, |row| {
            let order = opened(row.what)?;
            Some((order.order_type.price()?.into(), self.specification(order.instrument).price_decimals))
        })?;
        Ok(columns.dict)
    }

    fn timers<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows = only(rows, |entry| if let Entry::Input(Event::Timer(timer)) = entry { Some(timer) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.words("purpose", |row| Some(if timer_of(row.what).is_some() { "strategy" } else { "bar" }))?;
        columns.words("strategy", |row| timer_of(row.what).and_then(|(strategy, _)| self.strategy(strategy)))?;
        columns.integers("number", |row| timer_of(row.what).map(|(_, number)| number as i64))?;
        columns.times("due", |row| Some(row.what.due_ns))?;
        Ok(columns.dict)
    }

    fn values<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows: Vec<Row<'_, DataEvent>> =
            only(rows, |entry| if let Entry::Input(Event::Data(data)) = entry { Some(data.as_ref()) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.times("source_time", |row| Some(row.what.time_ns))?;
        columns.words("stream", |row| Some(row.what.name.as_str()))?;
        add_value(&columns, |row| &row.what.value)?;
        Ok(columns.dict)
    }

    fn parameters<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows: Vec<Row<'_, ParameterEvent>> =
            only(rows, |entry| if let Entry::Input(Event::Parameter(parameter)) = entry { Some(parameter.as_ref()) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.words("strategy", |row| self.strategy(row.what.strategy))?;
        columns.words("parameter", |row| Some(row.what.name.as_str()))?;
        add_value(&columns, |row| &row.what.value)?;
        Ok(columns.dict)
    }

    fn status<'py>(&self, py: Python<'py>, rows: &[Row<'_, Entry>]) -> PyResult<Bound<'py, PyDict>> {
        let rows: Vec<Row<'_, StatusEvent>> =
            only(rows, |entry| if let Entry::Input(Event::Status(status)) = entry { Some(status) } else { None });
        let columns = self.begin(py, &rows)?;
        columns.words("kind", |row| Some(condition_name(&row.what.change)))?;
        columns.words("venue", |row| match row.what.change {
            Condition::Connected(venue, _) | Condition::Disconnected(venue, _) => Some(self.index.venue(venue).name.as_str()),
            _ => None,
        })?;
        columns.words("part", |row| match row.what.change {
            Condition::Connected(_, part) | Condition::Disconnected(_, part) => Some(part.name()),
            _ => None,
        })?;
        columns.words("instrument", |row| condition_instrument(&row.what.change).map(|instrument| self.instrument(instrument)))?;
        columns.words("stream", |row| condition_stream(&row.what.change).map(|stream| stream_name(stream.kind)))?;
        columns.times("gap_from", |row| if let Condition::Gap { from_ns, .. } = row.what.change { Some(from_ns) } else { None })?;
        columns
            .integers("gap_length_ns", |row| if let Condition::Gap { length_ns, .. } = row.what.change { Some(length_ns) } else { None })?;
        Ok(columns.dict)
    }
}

fn add_value<'row, T>(columns: &'row Columns<'_, 'row, Row<'row, T>>, of: impl Fn(&'row Row<'row, T>) -> &'row DataValue) -> PyResult<()> {
    columns.words("kind", |row| {
        Some(match of(row) {
            DataValue::Number(_) => "number",
            DataValue::Text(_) => "text",
            DataValue::Json(_) => "json",
        })
    })?;
    columns.floats("number", |row| if let DataValue::Number(number) = of(row) { Some(*number) } else { None })?;
    columns.words("text", |row| match of(row) {
        DataValue::Text(text) | DataValue::Json(text) => Some(text.as_str()),
        DataValue::Number(_) => None,
    })
}

const fn input_kind(event: &Event) -> &'static str {
    match event {
        Event::Market(_) => "market",
        Event::Account(_) => "account",
        Event::Timer(_) => "timer",
        Event::Command { .. } => "command",
        Event::WarmUp(_) => "warm_up",
        Event::Data(_) => "value",
        Event::Status(_) => "status",
        Event::Parameter(_) => "parameter",
    }
}

fn input_name(event: &Event) -> &str {
    match event {
        Event::Market(event) | Event::WarmUp(event) => event.kind.name(),
        Event::Account(report) => account_kind(&report.event),
        Event::Timer(timer) if timer_of(timer).is_some() => "strategy",
        Event::Timer(_) => "bar",
        Event::Command { command, .. } => command_name(command),
        Event::Data(data) => &data.name,
        Event::Status(status) => condition_name(&status.change),
        Event::Parameter(parameter) => &parameter.name,
    }
}

fn input_instrument(event: &Event) -> Option<InstrumentIndex> {
    match event {
        Event::Market(event) | Event::WarmUp(event) => Some(event.instrument),
        Event::Account(report) => account_instrument(&report.event),
        Event::Command { command, .. } => command_instrument(command),
        Event::Status(status) => condition_instrument(&status.change),
        Event::Timer(_) | Event::Data(_) | Event::Parameter(_) => None,
    }
}

const fn account_kind(event: &AccountEvent) -> &'static str {
    match event {
        AccountEvent::Accepted(_) => "accepted",
        AccountEvent::Rejected(..) => "rejected",
        AccountEvent::Cancelled(..) => "cancelled",
        AccountEvent::CancelRejected(..) => "cancel_rejected",
        AccountEvent::Expired(_) => "expired",
        AccountEvent::Fill(_) => "fill",
        AccountEvent::Funding { .. } => "funding",
        AccountEvent::Fee { .. } => "fee",
        AccountEvent::Deposit { .. } => "deposit",
        AccountEvent::Insurance { .. } => "insurance",
        AccountEvent::MarginCall { .. } => "margin_call",
        AccountEvent::Lost(_) => "unknown",
        AccountEvent::Foreign { .. } => "foreign",
        AccountEvent::Unexplained { .. } => "unexplained",
    }
}

fn account_order(event: &AccountEvent) -> Option<OrderId> {
    match event {
        AccountEvent::Accepted(order)
        | AccountEvent::Rejected(order, _)
        | AccountEvent::Cancelled(order, _)
        | AccountEvent::CancelRejected(order, _)
        | AccountEvent::Expired(order)
        | AccountEvent::Lost(order) => Some(*order),
        AccountEvent::Fill(fill) => Some(fill.order),
        _ => None,
    }
}

fn account_code(event: &AccountEvent) -> Option<Code> {
    match event {
        AccountEvent::Rejected(_, code) | AccountEvent::Cancelled(_, code) | AccountEvent::CancelRejected(_, code) => Some(*code),
        _ => None,
    }
}

fn account_instrument(event: &AccountEvent) -> Option<InstrumentIndex> {
    match event {
        AccountEvent::Fill(fill) => Some(fill.instrument),
        AccountEvent::Funding { instrument, .. } | AccountEvent::Fee { instrument, .. } => Some(*instrument),
        _ => None,
    }
}

const fn command_name(command: &Command) -> &'static str {
    match command {
        Command::TradingOn => "trading_on",
        Command::TradingOff => "trading_off",
        Command::CancelAll(_) => "cancel_all",
        Command::CloseAll(_) => "close_all",
        Command::Start { .. } => "start",
        Command::Stop => "stop",
        Command::WarmedUp => "warmed_up",
        Command::Open(..) => "open",
        Command::Cancel(_) => "cancel",
        Command::Adopt(..) => "adopt",
    }
}

fn command_strategy(command: &Command) -> Option<StrategyIndex> {
    match command {
        Command::CancelAll(Filter { strategy, .. }) | Command::CloseAll(Filter { strategy, .. }) => *strategy,
        Command::Open(strategy, _) | Command::Adopt(strategy, _) => Some(*strategy),
        _ => None,
    }
}

fn command_instrument(command: &Command) -> Option<InstrumentIndex> {
    match command {
        Command::CancelAll(Filter { instrument, .. }) | Command::CloseAll(Filter { instrument, .. }) => *instrument,
        Command::Open(_, order) => Some(order.instrument),
        Command::Adopt(_, held) => Some(held.instrument),
        _ => None,
    }
}

fn opened(command: &Command) -> Option<&NewOrder> {
    if let Command::Open(_, order) = command { Some(order) } else { None }
}

fn timer_of(timer: &TimerFired) -> Option<(StrategyIndex, u64)> {
    if let TimerPurpose::Strategy(strategy, number) = timer.purpose { Some((strategy, number)) } else { None }
}

const fn condition_name(condition: &Condition) -> &'static str {
    match condition {
        Condition::Connected(..) => "connected",
        Condition::Disconnected(..) => "disconnected",
        Condition::Stale(_) => "stale",
        Condition::Fresh(_) => "fresh",
        Condition::Gap { .. } => "gap",
        Condition::Halted(_) => "halted",
        Condition::Resumed(_) => "resumed",
    }
}

fn condition_instrument(condition: &Condition) -> Option<InstrumentIndex> {
    match condition {
        Condition::Halted(instrument) | Condition::Resumed(instrument) => Some(*instrument),
        _ => condition_stream(condition).map(|stream| stream.instrument),
    }
}

fn condition_stream(condition: &Condition) -> Option<Stream> {
    match condition {
        Condition::Stale(stream) | Condition::Fresh(stream) | Condition::Gap { stream, .. } => Some(*stream),
        Condition::Halted(_) | Condition::Resumed(_) | Condition::Connected(..) | Condition::Disconnected(..) => None,
    }
}

const fn stream_name(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Funding => "funding",
        StreamKind::Marks => "marks",
        StreamKind::Book => "book",
        StreamKind::Quotes => "quotes",
        StreamKind::Trades => "trades",
        StreamKind::Bars(_) => "bars",
    }
}

const fn request_kind(request: &Request) -> &'static str {
    match request {
        Request::Place { .. } => "place",
        Request::Cancel { .. } => "cancel",
        Request::Timer { .. } => "timer",
    }
}

fn request_order(request: &Request) -> Option<(OrderId, StrategyIndex, u64)> {
    match request {
        Request::Place { id, strategy, count, .. } | Request::Cancel { id, strategy, count, .. } => Some((*id, *strategy, *count)),
        Request::Timer { .. } => None,
    }
}

fn request_strategy(request: &Request) -> Option<StrategyIndex> {
    match request {
        Request::Timer { purpose: TimerPurpose::Strategy(strategy, _), .. } => Some(*strategy),
        _ => request_order(request).map(|(_, strategy, _)| strategy),
    }
}

fn request_count(request: &Request) -> Option<u64> {
    match request {
        Request::Timer { purpose: TimerPurpose::Strategy(_, number), .. } => Some(*number),
        _ => request_order(request).map(|(.., count)| count),
    }
}

fn placed(request: &Request) -> Option<&NewOrder> {
    if let Request::Place { order, .. } = request { Some(order) } else { None }
}
