//! Frames of Binance, spot and futures.

use crate::buffer::Buffer;
use crate::feed::{Feeds, Kind, Outcome};
use crate::follower::{Change, ChangeFate, Continuity, Levels, SnapshotFate};
use crate::json::{Scanner, Value, bad};
use tradewind_core::error::{Code, Error, Result};
use tradewind_core::market::{Bar, BarInterval, Level, MarketData, Quote, Side, Trade};
use tradewind_core::time::TimeNs;

/// Reads frames of one venue.
#[derive(Debug)]
pub struct BinanceDecoder {
    /// What is known of each instrument.
    pub feeds: Feeds,
    continuity: Continuity,
    time_unit_ns: i64,
    change: Change,
}

/// What stands in a frame's payload: values by their letter, and the few that have a longer name.
#[derive(Clone, Copy)]
struct Payload<'a> {
    letters: [Value<'a>; 58],
    last_update: Value<'a>,
    previous_update: Value<'a>,
    bids: Value<'a>,
    asks: Value<'a>,
}

impl<'a> Payload<'a> {
    const fn empty() -> Self {
        let none = Value::Absent;
        Self { letters: [none; 58], last_update: none, previous_update: none, bids: none, asks: none }
    }

    #[inline]
    fn read(scanner: &mut Scanner<'a>) -> Result<Self> {
        let mut payload = Self::empty();
        scanner.object(|key, value| payload.take(key, value))?;
        Ok(payload)
    }

    #[inline]
    #[allow(clippy::unnecessary_wraps, reason = "the scanner takes what may fail")]
    fn take(&mut self, key: &'a [u8], value: Value<'a>) -> Result<()> {
        match key {
            [letter @ b'A'..=b'z'] => self.letters[usize::from(letter - b'A')] = value,
            b"pu" => self.previous_update = value,
            b"lastUpdateId" => self.last_update = value,
            b"bids" => self.bids = value,
            b"asks" => self.asks = value,
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn get(&self, letter: u8) -> Value<'a> {
        self.letters[usize::from(letter - b'A')]
    }

    #[inline]
    fn has(&self, letter: u8) -> bool {
        self.get(letter) != Value::Absent
    }
}

impl BinanceDecoder {
    /// A decoder of a venue that counts time in units of `time_unit_ns`.
    pub fn new(feeds: Feeds, continuity: Continuity, time_unit_ns: i64) -> Self {
        Self { feeds, continuity, time_unit_ns, change: Change::default() }
    }

    /// Reads a frame. An error adds no row, and what follows can be read.
    #[inline]
    pub fn decode(&mut self, frame: &[u8], arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let mut stream = Value::Absent;
        let mut payload = Payload::empty();
        let mut is_list = false;
        let mut scanner = Scanner::new(frame);
        scanner.members(|scanner, key| match key {
            b"data" if scanner.is_at_object() => scanner.object(|key, value| payload.take(key, value)),
            b"data" => {
                is_list = matches!(scanner.value()?, Value::Nested(_));
                Ok(())
            }
            b"stream" => {
                stream = scanner.value()?;
                Ok(())
            }
            _ => payload.take(key, scanner.value()?),
        })?;
        scanner.end()?;
        if is_list {
            return Ok(Outcome::Control);
        }
        self.dispatch(&payload, stream, arrival_ns, rows)
    }

    #[inline]
    fn dispatch(&mut self, payload: &Payload<'_>, stream: Value<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let event = match payload.get(b'e') {
            Value::Text(event) => event,
            Value::Absent if payload.last_update != Value::Absent => return self.partial(payload, stream, arrival_ns, rows),
            Value::Absent if payload.has(b'u') && payload.has(b's') => b"bookTicker",
            Value::Absent => return Ok(Outcome::Control),
            other => return Err(bad(format!("e = {other:?}: text is expected"))),
        };
        match event {
            b"trade" => self.trade(payload, arrival_ns, rows),
            b"bookTicker" => self.quote(payload, arrival_ns, rows),
            b"depthUpdate" => self.depth(payload, arrival_ns, rows),
            b"kline" => self.bar(payload, arrival_ns, rows),
            _ => Ok(Outcome::Control),
        }
    }

    #[inline]
    fn feed(&self, payload: &Payload<'_>) -> Result<usize> {
        let symbol = payload.get(b's').as_text("s")?;
        self.feeds.find(symbol).ok_or_else(|| unknown(symbol))
    }

    #[inline]
    fn time(&self, value: Value<'_>, name: &str) -> Result<TimeNs> {
        let time = value.as_integer(name)?;
        time.checked_mul(self.time_unit_ns).ok_or_else(|| Error::new(Code::OutOfRange, format!("{name} = {time}: no such time")))
    }

