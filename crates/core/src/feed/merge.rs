//! The merge of any number of recordings in the order of time.

use super::cursor::{Cursor, Shelf};
use super::recording::{Chunk, Recording};
use crate::error::Result;
use crate::market::MarketEvent;
use crate::time::TimeNs;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};

/// Which side of the timeline reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The venue: by venue time.
    Venue = 0,
    /// The engine: by arrival.
    Arrival = 1,
}

/// Where a stream's next row stands: its time, then what decides ties (T3): the kind, then
/// the rank of the stream, whose order is that of venue, instrument and stream names.
type Key = (TimeNs, u8, u32);

const END: Key = (TimeNs::MAX, u8::MAX, u32::MAX);

/// One side's merge.
pub struct Merge {
    side: Side,
    cursors: Vec<Cursor>,
    /// The stream whose row is next.
    head: usize,
    /// Its open chunk and the place in it, so that most steps touch nothing else; empty where
    /// its rows do not come in the order of the chunk.
    chunk: Chunk,
    row: usize,
    next_ns: TimeNs,
    /// The next row of the other streams.
    others: BinaryHeap<Reverse<(Key, usize)>>,
    runner_up: Key,
}

impl Merge {
    /// Both sides' merges over the same recordings; the venue's is left out where every row
    /// of every recording arrived at its venue time, because both would be the same.
    ///
    /// Recordings come in the order of their rank.
    pub fn both(recordings: Vec<Recording>) -> Result<(Self, Option<Self>)> {
        let one_clock = recordings.iter().all(Recording::has_one_clock);
        let (mut arrival, mut venue) = (Vec::new(), Vec::new());
        for recording in recordings {
            let sorts_by_venue = !recording.venue_sorted;
            let shelf = Arc::new(Mutex::new(Shelf::new(recording)));
            if one_clock {
                shelf.lock().unwrap_or_else(std::sync::PoisonError::into_inner).read_by_arrival_only();
            } else {
                venue.push(Cursor::new(Arc::clone(&shelf), Side::Venue, sorts_by_venue)?);
            }
            arrival.push(Cursor::new(shelf, Side::Arrival, false)?);
        }
        let venue = (!one_clock).then(|| Self::new(Side::Venue, venue));
        Ok((Self::new(Side::Arrival, arrival), venue))
    }

    fn new(side: Side, cursors: Vec<Cursor>) -> Self {
        let others = cursors.iter().enumerate().map(|(place, cursor)| Reverse((key(side, cursor, place), place))).collect();
        let mut merge = Self { side, cursors, head: 0, chunk: Arc::new([]), row: 0, next_ns: TimeNs::MAX, others, runner_up: END };
        merge.next_head();
        merge
    }

    /// When the next row is due; the end of time when there is none.
    #[inline]
    pub fn next_ns(&self) -> TimeNs {
        self.next_ns
    }

    /// The next row.
    #[inline]
    pub fn event(&self) -> Option<&MarketEvent> {
        self.chunk.get(self.row).or_else(|| self.cursors.get(self.head)?.event())
    }

    /// Goes to the row after it.
    #[inline]
    pub fn advance(&mut self) -> Result<()> {
        if let Some(event) = self.chunk.get(self.row + 1) {
            let time_ns = time_of(self.side, event);
            if time_ns < self.runner_up.0 {
                self.row += 1;
                self.next_ns = time_ns;
                return Ok(());
            }
        }
        self.advance_cursor()
    }

    /// The same where a chunk ends, rows come through a window, or another stream may be next.
    #[inline(never)]
    fn advance_cursor(&mut self) -> Result<()> {
        let cursor = &mut self.cursors[self.head];
        cursor.go_to(self.row);
        cursor.advance()?;
        let key = key(self.side, cursor, self.head);
        if key <= self.runner_up {
            self.next_ns = key.0;
            self.adopt();
        } else {
            self.others.push(Reverse((key, self.head)));
            self.next_head();
        }
        Ok(())
    }

    fn next_head(&mut self) {
        if let Some(Reverse((key, head))) = self.others.pop() {
            self.head = head;
            self.next_ns = key.0;
        }
        self.runner_up = self.others.peek().map_or(END, |Reverse((key, _))| *key);
        self.adopt();
    }

