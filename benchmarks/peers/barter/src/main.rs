//! barter 0.14.0 on the workloads W3 and W6; prints one line of JSON.
//!
//! `bench-barter orders|data FILE [ROUNDS]` or `bench-barter concurrent FILE RUNS`;
//! `FILE` is `build/bench/w3.jsonl`, written by `benchmarks/workloads.py`.

mod setup;
mod strategy;

use barter::backtest::{backtest, run_backtests};
use serde_json::json;
use setup::{Failure, Shared, Single, shared, single};
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};
use strategy::Counts;
use tokio::runtime::{Builder, Runtime};

const USAGE: &str = "usage: bench-barter orders|data FILE [ROUNDS] | concurrent FILE RUNS";
const VERSION: &str = "0.14.0";

/// What one measured run gives.
struct Measured {
    seconds: f64,
    orders: u64,
    fills: u64,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mode, path) = match arguments.as_slice() {
        [mode, path, ..] => (mode.as_str(), Path::new(path)),
        _ => return Err(USAGE.into()),
    };
    let number = |default: usize| match arguments.get(2) {
        Some(text) => text.parse().map_err(|_| Failure::from(USAGE)),
        None => Ok(default),
    };
    match mode {
        "orders" => report_single("W3-orders", path, true, number(5)?),
        "data" => report_single("W3-data", path, false, number(5)?),
        "concurrent" => report_concurrent(path, number(500)?),
        _ => Err(USAGE.into()),
    }
}

/// Runs one backtest several times as barter's benchmark does and prints the fastest.
fn report_single(id: &str, path: &Path, trades: bool, rounds: usize) -> Result<(), Failure> {
    let (shared, events) = shared(path)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut measured = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        measured.push(run_single(&runtime, &shared, single(trades))?);
    }
    let best = measured.iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds)).ok_or(USAGE)?;
    print_line(id, events, best, 1)
}

fn run_single(runtime: &Runtime, shared: &Shared, single: Single) -> Result<Measured, Failure> {
    let counts = Arc::clone(&single.strategy.counts);
    let shared = Arc::clone(shared);
    let start = Instant::now();
    runtime.block_on(async move { backtest(shared, single).await })?;
    Ok(measure(start, &[counts]))
}

/// Runs many backtests over the one data set at once, on all cores.
fn report_concurrent(path: &Path, runs: usize) -> Result<(), Failure> {
    let (shared, events) = shared(path)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let singles: Vec<Single> = (0..runs).map(|_| single(true)).collect();
    let counts: Vec<_> = singles.iter().map(|single| Arc::clone(&single.strategy.counts)).collect();
    let start = Instant::now();
    runtime.block_on(async move { run_backtests(shared, singles).await })?;
    let measured = measure(start, &counts);
    print_line("W6", events * runs, &measured, runs)
}

fn measure(start: Instant, counts: &[Arc<Counts>]) -> Measured {
    Measured {
        seconds: start.elapsed().as_secs_f64(),
        orders: counts.iter().map(|counts| counts.orders.load(Relaxed)).sum(),
        fills: counts.iter().map(|counts| counts.fills.load(Relaxed)).sum(),
    }
}

fn print_line(id: &str, events: usize, measured: &Measured, runs: usize) -> Result<(), Failure> {
    let line = json!({
        "id": id,
        "events": events,
        "orders": measured.orders,
        "fills": measured.fills,
        "runs": runs,
        "seconds": measured.seconds,
        "events_per_second": events as f64 / measured.seconds,
        "peak_memory_bytes": peak_memory_bytes()?,
        "version": VERSION,
    });
    println!("{line}");
    Ok(())
}

/// The most memory this process ever held (`VmHWM`).
fn peak_memory_bytes() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or("no VmHWM in /proc/self/status")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}
