//! What a synthetic market must be: agreeing with itself, repeatable, and like a market.

use super::*;
use crate::instrument::{Fees, InstrumentIndex, Kind, Margin, Specification};
use crate::market::{Book, MarketData, MarketEvent, MarketKind, Quote, Side};
use crate::order::{OrderType, TimeInForce};
use crate::time::{DAY_NS, HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS, TimeNs};
use crate::venue::matching::{MatchEvent, MatchingBook, OrderKey, Participant, Submission};
use proptest::prelude::*;

const ALL: [MarketKind; 5] = [MarketKind::Funding, MarketKind::Mark, MarketKind::Book, MarketKind::Quote, MarketKind::Trade];

fn perpetual(symbol: &str, tick: i64, lot: i64) -> Specification {
    Specification {
        venue: "synthetic".into(),
        symbol: symbol.into(),
        kind: Kind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        settlement: "USDT".into(),
        price_decimals: 2,
        quantity_decimals: 3,
        tick,
        lot,
        minimum_quantity: lot,
        minimum_notional: 500_000,
        multiplier: 1,
        multiplier_decimals: 0,
        fees: Fees { maker: 0, taker: 0, liquidation: 0, asset: crate::instrument::FeeAsset::Received },
        margin: Some(Margin { initial: 100_000_000, maintenance: 50_000_000 }),
    }
}

fn settings(seed: u64, length: Length) -> SyntheticSettings {
    SyntheticSettings {
        seed,
        start_ns: 20_000 * DAY_NS,
        length,
        initial_price: 6_000_000,
        volatility: 0.6,
        activity: 50.0,
        latency_ns: 2 * MILLISECOND_NS,
        emit: ALL.to_vec(),
    }
}

fn market(specification: &Specification, settings: &SyntheticSettings) -> SyntheticMarket {
    SyntheticMarket::new(InstrumentIndex(3), specification, settings).unwrap()
}

fn rows(settings: &SyntheticSettings) -> Vec<MarketEvent> {
    market(&perpetual("BTCUSDT", 10, 1), settings).collect()
}

/// A run must be the same on every machine, in debug and release: this value may
/// change only when the market itself is changed on purpose.
#[test]
fn the_rows_are_the_same_everywhere() {
    let mut hash = blake3::Hasher::new();
    for row in rows(&settings(1, Length::Events(100_000))) {
        hash.update(&postcard::to_stdvec(&row).unwrap());
    }
    assert_eq!(&hash.finalize().to_hex()[..16], "b94b998bb5c51b8a");
}

#[test]
fn rows_depend_on_seed_and_name_alone() {
    let of = |symbol: &str, index, seed| {
        let settings = settings(seed, Length::Events(2_000));
        let market = SyntheticMarket::new(InstrumentIndex(index), &perpetual(symbol, 10, 1), &settings).unwrap();
        market.map(|row| (row.venue_time_ns, row.arrival_time_ns, row.data())).collect::<Vec<_>>()
    };
    let first = of("BTCUSDT", 0, 1);
    assert!(first == of("BTCUSDT", 9, 1), "its place in the index shifts nothing");
    assert!(first != of("ETHUSDT", 0, 1));
    assert!(first != of("BTCUSDT", 0, 2));
}

#[test]
fn what_is_not_asked_for_happens_all_the_same() {
    let length = Length::Duration(10 * MINUTE_NS);
    let all = rows(&settings(5, length));
    for kind in ALL {
        let alone = rows(&SyntheticSettings { emit: vec![kind], ..settings(5, length) });
        let wanted: Vec<_> = all.iter().filter(|row| row.kind == kind).copied().collect();
        assert!(alone == wanted, "{kind:?}");
    }
}

#[test]
fn a_length_is_kept() {
    assert_eq!(rows(&settings(1, Length::Events(0))).len(), 0);
    assert_eq!(rows(&settings(1, Length::Events(12_345))).len(), 12_345);
    assert_eq!(rows(&settings(1, Length::Duration(0))).len(), 0);
    let settings = settings(1, Length::Duration(MINUTE_NS));
    let rows = rows(&settings);
    assert_eq!(rows[0].venue_time_ns, settings.start_ns);
    let last = rows[rows.len() - 1].venue_time_ns - settings.start_ns;
    assert!((MINUTE_NS - SECOND_NS..MINUTE_NS).contains(&last));
}

