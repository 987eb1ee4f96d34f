//! What a run leaves: figures and hashes as a dictionary, orders and fills as columns.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::cmp::Reverse;
use tradewind_core::account::Posting;
use tradewind_core::driver::{AssetReport, InstrumentReport, Recorder, Run};
use tradewind_core::engine::Booked;
use tradewind_core::error::Code;
use tradewind_core::instrument::Index;
use tradewind_core::number::{format_decimal, to_float, wide_to_float};
use tradewind_core::order::Order;
use tradewind_core::state::State;
use tradewind_core::statistics::{Summary, TripStatistics};
use tradewind_core::time::TimeNs;

/// A hash as text.
pub fn hexadecimal(hash: &[u8; 32]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The figures and hashes of a run, without its orders and fills: small, whatever the run.
pub struct Outcome {
    rows: u64,
    inputs: u64,
    orders: u64,
    fills: u64,
    ignored_reports: u64,
    late_trades: u64,
    now_ns: TimeNs,
    day: Option<(i64, f64, Option<f64>)>,
    decisions_hash: String,
    state_hash: String,
    returns: Vec<(&'static str, Option<f64>)>,
    drawdown: Option<(TimeNs, TimeNs, Option<TimeNs>)>,
    span_ns: Option<(TimeNs, TimeNs)>,
    /// By reason, the most frequent first.
    rejections: Vec<(&'static str, u64)>,
    instruments: Vec<(String, String, String, Option<f64>, InstrumentReport)>,
    assets: Vec<(String, String, u8, AssetReport)>,
    total: Option<(Summary, f64)>,
    trips: (TripStatistics, bool),
}

impl Outcome {
    /// Of a run that has ended.
    pub fn of(run: &impl Run) -> Self {
        let (state, recorder) = (run.engine().state(), run.recorder());
        let returns = recorder.curve().returns();
        let index = state.index();
        let instruments = recorder.instruments(state).into_iter().map(|report| {
            let definition = index.instrument(report.instrument);
            let mark = state.market(report.instrument).mark;
            let price = mark.to_float(definition.specification.price_decimals);
            (definition.name.clone(), definition.specification.settlement.clone(), mark.source().name().to_owned(), price, report)
        });
        let assets = Recorder::assets(state).into_iter().map(|report| {
            let asset = index.asset(report.asset);
            (index.account(report.account).name.clone(), asset.name.clone(), asset.decimals, report)
        });
        let mut rejections: Vec<_> = recorder.rejections().iter().map(|(reason, count)| (reason.slug(), *count)).collect();
        rejections.sort_by_key(|(reason, count)| (Reverse(*count), *reason));
        Self {
            rows: run.rows(),
            inputs: run.engine().sequence(),
            orders: recorder.orders_sent(),
            fills: recorder.fills_booked(),
            ignored_reports: state.ignored_reports(),
            late_trades: run.engine().late_trades(),
            now_ns: run.now_ns(),
            day: run.engine().risk().day(state).map(|day| (day.day, day.profit, day.reached)),
            decisions_hash: hexadecimal(&run.engine().decisions_hash()),
            state_hash: hexadecimal(&state.hash()),
            returns: vec![
                ("starting_equity", recorder.curve().starting_equity()),
                ("final_equity", returns.final_equity()),
                ("total_return", returns.total_return()),
                ("annual_return", returns.annual_return()),
                ("volatility", returns.volatility()),
                ("sharpe", returns.sharpe()),
                ("sortino", returns.sortino()),
                ("calmar", returns.calmar()),
                ("maximum_drawdown", returns.maximum_drawdown()),
                ("daily_drawdown", returns.daily_drawdown()),
            ],
            drawdown: returns
                .deepest_drawdown()
                .map(|drawdown| (drawdown.peak_time_ns, drawdown.trough_time_ns, drawdown.recovery_time_ns)),
            span_ns: returns.span_ns(),
            rejections,
            instruments: instruments.collect(),
            assets: assets.collect(),
            total: recorder.total(state),
            trips: recorder.total_trips(state),
        }
    }

    /// As a dictionary.
    pub fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("rows", self.rows)?;
        dict.set_item("inputs", self.inputs)?;
        dict.set_item("orders", self.orders)?;
        dict.set_item("fills", self.fills)?;
        dict.set_item("ignored_reports", self.ignored_reports)?;
        dict.set_item("late_trades", self.late_trades)?;
        dict.set_item("end_ns", self.now_ns)?;
        dict.set_item("day", self.day)?;
        dict.set_item("decisions_hash", &self.decisions_hash)?;
        dict.set_item("state_hash", &self.state_hash)?;
        for (name, value) in &self.returns {
            dict.set_item(name, value)?;
        }
        dict.set_item("drawdown_times_ns", self.drawdown)?;
        dict.set_item("span_ns", self.span_ns)?;
        let rejections = PyDict::new(py);
        for (reason, count) in &self.rejections {
            rejections.set_item(reason, count)?;
        }
        dict.set_item("rejections", rejections)?;
        let instruments = PyList::empty(py);
        for (name, settlement, source, mark, report) in &self.instruments {
            let row = PyDict::new(py);
            row.set_item("instrument", name)?;
            row.set_item("settlement", settlement)?;
            row.set_item("mark_source", source)?;
            row.set_item("mark", mark)?;
            row.set_item("position", report.quantity)?;
            row.set_item("dust", report.dust)?;
            row.set_item("unrealised", report.unrealised)?;
            row.set_item("is_open", report.is_open)?;
            add_summary(&row, &report.summary)?;
            add_trips(&row, &report.trips, true)?;
            instruments.append(row)?;
        }
        dict.set_item("instruments", instruments)?;
        let assets = PyList::empty(py);
        for (account, asset, decimals, report) in &self.assets {
            let row = PyDict::new(py);
            row.set_item("account", account)?;
            row.set_item("asset", asset)?;
            let amounts = [
                ("deposited", report.deposited),
                ("traded", report.traded),
                ("exchange_fees", report.exchange_fees),
                ("network_fees", report.network_fees),
                ("liquidation_fees", report.liquidation_fees),
                ("funding", report.funding),
                ("insurance", report.insurance),
                ("unexplained", report.unexplained),
                ("wallet", report.wallet),
            ];
            for (name, amount) in amounts {
                row.set_item(name, format_decimal(amount, *decimals))?;
            }
            assets.append(row)?;
        }
        dict.set_item("assets", assets)?;
        let total = PyDict::new(py);
        if let Some((summary, unrealised)) = &self.total {
            add_summary(&total, summary)?;
            total.set_item("unrealised", unrealised)?;
        }
        add_trips(&total, &self.trips.0, self.trips.1)?;
        dict.set_item("total", total)?;
        Ok(dict)
    }
}

fn add_summary(row: &Bound<'_, PyDict>, summary: &Summary) -> PyResult<()> {
    row.set_item("orders", summary.orders_sent)?;
    row.set_item("orders_filled", summary.orders_filled)?;
    row.set_item("orders_rejected", summary.orders_rejected)?;
    row.set_item("orders_refused", summary.orders_refused)?;
    row.set_item("orders_cancelled", summary.orders_cancelled)?;
    row.set_item("fills", summary.fills)?;
    row.set_item("volume", summary.value)?;
    row.set_item("maker_share", summary.maker_share())?;
    row.set_item("slippage", summary.slippage())?;
    row.set_item("realised", summary.realised)?;
    // A fee in an asset without a price makes what it is part of unknown (N4).
    let known = |amount: f64| amount.is_finite().then_some(amount);
    row.set_item("exchange_fees", known(summary.exchange_fees))?;
    row.set_item("network_fees", summary.network_fees)?;
    row.set_item("liquidation_fees", summary.liquidation_fees)?;
    row.set_item("fees", known(summary.fees()))?;
    row.set_item("funding", summary.funding)?;
    row.set_item("net_realised", known(summary.net_realised()))
}

/// What round trips say; amounts only where they are known.
fn add_trips(row: &Bound<'_, PyDict>, trips: &TripStatistics, is_known: bool) -> PyResult<()> {
    let amount = |amount: Option<f64>| amount.filter(|_| is_known);
    row.set_item("trips", trips.count())?;
    row.set_item("win_rate", trips.win_rate())?;
    row.set_item("profit_factor", amount(trips.profit_factor()))?;
    row.set_item("average_win", amount(trips.average_win()))?;
    row.set_item("average_loss", amount(trips.average_loss()))?;
    row.set_item("expectancy", amount(trips.expectancy()))?;
    row.set_item("largest_win", amount(trips.largest_win()))?;
    row.set_item("largest_loss", amount(trips.largest_loss()))?;
    row.set_item("average_duration_ns", trips.average_duration_ns())
}

/// Columns in the making: integers and floats as native bytes, the rest as lists.
struct Columns<'py, 'row, T> {
    dict: Bound<'py, PyDict>,
    rows: &'row [T],
}

impl<'py, 'row, T> Columns<'py, 'row, T> {
    fn new(py: Python<'py>, rows: &'row [T]) -> Self {
        Self { dict: PyDict::new(py), rows }
    }

    fn integers(&self, name: &str, of: impl Fn(&T) -> i64) -> PyResult<()> {
        let bytes: Vec<u8> = self.rows.iter().flat_map(|row| of(row).to_ne_bytes()).collect();
        self.dict.set_item(name, ("i8", PyBytes::new(self.dict.py(), &bytes)))
    }

    /// Floats; NaN stands for what is not known.
    fn floats(&self, name: &str, of: impl Fn(&T) -> Option<f64>) -> PyResult<()> {
        let bytes: Vec<u8> = self.rows.iter().flat_map(|row| of(row).unwrap_or(f64::NAN).to_ne_bytes()).collect();
        self.dict.set_item(name, ("f8", PyBytes::new(self.dict.py(), &bytes)))
    }

    fn words<'text>(&'row self, name: &str, of: impl Fn(&'row T) -> Option<&'text str>) -> PyResult<()>
    where
        'row: 'text,
    {
        let list = PyList::new(self.dict.py(), self.rows.iter().map(of).collect::<Vec<_>>())?;
        self.dict.set_item(name, ("text", list))
    }

    /// Exact amounts, as decimal text.
    fn amounts(&self, name: &str, of: impl Fn(&T) -> (i128, u8)) -> PyResult<()> {
        let text = |row| {
            let (amount, decimals) = of(row);
            format_decimal(amount, decimals)
        };
        let list = PyList::new(self.dict.py(), self.rows.iter().map(text).collect::<Vec<_>>())?;
        self.dict.set_item(name, ("decimal", list))
    }
}

/// Closed orders.
pub fn columns_of_orders<'py>(py: Python<'py>, run: &impl Run) -> PyResult<Bound<'py, PyDict>> {
    let state = run.engine().state();
    let index = state.index();
    let specification = |order: &Order| &index.instrument(order.request.instrument).specification;
    let columns = Columns::new(py, run.recorder().orders());
    columns.integers("order_id", |order| order.id.0 as i64)?;
    columns.words("strategy", |order| Some(state.strategy(order.strategy).name.as_str()))?;
    columns.integers("count", |order| order.count as i64)?;
    columns.words("instrument", |order| Some(index.instrument(order.request.instrument).name.as_str()))?;
    columns.words("side", |order| Some(order.request.side.name()))?;
    columns.words("order_type", |order| Some(order.request.order_type.name()))?;
    columns.words("time_in_force", |order| Some(order.request.time_in_force.name()))?;
    columns.floats("quantity", |order| Some(to_float(order.request.quantity, specification(order).quantity_decimals)))?;
    columns.floats("price", |order| order.request.order_type.price().map(|price| to_float(price, specification(order).price_decimals)))?;
    columns.floats("filled", |order| Some(to_float(order.filled, specification(order).quantity_decimals)))?;
    columns.floats("average_price", |order| average_price(order, index))?;
    columns.words("status", |order| Some(order.status.name()))?;
    columns.words("reason", |order| order.reason.map(Code::slug))?;
    columns.words("note", |order| order.note.as_deref())?;
    columns.integers("decided_ns", |order| order.decided_ns)?;
    columns.integers("closed_ns", |order| order.updated_ns)?;
    Ok(columns.dict)
}

