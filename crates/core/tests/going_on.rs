//! A session with everything that can reach it, run through, saved and restored, recovered, lived again and as a backtest.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::{Clock, DETAILS, random};
use common::strategy::Anything;
use common::{Named, World, at, index};
use std::collections::BTreeMap;
use tradewind_core::chance::Chance;
use tradewind_core::driver::{Backtest, Outage, Session, Settings};
use tradewind_core::event::{Command, Condition, Entry, Event, Filter, Part, StatusEvent, decode_entries};
use tradewind_core::instrument::VenueIndex;
use tradewind_core::order::{Request, StrategyIndex};
use tradewind_core::risk::Risk;
use tradewind_core::time::MILLISECOND_NS;
use tradewind_core::venue::{Halt, Latency};

const MS: i64 = MILLISECOND_NS;

struct Scene {
    world: World,
    lags: Vec<Option<i64>>,
    outages: Vec<Outage>,
    halts: Vec<Halt>,
    inputs: Vec<Event>,
    /// Whether clock times coincide.
    ties: bool,
}

fn scene(seed: u64, ties: bool, with_outages: bool) -> Scene {
    let mut chance = Chance::new(seed, &["scene"]);
    let mut world = World::new(index(), seed).with_money();
    world.keeps_journal = true;
    let latency = |chance: &mut Chance| {
        [
            Latency::Constant(0),
            Latency::Constant(30 * MS),
            Latency::Constant(1),
            Latency::Uniform { low_ns: 0, high_ns: 90 * MS },
            Latency::Exponential { minimum_ns: MS, mean_ns: 30 * MS },
        ][chance.below(5)]
    };
    world.request_latency = latency(&mut chance);
    world.answer_latency = latency(&mut chance);
    for place in 0..6 {
        if chance.happens(0.6) || place == 2 {
            world.recordings.push(random(&world.index, at(place), DETAILS[chance.below(4)], Clock::Delayed, 60, seed));
        }
    }
    let lags = (0..3).map(|_| [None, Some(0), Some(10 * MS), Some(40 * MS), Some(600 * MS)][chance.below(5)]).collect::<Vec<_>>();
    let first = world.rows()[0].arrival_time_ns;
    let last = world.rows().last().unwrap().arrival_time_ns;
    let time = |chance: &mut Chance| {
        let span = ((last - first) / MS).max(1) as usize;
        first + chance.below(span) as i64 * MS + if ties { 0 } else { 7 + chance.below(900_000) as i64 }
    };
    let mut inputs = Vec::new();
    for _ in 0..chance.below(12) {
        let time_ns = time(&mut chance);
        let filter = Filter {
            strategy: Some(StrategyIndex(0)).filter(|_| chance.happens(0.5)),
            instrument: Some(at(2)).filter(|_| chance.happens(0.5)),
        };
        let stream = world.recordings[chance.below(world.recordings.len())].streams[0];
        let status = |change| Event::Status(StatusEvent { time_ns, change });
        inputs.push(match chance.below(10) {
            0 => Event::Command { time_ns, command: Command::TradingOff },
            1 | 2 => Event::Command { time_ns, command: Command::TradingOn },
            3 => Event::Command { time_ns, command: Command::CancelAll(filter) },
            4 => Event::Command { time_ns, command: Command::CloseAll(filter) },
            5 => status(Condition::Stale(stream)),
            6 => status(Condition::Fresh(stream)),
            7 => status(Condition::Gap { stream, from_ns: time_ns - 5, length_ns: 5 }),
            8 => status(Condition::Disconnected(VenueIndex(0), Part::Orders)),
            _ => status(Condition::Connected(VenueIndex(0), Part::Orders)),
        });
    }
    inputs.sort_by_key(Event::arrival_time_ns);
    let mut outages = Vec::new();
    let mut halts = Vec::new();
    if with_outages {
        let (from_ns, length) = (time(&mut chance), chance.below(4_000) as i64 * MS);
        outages.push(Outage { venue: VenueIndex(chance.below(3) as u16), from_ns, until_ns: from_ns + length + 1 });
        let (from_ns, length) = (time(&mut chance), chance.below(4_000) as i64 * MS);
        halts.push(Halt { instrument: at(2), from_ns, until_ns: from_ns + length + 1 });
    }
    Scene { world, lags, outages, halts, inputs, ties }
}

impl Scene {
    fn settings(&self) -> Settings {
        let mut settings = self.world.settings();
        for (venue, lag) in settings.venues.iter_mut().zip(&self.lags) {
            venue.lag_ns = *lag;
            venue.halts = self.halts.iter().filter(|_| venue.venue == "perps").copied().collect();
        }
        settings.outages.clone_from(&self.outages);
        settings
    }

