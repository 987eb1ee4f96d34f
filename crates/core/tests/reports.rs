//! Reports of a real venue in any order, true or not: what must hold then.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::data::{Clock, DETAILS, random};
use common::strategy::Anything;
use common::{World, at, index};
use tradewind_core::account::{FeeKind, Fill};
use tradewind_core::chance::Chance;
use tradewind_core::driver::Session;
use tradewind_core::error::Code;
use tradewind_core::event::{AccountEvent, AccountReport, Condition, Event, Part, StatusEvent};
use tradewind_core::instrument::{AccountIndex, AssetIndex, VenueIndex};
use tradewind_core::order::{Liquidity, NewOrder, OrderId, Request, StrategyIndex};
use tradewind_core::risk::Risk;

struct Live {
    world: World,
}

impl Live {
    fn new(seed: u64) -> Self {
        let mut world = World::new(index(), seed);
        world.keeps_journal = true;
        let mut chance = Chance::new(seed, &["live"]);
        for place in [0, 1, 2, 5] {
            world.recordings.push(random(&world.index, at(place), DETAILS[chance.below(3)], Clock::One, 40, seed));
        }
        Self { world }
    }

    fn session(&self) -> Session {
        let mut settings = self.world.settings();
        settings.venues.clear();
        settings.balances.clear();
        let streams = self.world.streams();
        let strategies = vec![
            Anything::named(self.world.seed, "one", streams.clone(), 0.9),
            Anything::named(self.world.seed, "two", streams.clone(), 0.5),
        ];
        Session::new(settings, strategies, Risk::default(), streams).unwrap()
    }
}

fn anything(
    chance: &mut Chance,
    session: &Session,
    placed: &[(OrderId, NewOrder)],
    trade: &mut u64,
    wild: bool,
) -> Option<(AccountIndex, AccountEvent)> {
    let index = session.engine().state().index();
    let (id, order) = *placed.get(placed.len().checked_sub(1 + chance.below(placed.len().clamp(1, 12)))?)?;
    let id = if wild && chance.happens(0.05) { OrderId(id.0 + 1_000) } else { id };
    let account = index.instrument(order.instrument).account;
    let event = match chance.below(14) {
        0 | 1 => AccountEvent::Accepted(id),
        2 => AccountEvent::Rejected(id, Code::InsufficientFunds),
        3 => AccountEvent::Cancelled(id, Code::Requested),
        4 => AccountEvent::CancelRejected(id, Code::OrderNotOpen),
        5 => AccountEvent::Expired(id),
        6 => AccountEvent::Lost(id),
        7 => AccountEvent::Deposit {
            asset: AssetIndex(chance.below(index.assets().len()) as u16),
            amount: chance.below(1_000) as i128 - 300,
        },
        8 => AccountEvent::Unexplained {
            asset: AssetIndex(chance.below(index.assets().len()) as u16),
            amount: chance.below(1_000) as i128 - 500,
        },
        9 => AccountEvent::Funding { instrument: order.instrument, amount: chance.below(100) as i128 - 50 },
        _ => {
            let definition = index.instrument(order.instrument);
            *trade += u64::from(!chance.happens(0.2));
            let quantity = match chance.below(4) {
                0 => order.quantity,
                1 => (order.quantity / 2).max(1),
                2 => 1 + chance.below(order.quantity.min(1 << 30) as usize) as i64,
                _ => {
                    if wild {
                        1_000_000_000_000_000_000
                    } else {
                        order.quantity
                    }
                }
            };
            let fee_asset =
                if definition.is_margined() { definition.settlement } else { [definition.base, definition.quote][chance.below(2)] };
            let price = if wild && chance.happens(0.1) {
                [0, 1, 1_000_000_000_000_000_000][chance.below(3)]
            } else {
                order.order_type.price().unwrap_or(2_000)
            };
            AccountEvent::Fill(Fill {
                order: id,
                trade_id: *trade,
                instrument: if wild && chance.happens(0.05) { at(3) } else { order.instrument },
                side: if wild && chance.happens(0.05) { order.side.opposite() } else { order.side },
                price,
                quantity,
                liquidity: Liquidity::Taker,
                fee: chance.below(5) as i128 - 1,
                fee_asset,
                fee_kind: FeeKind::Exchange,
                venue_time_ns: 0,
            })
        }
    };
    Some((account, event))
}

