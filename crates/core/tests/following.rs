//! A session that is run again takes over what really happened, cause by cause.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::{Clock, Detail, random};
use common::session::*;
use common::strategy::Script;
use common::{Named, World, at, spot};
use proptest::prelude::*;
use std::sync::Arc;
use tradewind_core::account::{FeeKind, Fill};
use tradewind_core::chance::Chance;
use tradewind_core::driver::{Cause, Record, Session};
use tradewind_core::error::Code;
use tradewind_core::event::{AccountEvent, AccountReport, Entry, Event, decode_entries};
use tradewind_core::feed::Merge;
use tradewind_core::instrument::{AccountIndex, FeeAsset, Fees, Index, Specification};
use tradewind_core::market::{MarketData, MarketEvent, Side, Trade};
use tradewind_core::order::{Liquidity, Order, OrderId, OrderType, Status, TimeInForce};
use tradewind_core::risk::Risk;
use tradewind_core::time::MILLISECOND_NS;
use tradewind_core::venue::{Latency, Resting};

const MS: i64 = MILLISECOND_NS;

/// A spot pair with a taker fee of 0.1 %, whose venue is stated to be 20 ms away.
fn world() -> World {
    let fees = Fees { maker: 0, taker: 1_000_000, liquidation: 0, asset: FeeAsset::Quote };
    let specification = Specification { fees, ..spot("real", "BTCUSDT", "BTC", "USDT") };
    let mut world = World::new(Arc::new(Index::new(&[], &[specification]).unwrap()), 1);
    world.keeps_journal = true;
    world.request_latency = Latency::Constant(20 * MS);
    world.answer_latency = Latency::Constant(20 * MS);
    world
}

/// Places an order at the first quote, and cancels everything at the third.
fn strategy(order_type: OrderType, time_in_force: TimeInForce) -> Vec<Named> {
    let mut seen = 0;
    let script = Script {
        streams: vec![quotes(0), trades(0)],
        market: Some(Box::new(move |state, event| {
            seen += i32::from(matches!(event.data(), MarketData::Quote(_)));
            if seen == 1 && matches!(event.data(), MarketData::Quote(_)) {
                let mut order = state.order_of(event.instrument, Side::Buy, 1_000, order_type);
                order.time_in_force = time_in_force;
                state.place(order)?;
            }
            if seen == 3 {
                state.cancel_all(None);
            }
            Ok(())
        })),
        ..Script::default()
    };
    vec![script.named("one")]
}

/// A live session with what happens in it, and its backtests.
struct Lived {
    order: (OrderType, TimeInForce),
    block: Vec<u8>,
    record: Record,
}

impl Lived {
    /// Rows come at seconds 1, 2 and 3; reports at their times among them.
    fn new(order: (OrderType, TimeInForce), rows: &[MarketEvent], reports: &[AccountReport]) -> Self {
        let world = world();
        let mut settings = world.settings();
        settings.venues.clear();
        let mut session = Session::new(settings, strategy(order.0, order.1), Risk::default(), vec![quotes(0), trades(0)]).unwrap();
        session.start(MS, false).unwrap();
        let usdt = world.index.find_asset("USDT").unwrap();
        told(&mut session, 2 * MS, AccountEvent::Deposit { asset: usdt, amount: 10_i128.pow(14) });
        let mut events: Vec<Event> = rows.iter().map(|row| Event::Market(*row)).collect();
        events.extend(reports.iter().map(|report| Event::Account(*report)));
        events.sort_by_key(Event::arrival_time_ns);
        for event in &events {
            match event {
                Event::Market(row) => session.row(row).unwrap(),
                event => session.input(event).unwrap(),
            }
        }
        session.finish().unwrap();
        assert_eq!(session.engine().state().impossible_reports(), 0);
        let mut lived = Self { order, block: block(&mut session), record: Record::default() };
        lived.measure(&[]);
        lived
    }

    /// When the order, or its cancel, came to the venue.
    fn measure(&mut self, venue_times: &[(bool, i64)]) {
        self.record = Record::new(venue_times.iter().map(|&(is_cancel, time_ns)| (OrderId(1), is_cancel, Some(time_ns))));
        self.record.observe(&self.block).unwrap();
        self.record.confirm(&self.block).unwrap();
    }