#[test]
fn impossible_settings_are_refused_all_at_once() {
    let bad = SyntheticSettings {
        start_ns: -1,
        length: Length::Duration(-1),
        initial_price: 55,
        volatility: f64::NAN,
        activity: 0.0,
        latency_ns: 0,
        emit: vec![MarketKind::Bar],
        ..settings(1, Length::Events(1))
    };
    assert_eq!(bad.problems(&perpetual("BTCUSDT", 10, 1)).len(), 8);
    let spot = Specification { kind: Kind::Spot, margin: None, ..perpetual("BTCUSDT", 10, 1) };
    let error = SyntheticMarket::new(InstrumentIndex(0), &spot, &settings(1, Length::Events(1))).unwrap_err();
    assert_eq!(error.code, crate::error::Code::BadSetting);
    assert!(error.message.contains("only a perpetual"));
    let huge = Specification { minimum_quantity: 1 << 50, ..perpetual("BTCUSDT", 10, 1) };
    assert!(Participants::new(&huge, &settings(1, Length::Events(1))).is_err());
    let beyond = settings(1, Length::Duration(TimeNs::MAX));
    assert_eq!(beyond.problems(&perpetual("BTCUSDT", 10, 1)).len(), 1);
}

/// Follows a market row by row and checks what must hold at every one.
fn check_rows(specification: &Specification, settings: &SyntheticSettings) -> Result<(), TestCaseError> {
    let mut market = market(specification, settings);
    let mut book = Book::default();
    let (mut previous, mut quote, mut trades): (Option<MarketEvent>, Option<Quote>, _) = (None, None, 0);
    while let Some(row) = market.next() {
        prop_assert!(row.arrival_time_ns >= row.venue_time_ns + settings.latency_ns / 2);
        if let Some(before) = previous {
            prop_assert!(before.venue_time_ns <= row.venue_time_ns && before.arrival_time_ns <= row.arrival_time_ns);
            if before.venue_time_ns < row.venue_time_ns {
                prop_assert_eq!(quote, book.quote());
            }
        }
        let on_grid = |price: i64, quantity: i64| price > 0 && price % specification.tick == 0 && quantity % specification.lot == 0;
        match row.data() {
            MarketData::Book(delta) => {
                prop_assert!(on_grid(delta.price, delta.quantity) && delta.quantity >= 0);
                prop_assert_eq!(delta.first, previous.is_none());
                book.apply(&delta);
                if delta.last {
                    for side in [Side::Buy, Side::Sell] {
                        prop_assert!(book.levels(side).eq(market.book().levels(side)));
                        prop_assert!(book.best(side).is_some());
                    }
                }
            }
            MarketData::Quote(now) => {
                prop_assert!(on_grid(now.bid, now.bid_quantity) && on_grid(now.ask, now.ask_quantity));
                prop_assert!(now.bid < now.ask && now.bid_quantity > 0 && now.ask_quantity > 0);
                prop_assert_eq!(Some(now), book.quote());
                prop_assert_ne!(Some(now), quote);
                quote = Some(now);
            }
            MarketData::Trade(trade) => {
                trades += 1;
                prop_assert!(on_grid(trade.price, trade.quantity) && trade.quantity > 0);
                prop_assert_eq!(trade.id, trades);
                // The first trade of an action is at the touch, those after it beyond.
                let before = quote.unwrap();
                let (side, touch) = match trade.aggressor {
                    Some(Side::Buy) => (Side::Sell, before.ask),
                    _ => (Side::Buy, before.bid),
                };
                let is_first = previous.is_none_or(|before| before.kind != MarketKind::Trade || before.venue_time_ns < row.venue_time_ns);
                prop_assert!(side.accepts(touch, trade.price) && (!is_first || trade.price == touch));
            }
            MarketData::Mark(price) => prop_assert!(on_grid(price, 0)),
            MarketData::Funding(rate) => prop_assert!(rate.abs() <= 20_000_000),
            MarketData::Bar(_) => prop_assert!(false),
        }
        previous = Some(row);
    }
    Ok(())
}

