//! A place in a recording, for one side of the timeline.

use super::merge::Side;
use super::recording::{Check, Chunk, Place, Recording, Rows};
use crate::error::Result;
use crate::market::MarketEvent;
use crate::state::Stream;
use crate::time::{DurationNs, TimeNs};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Chunks of one recording that one side has read and the other has not.
pub(super) struct Shelf {
    name: String,
    streams: Vec<Stream>,
    longest_delay_ns: Option<DurationNs>,
    rows: Rows,
    /// Chunks that are held, and the number of the first.
    held: VecDeque<Chunk>,
    first: usize,
    /// The number of the chunk that each side wants next.
    wanted: [usize; 2],
    check: Check,
    ended: bool,
}

impl Shelf {
    pub fn new(recording: Recording) -> Self {
        Self {
            name: recording.name,
            streams: recording.streams,
            longest_delay_ns: recording.longest_delay_ns,
            rows: recording.rows,
            held: VecDeque::new(),
            first: 0,
            wanted: [0; 2],
            check: Check::default(),
            ended: false,
        }
    }

    fn next(&mut self, side: Side) -> Result<Option<Chunk>> {
        let number = self.wanted[side as usize];
        if let Rows::Whole(chunks, _) = &self.rows {
            self.wanted[side as usize] += 1;
            return Ok(chunks.get(number).cloned());
        }
        while !self.ended && number >= self.first + self.held.len() {
            self.fetch()?;
        }
        let chunk = self.held.get(number - self.first).cloned();
        self.wanted[side as usize] += 1;
        while self.first < self.wanted[0].min(self.wanted[1]) && self.held.pop_front().is_some() {
            self.first += 1;
        }
        Ok(chunk)
    }

    fn fetch(&mut self) -> Result<()> {
        let Rows::Fed(source) = &self.rows else { return Ok(()) };
        let mut source = source.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match source.next_chunk()? {
            Some(chunk) => {
                self.check.take(&self.name, &chunk)?;
                self.check.check_delay(&self.name, self.longest_delay_ns.unwrap_or(0))?;
                self.check.check_streams(&self.name, &self.streams)?;
                self.held.push_back(chunk);
            }
            None => self.ended = true,
        }
        Ok(())
    }

    /// How the venue's side meets rows whose venue times go back.
    fn venue_order(&self) -> Order {
        match &self.rows {
            Rows::Whole(chunks, late) => Order::Late(LateRows::new(chunks.clone(), Arc::clone(late))),
            Rows::Fed(_) => Order::Window(Window::new(self.longest_delay_ns.unwrap_or(0))),
        }
    }

    /// With one clock only the arrival side reads.
    pub fn read_by_arrival_only(&mut self) {
        self.wanted[Side::Venue as usize] = usize::MAX;
    }
}

/// A place in the rows of one recording.
pub(super) struct Cursor {
    shelf: Arc<Mutex<Shelf>>,
    side: Side,
    chunk: Chunk,
    row: usize,
    order: Order,
    /// Stands for no open chunk.
    closed: Chunk,
}

/// Rows that were looked at and not yet met, by venue time. Most rows come in order and are
/// appended; a late one moves to its place from the back.
struct Window {
    longest_delay_ns: DurationNs,
    rows: VecDeque<Waiting>,
    /// The chunks that waiting rows are in, with how many of them, and the number of the first.
    chunks: VecDeque<(Chunk, usize)>,
    first: u32,
}

#[derive(Clone, Copy)]
struct Waiting {
    venue_time_ns: TimeNs,
    chunk: u32,
    row: u32,
}

impl Window {
    fn new(longest_delay_ns: DurationNs) -> Self {
        Self { longest_delay_ns, rows: VecDeque::new(), chunks: VecDeque::new(), first: 0 }
    }

    #[inline]
    fn first(&self) -> Option<&MarketEvent> {
        let waiting = self.rows.front()?;
        Some(&self.chunks[(waiting.chunk - self.first) as usize].0[waiting.row as usize])
    }

    /// Whether no row that arrives at this time or later can come before the first.
    #[inline]
    fn is_settled(&self, arrival_time_ns: TimeNs) -> bool {
        self.rows.front().is_some_and(|first| arrival_time_ns > first.venue_time_ns + self.longest_delay_ns)
    }

