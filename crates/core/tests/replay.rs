//! A journal replays to the same decisions and state, and nothing that was done to it panics.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::{Clock, DETAILS, random};
use common::strategy::Anything;
use common::{World, at, index};
use proptest::prelude::*;
use std::sync::OnceLock;
use tradewind_core::chance::Chance;
use tradewind_core::driver::{Divergence, Progress, Replay};
use tradewind_core::engine::Parts;
use tradewind_core::error::{Code, Result};
use tradewind_core::event::{Command, Entry, Event, Filter, decode_entries, encode_decision, encode_input};
use tradewind_core::order::{OrderId, Request, StrategyIndex, TimerPurpose};
use tradewind_core::risk::Risk;
use tradewind_core::venue::Latency;

fn world(seed: u64) -> World {
    let mut chance = Chance::new(seed, &["replay"]);
    let mut world = World::new(index(), seed).with_money();
    world.keeps_journal = true;
    world.request_latency = Latency::Exponential { minimum_ns: 0, mean_ns: [0, 100_000_000][chance.below(2)] };
    for place in [0, 2, 5] {
        let clock = [Clock::One, Clock::Delayed][chance.below(2)];
        world.recordings.push(random(&world.index, at(place), DETAILS[chance.below(4)], clock, 60, seed));
    }
    world
}

struct Recorded {
    world: World,
    journal: Vec<u8>,
    entries: Vec<Entry>,
    decisions: [u8; 32],
    state: [u8; 32],
}

fn record(seed: u64) -> Recorded {
    let world = world(seed);
    let mut run = world.backtest(strategies(&world, seed));
    let mut journal = Vec::new();
    // Taken in blocks, as a writer would.
    while run.advance(10).unwrap() == Progress::Running {
        journal.extend(block(&mut run));
    }
    journal.extend(block(&mut run));
    let entries = decode_entries(&journal).unwrap();
    Recorded { journal, entries, decisions: run.engine().decisions_hash(), state: run.engine().state().hash(), world }
}

fn encode(entry: &Entry, block: &mut Vec<u8>) {
    match entry {
        Entry::Input(event) => encode_input(event, block).unwrap(),
        Entry::Decision(request) => encode_decision(request, block).unwrap(),
    }
}

/// The entries since the last call.
fn block(run: &mut tradewind_core::driver::Backtest) -> Vec<u8> {
    run.engine_mut().take_journal().map(|(_, _, block)| block).unwrap_or_default()
}

fn strategies(world: &World, seed: u64) -> Vec<common::Named> {
    vec![Anything::named(seed, "one", world.streams(), 0.7), Anything::named(seed, "two", world.streams(), 0.3)]
}

fn replay(world: &World, seed: u64) -> Replay {
    Replay::new(Parts {
        index: world.index.clone(),
        strategies: strategies(world, seed),
        risk: Risk::default(),
        available: world.streams(),
        available_data: Some(Vec::new()),
        seed: world.seed,
        keeps_journal: false,
        keeps_details: false,
    })
    .unwrap()
}

fn encoded(entries: &[Entry]) -> Vec<u8> {
    let mut block = Vec::new();
    for entry in entries {
        encode(entry, &mut block);
    }
    block
}

fn feed(replay: &mut Replay, entries: &[Entry]) -> Result<Option<Divergence>> {
    Ok(replay.feed(&encoded(entries))?.or_else(|| replay.finish()))
}

