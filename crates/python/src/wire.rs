//! Decoders of venues' frames, which put rows into an inbox.

use crate::error::{OrRaise, raised};
use crate::inbox::Inbox;
use pyo3::prelude::*;
use tradewind_core::error::{Code, Error};
use tradewind_wire::{self as wire, Continuity, Feed, Feeds, Kind, Outcome, SnapshotFate};

/// What a frame was, where it was not plain data: `("control",)` as `None` of the rest, or a gap with its stream and times.
type Told = Option<(&'static str, &'static str, String, i64, i64)>;

fn feeds(inbox: &Inbox, symbols: Vec<(String, String)>) -> PyResult<(Feeds, Vec<String>)> {
    let (mut feeds, mut names) = (Feeds::default(), Vec::new());
    for (symbol, name) in symbols {
        add(&mut feeds, &mut names, inbox, &symbol, &name)?;
    }
    Ok((feeds, names))
}

fn add(feeds: &mut Feeds, names: &mut Vec<String>, inbox: &Inbox, symbol: &str, name: &str) -> PyResult<()> {
    if feeds.find(symbol.as_bytes()).is_none() {
        let place = inbox.index.find_instrument(name).or_raise()?;
        let specification = &inbox.index.instrument(place).specification;
        feeds.add(symbol, Feed::new(place, specification.price_decimals, specification.quantity_decimals));
        names.push(name.to_owned());
    }
    Ok(())
}

fn told(outcome: &Outcome, names: &[String]) -> Told {
    match outcome {
        Outcome::Data => None,
        Outcome::Control => Some(("control", "", String::new(), 0, 0)),
        Outcome::Gap { feed, kind, from_ns, to_ns } => Some(("gap", kind.name(), names[*feed].clone(), *from_ns, *to_ns)),
    }
}

fn kind_of(word: &str) -> PyResult<Kind> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == word);
    found.ok_or_else(|| raised(&Error::new(Code::BadSetting, format!("{word:?} is no kind of stream"))))
}

fn place_of(feeds: &Feeds, symbol: &str) -> PyResult<usize> {
    let found = feeds.find(symbol.as_bytes());
    found.ok_or_else(|| raised(&Error::new(Code::UnknownInstrument, format!("the decoder has no symbol {symbol:?}"))))
}

macro_rules! decoder {
    ($(#[$doc:meta])* $name:ident, $core:ty { $($methods:tt)* }) => {
        $(#[$doc])*
        #[pyclass]
        pub struct $name {
            decoder: $core,
            inbox: Py<Inbox>,
            names: Vec<String>,
        }

        #[pymethods]
        impl $name {
            /// Read a frame: None for data, else what it was.
            fn decode(&mut self, py: Python<'_>, frame: &[u8], arrival_ns: i64) -> PyResult<Told> {
                let mut inbox = self.inbox.borrow_mut(py);
                let outcome = self.decoder.decode(frame, arrival_ns, &mut inbox.rows).or_raise()?;
                Ok(told(&outcome, &self.names))
            }

            /// Know another instrument by the venue's symbol.
            fn add(&mut self, py: Python<'_>, symbol: &str, name: &str) -> PyResult<()> {
                add(&mut self.decoder.feeds, &mut self.names, &self.inbox.borrow(py), symbol, name)
            }

            /// When a message of a stream last arrived; None if none did.
            fn arrival_ns(&self, symbol: &str, kind: &str) -> PyResult<Option<i64>> {
                let arrival_ns = self.decoder.feeds.at(place_of(&self.decoder.feeds, symbol)?).arrival_ns(kind_of(kind)?);
                Ok(Some(arrival_ns).filter(|time_ns| *time_ns != i64::MIN))
            }

            /// How far a stream has come: numbers to be compared with what the venue says; empty at its beginning.
            fn progress(&self, symbol: &str, kind: &str, interval_ns: i64) -> PyResult<Vec<i64>> {
                Ok(self.decoder.feeds.at(place_of(&self.decoder.feeds, symbol)?).progress(kind_of(kind)?, interval_ns))
            }

            /// Forget what was seen of a stream.
            fn forget(&mut self, symbol: &str, kind: &str) -> PyResult<()> {
                let place = place_of(&self.decoder.feeds, symbol)?;
                self.decoder.feeds.at_mut(place).forget(kind_of(kind)?);
                Ok(())
            }

            /// Whether the book of a symbol is followed.
            fn is_live(&self, symbol: &str) -> PyResult<bool> {
                Ok(self.decoder.feeds.at(place_of(&self.decoder.feeds, symbol)?).is_book_live())
            }

            $($methods)*
        }
    };
}

decoder! {
/// Reads frames of Binance.
BinanceDecoder, wire::BinanceDecoder {
    #[new]
    #[pyo3(signature = (inbox, symbols, continuity = "first", time_unit_ns = 1_000_000))]
    fn new(py: Python<'_>, inbox: Py<Inbox>, symbols: Vec<(String, String)>, continuity: &str, time_unit_ns: i64) -> PyResult<Self> {
        let continuity = match continuity {
            "first" => Continuity::First,
            "previous" => Continuity::Previous,
            _ => return Err(raised(&Error::new(Code::BadSetting, format!("continuity = {continuity:?}: first or previous")))),
        };
        let (feeds, names) = feeds(&inbox.borrow(py), symbols)?;
        Ok(Self { decoder: wire::BinanceDecoder::new(feeds, continuity, time_unit_ns), inbox, names })
    }

    /// Read a snapshot of a book that was asked for: `taken`, `too_old` or `not_needed`.
    fn snapshot(&mut self, py: Python<'_>, symbol: &str, body: &[u8], arrival_ns: i64) -> PyResult<&'static str> {
        let place = place_of(&self.decoder.feeds, symbol)?;
        let mut inbox = self.inbox.borrow_mut(py);
        Ok(match self.decoder.snapshot(place, body, arrival_ns, &mut inbox.rows).or_raise()? {
            SnapshotFate::Taken => "taken",
            SnapshotFate::TooOld => "too_old",
            SnapshotFate::NotNeeded => "not_needed",
        })
    }
}}

decoder! {
/// Reads frames of Bybit v5.
BybitDecoder, wire::BybitDecoder {
    /// Gaps behind frames that could not be read, with kind, instrument and times.
    fn take_broken(&mut self) -> Vec<(&'static str, String, i64, i64)> {
        let gaps = self.decoder.take_broken();
        gaps.iter().filter_map(|outcome| told(outcome, &self.names)).map(|(_, kind, name, from_ns, to_ns)| (kind, name, from_ns, to_ns)).collect()
    }

    #[new]
    fn new(py: Python<'_>, inbox: Py<Inbox>, symbols: Vec<(String, String)>) -> PyResult<Self> {
        let (feeds, names) = feeds(&inbox.borrow(py), symbols)?;
        Ok(Self { decoder: wire::BybitDecoder::new(feeds), inbox, names })
    }
}}
