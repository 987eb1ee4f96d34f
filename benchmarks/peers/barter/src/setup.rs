//! What every run shares: the recorded events, the instruments, the mock exchange.

use crate::strategy::{BuyEveryTrade, Global, LatestTrade, Risk, State};
use barter::{
    backtest::{BacktestArgsConstant, BacktestArgsDynamic, market_data::MarketDataInMemory},
    engine::state::{builder::EngineStateBuilder, trading::TradingState},
    statistic::time::Daily,
    system::config::{ExecutionConfig, InstrumentConfig},
};
use barter_data::{event::DataKind, streams::consumer::MarketStreamEvent};
use barter_instrument::{index::IndexedInstruments, instrument::InstrumentIndex};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    sync::Arc,
};

/// Any failure; the benchmark prints it and stops.
pub type Failure = Box<dyn Error + Send + Sync>;
/// The arguments that all backtests share.
pub type Shared = Arc<BacktestArgsConstant<MarketDataInMemory<DataKind>, Daily, State>>;
/// The arguments of one backtest.
pub type Single = BacktestArgsDynamic<BuyEveryTrade, Risk>;
type Event = MarketStreamEvent<InstrumentIndex, DataKind>;

const ASSETS: [&str; 4] = ["usdt", "btc", "eth", "sol"];
const BASES: [&str; 3] = ["btc", "eth", "sol"];

/// Loads the events (sorted by receive time already) and builds what runs share.
pub fn shared(events: &Path) -> Result<(Shared, usize), Failure> {
    let events = read_events(events)?;
    let count = events.len();
    let start = first_exchange_time(&events)?;
    let instruments = IndexedInstruments::new(instrument_configs()?);
    let engine_state = EngineStateBuilder::new(&instruments, Global::default(), |_| LatestTrade::default())
        .time_engine_start(start)
        .trading_state(TradingState::Enabled)
        .build();
    let shared = BacktestArgsConstant {
        instruments,
        executions: execution_configs(start)?,
        market_data: MarketDataInMemory::new(Arc::new(events)),
        summary_interval: Daily,
        engine_state,
    };
    Ok((Arc::new(shared), count))
}

/// One backtest's own arguments.
pub fn single(trades: bool) -> Single {
    BacktestArgsDynamic {
        id: SmolStr::new_static("bench"),
        risk_free_return: Decimal::new(5, 2),
        strategy: BuyEveryTrade::new(trades),
        risk: Risk::default(),
    }
}

fn read_events(path: &Path) -> Result<Vec<Event>, Failure> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    BufReader::new(file).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn first_exchange_time(events: &[Event]) -> Result<DateTime<Utc>, Failure> {
    match events.first() {
        Some(MarketStreamEvent::Item(event)) => Ok(event.time_exchange),
        _ => Err("the file of events is empty or starts with a reconnection".into()),
    }
}

fn instrument_configs() -> Result<Vec<InstrumentConfig>, Failure> {
    let instrument = |base: &str| {
        json!({
            "exchange": "binance_spot",
            "name_exchange": format!("{}USDT", base.to_uppercase()),
            "underlying": {"base": base, "quote": "usdt"},
            "quote": "underlying_quote",
            "kind": "spot",
        })
    };
    Ok(serde_json::from_value(BASES.map(instrument).into())?)
}

/// A mock exchange without latency and with balances that never run out.
fn execution_configs(start: DateTime<Utc>) -> Result<Vec<ExecutionConfig>, Failure> {
    let balance = |asset: &str| {
        json!({
            "asset": asset,
            "balance": {"total": 99_999_999_999_999_u64, "free": 99_999_999_999_999_u64},
            "time_exchange": start,
        })
    };
    let no_orders = |base: &str| json!({"instrument": format!("{}USDT", base.to_uppercase()), "orders": []});
    let mock = json!({
        "mocked_exchange": "binance_spot",
        "latency_ms": 0,
        "fees_percent": 0.05,
        "initial_state": {
            "exchange": "binance_spot",
            "balances": ASSETS.map(balance),
            "instruments": BASES.map(no_orders),
        },
    });
    Ok(serde_json::from_value(Value::Array(vec![mock]))?)
}
