//! Recorded rows, from the columns of a table.

use crate::error::{OrRaise, raised};
use crate::instrument::{Index, Instrument};
use crate::lender::Failure;
use pyo3::buffer::{Element, PyBuffer};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::PoisonError;
use tradewind_core::error::{Code, Error, Result};
use tradewind_core::event::{Entry, Event, decode_entries};
use tradewind_core::feed::{self, Chunk, ChunkSource};
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::{BarInterval, MarketEvent};
use tradewind_core::state::{self, StreamKind};

/// The columns of some rows; each is a buffer of integers, such as a numpy array.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Columns<'py> {
    venue_time_ns: Bound<'py, PyAny>,
    arrival_time_ns: Bound<'py, PyAny>,
    kind: Bound<'py, PyAny>,
    flags: Bound<'py, PyAny>,
    a: Bound<'py, PyAny>,
    b: Bound<'py, PyAny>,
    c: Bound<'py, PyAny>,
    d: Bound<'py, PyAny>,
    e: Bound<'py, PyAny>,
    interval_ns: Bound<'py, PyAny>,
    /// The instrument's index by row; None when all rows are of one instrument.
    instrument: Option<Bound<'py, PyAny>>,
}

fn column<T: Element>(values: &Bound<'_, PyAny>) -> PyResult<Vec<T>> {
    PyBuffer::<T>::get(values)?.to_vec(values.py())
}

impl Columns<'_> {
    fn read(&self, instrument: InstrumentIndex, instruments: usize) -> PyResult<Vec<MarketEvent>> {
        let (venue, arrival) = (column::<i64>(&self.venue_time_ns)?, column::<i64>(&self.arrival_time_ns)?);
        let (kind, flags) = (column::<u8>(&self.kind)?, column::<u8>(&self.flags)?);
        let mut values = [const { Vec::new() }; 5];
        for (held, given) in values.iter_mut().zip([&self.a, &self.b, &self.c, &self.d, &self.e]) {
            *held = column::<i64>(given)?;
        }
        let interval = column::<i64>(&self.interval_ns)?;
        let by_row = self.instrument.as_ref().map(column::<u32>).transpose()?;
        let rows = venue.len();
        let lengths = values
            .iter()
            .map(Vec::len)
            .chain([arrival.len(), kind.len(), flags.len(), interval.len()])
            .chain(by_row.as_ref().map(Vec::len));
        if lengths.into_iter().any(|length| length != rows) {
            return Err(raised(&Error::new(Code::WrongType, "the columns of a recording differ in length")));
        }
        (0..rows)
            .map(|row| {
                let instrument = by_row.as_ref().map_or(instrument, |instruments| InstrumentIndex(instruments[row]));
                if instrument.at() >= instruments {
                    return Err(raised(&Error::new(
                        Code::UnknownInstrument,
                        format!("row {row} names the instrument {}, but there are {instruments}", instrument.0),
                    )));
                }
                let values = values.each_ref().map(|column| column[row]);
                MarketEvent::from_columns(instrument, (venue[row], arrival[row]), kind[row], flags[row], values, interval[row]).or_raise()
            })
            .collect()
    }
}

/// A recorded stream, held once and shared by every run that uses it.
#[pyclass(frozen)]
pub struct Recording {
    pub recording: feed::Recording,
}

#[pymethods]
impl Recording {
    /// Takes chunks of columns, in the order of time.
    #[new]
    #[pyo3(signature = (name, index, instrument, chunks))]
    fn new(name: String, index: &Index, instrument: Option<&Instrument>, chunks: &Bound<'_, PyAny>) -> PyResult<Self> {
        let at = instrument.map_or(InstrumentIndex(0), |instrument| instrument.instrument);
        let mut held: Vec<Chunk> = Vec::new();
        for chunk in chunks.try_iter()? {
            held.push(chunk?.extract::<Columns<'_>>()?.read(at, index.index.instruments().len())?.into());
        }
        Ok(Self { recording: feed::Recording::new(name, held).or_raise()? })
    }

    /// The market data of a journal's blocks, in the order in which they were met.
    #[staticmethod]
    fn from_journal(name: String, blocks: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut held: Vec<Chunk> = Vec::new();
        for block in blocks.try_iter()? {
            let entries = decode_entries(block?.extract::<&[u8]>()?).or_raise()?;
            let rows: Vec<MarketEvent> = entries
                .into_iter()
                .filter_map(|entry| if let Entry::Input(Event::Market(row)) = entry { Some(row) } else { None })
                .collect();
            if !rows.is_empty() {
                held.push(rows.into());
            }
        }
        Ok(Self { recording: feed::Recording::new(name, held).or_raise()? })
    }

    /// The rows in the kernel's codec, to send them to another process.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.recording.to_bytes()).or_raise()?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The recording of rows that another process sent.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, name: String, bytes: &[u8]) -> PyResult<Self> {
        Ok(Self { recording: py.detach(|| feed::Recording::from_bytes(name, bytes)).or_raise()? })
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.recording.name
    }

