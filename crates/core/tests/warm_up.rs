//! Warm-up is no trading (V4).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::session::*;
use common::strategy::Script;
use common::{Named, at, quoted};
use std::sync::{Arc, Mutex};
use tradewind_core::driver::Session;
use tradewind_core::error::Result;
use tradewind_core::event::{Command, Condition, Event, StatusEvent};
use tradewind_core::market::{BarInterval, MarketData, MarketEvent, Side, Trade};
use tradewind_core::order::OrderType;
use tradewind_core::risk::Risk;
use tradewind_core::state::{State, Stream, StreamKind};
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

/// Bars of ten seconds, as a strategy is told of them: when they opened, how much was traded, whether they are complete.
type Told = Arc<Mutex<Vec<(i64, i64, bool)>>>;

fn bars_of_ten_seconds(told: &Told) -> Session {
    let told = Arc::clone(told);
    let script = Script {
        streams: vec![Stream { instrument: at(0), kind: StreamKind::Bars(BarInterval::parse("10s").unwrap()) }],
        market: Some(Box::new(move |_, event| {
            if let MarketData::Bar(bar) = event.data() {
                told.lock().unwrap().push((bar.open_time_ns / S, bar.volume, event.is_complete()));
            }
            Ok(())
        })),
        ..Script::default()
    };
    let mut session = live(vec![script.named("one")]);
    session.start(S, false).unwrap();
    session
}

fn trade(id: i64, second: i64) -> MarketEvent {
    let trade = Trade { price: 100_000, quantity: 1, aggressor: None, id };
    MarketEvent::new(at(0), second * S, second * S + MILLISECOND_NS, MarketData::Trade(trade))
}

fn hears(session: &mut Session, second: i64, change: Condition) {
    session.input(&Event::Status(StatusEvent { time_ns: second * S + 2 * MILLISECOND_NS, change })).unwrap();
}

#[test]
fn a_bar_stays_open_while_its_trades_do_not_come() {
    let told = Told::default();
    let mut session = bars_of_ten_seconds(&told);
    session.row(&trade(1, 2)).unwrap();
    hears(&mut session, 3, Condition::Stale(trades(0)));
    session.advance(15 * S).unwrap();
    assert_eq!(told.lock().unwrap().len(), 0);
    // What was missed is history, for a bar that is open, too.
    session.warm_up_of(vec![trade(2, 4), trade(3, 5)]).unwrap();
    assert_eq!(session.engine().state().market(at(0)).trade.unwrap().id, 3);
    hears(&mut session, 15, Condition::Fresh(trades(0)));
    session.advance(16 * S).unwrap();
    assert_eq!(*told.lock().unwrap(), [(0, 3, true)]);
}

#[test]
fn bars_that_close_in_what_was_missed_are_no_news_and_the_next_one_has_its_timer() {
    let told = Told::default();
    let mut session = bars_of_ten_seconds(&told);
    session.row(&trade(1, 2)).unwrap();
    hears(&mut session, 3, Condition::Stale(trades(0)));
    session.advance(14 * S).unwrap();
    session.warm_up_of(vec![trade(2, 4), trade(3, 12)]).unwrap();
    session.rows_of(vec![trade(4, 14)]).unwrap();
    hears(&mut session, 15, Condition::Fresh(trades(0)));
    session.advance(22 * S).unwrap();
    assert_eq!(*told.lock().unwrap(), [(10, 2, true)]);
}

#[test]
fn a_bar_over_a_gap_says_so() {
    let told = Told::default();
    let mut session = bars_of_ten_seconds(&told);
    session.row(&trade(1, 2)).unwrap();
    hears(&mut session, 10, Condition::Gap { stream: trades(0), from_ns: 2 * S, length_ns: 8 * S });
    for (id, second) in [(5, 13), (6, 22), (7, 32)] {
        session.row(&trade(id, second)).unwrap();
    }
    assert_eq!(*told.lock().unwrap(), [(0, 1, false), (10, 1, false), (20, 1, true)]);
}

#[test]
fn trading_that_was_turned_off_in_the_warm_up_stays_off() {
    for words in [&[Command::TradingOff][..], &[Command::TradingOff, Command::TradingOn]] {
        let mut session = live(maker());
        session.start(S, true).unwrap();
        for command in words.iter().chain([&Command::WarmedUp]) {
            session.input(&Event::Command { time_ns: 2 * S, command: *command }).unwrap();
        }
        assert_eq!(session.engine().state().is_trading(), words.len() == 2);
    }
}
