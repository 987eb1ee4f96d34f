//! What really happened to the orders of a recorded session.

use crate::error::{Code, Result};
use crate::event::{AccountEvent, AccountReport, Condition, Entry, Event, entries};
use crate::instrument::InstrumentIndex;
use crate::market::{Level, MarketData};
use crate::order::{NewOrder, OrderId, Request, StrategyIndex};
use crate::state::StreamKind;
use crate::time::{SECOND_NS, TimeNs};
use std::collections::{BTreeMap, VecDeque};

/// How far around a gap in the trades a fill may lie whose trade was not recorded: clocks and reports are not exact.
const AROUND_GAP_NS: i64 = SECOND_NS;

/// A request that left, and when it reached the venue as far as it was measured.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub sent_ns: TimeNs,
    pub venue_time_ns: Option<TimeNs>,
    /// How many reports about the order had come before.
    pub reports_before: usize,
}

/// An order, its requests, and all that was reported of it.
#[derive(Clone, Debug)]
pub(super) struct RecordedOrder {
    pub strategy: StrategyIndex,
    pub count: u64,
    pub order: NewOrder,
    pub placed: Asked,
    pub cancels: Vec<Asked>,
    /// With their place among all reports.
    pub reports: Vec<(u64, AccountReport)>,
}

/// The orders of a recorded session, read from its journal in two passes: what we asked and were told, then the trades
/// that everybody saw.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub(super) orders: BTreeMap<OrderId, RecordedOrder>,
    venue_times: BTreeMap<(OrderId, bool), VecDeque<Option<TimeNs>>>,
    now_ns: TimeNs,
    /// How many reports there were.
    told: u64,
    /// The trades of our fills as the market data show them, where they do.
    tape: BTreeMap<(InstrumentIndex, u64), Option<Level>>,
    /// Of which instruments trades were recorded, from when to when.
    taped: BTreeMap<InstrumentIndex, (TimeNs, TimeNs)>,
    /// Times in which trades of an instrument were missing.
    gaps: Vec<(InstrumentIndex, TimeNs, TimeNs)>,
}

impl Record {
    /// An empty record. Of each request, in the order of sending: its order, whether it was a cancel, and when it reached
    /// the venue, where that was measured.
    pub fn new(venue_times: impl IntoIterator<Item = (OrderId, bool, Option<TimeNs>)>) -> Self {
        let mut record = Self::default();
        for (id, is_cancel, time_ns) in venue_times {
            record.venue_times.entry((id, is_cancel)).or_default().push_back(time_ns);
        }
        record
    }

    /// Takes a block of the journal, in the first pass.
    pub fn observe(&mut self, block: &[u8]) -> Result<()> {
        for entry in entries(block) {
            match entry? {
                Entry::Decision(request) => self.request(&request),
                Entry::Input(event) => {
                    self.now_ns = event.arrival_time_ns();
                    match event {
                        Event::Account(report) => self.report(&report),
                        Event::Status(status) => self.condition(status.change),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes it again, in the second pass: the trades of our fills are found in the market data.
    pub fn confirm(&mut self, block: &[u8]) -> Result<()> {
        for entry in entries(block) {
            // What was missed and fetched is history to strategies; it was traded all the same.
            let Entry::Input(Event::Market(row) | Event::WarmUp(row)) = entry? else { continue };
            let MarketData::Trade(trade) = row.data() else { continue };
            if trade.id == 0 {
                continue; // without a number nobody can tell whose it was
            }
            let span = self.taped.entry(row.instrument).or_insert((row.venue_time_ns, row.venue_time_ns));
            span.1 = span.1.max(row.venue_time_ns);
            if let Some(seen) = self.tape.get_mut(&(row.instrument, trade.id as u64)) {
                *seen = Some(Level { price: trade.price, quantity: trade.quantity });
            }
        }
        Ok(())
    }

    fn request(&mut self, request: &Request) {
        let mut asked = |id: OrderId, is_cancel: bool| {
            let venue_time_ns = self.venue_times.get_mut(&(id, is_cancel)).and_then(VecDeque::pop_front).flatten();
            Asked { sent_ns: self.now_ns, venue_time_ns, reports_before: 0 }
        };
        match *request {
            Request::Place { id, strategy, count, order, .. } => {
                let placed = asked(id, false);
                self.orders.insert(id, RecordedOrder { strategy, count, order, placed, cancels: Vec::new(), reports: Vec::new() });
            }
            Request::Cancel { id, .. } => {
                let asked = asked(id, true);
                if let Some(recorded) = self.orders.get_mut(&id) {
                    let reports_before = recorded.reports.len();
                    recorded.cancels.push(Asked { reports_before, ..asked });
                }
            }
            Request::Timer { .. } => {}
        }
    }

    fn report(&mut self, report: &AccountReport) {
        if let AccountEvent::Fill(fill) = report.event {
            self.tape.insert((fill.instrument, fill.trade_id), None);
        }
        let Some(recorded) = report.event.order().and_then(|id| self.orders.get_mut(&id)) else { return };
        // A fill is told once, however often it is reported.
        let trade = |report: &AccountReport| if let AccountEvent::Fill(fill) = report.event { Some(fill.trade_id) } else { None };
        let is_known = trade(report).is_some() && recorded.reports.iter().any(|(_, held)| trade(held) == trade(report));
        if !is_known {
            self.told += 1;
            recorded.reports.push((self.told, *report));
        }
    }

    fn condition(&mut self, change: Condition) {
        if let Condition::Gap { stream, from_ns, length_ns } = change
            && stream.kind == StreamKind::Trades
        {
            self.gaps.push((stream.instrument, from_ns, from_ns + length_ns));
        }
    }

    /// The price and size of a fill as the recorded trades show them. Where no trades are recorded, or were missing then,
    /// as the report says; nothing where the trade should be there and is not.
    pub(super) fn seen(&self, fill: &crate::account::Fill) -> Option<Level> {
        if let Some(Some(level)) = self.tape.get(&(fill.instrument, fill.trade_id)) {
            return Some(*level);
        }
        let time_ns = fill.venue_time_ns;
        let is_missing = self.gaps.iter().any(|&(instrument, from_ns, to_ns)| {
            instrument == fill.instrument && (from_ns - AROUND_GAP_NS..=to_ns + AROUND_GAP_NS).contains(&time_ns)
        });
        let is_outside = self.taped.get(&fill.instrument).is_none_or(|&(first_ns, last_ns)| !(first_ns..=last_ns).contains(&time_ns));
        (is_missing || is_outside).then_some(Level { price: fill.price, quantity: fill.quantity })
    }
}

/// What a report says that ends an order without a fill.
pub(super) fn ending(event: &AccountEvent) -> Option<Code> {
    match event {
        AccountEvent::Cancelled(_, code) => Some(*code),
        AccountEvent::Expired(_) => Some(Code::ImmediateOrCancel),
        _ => None,
    }
}