proptest! {
    #[test]
    fn rows_agree_with_each_other(
        seed in any::<u64>(),
        (tick, lot) in prop::sample::select(&[(1, 1), (10, 1), (5, 20), (1_000, 7)][..]),
        ticks in prop_oneof![100_i64..300, 10_000_i64..20_000, 10_000_000_i64..20_000_000],
        volatility in prop::sample::select(&[0.0, 0.2, 0.8, 5.0, 100.0][..]),
        activity in prop::sample::select(&[0.1, 1.0, 30.0, 5_000.0][..]),
        kinds in prop::sample::select(&[2, 0][..]),
    ) {
        let emit = ALL[kinds..].to_vec();
        let settings = SyntheticSettings { initial_price: ticks * tick, volatility, activity, emit, ..settings(seed, Length::Events(5_000)) };
        check_rows(&perpetual("BTCUSDT", tick, lot), &settings)?;
    }

    /// As in the local exchange: whatever others do with the book, the participants carry on.
    #[test]
    fn others_may_use_the_book(
        seed in any::<u64>(),
        orders in prop::collection::vec((any::<bool>(), prop_oneof![1_i64..20_000_000, 1_i64..i64::MAX], 1_i64..1 << 50), 0..300),
    ) {
        let settings = settings(seed, Length::Events(0));
        let mut participants = Participants::new(&perpetual("BTCUSDT", 10, 1), &settings).unwrap();
        let (mut book, mut events) = (MatchingBook::default(), Vec::new());
        participants.open(&mut book, &mut events);
        for (key, (buy, price, quantity)) in orders.into_iter().enumerate() {
            let key = OrderKey(key as u64);
            let side = if buy { Side::Buy } else { Side::Sell };
            let (order_type, time_in_force) = (OrderType::Limit(price), TimeInForce::GoodTillCancelled);
            book.submit(&Submission { key, participant: Participant(1), side, quantity, order_type, time_in_force }, &mut events);
            for _ in 0..10 {
                prop_assert!(participants.wait() > 0);
                participants.act(&mut book, &mut events);
            }
            book.cancel(key, &mut events);
            for event in events.drain(..) {
                if let MatchEvent::Trade(trade) = event {
                    participants.observe(&trade);
                }
            }
        }
        for _ in 0..1_000 {
            participants.act(&mut book, &mut events);
        }
        prop_assert!(book.quote().is_some(), "the makers are back");
    }

    #[test]
    fn pieces_of_any_size_are_the_whole(seed in 0_u64..1_000, sizes in prop::collection::vec(1_usize..700, 1..20)) {
        let settings = settings(seed, Length::Events(3_000));
        let mut market = market(&perpetual("BTCUSDT", 10, 1), &settings);
        let mut pieces = Vec::new();
        for size in sizes.into_iter().cycle() {
            let before = pieces.len();
            let count = market.fill(&mut pieces, size);
            prop_assert_eq!(pieces.len(), before + count);
            if count == 0 {
                break;
            }
        }
        prop_assert!(pieces == rows(&settings));
    }
}

/// The mid at every interval, from quotes.
fn mids(rows: &[MarketEvent], interval_ns: i64) -> Vec<f64> {
    let (mut mids, mut mid, mut next_ns) = (Vec::new(), 0.0, rows[0].venue_time_ns);
    for row in rows {
        while row.venue_time_ns >= next_ns {
            mids.push(mid);
            next_ns += interval_ns;
        }
        if let MarketData::Quote(quote) = row.data() {
            mid = (quote.bid + quote.ask) as f64 / 2.0;
        }
    }
    mids.split_off(1)
}

