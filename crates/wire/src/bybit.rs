//! Frames of Bybit v5, spot and linear.

use crate::binance::{above_zero, check_crossed, check_quote, read_levels, unknown};
use crate::buffer::Buffer;
use crate::feed::{Feed, Feeds, Kind, Outcome};
use crate::follower::{ChangeFate, Levels};
use crate::json::{Scanner, Value, bad};
use tradewind_core::error::{Code, Error, Result};
use tradewind_core::market::{Bar, BarInterval, MarketData, Quote, Side, Trade};
use tradewind_core::number::RATE_DECIMALS;
use tradewind_core::time::{MINUTE_NS, SECOND_NS, TimeNs};

const MILLISECOND_NS: i64 = 1_000_000;
const LAST_IDS: usize = 4_096;

/// Reads frames of one of its markets.
#[derive(Debug)]
pub struct BybitDecoder {
    /// What is known of each instrument.
    pub feeds: Feeds,
    levels: Levels,
    seen: Vec<std::collections::VecDeque<u64>>,
    broken: Vec<Outcome>,
}

/// What stands around the data of every topic.
#[derive(Clone, Copy, Default)]
struct Envelope<'a> {
    topic: Value<'a>,
    kind: Value<'a>,
    sent: Value<'a>,
    matched: Value<'a>,
    data: Value<'a>,
}

impl BybitDecoder {
    /// A decoder of these instruments.
    pub fn new(feeds: Feeds) -> Self {
        Self { feeds, levels: Levels::default(), seen: Vec::new(), broken: Vec::new() }
    }

    /// Reads a frame. An error adds no row, and what follows can be read; what it broke is told by `take_broken`.
    pub fn decode(&mut self, frame: &[u8], arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let mut envelope = Envelope::default();
        let before = rows.rows().len();
        let outcome = self.read(frame, &mut envelope, arrival_ns, rows);
        if outcome.is_err() {
            rows.undo_to(before);
            self.break_off(envelope.topic, arrival_ns);
        }
        outcome
    }

