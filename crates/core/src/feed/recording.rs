//! One recorded stream: rows in the order of their arrival, held once and shared, or fed
//! in chunks.

use crate::error::{Code, Error, Result};
use crate::market::{MarketEvent, MarketKind};
use crate::state::{Stream, StreamKind};
use crate::time::{DurationNs, TimeNs};
use std::sync::{Arc, Mutex};

/// A run of rows.
pub type Chunk = Arc<[MarketEvent]>;

/// Gives the chunks of a recording one after the other.
pub trait ChunkSource: Send {
    /// The next chunk, or nothing at the end.
    fn next_chunk(&mut self) -> Result<Option<Chunk>>;
}

/// A recorded stream.
///
/// Its rows keep their order whatever their kind or instrument (T3).
#[derive(Clone)]
pub struct Recording {
    /// Its name, by which ties between streams are resolved.
    pub name: String,
    /// The streams that it holds.
    pub streams: Vec<Stream>,
    /// The longest time that a row took to arrive; none means that every row arrived at its venue time.
    pub(super) longest_delay_ns: Option<DurationNs>,
    /// Whether venue times never go back from row to row.
    pub(super) venue_sorted: bool,
    pub(super) rows: Rows,
}

/// The place of a row: its chunk, and where it is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub chunk: u32,
    pub row: u32,
}

#[derive(Clone)]
pub(super) enum Rows {
    /// All rows, and those whose venue time lies before that of a row above them, by venue time.
    Whole(Vec<Chunk>, Arc<[Place]>),
    Fed(Arc<Mutex<Box<dyn ChunkSource>>>),
}

impl Recording {
    /// A recording that is held whole; refuses rows that go back in time or arrive before they happened.
    pub fn new(name: impl Into<String>, chunks: Vec<Chunk>) -> Result<Self> {
        let name = name.into();
        let mut check = Check::default();
        for chunk in &chunks {
            check.take(&name, chunk)?;
        }
        let late = if check.venue_sorted { Vec::new() } else { late_rows(&chunks) };
        Ok(Self {
            name,
            streams: check.streams,
            longest_delay_ns: check.longest_delay_ns,
            venue_sorted: check.venue_sorted,
            rows: Rows::Whole(chunks, late.into()),
        })
    }

    /// The rows of a recording that is held whole, in the codec of events.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let rows = self
            .whole_rows()
            .ok_or_else(|| Error::new(Code::BadSetting, format!("{}: a recording that is fed in chunks is read once", self.name)))?;
        let rows: Vec<&MarketEvent> = rows.collect();
        postcard::to_stdvec(&rows).map_err(|error| Error::new(Code::Internal, format!("{}: rows cannot be encoded: {error}", self.name)))
    }

    /// The recording of rows in the codec of events.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Result<Self> {
        let name = name.into();
        let rows: Vec<MarketEvent> = postcard::from_bytes(bytes)
            .map_err(|error| Error::new(Code::UnreadableFile, format!("{name}: rows cannot be decoded: {error}")))?;
        Self::new(name, vec![rows.into()])
    }

    /// A recording that is fed in chunks and read once. No row may take longer to arrive than
    /// `longest_delay_ns`, which decides how far the venue's side looks ahead.
    pub fn fed(name: impl Into<String>, streams: Vec<Stream>, longest_delay_ns: DurationNs, source: Box<dyn ChunkSource>) -> Self {
        let longest_delay_ns = Some(longest_delay_ns).filter(|&delay_ns| delay_ns > 0);
        Self {
            name: name.into(),
            streams,
            longest_delay_ns,
            venue_sorted: longest_delay_ns.is_none(),
            rows: Rows::Fed(Arc::new(Mutex::new(source))),
        }
    }

    /// The rows, where they are held whole.
    pub fn whole_rows(&self) -> Option<impl Iterator<Item = &MarketEvent>> {
        match &self.rows {
            Rows::Whole(chunks, _) => Some(chunks.iter().flat_map(|chunk| chunk.iter())),
            Rows::Fed(_) => None,
        }
    }

    /// Whether every row arrived at its venue time.
    pub fn has_one_clock(&self) -> bool {
        self.longest_delay_ns.is_none()
    }

    /// How many rows there are, where that is known.
    pub fn rows(&self) -> Option<u64> {
        match &self.rows {
            Rows::Whole(chunks, _) => Some(chunks.iter().map(|chunk| chunk.len() as u64).sum()),
            Rows::Fed(_) => None,
        }
    }

    /// The arrival of the first and of the last row, where that is known.
    pub fn span_ns(&self) -> Option<(TimeNs, TimeNs)> {
        match &self.rows {
            Rows::Whole(chunks, _) => {
                let first = chunks.iter().find_map(|chunk| chunk.first())?;
                let last = chunks.iter().rev().find_map(|chunk| chunk.last())?;
                Some((first.arrival_time_ns, last.arrival_time_ns))
            }
            Rows::Fed(_) => None,
        }
    }
}

