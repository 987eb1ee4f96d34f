//! Time and order (T), calls and targets (O), bars from trades (V5), by small scripted runs.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::strategy::Script;
use common::{World, at, perpetual, quoted};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tradewind_core::driver::Backtest;
use tradewind_core::engine::MOST_DECISIONS;
use tradewind_core::error::{Code, Result};
use tradewind_core::feed::Recording;
use tradewind_core::instrument::Index;
use tradewind_core::market::{BarInterval, MarketData, MarketEvent, Side, Trade};
use tradewind_core::order::{OrderId, OrderType, Status, TimeInForce};
use tradewind_core::state::{State, Stream, StreamKind};
use tradewind_core::time::{MICROSECOND_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS};
use tradewind_core::venue::Latency;

use OrderType::{Limit, Market};
use Side::{Buy, Sell};

const LATENCIES: [Latency; 2] = [Latency::Constant(0), Latency::Constant(MILLISECOND_NS)];

fn place(state: &mut State, side: Side, quantity: i64, order_type: OrderType) -> Result<OrderId> {
    state.place(state.order_of(at(0), side, quantity, order_type))
}

/// Runs a script that gets the number of each quote.
fn script(world: &World, mut act: impl FnMut(&mut State, i64) -> Result<()> + Send + 'static) -> Backtest {
    world.run(vec![counting(world, move |state, number| act(state, number))])
}

fn counting(world: &World, mut act: impl FnMut(&mut State, i64) -> Result<()> + Send + 'static) -> common::Named {
    let mut number = 0;
    let market = move |state: &mut State, _: &MarketEvent| {
        number += 1;
        act(state, number)
    };
    Script { streams: world.streams(), market: Some(Box::new(market)), ..Script::default() }.named("script")
}

/// Fills as arrival in milliseconds, signed quantity, price.
fn fills(backtest: &Backtest) -> Vec<(i64, i64, i64)> {
    let fill = |booked: &tradewind_core::engine::Booked| {
        (booked.arrival_time_ns / MILLISECOND_NS, booked.fill.signed_quantity(), booked.fill.price)
    };
    backtest.recorder().fills().iter().map(fill).collect()
}

fn quotes(count: i64) -> World {
    quoted(&(1..=count).map(|second| (second, 1_000, 1_001)).collect::<Vec<_>>())
}

#[test]
fn a_request_never_meets_the_row_that_caused_it_and_acts_after_all_rows_of_its_time() {
    // Three quotes at one time: the order of the first is filled at the third.
    let world = quoted(&[(1, 1_000, 1_001), (1, 1_000, 1_005), (1, 1_000, 1_009), (2, 1_000, 1_050)]);
    let once = |state: &mut State, number| if number == 1 { place(state, Buy, 1, Market).map(|_| ()) } else { Ok(()) };
    assert_eq!(fills(&script(&world, once)), [(1_000, 1, 1_009)]);
    // With a latency that ends at the time of a row, it acts after that row, and the answer takes its time.
    let mut world = world;
    world.request_latency = Latency::Constant(SECOND_NS);
    world.answer_latency = Latency::Constant(7 * MILLISECOND_NS);
    assert_eq!(fills(&script(&world, once)), [(2_007, 1, 1_050)]);
}

#[test]
fn an_order_of_the_last_row_is_still_answered() {
    for latency in LATENCIES {
        let mut world = quotes(2);
        world.request_latency = latency;
        let run = script(&world, |state, number| if number == 2 { place(state, Buy, 1, Market).map(|_| ()) } else { Ok(()) });
        assert_eq!(run.recorder().fills_booked(), 1);
    }
}

#[test]
fn latencies_keep_the_order_of_messages() {
    let mut world = quotes(200);
    world.request_latency = Latency::Uniform { low_ns: 0, high_ns: 10 * SECOND_NS };
    world.answer_latency = Latency::Exponential { minimum_ns: 0, mean_ns: 10 * SECOND_NS };
    let run = script(&world, |state, _| place(state, Buy, 1, Market).map(|_| ()));
    let orders: Vec<_> = run.recorder().fills().iter().map(|booked| booked.count).collect();
    assert_eq!(orders, (1..=200).collect::<Vec<_>>());
    assert!(run.recorder().fills().windows(2).all(|pair| pair[0].arrival_time_ns <= pair[1].arrival_time_ns));
    assert_eq!(run.engine().state().ignored_reports(), 0);
}