fn average_price(order: &Order, index: &Index) -> Option<f64> {
    let specification = &index.instrument(order.request.instrument).specification;
    let unit = to_float(specification.multiplier, specification.multiplier_decimals);
    (order.filled > 0).then(|| {
        wide_to_float(order.filled_value, specification.value_decimals()) / (to_float(order.filled, specification.quantity_decimals) * unit)
    })
}

/// Fills.
pub fn columns_of_fills<'py>(py: Python<'py>, run: &impl Run) -> PyResult<Bound<'py, PyDict>> {
    let state = run.engine().state();
    let index = state.index();
    let specification = |booked: &Booked| &index.instrument(booked.fill.instrument).specification;
    let columns = Columns::new(py, run.recorder().fills());
    columns.integers("order_id", |booked| booked.fill.order.0 as i64)?;
    columns.words("strategy", |booked| Some(state.strategy(booked.strategy).name.as_str()))?;
    columns.integers("count", |booked| booked.count as i64)?;
    columns.words("instrument", |booked| Some(index.instrument(booked.fill.instrument).name.as_str()))?;
    columns.integers("trade_id", |booked| booked.fill.trade_id as i64)?;
    columns.words("side", |booked| Some(booked.fill.side.name()))?;
    columns.floats("price", |booked| Some(to_float(booked.fill.price, specification(booked).price_decimals)))?;
    columns.floats("quantity", |booked| Some(to_float(booked.fill.quantity, specification(booked).quantity_decimals)))?;
    columns.words("liquidity", |booked| Some(booked.fill.liquidity.name()))?;
    columns.amounts("fee", |booked| (booked.fill.fee, index.asset(booked.fill.fee_asset).decimals))?;
    columns.words("fee_asset", |booked| Some(index.asset(booked.fill.fee_asset).name.as_str()))?;
    columns.words("fee_kind", |booked| Some(booked.fill.fee_kind.name()))?;
    columns.floats("realised", |booked| Some(wide_to_float(booked.realised, specification(booked).value_decimals())))?;
    columns.floats("decision_mid", |booked| {
        booked.decision_mid_doubled.map(|doubled| to_float(doubled, specification(booked).price_decimals) / 2.0)
    })?;
    columns.floats("slippage", |booked| slippage(booked, specification(booked).price_decimals))?;
    columns.integers("venue_time_ns", |booked| booked.fill.venue_time_ns)?;
    columns.integers("arrival_time_ns", |booked| booked.arrival_time_ns)?;
    Ok(columns.dict)
}