/// The rows whose venue time lies before that of a row above them, by venue time, then by place.
fn late_rows(chunks: &[Chunk]) -> Vec<Place> {
    let mut latest = TimeNs::MIN;
    let mut late = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        for (row, event) in chunk.iter().enumerate() {
            if event.venue_time_ns < latest {
                late.push(Place { chunk: number as u32, row: row as u32 });
            }
            latest = latest.max(event.venue_time_ns);
        }
    }
    late.sort_by_key(|place| chunks[place.chunk as usize][place.row as usize].venue_time_ns);
    late
}

/// What is checked of every row, across chunks.
#[derive(Default)]
pub(super) struct Check {
    rows: u64,
    last: Option<(TimeNs, TimeNs)>,
    longest_delay_ns: Option<DurationNs>,
    venue_sorted: bool,
    streams: Vec<Stream>,
}

impl Check {
    pub fn take(&mut self, name: &str, chunk: &[MarketEvent]) -> Result<()> {
        if self.last.is_none() {
            self.venue_sorted = true;
        }
        for event in chunk {
            if let Some((code, problem)) = event.problem() {
                return Err(Error::new(code, format!("{name}: row {} holds {problem}", self.rows)));
            }
            let delay_ns = event.arrival_time_ns - event.venue_time_ns;
            if delay_ns < 0 {
                let message = format!("{name}: row {} arrived {} ns before its venue time", self.rows, -delay_ns);
                return Err(
                    Error::new(Code::ArrivalBeforeVenueTime, message).hint("align the recording: its local clock was behind the venue's")
                );
            }
            if let Some((arrival, venue)) = self.last {
                if event.arrival_time_ns < arrival {
                    let message = format!(
                        "{name}: row {} arrived at {} ns, before the row above it at {arrival} ns",
                        self.rows, event.arrival_time_ns
                    );
                    return Err(Error::new(Code::UnsortedRows, message).hint("sort the rows by time, or ask the reader to (sort=True)"));
                }
                self.venue_sorted &= event.venue_time_ns >= venue;
            }
            if delay_ns > 0 {
                self.longest_delay_ns = self.longest_delay_ns.max(Some(delay_ns));
            }
            self.last = Some((event.arrival_time_ns, event.venue_time_ns));
            self.rows += 1;
            self.note_stream(event);
        }
        Ok(())
    }

    #[inline]
    fn note_stream(&mut self, event: &MarketEvent) {
        let kind = match event.kind {
            MarketKind::Funding => StreamKind::Funding,
            MarketKind::Mark => StreamKind::Marks,
            MarketKind::Book => StreamKind::Book,
            MarketKind::Quote => StreamKind::Quotes,
            MarketKind::Trade => StreamKind::Trades,
            MarketKind::Bar => StreamKind::Bars(event.interval()),
        };
        let stream = Stream { instrument: event.instrument, kind };
        if !self.streams.contains(&stream) {
            self.streams.push(stream);
        }
    }

    /// Refuses a fed row that took longer than was stated.
    pub fn check_delay(&self, name: &str, stated_ns: DurationNs) -> Result<()> {
        let longest_ns = self.longest_delay_ns.unwrap_or(0);
        if longest_ns <= stated_ns {
            return Ok(());
        }
        let message = format!("{name}: a row took {longest_ns} ns to arrive, more than the stated longest delay of {stated_ns} ns");
        Err(Error::new(Code::BadSetting, message).hint("state a longer delay for this stream, or load it whole"))
    }

    /// Refuses a fed row of a stream that was not announced.
    pub fn check_streams(&self, name: &str, stated: &[Stream]) -> Result<()> {
        match self.streams.iter().find(|stream| !stated.contains(stream)) {
            None => Ok(()),
            Some(stream) => Err(Error::new(
                Code::MissingStream,
                format!("{name}: holds {} of an instrument for which it was not announced", stream.kind),
            )),
        }
    }
}
