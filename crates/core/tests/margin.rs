//! Margin: the band of safe marks against every mark in it, and who bears what.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::strategy::Script;
use common::{World, at, perpetual, quoted};
use proptest::prelude::*;
use tradewind_core::account::{Account, FeeKind, Fill, MarginCheck, MarginState};
use tradewind_core::instrument::{AssetIndex, Index, InstrumentIndex, Specification};
use tradewind_core::market::{Mark, MarkSource, MarketData, MarketEvent, Side};
use tradewind_core::order::{Liquidity, OrderId, OrderType, StrategyIndex};
use tradewind_core::state::State;
use tradewind_core::time::SECOND_NS;

const SETTLEMENT: AssetIndex = AssetIndex(1);

fn contracts() -> Index {
    let contract = |symbol: &str, price_decimals, quantity_decimals| Specification {
        price_decimals,
        quantity_decimals,
        ..perpetual("v", symbol, "X", "USD")
    };
    // Values finer and coarser than the asset's eight decimals.
    Index::new(&[], &[contract("A", 1, 3), contract("B", 6, 6), contract("C", 8, 2)]).unwrap()
}

fn open(account: &mut Account, index: &Index, instrument: InstrumentIndex, signed_quantity: i64, price: i64) {
    let fill = Fill {
        order: OrderId(1),
        trade_id: 1,
        instrument,
        side: Side::of(signed_quantity),
        price,
        quantity: signed_quantity.abs(),
        liquidity: Liquidity::Taker,
        fee: 0,
        fee_asset: SETTLEMENT,
        fee_kind: FeeKind::Exchange,
        venue_time_ns: 0,
    };
    account.apply_fill(index, &fill);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_mark_within_the_safe_band_calls_for_margin(
        positions in prop::collection::vec((prop_oneof![-3_i64..=3, -2_000_i64..2_000], 50_i64..3_000), 3),
        slack in prop_oneof![0_i128..40, 0_i128..40_000],
        moves in prop::collection::vec((-1.0_f64..=1.0, any::<bool>()), 3),
    ) {
        let index = contracts();
        let mut account = Account::new(false);
        for (place, &(quantity, price)) in positions.iter().enumerate() {
            if quantity != 0 {
                open(&mut account, &index, at(place as u32), quantity, price);
            }
        }
        let mark = |price: i64| {
            let mut mark = Mark::default();
            mark.update(MarkSource::Venue, price, 0);
            mark
        };
        let marks = |instrument: InstrumentIndex| mark(positions[instrument.at()].1);
        // A wallet that leaves just a little more than a call needs.
        let needed = MarginState::of(&account, &index, SETTLEMENT, marks);
        let wallet = (needed.maintenance * 5 + 3) / 4 - needed.equity + 1 + slack;
        account.deposit(SETTLEMENT, wallet, 0);
        let state = MarginState::of(&account, &index, SETTLEMENT, marks);
        prop_assume!(state.check() == MarginCheck::Enough);
        let held = positions.iter().filter(|(quantity, _)| *quantity != 0).count();
        let moved: Vec<i64> = positions
            .iter()
            .enumerate()
            .map(|(place, &(quantity, price))| {
                let definition = index.instrument(at(place as u32));
                let distance = state.safe_distance(definition, quantity, 8, held).min(1_000_000);
                let (part, to_the_end) = moves[place];
                // Mostly to the end of the band, against the position.
                if to_the_end { price - distance * quantity.signum() } else { price + (distance as f64 * part) as i64 }
            })
            .collect();
        let after = MarginState::of(&account, &index, SETTLEMENT, |instrument| mark(moved[instrument.at()]));
        prop_assert_eq!(after.check(), MarginCheck::Enough, "{:?} {:?} {:?}", state, after, moved);
    }
}

/// Asks for one target at the first quote.
fn holder(world: &World, name: &str, quantity: i64) -> common::Named {
    let market = move |state: &mut State, event: &MarketEvent| {
        if event.venue_time_ns == SECOND_NS { state.target(at(0), quantity, OrderType::Market) } else { Ok(()) }
    };
    let quotes = world.streams().into_iter().filter(|stream| stream.kind == tradewind_core::state::StreamKind::Quotes).collect();
    Script { streams: quotes, market: Some(Box::new(market)), ..Script::default() }.named(name)
}

fn with_rows(mut world: World, rows: &[(i64, MarketData)]) -> World {
    let rows: Vec<_> = rows.iter().map(|&(second, data)| MarketEvent::new(at(0), second * SECOND_NS, second * SECOND_NS, data)).collect();
    world.recordings.push(tradewind_core::feed::Recording::new("other", vec![rows.into()]).unwrap());
    world
}

#[test]
fn a_liquidation_closes_each_strategys_share_and_funding_is_borne_by_sign() {
    // 5 long and 2 short at 100.0: the account is long 3, with 26 of its own.
    let quotes: Vec<_> = (1..=6).map(|second| (second, 1_000, 1_000)).collect();
    let mut world = quoted(&quotes);
    world.balances[0].2 = 26 * 100_000_000;
    let rows = [(1, MarketData::Mark(1_000)), (3, MarketData::Funding(1_000_000)), (5, MarketData::Mark(930))];
    let world = with_rows(world, &rows);
    let strategies = vec![holder(&world, "long", 5_000), holder(&world, "short", -2_000)];
    let run = world.run(strategies);
    let state = run.engine().state();
    // 26 - 0.3 of funding + 3 × (93 - 100) = 4.7, below the 8.37 that 279 need to stay open.
    let forced: Vec<_> = run
        .recorder()
        .fills()
        .iter()
        .filter(|booked| booked.count == 0)
        .map(|booked| (booked.strategy, booked.fill.signed_quantity(), booked.fill.price, booked.realised))
        .collect();
    assert_eq!(forced, [(StrategyIndex(0), -5_000, 930, -350_000), (StrategyIndex(1), 2_000, 930, 140_000)]);
    assert_eq!(state.account(tradewind_core::instrument::AccountIndex(0)).wallet(SETTLEMENT), 470_000_000);
    assert_eq!(state.broken_rule(), None);
    // The long pays 0.5 and the short receives 0.2.
    let trips = &run.recorder().instruments(state)[0].trips;
    assert!((trips.gross_loss() + 35.5).abs() < 1e-9 && (trips.gross_profit() - 14.2).abs() < 1e-9, "{trips:?}");
}
