//! What is held at a start becomes a strategy's position where that is said (M3).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::session::*;
use common::strategy::Script;
use common::{Named, at};
use tradewind_core::driver::Session;
use tradewind_core::error::Code;
use tradewind_core::event::{AccountEvent, Command, Event, Filter, Holding};
use tradewind_core::instrument::AccountIndex;
use tradewind_core::market::{MarketEvent, Side};
use tradewind_core::order::{OrderId, OrderType, Request, StrategyIndex};

const COIN: i64 = 100_000_000;
/// A coin costs a thousand; ten value decimals.
const THOUSAND: i128 = 1_000 * 10_000_000_000;

fn adopt(session: &mut Session, second: i64, quantity: i64, cost: i128) {
    let held = Holding { instrument: at(0), quantity, cost };
    session.input(&Event::Command { time_ns: second * S, command: Command::Adopt(StrategyIndex(0), held) }).unwrap();
    assert_eq!(session.engine().state().broken_rule(), None);
}

fn deposit(session: &mut Session, second: i64, asset: &str, amount: i128) {
    let asset = session.engine().state().index().find_asset(asset).unwrap();
    told(session, second * S, AccountEvent::Deposit { asset, amount });
}

/// Two coins are there, of which one is adopted at nine hundred.
fn adopted(mut session: Session) -> Session {
    session.start(S, false).unwrap();
    deposit(&mut session, 2, "BTC", 2 * i128::from(COIN));
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, COIN)).unwrap();
    adopt(&mut session, 4, COIN, THOUSAND * 9 / 10);
    session
}

/// Aims at half a coin from the second quote on.
fn halver() -> Vec<Named> {
    let mut seen = 0;
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event: &MarketEvent| {
            seen += 1;
            if seen > 1 { state.target(event.instrument, COIN / 2, OrderType::Market) } else { Ok(()) }
        })),
        ..Script::default()
    };
    vec![script.named("halver")]
}

fn idle() -> Vec<Named> {
    vec![Script { streams: vec![quotes(0)], ..Script::default() }.named("idle")]
}

#[test]
fn only_what_is_adopted_is_the_strategys_and_no_money_moves() {
    let session = adopted(live(idle()));
    let state = session.engine().state();
    let btc = state.index().find_asset("BTC").unwrap();
    assert_eq!(state.position(StrategyIndex(0), at(0)).quantity, COIN);
    assert_eq!(state.account(AccountIndex(0)).wallet(btc), 2 * i128::from(COIN));
    // At a thousand, one that has cost nine hundred has earned a hundred.
    let report = &session.recorder().instruments(state)[0];
    assert_eq!((report.unrealised, report.is_open, report.quantity), (Some(100.0), true, 1.0));
    // The totals are the sum of the rows, also before the first order.
    let (total, unrealised) = session.recorder().total(state).unwrap();
    assert_eq!((total.fills, unrealised), (0, 100.0));
    // The equity is what it was: two coins.
    assert_eq!(session.recorder().valuation().equity(state), Some(2_000.0));
}

#[test]
fn targets_closes_and_reductions_act_on_it() {
    let mut session = adopted(live(halver()));
    let sold = |session: &mut Session| {
        let request = session.take_requests().pop();
        if let Some(Request::Place { order, .. }) = request { Some((order.side, order.quantity)) } else { None }
    };
    session.row(&quote(0, 5 * S, 5 * S, 99_900, 100_100, COIN)).unwrap();
    assert_eq!(sold(&mut session), Some((Side::Sell, COIN / 2)));
    // Nothing but reductions passes, and of what is not adopted nothing is sold.
    told(&mut session, 6 * S, AccountEvent::Rejected(OrderId(1), Code::OrderNotOpen));
    session.input(&Event::Command { time_ns: 7 * S, command: Command::TradingOff }).unwrap();
    session.input(&Event::Command { time_ns: 8 * S, command: Command::CloseAll(Filter::default()) }).unwrap();
    assert_eq!(sold(&mut session), Some((Side::Sell, COIN)));
}

#[test]
fn a_sale_realises_what_was_earned_since_the_stated_cost_and_ends_the_round_trip() {
    let mut session = adopted(live(maker_of(Side::Sell)));
    session.row(&quote(0, 5 * S, 5 * S, 99_900, 100_100, COIN)).unwrap();
    let mut fill = fill_of(&session, 1, 7, COIN, 0, "USDT");
    if let AccountEvent::Fill(fill) = &mut fill {
        fill.side = Side::Sell;
    }
    told(&mut session, 6 * S, fill);
    let report = &session.recorder().instruments(session.engine().state())[0];
    assert_eq!((report.trips.count(), report.trips.total_profit(), report.is_open), (1, 100.0, false));
}

fn maker_of(side: Side) -> Vec<Named> {
    let mut step = 0;
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event| {
            step += 1;
            if step == 2 {
                state.place(state.order_of(event.instrument, side, COIN, OrderType::Limit(100_000)))?;
            }
            Ok(())
        })),
        ..Script::default()
    };
    vec![script.named("maker")]
}

#[test]
fn it_is_replayed_restored_and_handed_over() {
    let mut session = adopted(live(halver()));
    let journal = block(&mut session);
    let position = |session: &Session| session.engine().state().position(StrategyIndex(0), at(0));
    let mut again = live(halver());
    assert_eq!(again.recover(&journal).unwrap(), None);
    assert_eq!(again.engine().state().hash(), session.engine().state().hash());
    let mut restored = live(halver());
    restored.restore(&session.save().unwrap()).unwrap();
    assert_eq!(position(&restored), position(&session));
    let mut rebuilt = live(idle());
    rebuilt.follow_recorded();
    rebuilt.rebuild(&journal).unwrap();
    assert_eq!(position(&rebuilt), position(&session));
}

#[test]
fn what_was_lost_before_is_not_of_the_day() {
    for has_price in [true, false] {
        let mut session = limited(idle());
        session.start(S, false).unwrap();
        deposit(&mut session, 2, "BTC", i128::from(COIN));
        if has_price {
            session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, COIN)).unwrap();
        }
        // At a thousand, five hundred are lost already.
        adopt(&mut session, 4, COIN, THOUSAND * 3 / 2);
        session.row(&quote(0, 5 * S, 5 * S, 99_900, 100_100, COIN)).unwrap();
        session.row(&quote(0, 7 * S, 7 * S, 96_000, 96_002, COIN)).unwrap();
        assert!(!session.engine().state().is_daily_loss_reached());
        session.row(&quote(0, 9 * S, 9 * S, 94_000, 94_002, COIN)).unwrap();
        assert!(session.engine().state().is_daily_loss_reached());
    }
}
