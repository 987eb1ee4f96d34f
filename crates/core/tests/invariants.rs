//! Random strategies on random data: what must always hold, holds after every row.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::{Clock, DETAILS, random};
use common::strategy::Anything;
use common::{World, at, index, run_with};
use std::collections::HashMap;
use tradewind_core::account::{Bucket, MarginCheck};
use tradewind_core::chance::Chance;
use tradewind_core::driver::Backtest;
use tradewind_core::market::Side;
use tradewind_core::venue::Latency;
use tradewind_core::venue::fill::{FillModel, Resting, TakingOnTrades};

const MS: i64 = 1_000_000;

fn random_world(seed: u64) -> World {
    let mut chance = Chance::new(seed, &["world"]);
    let index = index();
    let mut world = World::new(index, seed).with_money();
    let latencies = [
        Latency::Constant(0),
        Latency::Constant(30 * MS),
        Latency::Uniform { low_ns: 0, high_ns: 900 * MS },
        Latency::Exponential { minimum_ns: MS, mean_ns: 300 * MS },
    ];
    world.request_latency = latencies[chance.below(4)];
    world.answer_latency = latencies[chance.below(4)];
    world.fill_model = FillModel {
        taking_on_trades: TakingOnTrades::ALL[chance.below(3)].1,
        resting: [Resting::Through, Resting::Touch][chance.below(2)],
    };
    for instrument in 0..6 {
        if chance.happens(0.6) {
            let (detail, clock) = (DETAILS[chance.below(4)], [Clock::One, Clock::Delayed][chance.below(2)]);
            world.recordings.push(random(&world.index, at(instrument), detail, clock, 30 + chance.below(80), seed));
        }
    }
    if world.recordings.is_empty() {
        world.recordings.push(random(&world.index, at(2), DETAILS[0], Clock::One, 50, seed));
    }
    world
}

fn strategies(world: &World, seed: u64) -> Vec<common::Named> {
    let mut chance = Chance::new(seed, &["strategies"]);
    (0..=chance.below(3))
        .map(|place| Anything::named(seed, ["a", "b", "c"][place], world.streams(), [0.2, 0.6, 1.0][chance.below(3)]))
        .collect()
}

/// What holds at any time.
fn check_now(backtest: &Backtest) {
    let state = backtest.engine().state();
    assert_eq!(state.broken_rule(), None);
    assert_eq!(state.impossible_reports(), 0);
    let index = state.index();
    for venue in backtest.venues() {
        for (asset, definition) in index.assets() {
            let is_margin = index.instruments().any(|(_, other)| other.is_margined() && other.settlement == asset);
            let wallets = [venue.account().wallet(asset), state.account(venue.account_index()).wallet(asset)];
            assert!(is_margin || wallets.iter().all(|wallet| *wallet >= 0), "{}: {wallets:?}", definition.name);
            // The band of safe marks never hides a call.
            let margin = venue.margin(asset);
            match margin.check() {
                MarginCheck::Enough => assert!(!venue.is_called(asset), "{margin:?}"),
                MarginCheck::Call => assert!(venue.is_called(asset), "{margin:?}"),
                MarginCheck::Liquidate => panic!("should be liquidated: {margin:?}"),
            }
        }
    }
}

/// What holds when nothing is on its way any more.
fn check_end(backtest: &Backtest) {
    let state = backtest.engine().state();
    assert_eq!(state.orders().all_open().count(), 0);
    for venue in backtest.venues() {
        let (ours, theirs) = (state.account(venue.account_index()), venue.account());
        assert!(ours.ledger().balances());
        for (asset, _) in state.index().assets() {
            for bucket in Bucket::ALL {
                assert_eq!(ours.ledger().sum(asset, bucket), theirs.ledger().sum(asset, bucket), "{asset:?} {bucket:?}");
            }
        }
        for (instrument, _) in state.index().instruments() {
            assert_eq!(ours.position(instrument), theirs.position(instrument));
        }
    }
    check_orders(backtest);
    check_money(backtest);
}

