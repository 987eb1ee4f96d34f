//! What a recovered or restored session must share with the one that was never cut off.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::session::*;
use common::strategy::Script;
use common::{Named, World};
use std::sync::{Arc, Mutex};
use tradewind_core::driver::{Outage, Session};
use tradewind_core::error::Result;
use tradewind_core::event::{Command, Event};
use tradewind_core::instrument::{AccountIndex, VenueIndex};
use tradewind_core::market::Side;
use tradewind_core::order::{OrderId, OrderType, Status};
use tradewind_core::risk::Risk;
use tradewind_core::state::State;
use tradewind_core::strategy::{Callbacks, Strategy};
use tradewind_core::time::MILLISECOND_NS;

/// A row that is stamped before what the session has advanced to.
fn late_row(advance_to_ns: i64) -> (Session, Vec<u8>, World) {
    let world = paper();
    let limit = OrderType::Limit(1_001);
    let mut whole = session(&world, 10 * MILLISECOND_NS, buyer(limit, false));
    whole.start(S, false).unwrap();
    whole.rows_of(vec![quote(0, S, S + 1, 999, 1_001, 1_000_000)]).unwrap();
    // The request reaches the venue at 1 s + 60 ms + 1 ns.
    whole.advance(advance_to_ns).unwrap();
    // Stamped before that, taken after it.
    let late_ns = S + 20 * MILLISECOND_NS;
    whole.rows_of(vec![quote(0, late_ns, late_ns, 1_049, 1_051, 1_000_000)]).unwrap();
    whole.rows_of(vec![quote(0, 2 * S, 2 * S, 1_049, 1_051, 1_000_000)]).unwrap();
    let journal = block(&mut whole);
    (whole, journal, world)
}

#[test]
fn a_recovered_session_has_the_same_equity_curve() {
    let world = paper();
    let mut whole = session(&world, 10 * MILLISECOND_NS, buyer(OrderType::Market, false));
    whole.start(S, false).unwrap();
    whole.row(&quote(0, S, S + 1, 999, 1_001, 1_000_000)).unwrap();
    whole.row(&quote(0, 90 * S, 90 * S, 1_099, 1_101, 1_000_000)).unwrap();
    let journal = block(&mut whole);
    let mut again = session(&world, 10 * MILLISECOND_NS, buyer(OrderType::Market, false));
    assert_eq!(again.recover(&journal).unwrap(), None);
    assert_eq!(again.recovered(), None);
    assert_eq!(points(&again), points(&whole));
    assert_eq!(again.recorder().curve().returns().starting_equity(), whole.recorder().curve().returns().starting_equity());
}

#[test]
fn the_whole_journal_of_a_finished_session_can_be_taken() {
    let world = paper();
    let mut whole = session(&world, 10 * MILLISECOND_NS, buyer(OrderType::Market, true));
    whole.start(S, false).unwrap();
    whole.row(&quote(0, S, S + 1, 999, 1_001, 1_000_000)).unwrap();
    // Less is shown than is held: what on_stop closes stays at the venue until the end.
    whole.row(&quote(0, 2 * S, 2 * S, 999, 1_001, 10)).unwrap();
    whole.finish().unwrap();
    assert!(whole.recorder().orders().iter().any(|order| order.status == Status::Cancelled));
    let journal = block(&mut whole);
    let mut again = session(&world, 10 * MILLISECOND_NS, buyer(OrderType::Market, true));
    assert_eq!(again.recover(&journal).map_err(|error| error.message.clone()).unwrap(), None);
    assert_eq!(again.engine().state().hash(), whole.engine().state().hash());
}

#[test]
fn a_row_that_comes_late_is_recovered_as_it_was() {
    let (whole, journal, world) = late_row(S + 80 * MILLISECOND_NS);
    let mut again = session(&world, 10 * MILLISECOND_NS, buyer(OrderType::Limit(1_001), false));
    assert_eq!(again.recover(&journal).map_err(|error| error.message.clone()).unwrap(), None);
    assert_eq!(again.recovered(), None);
    assert_eq!(again.recorder().fills(), whole.recorder().fills());
    assert_eq!(again.engine().state().hash(), whole.engine().state().hash());
}

#[test]
fn a_row_that_comes_late_is_lived_again_as_it_was() {
    let (whole, journal, world) = late_row(S + 200 * MILLISECOND_NS);
    // The deposits are in the journal.
    let without_money = World { balances: Vec::new(), ..world };
    let mut again = session(&without_money, 10 * MILLISECOND_NS, buyer(OrderType::Limit(1_001), false));
    again.live_again(&journal).unwrap();
    assert_eq!(again.recorder().fills(), whole.recorder().fills());
    assert_eq!(block(&mut again), journal);
}