fn returns(rows: &[MarketEvent], interval_ns: i64) -> Vec<f64> {
    mids(rows, interval_ns).windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// The correlation of a series of mean zero with itself, one later.
fn correlation(series: &[f64]) -> f64 {
    mean(series.windows(2).map(|pair| pair[0] * pair[1])) / mean(series.iter().map(|value| value * value))
}

#[test]
fn it_looks_like_a_market() {
    // Price in ticks, volatility, activity: a fine grid and a coarse one, calm and wild.
    for (ticks, volatility, activity) in [(600_000, 0.6, 50.0), (20_000, 0.3, 20.0), (1_000, 1.5, 30.0)] {
        for seed in 1..=3 {
            let settings =
                SyntheticSettings { initial_price: ticks * 10, volatility, activity, ..settings(seed, Length::Duration(3 * HOUR_NS)) };
            let rows = rows(&settings);
            let case = format!("{ticks} ticks, volatility {volatility}, activity {activity}, seed {seed}");

            let quotes: Vec<_> =
                rows.iter().filter_map(|row| if let MarketData::Quote(quote) = row.data() { Some(quote) } else { None }).collect();
            let narrow = mean(quotes.iter().map(|quote| f64::from(u8::from(quote.ask - quote.bid <= 50))));
            assert!(narrow > 0.8, "{case}: only {narrow} of the spreads are at most five ticks");

            let minutes = returns(&rows, MINUTE_NS);
            let realised = (mean(minutes.iter().map(|value| value * value)) * 365.0 * 24.0 * 60.0).sqrt();
            assert!((0.5..2.0).contains(&(realised / volatility)), "{case}: volatility {realised}");

            let short = returns(&rows, 10 * SECOND_NS);
            let kurtosis = mean(short.iter().map(|value| value.powi(4))) / mean(short.iter().map(|value| value * value)).powi(2);
            assert!(kurtosis > 4.0, "{case}: kurtosis {kurtosis}");
            let sizes: Vec<f64> = short.iter().map(|value| value.abs()).collect();
            let middle = mean(sizes.iter().copied());
            let clustering = correlation(&sizes.iter().map(|size| size - middle).collect::<Vec<_>>());
            assert!(clustering > 0.02, "{case}: sizes of returns correlate by {clustering}");

            let signs: Vec<_> = rows
                .iter()
                .filter_map(
                    |row| if let MarketData::Trade(trade) = row.data() { trade.aggressor.map(|side| side.sign() as f64) } else { None },
                )
                .collect();
            let persistence = correlation(&signs);
            assert!(persistence > 0.1, "{case}: signs of trades correlate by {persistence}");
            let balance = mean(signs.iter().copied());
            assert!(balance.abs() < 0.1, "{case}: buys less sales are {balance}");

            let messages = rows.iter().filter(|row| matches!(row.data(), MarketData::Book(delta) if delta.last)).count();
            let pace = messages as f64 / (3.0 * 3_600.0) / activity;
            assert!((0.6..1.4).contains(&pace), "{case}: activity is {pace} times the asked one");
        }
    }
}

#[test]
fn a_perpetual_has_marks_every_second_and_funding_every_eight_hours() {
    let settings = SyntheticSettings { activity: 2.0, ..settings(7, Length::Duration(2 * DAY_NS)) };
    let rows = rows(&settings);
    let (mut mid, mut next_mark_ns, mut rates) = (0.0, settings.start_ns + SECOND_NS, Vec::new());
    for row in &rows {
        match row.data() {
            MarketData::Quote(quote) => mid = (quote.bid + quote.ask) as f64 / 2.0,
            MarketData::Mark(price) => {
                assert_eq!(row.venue_time_ns, next_mark_ns);
                next_mark_ns += SECOND_NS;
                assert!((price as f64 / mid - 1.0).abs() < 0.02, "mark {price}, mid {mid}");
            }
            MarketData::Funding(rate) => {
                assert_eq!(row.venue_time_ns % (8 * HOUR_NS), 0);
                rates.push(rate);
            }
            _ => {}
        }
    }
    assert_eq!(next_mark_ns, settings.start_ns + 2 * DAY_NS);
    assert_eq!(rates.len(), 5, "the one at the end is not within the length");
    assert!(rates.iter().all(|rate| rate.abs() < 3_000_000), "{rates:?}");
}
