//! Outages and halts, at their edges.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::session::*;
use common::strategy::Script;
use common::{Named, World, at, perpetual, quoted};
use std::sync::{Arc, Mutex};
use tradewind_core::driver::{Outage, Session};
use tradewind_core::error::Result;
use tradewind_core::event::{Condition, Event, Part, StatusEvent};
use tradewind_core::feed::Recording;
use tradewind_core::instrument::{Index, VenueIndex};
use tradewind_core::market::{Bar, BarInterval, MarketData, MarketEvent, Side};
use tradewind_core::order::{OrderId, OrderType, Status};
use tradewind_core::risk::Risk;
use tradewind_core::state::{State, Stream, StreamKind};
use tradewind_core::strategy::{Callbacks, Strategy};
use tradewind_core::time::{MILLISECOND_NS, MINUTE_NS};
use tradewind_core::venue::Halt;

#[test]
fn an_order_at_the_start_of_an_outage_comes_to_an_end() {
    let world = quoted(&[(1, 999, 1_001), (2, 999, 1_001), (3, 999, 1_001), (4, 999, 1_001)]);
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statuses);
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(|state, event| {
            if event.arrival_time_ns == 2 * S {
                state.place(state.order_of(event.instrument, Side::Buy, 1_000, OrderType::Market))?;
            }
            Ok(())
        })),
        order: Some(Box::new(move |_, order| {
            seen.lock().unwrap().push(order.status);
            Ok(())
        })),
        ..Script::default()
    };
    let mut settings = world.settings();
    settings.outages.push(Outage { venue: VenueIndex(0), from_ns: 2 * S, until_ns: 2 * S + 500 * MILLISECOND_NS });
    let mut backtest =
        tradewind_core::driver::Backtest::new(settings, vec![script.named("one")], Risk::default(), world.recordings.clone()).unwrap();
    backtest.run().unwrap();
    assert_eq!(backtest.engine().state().orders().all_open().count(), 0, "{:?}", statuses.lock().unwrap());
}

/// Tells when it was called, and orders at the start.
struct Early(Arc<Mutex<Vec<i64>>>);
impl Strategy for Early {
    fn callbacks(&self) -> Callbacks {
        Callbacks::ALL
    }
    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        self.0.lock().unwrap().push(state.now_ns());
        state.subscribe(quotes(0))?;
        state.place(state.order_of(at(0), Side::Buy, 1_000, OrderType::Limit(500))).map(|_| ())
    }
    fn on_status(&mut self, state: &mut Box<State>, _: tradewind_core::strategy::StatusChange) -> Result<()> {
        self.0.lock().unwrap().push(state.now_ns());
        Ok(())
    }
}

#[test]
fn an_outage_under_way_at_the_start_is_known_at_the_start() {
    let world = quoted(&[(10, 999, 1_001), (20, 999, 1_001), (30, 999, 1_001)]);
    let times = Arc::new(Mutex::new(Vec::new()));
    let mut settings = world.settings();
    settings.outages.push(Outage { venue: VenueIndex(0), from_ns: 5 * S, until_ns: 15 * S });
    let early: Named = ("one".to_owned(), Box::new(Early(Arc::clone(&times))));
    let mut backtest = tradewind_core::driver::Backtest::new(settings, vec![early], Risk::default(), world.recordings.clone()).unwrap();
    backtest.run().unwrap();
    let times = times.lock().unwrap().clone();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "time went back: {times:?}");
    assert_eq!(backtest.engine().state().orders().all_open().count(), 0);
}

#[test]
fn nothing_fills_from_bars_in_a_halt() {
    let index = Arc::new(Index::new(&[], &[perpetual("v", "X", "X", "USD")]).unwrap());
    let interval = BarInterval::parse("1m").unwrap();
    let bar = |minute: i64, low: i64| {
        let open_time_ns = minute * MINUTE_NS;
        let bar = Bar { interval, open_time_ns, open: 1_000, high: 1_010, low, close: 1_000, volume: 1_000_000 };
        MarketEvent::new(at(0), open_time_ns, open_time_ns + MINUTE_NS, MarketData::Bar(bar))
    };
    let mut world = World::new(index, 1).with_balance("v", "USD", 1_000_000);
    world
        .recordings
        .push(Recording::new("bars", vec![vec![bar(1, 999), bar(2, 999), bar(3, 999), bar(4, 900), bar(5, 999)].into()]).unwrap());
    let stream = Stream { instrument: at(0), kind: StreamKind::Bars(interval) };
    let mut placed = false;
    let script = Script {
        streams: vec![stream],
        market: Some(Box::new(move |state, event| {
            if !std::mem::replace(&mut placed, true) {
                state.place(state.order_of(event.instrument, Side::Buy, 1_000, OrderType::Limit(950)))?;
            }
            Ok(())
        })),
        ..Script::default()
    };
    let mut settings = world.settings();
    // The whole bar in which the price falls to 900.
    settings.venues[0].halts.push(Halt { instrument: at(0), from_ns: 3 * MINUTE_NS + 1, until_ns: 5 * MINUTE_NS });
    let mut backtest =
        tradewind_core::driver::Backtest::new(settings, vec![script.named("one")], Risk::default(), world.recordings.clone()).unwrap();
    backtest.run().unwrap();
    assert_eq!(backtest.recorder().fills().iter().map(|booked| (booked.fill.price, booked.fill.venue_time_ns)).collect::<Vec<_>>(), []);
}

#[test]
fn answers_in_an_outage_keep_their_order() {
    let world = quoted(&[(1, 999, 1_001), (2, 999, 1_001), (3, 999, 1_001)]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(|state, event| {
            match event.arrival_time_ns / S {
                1 => {
                    for price in [500, 501] {
                        state.place(state.order_of(event.instrument, Side::Buy, 1_000, OrderType::Limit(price)))?;
                    }
                }
                2 => state.cancel_all(None),
                _ => {}
            }
            Ok(())
        })),
        order: Some(Box::new({
            let seen = Arc::clone(&seen);
            move |state, order| {
                if state.now_ns() == 2 * S && order.status == Status::Open {
                    seen.lock().unwrap().push(order.id);
                }
                Ok(())
            }
        })),
        ..Script::default()
    };
    let mut settings = world.settings();
    settings.outages.push(Outage { venue: VenueIndex(0), from_ns: 2 * S - 1, until_ns: 2 * S + 500 });
    // Market data go on, so that the strategy acts.
    let events = world.recordings[0].whole_rows().unwrap().copied().collect::<Vec<_>>();
    let mut session = Session::new(settings, vec![script.named("one")], Risk::default(), vec![quotes(0)]).unwrap();
    session.set_streams(&[quotes(0)]);
    session.start(S, false).unwrap();
    session.row(&events[0]).unwrap();
    session
        .input(&Event::Status(StatusEvent { time_ns: 2 * S - 1, change: Condition::Connected(VenueIndex(0), Part::MarketData) }))
        .unwrap();
    session.advance(2 * S).unwrap();
    session.input(&Event::Status(StatusEvent { time_ns: 2 * S, change: Condition::Connected(VenueIndex(0), Part::MarketData) })).unwrap();
    session.row(&events[1]).unwrap();
    session.advance(3 * S).unwrap();
    assert_eq!(*seen.lock().unwrap(), [OrderId(1), OrderId(2)]);
}
