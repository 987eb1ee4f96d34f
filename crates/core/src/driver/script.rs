//! What a re-run of a recorded session takes over from it. More is taken over from run to run, so that each difference
//! between the session and its backtest is traced to a cause: the one without which it is gone.

use super::record::{Asked, Record, RecordedOrder, ending};
use crate::account::Fill;
use crate::error::Code;
use crate::event::{AccountEvent, AccountReport};
use crate::order::{Liquidity, NewOrder, OrderId, Request, StrategyIndex};
use crate::time::{DurationNs, TimeNs};
use crate::venue::{Directions, Taking, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A cause of differences between a session and its backtest, in the order in which they are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Requests and answers took other times than was stated.
    Latency,
    /// Rows reached us at other times than the venue met them.
    DataArrival,
    /// The venue took what the simulation would have rejected, or rejected what it would have taken.
    Rejection,
    /// Resting orders filled at other times and by other sizes.
    Queue,
    /// Other sizes at other prices were there to be taken.
    PartialFill,
}

impl Cause {
    /// Every cause with its word.
    pub const ALL: [(&'static str, Self); 5] = [
        ("latency", Self::Latency),
        ("data arrival", Self::DataArrival),
        ("rejection", Self::Rejection),
        ("queue", Self::Queue),
        ("partial fill", Self::PartialFill),
    ];
}

/// What became of a cancel at the venue.
#[derive(Clone, Copy, Debug)]
pub(super) enum CancelFate {
    /// The order was cancelled.
    Done,
    /// The venue said no.
    Rejected(Code),
    /// Nothing: it did not get there, or found the order no more.
    Nothing,
}

/// A cancel: how long it took, if it was answered, and what became of it.
#[derive(Clone, Copy, Debug)]
struct CancelScript {
    latency_ns: Option<(DurationNs, DurationNs)>,
    fate: CancelFate,
}

/// Something that happened to a resting order at the venue: when, and when we heard of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Happening {
    pub venue_time_ns: TimeNs,
    pub arrival_ns: TimeNs,
    /// Its place among all that was reported: at one time things happened in the order in which we heard of them.
    pub place: u64,
    pub what: What,
}

/// What happened to a resting order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum What {
    /// So much of it was filled.
    Filled(i64),
    /// The venue ended it without being asked.
    Ended(Code),
}

/// What an order of the session went through.
#[derive(Clone, Debug)]
struct OrderScript {
    order: NewOrder,
    request_ns: Option<DurationNs>,
    /// How long each report took that the order's arrival led to.
    answers_ns: Vec<DurationNs>,
    /// Whether it was not told that the venue took it, but what became of it later.
    is_silent: bool,
    verdict: Verdict,
    taking: Taking,
    happenings: Vec<Happening>,
    cancels: VecDeque<CancelScript>,
    /// Cancels on their way, by when they reach the venue: measured ones may overtake those of which nothing is known.
    sent: VecDeque<(TimeNs, CancelScript)>,
    /// What said nothing new of the order, and when: that an answer is missing, or that it is still there.
    echoes: Vec<(TimeNs, AccountEvent)>,
}

/// How a re-run follows a session.
#[derive(Debug)]
pub(super) struct Script {
    removed: Cause,
    orders: BTreeMap<(StrategyIndex, u64), OrderScript>,
    /// The latest latencies, there and back: of requests that the session did not send, or that nobody answered.
    latest: Option<(DurationNs, DurationNs)>,
    /// How long the reports took that an order of the re-run led to.
    answers_ns: BTreeMap<OrderId, Vec<DurationNs>>,
    /// Orders of the re-run of which it is not told that the venue took them.
    silent: BTreeSet<OrderId>,
}

impl Script {
    /// A script that takes over everything up to a cause.
    pub fn new(record: &Record, removed: Cause) -> Self {
        let order = |recorded: &RecordedOrder| ((recorded.strategy, recorded.count), OrderScript::of(recorded, record));
        let orders = record.orders.values().map(order).collect();
        Self { removed, orders, latest: None, answers_ns: BTreeMap::new(), silent: BTreeSet::new() }
    }

    /// When a request reaches the venue; where nothing was measured, as is stated.
    pub fn arrival_ns(&mut self, request: &Request, now_ns: TimeNs, stated_ns: TimeNs) -> TimeNs {
        let mut cancel = None;
        let measured = match *request {
            Request::Place { strategy, count, .. } => {
                let script = self.orders.get(&(strategy, count));
                script.and_then(|script| Some((script.request_ns?, *script.answers_ns.first()?)))
            }
            Request::Cancel { strategy, count, .. } => {
                cancel = self.orders.get_mut(&(strategy, count)).and_then(|script| script.cancels.pop_front());
                cancel.and_then(|cancel| cancel.latency_ns)
            }
            Request::Timer { .. } => None,
        };
        self.latest = measured.or(self.latest);
        let arrival_ns = self.latest.map_or(stated_ns, |latest| now_ns + latest.0);
        if let (Request::Cancel { strategy, count, .. }, Some(cancel)) = (*request, cancel)
            && let Some(script) = self.orders.get_mut(&(strategy, count))
        {
            let place = script.sent.partition_point(|(held_ns, _)| *held_ns <= arrival_ns);
            script.sent.insert(place, (arrival_ns, cancel));
        }
        arrival_ns
    }

