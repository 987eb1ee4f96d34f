//! A synthetic market whose book others trade in too.

use super::{Participants, SyntheticSettings};
use crate::error::Result;
use crate::instrument::Specification;
use crate::time::TimeNs;
use crate::venue::matching::{MatchEvent, MatchingBook, OrderKey, Submission};

/// A book, and the synthetic participants who trade in it as time passes, if there are any.
///
/// Whoever owns it says what time it is, and brings in the orders of others between the
/// participants' actions. They see each other: participants quote around those orders and trade
/// with them. The same calls give the same events.
///
/// ```
/// use tradewind_core::synthetic::OpenMarket;
///
/// let mut market = OpenMarket::default();
/// let mut events = Vec::new();
/// assert_eq!(market.next_action_ns(), None);
/// assert_eq!(market.act(i64::MAX, &mut events), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenMarket {
    book: MatchingBook,
    crowd: Option<Crowd>,
}

/// The participants, and when one of them acts next.
#[derive(Clone, Debug)]
struct Crowd {
    participants: Participants,
    next_action_ns: TimeNs,
}

impl OpenMarket {
    /// A market with participants, which fill the book at once; of the settings its length,
    /// latency and kinds of rows do not matter.
    pub fn new(specification: &Specification, settings: &SyntheticSettings) -> Result<Self> {
        let mut participants = Participants::new(specification, settings)?;
        let mut book = MatchingBook::default();
        participants.open(&mut book, &mut Vec::new());
        let next_action_ns = settings.start_ns.saturating_add(participants.wait());
        Ok(Self { book, crowd: Some(Crowd { participants, next_action_ns }) })
    }

    /// The book that everybody trades in.
    pub fn book(&self) -> &MatchingBook {
        &self.book
    }

    /// When a participant acts next.
    pub fn next_action_ns(&self) -> Option<TimeNs> {
        self.crowd.as_ref().map(|crowd| crowd.next_action_ns)
    }

    /// The next action of a participant, if it is due; gives its time.
    pub fn act(&mut self, until_ns: TimeNs, events: &mut Vec<MatchEvent>) -> Option<TimeNs> {
        let crowd = self.crowd.as_mut().filter(|crowd| crowd.next_action_ns <= until_ns)?;
        let now_ns = crowd.next_action_ns;
        let before = events.len();
        crowd.participants.act(&mut self.book, events);
        crowd.observe(&events[before..]);
        crowd.next_action_ns = now_ns.saturating_add(crowd.participants.wait());
        Some(now_ns)
    }

    /// Takes an order of somebody else.
    pub fn submit(&mut self, order: &Submission, events: &mut Vec<MatchEvent>) {
        let before = events.len();
        self.book.submit(order, events);
        self.observe(&events[before..]);
    }

    /// Takes an order of somebody else out of the book.
    pub fn cancel(&mut self, order: OrderKey, events: &mut Vec<MatchEvent>) {
        self.book.cancel(order, events);
    }

    /// Changes an order of somebody else.
    pub fn amend(&mut self, order: OrderKey, price: i64, remaining: i64, events: &mut Vec<MatchEvent>) {
        let before = events.len();
        self.book.amend(order, price, remaining, events);
        self.observe(&events[before..]);
    }

    fn observe(&mut self, events: &[MatchEvent]) {
        if let Some(crowd) = &mut self.crowd {
            crowd.observe(events);
        }
    }
}

impl Crowd {
    /// The participants learn of all trades.
    fn observe(&mut self, events: &[MatchEvent]) {
        for event in events {
            if let MatchEvent::Trade(trade) = event {
                self.participants.observe(trade);
            }
        }
    }
}