#[test]
fn endless_decisions_end_the_run_after_so_many() {
    for latency in [Latency::Constant(0), Latency::Constant(MICROSECOND_NS)] {
        for each in [1, 2, 50] {
            let mut world = quotes(3);
            world.request_latency = latency;
            world.answer_latency = latency;
            let market = |state: &mut State, _: &MarketEvent| place(state, Buy, 1, Market).map(|_| ());
            let met = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&met);
            let fill = move |state: &mut State, _: &tradewind_core::account::Fill| {
                count.fetch_add(1, Ordering::Relaxed);
                (0..each).try_for_each(|_| place(state, Buy, 1, Market).map(|_| ()))
            };
            let script =
                Script { streams: world.streams(), market: Some(Box::new(market)), fill: Some(Box::new(fill)), ..Script::default() };
            let mut run = world.backtest(vec![script.named("endless")]);
            let error = run.run().unwrap_err();
            assert_eq!(error.code, Code::EndlessDecisions, "{latency:?} {each}");
            let met = met.load(Ordering::Relaxed);
            assert!(met <= MOST_DECISIONS + 1, "{met} fills for {each} with {latency:?}");
            assert_eq!(run.run().unwrap_err(), error, "a failed run stays failed");
        }
    }
}

#[test]
fn orders_that_grow_from_row_to_row_end_the_run_before_they_fill_the_memory() {
    // Between two rows there are never many, and none is answered for a day.
    let mut world = quotes(40_000);
    world.request_latency = Latency::Constant(86_400 * SECOND_NS);
    let three = |state: &mut State, _| (0..3).try_for_each(|_| place(state, Buy, 1, Limit(1)).map(|_| ()));
    let mut run = world.backtest(vec![counting(&world, three)]);
    let error = run.run().unwrap_err();
    assert_eq!(error.code, Code::EndlessDecisions);
    assert!(error.message.contains("100000 open orders"), "{}", error.message);
}

#[test]
fn a_chain_that_goes_on_from_row_to_row_is_not_endless() {
    // An order is sent again whenever it was cancelled: a thousand and more times, but never
    // more than a few between two rows, and not after the end.
    let mut world = quotes(50);
    world.request_latency = Latency::Constant(10 * MILLISECOND_NS);
    let send = |state: &mut State| {
        let mut order = state.order_of(at(0), Buy, 1, Limit(900));
        order.time_in_force = TimeInForce::ImmediateOrCancel;
        state.place(order).map(|_| ())
    };
    let mut begun = false;
    let market = move |state: &mut State, _: &MarketEvent| if std::mem::replace(&mut begun, true) { Ok(()) } else { send(state) };
    let order = move |state: &mut State, order: &tradewind_core::order::Order| {
        if order.status == Status::Cancelled { send(state) } else { Ok(()) }
    };
    let script = Script { streams: world.streams(), market: Some(Box::new(market)), order: Some(Box::new(order)), ..Script::default() };
    let run = world.run(vec![script.named("again")]);
    assert!(run.recorder().orders_sent() > 4_000, "{}", run.recorder().orders_sent());
    assert_eq!(run.engine().state().orders().all_open().count(), 0);
}

#[test]
fn limits_judge_an_order_before_those_that_were_asked_for_after_it() {
    let limits = tradewind_core::risk::Limits { position: Some(2), open_orders: Some(2), ..Default::default() };
    let world = quotes(4);
    let market = |state: &mut State, _: &MarketEvent| {
        if state.orders().known().next().is_some() {
            return Ok(());
        }
        place(state, Buy, 1, Limit(900))?;
        place(state, Buy, 5, Limit(900))?;
        place(state, Buy, 1, Limit(900))?;
        place(state, Buy, 1, Limit(900)).map(|_| ())
    };
    let script = Script { streams: world.streams(), market: Some(Box::new(market)), ..Script::default() };
    let risk = tradewind_core::risk::Risk::new(vec![limits], Vec::new());
    let mut run = Backtest::new(world.settings(), vec![script.named("several")], risk, world.recordings.clone()).unwrap();
    run.run().unwrap();
    let mut reasons: Vec<_> = run.recorder().orders().iter().map(|order| (order.id.0, order.reason.unwrap())).collect();
    reasons.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(reasons, [(1, Code::Requested), (2, Code::RiskPosition), (3, Code::Requested), (4, Code::RiskPosition)]);
}

