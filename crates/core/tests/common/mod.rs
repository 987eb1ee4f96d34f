//! A small world for the integration tests: an index, random market data and a strategy that
//! does anything at any time, all from one seed.
#![allow(dead_code, clippy::unwrap_used, reason = "every test binary uses a part of it; a test may fail")]

pub mod data;
pub mod session;
pub mod strategy;

use std::sync::Arc;
use tradewind_core::driver::{Backtest, Keep, Progress, Settings};
use tradewind_core::feed::{Merge, Recording};
use tradewind_core::instrument::{AssetIndex, FeeAsset, Fees, Index, InstrumentIndex, Kind, Margin, Specification, VenueIndex};
use tradewind_core::market::MarketEvent;
use tradewind_core::risk::Risk;
use tradewind_core::statistics::Annualisation;
use tradewind_core::strategy::Strategy;
use tradewind_core::time::MINUTE_NS;
use tradewind_core::venue::fill::FillModel;
use tradewind_core::venue::{Latency, VenueSettings};

/// A strategy with its name.
pub type Named = (String, Box<dyn Strategy>);

/// A spot instrument without limits or fees.
pub fn spot(venue: &str, symbol: &str, base: &str, quote: &str) -> Specification {
    Specification {
        venue: venue.into(),
        symbol: symbol.into(),
        kind: Kind::Spot,
        base: base.into(),
        quote: quote.into(),
        settlement: quote.into(),
        price_decimals: 2,
        quantity_decimals: 5,
        tick: 1,
        lot: 1,
        minimum_quantity: 1,
        minimum_notional: 0,
        multiplier: 1,
        multiplier_decimals: 0,
        fees: Fees { maker: 0, taker: 0, liquidation: 0, asset: FeeAsset::Received },
        margin: None,
    }
}

/// A perpetual with 5 % initial and 3 % maintenance margin, without fees.
pub fn perpetual(venue: &str, symbol: &str, base: &str, quote: &str) -> Specification {
    Specification {
        kind: Kind::LinearPerpetual,
        price_decimals: 1,
        quantity_decimals: 3,
        margin: Some(Margin { initial: 50_000_000, maintenance: 30_000_000 }),
        ..spot(venue, symbol, base, quote)
    }
}

/// Six instruments at three venues that differ in everything that decides numbers.
pub fn specifications() -> Vec<Specification> {
    let fees = |maker, taker, asset| Fees { maker, taker, liquidation: 0, asset };
    let perpetual_fees = Fees { maker: -100_000, taker: 500_000, liquidation: 10_000_000, asset: FeeAsset::Quote };
    vec![
        Specification {
            lot: 10,
            minimum_quantity: 10,
            minimum_notional: 2_000_000,
            fees: fees(200_000, 1_000_000, FeeAsset::Received),
            ..spot("alpha", "AAAUSDT", "AAA", "USDT")
        },
        // Nine value decimals for an asset of five: every amount is rounded.
        Specification {
            price_decimals: 6,
            quantity_decimals: 3,
            tick: 7,
            fees: fees(1_000_000, 2_000_000, FeeAsset::Quote),
            ..spot("alpha", "BBBAAA", "BBB", "AAA")
        },
        Specification { tick: 5, fees: perpetual_fees, ..perpetual("perps", "AAAUSDT", "AAA", "USDT") },
        Specification {
            price_decimals: 4,
            quantity_decimals: 0,
            multiplier: 10,
            multiplier_decimals: 2,
            fees: perpetual_fees,
            ..perpetual("perps", "BBBUSDT", "BBB", "USDT")
        },
        // One account for both kinds.
        Specification { fees: fees(0, 1_000_000, FeeAsset::Quote), ..spot("mixed", "CCCUSD", "CCC", "USD") },
        Specification { fees: perpetual_fees, ..perpetual("mixed", "CCCUSD-PERP", "CCC", "USD") },
    ]
}

/// The index of [`specifications`].
pub fn index() -> Arc<Index> {
    Arc::new(Index::new(&[], &specifications()).unwrap())
}

/// One venue's settings.
pub fn venue(name: &str, request_latency: Latency, answer_latency: Latency, fill_model: FillModel) -> VenueSettings {
    VenueSettings { venue: name.into(), request_latency, answer_latency, fill_model, leverage: None, lag_ns: None, halts: Vec::new() }
}

/// What a run is made of, so that it can be made again and changed.
#[derive(Clone)]
pub struct World {
    pub index: Arc<Index>,
    pub seed: u64,
    pub request_latency: Latency,
    pub answer_latency: Latency,
    pub fill_model: FillModel,
    pub recordings: Vec<Recording>,
    pub keeps_journal: bool,
    pub keep: Keep,
    pub balances: Vec<(VenueIndex, AssetIndex, i128)>,
}

