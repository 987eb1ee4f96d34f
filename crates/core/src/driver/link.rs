//! The connection between the engine and a simulated venue: what is on its way.

use super::Outage;
use super::lines::Lines;
use super::script::{CancelFate, Happening, Script, What};
use crate::error::Code;
use crate::event::{AccountEvent, AccountReport};
use crate::instrument::InstrumentIndex;
use crate::order::{OrderId, Request};
use crate::time::{DurationNs, TimeNs};
use crate::venue::SimulatedVenue;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How deep a chain of decisions is: each is the answer to the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Round {
    /// How many rows had been met when the chain was last counted; a row starts it anew.
    pub met: u64,
    /// How many decisions have followed one another since.
    pub depth: u32,
}

/// A message on its way.
#[derive(Serialize, Deserialize)]
struct OnTheWay<T> {
    arrival_ns: TimeNs,
    round: Round,
    message: T,
}

/// What a venue meets of our orders.
#[derive(Serialize, Deserialize)]
enum ToVenue {
    /// What the engine asked for.
    Request(Request),
    /// What happened to a resting order of a session that is run again, and when the session heard of it.
    Happening { id: OrderId, instrument: InstrumentIndex, happening: Happening },
}

/// A venue and both directions of its connection.
#[derive(Serialize, Deserialize)]
pub(super) struct Link {
    pub venue: SimulatedVenue,
    /// How long after its venue time the venue meets a row (F6). Its own times are that much behind the timeline's.
    pub lag_ns: DurationNs,
    outages: Vec<Outage>,
    lines: Lines,
    to_venue: VecDeque<OnTheWay<ToVenue>>,
    to_engine: VecDeque<OnTheWay<AccountReport>>,
    /// What is taken over from a recorded session, where one is run again.
    #[serde(skip)]
    script: Option<Box<Script>>,
}

/// What a link does next, in the order of ties at one time (T3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The venue goes on along a bar's path.
    Path,
    /// A request reaches the venue.
    Request,
    /// An answer reaches the engine.
    Answer,
}

impl Link {
    pub fn new(venue: SimulatedVenue, seed: u64, strategies: &[String], outages: Vec<Outage>) -> Self {
        let settings = venue.settings();
        let lines = Lines::new(&settings.venue, (settings.request_latency, settings.answer_latency), seed, strategies);
        let lag_ns = settings.lag_ns.unwrap_or(0);
        Self { venue, lag_ns, outages, lines, to_venue: VecDeque::new(), to_engine: VecDeque::new(), script: None }
    }

    /// Whether the venue meets rows when they have arrived, and not at their own time.
    pub fn lags(&self) -> bool {
        self.venue.settings().lag_ns.is_some()
    }

    /// Takes over what a session recorded. Its latencies are measured, so that the venue needs not wait for late rows.
    pub fn follow(&mut self, script: Script) {
        self.lag_ns = 0;
        self.script = Some(Box::new(script));
    }

    /// Whether it takes over what a session recorded.
    pub fn follows(&self) -> bool {
        self.script.is_some()
    }

    pub fn send(&mut self, request: Request, now_ns: TimeNs, round: Round) {
        if self.outage(now_ns).is_some() {
            self.fail(&request, now_ns, round);
            return;
        }
        let arrival_ns = self.lines.request_ns(&request, now_ns) + self.lag_ns;
        if self.script.is_some() {
            self.send_scripted(request, now_ns, arrival_ns, round);
            return;
        }
        self.to_venue.push_back(OnTheWay { arrival_ns, round, message: ToVenue::Request(request) });
    }

    /// A request that cannot leave fails at once, behind what has arrived by now.
    #[cold]
    fn fail(&mut self, request: &Request, now_ns: TimeNs, round: Round) {
        let event = match *request {
            Request::Place { id, .. } => AccountEvent::Rejected(id, Code::VenueDisconnected),
            Request::Cancel { id, .. } => AccountEvent::CancelRejected(id, Code::VenueDisconnected),
            Request::Timer { .. } => return,
        };
        let message = AccountReport { account: self.venue.account_index(), venue_time_ns: now_ns, arrival_time_ns: now_ns, event };
        let place = self.to_engine.partition_point(|answer| answer.arrival_ns <= now_ns);
        self.to_engine.insert(place, OnTheWay { arrival_ns: now_ns, round, message });
    }

