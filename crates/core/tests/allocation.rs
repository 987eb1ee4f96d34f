//! Market data without orders allocate nothing, and a run without orders holds little.
#![allow(clippy::unwrap_used, unsafe_code, reason = "a test may fail; an allocator is unsafe by its signature")]

mod common;

use common::data::{Clock, Detail, random};
use common::{World, at, index};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use tradewind_core::driver::{Keep, Progress};
use tradewind_core::error::Result;
use tradewind_core::indicator::{IndicatorKind, Seed};
use tradewind_core::market::{MarketEvent, Side};
use tradewind_core::order::OrderType;
use tradewind_core::state::State;
use tradewind_core::strategy::{Callbacks, EmaCross, Strategy};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicI64 = AtomicI64::new(0);
/// The counters are of the process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        HELD.fetch_add(layout.size() as i64, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as i64, Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The cross of two averages at every trade.
fn cross(fast: u32, slow: u32) -> Vec<common::Named> {
    let ema = |period| IndicatorKind::Ema { period, seed: Seed::default() };
    vec![("cross".to_owned(), Box::new(EmaCross::new(at(2), ema(fast), ema(slow), 1, true)))]
}

/// Averages of which one is not ready within the data: they are updated and never trade.
fn idle() -> Vec<common::Named> {
    cross(3, 1_000_000)
}

/// One order that rests for the whole run at a price that is never met, before those of another strategy.
struct Resting<S>(S, bool);

impl<S: Strategy> Strategy for Resting<S> {
    fn callbacks(&self) -> Callbacks {
        self.0.callbacks()
    }

    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        self.0.on_start(state)
    }

    fn on_market(&mut self, state: &mut Box<State>, event: &MarketEvent) -> Result<()> {
        if !std::mem::replace(&mut self.1, true) {
            state.place(state.order_of(at(2), Side::Buy, 1, OrderType::Limit(5)))?;
        }
        self.0.on_market(state, event)
    }
}

fn resting() -> Vec<common::Named> {
    let ema = |period| IndicatorKind::Ema { period, seed: Seed::default() };
    vec![("cross".to_owned(), Box::new(Resting(EmaCross::new(at(2), ema(2), ema(3), 1, true), false)))]
}

fn world(detail: Detail, clock: Clock) -> World {
    let index = index();
    let mut world = World::new(index.clone(), 1).with_money();
    world.keep = Keep::Metrics;
    let steps = if detail == Detail::Depth { 60_000 } else { 120_000 };
    world.recordings.push(random(&index, at(2), detail, clock, steps, 1));
    world
}

#[test]
fn a_hundred_thousand_events_without_orders_allocate_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Not depth with scrambled rows: a book whose messages are torn apart grows.
    let (one, delayed) = (Clock::One, Clock::Delayed);
    for (detail, clock) in
        [(Detail::Trades, one), (Detail::Trades, delayed), (Detail::Quotes, one), (Detail::Quotes, delayed), (Detail::Depth, one)]
    {
        let world = world(detail, clock);
        let mut run = world.backtest(idle());
        assert_eq!(run.advance(10_000).unwrap(), Progress::Running);
        let before = ALLOCATIONS.load(Relaxed);
        assert_eq!(run.advance(100_000).unwrap(), Progress::Running);
        assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0, "{detail:?} {clock:?}");
    }
}

#[test]
fn a_run_with_figures_only_holds_at_most_64_kib_whatever_it_trades() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let world = world(Detail::Trades, Clock::One);
    for (strategies, least_orders, open) in [(idle(), 0, 0), (cross(2, 3), 10_000, 0), (resting(), 10_000, 1)] {
        let before = HELD.load(Relaxed);
        let mut run = world.backtest(strategies);
        run.advance(100_000).unwrap();
        let held = HELD.load(Relaxed) - before;
        assert!(run.recorder().orders_sent() >= least_orders);
        assert!(run.engine().state().orders().all_open().count() >= open);
        assert!(held <= 64 * 1024, "{held} bytes");
    }
}