#[test]
fn endless_refusals_and_timers_end_the_run_too() {
    let world = quotes(3);
    let order = |state: &mut State, order: &tradewind_core::order::Order| {
        if order.status == Status::Rejected { place(state, Buy, 1, Limit(1)).map(|_| ()) } else { Ok(()) }
    };
    let limits = tradewind_core::risk::Limits { price_collar: Some(1), ..Default::default() };
    let market = |state: &mut State, _: &MarketEvent| place(state, Buy, 1, Limit(1)).map(|_| ());
    let refused = Script { streams: world.streams(), market: Some(Box::new(market)), order: Some(Box::new(order)), ..Script::default() };
    let risk = tradewind_core::risk::Risk::new(vec![limits], Vec::new());
    let mut run = Backtest::new(world.settings(), vec![refused.named("refused")], risk, world.recordings.clone()).unwrap();
    assert_eq!(run.run().unwrap_err().code, Code::EndlessDecisions);

    let again = |state: &mut State| {
        state.timer(state.now_ns());
        Ok(())
    };
    let timers = Script {
        streams: world.streams(),
        market: Some(Box::new(move |state: &mut State, _: &MarketEvent| again(state))),
        timer: Some(Box::new(move |state: &mut State, _, _| again(state))),
        ..Script::default()
    };
    assert_eq!(world.backtest(vec![timers.named("timers")]).run().unwrap_err().code, Code::EndlessDecisions);
}

#[test]
fn a_target_is_reached_once_however_often_it_is_asked_for() {
    for latency in LATENCIES {
        let mut world = quotes(9);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let run = script(&world, |state, number| {
            for _ in 0..3 {
                state.target(at(0), if number < 5 { 7 } else { -2 }, Market)?;
            }
            Ok(())
        });
        assert_eq!(run.recorder().fills().iter().map(|booked| booked.fill.signed_quantity()).collect::<Vec<_>>(), [7, -9]);
    }
}

#[test]
fn a_target_that_comes_back_while_its_cancel_is_under_way_is_reached() {
    let mut world = quotes(20);
    world.request_latency = Latency::Constant(1_500 * MILLISECOND_NS);
    world.answer_latency = Latency::Constant(1_500 * MILLISECOND_NS);
    let run = script(&world, |state, number| match number {
        1 => state.target(at(0), 5, Limit(900)),
        // The first order rests; the second target cancels it, the third wants it back.
        6 => state.target(at(0), 0, Market),
        7 => {
            assert_eq!(state.orders().all_open().map(|order| order.status).collect::<Vec<_>>(), [Status::CancelInFlight]);
            state.target(at(0), 5, Market)
        }
        _ => Ok(()),
    });
    assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_target_waits_for_a_cancel_that_the_strategy_asked_for() {
    let mut world = quotes(20);
    world.request_latency = Latency::Constant(1_500 * MILLISECOND_NS);
    let run = script(&world, |state, number| match number {
        1 => place(state, Buy, 5, Limit(900)).map(|_| ()),
        6 => state.cancel(OrderId(1)),
        7 => state.target(at(0), 5, Market),
        _ => Ok(()),
    });
    assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_target_counts_orders_that_work_and_replaces_only_its_own() {
    let run = script(&quotes(9), |state, number| match number {
        1 => place(state, Buy, 3, Limit(900)).map(|_| ()),
        2 => state.target(at(0), 5, Limit(950)),
        3 => state.target(at(0), 9, Market),
        4 => {
            // The order that was placed by hand still works; the target's own was replaced.
            let open: Vec<_> = state.orders().all_open().map(|order| (order.request.quantity, order.by_target)).collect();
            assert_eq!(open, [(3, false)]);
            assert_eq!(state.position(state.calling(), at(0)).quantity, 6);
            Ok(())
        }
        _ => Ok(()),
    });
    assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [6]);
}

#[test]
fn a_target_at_another_price_replaces_the_order_that_works_towards_it() {
    let world = quotes(6);
    let run = script(&world, |state, number| match number {
        1 => state.target(at(0), 2, Limit(990)),
        2 | 3 => state.target(at(0), 2, Limit(995)),
        4 => state.target(at(0), 2, Market),
        _ => Ok(()),
    });
    let orders: Vec<_> = run.recorder().orders().iter().map(|order| (order.request.order_type, order.status)).collect();
    assert_eq!(orders, [(Limit(990), Status::Cancelled), (Limit(995), Status::Cancelled), (Market, Status::Filled)]);
    assert_eq!(fills(&run).iter().map(|fill| fill.1).sum::<i64>(), 2);
}

#[test]
fn dust_counts_as_reached_and_disturbs_nothing() {
    // A fee in the base asset leaves the position a little under its target.
    let specification = tradewind_core::instrument::Specification {
        lot: 100,
        fees: tradewind_core::instrument::Fees {
            maker: 1_000_000,
            taker: 1_000_000,
            liquidation: 0,
            asset: tradewind_core::instrument::FeeAsset::Received,
        },
        ..common::spot("v", "X", "X", "USD")
    };
    let index = Arc::new(Index::new(&[], &[specification]).unwrap());
    let trade = |second: i64| {
        let trade = Trade { price: 1_000, quantity: 20_000, aggressor: None, id: second };
        MarketEvent::new(at(0), second * SECOND_NS, second * SECOND_NS, MarketData::Trade(trade))
    };
    let mut world = World::new(index, 1).with_balance("v", "USD", 1_000);
    let rows: Vec<_> = (1..=9).map(trade).collect();
    world.recordings.push(Recording::new("trades", vec![rows.into()]).unwrap());
    let run = script(&world, |state, _| state.target(at(0), 50_000, Market));
    // The one order takes three trades; 0.1 % of each is missing in the end, less than a lot.
    assert_eq!(run.recorder().orders().len(), 1);
    assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [20_000, 20_000, 10_000]);
    assert_eq!(run.engine().state().position(run.recorder().orders()[0].strategy, at(0)).quantity, 49_950);
}

