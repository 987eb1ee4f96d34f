//! A run that takes the same decisions on every machine, in debug and release builds (D1, D3).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{World, at, perpetual};
use std::sync::Arc;
use tradewind_core::driver::Backtest;
use tradewind_core::feed::Recording;
use tradewind_core::indicator::{IndicatorKind, Seed};
use tradewind_core::instrument::{FeeAsset, Fees, Index, Specification};
use tradewind_core::market::MarketKind;
use tradewind_core::strategy::EmaCross;
use tradewind_core::synthetic::{Length, SyntheticMarket, SyntheticSettings};
use tradewind_core::time::{HOUR_NS, MILLISECOND_NS, SECOND_NS};
use tradewind_core::venue::Latency;

/// A change of this is a change of what runs decide, which has to be meant.
const DECISIONS: &str = "25c17a6e9b1fbaf3";

/// Two hours of a synthetic perpetual with quotes and trades, and a cross of two averages.
fn run() -> Backtest {
    let fees = Fees { maker: 200_000, taker: 500_000, liquidation: 10_000_000, asset: FeeAsset::Quote };
    let specification = Specification { fees, ..perpetual("synthetic", "BTCUSDT", "BTC", "USDT") };
    let settings = SyntheticSettings {
        seed: 7,
        start_ns: 1_700_000_000 * SECOND_NS,
        length: Length::Duration(2 * HOUR_NS),
        initial_price: 600_000,
        volatility: 0.6,
        activity: 5.0,
        latency_ns: 5 * MILLISECOND_NS,
        emit: vec![MarketKind::Quote, MarketKind::Trade, MarketKind::Mark, MarketKind::Funding],
    };
    let mut market = SyntheticMarket::new(at(0), &specification, &settings).unwrap();
    let mut rows = Vec::new();
    while market.fill(&mut rows, 65_536) > 0 {}
    let mut world = World::new(Arc::new(Index::new(&[], &[specification]).unwrap()), 7).with_balance("synthetic", "USDT", 100_000);
    world.recordings.push(Recording::new("synthetic", vec![rows.into()]).unwrap());
    world.request_latency = Latency::Exponential { minimum_ns: MILLISECOND_NS, mean_ns: 20 * MILLISECOND_NS };
    world.answer_latency = Latency::Constant(10 * MILLISECOND_NS);
    let ema = |period| IndicatorKind::Ema { period, seed: Seed::default() };
    world.run(vec![("cross".to_owned(), Box::new(EmaCross::new(at(0), ema(20), ema(60), 100, true)))])
}

/// The first sixteen digits.
fn hexadecimal(hash: [u8; 32]) -> String {
    format!("{:016x}", u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]))
}

#[test]
fn the_decisions_are_the_same_on_every_machine() {
    let run = run();
    assert!(run.recorder().fills_booked() > 100, "{} fills", run.recorder().fills_booked());
    assert_eq!(hexadecimal(run.engine().decisions_hash()), DECISIONS);
}
