//! How long messages to a venue and from it take.

use crate::error::Code;
use crate::event::AccountEvent;
use crate::order::{OrderId, Request, StrategyIndex};
use crate::time::TimeNs;
use crate::venue::{Latency, Line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Both directions of a connection. What is about an order takes its strategy's chance, in both.
#[derive(Serialize, Deserialize)]
pub(super) struct Lines {
    requests: Line,
    answers: Line,
    /// The orders that the venue may still say something of.
    senders: BTreeMap<OrderId, Sender>,
    /// The sender of what is about no order.
    account: usize,
    /// Where delays are constant nobody has chance.
    is_constant: bool,
}

/// Whose an order is, and what is to come: the venue may end it before a cancel of it is on its way, or behind it.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Sender {
    strategy: StrategyIndex,
    unfilled: i64,
    cancels: u32,
}

impl Lines {
    /// The lines to a venue, with the latencies of requests and of answers.
    pub fn new(venue: &str, (requests, answers): (Latency, Latency), seed: u64, strategies: &[String]) -> Self {
        let senders = [strategies, &[String::new()]].concat();
        Self {
            requests: Line::new(requests, seed, venue, "requests", &senders),
            answers: Line::new(answers, seed, venue, "answers", &senders),
            senders: BTreeMap::new(),
            account: strategies.len(),
            is_constant: matches!((requests, answers), (Latency::Constant(_), Latency::Constant(_))),
        }
    }

    /// When a request arrives that is sent now.
    #[inline]
    pub fn request_ns(&mut self, request: &Request, now_ns: TimeNs) -> TimeNs {
        let sender = if self.is_constant { self.account } else { self.remember(request) };
        self.requests.arrival_ns(sender, now_ns)
    }

    fn remember(&mut self, request: &Request) -> usize {
        let (id, strategy, unfilled, cancels) = match *request {
            Request::Place { id, strategy, order, .. } => (id, strategy, order.quantity, 0),
            Request::Cancel { id, strategy, .. } => (id, strategy, 0, 1),
            Request::Timer { .. } => return self.account,
        };
        self.senders.entry(id).or_insert(Sender { strategy, unfilled, cancels: 0 }).cancels += cancels;
        strategy.at()
    }

    /// When an answer arrives that the venue gives at a time.
    #[inline]
    pub fn answer_ns(&mut self, event: &AccountEvent, venue_time_ns: TimeNs) -> TimeNs {
        let sender = if self.is_constant { self.account } else { self.about(event) };
        self.answers.arrival_ns(sender, venue_time_ns)
    }

    fn about(&mut self, event: &AccountEvent) -> usize {
        let known = event.order().and_then(|id| Some((id, self.senders.get_mut(&id)?)));
        let Some((id, sender)) = known else { return self.account };
        let strategy = sender.strategy.at();
        match event {
            AccountEvent::Fill(fill) => sender.unfilled -= fill.quantity,
            AccountEvent::CancelRejected(..) => sender.cancels = sender.cancels.saturating_sub(1),
            AccountEvent::Cancelled(_, Code::Requested) => (sender.unfilled, sender.cancels) = (0, sender.cancels.saturating_sub(1)),
            AccountEvent::Rejected(..) | AccountEvent::Cancelled(..) | AccountEvent::Expired(..) => sender.unfilled = 0,
            _ => {}
        }
        if sender.unfilled <= 0 && sender.cancels == 0 {
            self.senders.remove(&id);
        }
        strategy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentIndex;

    fn cancel(strategy: u16, id: u64) -> Request {
        Request::Cancel { id: OrderId(id), strategy: StrategyIndex(strategy), count: id, instrument: InstrumentIndex(0) }
    }

    fn times_ns(strategies: &[&str], is_alone: bool) -> Vec<TimeNs> {
        let latencies = (Latency::Uniform { low_ns: 0, high_ns: 1_000 }, Latency::Exponential { minimum_ns: 5, mean_ns: 300 });
        let names: Vec<String> = strategies.iter().map(|name| (*name).to_owned()).collect();
        let ours = names.iter().position(|name| name == "ours").unwrap() as u16;
        let mut lines = Lines::new("v", latencies, 1, &names);
        // Far enough apart that none waits for the one before.
        (0..100_i64)
            .flat_map(|place| {
                let (id, now_ns) = (place as u64, place * 1_000_000);
                if !is_alone {
                    lines.request_ns(&cancel(1 - ours, 1_000 + id), now_ns - 500_000);
                    lines.answer_ns(&AccountEvent::Cancelled(OrderId(1_000 + id), Code::Requested), now_ns - 500_000);
                }
                let asked_ns = lines.request_ns(&cancel(ours, id), now_ns);
                [asked_ns, lines.answer_ns(&AccountEvent::Cancelled(OrderId(id), Code::Requested), asked_ns)]
            })
            .collect()
    }

    #[test]
    fn another_strategy_shifts_no_chance() {
        let alone = times_ns(&["ours"], true);
        assert_eq!(times_ns(&["another", "ours"], false), alone);
        assert_eq!(times_ns(&["ours", "zebra"], false), alone);
    }
}