    /// The order of the backtest; without the differences up to a cause.
    fn again(&self, removed: Option<Cause>) -> (Order, Vec<Fill>) {
        let mut session =
            Session::new(settings(&world(), 50 * MS), strategy(self.order.0, self.order.1), Risk::default(), vec![quotes(0), trades(0)])
                .unwrap();
        session.set_streams(&[quotes(0), trades(0)]);
        if let Some(cause) = removed {
            session.follow(&self.record, cause);
            if cause >= Cause::DataArrival {
                session.show_ahead(&self.block).unwrap();
            }
        }
        session.live_again(&self.block).unwrap();
        let fills = session.recorder().fills().iter().map(|booked| booked.fill).collect();
        (session.recorder().orders()[0].clone(), fills)
    }
}

fn report(venue_time_ns: i64, arrival_time_ns: i64, event: AccountEvent) -> AccountReport {
    AccountReport { account: AccountIndex(0), venue_time_ns, arrival_time_ns, event }
}

fn accepted() -> AccountReport {
    report(S + 3 * MS, S + 6 * MS, AccountEvent::Accepted(OrderId(1)))
}

fn fill(venue_time_ns: i64, arrival_ns: i64, trade_id: u64, price: i64, quantity: i64, liquidity: Liquidity) -> AccountReport {
    let fill = Fill {
        order: OrderId(1),
        trade_id,
        instrument: at(0),
        side: Side::Buy,
        price,
        quantity,
        liquidity,
        fee: 0,
        fee_asset: world().index.find_asset("USDT").unwrap(),
        fee_kind: FeeKind::Exchange,
        venue_time_ns,
    };
    report(venue_time_ns, arrival_ns, AccountEvent::Fill(fill))
}

fn trade(time_ns: i64, id: i64, price: i64, quantity: i64) -> MarketEvent {
    MarketEvent::new(at(0), time_ns, time_ns + MS / 2, MarketData::Trade(Trade { price, quantity, aggressor: None, id }))
}

fn rows() -> Vec<MarketEvent> {
    vec![quote(0, S, S, 999, 1_001, 5_000), quote(0, 2 * S, 2 * S, 999, 1_001, 5_000), quote(0, 3 * S, 3 * S, 999, 1_001, 5_000)]
}

const MARKET: (OrderType, TimeInForce) = (OrderType::Market, TimeInForce::GoodTillCancelled);
const RESTING: (OrderType, TimeInForce) = (OrderType::Limit(1_000), TimeInForce::GoodTillCancelled);

#[test]
fn requests_and_answers_take_what_was_measured() {
    let mut rows = rows();
    rows.push(trade(S + 3 * MS, 7, 1_001, 1_000));
    let lived = Lived::new(MARKET, &rows, &[accepted(), fill(S + 3 * MS, S + 7 * MS, 7, 1_001, 1_000, Liquidity::Taker)]);
    // Stated: 20 ms there and back, and 50 ms until all rows must have come.
    assert_eq!(lived.again(None).0.updated_ns, S + 70 * MS);
    let (order, fills) = lived.again(Some(Cause::Latency));
    assert_eq!((order.updated_ns, order.status, order.filled), (S + 7 * MS, Status::Filled, 1_000));
    assert_eq!(fills[0].venue_time_ns, S + 3 * MS);
}

#[test]
fn rows_reach_the_venue_at_its_own_time() {
    let mut rows = rows();
    // It was there when the order came, and we knew it only later.
    rows.push(quote(0, S + 2 * MS, S + 9 * MS, 1_009, 1_011, 5_000));
    let lived = Lived::new(MARKET, &rows, &[accepted(), fill(S + 3 * MS, S + 7 * MS, 7, 1_011, 1_000, Liquidity::Taker)]);
    assert_eq!(lived.again(Some(Cause::Latency)).1[0].price, 1_001);
    assert_eq!(lived.again(Some(Cause::DataArrival)).1[0].price, 1_011);
}

