//! Follows an order book from a snapshot and the changes after it.

use crate::buffer::Buffer;
use crate::json::bad;
use tradewind_core::error::Result;
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::{BookDelta, Level, MarketData, Side};
use tradewind_core::time::TimeNs;

/// As many messages wait for a snapshot; of more the oldest are forgotten, and the snapshot must be newer.
const MOST_WAITING: usize = 10_000;

/// How a message is known to continue the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Continuity {
    /// Its first number is at most one above the last number (Binance spot).
    #[default]
    First,
    /// It names the last number of the message before (Binance futures).
    Previous,
}

/// A message with changes.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The first update in it.
    pub first: i64,
    /// The last update in it.
    pub last: i64,
    /// The last update of the message before, where the venue says it.
    pub previous: i64,
    /// When it happened.
    pub venue_ns: TimeNs,
    /// Levels with their new quantities.
    pub levels: Levels,
}

/// Levels of both sides, bids first.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// All of them.
    pub all: Vec<Level>,
    /// How many are bids.
    pub bids: usize,
}

impl Levels {
    /// None.
    pub fn clear(&mut self) {
        self.all.clear();
        self.bids = 0;
    }

    /// Adds them to the rows, as one message.
    pub fn push(&self, rows: &mut Buffer, instrument: InstrumentIndex, times: (Option<TimeNs>, TimeNs), is_snapshot: bool) -> Result<()> {
        let before = rows.rows().len();
        let (venue_ns, arrival_ns) = times;
        let count = self.all.len();
        let mut push = |place: usize, side, level: Level| {
            let (first, last) = (is_snapshot && place == 0, place + 1 >= count);
            let delta = BookDelta { side, price: level.price, quantity: level.quantity, first, last };
            rows.push(instrument, venue_ns, arrival_ns, MarketData::Book(delta))
        };
        let mut result = Ok(());
        for (place, level) in self.all.iter().enumerate() {
            let side = if place < self.bids { Side::Buy } else { Side::Sell };
            result = result.and_then(|()| push(place, side, *level));
        }
        if count == 0 && is_snapshot {
            // An empty book: nothing is taken away from nothing.
            result = push(0, Side::Buy, Level { price: 0, quantity: 0 });
        }
        if result.is_err() {
            rows.undo_to(before);
        }
        result
    }

    /// The highest bid is above the lowest ask.
    pub fn is_crossed(&self) -> bool {
        let (bids, asks) = self.all.split_at(self.bids);
        let bid = bids.iter().filter(|level| level.quantity > 0).map(|level| level.price).max();
        let ask = asks.iter().filter(|level| level.quantity > 0).map(|level| level.price).min();
        matches!((bid, ask), (Some(bid), Some(ask)) if bid > ask)
    }
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFate {
    /// The book follows from it.
    Taken,
    /// It is older than the first change that is known: another one is needed.
    TooOld,
    /// The book was followed already.
    NotNeeded,
}

/// What became of a message with changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeFate {
    /// Its rows were added.
    Applied,
    /// It is older than the book.
    Old,
    /// It waits for a snapshot.
    Waits,
    /// It does not continue the book, which is dropped and waits for a snapshot.
    Gap,
}

/// An order book's place in its sequence.
#[derive(Debug, Default)]
pub struct Follower {
    last: Option<i64>,
    /// No message was applied since the snapshot: it may begin before it.
    is_fresh: bool,
    last_ns: TimeNs,
    waiting: std::collections::VecDeque<Change>,
}

impl Follower {
    /// Whether rows are added.
    pub fn is_live(&self) -> bool {
        self.last.is_some()
    }

    /// The number of the last update in it.
    pub fn last_update(&self) -> Option<i64> {
        self.last
    }

    /// When the last applied message happened.
    pub fn last_ns(&self) -> TimeNs {
        self.last_ns
    }

    /// A snapshot of the venue's own begins the book anew.
    pub fn begin(&mut self, last: i64, venue_ns: TimeNs) {
        (self.last, self.last_ns) = (Some(last), venue_ns);
        self.waiting.clear();
    }

    /// A message was lost: no rows are added until a snapshot. Gives when the last applied one happened.
    pub fn lose(&mut self) -> TimeNs {
        self.last = None;
        self.last_ns
    }