/// A connection is gone, or there again.
fn condition(chance: &mut Chance, session: &Session) -> Condition {
    let venue = VenueIndex(chance.below(session.engine().state().index().venues().count()) as u16);
    if chance.happens(0.5) { Condition::Disconnected(venue, Part::Orders) } else { Condition::Connected(venue, Part::Orders) }
}

fn place(session: &mut Session, placed: &mut Vec<(OrderId, NewOrder)>) {
    for request in session.take_requests() {
        if let Request::Place { id, order, .. } = request {
            placed.push((id, order));
        }
    }
}

fn check(session: &Session) {
    let state = session.engine().state();
    assert_eq!(state.broken_rule(), None);
    // What strategies hold is what was booked, less fees in the base.
    for (place, strategy) in state.strategies().iter().enumerate() {
        for (instrument, definition) in state.index().instruments() {
            let booked: i64 = session
                .recorder()
                .fills()
                .iter()
                .filter(|booked| booked.strategy == StrategyIndex(place as u16) && booked.fill.instrument == instrument)
                .map(|booked| booked.fill.signed_quantity() - tradewind_core::account::base_fee(definition, &booked.fill))
                .sum();
            assert_eq!(strategy.positions[instrument.at()].quantity, booked);
        }
    }
}

fn run(seed: u64, wild: bool) {
    let live = Live::new(seed);
    let mut chance = Chance::new(seed, &["reports"]);
    let mut session = live.session();
    let rows = live.world.rows();
    let mut inputs: Vec<Event> = Vec::new();
    let mut placed = Vec::new();
    let mut trade = 0;
    session.start(rows[0].arrival_time_ns, false).unwrap();
    let cut = chance.below(rows.len());
    let mut saved = None;
    for (number, row) in rows.iter().enumerate() {
        if number == cut {
            saved = Some((session.save().unwrap(), inputs.len(), placed.clone()));
        }
        inputs.push(Event::Market(*row));
        session.row(row).unwrap();
        place(&mut session, &mut placed);
        for _ in 0..chance.below(4) {
            let time_ns = session.now_ns();
            let event = if chance.happens(0.1) {
                Event::Status(StatusEvent { time_ns, change: condition(&mut chance, &session) })
            } else {
                let Some((account, event)) = anything(&mut chance, &session, &placed, &mut trade, wild) else { continue };
                Event::Account(AccountReport { account, venue_time_ns: time_ns, arrival_time_ns: time_ns, event })
            };
            if event.check(session.engine().state().index()).is_err() {
                continue;
            }
            inputs.push(event.clone());
            session.input(&event).unwrap();
            place(&mut session, &mut placed);
            check(&session);
        }
    }
    let journal = session.engine_mut().take_journal().unwrap().2;
    let hashes = |session: &Session| {
        (
            session.engine().decisions_hash(),
            session.engine().state().hash(),
            format!("{:?}", session.recorder().fills()),
            format!("{:?}", session.engine().state().orders().known().collect::<Vec<_>>()),
        )
    };
    let mut again = live.session();
    assert_eq!(again.recover(&journal).unwrap(), None);
    assert_eq!(again.recovered(), None);
    assert!(again.take_requests().is_empty());
    assert!(hashes(&again) == hashes(&session));
    let (bytes, from, _) = saved.unwrap();
    let mut restored = live.session();
    restored.restore(&bytes).unwrap();
    for event in &inputs[from..] {
        match event {
            Event::Market(row) => restored.row(row).unwrap(),
            event => restored.input(event).unwrap(),
        }
    }
    assert!(hashes(&restored) == hashes(&session));
    for session in [&mut session, &mut again, &mut restored] {
        session.finish().unwrap();
    }
    assert!(hashes(&restored) == hashes(&session));
    assert!(hashes(&again) == hashes(&session));
}

fn all(wild: bool) {
    let mut failed = Vec::new();
    let seeds = std::env::var("TRADEWIND_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    for seed in 0..seeds {
        if std::panic::catch_unwind(|| run(seed, wild)).is_err() {
            failed.push(seed);
        }
    }
    println!("{} failed: {:?}", failed.len(), failed.iter().take(10).collect::<Vec<_>>());
    assert!(failed.is_empty());
}

#[test]
fn true_reports_in_any_order() {
    all(false);
}

#[test]
fn untrue_reports() {
    all(true);
}
