//! What must not change the decisions of a strategy does not (DESIGN section 8, D3).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::{Clock, DETAILS, Detail, random};
use common::strategy::{Anything, Script};
use common::{World, at, index};
use std::sync::Arc;
use tradewind_core::chance::Chance;
use tradewind_core::driver::{Backtest, Keep};
use tradewind_core::error::Result;
use tradewind_core::feed::{Chunk, ChunkSource, Recording};
use tradewind_core::indicator::{IndicatorKind, Seed};
use tradewind_core::instrument::{Index, InstrumentIndex};
use tradewind_core::market::{MarketData, MarketEvent};
use tradewind_core::order::StrategyIndex;
use tradewind_core::state::Stream;
use tradewind_core::strategy::EmaCross;
use tradewind_core::time::SECOND_NS;
use tradewind_core::venue::Latency;

const SEEDS: u64 = 120;

/// A world in which instruments 0 and 2 trade.
fn world(seed: u64, clock: Clock) -> World {
    let mut chance = Chance::new(seed, &["independence"]);
    let mut world = World::new(index(), seed).with_money();
    let latencies = [Latency::Constant(0), Latency::Exponential { minimum_ns: 1_000, mean_ns: SECOND_NS }];
    (world.request_latency, world.answer_latency) = (latencies[chance.below(2)], latencies[chance.below(2)]);
    for place in [0, 2] {
        // Bars always have two clocks.
        let details = if clock == Clock::One { &DETAILS[..3] } else { &DETAILS[..] };
        let detail = details[chance.below(details.len())];
        world.recordings.push(random(&world.index, at(place), detail, clock, 80, seed));
    }
    world.recordings.push(span(4));
    world
}

/// Two rows that decide when a run begins and ends, whatever else there is: its span decides when
/// strategies start, and until when timers fire.
fn span(place: u32) -> Recording {
    let row = |second| {
        let time_ns = common::data::START_NS + second * SECOND_NS;
        MarketEvent::new(at(place), time_ns, time_ns, MarketData::Mark(1_000))
    };
    Recording::new("span", vec![vec![row(0), row(1_800)].into()]).unwrap()
}

fn anything(world: &World, streams: &[Stream]) -> Vec<common::Named> {
    vec![Anything::named(world.seed, "main", streams.to_vec(), 0.8)]
}

fn decisions(backtest: &Backtest) -> [u8; 32] {
    backtest.engine().decisions_hash()
}

fn state(backtest: &Backtest) -> [u8; 32] {
    backtest.engine().state().hash()
}

fn for_each_seed(mut test: impl FnMut(&World, &Backtest)) {
    let mut fills = 0;
    for seed in 0..SEEDS {
        let world = world(seed, [Clock::One, Clock::Delayed][seed as usize % 2]);
        let run = world.run(anything(&world, &world.streams()));
        fills += run.recorder().fills_booked();
        test(&world, &run);
    }
    assert!(fills > SEEDS, "the runs do nothing");
}

#[test]
fn the_same_run_twice() {
    for_each_seed(|world, run| {
        let again = world.run(anything(world, &world.streams()));
        assert_eq!((decisions(&again), state(&again)), (decisions(run), state(run)));
        let another = world.run(vec![Anything::named(world.seed + 1_000, "main", world.streams(), 0.8)]);
        assert!(decisions(&another) != decisions(run) || run.recorder().orders_sent() == 0, "the hash sees nothing");
    });
}

#[test]
fn journal_postings_and_steps_change_nothing() {
    for_each_seed(|world, run| {
        let mut kept = world.clone();
        (kept.keeps_journal, kept.keep) = (true, Keep::Metrics);
        let mut again = kept.backtest(anything(world, &world.streams()));
        common::run_with(&mut again, |_| {});
        assert_eq!((decisions(&again), state(&again)), (decisions(run), state(run)));
    });
}

#[test]
fn an_unrelated_instrument_changes_no_decision() {
    for_each_seed(|world, run| {
        for (other, clock) in [(3, Clock::One), (1, Clock::Delayed), (5, Clock::Delayed)] {
            let mut wider = world.clone();
            wider.recordings.push(random(&world.index, at(other), Detail::Quotes, clock, 60, world.seed));
            assert_eq!(decisions(&wider.run(anything(world, &world.streams()))), decisions(run), "seed {} with {other}", world.seed);
        }
    });
}

#[test]
fn an_instrument_that_is_defined_first_changes_no_decision() {
    for_each_seed(|world, run| {
        let specifications: Vec<_> =
            std::iter::once(common::perpetual("aaa", "ZZZ", "ZZZ", "USDT")).chain(common::specifications()).collect();
        let mut shifted = World::new(Arc::new(Index::new(&[], &specifications).unwrap()), world.seed).with_money();
        (shifted.request_latency, shifted.answer_latency) = (world.request_latency, world.answer_latency);
        let mut chance = Chance::new(world.seed, &["independence"]);
        let _ = (chance.below(2), chance.below(2));
        let clock = [Clock::One, Clock::Delayed][world.seed as usize % 2];
        for place in [0, 2] {
            let details = if clock == Clock::One { &DETAILS[..3] } else { &DETAILS[..] };
            let detail = details[chance.below(details.len())];
            shifted.recordings.push(random(&shifted.index, at(place + 1), detail, clock, 80, world.seed));
        }
        shifted.recordings.push(span(5));
        assert_eq!(decisions(&shifted.run(anything(&shifted, &shifted.streams()))), decisions(run));
    });
}