#[test]
fn close_cancels_and_closes() {
    for latency in LATENCIES {
        let mut world = quotes(9);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let run = script(&world, |state, number| match number {
            1 => place(state, Buy, 3, Market).map(|_| ()),
            2 => place(state, Sell, 3, Limit(2_000)).map(|_| ()),
            4 => state.close(at(0)),
            _ => Ok(()),
        });
        assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [3, -3]);
        assert_eq!(run.engine().state().orders().all_open().count(), 0);
    }
}

#[test]
fn a_close_on_every_row_sends_what_one_sends() {
    // An order needs three rows to arrive; it is not cancelled meanwhile, whether it goes in one or in pieces.
    for (largest, sent) in [(10, vec![3, -3]), (2, vec![2, 1, -2, -1])] {
        let mut world = quotes(24);
        world.request_latency = Latency::Constant(3 * SECOND_NS);
        let strategy = counting(&world, move |state, number| match number {
            1 if largest < 3 => place(state, Buy, 2, Market).and_then(|_| place(state, Buy, 1, Market)).map(|_| ()),
            1 => place(state, Buy, 3, Market).map(|_| ()),
            10.. => state.close(at(0)),
            _ => Ok(()),
        });
        let limits = tradewind_core::risk::Limits { order_quantity: Some(largest), ..Default::default() };
        let risk = tradewind_core::risk::Risk::new(vec![limits], Vec::new());
        let mut run = Backtest::new(world.settings(), vec![strategy], risk, world.recordings.clone()).unwrap();
        run.run().unwrap();
        assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), sent);
        assert_eq!(run.recorder().orders().len(), sent.len());
    }
}

#[test]
fn what_is_asked_for_in_one_callback_counts_the_cancels_before_it() {
    // A sale that takes profit rests; a target first, or not; and then out, whichever way that is said.
    for latency in LATENCIES {
        for (first, last) in [(None, 0), (None, 1), (Some(5), 0), (Some(5), 1), (Some(0), 0), (Some(0), 1), (Some(3), 1)] {
            let mut world = quotes(12);
            (world.request_latency, world.answer_latency) = (latency, latency);
            let run = script(&world, move |state, number| match number {
                1 => place(state, Buy, 3, Market).map(|_| ()),
                3 => place(state, Sell, 3, Limit(2_000)).map(|_| ()),
                5 => {
                    first.map_or(Ok(()), |quantity| state.target(at(0), quantity, Market))?;
                    if last == 0 {
                        return state.close(at(0));
                    }
                    state.cancel_all(Some(at(0)));
                    state.target(at(0), 0, Market)
                }
                _ => Ok(()),
            });
            assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [3, -3], "{first:?} {last}");
            assert_eq!(run.engine().state().orders().all_open().count(), 0);
        }
    }
}