    fn strategies(&self) -> Vec<Named> {
        let streams = self.world.streams();
        vec![Anything::named(self.world.seed, "one", streams.clone(), 0.7), Anything::named(self.world.seed, "two", streams, 0.3)]
    }

    /// Others of the same names.
    fn successors(&self) -> Vec<Named> {
        let streams = self.world.streams();
        let seed = self.world.seed + 1_000;
        vec![Anything::named(seed, "one", streams.clone(), 0.5), Anything::named(seed, "two", streams, 0.6)]
    }

    fn session(&self, settings: Settings) -> Session {
        self.session_of(settings, self.strategies())
    }

    fn session_of(&self, settings: Settings, strategies: Vec<Named>) -> Session {
        let mut session = Session::new(settings, strategies, Risk::default(), self.world.streams()).unwrap();
        session.set_streams(&self.world.streams());
        session
    }

    /// Rows and inputs in the order in which they come.
    fn events(&self) -> Vec<Event> {
        let mut chance = Chance::new(self.world.seed, &["order"]);
        let mut events: Vec<Event> = self.world.rows().into_iter().map(Event::Market).collect();
        for input in &self.inputs {
            let time_ns = input.arrival_time_ns();
            let from = events.partition_point(|event| event.arrival_time_ns() < time_ns);
            let to = events.partition_point(|event| event.arrival_time_ns() <= time_ns);
            let place = if self.ties { from + chance.below(to - from + 1) } else { to };
            events.insert(place, input.clone());
        }
        events
    }
}

fn feed(session: &mut Session, event: &Event) {
    match event {
        Event::Market(row) => session.row(row).unwrap(),
        event => session.input(event).unwrap(),
    }
}

fn block(session: &mut Session) -> Vec<u8> {
    session.engine_mut().take_journal().map(|(_, _, block)| block).unwrap_or_default()
}

#[derive(PartialEq)]
struct Ending {
    journal: Vec<u8>,
    fills: Vec<tradewind_core::engine::Booked>,
    orders: Vec<tradewind_core::order::Order>,
    hashes: ([u8; 32], [u8; 32]),
    venues: String,
    curve: String,
}

impl Ending {
    fn compare(&self, other: &Self, curves: bool) -> Option<String> {
        if self.journal != other.journal {
            let (ours, theirs) = (decode_entries(&self.journal).unwrap(), decode_entries(&other.journal).unwrap());
            let place = ours.iter().zip(&theirs).position(|(one, other)| one != other);
            let place = place.unwrap_or(ours.len().min(theirs.len()));
            return Some(format!(
                "journal at {place} of {}/{}:\n  {:?}\n  {:?}\n  {:?}",
                ours.len(),
                theirs.len(),
                place.checked_sub(1).map(|at| &ours[at]),
                ours.get(place),
                theirs.get(place)
            ));
        }
        if self.fills != other.fills {
            return Some("fills".into());
        }
        if self.orders != other.orders {
            return Some("orders".into());
        }
        if self.hashes != other.hashes {
            return Some("hashes".into());
        }
        if self.venues != other.venues {
            return Some("venues".into());
        }
        if curves && self.curve != other.curve {
            return Some(format!("curve\n  {}\n  {}", self.curve, other.curve));
        }
        None
    }
}

fn ending(session: &mut Session, mut journal: Vec<u8>) -> Ending {
    journal.extend(block(session));
    let engine = session.engine();
    Ending {
        journal,
        fills: session.recorder().fills().to_vec(),
        orders: session.recorder().orders().to_vec(),
        hashes: (engine.decisions_hash(), engine.state().hash()),
        venues: format!("{:?}", session.venues().map(|venue| venue.account().clone()).collect::<Vec<_>>()),
        curve: format!("{:?}", session.recorder().curve()),
    }
}

fn whole(scene: &Scene) -> (Vec<Vec<u8>>, Ending) {
    let mut session = scene.session(scene.settings());
    let events = scene.events();
    session.start(events[0].arrival_time_ns(), false).unwrap();
    let mut blocks = vec![block(&mut session)];
    for event in &events {
        feed(&mut session, event);
        blocks.push(block(&mut session));
    }
    session.finish().unwrap();
    assert_eq!(session.engine().state().broken_rule(), None);
    let end = ending(&mut session, blocks.concat());
    (blocks, end)
}

fn report(what: &str, found: &[(u64, String)], of: u64) {
    println!("{what}: {} of {of} differ", found.len());
    for (seed, difference) in found.iter().take(3) {
        println!("  seed {seed}: {difference}");
    }
    assert!(found.is_empty());
}

