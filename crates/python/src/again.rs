//! Parts of a recorded block: what another strategy meets of it, and what there is up to an entry.

use crate::error::OrRaise;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;
use tradewind_core::error::Result;
use tradewind_core::event::{AccountEvent, AccountReport, Command, Entry, Event, Filter, decode_entries, encode_decision, encode_input};

/// The inputs of a block that another strategy meets, as a block, and how many were left out, by what they were.
///
/// Timers and reports about orders are not counted: they are made anew; what accounts were given comes before the
/// start, see `deposits_at`. What was said to one strategy reaches the other one where `is_only` says that neither had others beside it, and
/// a parameter where it has one of that name.
#[pyfunction]
pub fn inputs_for_another<'py>(
    py: Python<'py>,
    block: &[u8],
    is_only: bool,
    parameters: Vec<String>,
) -> PyResult<(Bound<'py, PyBytes>, BTreeMap<&'static str, u64>)> {
    let mut left_out = BTreeMap::new();
    let mut kept = Vec::new();
    for entry in decode_entries(block).or_raise()? {
        let Entry::Input(event) = entry else { continue };
        match place_of(&event, is_only, &parameters) {
            Place::Kept => encode_input(&event, &mut kept).or_raise()?,
            Place::MadeAnew => {}
            Place::LeftOut(what) => *left_out.entry(what).or_default() += 1,
        }
    }
    Ok((PyBytes::new(py, &kept), left_out))
}

/// What accounts were given within a block, as a block in which they are given it at a time.
#[pyfunction]
pub fn deposits_at<'py>(py: Python<'py>, block: &[u8], time_ns: i64) -> PyResult<Bound<'py, PyBytes>> {
    let mut deposits = Vec::new();
    for entry in decode_entries(block).or_raise()? {
        if let Entry::Input(Event::Account(report)) = entry
            && matches!(report.event, AccountEvent::Deposit { .. })
        {
            let moved = AccountReport { venue_time_ns: time_ns, arrival_time_ns: time_ns, ..report };
            encode_input(&Event::Account(moved), &mut deposits).or_raise()?;
        }
    }
    Ok(PyBytes::new(py, &deposits))
}

/// The first entries of a block, as a block.
#[pyfunction]
pub fn first_entries<'py>(py: Python<'py>, block: &[u8], count: usize) -> PyResult<Bound<'py, PyBytes>> {
    let mut first = Vec::new();
    for entry in decode_entries(block).or_raise()?.iter().take(count) {
        encode(entry, &mut first).or_raise()?;
    }
    Ok(PyBytes::new(py, &first))
}

fn encode(entry: &Entry, block: &mut Vec<u8>) -> Result<()> {
    match entry {
        Entry::Input(event) => encode_input(event, block),
        Entry::Decision(request) => encode_decision(request, block),
    }
}

/// What becomes of an input when another strategy meets a session.
enum Place {
    Kept,
    MadeAnew,
    LeftOut(&'static str),
}

fn place_of(event: &Event, is_only: bool, parameters: &[String]) -> Place {
    match event {
        Event::Timer(_) => Place::MadeAnew,
        Event::Account(report) => match report.event {
            AccountEvent::Foreign { .. } | AccountEvent::Unexplained { .. } => Place::LeftOut("differences of the account"),
            _ => Place::MadeAnew,
        },
        Event::Parameter(parameter) if !is_only || !parameters.contains(&parameter.name) => Place::LeftOut("parameters"),
        Event::Command { command: Command::Cancel(_), .. } => Place::LeftOut("cancels of one order"),
        Event::Command { command, .. } if !is_only && names_strategy(command) => Place::LeftOut("commands to one strategy"),
        _ => Place::Kept,
    }
}

const fn names_strategy(command: &Command) -> bool {
    match command {
        Command::CancelAll(Filter { strategy, .. }) | Command::CloseAll(Filter { strategy, .. }) => strategy.is_some(),
        Command::Open(..) | Command::Adopt(..) => true,
        _ => false,
    }
}
