//! A session with a real venue: reports late, in other assets, without end.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::session::*;
use common::strategy::Script;
use common::{Named, at};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tradewind_core::account::Fill;
use tradewind_core::driver::Session;
use tradewind_core::error::{Code, Result};
use tradewind_core::event::{AccountEvent, Command, Condition, DataValue, Event, Filter, ParameterEvent, Part, StatusEvent};
use tradewind_core::indicator::IndicatorKind;
use tradewind_core::instrument::{AccountIndex, VenueIndex};
use tradewind_core::market::{MarketData, MarketEvent, Side, Trade};
use tradewind_core::order::{OrderId, OrderType, Request, Status, StrategyIndex};
use tradewind_core::state::State;
use tradewind_core::strategy::{Callbacks, Strategy};
use tradewind_core::time::MINUTE_NS;

#[test]
fn a_late_fill_of_a_forgotten_order_is_booked() {
    let mut session = live(maker());
    session.start(S, false).unwrap();
    for row in 0..200 {
        let time_ns = (2 + row) * S;
        session.row(&quote(0, time_ns, time_ns, 99_900, 100_100, 1)).unwrap();
        // Given up as the venue did not know it.
        told(&mut session, time_ns + 1, AccountEvent::Rejected(OrderId(row as u64 + 1), Code::OrderNotOpen));
    }
    let stale = session.engine().state().stale_reports();
    let fill = fill_of(&session, 1, 7, 100_000_000, 0, "USDT");
    told(&mut session, 300 * S, fill);
    let btc = session.engine().state().index().find_asset("BTC").unwrap();
    assert_eq!(session.engine().state().account(AccountIndex(0)).wallet(btc), 100_000_000);
    assert_eq!(session.engine().state().stale_reports(), stale);
}

#[test]
fn a_fee_in_a_third_asset_is_not_counted_as_quote() {
    let mut session = live(maker());
    session.start(S, false).unwrap();
    session.row(&quote(1, 2 * S, 2 * S, 60_000, 60_000, 1)).unwrap();
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    // 0.00125 BNB at 600 is 0.75 USDT.
    let fill = fill_of(&session, 1, 7, 100_000_000, 125_000, "BNB");
    told(&mut session, 4 * S, fill);
    let report = &session.recorder().instruments(session.engine().state())[0];
    assert!((report.summary.exchange_fees - 0.75).abs() < 1e-9, "{}", report.summary.exchange_fees);
}

#[test]
fn the_first_deposit_of_a_live_session_is_its_start() {
    let mut session = live(vec![]);
    session.start(S, false).unwrap();
    let usdt = session.engine().state().index().find_asset("USDT").unwrap();
    told(&mut session, 2 * S, AccountEvent::Deposit { asset: usdt, amount: 1_000_000_000_000 });
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    session.finish().unwrap();
    assert_eq!(session.recorder().curve().returns().starting_equity(), Some(10_000.0));
    assert_eq!(session.recorder().curve().returns().total_return(), Some(0.0));
}

#[test]
fn an_input_across_a_boundary_is_not_in_the_point_before_it() {
    let mut session = live(vec![]);
    let usdt = session.engine().state().index().find_asset("USDT").unwrap();
    session.start(S, false).unwrap();
    told(&mut session, 30 * S, AccountEvent::Deposit { asset: usdt, amount: 100_000_000 });
    told(&mut session, 70 * S, AccountEvent::Deposit { asset: usdt, amount: 100_000_000 });
    session.row(&quote(0, 80 * S, 80 * S, 99_900, 100_100, 1)).unwrap();
    let mut again = live(vec![]);
    assert_eq!(again.recover(&block(&mut session)).unwrap(), None);
    // At one minute there was one unit.
    assert_eq!(points(&session).last(), Some(&(MINUTE_NS, 1.0)));
    assert_eq!(points(&again), points(&session));
}

#[test]
fn a_panic_ends_a_session() {
    let script = Script { streams: vec![quotes(0)], market: Some(Box::new(|_, _| panic!("in a callback"))), ..Script::default() };
    let mut session = live(vec![script.named("one")]);
    session.start(S, false).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| session.row(&quote(0, 2 * S, 2 * S, 99_900, 100_100, 1)))).is_err());
    assert!(session.is_failed());
    assert!(session.input(&Event::Command { time_ns: 3 * S, command: Command::TradingOff }).is_err());
}

