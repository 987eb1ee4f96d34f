//! A session that is fed what a backtest reads: the same fills (F6), whether it runs through, goes on
//! from a snapshot or is recovered from its journal (D5).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::{Clock, DETAILS, random};
use common::strategy::Anything;
use common::{World, at, index};
use proptest::prelude::*;
use tradewind_core::chance::Chance;
use tradewind_core::driver::{Session, Settings};
use tradewind_core::market::MarketEvent;
use tradewind_core::risk::Risk;
use tradewind_core::time::MILLISECOND_NS;
use tradewind_core::venue::Latency;

fn world(seed: u64) -> World {
    let mut world = World::new(index(), seed).with_money();
    world.keeps_journal = true;
    world.request_latency = Latency::Exponential { minimum_ns: MILLISECOND_NS, mean_ns: 30 * MILLISECOND_NS };
    world.answer_latency = Latency::Uniform { low_ns: 0, high_ns: 90 * MILLISECOND_NS };
    let mut chance = Chance::new(seed, &["session"]);
    for place in [0, 2, 5] {
        world.recordings.push(random(&world.index, at(place), DETAILS[chance.below(4)], Clock::Delayed, 60, seed));
    }
    world
}

/// Venues that lag by less than some rows are late.
fn settings(world: &World) -> Settings {
    let mut settings = world.settings();
    settings.venues.iter_mut().for_each(|venue| venue.lag_ns = Some(40 * MILLISECOND_NS));
    settings
}

fn strategies(world: &World) -> Vec<common::Named> {
    vec![Anything::named(world.seed, "one", world.streams(), 0.7), Anything::named(world.seed, "two", world.streams(), 0.3)]
}

fn session(world: &World) -> Session {
    let mut session = Session::new(settings(world), strategies(world), Risk::default(), world.streams()).unwrap();
    session.set_streams(&world.streams());
    session
}

/// The journal, the fills and both hashes.
type Ending = (Vec<u8>, Vec<tradewind_core::engine::Booked>, [u8; 32], [u8; 32]);

fn ending(session: &mut Session, mut journal: Vec<u8>) -> Ending {
    session.finish().unwrap();
    journal.extend(block(session));
    let engine = session.engine();
    (journal, session.recorder().fills().to_vec(), engine.decisions_hash(), engine.state().hash())
}

fn block(session: &mut Session) -> Vec<u8> {
    session.engine_mut().take_journal().map(|(_, _, block)| block).unwrap_or_default()
}

/// A session that runs through, as a list of what each row added to the journal, and its end.
fn whole(world: &World, rows: &[MarketEvent]) -> (Vec<Vec<u8>>, Ending) {
    let mut session = session(world);
    session.start(rows[0].arrival_time_ns, false).unwrap();
    let mut blocks = vec![block(&mut session)];
    for row in rows {
        session.row(row).unwrap();
        blocks.push(block(&mut session));
    }
    let end = ending(&mut session, blocks.concat());
    (blocks, end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_backtest_whose_venues_lag_is_the_session(seed in 0_u64..1_000_000) {
        let world = world(seed);
        let (_, end) = whole(&world, &world.rows());
        let mut backtest =
            tradewind_core::driver::Backtest::new(settings(&world), strategies(&world), Risk::default(), world.recordings.clone()).unwrap();
        backtest.run().unwrap();
        let journal = backtest.engine_mut().take_journal().unwrap().2;
        let engine = backtest.engine();
        prop_assert!((journal, backtest.recorder().fills().to_vec(), engine.decisions_hash(), engine.state().hash()) == end);
    }

    #[test]
    fn one_that_goes_on_from_a_snapshot_is_the_same(seed in 0_u64..1_000_000) {
        let world = world(seed);
        let rows = world.rows();
        let (blocks, end) = whole(&world, &rows);
        let cut = Chance::new(seed, &["cut"]).below(rows.len() + 1);
        let mut first = session(&world);
        first.start(rows[0].arrival_time_ns, false).unwrap();
        rows[..cut].iter().for_each(|row| first.row(row).unwrap());
        let saved = first.save().unwrap();
        let mut second = session(&world);
        second.restore(&saved).unwrap();
        prop_assert_eq!(second.save().unwrap(), saved);
        rows[cut..].iter().for_each(|row| second.row(row).unwrap());
        prop_assert!(ending(&mut second, blocks[..=cut].concat()) == end);
    }

    #[test]
    fn one_that_is_recovered_from_its_journal_is_the_same(seed in 0_u64..1_000_000) {
        let world = world(seed);
        let rows = world.rows();
        let (blocks, end) = whole(&world, &rows);
        let mut chance = Chance::new(seed, &["cut"]);
        let cut = chance.below(rows.len() + 1);
        let snapshot = chance.below(cut + 1);
        let mut first = session(&world);
        first.start(rows[0].arrival_time_ns, false).unwrap();
        rows[..snapshot].iter().for_each(|row| first.row(row).unwrap());
        let mut second = session(&world);
        let from = if chance.happens(0.5) {
            second.restore(&first.save().unwrap()).unwrap();
            snapshot + 1
        } else {
            0
        };
        prop_assert_eq!(second.recover(&blocks[from..=cut].concat()).unwrap(), None);
        prop_assert_eq!(second.recovered(), None);
        rows[cut..].iter().for_each(|row| second.row(row).unwrap());
        prop_assert!(ending(&mut second, blocks[..=cut].concat()) == end);
    }
}
