use std::sync::Arc;
use tradewind_core::{
    driver::*, feed::Recording, indicator::*, instrument::*, market::*, risk::Risk, statistics::Annualisation, strategy::*, venue::*,
};

fn main() {
    let spec = Specification {
        venue: "sim".into(),
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
        minimum_notional: 0,
        multiplier: 1,
        multiplier_decimals: 0,
        fees: Fees { maker: 200_000, taker: 500_000, liquidation: 0, asset: FeeAsset::Received },
        margin: Some(Margin { initial: 100_000_000, maintenance: 50_000_000 }),
    };
    let index = Arc::new(Index::new(&[], &[spec]).unwrap());
    let delay: i64 = std::env::args().nth(1).map_or(0, |a| a.parse().unwrap());
    let mut price = 600_000_i64;
    let mut x = 88172645463325252_u64;
    let mut t = 1_700_000_000_000_000_000_i64;
    let rows: Vec<MarketEvent> = (0..1_000_000)
        .map(|i| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            price += (x % 41) as i64 - 20;
            t += 500_000 + (x >> 20) as i64 % 1_000_000;
            MarketEvent::new(
                InstrumentIndex(0),
                t,
                t + delay,
                MarketData::Trade(Trade { price, quantity: 2_000 + (x % 17_000) as i64, aggressor: None, id: i }),
            )
        })
        .collect();
    let chunk: Arc<[MarketEvent]> = rows.into();
    let recording = Recording::new("trades", vec![chunk]).unwrap();
    for _ in 0..7 {
        let usdt = index.find_asset("USDT").unwrap();
        let settings = Settings {
            index: index.clone(),
            venues: vec![VenueSettings {
                venue: "sim".into(),
                request_latency: Latency::Constant(delay),
                answer_latency: Latency::Constant(delay),
                fill_model: Default::default(),
                leverage: None,
            }],
            balances: vec![(VenueIndex(0), usdt, 1_000_000_000_000_000)],
            currency: usdt,
            interval_ns: 3_600_000_000_000,
            annualisation: Annualisation::EveryDay,
            seed: 1,
            keep: Keep::Everything,
            keeps_journal: false,
        };
        let strategy = EmaCross::new(
            InstrumentIndex(0),
            IndicatorKind::Ema { period: 50, seed: Seed::First },
            IndicatorKind::Ema { period: 200, seed: Seed::First },
            1000,
            true,
        );
        let mut run = Backtest::new(settings, vec![("ema".into(), Box::new(strategy))], Risk::default(), vec![recording.clone()]).unwrap();
        let start = std::time::Instant::now();
        run.run().unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{:.2} M/s orders {} fills {} equity {:?} ignored {}",
            run.rows() as f64 / seconds / 1e6,
            run.recorder().orders_sent(),
            run.recorder().fills_booked(),
            run.recorder().curve().returns().final_equity(),
            run.engine().state().ignored_reports()
        );
        println!("{:?}", &run.engine().decisions_hash()[..4]);
    }
}