#[test]
fn what_an_indicator_has_seen_counts() {
    struct Averaging(IndicatorKind);
    impl Strategy for Averaging {
        fn callbacks(&self) -> Callbacks {
            Callbacks::default()
        }
        fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
            state.attach(self.0, trades(0)).map(|_| ())
        }
    }
    let trade = |second: i64, price: i64| {
        MarketEvent::new(at(0), second * S, second * S, MarketData::Trade(Trade { price, quantity: 1, aggressor: None, id: 0 }))
    };
    let hash = |kind: IndicatorKind, prices: &[i64]| {
        let averaging: Named = ("one".to_owned(), Box::new(Averaging(kind)));
        let mut session = live(vec![averaging]);
        session.start(S, false).unwrap();
        for (second, price) in prices.iter().enumerate() {
            session.row(&trade(second as i64 + 2, *price)).unwrap();
        }
        session.engine().state().hash()
    };
    // Not ready: the same last trade, another sum.
    let ema = IndicatorKind::Ema { period: 5, seed: tradewind_core::indicator::Seed::Average };
    assert_ne!(hash(ema, &[100, 300]), hash(ema, &[200, 300]));
    // Ready, with the same mean of another window: the next value differs.
    let sma = IndicatorKind::Sma { period: 3 };
    assert_ne!(hash(sma, &[100, 200, 300]), hash(sma, &[200, 100, 300]));
}

#[test]
fn the_trade_ids_of_an_open_order_count() {
    let hash = |trade_id: u64| {
        let mut session = live(maker());
        session.start(S, false).unwrap();
        session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
        let fill = fill_of(&session, 1, trade_id, 50_000_000, 0, "USDT");
        told(&mut session, 4 * S, fill);
        session.engine().state().hash()
    };
    // Trade 8 comes next: it is a repeat for one, and money for the other.
    assert_ne!(hash(7), hash(8));
}

#[test]
fn a_late_fill_is_in_the_table_of_orders() {
    let mut session = live(maker());
    session.start(S, false).unwrap();
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    told(&mut session, 4 * S, AccountEvent::Cancelled(OrderId(1), Code::Requested));
    let fill = fill_of(&session, 1, 7, 50_000_000, 0, "USDT");
    told(&mut session, 5 * S, fill);
    assert_eq!(session.recorder().fills().len(), 1);
    assert_eq!(session.recorder().orders()[0].filled, 50_000_000);
}

#[test]
fn a_refused_parameter_does_not_end_a_session() {
    let mut session = live(maker());
    session.start(S, false).unwrap();
    let event = ParameterEvent { time_ns: 2 * S, strategy: StrategyIndex(0), name: "typo".into(), value: DataValue::Number(1.0) };
    session.input(&Event::Parameter(Box::new(event))).unwrap();
    assert!(!session.is_failed());
    assert_eq!(session.take_refused_parameter().map(|error| error.code), Some(Code::BadStrategy));
    assert!(session.take_refused_parameter().is_none());
}

#[test]
fn an_order_that_is_cancelled_from_outside_is_not_sent_again_for_its_target() {
    let mut wanted = false;
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event| {
            if std::mem::replace(&mut wanted, true) {
                Ok(())
            } else {
                state.target(event.instrument, 100_000_000, OrderType::Limit(99_000))
            }
        })),
        ..Script::default()
    };
    let mut session = live(vec![script.named("one")]);
    session.start(S, false).unwrap();
    session.row(&quote(0, 2 * S, 2 * S, 99_900, 100_100, 1)).unwrap();
    told(&mut session, 3 * S, AccountEvent::Accepted(OrderId(1)));
    assert_eq!(session.take_requests().len(), 1);
    for id in [1, 1, 7] {
        session.input(&Event::Command { time_ns: 4 * S, command: Command::Cancel(OrderId(id)) }).unwrap();
    }
    let requests = session.take_requests();
    assert!(matches!(requests[..], [Request::Cancel { id: OrderId(1), .. }]), "once, and nothing for what is not there: {requests:?}");
    told(&mut session, 5 * S, AccountEvent::Cancelled(OrderId(1), Code::Requested));
    session.row(&quote(0, 6 * S, 6 * S, 99_900, 100_100, 1)).unwrap();
    assert!(session.take_requests().is_empty());
    assert_eq!(session.engine().state().orders().all_open().count(), 0);
}