    /// What said nothing new of an order that is sent now.
    pub fn echoes(&self, key: (StrategyIndex, u64), id: OrderId, now_ns: TimeNs) -> Vec<(TimeNs, AccountEvent)> {
        let Some(script) = self.orders.get(&key) else { return Vec::new() };
        let own =
            |event: AccountEvent| if matches!(event, AccountEvent::Lost(_)) { AccountEvent::Lost(id) } else { AccountEvent::Accepted(id) };
        script.echoes.iter().filter(|(time_ns, _)| *time_ns >= now_ns).map(|&(time_ns, event)| (time_ns, own(event))).collect()
    }

    /// An order arrives at the venue: what is taken over of its fate there, and what happens to it later.
    pub fn arrive(&mut self, key: (StrategyIndex, u64), id: OrderId, order: &NewOrder) -> (Directions, Vec<Happening>) {
        let script = self.orders.get(&key);
        let answers_ns = script.map(|script| script.answers_ns.clone()).filter(|answers| !answers.is_empty());
        self.answers_ns.extend(answers_ns.map(|answers| (id, answers)));
        // What became of another order says nothing of this one.
        let Some(script) = script.filter(|script| script.order == *order) else { return Default::default() };
        if script.is_silent {
            self.silent.insert(id);
        }
        let is_removed = |cause| self.removed >= cause;
        let directions = Directions {
            verdict: if is_removed(Cause::Rejection) { script.verdict } else { Verdict::Simulated },
            taking: is_removed(Cause::PartialFill).then(|| script.taking.clone()),
            is_filled_by_others: is_removed(Cause::Queue),
        };
        let is_taken_over = |happening: &&Happening| match happening.what {
            What::Filled(_) => is_removed(Cause::Queue),
            What::Ended(_) => is_removed(Cause::Rejection),
        };
        (directions, script.happenings.iter().filter(is_taken_over).copied().collect())
    }

    /// A cancel arrives at the venue: what is taken over of its fate, and how long the answer takes.
    pub fn cancel(&mut self, key: (StrategyIndex, u64)) -> (Option<CancelFate>, Option<DurationNs>) {
        let Some((_, cancel)) = self.orders.get_mut(&key).and_then(|script| script.sent.pop_front()) else { return (None, None) };
        ((self.removed >= Cause::Rejection).then_some(cancel.fate), cancel.latency_ns.map(|latency| latency.1))
    }

    /// Whether a report of the venue did not come in the session.
    pub fn is_untold(&self, event: &AccountEvent) -> bool {
        matches!(event, AccountEvent::Accepted(id) if self.silent.contains(id))
    }

    /// How long a report takes: the one at a place among so many that an order's arrival led to.
    pub fn answer_ns(&self, id: OrderId, place: usize, count: usize) -> Option<DurationNs> {
        let Some(answers_ns) = self.answers_ns.get(&id) else { return self.latest.map(|latest| latest.1) };
        let last = answers_ns.len() - 1;
        // The first is the answer itself, and the last tells what became of the order.
        Some(answers_ns[if place > 0 && place + 1 == count { last } else { place.min(last) }])
    }
}

/// A report, with its place among all of them.
type Told<'record> = (u64, &'record AccountReport);

impl OrderScript {
    fn of(recorded: &RecordedOrder, record: &Record) -> Self {
        let answer = recorded.reports.iter().map(|(_, report)| report).find(|report| is_answer(&report.event));
        let verdict = match answer.map(|report| report.event) {
            Some(AccountEvent::Rejected(_, code)) => Verdict::Rejected(code),
            Some(_) => Verdict::Accepted,
            None => Verdict::Simulated,
        };
        let venue_time_ns = venue_time_ns(&recorded.placed, answer);
        let mut script = Self {
            order: recorded.order,
            request_ns: venue_time_ns.map(|time_ns| time_ns - recorded.placed.sent_ns),
            answers_ns: Vec::new(),
            is_silent: answer.is_none() && !recorded.reports.is_empty(),
            verdict,
            taking: Taking { levels: Vec::new(), end: None },
            happenings: Vec::new(),
            cancels: VecDeque::new(),
            sent: VecDeque::new(),
            echoes: Vec::new(),
        };
        script.read(recorded, record, venue_time_ns.unwrap_or(recorded.placed.sent_ns));
        script
    }