#[test]
fn what_is_ordered_behind_a_held_back_target_comes_on_top_of_it() {
    // A bid rests far below when the target is stated; what is bought later on purpose is not sold with it.
    let quotes: Vec<_> = (1..=14).map(|second| if second == 10 { (second, 890, 891) } else { (second, 1_000, 1_001) }).collect();
    for latency in LATENCIES {
        let mut world = common::quoted_as(common::spot("v", "X", "X", "USD"), &quotes).with_balance("v", "X", 50);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let run = script(&world, |state, number| match number {
            1 => place(state, Buy, 2, Limit(900)).map(|_| ()),
            2 => state.target(at(0), 0, Market),
            4 => place(state, Buy, 4, Market).map(|_| ()),
            6 => place(state, Buy, 3, Limit(800)).map(|_| ()),
            8 => place(state, Sell, 1, Market).map(|_| ()),
            _ => Ok(()),
        });
        // The bid, and what the target still wanted of it.
        assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [4, -1, 2, -2], "{latency:?}");
    }
}

#[test]
fn a_target_closes_before_it_goes_through_zero_where_an_order_may_be_too_small_for_both() {
    let limits = tradewind_core::risk::Limits { order_quantity: Some(20), ..Default::default() };
    for latency in LATENCIES {
        let mut world = quotes(12);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let strategy = counting(&world, |state, number| match number {
            1 => state.target(at(0), 10, Market),
            4 => {
                place(state, Buy, 1, Market)?;
                state.target(at(0), -20, Market)?;
                place(state, Buy, 1, Market).map(|_| ())
            }
            _ => Ok(()),
        });
        let risk = tradewind_core::risk::Risk::new(vec![limits], Vec::new());
        let mut run = Backtest::new(world.settings(), vec![strategy], risk, world.recordings.clone()).unwrap();
        run.run().unwrap();
        assert_eq!(run.engine().state().position(tradewind_core::order::StrategyIndex(0), at(0)).quantity, -19, "{latency:?}");
        assert!(run.recorder().orders().len() <= 6, "{:?}", fills(&run));
    }
}

#[test]
fn a_target_that_goes_through_zero_at_the_end_closes_once() {
    for latency in LATENCIES {
        let mut world = quotes(6);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let market = |state: &mut State, _: &MarketEvent| state.target(at(0), 4, Market);
        // Nothing opens any more.
        let stop = |state: &mut State| state.target(at(0), -4, Market);
        let script = Script { streams: world.streams(), market: Some(Box::new(market)), stop: Some(Box::new(stop)), ..Script::default() };
        let run = world.run(vec![script.named("stops")]);
        assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [4, -4]);
        assert_eq!(run.recorder().orders().iter().filter(|order| order.status == Status::Rejected).count(), 1);
    }
}

#[test]
fn a_target_whose_own_order_it_cancels_itself_is_not_given_up() {
    // It goes in pieces; another order is cancelled as it leaves, while the first piece is queued behind it.
    for latency in LATENCIES {
        let mut world = quotes(20);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let mut number = 0;
        let market = move |state: &mut State, _: &MarketEvent| {
            number += 1;
            match number {
                1 | 2 => place(state, Buy, 10, Market).map(|_| ()),
                4 => place(state, Buy, 5, Limit(500)).and_then(|_| state.target(at(0), 0, Market)),
                _ => Ok(()),
            }
        };
        let order = |state: &mut State, order: &tradewind_core::order::Order| {
            let leaves = order.status == Status::InFlight && order.request.order_type == Limit(500);
            if leaves { state.cancel(order.id) } else { Ok(()) }
        };
        let script = Script { streams: world.streams(), market: Some(Box::new(market)), order: Some(Box::new(order)), ..Script::default() };
        let limits = tradewind_core::risk::Limits { order_quantity: Some(10), ..Default::default() };
        let risk = tradewind_core::risk::Risk::new(vec![limits], Vec::new());
        let mut run = Backtest::new(world.settings(), vec![script.named("s")], risk, world.recordings.clone()).unwrap();
        run.run().unwrap();
        assert_eq!(run.engine().state().position(tradewind_core::order::StrategyIndex(0), at(0)).quantity, 0, "{latency:?}");
    }
}