#[test]
fn what_was_rejected_is_rejected_and_what_was_taken_is_taken() {
    let rejected = report(S + 6 * MS, S + 6 * MS, AccountEvent::Rejected(OrderId(1), Code::RateLimited));
    let lived = Lived::new(MARKET, &rows(), &[rejected]);
    assert_eq!(lived.again(Some(Cause::DataArrival)).0.status, Status::Filled);
    let (order, fills) = lived.again(Some(Cause::Rejection));
    assert_eq!((order.status, order.reason, order.updated_ns), (Status::Rejected, Some(Code::RateLimited), S + 6 * MS));
    assert!(fills.is_empty());

    // The simulation sees an offer that the order would take; it was gone.
    let post_only = (OrderType::Limit(1_001), TimeInForce::PostOnly);
    let cancelled = report(3 * S + 4 * MS, 3 * S + 5 * MS, AccountEvent::Cancelled(OrderId(1), Code::Requested));
    let lived = Lived::new(post_only, &rows(), &[accepted(), cancelled]);
    assert_eq!(lived.again(Some(Cause::DataArrival)).0.reason, Some(Code::WouldTake));
    let (order, _) = lived.again(Some(Cause::Rejection));
    assert_eq!((order.status, order.reason, order.updated_ns), (Status::Cancelled, Some(Code::Requested), 3 * S + 5 * MS));
}

#[test]
fn a_resting_order_fills_when_it_did_at_its_own_price() {
    let reports = [
        accepted(),
        fill(S + 400 * MS, S + 402 * MS, 7, 1_000, 400, Liquidity::Maker),
        fill(2 * S + 100 * MS, 2 * S + 103 * MS, 8, 1_000, 600, Liquidity::Maker),
    ];
    let mut rows = rows();
    rows.extend([trade(S + 400 * MS, 7, 1_000, 400), trade(2 * S + 100 * MS, 8, 1_000, 600)]);
    let lived = Lived::new(RESTING, &rows, &reports);
    assert_eq!(lived.again(Some(Cause::Rejection)).0.filled, 0, "a touch does not fill (F3)");
    let (order, fills) = lived.again(Some(Cause::Queue));
    assert_eq!((order.status, order.updated_ns), (Status::Filled, 2 * S + 103 * MS));
    assert_eq!(
        fills.iter().map(|fill| (fill.price, fill.quantity, fill.venue_time_ns)).collect::<Vec<_>>(),
        [(1_000, 400, S + 400 * MS), (1_000, 600, 2 * S + 100 * MS)]
    );
}

#[test]
fn what_rested_and_was_not_filled_is_not() {
    let cancelled = report(3 * S + 4 * MS, 3 * S + 5 * MS, AccountEvent::Cancelled(OrderId(1), Code::Requested));
    let mut rows = rows();
    // Somebody sold through our price, and what we see of it is another's queue.
    rows.push(trade(2 * S, 7, 998, 10));
    let lived = Lived::new(RESTING, &rows, &[accepted(), cancelled]);
    assert_eq!(lived.again(Some(Cause::Rejection)).0.filled, 10);
    assert_eq!(lived.again(Some(Cause::Queue)).0.filled, 0);
}

#[test]
fn a_taker_finds_what_was_there_and_pays_the_stated_fee() {
    let mut rows = rows();
    rows.extend([trade(S + 3 * MS, 7, 1_001, 600), trade(S + 3 * MS, 8, 1_002, 400)]);
    let reports = [
        accepted(),
        fill(S + 3 * MS, S + 7 * MS, 7, 1_001, 600, Liquidity::Taker),
        fill(S + 3 * MS, S + 8 * MS, 8, 1_002, 400, Liquidity::Taker),
    ];
    let lived = Lived::new(MARKET, &rows, &reports);
    assert_eq!(lived.again(Some(Cause::Queue)).1.len(), 1);
    let (order, fills) = lived.again(Some(Cause::PartialFill));
    assert_eq!((order.status, order.updated_ns), (Status::Filled, S + 8 * MS));
    assert_eq!(fills.iter().map(|fill| (fill.price, fill.quantity)).collect::<Vec<_>>(), [(1_001, 600), (1_002, 400)]);
    // Reported were none: that is a difference which stays.
    assert!(fills.iter().all(|fill| fill.fee > 0));
}