    /// Takes the number of a change, of those that rise by one: what lies behind a hole waits for a snapshot of the
    /// venue's own.
    pub fn step(&mut self, update: i64, venue_ns: TimeNs) -> ChangeFate {
        match self.last {
            None => ChangeFate::Gap,
            Some(last) if update <= last => ChangeFate::Old,
            Some(last) if update > last + 1 => {
                self.last = None;
                ChangeFate::Gap
            }
            Some(_) => {
                (self.last, self.last_ns) = (Some(update), venue_ns);
                ChangeFate::Applied
            }
        }
    }

    /// Whether a message with the whole book is newer than what is known.
    pub fn is_newer_whole(&mut self, last: i64) -> bool {
        let is_newer = self.last.is_none_or(|known| last > known);
        if is_newer {
            self.last = Some(last);
        }
        is_newer
    }

    /// Takes a message.
    pub fn change(
        &mut self,
        change: &Change,
        continuity: Continuity,
        rows: &mut Buffer,
        instrument: InstrumentIndex,
        arrival_ns: TimeNs,
    ) -> Result<ChangeFate> {
        if change.first > change.last {
            return Err(bad(format!("U = {}: it is above u = {}", change.first, change.last)));
        }
        let Some(last) = self.last else {
            self.wait(change);
            return Ok(ChangeFate::Waits);
        };
        if change.last < last || change.last == last && !(self.is_fresh && continuity == Continuity::Previous) {
            return Ok(ChangeFate::Old);
        }
        if !self.continues(change, last, continuity) {
            self.last = None;
            self.wait(change);
            return Ok(ChangeFate::Gap);
        }
        // A message that cannot be read leaves a gap before the next one.
        change.levels.push(rows, instrument, (Some(change.venue_ns), arrival_ns), false)?;
        (self.last, self.last_ns, self.is_fresh) = (Some(change.last), change.venue_ns, false);
        Ok(ChangeFate::Applied)
    }

    /// Takes a snapshot, then what waited for it.
    pub fn snapshot(
        &mut self,
        last: i64,
        levels: &Levels,
        continuity: Continuity,
        rows: &mut Buffer,
        instrument: InstrumentIndex,
        arrival_ns: TimeNs,
    ) -> Result<SnapshotFate> {
        if self.is_live() {
            return Ok(SnapshotFate::NotNeeded);
        }
        let reaches = |change: &Change| match continuity {
            Continuity::First => change.first <= last + 1,
            Continuity::Previous => change.first <= last,
        };
        let is_old = |change: &&Change| match continuity {
            Continuity::First => change.last <= last,
            // It may end where the snapshot does and still be the first.
            Continuity::Previous => change.last < last,
        };
        let kept = self.waiting.iter().find(|change| !is_old(change));
        if kept.is_some_and(|change| !reaches(change)) {
            return Ok(SnapshotFate::TooOld);
        }
        let before = rows.rows().len();
        // The venue does not say when a snapshot was: with the last change that it holds, or with the next.
        let old = self.waiting.iter().take_while(is_old).last();
        let venue_ns = old.or(self.waiting.front()).map(|change| change.venue_ns);
        levels.push(rows, instrument, (venue_ns, arrival_ns), true)?;
        (self.last, self.is_fresh) = (Some(last), true);
        self.last_ns = venue_ns.unwrap_or(arrival_ns - rows.latency_ns());
        let mut has_hole = false;
        for change in std::mem::take(&mut self.waiting) {
            has_hole |=
                !matches!(self.change(&change, continuity, rows, instrument, arrival_ns), Ok(ChangeFate::Applied | ChangeFate::Old));
        }
        if has_hole {
            // What lies behind the hole waits again, and may follow from a newer snapshot.
            rows.undo_to(before);
            self.last = None;
            return Ok(SnapshotFate::TooOld);
        }
        Ok(SnapshotFate::Taken)
    }

    fn continues(&self, change: &Change, last: i64, continuity: Continuity) -> bool {
        match continuity {
            Continuity::First => change.first <= last + 1,
            Continuity::Previous if self.is_fresh => change.first <= last,
            Continuity::Previous => change.previous == last,
        }
    }

    fn wait(&mut self, change: &Change) {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(change.clone());
    }
}
