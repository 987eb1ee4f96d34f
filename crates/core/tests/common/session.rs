//! Sessions, paper and live, that tests feed by hand.

use super::strategy::Script;
use super::{Named, World, at, quoted, spot};
use std::sync::Arc;
use tradewind_core::account::{FeeKind, Fill};
use tradewind_core::driver::{Session, Settings};
use tradewind_core::event::{AccountEvent, AccountReport, Event};
use tradewind_core::instrument::{AccountIndex, Index};
use tradewind_core::market::{MarketData, MarketEvent, Quote, Side};
use tradewind_core::order::{Liquidity, OrderId, OrderType};
use tradewind_core::risk::{DailyLoss, Risk, SystemLimits};
use tradewind_core::state::{State, Stream, StreamKind, Valuation};
use tradewind_core::time::{MILLISECOND_NS, SECOND_NS};
use tradewind_core::venue::Latency;

pub const S: i64 = SECOND_NS;

pub fn block(session: &mut Session) -> Vec<u8> {
    session.engine_mut().take_journal().map(|(_, _, block)| block).unwrap_or_default()
}

pub fn quotes(instrument: u32) -> Stream {
    Stream { instrument: at(instrument), kind: StreamKind::Quotes }
}

pub fn trades(instrument: u32) -> Stream {
    Stream { instrument: at(instrument), kind: StreamKind::Trades }
}

pub fn quote(instrument: u32, time_ns: i64, arrival_ns: i64, bid: i64, ask: i64, size: i64) -> MarketEvent {
    let quote = MarketData::Quote(Quote { bid, bid_quantity: size, ask, ask_quantity: size });
    MarketEvent::new(at(instrument), time_ns, arrival_ns, quote)
}

/// A paper world of one perpetual with quotes, whose venue lags by 10 ms and answers after 50.
pub fn paper() -> World {
    let mut world = quoted(&[(1, 999, 1_001)]);
    world.keeps_journal = true;
    world.request_latency = Latency::Constant(50 * MILLISECOND_NS);
    world.answer_latency = Latency::Constant(50 * MILLISECOND_NS);
    world
}

pub fn settings(world: &World, lag_ns: i64) -> Settings {
    let mut settings = world.settings();
    settings.venues.iter_mut().for_each(|venue| venue.lag_ns = Some(lag_ns));
    settings
}

/// Buys one unit at the first quote.
pub fn buyer(order_type: OrderType, stop: bool) -> Vec<Named> {
    let mut bought = false;
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(move |state, event| {
            if !std::mem::replace(&mut bought, true) {
                state.place(state.order_of(event.instrument, Side::Buy, 1_000, order_type))?;
            }
            Ok(())
        })),
        stop: if stop { Some(Box::new(|state: &mut State| state.close(at(0)))) } else { None },
        ..Script::default()
    };
    vec![script.named("buyer")]
}

pub fn session(world: &World, lag_ns: i64, strategies: Vec<Named>) -> Session {
    let mut session = Session::new(settings(world, lag_ns), strategies, Risk::default(), vec![quotes(0)]).unwrap();
    session.set_streams(&[quotes(0)]);
    session
}

pub fn points(session: &Session) -> Vec<(i64, f64)> {
    session.recorder().curve().points().iter().map(|point| (point.time_ns, point.equity)).collect()
}

/// A live world: one real venue with two spot pairs that share the quote.
pub fn live(strategies: Vec<Named>) -> Session {
    live_within(strategies, None)
}

/// The same, in which at most fifty may be lost a day.
pub fn limited(strategies: Vec<Named>) -> Session {
    live_within(strategies, Some(50.0))
}

fn live_within(strategies: Vec<Named>, limit: Option<f64>) -> Session {
    let specifications = ["BTC", "BNB"].map(|base| tradewind_core::instrument::Specification {
        quantity_decimals: 8,
        ..spot("real", &format!("{base}USDT"), base, "USDT")
    });
    let mut world = World::new(Arc::new(Index::new(&[], &specifications).unwrap()), 1);
    world.keeps_journal = true;
    let mut settings = world.settings();
    settings.venues.clear();
    let valuation = Valuation::new(&world.index, settings.currency);
    let daily_loss = limit.map(|limit| DailyLoss { valuation, limit, carried: None });
    let risk = Risk::default().with_system(SystemLimits { daily_loss, ..SystemLimits::default() });
    Session::new(settings, strategies, risk, vec![quotes(0), quotes(1), trades(0)]).unwrap()
}

pub fn told(session: &mut Session, time_ns: i64, event: AccountEvent) {
    let report = AccountReport { account: AccountIndex(0), venue_time_ns: time_ns, arrival_time_ns: time_ns, event };
    session.input(&Event::Account(report)).unwrap();
    assert_eq!(session.engine().state().broken_rule().filter(|rule| !rule.contains("the account holds")), None);
}

pub fn fill_of(session: &Session, order: u64, trade_id: u64, quantity: i64, fee: i128, fee_asset: &str) -> AccountEvent {
    AccountEvent::Fill(Fill {
        order: OrderId(order),
        trade_id,
        instrument: at(0),
        side: Side::Buy,
        price: 100_000,
        quantity,
        liquidity: Liquidity::Taker,
        fee,
        fee_asset: session.engine().state().index().find_asset(fee_asset).unwrap(),
        fee_kind: FeeKind::Exchange,
        venue_time_ns: S,
    })
}

/// Places an order of one coin at every quote.
pub fn maker() -> Vec<Named> {
    let script = Script {
        streams: vec![quotes(0)],
        market: Some(Box::new(|state, event| {
            state.place(state.order_of(event.instrument, Side::Buy, 100_000_000, OrderType::Limit(100_000))).map(|_| ())
        })),
        ..Script::default()
    };
    vec![script.named("maker")]
}