    /// Gaps behind frames that could not be read.
    pub fn take_broken(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.broken)
    }

    fn read<'a>(&mut self, frame: &'a [u8], envelope: &mut Envelope<'a>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let mut scanner = Scanner::new(frame);
        scanner.object(|key, value| {
            match key {
                b"topic" => envelope.topic = value,
                b"type" => envelope.kind = value,
                b"ts" => envelope.sent = value,
                b"cts" => envelope.matched = value,
                b"data" => envelope.data = value,
                _ => {}
            }
            Ok(())
        })?;
        scanner.end()?;
        let Value::Text(topic) = envelope.topic else { return Ok(Outcome::Control) };
        let mut parts = topic.split(|byte| *byte == b'.');
        let (Some(name), Some(symbol)) = (parts.next(), parts.next_back()) else {
            return Err(bad("a topic without a symbol"));
        };
        let place = self.feeds.find(symbol).ok_or_else(|| unknown(symbol))?;
        match name {
            b"publicTrade" => self.trades(place, envelope, arrival_ns, rows),
            b"orderbook" => self.book(place, envelope, parts.next(), arrival_ns, rows),
            b"tickers" => self.ticker(place, envelope, arrival_ns, rows),
            b"kline" => self.bars(place, envelope, arrival_ns, rows),
            _ => Ok(Outcome::Control),
        }
    }

    /// Trades have no numbers that follow each other, and a snapshot of a book may begin them anew: no later message
    /// shows that one was lost.
    ///
    /// A frame whose topic cannot be read may have been anything.
    fn break_off(&mut self, topic: Value<'_>, arrival_ns: TimeNs) {
        let topic = if let Value::Text(topic) = topic { Some(topic) } else { None };
        let symbol = topic.and_then(|topic| topic.rsplit(|byte| *byte == b'.').next());
        let found = symbol.map(|symbol| self.feeds.find(symbol));
        for place in 0..self.feeds.len() {
            if found.is_some_and(|found| found != Some(place)) {
                continue;
            }
            let feed = self.feeds.at_mut(place);
            if topic.is_none_or(|topic| topic.starts_with(b"publicTrade.")) {
                let from_ns = feed.trade.id.unwrap_or(arrival_ns);
                self.broken.push(Outcome::Gap { feed: place, kind: Kind::Trades, from_ns, to_ns: arrival_ns.max(from_ns + 1) });
            }
            if topic.is_none_or(|topic| topic.starts_with(b"orderbook.") && !topic.starts_with(b"orderbook.1.")) {
                let from_ns = feed.book.lose();
                self.broken.push(Outcome::Gap { feed: place, kind: Kind::Book, from_ns, to_ns: arrival_ns.max(from_ns + 1) });
            }
        }
    }

    fn trades(&mut self, place: usize, envelope: &Envelope<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        while self.seen.len() <= place {
            self.seen.push(std::collections::VecDeque::new());
        }
        let (feed, seen) = (self.feeds.at_mut(place), &mut self.seen[place]);
        let mut new = Vec::new();
        let mut newest_ns = feed.trade.id;
        Scanner::new(envelope.data.as_nested("data")?).array(|trade| {
            let [mut time, mut side, mut quantity, mut price, mut id] = [Value::Absent; 5];
            Scanner::new(trade.as_nested("data[]")?).object(|key, value| {
                match key {
                    b"T" => time = value,
                    b"S" => side = value,
                    b"v" => quantity = value,
                    b"p" => price = value,
                    b"i" => id = value,
                    _ => {}
                }
                Ok(())
            })?;
            let text = id.as_text("i")?;
            let key = tag(text);
            if seen.contains(&key) || new.contains(&key) {
                return Ok(());
            }
            let row = Trade {
                price: above_zero(price.as_fixed(feed.price_decimals, "p")?, "p")?,
                quantity: quantity.as_fixed(feed.quantity_decimals, "v")?,
                aggressor: Some(side_of(side.as_text("S")?)?),
                // Spot counts its trades, linear names them with a UUID: the kernel keeps numbers only.
                id: id.as_integer("i").unwrap_or(0),
            };
            let venue_ns = time_of(time, "T")?;
            rows.push(feed.instrument, Some(venue_ns), arrival_ns, MarketData::Trade(row))?;
            newest_ns = newest_ns.max(Some(venue_ns));
            new.push(key);
            Ok(())
        })?;
        feed.arrival_ns[Kind::Trades as usize] = arrival_ns;
        // Its ids have no order: how far the stream has come is told by its times.
        feed.trade.id = newest_ns;
        seen.extend(new);
        seen.drain(..seen.len().saturating_sub(LAST_IDS));
        Ok(Outcome::Data)
    }

    fn book(
        &mut self,
        place: usize,
        envelope: &Envelope<'_>,
        depth: Option<&[u8]>,
        arrival_ns: TimeNs,
        rows: &mut Buffer,
    ) -> Result<Outcome> {
        let [mut bids, mut asks, mut update] = [Value::Absent; 3];
        Scanner::new(envelope.data.as_nested("data")?).object(|key, value| {
            match key {
                b"b" => bids = value,
                b"a" => asks = value,
                b"u" => update = value,
                _ => {}
            }
            Ok(())
        })?;
        let update = update.as_integer("u")?;
        let venue_ns = time_of(if envelope.matched == Value::Absent { envelope.sent } else { envelope.matched }, "cts")?;
        let feed = self.feeds.at_mut(place);
        read_levels(&mut self.levels, (feed.price_decimals, feed.quantity_decimals), bids, asks)?;
        if depth == Some(b"1") {
            return quote(feed, &self.levels, update, venue_ns, arrival_ns, rows);
        }
        feed.arrival_ns[Kind::Book as usize] = arrival_ns;
        let is_snapshot = envelope.kind.as_text("type")? == b"snapshot" || update == 1;
        if is_snapshot {
            check_crossed(&self.levels)?;
            feed.book.begin(update, venue_ns);
        } else {
            let from_ns = feed.book.last_ns();
            match feed.book.step(update, venue_ns) {
                ChangeFate::Applied => {}
                // The subscription is made anew, which brings a snapshot.
                ChangeFate::Gap => return Ok(Outcome::Gap { feed: place, kind: Kind::Book, from_ns, to_ns: venue_ns }),
                ChangeFate::Old | ChangeFate::Waits => return Ok(Outcome::Data),
            }
        }
        self.levels.push(rows, feed.instrument, (Some(venue_ns), arrival_ns), is_snapshot)?;
        Ok(Outcome::Data)
    }

    fn ticker(&mut self, place: usize, envelope: &Envelope<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let [mut mark, mut rate, mut due] = [Value::Absent; 3];
        Scanner::new(envelope.data.as_nested("data")?).object(|key, value| {
            match key {
                b"markPrice" => mark = value,
                b"fundingRate" => rate = value,
                b"nextFundingTime" => due = value,
                _ => {}
            }
            Ok(())
        })?;
        let venue_ns = time_of(envelope.sent, "ts")?;
        let feed = self.feeds.at_mut(place);
        // What is absent or empty has not changed.
        let told = |value: Value<'_>| !matches!(value, Value::Absent | Value::Text(b""));
        let mark = if told(mark) { Some(above_zero(mark.as_nearest(feed.price_decimals, "markPrice")?, "markPrice")?) } else { None };
        let rate = if told(rate) { Some(signed_rate(rate)?) } else { feed.ticker[1] };
        let due = if told(due) { Some(time_of(due, "nextFundingTime")?) } else { feed.ticker[2] };
        feed.arrival_ns[Kind::Marks as usize] = arrival_ns;
        feed.arrival_ns[Kind::Funding as usize] = arrival_ns;
        if let Some(price) = mark.filter(|_| mark != feed.ticker[0]) {
            rows.push(feed.instrument, Some(venue_ns), arrival_ns, MarketData::Mark(price))?;
        }
        // The time of the next payment moves on when one fell due: at the last rate that was told before. One that is
        // put off did not fall due, and one falls due once, however often a new subscription tells of it.
        let mut last_ns = feed.ticker[3];
        if let (Some(before), Some(after), Some(paid)) = (feed.ticker[2], due, feed.ticker[1])
            && after > before
            && before <= venue_ns.saturating_add(SECOND_NS)
            && Some(before) > last_ns
        {
            rows.push(feed.instrument, Some(before), arrival_ns, MarketData::Funding(paid))?;
            last_ns = Some(before);
        }
        feed.ticker = [mark.or(feed.ticker[0]), rate, due, last_ns];
        Ok(Outcome::Data)
    }

    fn bars(&mut self, place: usize, envelope: &Envelope<'_>, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
        let feed = self.feeds.at_mut(place);
        let mut outcome = Outcome::Data;
        let known = feed.bars.clone();
        let read = Scanner::new(envelope.data.as_nested("data")?).array(|bar| {
            let [mut start, mut interval, mut open, mut high, mut low, mut close, mut volume, mut confirm] = [Value::Absent; 8];
            Scanner::new(bar.as_nested("data[]")?).object(|key, value| {
                match key {
                    b"start" => start = value,
                    b"interval" => interval = value,
                    b"open" => open = value,
                    b"high" => high = value,
                    b"low" => low = value,
                    b"close" => close = value,
                    b"volume" => volume = value,
                    b"confirm" => confirm = value,
                    _ => {}
                }
                Ok(())
            })?;
            if !confirm.as_flag("confirm")? {
                return Ok(());
            }
            let interval = interval_of(interval.as_text("interval")?)?;
            let open_time_ns = time_of(start, "start")?;
            let price = |value: Value<'_>, name| value.as_fixed(feed.price_decimals, name);
            let row = Bar {
                interval,
                open_time_ns,
                open: price(open, "open")?,
                high: price(high, "high")?,
                low: price(low, "low")?,
                close: price(close, "close")?,
                volume: volume.as_fixed(feed.quantity_decimals, "volume")?,
            };
            let (is_new, missed_after_ns) = feed.is_new_bar(interval.duration_ns(), open_time_ns);
            if is_new {
                rows.push(feed.instrument, Some(open_time_ns), arrival_ns, MarketData::Bar(row))?;
            }
            if let Some(from_ns) = missed_after_ns {
                outcome = Outcome::Gap { feed: place, kind: Kind::Bars, from_ns, to_ns: open_time_ns };
            }
            Ok(())
        });
        if let Err(error) = read {
            // None of them was added: the next one shows the gap.
            feed.bars = known;
            return Err(error);
        }
        feed.arrival_ns[Kind::Bars as usize] = arrival_ns;
        Ok(outcome)
    }
}