#[test]
fn what_a_taker_left_ends_as_it_did() {
    let mut rows = rows();
    rows.push(trade(S + 3 * MS, 7, 1_001, 600));
    let ended = report(S + 3 * MS, S + 8 * MS, AccountEvent::Cancelled(OrderId(1), Code::ImmediateOrCancel));
    let reports = [accepted(), fill(S + 3 * MS, S + 7 * MS, 7, 1_001, 600, Liquidity::Taker), ended];
    let lived = Lived::new(MARKET, &rows, &reports);
    let (order, _) = lived.again(Some(Cause::PartialFill));
    assert_eq!((order.status, order.reason, order.filled), (Status::Cancelled, Some(Code::ImmediateOrCancel), 600));
}

#[test]
fn a_fill_that_nobody_else_saw_is_not_taken_over() {
    let mut rows = rows();
    rows.extend([trade(S, 6, 1_001, 1), trade(S + 3 * MS, 7, 1_001, 1_000), trade(2 * S, 9, 1_001, 1)]);
    // The report names another price than the trade that everybody saw, or a trade that nobody saw.
    let misread = fill(S + 3 * MS, S + 7 * MS, 7, 1_100, 1_000, Liquidity::Taker);
    let lived = Lived::new(MARKET, &rows, &[accepted(), misread]);
    assert_eq!(lived.again(Some(Cause::PartialFill)).1[0].price, 1_001);
    let unseen = fill(S + 3 * MS, S + 7 * MS, 8, 1_100, 1_000, Liquidity::Taker);
    let lived = Lived::new(MARKET, &rows, &[accepted(), unseen]);
    assert!(lived.again(Some(Cause::PartialFill)).1.is_empty());
}

#[test]
fn a_fill_beyond_the_limit_is_not_taken_over() {
    let within = (OrderType::Limit(1_001), TimeInForce::GoodTillCancelled);
    let lived = Lived::new(within, &rows(), &[accepted(), fill(S + 3 * MS, S + 7 * MS, 7, 1_002, 1_000, Liquidity::Taker)]);
    assert!(lived.again(Some(Cause::PartialFill)).1.is_empty());
}

#[test]
fn a_missing_answer_is_missed_again() {
    let lost = report(S + 5 * MS, S + 5 * MS, AccountEvent::Lost(OrderId(1)));
    let late = report(S + 700 * MS, S + 700 * MS, AccountEvent::Rejected(OrderId(1), Code::OrderNotOpen));
    let lived = Lived::new(RESTING, &rows(), &[lost, late]);
    let (order, _) = lived.again(Some(Cause::PartialFill));
    assert_eq!((order.status, order.updated_ns), (Status::Rejected, S + 700 * MS));
}

#[test]
fn an_acceptance_that_was_not_told_is_not_told_again() {
    let cancelled = report(3 * S + MS, 3 * S + 2 * MS, AccountEvent::Cancelled(OrderId(1), Code::Requested));
    let lived = Lived::new(RESTING, &rows(), &[cancelled]);
    assert!(lived.again(None).0.is_accepted);
    let (order, _) = lived.again(Some(Cause::Latency));
    assert_eq!((order.is_accepted, order.status, order.updated_ns), (false, Status::Cancelled, 3 * S + 2 * MS));
}

#[test]
fn a_cancel_that_was_carried_out_comes_behind_its_order() {
    // As far as was measured, the order came to the venue after its cancel.
    let late = report(3 * S + 9 * MS, 3 * S + 9 * MS, AccountEvent::Accepted(OrderId(1)));
    let cancelled = report(3 * S + 9 * MS, 3 * S + 10 * MS, AccountEvent::Cancelled(OrderId(1), Code::Requested));
    let mut lived = Lived::new(RESTING, &rows(), &[late, cancelled]);
    lived.measure(&[(false, 3 * S + 8 * MS), (true, 3 * S + 7 * MS)]);
    let (order, _) = lived.again(Some(Cause::Latency));
    assert_eq!((order.status, order.updated_ns), (Status::Cancelled, 3 * S + 10 * MS));
}

#[test]
fn a_cancel_that_found_nothing_does_nothing() {
    let mut rows = rows();
    rows.push(trade(3 * S + MS, 7, 1_000, 1_000));
    let lost = report(3 * S + 5 * MS, 3 * S + 5 * MS, AccountEvent::Lost(OrderId(1)));
    let lived = Lived::new(RESTING, &rows, &[accepted(), lost, fill(3 * S + MS, 3 * S + 6 * MS, 7, 1_000, 1_000, Liquidity::Maker)]);
    let (order, _) = lived.again(Some(Cause::Queue));
    assert_eq!((order.status, order.updated_ns), (Status::Filled, 3 * S + 6 * MS));
}