    /// Adds a row of the newest chunk, behind those of the same venue time.
    #[inline]
    fn add(&mut self, venue_time_ns: TimeNs, row: usize) {
        let chunk = self.first + self.chunks.len() as u32 - 1;
        if let Some((_, rows)) = self.chunks.back_mut() {
            *rows += 1;
        }
        let waiting = Waiting { venue_time_ns, chunk, row: row as u32 };
        if self.rows.back().is_none_or(|last| last.venue_time_ns <= venue_time_ns) {
            self.rows.push_back(waiting);
        } else {
            let place = self.rows.partition_point(|earlier| earlier.venue_time_ns <= venue_time_ns);
            self.rows.insert(place, waiting);
        }
    }

    /// Lets go of the first row, and of chunks that no waiting row is in.
    #[inline]
    fn drop_first(&mut self) {
        let Some(dropped) = self.rows.pop_front() else { return };
        self.chunks[(dropped.chunk - self.first) as usize].1 -= 1;
        // The newest stays: more of its rows may be added.
        while self.chunks.len() > 1 && self.chunks[0].1 == 0 {
            self.chunks.pop_front();
            self.first += 1;
        }
    }
}

/// Behind all rows.
const NEVER: (TimeNs, Place) = (TimeNs::MAX, Place { chunk: u32::MAX, row: u32::MAX });

/// The rows of a whole recording by venue time: those in order, and the late ones in between.
struct LateRows {
    chunks: Vec<Chunk>,
    late: Arc<[Place]>,
    /// The next late row, and its venue time and place.
    next: usize,
    next_late: (TimeNs, Place),
    /// The next row that is not late, and the latest venue time up to it.
    place: Place,
    latest_ns: TimeNs,
    takes_late: bool,
}

impl LateRows {
    fn new(chunks: Vec<Chunk>, late: Arc<[Place]>) -> Self {
        let place = Place { chunk: 0, row: 0 };
        let mut rows = Self { chunks, late, next: 0, next_late: NEVER, place, latest_ns: TimeNs::MIN, takes_late: false };
        rows.find_late();
        rows.skip_late();
        rows.choose();
        rows
    }

    #[inline]
    fn at(&self, place: Place) -> Option<&MarketEvent> {
        self.chunks.get(place.chunk as usize)?.get(place.row as usize)
    }

    #[inline]
    fn first(&self) -> Option<&MarketEvent> {
        let place = if self.takes_late { *self.late.get(self.next)? } else { self.place };
        self.at(place)
    }

    #[inline]
    fn drop_first(&mut self) {
        if self.takes_late {
            self.next += 1;
            self.find_late();
        } else {
            self.place.row += 1;
            self.skip_late();
        }
        self.choose();
    }

    /// Goes to the next row that is not late.
    #[inline]
    fn skip_late(&mut self) {
        while let Some(chunk) = self.chunks.get(self.place.chunk as usize) {
            match chunk.get(self.place.row as usize) {
                None => self.place = Place { chunk: self.place.chunk + 1, row: 0 },
                Some(event) if event.venue_time_ns < self.latest_ns => self.place.row += 1,
                Some(event) => {
                    self.latest_ns = event.venue_time_ns;
                    return;
                }
            }
        }
    }

    /// Remembers the next late row, so that those between two of them need not look at it.
    fn find_late(&mut self) {
        let late = self.late.get(self.next).and_then(|late| Some((self.at(*late)?.venue_time_ns, *late)));
        self.next_late = late.unwrap_or(NEVER);
    }

    /// Whether the next late row comes before the next one that is not; the earlier place decides a tie.
    #[inline]
    fn choose(&mut self) {
        let other = self.at(self.place).map_or(NEVER, |other| (other.venue_time_ns, self.place));
        self.takes_late = self.next_late < other;
    }
}

/// In which order a cursor meets rows.
enum Order {
    /// As they are.
    Rows,
    /// By venue time, looking ahead in what is fed.
    Window(Window),
    /// By venue time, in what is held whole.
    Late(LateRows),
}