/// How many scenes are tried; more with `TRADEWIND_SEEDS` (`make soak`).
fn seeds() -> u64 {
    std::env::var("TRADEWIND_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60)
}

fn try_all(what: &str, one: impl Fn(u64) -> Option<String> + std::panic::RefUnwindSafe) {
    let mut found = Vec::new();
    let seeds = seeds();
    for seed in 0..seeds {
        match std::panic::catch_unwind(|| one(seed)) {
            Ok(None) => {}
            Ok(Some(difference)) => found.push((seed, difference)),
            Err(_) => found.push((seed, "panicked".into())),
        }
    }
    report(what, &found, seeds);
}

fn restored(scene: &Scene, seed: u64) -> Option<String> {
    let (blocks, end) = whole(scene);
    let events = scene.events();
    let cut = Chance::new(seed, &["cut"]).below(events.len() + 1);
    let mut first = scene.session(scene.settings());
    first.start(events[0].arrival_time_ns(), false).unwrap();
    events[..cut].iter().for_each(|event| feed(&mut first, event));
    let mut second = scene.session(scene.settings());
    second.restore(&first.save().unwrap()).unwrap();
    events[cut..].iter().for_each(|event| feed(&mut second, event));
    second.finish().unwrap();
    end.compare(&ending(&mut second, blocks[..=cut].concat()), true)
}

fn recovered(scene: &Scene, seed: u64) -> Option<String> {
    let (blocks, end) = whole(scene);
    let events = scene.events();
    let mut chance = Chance::new(seed, &["cut"]);
    let cut = chance.below(events.len() + 1);
    let snapshot = chance.below(cut + 1);
    let mut second = scene.session(scene.settings());
    let from = if chance.happens(0.5) {
        let mut first = scene.session(scene.settings());
        first.start(events[0].arrival_time_ns(), false).unwrap();
        events[..snapshot].iter().for_each(|event| feed(&mut first, event));
        second.restore(&first.save().unwrap()).unwrap();
        snapshot + 1
    } else {
        0
    };
    match second.recover(&blocks[from..=cut].concat()) {
        Err(error) => return Some(format!("error {}", error.message)),
        Ok(Some(divergence)) => return Some(format!("{divergence:?}")),
        Ok(None) => {}
    }
    assert_eq!(second.recovered(), None);
    events[cut..].iter().for_each(|event| feed(&mut second, event));
    second.finish().unwrap();
    end.compare(&ending(&mut second, blocks[..=cut].concat()), false)
}

fn lived_again(scene: &Scene, _: u64) -> Option<String> {
    let (_, end) = whole(scene);
    let mut settings = scene.settings();
    settings.balances.clear();
    let mut again = scene.session(settings);
    again.live_again(&end.journal).unwrap();
    end.compare(&ending(&mut again, Vec::new()), true)
}

fn backtest(scene: &Scene, _: u64) -> Option<String> {
    let (_, end) = whole(scene);
    let mut settings = scene.settings();
    // A venue of a session knows rows when they have arrived, whatever is said.
    settings.venues.iter_mut().for_each(|venue| venue.lag_ns = venue.lag_ns.or(Some(0)));
    settings.inputs.clone_from(&scene.inputs);
    let mut backtest = Backtest::new(settings, scene.strategies(), Risk::default(), scene.world.recordings.clone()).unwrap();
    backtest.run().unwrap();
    let journal = backtest.engine_mut().take_journal().unwrap().2;
    let engine = backtest.engine();
    let mine = Ending {
        journal,
        fills: backtest.recorder().fills().to_vec(),
        orders: backtest.recorder().orders().to_vec(),
        hashes: (engine.decisions_hash(), engine.state().hash()),
        venues: format!("{:?}", backtest.venues().map(|venue| venue.account().clone()).collect::<Vec<_>>()),
        curve: format!("{:?}", backtest.recorder().curve()),
    };
    end.compare(&mine, true)
}

/// What recorded decisions and reports say: what is held, what works, and what venues know; not what strategies think.
fn known(session: &Session) -> [String; 6] {
    let state = session.engine().state();
    let accounts = state.index().accounts().map(|(account, _)| state.account(account).clone()).collect::<Vec<_>>();
    let positions = state.strategies().iter().map(|strategy| strategy.positions.clone()).collect::<Vec<_>>();
    let orders = state.orders().all_open().cloned().collect::<Vec<_>>();
    let venues = session.venues().map(|venue| venue.account().clone()).collect::<Vec<_>>();
    [
        format!("accounts {accounts:?}"),
        format!("positions {positions:?}"),
        format!("orders {orders:?}"),
        format!("venues {venues:?}"),
        format!("fills {:?}", session.recorder().fills()),
        format!("decisions {:?}", session.engine().decisions_hash()),
    ]
}

/// The largest count and number of an order that left, by strategy; the smallest where that is asked for.
fn counts(entries: &[Entry], is_smallest: bool) -> BTreeMap<StrategyIndex, (u64, u64)> {
    let mut found = BTreeMap::new();
    for entry in entries {
        if let Entry::Decision(Request::Place { id, strategy, count, .. }) = entry {
            let held = found.entry(*strategy).or_insert((*count, id.0));
            if !is_smallest {
                *held = (*count, id.0);
            }
        }
    }
    found
}

/// Other strategies go on at a random cut, from what was recorded of those before them (D5).
fn handed_over(scene: &Scene, seed: u64) -> Option<String> {
    let (blocks, _) = whole(scene);
    let events = scene.events();
    let mut chance = Chance::new(seed, &["cut"]);
    let cut = chance.below(events.len() + 1);
    let snapshot = chance.below(cut + 1);
    let mut original = scene.session(scene.settings());
    let mut rebuilt = scene.session_of(scene.settings(), scene.successors());
    rebuilt.follow_recorded();
    original.start(events[0].arrival_time_ns(), false).unwrap();
    events[..snapshot].iter().for_each(|event| feed(&mut original, event));
    let mut from = 0;
    if chance.happens(0.5) {
        rebuilt.restore(&original.save().unwrap()).unwrap();
        from = snapshot + 1;
    }
    events[snapshot..cut].iter().for_each(|event| feed(&mut original, event));
    let recorded = decode_entries(&blocks[..=cut].concat()).unwrap();
    if let Err(error) = rebuilt.rebuild(&blocks[from..=cut].concat()) {
        return Some(format!("error {}", error.message));
    }
    for (then, now) in known(&original).iter().zip(&known(&rebuilt)) {
        if then != now {
            return Some(format!("\n  {then}\n  {now}"));
        }
    }
    let saved = rebuilt.hand_over(Vec::new()).unwrap();
    let successor = || {
        let mut session = scene.session_of(scene.settings(), scene.successors());
        session.restore(&saved).unwrap();
        session
    };
    let mut going_on = successor();
    assert!(going_on.awaits_start() && going_on.take_requests().is_empty());
    assert_eq!(known(&going_on), known(&rebuilt));
    // Some time has gone by: what is on its way arrives meanwhile.
    let now_ns = events.get(cut).map_or(going_on.now_ns() + 500 * MS, Event::arrival_time_ns).max(going_on.now_ns());
    going_on.start(now_ns, false).unwrap();
    assert!(!going_on.awaits_start() && !going_on.engine().state().is_trading());
    going_on.input(&Event::Command { time_ns: now_ns, command: Command::TradingOn }).unwrap();
    events[cut..].iter().for_each(|event| feed(&mut going_on, event));
    assert_eq!(going_on.engine().state().broken_rule(), None);
    let (first, last, journal) = going_on.engine_mut().take_journal().unwrap();
    assert_eq!((first, last), (recorded.len() as u64 + 1, going_on.engine().entries()));
    let decided = decode_entries(&journal).unwrap();
    let (before, after) = (counts(&recorded, false), counts(&decided, true));
    for (strategy, (count, id)) in after {
        if before.get(&strategy).is_some_and(|(last_count, last_id)| count <= *last_count || id <= *last_id) {
            return Some(format!("{strategy:?} sends its order {count} again"));
        }
    }
    // Its journal begins with what was handed over, and is recovered from it as any other.
    let mut again = successor();
    match again.recover(&journal) {
        Err(error) => return Some(format!("error {}", error.message)),
        Ok(Some(divergence)) => return Some(format!("{divergence:?}")),
        Ok(None) => {}
    }
    assert_eq!(again.recovered(), None);
    (again.engine().state().hash() != going_on.engine().state().hash()).then(|| "hashes".into())
}

macro_rules! fuzz {
    ($($name:ident: $how:ident, $ties:literal, $outages:literal;)*) => {
        $(#[test]
        fn $name() {
            try_all(stringify!($name), |seed| $how(&scene(seed, $ties, $outages), seed));
        })*
    };
}

fuzz! {
    restored_plain: restored, false, false;
    restored_ties: restored, true, false;
    restored_outages: restored, false, true;
    recovered_plain: recovered, false, false;
    recovered_ties: recovered, true, false;
    handed_over_plain: handed_over, false, false;
    handed_over_ties: handed_over, true, false;
    lived_again_plain: lived_again, false, false;
    lived_again_ties: lived_again, true, false;
    backtest_plain: backtest, false, false;
    backtest_ties: backtest, true, false;
    backtest_outages: backtest, false, true;
}