    /// How many rows it holds; None where that is not known.
    #[getter]
    fn rows(&self) -> Option<u64> {
        self.recording.rows()
    }

    /// The arrival of its first and last row, in nanoseconds; None where that is not known.
    #[getter]
    fn span_ns(&self) -> Option<(i64, i64)> {
        self.recording.span_ns()
    }

    /// The streams that it holds, as (instrument's index, kind).
    #[getter]
    fn streams(&self) -> Vec<(u32, String)> {
        self.recording.streams.iter().map(|stream| (stream.instrument.0, stream.kind.to_string())).collect()
    }
}

/// A recorded stream that is read in chunks while a run goes on; every run reads it from its beginning.
#[pyclass(frozen)]
pub struct ChunkFeed {
    name: String,
    instrument: Py<Instrument>,
    streams: Vec<(u32, String)>,
    longest_delay_ns: i64,
    rows: u64,
    open: Py<PyAny>,
}

#[pymethods]
impl ChunkFeed {
    /// `open` gives an iterator over chunks of columns; the rest says what they hold.
    #[new]
    #[pyo3(signature = (name, instrument, streams, longest_delay_ns, rows, open))]
    fn new(
        name: String,
        instrument: Py<Instrument>,
        streams: Vec<(u32, String)>,
        longest_delay_ns: i64,
        rows: u64,
        open: Py<PyAny>,
    ) -> Self {
        Self { name, instrument, streams, longest_delay_ns, rows, open }
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// How many rows it holds.
    #[getter]
    fn rows(&self) -> u64 {
        self.rows
    }

    /// The streams that it holds, as (instrument's index, kind).
    #[getter]
    fn streams(&self) -> Vec<(u32, String)> {
        self.streams.clone()
    }
}

impl ChunkFeed {
    /// The recording that reads an iterator of its own.
    pub fn open(&self, py: Python<'_>, failure: Failure) -> PyResult<feed::Recording> {
        let source = PythonChunks {
            chunks: self.open.bind(py).call0()?.try_iter()?.into_any().unbind(),
            instrument: self.instrument.clone_ref(py),
            failure,
        };
        let streams = self
            .streams
            .iter()
            .map(|(instrument, kind)| Ok(state::Stream { instrument: InstrumentIndex(*instrument), kind: stream_kind(kind)? }))
            .collect::<PyResult<_>>()?;
        Ok(feed::Recording::fed(self.name.clone(), streams, self.longest_delay_ns, Box::new(source)))
    }
}

struct PythonChunks {
    chunks: Py<PyAny>,
    instrument: Py<Instrument>,
    failure: Failure,
}

impl PythonChunks {
    fn read(&self, py: Python<'_>) -> PyResult<Option<Chunk>> {
        let Some(chunk) = self.chunks.bind(py).try_iter()?.next() else { return Ok(None) };
        let instrument = self.instrument.get();
        let rows = chunk?.extract::<Columns<'_>>()?.read(instrument.instrument, instrument.index.instruments().len())?;
        Ok(Some(rows.into()))
    }
}

impl ChunkSource for PythonChunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        Python::attach(|py| {
            self.read(py).map_err(|failure| {
                let error = Error::new(Code::UnreadableFile, failure.to_string());
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                error
            })
        })
    }
}

/// The kind of a stream from its word, such as `trades` or `bars(1m)`.
pub fn stream_kind(text: &str) -> PyResult<StreamKind> {
    let bars = text.strip_prefix("bars(").and_then(|rest| rest.strip_suffix(')'));
    Ok(match (text, bars) {
        (_, Some(interval)) => StreamKind::Bars(BarInterval::parse(interval).or_raise()?),
        ("funding", _) => StreamKind::Funding,
        ("marks", _) => StreamKind::Marks,
        ("book", _) => StreamKind::Book,
        ("quotes", _) => StreamKind::Quotes,
        ("trades", _) => StreamKind::Trades,
        _ => return Err(raised(&Error::new(Code::MissingStream, format!("there is no kind of stream {text:?}")))),
    })
}