impl Cursor {
    /// A place at the first row, in the order of arrival or of venue time.
    pub fn new(shelf: Arc<Mutex<Shelf>>, side: Side, sorts_by_venue: bool) -> Result<Self> {
        let order =
            if sorts_by_venue { shelf.lock().unwrap_or_else(std::sync::PoisonError::into_inner).venue_order() } else { Order::Rows };
        let mut cursor = Self { shelf, side, chunk: Arc::new([]), row: 0, order, closed: Arc::new([]) };
        cursor.fill()?;
        Ok(cursor)
    }

    /// The row at this place; none at the end.
    #[inline]
    pub fn event(&self) -> Option<&MarketEvent> {
        match &self.order {
            Order::Rows => self.chunk.get(self.row),
            Order::Late(rows) => rows.first(),
            Order::Window(window) => window.first(),
        }
    }

    /// The open chunk and the place in it; nothing is open where rows come in another order.
    pub fn open_chunk(&self) -> (&Chunk, usize) {
        match self.order {
            Order::Rows => (&self.chunk, self.row),
            Order::Late(_) | Order::Window(_) => (&self.closed, 0),
        }
    }

    /// Takes over a place in the open chunk that the merge has reached.
    pub fn go_to(&mut self, row: usize) {
        if let Order::Rows = self.order {
            self.row = row;
        }
    }

    /// Goes to the next row.
    #[inline]
    pub fn advance(&mut self) -> Result<()> {
        match &mut self.order {
            Order::Rows => {
                self.row += 1;
                if self.row < self.chunk.len() {
                    return Ok(());
                }
            }
            Order::Late(rows) => {
                rows.drop_first();
                return Ok(());
            }
            Order::Window(window) => window.drop_first(),
        }
        self.fill()
    }

    #[cold]
    fn next_chunk(&mut self) -> Result<bool> {
        loop {
            let chunk = self.shelf.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next(self.side)?;
            let Some(chunk) = chunk else {
                self.chunk = Arc::new([]);
                self.row = 0;
                return Ok(false);
            };
            if !chunk.is_empty() {
                if let Order::Window(window) = &mut self.order {
                    window.chunks.push_back((Arc::clone(&chunk), 0));
                }
                self.chunk = chunk;
                self.row = 0;
                return Ok(true);
            }
        }
    }

    /// Makes sure that [`Self::event`] is right: a chunk is open, and the window holds every
    /// row that could come before its first.
    fn fill(&mut self) -> Result<()> {
        if let Order::Late(_) = self.order {
            return Ok(());
        }
        loop {
            if self.row >= self.chunk.len() && !self.next_chunk()? {
                return Ok(());
            }
            let Order::Window(window) = &mut self.order else { return Ok(()) };
            let event = &self.chunk[self.row];
            if window.is_settled(event.arrival_time_ns) {
                return Ok(());
            }
            window.add(event.venue_time_ns, self.row);
            self.row += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentIndex;
    use crate::market::MarketData;

    fn row(venue_time_ns: TimeNs) -> Chunk {
        vec![MarketEvent::new(InstrumentIndex(0), venue_time_ns, venue_time_ns, MarketData::Mark(1))].into()
    }

    #[test]
    fn a_chunk_is_held_while_a_row_of_it_waits() {
        let mut window = Window::new(10);
        for time_ns in [3, 1, 2] {
            window.chunks.push_back((row(time_ns), 0));
            window.add(time_ns, 0);
        }
        let mut held = Vec::new();
        while let Some(event) = window.first() {
            held.push((event.venue_time_ns, window.chunks.len()));
            window.drop_first();
        }
        assert_eq!((held, window.chunks.len()), (vec![(1, 3), (2, 3), (3, 3)], 1));
    }

    #[test]
    fn many_small_chunks_are_dropped_in_linear_time() {
        const CHUNKS: i64 = 60_000;
        let mut window = Window::new(CHUNKS);
        let chunk = row(0);
        for time_ns in 0..CHUNKS {
            window.chunks.push_back((Arc::clone(&chunk), 0));
            window.add(time_ns, 0);
        }
        // Milliseconds; a walk over what waits at each of them takes a minute, which the list of slow tests shows.
        while window.first().is_some() {
            window.drop_first();
        }
        assert_eq!(window.chunks.len(), 1, "the newest stays");
    }
}
