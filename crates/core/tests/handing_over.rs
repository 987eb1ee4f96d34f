//! Other code goes on with a live session: from recorded decisions, with a start of its own (D5).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::session::*;
use common::strategy::Script;
use common::{Named, at};
use tradewind_core::driver::Session;
use tradewind_core::error::{Code, Result};
use tradewind_core::event::{AccountEvent, Command, Entry, Event, decode_entries, encode_decision};
use tradewind_core::market::{MarketEvent, Side};
use tradewind_core::order::{OrderId, OrderType, Request, Status, StrategyIndex};
use tradewind_core::state::State;
use tradewind_core::strategy::{Callbacks, Strategy};

const COIN: i64 = 100_000_000;

/// Places two orders, of which one fills in part, then cancels the other; gives the session and its journal.
fn recorded() -> (Session, Vec<u8>) {
    let mut step = 0;
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event| {
            step += 1;
            match step {
                1 | 2 => state.place(state.order_of(event.instrument, Side::Buy, COIN, OrderType::Limit(100_000))).map(|_| ()),
                3 => state.cancel(OrderId(2)),
                _ => Ok(()),
            }
        })),
        ..Script::default()
    };
    let mut session = live(vec![script.named("maker")]);
    session.start(S, false).unwrap();
    for second in 2..5 {
        session.row(&quote(0, second * S, second * S, 99_900, 100_100, 1)).unwrap();
        told(&mut session, second * S + 1, AccountEvent::Accepted(OrderId(second as u64 - 1)));
    }
    let fill = fill_of(&session, 1, 7, COIN / 4, 0, "USDT");
    told(&mut session, 5 * S, fill);
    let journal = block(&mut session);
    (session, journal)
}

fn rebuilt(journal: &[u8]) -> Session {
    let mut session = live(maker());
    session.follow_recorded();
    session.rebuild(journal).unwrap();
    session
}

fn order_at(session: &mut Session, second: i64) -> Vec<Request> {
    session.row(&quote(0, second * S, second * S, 99_900, 100_100, 1)).unwrap();
    session.take_requests()
}

#[test]
fn orders_keep_numbers_and_counts_and_new_ones_follow_them() {
    let (mut then, journal) = recorded();
    then.take_requests();
    let mut rebuilt = rebuilt(&journal);
    assert!(rebuilt.take_requests().is_empty());
    let orders = |session: &Session| {
        session.engine().state().orders().all_open().map(|order| (order.id, order.count, order.status, order.filled)).collect::<Vec<_>>()
    };
    assert_eq!(orders(&then), [(OrderId(1), 1, Status::PartlyFilled, COIN / 4), (OrderId(2), 2, Status::CancelInFlight, 0)]);
    assert_eq!(orders(&rebuilt), orders(&then));
    let saved = rebuilt.hand_over(Vec::new()).unwrap();

    let mut going_on = live(maker());
    going_on.restore(&saved).unwrap();
    going_on.start(6 * S, false).unwrap();
    assert_eq!(orders(&going_on), orders(&then));
    // Trading is off until somebody turns it on.
    assert!(order_at(&mut going_on, 7).is_empty());
    assert_eq!(going_on.engine().state().orders().known().last().unwrap().reason, Some(Code::TradingOff));
    going_on.input(&Event::Command { time_ns: 8 * S, command: Command::TradingOn }).unwrap();
    let sent = order_at(&mut going_on, 9);
    assert!(matches!(sent[..], [Request::Place { id: OrderId(4), count: 4, .. }]), "{sent:?}");
    // What the venue says of the orders of before finds them.
    let fill = fill_of(&going_on, 1, 8, COIN * 3 / 4, 0, "USDT");
    told(&mut going_on, 10 * S, fill);
    assert_eq!(going_on.engine().state().position(StrategyIndex(0), at(0)).quantity, COIN);
}