fn reduce(state: &mut State, side: Side, quantity: i64, order_type: OrderType) -> Result<()> {
    let order = state.order_of(at(0), side, quantity, order_type);
    state.place(tradewind_core::order::NewOrder { reduce_only: true, ..order }).map(|_| ())
}

#[test]
fn a_target_counts_what_becomes_of_orders_of_its_callback() {
    // A sale that risk refuses, as it reduces nothing, before the last target of three.
    for latency in LATENCIES {
        let mut world = quotes(12);
        (world.request_latency, world.answer_latency) = (latency, latency);
        for earlier in [None, Some(1)] {
            let run = script(&world, move |state, number| match number {
                2 => {
                    earlier.map_or(Ok(()), |quantity| state.target(at(0), quantity, Market))?;
                    reduce(state, Sell, 3, Market)?;
                    state.target(at(0), 3, Market)
                }
                _ => Ok(()),
            });
            assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [3], "{latency:?} {earlier:?}");
        }
        // As much as is wanted rests, and is cancelled behind the target; or is refused before it.
        let bid = Arc::new(Mutex::new(OrderId(0)));
        for quantity in [2, 3, 4] {
            let kept = Arc::clone(&bid);
            let run = script(&world, move |state, number| match number {
                1 => place(state, Buy, 3, Limit(900)).map(|id| *kept.lock().unwrap() = id),
                3 => {
                    state.target(at(0), quantity, Market)?;
                    state.cancel(*kept.lock().unwrap())
                }
                _ => Ok(()),
            });
            assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [quantity], "{latency:?}");
        }
        let strategy = counting(&world, |state, number| match number {
            2 => place(state, Buy, 3, Limit(2_000)).and_then(|_| state.target(at(0), 3, Market)),
            _ => Ok(()),
        });
        let collar = tradewind_core::risk::Limits { price_collar: Some(100_000), ..Default::default() };
        let risk = tradewind_core::risk::Risk::new(vec![collar], Vec::new());
        let mut run = Backtest::new(world.settings(), vec![strategy], risk, world.recordings.clone()).unwrap();
        run.run().unwrap();
        assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [3], "{latency:?}");
    }
}

#[test]
fn what_may_only_reduce_is_its_strategys_where_others_hold_the_same() {
    let rises: Vec<_> = (1..=14).map(|second| if second < 8 { (second, 1_000, 1_001) } else { (second, 1_200, 1_201) }).collect();
    for latency in LATENCIES {
        let mut world = quoted(&rises);
        (world.request_latency, world.answer_latency) = (latency, latency);
        for (is_late, two_at_once) in [(false, false), (true, false), (false, true)] {
            let (_, other) = counting(&world, move |state, number| match number {
                1 if !is_late => place(state, Buy, 10, Market).map(|_| ()),
                6 if is_late => place(state, Buy, 10, Market).map(|_| ()),
                _ => Ok(()),
            });
            let (_, ours) = counting(&world, move |state, number| match number {
                1 => place(state, Buy, 10, Market).map(|_| ()),
                2 if two_at_once => reduce(state, Sell, 8, Market).and_then(|()| reduce(state, Sell, 8, Market)),
                // It rests, and is more than what is left of the position.
                2 => reduce(state, Sell, 10, Limit(1_100)),
                4 if !two_at_once => place(state, Sell, 7, Market).map(|_| ()),
                _ => Ok(()),
            });
            let run = world.run(vec![("other".to_owned(), other), ("ours".to_owned(), ours)]);
            let held = |place: u16| run.engine().state().position(tradewind_core::order::StrategyIndex(place), at(0)).quantity;
            assert_eq!((held(0), held(1)), (10, if two_at_once { 2 } else { 3 }), "{latency:?} {is_late} {two_at_once}");
        }
    }
}