/// Takes at once or rests, and cancels now and then: as at a real venue, where nothing waits for what is not there.
fn random_trader(seed: u64) -> Vec<Named> {
    let mut chance = Chance::new(seed, &["trader"]);
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event| {
            if chance.happens(0.15) {
                state.cancel_all(None);
            }
            let tick = state.index().instrument(event.instrument).specification.tick;
            let Some(mark) = state.market(event.instrument).mark.price().filter(|_| chance.happens(0.6)) else { return Ok(()) };
            let limit = OrderType::Limit((mark / tick + chance.below(9) as i64 - 4) * tick);
            let (order_type, time_in_force) = [
                (OrderType::Market, TimeInForce::ImmediateOrCancel),
                (limit, TimeInForce::ImmediateOrCancel),
                (limit, TimeInForce::PostOnly),
            ][chance.below(3)];
            let side = [Side::Buy, Side::Sell][chance.below(2)];
            let mut order = state.order_of(event.instrument, side, 10 * (1 + chance.below(30_000) as i64), order_type);
            order.time_in_force = time_in_force;
            state.place(order).map(|_| ())
        })),
        ..Script::default()
    };
    vec![script.named("random")]
}

type Outcome = (Vec<Order>, Vec<Fill>, [u8; 32]);

fn outcome(session: &Session) -> Outcome {
    let fills = session.recorder().fills().iter().map(|booked| booked.fill).collect();
    (session.recorder().orders().to_vec(), fills, session.engine().decisions_hash())
}

/// A session at a venue with other latencies and another queue than the backtest's, and when each request reached it.
fn elsewhere(seed: u64) -> (World, Vec<u8>, Outcome) {
    let mut world = World::new(common::index(), seed).with_money();
    world.keeps_journal = true;
    world.recordings.push(random(&world.index, at(0), Detail::Quotes, Clock::One, 80, seed));
    let mut there = world.clone();
    there.request_latency = Latency::Exponential { minimum_ns: MS, mean_ns: 200 * MS };
    there.answer_latency = Latency::Uniform { low_ns: MS, high_ns: 300 * MS };
    there.fill_model.resting = Resting::Touch;
    let mut session = Session::new(settings(&there, 0), random_trader(seed), Risk::default(), vec![quotes(0)]).unwrap();
    session.set_streams(&[quotes(0)]);
    let (mut merge, _) = Merge::both(there.recordings.clone()).unwrap();
    session.start(common::data::START_NS, false).unwrap();
    while let Some(&row) = merge.event() {
        session.row(&row).unwrap();
        merge.advance().unwrap();
    }
    session.finish().unwrap();
    (world, block(&mut session), outcome(&session))
}

/// When requests reached the venue, as it said.
fn venue_times(entries: &[Entry]) -> Vec<(OrderId, bool, Option<i64>)> {
    let mut times = Vec::new();
    for entry in entries {
        let Entry::Input(Event::Account(report)) = entry else { continue };
        match report.event {
            AccountEvent::Accepted(id) | AccountEvent::Rejected(id, _) => times.push((id, false, Some(report.venue_time_ns))),
            AccountEvent::Cancelled(id, Code::Requested) | AccountEvent::CancelRejected(id, _) => {
                times.push((id, true, Some(report.venue_time_ns)));
            }
            _ => {}
        }
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_all_causes_removed_a_backtest_is_the_session(seed in 0_u64..1_000_000) {
        let (world, block, lived) = elsewhere(seed);
        let mut record = Record::new(venue_times(&decode_entries(&block).unwrap()));
        record.observe(&block).unwrap();
        let mut session = Session::new(settings(&world, 40 * MS), random_trader(seed), Risk::default(), vec![quotes(0)]).unwrap();
        session.set_streams(&[quotes(0)]);
        session.follow(&record, Cause::PartialFill);
        session.show_ahead(&block).unwrap();
        session.live_again(&block).unwrap();
        prop_assert!(outcome(&session) == lived);
    }
}