#[test]
fn a_live_position_does_not_overflow() {
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(|state, event| {
            let order = state.order_of(event.instrument, Side::Buy, 1_000_000_000_000_000_000, OrderType::Limit(1));
            state.place(order).map(|_| ())
        })),
        ..Script::default()
    };
    let mut session = live(vec![script.named("one")]);
    session.start(S, false).unwrap();
    for row in 0..12_u64 {
        let time_ns = (2 + row as i64) * S;
        session.row(&quote(0, time_ns, time_ns, 1, 2, 1)).unwrap();
        let requested = session.take_requests().len();
        let held = session.engine().state().position(StrategyIndex(0), at(0)).quantity;
        if requested == 0 {
            assert!(held > 0, "refused from here on, as it should be");
            return;
        }
        let AccountEvent::Fill(fill) = fill_of(&session, row + 1, row + 1, 1_000_000_000_000_000_000, 0, "USDT") else { unreachable!() };
        told(&mut session, time_ns + 1, AccountEvent::Fill(Fill { price: 1, ..fill }));
        assert!(session.engine().state().position(StrategyIndex(0), at(0)).quantity > held);
    }
}

#[test]
fn the_report_of_an_asset_adds_up() {
    let mut session = live(vec![]);
    session.start(S, false).unwrap();
    let usdt = session.engine().state().index().find_asset("USDT").unwrap();
    told(&mut session, 2 * S, AccountEvent::Deposit { asset: usdt, amount: 1_000 });
    told(&mut session, 3 * S, AccountEvent::Unexplained { asset: usdt, amount: -300 });
    let report = &tradewind_core::driver::Recorder::assets(session.engine().state())[0];
    let sum = report.deposited + report.traded + report.funding + report.insurance + report.unexplained
        - report.exchange_fees
        - report.network_fees
        - report.liquidation_fees;
    assert_eq!(report.wallet, sum);
}

/// Asks for a target of one coin at a limit, for another price at the second quote, and for nothing at the third.
fn targeting() -> Vec<Named> {
    let mut quotes_seen = 0;
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event| {
            quotes_seen += 1;
            let wanted = if quotes_seen < 3 { 100_000_000 } else { 0 };
            state.target(event.instrument, wanted, OrderType::Limit(99_000 + quotes_seen * 100))
        })),
        ..Script::default()
    };
    vec![script.named("targeting")]
}

#[test]
fn a_cancel_that_was_refused_is_not_sent_again_before_more_is_known() {
    let mut session = live(targeting());
    session.start(S, false).unwrap();
    session.row(&quote(0, 2 * S, 2 * S, 99_900, 100_100, 1)).unwrap();
    told(&mut session, 2 * S + 1, AccountEvent::Accepted(OrderId(1)));
    session.take_requests();
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    assert!(matches!(session.take_requests()[..], [Request::Cancel { id: OrderId(1), .. }]));
    told(&mut session, 3 * S + 1, AccountEvent::CancelRejected(OrderId(1), Code::Unreachable));
    assert_eq!(session.take_requests(), []);
    assert_eq!(session.engine().state().orders().get(OrderId(1)).unwrap().status, Status::Open);
    // The venue says again that it has it.
    told(&mut session, 3 * S + 2, AccountEvent::Accepted(OrderId(1)));
    assert!(matches!(session.take_requests()[..], [Request::Cancel { id: OrderId(1), .. }]));
    told(&mut session, 3 * S + 3, AccountEvent::Cancelled(OrderId(1), Code::Requested));
    assert!(matches!(session.take_requests()[..], [Request::Place { id: OrderId(2), .. }]));
}

/// A session whose only order rests, and whose cancel was asked for and is of unknown fate.
fn cancelled_in_vain() -> Session {
    let mut session = live(maker());
    session.start(S, false).unwrap();
    session.row(&quote(0, 2 * S, 2 * S, 99_900, 100_100, 1)).unwrap();
    told(&mut session, 2 * S + 1, AccountEvent::Accepted(OrderId(1)));
    session.input(&Event::Command { time_ns: 3 * S, command: Command::CancelAll(Filter::default()) }).unwrap();
    session.take_requests();
    told(&mut session, 3 * S + 1, AccountEvent::Lost(OrderId(1)));
    assert_eq!(session.take_requests(), []);
    session
}

fn cancels(session: &mut Session) -> usize {
    session.take_requests().iter().filter(|request| matches!(request, Request::Cancel { id: OrderId(1), .. })).count()
}