#[test]
fn what_may_only_reduce_is_looked_after_on_spot() {
    let quotes: Vec<_> = (1..=14).map(|second| (second, 1_000, 1_001)).collect();
    for latency in LATENCIES {
        // The account holds coins of somebody else: the venue would sell them.
        let mut world = common::quoted_as(common::spot("v", "X", "X", "USD"), &quotes).with_balance("v", "X", 50);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let run = script(&world, move |state, number| match number {
            1 => reduce(state, Sell, 1, Market),
            2 => place(state, Buy, 5, Market).map(|_| ()),
            4 => reduce(state, Buy, 1, Market),
            5 => reduce(state, Sell, 6, Market),
            6 => reduce(state, Sell, 3, Limit(1_200)),
            // What rests wants three of five.
            7 => reduce(state, Sell, 3, Market),
            8 => reduce(state, Sell, 2, Market),
            // Nothing stops an order that says what it wants: the one that rests is not covered any more.
            10 => place(state, Sell, 1, Market).map(|_| ()),
            _ => Ok(()),
        });
        let orders: Vec<_> = run.recorder().orders().iter().map(|order| (order.count, order.status, order.reason)).collect();
        let refused = |count| (count, Status::Rejected, Some(Code::ReduceOnly));
        let filled = |count| (count, Status::Filled, None);
        let cancelled = (5, Status::Cancelled, Some(Code::Requested));
        assert_eq!(orders, [refused(1), filled(2), refused(3), refused(4), refused(6), filled(7), filled(8), cancelled]);
    }
}

#[test]
fn a_strategy_can_close_its_position_as_it_stops_but_open_nothing() {
    for latency in LATENCIES {
        let mut world = quotes(9);
        (world.request_latency, world.answer_latency) = (latency, latency);
        let market = |state: &mut State, _: &MarketEvent| state.target(at(0), 4, Market);
        let stop = |state: &mut State| {
            place(state, Buy, 1, Market)?;
            state.close(at(0))
        };
        let script = Script { streams: world.streams(), market: Some(Box::new(market)), stop: Some(Box::new(stop)), ..Script::default() };
        let run = world.run(vec![script.named("stops")]);
        assert_eq!(fills(&run).iter().map(|fill| fill.1).collect::<Vec<_>>(), [4, -4]);
    }
}

#[test]
fn an_order_after_the_end_is_rejected_and_leaves_nothing_open() {
    let world = quotes(3);
    let market = |state: &mut State, event: &MarketEvent| match event.venue_time_ns / SECOND_NS {
        1 => place(state, Buy, 4, Market).map(|_| ()),
        2 => place(state, Sell, 4, Limit(2_000)).map(|_| ()),
        _ => Ok(()),
    };
    // Puts its exit back whenever it is cancelled.
    let order = |state: &mut State, order: &tradewind_core::order::Order| {
        if order.status == Status::Cancelled { place(state, Sell, 4, Limit(2_000)).map(|_| ()) } else { Ok(()) }
    };
    let script = Script { streams: world.streams(), market: Some(Box::new(market)), order: Some(Box::new(order)), ..Script::default() };
    let run = world.run(vec![script.named("stubborn")]);
    assert_eq!(run.engine().state().orders().all_open().count(), 0);
    assert_eq!(run.venues().next().unwrap().account().position(at(0)).quantity, 4);
    assert_eq!(run.recorder().orders().last().unwrap().reason, Some(Code::EndOfRun));
}

#[test]
fn a_cancel_that_crosses_the_fill_is_a_stale_report_and_no_fault() {
    let mut world = quoted(&[(1, 1_000, 1_001), (2, 1_000, 1_001), (3, 1_000, 1_001), (4, 1_000, 1_001)]);
    world.answer_latency = Latency::Constant(1_500 * MILLISECOND_NS);
    let run = script(&world, |state, number| match number {
        1 => place(state, Buy, 1, Market).map(|_| ()),
        2 => {
            // Twice in one callback: one request leaves.
            state.cancel(OrderId(1))?;
            state.cancel(OrderId(1))
        }
        _ => Ok(()),
    });
    let state = run.engine().state();
    assert_eq!((run.recorder().fills_booked(), state.stale_reports(), state.impossible_reports()), (1, 1, 0));
}

#[test]
fn an_order_that_was_forgotten_can_still_be_cancelled_without_an_error() {
    let world = quotes(6_000);
    let run = script(&world, |state, number| {
        if number == 6_000 {
            assert!(state.order(OrderId(1)).is_err());
            state.cancel(OrderId(1))?;
            assert_eq!(state.cancel(OrderId(9_999)).unwrap_err().code, Code::UnknownOrder);
            return Ok(());
        }
        place(state, if number % 2 == 0 { Buy } else { Sell }, 1, Market).map(|_| ())
    });
    assert_eq!(run.recorder().fills_booked(), 5_999);
}