    #[inline]
    fn trade(&mut self, payload: &Payload<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let place = self.feed(payload)?;
        let venue_ns = self.time(payload.get(b'T'), "T")?;
        let feed = self.feeds.at_mut(place);
        let trade = Trade {
            price: above_zero(payload.get(b'p').as_fixed(feed.price_decimals, "p")?, "p")?,
            quantity: payload.get(b'q').as_fixed(feed.quantity_decimals, "q")?,
            aggressor: Some(if payload.get(b'm').as_flag("m")? { Side::Sell } else { Side::Buy }),
            id: payload.get(b't').as_integer("t")?,
        };
        feed.arrival_ns[Kind::Trades as usize] = arrival_ns;
        let last = feed.trade;
        if last.id.is_some_and(|id| trade.id <= id) {
            return Ok(Outcome::Data);
        }
        rows.push(feed.instrument, Some(venue_ns), arrival_ns, MarketData::Trade(trade))?;
        (feed.trade.id, feed.trade.time_ns) = (Some(trade.id), venue_ns);
        Ok(match last.id {
            Some(id) if trade.id - id > 1 => Outcome::Gap { feed: place, kind: Kind::Trades, from_ns: last.time_ns, to_ns: venue_ns },
            _ => Outcome::Data,
        })
    }

    #[inline]
    fn quote(&mut self, payload: &Payload<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let place = self.feed(payload)?;
        let venue_ns = if payload.has(b'T') { Some(self.time(payload.get(b'T'), "T")?) } else { None };
        let update = payload.get(b'u').as_integer("u")?;
        let feed = self.feeds.at_mut(place);
        let quote = Quote {
            bid: payload.get(b'b').as_fixed(feed.price_decimals, "b")?,
            bid_quantity: payload.get(b'B').as_fixed(feed.quantity_decimals, "B")?,
            ask: payload.get(b'a').as_fixed(feed.price_decimals, "a")?,
            ask_quantity: payload.get(b'A').as_fixed(feed.quantity_decimals, "A")?,
        };
        feed.arrival_ns[Kind::Quotes as usize] = arrival_ns;
        if feed.quote.id.is_some_and(|last| update <= last) {
            return Ok(Outcome::Data);
        }
        check_quote(&quote)?;
        rows.push(feed.instrument, venue_ns, arrival_ns, MarketData::Quote(quote))?;
        (feed.quote.id, feed.last_quote) = (Some(update), Some(quote));
        Ok(Outcome::Data)
    }

    fn bar(&mut self, payload: &Payload<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let place = self.feed(payload)?;
        let bar = Payload::read(&mut Scanner::new(payload.get(b'k').as_nested("k")?))?;
        let interval = interval_of(bar.get(b'i').as_text("k.i")?)?;
        let open_time_ns = self.time(bar.get(b't'), "k.t")?;
        let feed = self.feeds.at_mut(place);
        let price = |letter, name| bar.get(letter).as_fixed(feed.price_decimals, name);
        let row = Bar {
            interval,
            open_time_ns,
            open: price(b'o', "k.o")?,
            high: price(b'h', "k.h")?,
            low: price(b'l', "k.l")?,
            close: price(b'c', "k.c")?,
            volume: bar.get(b'v').as_fixed(feed.quantity_decimals, "k.v")?,
        };
        let is_closed = bar.get(b'x').as_flag("k.x")?;
        feed.arrival_ns[Kind::Bars as usize] = arrival_ns;
        if !is_closed {
            return Ok(Outcome::Data);
        }
        let before = rows.rows().len();
        rows.push(feed.instrument, Some(open_time_ns), arrival_ns, MarketData::Bar(row))?;
        let (is_new, missed_after_ns) = feed.is_new_bar(interval.duration_ns(), open_time_ns);
        if !is_new {
            rows.undo_to(before);
        }
        Ok(missed_after_ns.map_or(Outcome::Data, |from_ns| Outcome::Gap { feed: place, kind: Kind::Bars, from_ns, to_ns: open_time_ns }))
    }

    #[inline]
    fn depth(&mut self, payload: &Payload<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let place = self.feed(payload)?;
        let venue_ns = self.time(payload.get(b'E'), "E")?;
        let feed = self.feeds.at_mut(place);
        let change = &mut self.change;
        change.venue_ns = venue_ns;
        change.first = payload.get(b'U').as_integer("U")?;
        change.last = payload.get(b'u').as_integer("u")?;
        change.previous = match self.continuity {
            Continuity::First => 0,
            Continuity::Previous => payload.previous_update.as_integer("pu")?,
        };
        let decimals = (feed.price_decimals, feed.quantity_decimals);
        read_levels(&mut change.levels, decimals, payload.get(b'b'), payload.get(b'a'))?;
        feed.arrival_ns[Kind::Book as usize] = arrival_ns;
        let from_ns = feed.book.last_ns();
        let fate = feed.book.change(change, self.continuity, rows, feed.instrument, arrival_ns)?;
        Ok(match fate {
            ChangeFate::Gap => Outcome::Gap { feed: place, kind: Kind::Book, from_ns, to_ns: venue_ns },
            _ => Outcome::Data,
        })
    }