#[test]
fn scheduled_inputs_happen_once() {
    let world = paper();
    let build = || {
        let mut settings = settings(&world, 10 * MILLISECOND_NS);
        settings.inputs.push(Event::Command { time_ns: 3 * S, command: Command::TradingOff });
        settings.outages.push(Outage { venue: VenueIndex(0), from_ns: 4 * S, until_ns: 5 * S });
        let mut session = Session::new(settings, buyer(OrderType::Market, false), Risk::default(), vec![quotes(0)]).unwrap();
        session.set_streams(&[quotes(0)]);
        session
    };
    let mut whole = build();
    whole.start(S, false).unwrap();
    let row = |second: i64| quote(0, second * S, second * S, 999, 1_001, 1_000_000);
    for second in 1..7 {
        whole.row(&row(second)).unwrap();
    }
    let journal = block(&mut whole);
    let mut again = build();
    assert_eq!(again.recover(&journal).map_err(|error| error.message.clone()).unwrap(), None);
    assert_eq!(again.recovered(), None);
    whole.row(&row(7)).unwrap();
    again.row(&row(7)).unwrap();
    assert_eq!(block(&mut again), block(&mut whole));
}

#[test]
fn a_restored_session_has_met_the_same_rows() {
    let world = paper();
    let mut whole = session(&world, 0, buyer(OrderType::Market, false));
    whole.start(S, false).unwrap();
    whole.row(&quote(0, S, S, 999, 1_001, 1)).unwrap();
    let mut again = session(&world, 0, buyer(OrderType::Market, false));
    again.restore(&whole.save().unwrap()).unwrap();
    assert_eq!(again.rows(), whole.rows());
}

#[test]
fn a_gap_that_is_filled_in_a_session_is_recovered() {
    let world = paper();
    let mut whole = session(&world, 10 * MILLISECOND_NS, buyer(OrderType::Market, false));
    whole.start(S, false).unwrap();
    whole.row(&quote(0, S, S + 1, 999, 1_001, 1_000_000)).unwrap();
    whole.warm_up(&quote(0, S + 2, S + 300 * MILLISECOND_NS, 999, 1_001, 1)).unwrap();
    whole.row(&quote(0, 2 * S, 2 * S, 999, 1_001, 1_000_000)).unwrap();
    let journal = block(&mut whole);
    let mut again = session(&world, 10 * MILLISECOND_NS, buyer(OrderType::Market, false));
    assert_eq!(again.recover(&journal).map_err(|error| error.message.clone()).unwrap(), None);
    assert_eq!(again.engine().state().hash(), whole.engine().state().hash());
}

#[test]
fn a_restored_strategy_starts_with_the_money_it_started_with() {
    struct Sizing(Arc<Mutex<Vec<i128>>>);
    impl Strategy for Sizing {
        fn callbacks(&self) -> Callbacks {
            Callbacks::default()
        }
        fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
            let asset = state.index().find_asset("USD")?;
            self.0.lock().unwrap().push(state.balance(AccountIndex(0), asset).total);
            state.subscribe(quotes(0))
        }
    }
    let world = paper();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sizing = || -> Vec<Named> { vec![("one".to_owned(), Box::new(Sizing(Arc::clone(&seen))))] };
    let mut whole = session(&world, 0, sizing());
    whole.start(S, false).unwrap();
    session(&world, 0, sizing()).restore(&whole.save().unwrap()).unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn living_again_deposits_once() {
    let world = paper();
    let mut whole = session(&world, 0, vec![]);
    whole.start(S, false).unwrap();
    let journal = block(&mut whole);
    let mut again = session(&world, 0, vec![]);
    again.live_again(&journal).unwrap();
    let usd = again.engine().state().index().find_asset("USD").unwrap();
    let wallet = |session: &Session| session.engine().state().account(AccountIndex(0)).wallet(usd);
    assert_eq!(wallet(&again), wallet(&whole));
}

#[test]
fn a_check_remembers_behind_a_snapshot() {
    struct AtMost(u32);
    impl tradewind_core::risk::Check for AtMost {
        fn check(&mut self, _: &mut Box<State>, _: OrderId) -> Result<Option<String>> {
            self.0 += 1;
            Ok((self.0 > 1).then(|| "one order a day".to_owned()))
        }

        fn save(&mut self, _: &mut Box<State>) -> Result<Vec<u8>> {
            Ok(self.0.to_le_bytes().to_vec())
        }

        fn restore(&mut self, _: &mut Box<State>, saved: &[u8]) -> Result<()> {
            self.0 = u32::from_le_bytes(saved.try_into().unwrap());
            Ok(())
        }
    }
    let world = paper();
    let risk = || Risk::new(vec![tradewind_core::risk::Limits::default()], vec![Box::new(AtMost(0))]);
    let eager = || -> Vec<Named> {
        let script = Script {
            streams: vec![quotes(0)],
            market: Some(Box::new(|state, event| {
                state.place(state.order_of(event.instrument, Side::Buy, 1_000, OrderType::Market)).map(|_| ())
            })),
            ..Script::default()
        };
        vec![script.named("one")]
    };
    let build = || Session::new(settings(&world, 0), eager(), risk(), vec![quotes(0)]).unwrap();
    let mut whole = build();
    whole.start(S, false).unwrap();
    whole.row(&quote(0, S, S, 999, 1_001, 1)).unwrap();
    let mut again = build();
    again.restore(&whole.save().unwrap()).unwrap();
    for session in [&mut whole, &mut again] {
        session.row(&quote(0, 2 * S, 2 * S, 999, 1_001, 1)).unwrap();
    }
    assert_eq!(again.recorder().orders_sent(), whole.recorder().orders_sent());
}