/// The best level of each side; an absent side has not changed.
fn quote(feed: &mut Feed, levels: &Levels, update: i64, venue_ns: TimeNs, arrival_ns: TimeNs, rows: &mut Buffer) -> Result<Outcome> {
    feed.arrival_ns[Kind::Quotes as usize] = arrival_ns;
    // The same number again, after three quiet seconds, says that nothing changed.
    if feed.quote.id == Some(update) {
        return Ok(Outcome::Data);
    }
    let (bids, asks) = levels.all.split_at(levels.bids);
    let (Some(bid), Some(ask)) = (bids.first(), asks.first()) else {
        return Err(Error::new(Code::NegativeValue, "a quote with an empty side"));
    };
    let row = Quote { bid: bid.price, bid_quantity: bid.quantity, ask: ask.price, ask_quantity: ask.quantity };
    check_quote(&row)?;
    rows.push(feed.instrument, Some(venue_ns), arrival_ns, MarketData::Quote(row))?;
    (feed.quote.id, feed.last_quote) = (Some(update), Some(row));
    Ok(Outcome::Data)
}

fn time_of(value: Value<'_>, name: &str) -> Result<TimeNs> {
    let time = value.as_integer(name)?;
    time.checked_mul(MILLISECOND_NS).ok_or_else(|| Error::new(Code::OutOfRange, format!("{name} = {time}: no such time")))
}

fn side_of(word: &[u8]) -> Result<Side> {
    match word {
        b"Buy" => Ok(Side::Buy),
        b"Sell" => Ok(Side::Sell),
        _ => Err(bad(format!("S = {:?}: Buy or Sell is expected", String::from_utf8_lossy(word)))),
    }
}

fn signed_rate(value: Value<'_>) -> Result<i64> {
    match value.as_text("fundingRate")? {
        [b'-', digits @ ..] => Ok(-Value::Text(digits).as_fixed(RATE_DECIMALS, "fundingRate")?),
        _ => value.as_fixed(RATE_DECIMALS, "fundingRate"),
    }
}

fn interval_of(word: &[u8]) -> Result<BarInterval> {
    let wrong = || bad(format!("interval = {:?}: no interval", String::from_utf8_lossy(word)));
    match word {
        b"D" => BarInterval::parse("1d"),
        b"W" => BarInterval::parse("7d"),
        _ => {
            let minutes: i64 = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
            BarInterval::from_duration(minutes.checked_mul(MINUTE_NS).ok_or_else(wrong)?).map_err(|_| wrong())
        }
    }
}

/// An id as a number, by which a repeat is known among the last few thousand.
fn tag(id: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(id);
    hasher.finish()
}
