//! One market event: a fixed record of 64 bytes, whatever its kind.
//!
//! Recorded streams are arrays of this record: one cache line an event, and rows of
//! different kinds and instruments keep the order in which they were recorded (T3).

use super::{Bar, BarInterval, BookDelta, Side};
use crate::error::{Code, Error, Result};
use crate::instrument::InstrumentIndex;
use crate::number::LARGEST_QUANTITY;
use crate::time::{DurationNs, LARGEST_TIME_NS, TimeNs};
use serde::{Deserialize, Serialize};

/// What a market event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum MarketKind {
    /// A funding payment falls due.
    Funding = 0,
    /// The venue's mark price.
    Mark = 1,
    /// A change of one level of the order book.
    Book = 2,
    /// The best bid and offer.
    Quote = 3,
    /// A trade.
    Trade = 4,
    /// A bar that has closed.
    Bar = 5,
}

impl MarketKind {
    /// Every kind, in the order in which ties between streams are resolved (T3).
    pub const ALL: [MarketKind; 6] =
        [MarketKind::Funding, MarketKind::Mark, MarketKind::Book, MarketKind::Quote, MarketKind::Trade, MarketKind::Bar];

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            MarketKind::Funding => "funding",
            MarketKind::Mark => "mark",
            MarketKind::Book => "book",
            MarketKind::Quote => "quote",
            MarketKind::Trade => "trade",
            MarketKind::Bar => "bar",
        }
    }
}

/// A trade between others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// In units of the instrument's last price decimal.
    pub price: i64,
    /// In units of the instrument's last quantity decimal.
    pub quantity: i64,
    /// The side of the order that took; none where the data do not say.
    pub aggressor: Option<Side>,
    /// The venue's number of the trade; zero where there is none.
    pub id: i64,
}

/// The best bid and offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The highest price that somebody pays.
    pub bid: i64,
    /// How much of it.
    pub bid_quantity: i64,
    /// The lowest price that somebody asks.
    pub ask: i64,
    /// How much of it.
    pub ask_quantity: i64,
}

/// A market event with its payload by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketData {
    /// A funding rate in units of 1e-9 of the position's value, paid by long to short.
    Funding(i64),
    /// A mark price.
    Mark(i64),
    /// A change of the book.
    Book(BookDelta),
    /// The best bid and offer.
    Quote(Quote),
    /// A trade.
    Trade(Trade),
    /// A bar.
    Bar(Bar),
}

/// One market event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct MarketEvent {
    /// When it happened at the venue; for a bar, when it opened.
    pub venue_time_ns: TimeNs,
    /// When it reached us; for a bar at the earliest when it closed.
    pub arrival_time_ns: TimeNs,
    values: [i64; 5],
    /// Which instrument.
    pub instrument: InstrumentIndex,
    interval: BarInterval,
    /// Which kind.
    pub kind: MarketKind,
    flags: u8,
}

const BUY: u8 = 1;
const SELL: u8 = 2;
const FIRST: u8 = 4;
const LAST: u8 = 8;
/// Of a bar: rows are missing in it.
const INCOMPLETE: u8 = 16;

const _: () = assert!(size_of::<MarketEvent>() == 64);

impl MarketEvent {
    /// An event from its times and its payload.
    pub fn new(instrument: InstrumentIndex, venue_time_ns: TimeNs, arrival_time_ns: TimeNs, data: MarketData) -> Self {
        let (kind, values, flags, interval) = match data {
            MarketData::Funding(rate) => (MarketKind::Funding, [rate, 0, 0, 0, 0], 0, BarInterval::NONE),
            MarketData::Mark(price) => (MarketKind::Mark, [price, 0, 0, 0, 0], 0, BarInterval::NONE),
            MarketData::Book(delta) => {
                let flags = side_flag(Some(delta.side)) | if delta.first { FIRST } else { 0 } | if delta.last { LAST } else { 0 };
                (MarketKind::Book, [delta.price, delta.quantity, 0, 0, 0], flags, BarInterval::NONE)
            }
            MarketData::Quote(quote) => {
                (MarketKind::Quote, [quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity, 0], 0, BarInterval::NONE)
            }
            MarketData::Trade(trade) => {
                (MarketKind::Trade, [trade.price, trade.quantity, trade.id, 0, 0], side_flag(trade.aggressor), BarInterval::NONE)
            }
            MarketData::Bar(bar) => (MarketKind::Bar, [bar.open, bar.high, bar.low, bar.close, bar.volume], 0, bar.interval),
        };
        Self { venue_time_ns, arrival_time_ns, values, instrument, interval, kind, flags }
    }

    /// The event of a bar in which rows are missing (V4).
    #[must_use]
    pub fn incomplete(self) -> Self {
        Self { flags: self.flags | INCOMPLETE, ..self }
    }