#[test]
fn a_cancel_that_did_not_get_through_is_sent_again_once_the_order_is_known_to_rest() {
    let mut session = cancelled_in_vain();
    told(&mut session, 4 * S, AccountEvent::Accepted(OrderId(1)));
    assert_eq!(cancels(&mut session), 1);
    // Once for each time that more is known.
    told(&mut session, 5 * S, AccountEvent::CancelRejected(OrderId(1), Code::RateLimited));
    assert_eq!(cancels(&mut session), 0);
    told(&mut session, 6 * S, AccountEvent::Accepted(OrderId(1)));
    told(&mut session, 6 * S + 1, AccountEvent::Accepted(OrderId(1)));
    assert_eq!(cancels(&mut session), 1);
    // A no is a no, until somebody asks again.
    told(&mut session, 7 * S, AccountEvent::CancelRejected(OrderId(1), Code::OrderNotOpen));
    told(&mut session, 8 * S, AccountEvent::Accepted(OrderId(1)));
    assert_eq!(cancels(&mut session), 0);
}

#[test]
fn it_waits_for_the_connection_and_is_in_snapshot_and_journal() {
    let connection = |session: &mut Session, second: i64, change: Condition| {
        session.input(&Event::Status(StatusEvent { time_ns: second * S, change })).unwrap();
    };
    let mut session = cancelled_in_vain();
    connection(&mut session, 4, Condition::Disconnected(VenueIndex(0), Part::Orders));
    let begun = block(&mut session);
    let saved = session.save().unwrap();
    let mut again = live(maker());
    again.restore(&saved).unwrap();
    let mut replayed = live(maker());
    assert_eq!(replayed.recover(&begun).unwrap(), None);
    for one in [&mut session, &mut again] {
        told(one, 5 * S, AccountEvent::Accepted(OrderId(1)));
        assert_eq!(cancels(one), 0);
        connection(one, 6, Condition::Connected(VenueIndex(0), Part::Orders));
        assert_eq!(cancels(one), 1);
    }
    assert_eq!(replayed.recover(&block(&mut session)).unwrap(), None);
    assert_eq!(replayed.recovered(), None);
    assert_eq!(replayed.engine().state().hash(), session.engine().state().hash());
}

#[test]
fn the_limit_on_a_days_loss_looks_again_while_it_is_reached() {
    let mut session = limited(maker());
    session.start(S, false).unwrap();
    session.row(&quote(0, 2 * S, 2 * S, 99_900, 100_100, 1)).unwrap();
    told(&mut session, 2 * S + 1, AccountEvent::Accepted(OrderId(1)));
    let fill = fill_of(&session, 1, 7, 40_000_000, 0, "USDT");
    told(&mut session, 2 * S + 2, fill);
    session.take_requests();
    session.row(&quote(0, 5 * S, 5 * S, 80_000, 80_100, 1)).unwrap();
    assert!(session.engine().state().is_daily_loss_reached());
    assert_eq!(cancels(&mut session), 1);
    session.row(&quote(0, 7 * S, 7 * S, 80_000, 80_100, 1)).unwrap();
    assert_eq!(cancels(&mut session), 0);
    told(&mut session, 8 * S, AccountEvent::CancelRejected(OrderId(1), Code::VenueRefused));
    session.row(&quote(0, 10 * S, 10 * S, 80_000, 80_100, 1)).unwrap();
    assert_eq!(cancels(&mut session), 1);
}

#[test]
fn what_fees_of_another_asset_would_be_worth_later_is_no_loss() {
    let mut session = limited(maker());
    session.start(S, false).unwrap();
    session.row(&quote(1, 2 * S, 2 * S, 60_000, 60_000, 1)).unwrap();
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    // 0.00125 BNB at 600 is 0.75 USDT.
    let fill = fill_of(&session, 1, 7, 40_000_000, 125_000, "BNB");
    told(&mut session, 4 * S, fill);
    let day = |session: &Session| session.engine().risk().day(session.engine().state()).unwrap().profit;
    session.row(&quote(0, 6 * S, 6 * S, 99_900, 100_100, 1)).unwrap();
    let before = day(&session);
    // A hundred times the price.
    session.row(&quote(1, 8 * S, 8 * S, 6_000_000, 6_000_000, 1)).unwrap();
    session.row(&quote(0, 10 * S, 10 * S, 99_900, 100_100, 1)).unwrap();
    assert!((day(&session) - before).abs() < 1e-9, "{} {before}", day(&session));
    assert!(!session.engine().state().is_daily_loss_reached());
}