/// Every order was closed once, and its fills are those that were booked.
fn check_orders(backtest: &Backtest) {
    let mut filled = HashMap::new();
    for booked in backtest.recorder().fills().iter().filter(|booked| booked.count > 0) {
        let sums = filled.entry((booked.strategy, booked.count)).or_insert((0_i64, 0_usize));
        *sums = (sums.0 + booked.fill.quantity, sums.1 + 1);
    }
    let mut ids = std::collections::HashSet::new();
    for order in backtest.recorder().orders() {
        assert!(ids.insert(order.id), "closed twice: {order:?}");
        assert!(order.status.is_closed());
        let (quantity, fills) = filled.remove(&(order.strategy, order.count)).unwrap_or_default();
        assert_eq!((order.filled, order.trade_ids.len()), (quantity, fills));
        assert!(order.filled <= order.request.quantity);
    }
    assert!(filled.is_empty(), "fills of orders that nobody closed");
}

/// Amounts in units of 10^-12 of an asset's last decimal hold every value here exactly.
const FINE: i128 = 1_000_000_000_000;

/// Equity from the fills alone, in exact value units, is the ledger's within half a unit a posting.
fn check_money(backtest: &Backtest) {
    let state = backtest.engine().state();
    let index = state.index();
    for (account, definition) in index.accounts() {
        for (asset, named) in index.assets() {
            let ledger = state.account(account).ledger();
            let outside =
                -[Bucket::External, Bucket::Funding, Bucket::Insurance].map(|bucket| ledger.sum(asset, bucket)).iter().sum::<i128>();
            let (mut exact, mut roundings) = ((outside - ledger.sum(asset, Bucket::LiquidationFees)) * FINE, 0);
            for booked in backtest.recorder().fills() {
                let fill = &booked.fill;
                let instrument = index.instrument(fill.instrument);
                if instrument.account != account {
                    continue;
                }
                let sign = if fill.side == Side::Buy { 1 } else { -1 };
                let specification = &instrument.specification;
                if instrument.quote == asset {
                    let value = specification.value(fill.price, fill.quantity);
                    let scale = 10_i128.pow(u32::from(named.decimals) + 12 - u32::from(specification.value_decimals()));
                    exact -= sign * value * scale;
                    roundings += 1;
                }
                if instrument.base == asset && !instrument.is_margined() {
                    exact += sign * i128::from(fill.quantity) * FINE;
                }
                if fill.fee_asset == asset {
                    exact -= fill.fee * FINE;
                }
            }
            let mut ledgers = ledger.sum(asset, Bucket::Wallet) * FINE;
            for (instrument, other) in index.instruments().filter(|(_, other)| other.account == account && other.is_margined()) {
                if other.settlement == asset {
                    // Without a price both sides would lack the same; at zero the position is worth minus its cost.
                    let position = state.account(account).position(instrument);
                    let scale = 10_i128.pow(u32::from(named.decimals) + 12 - u32::from(other.specification.value_decimals()));
                    ledgers -= position.cost * scale;
                }
            }
            assert!(
                (exact - ledgers).abs() <= i128::from(roundings) * FINE / 2,
                "{} of {}: {exact} by the fills, {ledgers} by the ledger after {roundings} roundings",
                named.name,
                definition.name
            );
        }
    }
}

#[test]
fn random_runs_keep_every_rule() {
    let (mut fills, mut calls, mut liquidations, mut reasons) = (0, 0, 0, HashMap::new());
    for seed in 0..4_000 {
        let world = random_world(seed);
        let mut backtest = world.backtest(strategies(&world, seed));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run_with(&mut backtest, |backtest| {
                check_now(backtest);
                calls += usize::from(backtest.venues().any(|venue| world.index.assets().any(|(asset, _)| venue.is_called(asset))));
            });
            check_end(&backtest);
        }));
        assert!(outcome.is_ok(), "seed {seed}");
        fills += backtest.recorder().fills_booked();
        liquidations += backtest.recorder().fills().iter().filter(|booked| booked.count == 0).count();
        for order in backtest.recorder().orders() {
            *reasons.entry((order.status, order.reason)).or_insert(0) += 1;
        }
    }
    // The runs must meet what they are meant to test.
    assert!(
        fills > 10_000 && liquidations > 100 && calls > 100,
        "{fills} fills, {liquidations} liquidations, {calls} rows under a call, {reasons:#?}"
    );
}