    /// What happens next on this link, and when.
    #[inline]
    pub fn next(&self) -> (TimeNs, Step) {
        let front = |arrival: Option<TimeNs>| arrival.unwrap_or(TimeNs::MAX);
        let path = (self.venue.next_ns().saturating_add(self.lag_ns), Step::Path);
        let request = (front(self.to_venue.front().map(|message| message.arrival_ns)), Step::Request);
        let answer = (front(self.to_engine.front().map(|message| message.arrival_ns)), Step::Answer);
        path.min(request).min(answer)
    }

    /// Gives the venue the request that is due.
    pub fn deliver_request(&mut self) {
        let Some(OnTheWay { arrival_ns, round, message }) = self.to_venue.pop_front() else { return };
        match message {
            ToVenue::Request(request) if self.script.is_none() => {
                self.venue.on_request(&request, arrival_ns - self.lag_ns);
                self.collect(round);
            }
            message => self.deliver_scripted(&message, arrival_ns, round),
        }
    }

    /// Takes the answer that is due, with its round.
    pub fn take_answer(&mut self) -> Option<(AccountReport, Round)> {
        self.to_engine.pop_front().map(|answer| (answer.message, answer.round))
    }

    /// Takes a recorded answer in the place of the one on its way, which it must equal; a deposit of
    /// the start is made again. False if the venue did not say so.
    pub fn replay(&mut self, report: &AccountReport) -> bool {
        if self.to_engine.front().is_some_and(|answer| answer.message == *report) {
            self.to_engine.pop_front();
            return true;
        }
        matches!(report.event, AccountEvent::Deposit { .. }) && self.transfer(report)
    }

    /// Money moves at the venue without an order of ours, as it is reported. False for any other report.
    pub fn transfer(&mut self, report: &AccountReport) -> bool {
        let (AccountEvent::Deposit { asset, amount }
        | AccountEvent::Foreign { asset, amount }
        | AccountEvent::Unexplained { asset, amount }) = report.event
        else {
            return false;
        };
        self.venue.deposit(asset, amount, report.venue_time_ns);
        self.venue.output.clear();
        true
    }

    /// Puts what the venue said on its way to the engine.
    pub fn collect(&mut self, round: Round) {
        if self.script.is_some() {
            self.collect_scripted(round);
            return;
        }
        let account = self.venue.account_index();
        for (venue_time_ns, event) in self.venue.output.drain(..) {
            // What a venue that lags says is not known before it has met the rows up to then.
            let sent_ns = self.lines.answer_ns(&event, venue_time_ns).max(venue_time_ns + self.lag_ns);
            let outage = self.outages.iter().find(|outage| (outage.from_ns..outage.until_ns).contains(&sent_ns));
            let arrival_ns = outage.map_or(sent_ns, |outage| outage.until_ns);
            let message = AccountReport { account, venue_time_ns, arrival_time_ns: arrival_ns, event };
            self.to_engine.push_back(OnTheWay { arrival_ns, round, message });
        }
    }

    /// The outage at a time.
    fn outage(&self, time_ns: TimeNs) -> Option<&Outage> {
        self.outages.iter().find(|outage| (outage.from_ns..outage.until_ns).contains(&time_ns))
    }

    /// A request takes as long as it took in the session.
    #[cold]
    fn send_scripted(&mut self, request: Request, now_ns: TimeNs, stated_ns: TimeNs, round: Round) {
        let Some(script) = &mut self.script else { return };
        let arrival_ns = script.arrival_ns(&request, now_ns, stated_ns);
        if let Request::Place { id, strategy, count, .. } = request {
            for (time_ns, event) in script.echoes((strategy, count), id, now_ns) {
                self.answer(event, time_ns, time_ns, round);
            }
        }
        self.meet_later(ToVenue::Request(request), arrival_ns, round);
    }