/// Wants so many coins at each quote, at a price or at the market's.
fn wants(quantity: i64, order_type: OrderType) -> Vec<Named> {
    let target = move |state: &mut State, event: &MarketEvent| state.target(event.instrument, quantity, order_type);
    vec![Script { streams: vec![quotes(0)], market: Some(Box::new(target)), ..Script::default() }.named("maker")]
}

#[test]
fn a_target_replaces_the_order_of_a_target_of_before() {
    for order_type in [OrderType::Market, OrderType::Limit(90_000), OrderType::Limit(80_000)] {
        let mut then = live(wants(COIN, OrderType::Limit(90_000)));
        then.start(S, false).unwrap();
        assert!(matches!(order_at(&mut then, 2)[..], [Request::Place { by_target: true, .. }]));
        told(&mut then, 3 * S, AccountEvent::Accepted(OrderId(1)));
        let mut rebuilt = live(maker());
        rebuilt.follow_recorded();
        rebuilt.rebuild(&block(&mut then)).unwrap();
        let mut going_on = live(wants(0, order_type));
        going_on.restore(&rebuilt.hand_over(Vec::new()).unwrap()).unwrap();
        going_on.start(4 * S, false).unwrap();
        // Nothing stands in the way of a cancel, also while trading is off (O4).
        let sent = order_at(&mut going_on, 5);
        assert!(matches!(sent[..], [Request::Cancel { id: OrderId(1), .. }]), "{order_type:?}: {sent:?}");
    }
}

#[test]
fn the_number_of_a_refused_order_is_nobodys() {
    let mut then = live(maker());
    then.start(S, false).unwrap();
    for (second, command) in [(2, Command::TradingOff), (4, Command::TradingOn), (6, Command::TradingOff), (8, Command::TradingOn)] {
        then.input(&Event::Command { time_ns: second * S, command }).unwrap();
        order_at(&mut then, second + 1);
    }
    let rebuilt = rebuilt(&block(&mut then));
    let open = |session: &Session| session.engine().state().orders().all_open().map(|order| (order.id, order.count)).collect::<Vec<_>>();
    assert_eq!(open(&then), [(OrderId(2), 2), (OrderId(4), 4)]);
    assert_eq!(open(&rebuilt), open(&then));
    assert_eq!(rebuilt.engine().decisions_hash(), then.engine().decisions_hash());
}

/// Knows how it was started, and remembers a number.
struct Heir {
    told: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    number: u8,
}

impl Strategy for Heir {
    fn callbacks(&self) -> Callbacks {
        Callbacks { market: [true; 6], ..Callbacks::default() }
    }

    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        self.told.lock().unwrap().push(format!("started with {} and {}", state.position(StrategyIndex(0), at(0)).quantity, self.number));
        // What is set here stays.
        self.number += 1;
        // What it names may depend on what it took over.
        state.subscribe(if self.number == 8 { trades(0) } else { quotes(0) })
    }

    fn on_market(&mut self, _: &mut Box<State>, _: &MarketEvent) -> Result<()> {
        self.told.lock().unwrap().push(format!("called with {}", self.number));
        Ok(())
    }

    fn save(&mut self, _: &mut Box<State>) -> Result<Vec<u8>> {
        Ok(vec![self.number])
    }

    fn restore(&mut self, _: &mut Box<State>, saved: &[u8]) -> Result<()> {
        self.number = saved[0];
        Ok(())
    }
}

type Told = std::sync::Arc<std::sync::Mutex<Vec<String>>>;

fn heir() -> (Vec<Named>, Told) {
    let told = Told::default();
    (vec![("maker".into(), Box::new(Heir { told: told.clone(), number: 0 }))], told)
}