impl World {
    /// A world without data and money.
    pub fn new(index: Arc<Index>, seed: u64) -> Self {
        Self {
            index,
            seed,
            request_latency: Latency::Constant(0),
            answer_latency: Latency::Constant(0),
            fill_model: FillModel::default(),
            recordings: Vec::new(),
            keeps_journal: false,
            keep: Keep::Everything,
            balances: Vec::new(),
        }
    }

    /// Gives an account some whole units of an asset.
    #[must_use]
    pub fn with_balance(mut self, venue: &str, asset: &str, units: i128) -> Self {
        let (venue, asset) = (self.index.find_venue(venue).unwrap(), self.index.find_asset(asset).unwrap());
        let decimals = self.index.asset(asset).decimals;
        self.balances.push((venue, asset, units * 10_i128.pow(decimals.into())));
        self
    }

    /// Money in all the accounts of [`specifications`].
    #[must_use]
    pub fn with_money(self) -> Self {
        self.with_balance("alpha", "USDT", 10_000)
            .with_balance("alpha", "AAA", 50)
            .with_balance("alpha", "BBB", 300)
            .with_balance("perps", "USDT", 60)
            .with_balance("mixed", "USD", 150)
            .with_balance("mixed", "CCC", 10)
    }

    /// The streams of the data.
    pub fn streams(&self) -> Vec<tradewind_core::state::Stream> {
        self.recordings.iter().flat_map(|recording| recording.streams.iter().copied()).collect()
    }

    /// The rows of the data, in the order in which a backtest meets them (T3).
    pub fn rows(&self) -> Vec<MarketEvent> {
        let mut recordings = self.recordings.clone();
        recordings.sort_by_key(|recording| recording.streams.first().map(|stream| self.index.instrument(stream.instrument).name.clone()));
        let (mut merge, _) = Merge::both(recordings).unwrap();
        let mut rows = Vec::new();
        while let Some(&row) = merge.event() {
            rows.push(row);
            merge.advance().unwrap();
        }
        rows
    }

    pub fn settings(&self) -> Settings {
        let venue = |name: &str| venue(name, self.request_latency, self.answer_latency, self.fill_model);
        Settings {
            index: Arc::clone(&self.index),
            venues: self.index.venues().map(|(_, named)| venue(&named.name)).collect(),
            balances: self.balances.clone(),
            currency: self.index.assets().find(|(_, asset)| asset.name.starts_with("USD")).unwrap().0,
            interval_ns: MINUTE_NS,
            annualisation: Annualisation::default(),
            seed: self.seed,
            keep: self.keep,
            keeps_journal: self.keeps_journal,
            inputs: Vec::new(),
            available_data: Some(Vec::new()),
            outages: Vec::new(),
            warm_up_ns: 0,
        }
    }

    pub fn backtest(&self, strategies: Vec<Named>) -> Backtest {
        Backtest::new(self.settings(), strategies, Risk::default(), self.recordings.clone()).unwrap()
    }

    /// Runs to the end.
    pub fn run(&self, strategies: Vec<Named>) -> Backtest {
        let mut backtest = self.backtest(strategies);
        backtest.run().unwrap();
        backtest
    }
}

/// Runs row by row and calls a check after each.
pub fn run_with(backtest: &mut Backtest, mut check: impl FnMut(&Backtest)) {
    while backtest.advance(1).unwrap() == Progress::Running {
        check(backtest);
    }
    check(backtest);
}

/// The instrument of a place in [`specifications`].
pub const fn at(place: u32) -> InstrumentIndex {
    InstrumentIndex(place)
}

/// An index of one perpetual without fees, and a world with its quotes: bid, ask, at seconds.
pub fn quoted(quotes: &[(i64, i64, i64)]) -> World {
    quoted_as(perpetual("v", "X", "X", "USD"), quotes)
}

/// The same of another instrument in USD.
pub fn quoted_as(specification: Specification, quotes: &[(i64, i64, i64)]) -> World {
    use tradewind_core::market::{MarketData, MarketEvent, Quote};
    use tradewind_core::time::SECOND_NS;
    let index = Arc::new(Index::new(&[], &[specification]).unwrap());
    let rows: Vec<_> = quotes
        .iter()
        .map(|&(second, bid, ask)| {
            let quote = MarketData::Quote(Quote { bid, bid_quantity: 1_000_000, ask, ask_quantity: 1_000_000 });
            MarketEvent::new(at(0), second * SECOND_NS, second * SECOND_NS, quote)
        })
        .collect();
    let mut world = World::new(index, 1).with_balance("v", "USD", 1_000_000);
    world.recordings.push(Recording::new("quotes", vec![rows.into()]).unwrap());
    world
}