#[test]
fn an_order_that_the_venue_may_not_have_stays_unknown_when_its_cancel_is_refused() {
    let mut session = live(targeting());
    session.start(S, false).unwrap();
    session.row(&quote(0, 2 * S, 2 * S, 99_900, 100_100, 1)).unwrap();
    let status = |session: &Session| session.engine().state().orders().get(OrderId(1)).unwrap().status;
    told(&mut session, 2 * S + 1, AccountEvent::Lost(OrderId(1)));
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    session.row(&quote(0, 4 * S, 4 * S, 99_900, 100_100, 1)).unwrap();
    session.input(&Event::Command { time_ns: 5 * S, command: Command::CancelAll(Filter::default()) }).unwrap();
    assert_eq!(status(&session), Status::CancelInFlight);
    told(&mut session, 5 * S + 1, AccountEvent::CancelRejected(OrderId(1), Code::OrderNotOpen));
    assert_eq!(status(&session), Status::Unknown);
    told(&mut session, 5 * S + 2, AccountEvent::Rejected(OrderId(1), Code::OrderNotOpen));
    assert_eq!(status(&session), Status::Rejected);
    assert_eq!(session.engine().state().impossible_reports(), 0);
}

/// A session that has bought four tenths of the coin that it asked for, and wants none at the next quote.
fn half_bought() -> Session {
    let mut step = 0;
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event| {
            step += 1;
            match step {
                1 => state.place(state.order_of(event.instrument, Side::Buy, 100_000_000, OrderType::Limit(99_000))).map(|_| ()),
                2 => state.target(event.instrument, 0, OrderType::Market),
                _ => Ok(()),
            }
        })),
        ..Script::default()
    };
    let mut session = live(vec![script.named("one")]);
    session.start(S, false).unwrap();
    session.row(&quote(0, 2 * S, 2 * S, 99_900, 100_100, 1)).unwrap();
    told(&mut session, 2 * S + 1, AccountEvent::Accepted(OrderId(1)));
    let fill = fill_of(&session, 1, 7, 40_000_000, 0, "USDT");
    told(&mut session, 2 * S + 2, fill);
    session.take_requests();
    session
}

#[test]
fn a_target_on_spot_sells_what_is_held_and_waits_for_what_is_coming() {
    let mut session = half_bought();
    let sale = |session: &mut Session| match session.take_requests()[..] {
        [Request::Place { order, .. }] => (order.side, order.quantity),
        ref other => panic!("{other:?}"),
    };
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    assert_eq!(sale(&mut session), (Side::Sell, 40_000_000));
    let AccountEvent::Fill(sold) = fill_of(&session, 2, 9, 40_000_000, 0, "USDT") else { unreachable!() };
    told(&mut session, 3 * S + 1, AccountEvent::Fill(Fill { side: Side::Sell, ..sold }));
    // The rest of the purchase comes: it is sold, too, without another call.
    let rest = fill_of(&session, 1, 8, 60_000_000, 0, "USDT");
    told(&mut session, 3 * S + 2, rest);
    assert_eq!(sale(&mut session), (Side::Sell, 60_000_000));
}

#[test]
fn a_target_whose_order_is_refused_or_rejected_is_given_up() {
    let mut session = half_bought();
    let gone = Condition::Disconnected(VenueIndex(0), Part::Orders);
    session.input(&Event::Status(StatusEvent { time_ns: 2 * S + 3, change: gone })).unwrap();
    // Some of the purchase is still to come, and the sale of what is held cannot leave.
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    let refused = session.engine().state().orders().get(OrderId(2)).unwrap();
    assert_eq!((refused.status, refused.reason), (Status::Rejected, Some(Code::VenueDisconnected)));
    assert_eq!(session.engine().state().strategies()[0].targets, []);

    let mut session = half_bought();
    session.row(&quote(0, 3 * S, 3 * S, 99_900, 100_100, 1)).unwrap();
    session.take_requests();
    told(&mut session, 3 * S + 1, AccountEvent::Rejected(OrderId(2), Code::InsufficientFunds));
    assert_eq!(session.take_requests(), []);
    assert_eq!(session.engine().state().strategies()[0].targets, []);
}