#[test]
fn an_heir_starts_with_what_is_held_and_takes_over_what_was_declared() {
    let (_, journal) = recorded();
    let saved = rebuilt(&journal).hand_over(vec![vec![7]]).unwrap();
    let (strategies, told) = heir();
    let mut going_on = live(strategies);
    going_on.restore(&saved).unwrap();
    assert!(told.lock().unwrap().is_empty());
    // One that is saved before its start still waits for it.
    let waiting = going_on.save().unwrap();
    going_on.start(6 * S, false).unwrap();
    // Streams that only those before had named are not received.
    going_on.row(&quote(0, 7 * S, 7 * S, 99_900, 100_100, 1)).unwrap();
    going_on.row(&trade(8)).unwrap();
    assert_eq!(told.lock().unwrap().join(", "), "started with 25000000 and 7, called with 8");

    // After its start it is recovered like any other, and finds at its start what it found then.
    let later = going_on.save().unwrap();
    for (saved, said) in [(&later, "started with 25000000 and 7, called with 8"), (&waiting, "")] {
        let (strategies, told) = heir();
        let mut again = live(strategies);
        again.restore(saved).unwrap();
        assert_eq!(again.awaits_start(), said.is_empty());
        if !said.is_empty() {
            again.row(&trade(9)).unwrap();
        }
        assert_eq!(told.lock().unwrap().join(", "), said);
    }
}

fn trade(second: i64) -> MarketEvent {
    use tradewind_core::market::{MarketData, Trade};
    let trade = Trade { price: 100_000, quantity: COIN, aggressor: Some(Side::Buy), id: second };
    MarketEvent::new(at(0), second * S, second * S, MarketData::Trade(trade))
}

#[test]
fn in_a_warm_up_trading_stays_off_to_its_end_and_behind_it() {
    let (_, journal) = recorded();
    let saved = rebuilt(&journal).hand_over(Vec::new()).unwrap();
    for turned_on in [false, true] {
        let mut going_on = live(maker());
        going_on.restore(&saved).unwrap();
        going_on.start(6 * S, true).unwrap();
        if turned_on {
            going_on.input(&Event::Command { time_ns: 6 * S, command: Command::TradingOn }).unwrap();
        }
        going_on.input(&Event::Command { time_ns: 7 * S, command: Command::WarmedUp }).unwrap();
        assert_eq!(going_on.engine().state().is_trading(), turned_on);
    }
}

#[test]
fn a_run_whose_end_had_begun_trades_again_where_it_is_turned_on() {
    let (mut then, mut journal) = recorded();
    then.input(&Event::Command { time_ns: 6 * S, command: Command::TradingOff }).unwrap();
    then.input(&Event::Command { time_ns: 6 * S, command: Command::Stop }).unwrap();
    journal.extend(block(&mut then));
    let saved = rebuilt(&journal).hand_over(Vec::new()).unwrap();
    let mut going_on = live(maker());
    going_on.restore(&saved).unwrap();
    going_on.start(7 * S, false).unwrap();
    assert!(order_at(&mut going_on, 8).is_empty());
    going_on.input(&Event::Command { time_ns: 9 * S, command: Command::TradingOn }).unwrap();
    assert_eq!(order_at(&mut going_on, 10).len(), 1);
}

#[test]
fn other_strategies_than_those_of_the_run_are_refused() {
    let (_, journal) = recorded();
    let saved = rebuilt(&journal).hand_over(Vec::new()).unwrap();
    let script = Script { streams: vec![quotes(0)], ..Script::default() };
    assert_eq!(live(vec![script.named("taker")]).restore(&saved).unwrap_err().code, Code::Divergence);
}

#[test]
fn a_record_whose_orders_go_back_is_refused() {
    let (_, journal) = recorded();
    let order = decode_entries(&journal).unwrap().into_iter().find_map(|entry| match entry {
        Entry::Decision(order @ Request::Place { .. }) => Some(order),
        _ => None,
    });
    let mut again = journal;
    encode_decision(&order.unwrap(), &mut again).unwrap();
    let mut session = live(maker());
    session.follow_recorded();
    assert_eq!(session.rebuild(&again).unwrap_err().code, Code::BadJournal);
}