    /// Whether nothing is known to be missing in it.
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.flags & INCOMPLETE == 0
    }

    /// An event from the columns of a table: `values` and `flags` as [`Self::columns`] gives them.
    pub fn from_columns(
        instrument: InstrumentIndex,
        times: (TimeNs, TimeNs),
        kind: u8,
        flags: u8,
        values: [i64; 5],
        interval_ns: DurationNs,
    ) -> Result<Self> {
        let kind = MarketKind::ALL
            .into_iter()
            .find(|known| *known as u8 == kind)
            .ok_or_else(|| Error::new(Code::WrongType, format!("there is no kind {kind} of market events")))?;
        let interval = if kind == MarketKind::Bar { BarInterval::from_duration(interval_ns)? } else { BarInterval::NONE };
        let event = Self { venue_time_ns: times.0, arrival_time_ns: times.1, values, instrument, interval, kind, flags };
        // Unknown bits and values are dropped, so that equal events are equal in memory too.
        Ok(Self::new(instrument, times.0, times.1, event.data()))
    }

    /// The flags and values of the event, as columns of a table.
    pub fn columns(&self) -> (u8, [i64; 5]) {
        (self.flags, self.values)
    }

    /// The event as words, for memory that is shared word by word.
    #[inline]
    pub fn words(&self) -> [u64; 8] {
        let mut words = [0; 8];
        words[0] = self.venue_time_ns as u64;
        words[1] = self.arrival_time_ns as u64;
        for (word, value) in words[2..7].iter_mut().zip(self.values) {
            *word = value as u64;
        }
        let kind = u64::from(self.kind as u8) | u64::from(self.flags) << 8;
        words[7] = u64::from(self.instrument.0) | u64::from(self.interval.bits()) << 32 | kind << 48;
        words
    }

    /// The event whose words these are, as [`Self::words`] gives them.
    ///
    /// ```
    /// use tradewind_core::instrument::InstrumentIndex;
    /// use tradewind_core::market::{Bar, BarInterval, MarketData, MarketEvent};
    /// let interval = BarInterval::parse("5m").unwrap();
    /// let bar = Bar { interval, open_time_ns: 1, open: 2, high: 5, low: -3, close: 4, volume: 6 };
    /// let event = MarketEvent::new(InstrumentIndex(7), 1, 2, MarketData::Bar(bar)).incomplete();
    /// assert_eq!(MarketEvent::from_words(event.words()), event);
    /// ```
    #[inline]
    pub fn from_words(words: [u64; 8]) -> Self {
        Self {
            venue_time_ns: words[0] as i64,
            arrival_time_ns: words[1] as i64,
            values: std::array::from_fn(|place| words[place + 2] as i64),
            instrument: InstrumentIndex(words[7] as u32),
            interval: BarInterval::from_bits((words[7] >> 32) as u16),
            kind: MarketKind::ALL[usize::from((words[7] >> 48) as u8)],
            flags: (words[7] >> 56) as u8,
        }
    }

    /// The payload by kind.
    #[inline]
    pub fn data(&self) -> MarketData {
        match self.kind {
            MarketKind::Funding => MarketData::Funding(self.values[0]),
            MarketKind::Mark => MarketData::Mark(self.values[0]),
            MarketKind::Book => MarketData::Book(BookDelta {
                side: self.side().unwrap_or(Side::Buy),
                price: self.values[0],
                quantity: self.values[1],
                first: self.flags & FIRST != 0,
                last: self.flags & LAST != 0,
            }),
            MarketKind::Quote => MarketData::Quote(Quote {
                bid: self.values[0],
                bid_quantity: self.values[1],
                ask: self.values[2],
                ask_quantity: self.values[3],
            }),
            MarketKind::Trade => {
                MarketData::Trade(Trade { price: self.values[0], quantity: self.values[1], aggressor: self.side(), id: self.values[2] })
            }
            MarketKind::Bar => MarketData::Bar(Bar {
                interval: self.interval,
                open_time_ns: self.venue_time_ns,
                open: self.values[0],
                high: self.values[1],
                low: self.values[2],
                close: self.values[3],
                volume: self.values[4],
            }),
        }
    }

    /// Why nothing like it can have happened, or why its numbers cannot be held exactly.
    pub fn problem(&self) -> Option<(Code, &'static str)> {
        let times = -LARGEST_TIME_NS..=LARGEST_TIME_NS;
        if !times.contains(&self.venue_time_ns) || !times.contains(&self.arrival_time_ns) {
            return Some((Code::OutOfRange, "a time that is out of range"));
        }
        if self.kind == MarketKind::Funding {
            return (self.values[0].abs_diff(0) > LARGEST_QUANTITY.unsigned_abs())
                .then_some((Code::OutOfRange, "a rate that is out of range"));
        }
        let values = if self.kind == MarketKind::Trade { &self.values[..2] } else { &self.values[..] };
        if values.iter().any(|value| *value < 0) {
            return Some((Code::NegativeValue, "a negative price or size"));
        }
        if values.iter().any(|value| *value > LARGEST_QUANTITY) {
            return Some((Code::OutOfRange, "a price or size that is more than can be held exactly"));
        }
        if self.kind != MarketKind::Bar {
            return None;
        }
        let [open, high, low, close, _] = self.values;
        if low > open.min(close) || high < open.max(close) {
            return Some((Code::InconsistentBar, "a bar whose high or low does not contain its open and close"));
        }
        if self.interval.duration_ns() == 0 {
            return Some((Code::InconsistentBar, "a bar without an interval"));
        }
        (self.arrival_time_ns < self.venue_time_ns + self.interval.duration_ns())
            .then_some((Code::ArrivalBeforeVenueTime, "a bar that is known before it has closed"))
    }

    /// The interval of a bar.
    #[inline]
    pub const fn interval(&self) -> BarInterval {
        self.interval
    }

    #[inline]
    fn side(&self) -> Option<Side> {
        match self.flags & (BUY | SELL) {
            BUY => Some(Side::Buy),
            SELL => Some(Side::Sell),
            _ => None,
        }
    }
}

const fn side_flag(side: Option<Side>) -> u8 {
    match side {
        Some(Side::Buy) => BUY,
        Some(Side::Sell) => SELL,
        None => 0,
    }
}
