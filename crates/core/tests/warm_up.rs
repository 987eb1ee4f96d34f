//! Warm-up is no trading (V4).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::session::*;
use common::{Named, at, quoted};
use std::sync::{Arc, Mutex};
use tradewind_core::driver::Session;
use tradewind_core::error::Result;
use tradewind_core::event::{Command, Event};
use tradewind_core::market::Side;
use tradewind_core::order::OrderType;
use tradewind_core::risk::Risk;
use tradewind_core::state::State;
use tradewind_core::strategy::{Callbacks, Strategy};
use tradewind_core::time::MILLISECOND_NS;

#[test]
fn a_timer_in_the_warm_up_does_not_begin_the_equity_curve() {
    struct Timing(Arc<Mutex<Vec<i64>>>);
    impl Strategy for Timing {
        fn callbacks(&self) -> Callbacks {
            Callbacks { timer: true, ..Callbacks::default() }
        }
        fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
            state.subscribe(quotes(0))?;
            state.timer(state.now_ns() + 2 * S);
            Ok(())
        }
        fn on_timer(&mut self, state: &mut Box<State>, _: u64, _: i64) -> Result<()> {
            self.0.lock().unwrap().push(state.now_ns());
            Ok(())
        }
    }
    let fired = Arc::new(Mutex::new(Vec::new()));
    let world = quoted(&[(1, 999, 1_001), (10, 999, 1_001), (20, 999, 1_001), (30, 999, 1_001)]);
    let mut settings = world.settings();
    settings.warm_up_ns = 15 * S;
    let timing: Named = ("one".to_owned(), Box::new(Timing(Arc::clone(&fired))));
    let mut backtest = tradewind_core::driver::Backtest::new(settings, vec![timing], Risk::default(), world.recordings.clone()).unwrap();
    backtest.run().unwrap();
    // Nobody is called while warm-up goes on (V4).
    assert!(fired.lock().unwrap().iter().all(|time_ns| *time_ns >= 16 * S - 1), "{:?}", fired.lock().unwrap());
    assert_eq!(backtest.recorder().curve().returns().span_ns().unwrap().0, 16 * S - 1);
}

#[test]
fn a_session_that_warms_up_is_its_backtest() {
    let world = quoted(&[(1, 999, 1_001), (2, 1_009, 1_011), (20, 1_099, 1_101), (21, 1_099, 1_101), (22, 1_099, 1_101)]);
    let timed = || -> Vec<Named> {
        struct Timed;
        impl Strategy for Timed {
            fn callbacks(&self) -> Callbacks {
                Callbacks { timer: true, ..Callbacks::default() }
            }
            fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
                state.subscribe(quotes(0))?;
                state.timer(12 * S);
                Ok(())
            }
            fn on_timer(&mut self, state: &mut Box<State>, _: u64, _: i64) -> Result<()> {
                state.place(state.order_of(at(0), Side::Buy, 1_000, OrderType::Market)).map(|_| ())
            }
        }
        vec![("one".to_owned(), Box::new(Timed))]
    };
    let mut settings = settings(&world, 10 * MILLISECOND_NS);
    settings.warm_up_ns = 10 * S;
    let mut backtest = tradewind_core::driver::Backtest::new(settings.clone(), timed(), Risk::default(), world.recordings.clone()).unwrap();
    backtest.run().unwrap();
    let mut session = Session::new(settings, timed(), Risk::default(), vec![quotes(0)]).unwrap();
    session.set_streams(&[quotes(0)]);
    session.start(S, true).unwrap();
    for row in world.recordings[0].whole_rows().unwrap() {
        if row.arrival_time_ns < 11 * S {
            session.warm_up(row).unwrap();
        } else {
            if session.engine().state().is_warming() {
                session.input(&Event::Command { time_ns: 11 * S - 1, command: Command::WarmedUp }).unwrap();
            }
            session.row(row).unwrap();
        }
    }
    session.finish().unwrap();
    assert_eq!(session.recorder().fills(), backtest.recorder().fills());
}