#[test]
fn a_strategy_that_never_trades_changes_no_decision_of_another() {
    for_each_seed(|world, run| {
        for name in ["aaa", "zzz"] {
            let market = |_: &mut tradewind_core::state::State, _: &MarketEvent| -> Result<()> { Ok(()) };
            let idle = Script { streams: world.streams(), market: Some(Box::new(market)), ..Script::default() };
            let mut strategies = anything(world, &world.streams());
            strategies.push(idle.named(name));
            let both = world.run(strategies);
            let main = StrategyIndex(u16::from(name == "aaa"));
            assert_eq!(both.engine().strategy_decisions_hash(main), run.engine().strategy_decisions_hash(StrategyIndex(0)));
        }
    });
}

struct Chunks(std::vec::IntoIter<Chunk>);

impl ChunkSource for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        Ok(self.0.next())
    }
}

/// The rows of a recording, by asking a strategy that sees them all.
fn rows_of(world: &World, recording: &Recording) -> Vec<MarketEvent> {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let rows = Arc::clone(&seen);
    let market = move |_: &mut tradewind_core::state::State, event: &MarketEvent| -> Result<()> {
        rows.lock().unwrap().push(*event);
        Ok(())
    };
    let script = Script { streams: recording.streams.clone(), market: Some(Box::new(market)), ..Script::default() };
    let mut one = world.clone();
    one.recordings = vec![recording.clone()];
    one.run(vec![script.named("rows")]);
    std::mem::take(&mut seen.lock().unwrap())
}

#[test]
fn whole_and_fed_data_are_the_same() {
    for_each_seed(|world, run| {
        for size in [1, 7, 1_000] {
            let mut fed = world.clone();
            for recording in &mut fed.recordings {
                let rows = rows_of(world, recording);
                let longest = rows.iter().map(|row| row.arrival_time_ns - row.venue_time_ns).max().unwrap();
                let chunks: Vec<Chunk> = rows.chunks(size).map(Chunk::from).collect();
                *recording = Recording::fed("data", recording.streams.clone(), longest, Box::new(Chunks(chunks.into_iter())));
            }
            let again = fed.run(anything(world, &world.streams()));
            assert_eq!((decisions(&again), state(&again)), (decisions(run), state(run)), "seed {} by {size}", world.seed);
        }
    });
}

#[test]
fn the_two_sided_timeline_is_the_one_clock_where_nothing_is_delayed() {
    for seed in 0..SEEDS {
        let world = world(seed, Clock::One);
        let one = world.run(anything(&world, &world.streams()));
        // One late row of another instrument forces two clocks for all.
        let mut two = world.clone();
        let time_ns = common::data::START_NS + 5;
        let late = MarketEvent::new(at(3), time_ns, time_ns + SECOND_NS, MarketData::Mark(1));
        two.recordings.push(Recording::new("late", vec![vec![late].into()]).unwrap());
        assert_eq!(decisions(&two.run(anything(&world, &world.streams()))), decisions(&one), "seed {seed}");
    }
}

#[test]
fn a_constant_latency_of_zero_is_a_distribution_that_is_always_zero() {
    for_each_seed(|world, _| {
        let with = |latency| {
            let mut world = world.clone();
            (world.request_latency, world.answer_latency) = (latency, latency);
            decisions(&world.run(anything(&world, &world.streams())))
        };
        let zero = with(Latency::Constant(0));
        assert_eq!(with(Latency::Uniform { low_ns: 0, high_ns: 0 }), zero);
        assert_eq!(with(Latency::Exponential { minimum_ns: 0, mean_ns: 0 }), zero);
    });
}

#[test]
fn the_native_cross_repeats_itself_and_trades() {
    let index = index();
    let mut world = World::new(Arc::clone(&index), 1).with_money();
    world.recordings.push(random(&index, at(2), Detail::Trades, Clock::One, 5_000, 1));
    let cross = |instrument: InstrumentIndex| {
        let ema = |length| IndicatorKind::Ema { period: length, seed: Seed::default() };
        vec![(
            "cross".to_owned(),
            Box::new(EmaCross::new(instrument, ema(5), ema(20), 1, true)) as Box<dyn tradewind_core::strategy::Strategy>,
        )]
    };
    let (one, two) = (world.run(cross(at(2))), world.run(cross(at(2))));
    assert!(one.recorder().fills_booked() > 100, "{}", one.recorder().fills_booked());
    assert_eq!((decisions(&one), state(&one)), (decisions(&two), state(&two)));
    assert_eq!(one.engine().state().impossible_reports(), 0);
    let held = one.recorder().fills().iter().map(|booked| booked.fill.signed_quantity()).sum::<i64>();
    assert_eq!(held.abs(), 1);
}
