//! The connection between the engine and a simulated venue: what is on its way.

use super::Outage;
use crate::error::Code;
use crate::event::{AccountEvent, AccountReport};
use crate::order::Request;
use crate::time::{DurationNs, TimeNs};
use crate::venue::{Line, SimulatedVenue};
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

/// A venue and both directions of its connection.
#[derive(Serialize, Deserialize)]
pub(super) struct Link {
    pub venue: SimulatedVenue,
    /// How long after its venue time the venue meets a row (F6). Its own times are that much behind the timeline's.
    pub lag_ns: DurationNs,
    outages: Vec<Outage>,
    requests: Line,
    answers: Line,
    to_venue: VecDeque<OnTheWay<Request>>,
    to_engine: VecDeque<OnTheWay<AccountReport>>,
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
    pub fn new(venue: SimulatedVenue, seed: u64, outages: Vec<Outage>) -> Self {
        let settings = venue.settings();
        let requests = Line::new(settings.request_latency, seed, &settings.venue, "requests");
        let answers = Line::new(settings.answer_latency, seed, &settings.venue, "answers");
        let lag_ns = settings.lag_ns.unwrap_or(0);
        Self { venue, lag_ns, outages, requests, answers, to_venue: VecDeque::new(), to_engine: VecDeque::new() }
    }

    pub fn send(&mut self, request: Request, now_ns: TimeNs, round: Round) {
        if self.outage(now_ns).is_some() {
            self.fail(&request, now_ns, round);
            return;
        }
        let arrival_ns = self.requests.arrival_ns(now_ns) + self.lag_ns;
        self.to_venue.push_back(OnTheWay { arrival_ns, round, message: request });
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
        if let Some(request) = self.to_venue.pop_front() {
            self.venue.on_request(&request.message, request.arrival_ns - self.lag_ns);
            self.collect(request.round);
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
        let AccountEvent::Deposit { asset, amount } = report.event else { return false };
        self.venue.deposit(asset, amount, report.venue_time_ns);
        self.venue.output.clear();
        true
    }

    /// Puts what the venue said on its way to the engine.
    pub fn collect(&mut self, round: Round) {
        let account = self.venue.account_index();
        for (venue_time_ns, event) in self.venue.output.drain(..) {
            // What a venue that lags says is not known before it has met the rows up to then.
            let sent_ns = self.answers.arrival_ns(venue_time_ns).max(venue_time_ns + self.lag_ns);
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
}