    /// The best levels, whole: named only by its stream.
    fn partial(&mut self, payload: &Payload<'_>, stream: Value<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let stream = stream.as_text("stream")?;
        let symbol: Vec<u8> = stream.split(|byte| *byte == b'@').next().unwrap_or_default().to_ascii_uppercase();
        let place = self.feeds.find(&symbol).ok_or_else(|| unknown(&symbol))?;
        let update = payload.last_update.as_integer("lastUpdateId")?;
        let feed = self.feeds.at_mut(place);
        let levels = &mut self.change.levels;
        read_levels(levels, (feed.price_decimals, feed.quantity_decimals), payload.bids, payload.asks)?;
        check_crossed(levels)?;
        feed.arrival_ns[Kind::Book as usize] = arrival_ns;
        if !feed.book.is_newer_whole(update) {
            return Ok(Outcome::Data);
        }
        levels.push(rows, feed.instrument, (None, arrival_ns), true)?;
        Ok(Outcome::Data)
    }

    /// Reads a snapshot that was asked for, as its answer came.
    pub fn snapshot(&mut self, place: usize, body: &[u8], arrival_ns: TimeNs, rows: &mut Buffer) -> Result<SnapshotFate> {
        let mut scanner = Scanner::new(body);
        let payload = Payload::read(&mut scanner)?;
        scanner.end()?;
        let update = payload.last_update.as_integer("lastUpdateId")?;
        let feed = self.feeds.at_mut(place);
        let mut levels = Levels::default();
        read_levels(&mut levels, (feed.price_decimals, feed.quantity_decimals), payload.bids, payload.asks)?;
        check_crossed(&levels)?;
        feed.book.snapshot(update, &levels, self.continuity, rows, feed.instrument, arrival_ns)
    }
}

/// The interval of a word of the venue, whose months are none of ours.
fn interval_of(word: &[u8]) -> Result<BarInterval> {
    let wrong = || bad(format!("k.i = {:?}: no interval", String::from_utf8_lossy(word)));
    match word {
        b"1w" => BarInterval::parse("7d"),
        _ => BarInterval::parse(std::str::from_utf8(word).map_err(|_| wrong())?).map_err(|_| wrong()),
    }
}

/// Bids and asks as levels.
#[inline]
pub(crate) fn read_levels(levels: &mut Levels, decimals: (u8, u8), bids: Value<'_>, asks: Value<'_>) -> Result<()> {
    levels.clear();
    read_side(&mut levels.all, decimals, bids.as_nested("bids")?)?;
    levels.bids = levels.all.len();
    read_side(&mut levels.all, decimals, asks.as_nested("asks")?)
}

#[inline]
fn read_side(levels: &mut Vec<Level>, decimals: (u8, u8), side: &[u8]) -> Result<()> {
    Scanner::new(side).levels(|price, quantity| {
        let price = above_zero(price.as_fixed(decimals.0, "price")?, "price")?;
        levels.push(Level { price, quantity: quantity.as_fixed(decimals.1, "quantity")? });
        Ok(())
    })
}

#[inline]
pub(crate) fn above_zero(price: i64, name: &str) -> Result<i64> {
    if price > 0 { Ok(price) } else { Err(Error::new(Code::NegativeValue, format!("{name} = {price}: a price is above zero"))) }
}

/// A bid above the ask is no market. Zero stands for a side without orders.
pub fn check_quote(quote: &Quote) -> Result<()> {
    if quote.bid == 0 || quote.ask == 0 {
        return Err(Error::new(Code::NegativeValue, "a quote with an empty side"));
    }
    if quote.bid > quote.ask {
        return Err(Error::new(Code::CrossedQuote, "a bid above the ask"));
    }
    Ok(())
}

pub(crate) fn check_crossed(levels: &Levels) -> Result<()> {
    if levels.is_crossed() { Err(Error::new(Code::CrossedQuote, "a book with a bid above its ask")) } else { Ok(()) }
}

#[cold]
pub(crate) fn unknown(symbol: &[u8]) -> Error {
    bad(format!("symbol {:?} was not subscribed to", String::from_utf8_lossy(&symbol[..symbol.len().min(64)])))
}
