//! Totals over instruments that settle in several assets are in one currency, or unknown (N4).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::START_NS;
use common::strategy::Script;
use common::{World, at, index};
use tradewind_core::driver::Backtest;
use tradewind_core::feed::Recording;
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::{MarketData, MarketEvent, Side, Trade};
use tradewind_core::order::OrderType;
use tradewind_core::time::SECOND_NS;

/// AAA in USDT, and BBB in AAA.
const AAA: InstrumentIndex = at(0);
const BBB: InstrumentIndex = at(1);

fn trade(instrument: InstrumentIndex, second: i64, price: i64) -> MarketEvent {
    let time_ns = START_NS + second * SECOND_NS;
    MarketEvent::new(instrument, time_ns, time_ns, MarketData::Trade(Trade { price, quantity: 1_000_000, aggressor: None, id: second }))
}

/// Buys at the second row and sells at the fourth, what each instrument's quantity is.
fn trips(quantities: &[(InstrumentIndex, i64)], rows: Vec<MarketEvent>) -> Backtest {
    let mut world = World::new(index(), 1).with_money();
    world.recordings.push(Recording::new("trades", vec![rows.into()]).unwrap());
    let quantities = quantities.to_vec();
    let mut row = 0;
    let market = move |state: &mut tradewind_core::state::State, _: &MarketEvent| {
        row += 1;
        let side = [Side::Buy, Side::Sell][usize::from(row == 4)];
        for &(instrument, quantity) in quantities.iter().filter(|_| row == 2 || row == 4) {
            state.place(state.order_of(instrument, side, quantity, OrderType::Market))?;
        }
        Ok(())
    };
    let script = Script { streams: world.streams(), market: Some(Box::new(market)), ..Script::default() };
    world.run(vec![script.named("one")])
}

#[test]
fn trips_are_summed_in_the_currency() {
    // AAA from 100 to 110 USDT; BBB from 0.7 to 1.4 AAA.
    let rows = vec![
        trade(AAA, 0, 10_000),
        trade(BBB, 1, 700_000),
        trade(AAA, 2, 10_000),
        trade(BBB, 3, 700_000),
        trade(AAA, 4, 11_000),
        trade(BBB, 5, 1_400_000),
        trade(AAA, 6, 11_000),
    ];
    let run = trips(&[(AAA, 100_000), (BBB, 2_000)], rows);
    let state = run.engine().state();
    let reports = run.recorder().instruments(state);
    let profit = |instrument: InstrumentIndex| reports[instrument.at()].trips.total_profit();
    assert!(profit(AAA) > 9.0 && (1.3..1.4).contains(&profit(BBB)), "{} {}", profit(AAA), profit(BBB));
    let (total, is_known) = run.recorder().total_trips(state);
    assert!(is_known);
    assert_eq!(total.count(), 2);
    assert!((total.total_profit() - (profit(AAA) + 110.0 * profit(BBB))).abs() < 1e-9, "{}", total.total_profit());
    assert!((total.largest_win().unwrap() - 110.0 * profit(BBB)).abs() < 1e-9);
}

#[test]
fn without_a_rate_the_amounts_are_unknown_and_the_counts_are_not() {
    let rows = (0..6).map(|second| trade(BBB, second, 700_000 + second / 4 * 70_000)).collect();
    let run = trips(&[(BBB, 2_000)], rows);
    let (total, is_known) = run.recorder().total_trips(run.engine().state());
    assert!(!is_known);
    assert_eq!((total.count(), total.wins()), (1, 1));
}