    /// Puts each report in its place.
    fn read(&mut self, recorded: &RecordedOrder, record: &Record, venue_time_ns: TimeNs) {
        let mut is_answered = false;
        let nothing = CancelScript { latency_ns: None, fate: CancelFate::Nothing };
        self.cancels = recorded.cancels.iter().map(|_| nothing).collect();
        let mut is_open = vec![true; recorded.cancels.len()];
        for (place, (told, report)) in recorded.reports.iter().enumerate() {
            let arrival_ns = report.arrival_time_ns;
            match report.event {
                AccountEvent::Accepted(_) | AccountEvent::Rejected(..) if !is_answered => {
                    is_answered = true;
                    self.answers_ns.push(arrival_ns - venue_time_ns);
                }
                AccountEvent::Accepted(_) | AccountEvent::Lost(_) => self.echoes.push((arrival_ns, report.event)),
                AccountEvent::Fill(fill) => self.fill(&fill, (*told, report), record, venue_time_ns),
                AccountEvent::Cancelled(..) | AccountEvent::CancelRejected(..) | AccountEvent::Expired(_) => {
                    // The latest that was sent by then: what is asked again was not answered before.
                    let is_asked = |at: &usize| is_open[*at] && recorded.cancels[*at].reports_before <= place;
                    let asked = (0..is_open.len()).rev().find(is_asked).filter(|_| answers_cancel(&report.event));
                    if let Some(at) = asked {
                        is_open[at] = false;
                        self.cancels[at] = cancel_script(&recorded.cancels[at], report, venue_time_ns);
                    } else if let Some(code) = ending(&report.event) {
                        self.end(code, (*told, report), venue_time_ns);
                    }
                }
                _ => {}
            }
        }
    }

    fn fill(&mut self, fill: &Fill, told: Told<'_>, record: &Record, venue_time_ns: TimeNs) {
        let is_taker = fill.liquidity == Liquidity::Taker;
        if is_taker {
            self.answers_ns.push(told.1.arrival_time_ns - venue_time_ns);
        }
        let Some(level) = record.seen(fill) else { return };
        if is_taker {
            self.taking.levels.push(level);
        } else {
            self.happen(What::Filled(level.quantity), told, venue_time_ns);
        }
    }

    /// The venue ended the order without being asked: what a taker left at once, what rested later.
    fn end(&mut self, code: Code, told: Told<'_>, venue_time_ns: TimeNs) {
        if self.happenings.is_empty() && told.1.venue_time_ns <= venue_time_ns {
            self.answers_ns.push(told.1.arrival_time_ns - venue_time_ns);
            self.taking.end = Some(code);
        } else {
            self.happen(What::Ended(code), told, venue_time_ns);
        }
    }

    fn happen(&mut self, what: What, (place, report): Told<'_>, placed_ns: TimeNs) {
        // Venues tell whole milliseconds: nothing happens to an order before it is there.
        let venue_time_ns = report.venue_time_ns.max(placed_ns);
        self.happenings.push(Happening { venue_time_ns, arrival_ns: report.arrival_time_ns, place, what });
    }
}

const fn is_answer(event: &AccountEvent) -> bool {
    matches!(event, AccountEvent::Accepted(_) | AccountEvent::Rejected(..) | AccountEvent::Fill(_))
}

/// Whether it may be said to a cancel: what the venue ends by itself has another reason.
const fn answers_cancel(event: &AccountEvent) -> bool {
    matches!(event, AccountEvent::Cancelled(_, Code::Requested) | AccountEvent::CancelRejected(..))
}

/// When a request reached the venue: as measured, or as the venue says that took it, or in the middle of its
/// way and its answer's.
fn venue_time_ns(asked: &Asked, answer: Option<&AccountReport>) -> Option<TimeNs> {
    let estimated = |report: &AccountReport| {
        let is_told =
            matches!(report.event, AccountEvent::Accepted(_)) && (asked.sent_ns..report.arrival_time_ns).contains(&report.venue_time_ns);
        if is_told { report.venue_time_ns } else { TimeNs::midpoint(asked.sent_ns, report.arrival_time_ns) }
    };
    asked.venue_time_ns.or_else(|| answer.map(estimated))
}

fn cancel_script(asked: &Asked, report: &AccountReport, placed_ns: TimeNs) -> CancelScript {
    let mut venue_time_ns = venue_time_ns(asked, Some(report)).unwrap_or(asked.sent_ns);
    let fate = if let AccountEvent::CancelRejected(_, code) = report.event { CancelFate::Rejected(code) } else { CancelFate::Done };
    if matches!(fate, CancelFate::Done) {
        // Times at the venue are estimates; but what it cancelled was there.
        venue_time_ns = venue_time_ns.max(placed_ns);
    }
    CancelScript { latency_ns: Some((venue_time_ns - asked.sent_ns, report.arrival_time_ns - venue_time_ns)), fate }
}