#[test]
fn timers_fire_when_they_are_due_and_not_after_the_end() {
    let fired = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&fired);
    let world = quotes(3);
    let market = |state: &mut State, event: &MarketEvent| {
        if event.venue_time_ns == SECOND_NS {
            for due_ms in [2_500, 1_000, 500, 3_000, 3_001] {
                state.timer(due_ms * MILLISECOND_NS);
            }
        }
        Ok(())
    };
    let timer = move |state: &mut State, number, due_ns| {
        seen.lock().unwrap().push((number, due_ns / MILLISECOND_NS, state.now_ns() / MILLISECOND_NS));
        Ok(())
    };
    let script = Script { streams: world.streams(), market: Some(Box::new(market)), timer: Some(Box::new(timer)), ..Script::default() };
    world.run(vec![script.named("timers")]);
    // One that was due before it was asked for is due at once; the last row's time is still within the run.
    assert_eq!(*fired.lock().unwrap(), [(2, 1_000, 1_000), (3, 1_000, 1_000), (1, 2_500, 2_500), (4, 3_000, 3_000)]);
}

#[test]
fn bars_built_from_trades_close_by_a_later_trade_or_by_a_timer() {
    let index = Arc::new(Index::new(&[], &[perpetual("v", "X", "X", "USD")]).unwrap());
    let trade = |ms: i64, price| {
        let trade = Trade { price, quantity: 2, aggressor: None, id: ms };
        MarketEvent::new(at(0), ms * MILLISECOND_NS, ms * MILLISECOND_NS, MarketData::Trade(trade))
    };
    let mut world = World::new(index, 1).with_balance("v", "USD", 1_000);
    // The first bar is closed by the trade at one minute, the second by its timer, the third stays open.
    let rows = vec![trade(1_000, 10), trade(59_999, 12), trade(60_000, 11), trade(300_000, 9)];
    world.recordings.push(Recording::new("trades", vec![rows.into()]).unwrap());
    let bars = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bars);
    let market = move |state: &mut State, event: &MarketEvent| {
        if let MarketData::Bar(bar) = event.data() {
            seen.lock().unwrap().push((bar.open_time_ns / MINUTE_NS, bar.high, bar.close, bar.volume, state.now_ns() / MILLISECOND_NS));
        }
        Ok(())
    };
    let stream = Stream { instrument: at(0), kind: StreamKind::Bars(BarInterval::parse("1m").unwrap()) };
    let script = Script { streams: vec![stream], market: Some(Box::new(market)), ..Script::default() };
    world.run(vec![script.named("bars")]);
    assert_eq!(*bars.lock().unwrap(), [(0, 12, 12, 4, 60_000), (1, 11, 11, 2, 121_000)]);
}

#[test]
fn late_trades_are_counted_and_left_out() {
    let mut world = quoted(&[]);
    let trade = |venue_second: i64, arrival_second: i64| {
        let data = MarketData::Trade(Trade { price: 1_000, quantity: 2, aggressor: None, id: arrival_second });
        MarketEvent::new(at(0), venue_second * SECOND_NS, arrival_second * SECOND_NS, data)
    };
    let rows = vec![trade(10, 10), trade(70, 70), trade(20, 71), trade(71, 72)];
    world.recordings = vec![Recording::new("trades", vec![rows.into()]).unwrap()];
    let stream = |interval| Stream { instrument: at(0), kind: StreamKind::Bars(BarInterval::parse(interval).unwrap()) };
    let late = |streams| world.run(vec![Script { streams, ..Script::default() }.named("bars")]).engine().late_trades();
    assert_eq!((late(vec![]), late(vec![stream("1m")]), late(vec![stream("1m"), stream("1h"), stream("30s")])), (0, 1, 2));
}

#[test]
fn what_cannot_be_held_exactly_raises_at_the_call() {
    script(&quotes(1), |state, _| {
        for quantity in [i64::MAX, i64::MIN, i64::MAX / 2, 2_000_000_000_000_000_000] {
            assert_eq!(state.target(at(0), quantity, Market).unwrap_err().code, Code::OutOfRange);
        }
        assert_eq!(place(state, Buy, i64::MAX, Market).unwrap_err().code, Code::OutOfRange);
        assert_eq!(place(state, Buy, 1_000_000_000_000_000_000, Limit(i64::MAX)).unwrap_err().code, Code::OutOfRange);
        assert_eq!(place(state, Buy, 0, Market).unwrap_err().code, Code::BadQuantity);
        assert_eq!(place(state, Buy, 1, Limit(0)).unwrap_err().code, Code::BadPrice);
        Ok(())
    });
}