    /// At one time what happened to resting orders comes before requests, as a cancel does not undo a fill.
    fn meet_later(&mut self, message: ToVenue, arrival_ns: TimeNs, round: Round) {
        let order = |message: &ToVenue| if let ToVenue::Happening { happening, .. } = message { happening.place } else { u64::MAX };
        let key = (arrival_ns, order(&message));
        let place = self.to_venue.partition_point(|held| (held.arrival_ns, order(&held.message)) <= key);
        self.to_venue.insert(place, OnTheWay { arrival_ns, round, message });
    }

    /// Measured answers do not keep the order in which they left.
    fn answer(&mut self, event: AccountEvent, venue_time_ns: TimeNs, arrival_ns: TimeNs, round: Round) {
        let account = self.venue.account_index();
        let message = AccountReport { account, venue_time_ns, arrival_time_ns: arrival_ns, event };
        let place = self.to_engine.partition_point(|held| held.arrival_ns <= arrival_ns);
        self.to_engine.insert(place, OnTheWay { arrival_ns, round, message });
    }

    #[cold]
    fn deliver_scripted(&mut self, message: &ToVenue, time_ns: TimeNs, round: Round) {
        let Some(script) = &mut self.script else { return };
        match *message {
            ToVenue::Request(Request::Place { id, strategy, count, order, .. }) => {
                let (directions, happenings) = script.arrive((strategy, count), id, &order);
                self.venue.place_directed(id, &order, &directions, time_ns);
                for happening in happenings {
                    let message = ToVenue::Happening { id, instrument: order.instrument, happening };
                    self.meet_later(message, happening.venue_time_ns.max(time_ns), round);
                }
                self.collect(round);
            }
            ToVenue::Request(request @ Request::Cancel { id, strategy, count, .. }) => {
                let (fate, answer_ns) = script.cancel((strategy, count));
                match fate {
                    Some(CancelFate::Rejected(code)) => self.venue.output.push((time_ns, AccountEvent::CancelRejected(id, code))),
                    Some(CancelFate::Nothing) => {}
                    Some(CancelFate::Done) | None => self.venue.on_request(&request, time_ns),
                }
                self.collect_at(answer_ns.map(|answer_ns| time_ns + answer_ns), round);
            }
            ToVenue::Request(Request::Timer { .. }) => {}
            ToVenue::Happening { id, instrument, happening } => {
                match happening.what {
                    What::Filled(quantity) => self.venue.fill_resting(id, instrument, quantity, time_ns),
                    What::Ended(code) => self.venue.end_resting(id, instrument, code, time_ns),
                }
                self.collect_at(Some(happening.arrival_ns.max(time_ns)), round);
            }
        }
    }

    /// What the venue said arrives at a time; where there is none, after the latency of what it is about.
    fn collect_at(&mut self, arrival_ns: Option<TimeNs>, round: Round) {
        let Some(arrival_ns) = arrival_ns else { return self.collect(round) };
        for (venue_time_ns, event) in std::mem::take(&mut self.venue.output) {
            self.answer(event, venue_time_ns, arrival_ns, round);
        }
    }

    /// Each report takes as long as it took in the session.
    #[cold]
    fn collect_scripted(&mut self, round: Round) {
        let mut output = std::mem::take(&mut self.venue.output);
        if let Some(script) = &self.script {
            output.retain(|(_, event)| !script.is_untold(event));
        }
        for (place, &(venue_time_ns, event)) in output.iter().enumerate() {
            let id = event.order();
            let about = |other: &&(TimeNs, AccountEvent)| id.is_some() && other.1.order() == id;
            let (before, count) = (output[..place].iter().filter(about).count(), output.iter().filter(about).count());
            let measured = self.script.as_ref().and_then(|script| script.answer_ns(id?, before, count));
            let arrival_ns = measured.map_or_else(|| self.lines.answer_ns(&event, venue_time_ns), |answer_ns| venue_time_ns + answer_ns);
            self.answer(event, venue_time_ns, arrival_ns, round);
        }
    }
}