    fn adopt(&mut self) {
        let Some(cursor) = self.cursors.get(self.head) else { return };
        let (chunk, row) = cursor.open_chunk();
        if !Arc::ptr_eq(&self.chunk, chunk) {
            self.chunk = Arc::clone(chunk);
        }
        self.row = row;
    }
}

#[inline]
fn time_of(side: Side, event: &MarketEvent) -> TimeNs {
    match side {
        Side::Venue => event.venue_time_ns,
        Side::Arrival => event.arrival_time_ns,
    }
}

#[inline]
fn key(side: Side, cursor: &Cursor, rank: usize) -> Key {
    match cursor.event() {
        None => END,
        Some(event) => (time_of(side, event), event.kind as u8, rank as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::ChunkSource;
    use crate::instrument::InstrumentIndex;
    use crate::market::{MarketData, Trade};
    use crate::state::{Stream, StreamKind};
    use proptest::prelude::*;

    fn row(instrument: u32, venue: i64, arrival: i64, id: i64) -> MarketEvent {
        MarketEvent::new(
            InstrumentIndex(instrument),
            venue,
            arrival,
            MarketData::Trade(Trade { price: 1, quantity: 1, aggressor: None, id }),
        )
    }

    fn drain(merge: &mut Merge) -> Vec<MarketEvent> {
        let mut rows = Vec::new();
        while let Some(event) = merge.event().copied() {
            rows.push(event);
            merge.advance().unwrap();
        }
        rows
    }

    struct Chunks(std::vec::IntoIter<Chunk>);

    impl ChunkSource for Chunks {
        fn next_chunk(&mut self) -> Result<Option<Chunk>> {
            Ok(self.0.next())
        }
    }

    proptest! {
        #[test]
        fn both_sides_are_stable_sorts_whole_or_fed(streams in prop::collection::vec(prop::collection::vec((0_i64..20, 0_i64..30), 0..40), 1..5), size in 1_usize..7) {
            let mut all = Vec::new();
            let (mut whole, mut fed) = (Vec::new(), Vec::new());
            for (place, steps) in streams.iter().enumerate() {
                let mut arrival = 0;
                let rows: Vec<_> = steps.iter().enumerate().map(|(id, (step, delay))| {
                    arrival += step;
                    row(place as u32, arrival - delay, arrival, id as i64)
                }).collect();
                all.extend(rows.iter().copied().map(|row| (place, row)));
                let chunks: Vec<Chunk> = rows.chunks(size).map(Chunk::from).collect();
                whole.push(Recording::new(place.to_string(), chunks.clone()).unwrap());
                let stream = Stream { instrument: InstrumentIndex(place as u32), kind: StreamKind::Trades };
                fed.push(Recording::fed(place.to_string(), vec![stream], 30, Box::new(Chunks(chunks.into_iter()))));
            }
            let mut by_arrival = all.clone();
            by_arrival.sort_by_key(|(place, row)| (row.arrival_time_ns, *place));
            let mut by_venue = all;
            by_venue.sort_by_key(|(place, row)| (row.venue_time_ns, *place));
            for recordings in [whole, fed] {
                let (mut arrival, venue) = Merge::both(recordings).unwrap();
                let expected: Vec<_> = by_arrival.iter().map(|(_, row)| *row).collect();
                if let Some(mut venue) = venue {
                    let expected: Vec<_> = by_venue.iter().map(|(_, row)| *row).collect();
                    prop_assert_eq!(drain(&mut venue), expected);
                }
                prop_assert_eq!(drain(&mut arrival), expected);
            }
        }
    }

    #[test]
    fn rows_that_go_back_or_come_from_the_future_are_named() {
        let unsorted = Recording::new("trades", vec![vec![row(0, 5, 5, 1), row(0, 4, 4, 2)].into()]);
        assert!(unsorted.err().unwrap().message.contains("row 1 arrived at 4 ns"));
        let early = Recording::new("trades", vec![vec![row(0, 5, 4, 1)].into()]);
        assert_eq!(early.err().unwrap().code, crate::error::Code::ArrivalBeforeVenueTime);
    }
}