/// How much worse than the mid at the decision the price was, in price units times quantity of one.
fn slippage(booked: &Booked, price_decimals: u8) -> Option<f64> {
    let mid = to_float(booked.decision_mid_doubled?, price_decimals) / 2.0;
    Some((to_float(booked.fill.price, price_decimals) - mid) * booked.fill.side.sign() as f64)
}

/// The ledger's postings, of all accounts.
pub fn columns_of_ledger<'py>(py: Python<'py>, run: &impl Run) -> PyResult<Bound<'py, PyDict>> {
    let state: &State = run.engine().state();
    let index = state.index();
    let postings: Vec<(&str, &Posting)> = index
        .accounts()
        .flat_map(|(account, definition)| {
            state.account(account).ledger().postings().iter().map(move |posting| (definition.name.as_str(), posting))
        })
        .collect();
    let columns = Columns::new(py, &postings);
    columns.integers("time_ns", |(_, posting)| posting.cause.time_ns)?;
    columns.words("account", |(account, _)| Some(account))?;
    columns.words("asset", |(_, posting)| Some(index.asset(posting.asset).name.as_str()))?;
    columns.words("from", |(_, posting)| Some(posting.from.name()))?;
    columns.words("to", |(_, posting)| Some(posting.to.name()))?;
    columns.amounts("amount", |(_, posting)| (posting.amount, index.asset(posting.asset).decimals))?;
    columns.words("instrument", |(_, posting)| posting.cause.instrument.map(|instrument| index.instrument(instrument).name.as_str()))?;
    columns.integers("order_id", |(_, posting)| posting.cause.order.map_or(0, |order| order.0 as i64))?;
    Ok(columns.dict.clone())
}
