//! How fast the matching book and the synthetic market are: `cargo bench --bench synthetic`.

use std::hint::black_box;
use std::time::Instant;
use tradewind_core::instrument::{Fees, InstrumentIndex, Kind, Margin, Specification};
use tradewind_core::market::{MarketKind, Side};
use tradewind_core::order::{OrderType, TimeInForce};
use tradewind_core::synthetic::{Length, SyntheticMarket, SyntheticSettings};
use tradewind_core::time::MILLISECOND_NS;
use tradewind_core::venue::matching::{MatchingBook, OrderKey, Participant, Submission};

const OPERATIONS: u64 = 5_000_000;
const ROWS: u64 = 5_000_000;

fn main() {
    let start = Instant::now();
    run_book();
    let seconds = start.elapsed().as_secs_f64();
    println!("matching book: {:.2} M operations/s", OPERATIONS as f64 / seconds / 1e6);
    let (book, quote, trade) = (MarketKind::Book, MarketKind::Quote, MarketKind::Trade);
    for emit in [vec![book, quote, trade], vec![trade], vec![quote]] {
        let names: Vec<_> = emit.iter().map(|kind| kind.name()).collect();
        let start = Instant::now();
        run_market(emit);
        let seconds = start.elapsed().as_secs_f64();
        println!("synthetic {}: {:.2} M rows/s", names.join(", "), ROWS as f64 / seconds / 1e6);
    }
}

/// Submissions around a wandering price, cancels and amends, by a plain generator of chance.
fn run_book() {
    let (mut book, mut events) = (MatchingBook::default(), Vec::new());
    let mut state = 1_u64;
    for key in 0..OPERATIONS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = (state >> 33) as i64;
        let side = if draw & 1 == 0 { Side::Buy } else { Side::Sell };
        let price = 1_000 + (key >> 14) as i64 % 100 - side.sign() * ((draw >> 1) % 40 - 2);
        let recent = OrderKey(key.saturating_sub(1 + (draw >> 8) as u64 % 500));
        events.clear();
        match (draw >> 20) % 10 {
            0..5 => book.submit(
                &Submission {
                    key: OrderKey(key),
                    participant: Participant(0),
                    side,
                    quantity: 1 + (draw >> 24) % 50,
                    order_type: OrderType::Limit(price),
                    time_in_force: TimeInForce::GoodTillCancelled,
                },
                &mut events,
            ),
            5..8 => book.cancel(recent, &mut events),
            _ => book.amend(recent, price, 1 + (draw >> 24) % 50, &mut events),
        }
        black_box(&events);
    }
}

fn run_market(emit: Vec<MarketKind>) {
    let settings = SyntheticSettings {
        seed: 1,
        start_ns: 0,
        length: Length::Events(ROWS),
        initial_price: 600_000,
        volatility: 0.6,
        activity: 100.0,
        latency_ns: MILLISECOND_NS,
        emit,
    };
    let Ok(mut market) = SyntheticMarket::new(InstrumentIndex(0), &perpetual(), &settings) else { return };
    let mut rows = Vec::with_capacity(65_536);
    while market.fill(&mut rows, 65_536) > 0 {
        black_box(&rows);
        rows.clear();
    }
}

fn perpetual() -> Specification {
    Specification {
        venue: "synthetic".into(),
        symbol: "BTCUSDT".into(),
        kind: Kind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        settlement: "USDT".into(),
        price_decimals: 1,
        quantity_decimals: 3,
        tick: 1,
        lot: 1,
        minimum_quantity: 1,
        minimum_notional: 1_000_000,
        multiplier: 1,
        multiplier_decimals: 0,
        fees: Fees { maker: 0, taker: 0, liquidation: 0, asset: tradewind_core::instrument::FeeAsset::Received },
        margin: Some(Margin { initial: 100_000_000, maintenance: 50_000_000 }),
    }
}