#[test]
fn a_journal_replays_to_the_same_decisions_and_state() {
    let mut compared = 0;
    for seed in 0..150 {
        let recorded = record(seed);
        let mut replay = replay(&recorded.world, seed);
        assert_eq!(feed(&mut replay, &recorded.entries), Ok(None), "seed {seed}");
        assert_eq!((replay.engine().decisions_hash(), replay.engine().state().hash()), (recorded.decisions, recorded.state), "seed {seed}");
        compared += replay.decisions();
    }
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn cut_and_resumed_anywhere_it_is_the_same_run() {
    let mut chance = Chance::new(1, &["cut"]);
    for seed in 0..40 {
        let recorded = record(seed);
        let mut replay = replay(&recorded.world, seed);
        // The first part to a fresh engine, the rest to the same one; a cut may part a decision from its input.
        let cut = chance.below(recorded.entries.len() + 1);
        let (first, rest) = recorded.entries.split_at(cut);
        assert_eq!(replay.feed(&encoded(first)), Ok(None), "seed {seed}, cut at {cut}");
        assert_eq!(feed(&mut replay, rest), Ok(None), "seed {seed}, cut at {cut}");
        assert_eq!((replay.engine().decisions_hash(), replay.engine().state().hash()), (recorded.decisions, recorded.state), "seed {seed}");

        let mut run = recorded.world.backtest(strategies(&recorded.world, seed));
        let mut journal = Vec::new();
        while run.advance(chance.below(40) as u64).unwrap() == Progress::Running {
            if chance.happens(0.5) {
                journal.extend(block(&mut run));
            }
        }
        journal.extend(block(&mut run));
        let mut whole = recorded.world.backtest(strategies(&recorded.world, seed));
        assert_eq!(whole.advance(u64::MAX).unwrap(), Progress::Done);
        for run in [&run, &whole] {
            assert_eq!((run.engine().decisions_hash(), run.engine().state().hash()), (recorded.decisions, recorded.state), "seed {seed}");
        }
        assert!(journal == recorded.journal && block(&mut whole) == recorded.journal, "seed {seed}");
    }
}

#[test]
fn a_journal_is_the_same_after_decoding_and_encoding() {
    let recorded = record(3);
    assert_eq!(encoded(&recorded.entries), recorded.journal);
}

#[test]
fn a_changed_strategy_and_a_missing_or_added_decision_are_named() {
    for seed in 0..60 {
        let recorded = record(seed);
        let places: Vec<_> = recorded.entries.iter().enumerate().filter(|(_, entry)| matches!(entry, Entry::Decision(_))).collect();
        let Some(&(place, &Entry::Decision(first))) = places.first() else { continue };
        let feed = |entries: &[Entry]| feed(&mut replay(&recorded.world, seed), entries).unwrap();

        let mut missing = recorded.entries.clone();
        missing.remove(place);
        let divergence = feed(&missing).unwrap();
        assert_eq!(divergence.actual, Some(first));
        assert_ne!(divergence.expected, Some(first));

        let mut added = recorded.entries.clone();
        added.insert(place, Entry::Decision(first));
        let second = places.get(1).map(|(_, entry)| (*entry).clone());
        let divergence = feed(&added).unwrap();
        assert_eq!(divergence.expected, Some(first));
        assert_ne!(divergence.actual.map(Entry::Decision), Some(Entry::Decision(first)), "{second:?}");

        let mut changed = recorded.entries.clone();
        if let Entry::Decision(Request::Place { order, .. }) = &mut changed[place] {
            order.quantity += 10;
            assert_eq!(feed(&changed).unwrap().actual, Some(first));
        }
        let mut other = replay(&recorded.world, seed + 1_000);
        assert!(self::feed(&mut other, &recorded.entries).unwrap().is_some());
        // Cut before the last decision: the replay takes it and finds nothing.
        let last = places.last().unwrap().0;
        assert!(feed(&recorded.entries[..last]).is_some());
    }
}

#[test]
fn the_last_input_is_that_before_the_divergence() {
    for seed in 0..20 {
        let recorded = record(seed);
        let Some(place) = recorded.entries.iter().position(|entry| matches!(entry, Entry::Decision(_))) else { continue };
        let mut entries = recorded.entries.clone();
        entries.remove(place);
        let last = entries[..place].iter().rev().find_map(|entry| if let Entry::Input(event) = entry { Some(event) } else { None });
        // In one block, and with the input at the end of the block before.
        for cut in [0, place] {
            let mut replay = replay(&recorded.world, seed);
            assert_eq!(replay.feed(&encoded(&entries[..cut])), Ok(None));
            assert!(feed(&mut replay, &entries[cut..]).unwrap().is_some());
            assert_eq!(replay.last(), last, "seed {seed}, cut at {cut}");
        }
    }
}

#[test]
fn an_input_that_names_something_unknown_is_an_error() {
    let recorded = record(0);
    let instrument = tradewind_core::instrument::InstrumentIndex(99);
    let event = tradewind_core::event::Event::Market(tradewind_core::market::MarketEvent::new(
        instrument,
        1,
        1,
        tradewind_core::market::MarketData::Mark(1),
    ));
    let mut replay = replay(&recorded.world, 0);
    assert_eq!(feed(&mut replay, &[Entry::Input(event)]).unwrap_err().code, Code::BadJournal);
}

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| record(1))
}

/// Reads and replays bytes, which must not panic whatever they are. Tells whether they decode to the journal's entries.
///
/// Not every altered input can be told by a replay: the size of a trade long past may decide
/// nothing. That takes a checksum of the block, which is the storage's part.
fn replay_bytes(bytes: &[u8]) -> bool {
    let recorded = recorded();
    let _ = replay(&recorded.world, 1).feed(bytes);
    let Ok(entries) = decode_entries(bytes) else { return false };
    entries == recorded.entries
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_flipped_bit_never_panics(place in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = recorded().journal.clone();
        let place = place.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        replay_bytes(&bytes);
    }

    #[test]
    fn replaced_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = recorded().journal.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        replay_bytes(&bytes);
    }

    #[test]
    fn a_truncated_block_is_an_error_or_ends_early(length in any::<prop::sample::Index>()) {
        let recorded = recorded();
        let bytes = &recorded.journal[..length.index(recorded.journal.len())];
        match decode_entries(bytes) {
            Err(error) => prop_assert_eq!(error.code, Code::BadJournal),
            Ok(entries) => {
                prop_assert!(entries.len() < recorded.entries.len());
                let mut replay = replay(&recorded.world, 1);
                let divergence = feed(&mut replay, &entries).unwrap();
                prop_assert!(divergence.is_some() || replay.engine().state().hash() != recorded.state);
            }
        }
    }

    #[test]
    fn bytes_at_random_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        replay_bytes(&bytes);
    }
}

#[test]
fn an_entry_that_names_what_is_not_defined_is_refused() {
    let recorded = recorded();
    let (instrument, strategy) = (at(99), StrategyIndex(9));
    let timer = |strategy| Entry::Decision(Request::Timer { purpose: TimerPurpose::Strategy(strategy, 1), due_ns: 0 });
    let cancel = |strategy, instrument| Entry::Decision(Request::Cancel { id: OrderId(1), strategy, count: 1, instrument });
    let close = |filter| Entry::Input(Event::Command { time_ns: 0, command: Command::CloseAll(filter) });
    for (entry, what) in [
        (timer(strategy), "an unknown strategy"),
        (cancel(strategy, at(0)), "an unknown strategy"),
        (cancel(StrategyIndex(0), instrument), "an unknown instrument"),
        (close(Filter { strategy: Some(strategy), instrument: None }), "an unknown strategy"),
        (close(Filter { strategy: None, instrument: Some(instrument) }), "an unknown instrument"),
    ] {
        let error = replay(&recorded.world, 1).feed(&encoded(&[entry])).unwrap_err();
        assert_eq!(error.code, Code::BadJournal);
        assert!(error.message.contains(what), "{}", error.message);
    }
}
