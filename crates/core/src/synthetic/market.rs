//! The market: participants, book and clock, made into rows.

use super::participants::Participants;
use super::perpetual::{FUNDING_INTERVAL_NS, MARK_INTERVAL_NS, Perpetual};
use super::settings::{Length, SyntheticSettings};
use crate::chance::Chance;
use crate::error::Result;
use crate::instrument::{InstrumentIndex, Kind, Specification};
use crate::market::{BookDelta, MarketData, MarketEvent, MarketKind, Quote, Side, Trade};
use crate::time::{DurationNs, TimeNs, floor_to};
use crate::venue::matching::{MatchEvent, MatchingBook};

/// A synthetic market of one instrument: an iterator over its rows.
///
/// Rows are in the order of their arrival, which is also the order of venue time. What
/// one action causes has one time: its trades, then its book message, then the quote
/// if it changed. The first rows are a snapshot of the book and a quote.
///
/// ```
/// use tradewind_core::instrument::{FeeAsset, Fees, InstrumentIndex, Kind, Specification};
/// use tradewind_core::market::MarketKind;
/// use tradewind_core::synthetic::{Length, SyntheticMarket, SyntheticSettings};
/// use tradewind_core::time::MILLISECOND_NS;
///
/// # fn main() -> tradewind_core::error::Result<()> {
/// let specification = Specification {
///     venue: "synthetic".into(),
///     symbol: "BTCUSDT".into(),
///     kind: Kind::Spot,
///     base: "BTC".into(),
///     quote: "USDT".into(),
///     settlement: "USDT".into(),
///     price_decimals: 2,
///     quantity_decimals: 5,
///     tick: 1,
///     lot: 1,
///     minimum_quantity: 1,
///     minimum_notional: 50_000_000,
///     multiplier: 1,
///     multiplier_decimals: 0,
///     fees: Fees { maker: 0, taker: 0, liquidation: 0, asset: tradewind_core::instrument::FeeAsset::Received },
///     margin: None,
/// };
/// let settings = SyntheticSettings {
///     seed: 1,
///     start_ns: 0,
///     length: Length::Events(1_000),
///     initial_price: 6_000_000,
///     volatility: 0.6,
///     activity: 100.0,
///     latency_ns: MILLISECOND_NS,
///     emit: vec![MarketKind::Trade, MarketKind::Quote],
/// };
/// let rows: Vec<_> = SyntheticMarket::new(InstrumentIndex(0), &specification, &settings)?.collect();
/// assert_eq!(rows.len(), 1_000);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SyntheticMarket {
    instrument: InstrumentIndex,
    tick: i64,
    wanted: [bool; MarketKind::ALL.len()],
    participants: Participants,
    book: MatchingBook,
    /// What the action under way does to the book.
    events: Vec<MatchEvent>,
    perpetual: Option<Perpetual>,
    latency: Chance,
    half_latency_ns: DurationNs,
    delay_ns: DurationNs,
    now_ns: TimeNs,
    next_action_ns: TimeNs,
    next_mark_ns: TimeNs,
    arrival_ns: TimeNs,
    end_ns: TimeNs,
    rows_left: u64,
    trades: i64,
    quote: Option<Quote>,
    rows: Vec<MarketEvent>,
    handed_out: usize,
}

impl SyntheticMarket {
    /// A market before its first row.
    pub fn new(instrument: InstrumentIndex, specification: &Specification, settings: &SyntheticSettings) -> Result<Self> {
        let name = specification.name();
        let (end_ns, rows_left) = match settings.length {
            Length::Events(count) => (TimeNs::MAX, count),
            Length::Duration(duration_ns) => (settings.start_ns.saturating_add(duration_ns), u64::MAX),
        };
        let mut market = Self {
            instrument,
            tick: specification.tick,
            wanted: MarketKind::ALL.map(|kind| settings.emit.contains(&kind)),
            participants: Participants::new(specification, settings)?,
            book: MatchingBook::default(),
            events: Vec::new(),
            perpetual: (specification.kind == Kind::LinearPerpetual)
                .then(|| Perpetual::new(Chance::new(settings.seed, &["perpetual", &name]))),
            latency: Chance::new(settings.seed, &["latency", &name]),
            half_latency_ns: settings.latency_ns / 2,
            delay_ns: settings.latency_ns / 2,
            now_ns: settings.start_ns,
            next_action_ns: settings.start_ns,
            next_mark_ns: floor_to(settings.start_ns, MARK_INTERVAL_NS) + MARK_INTERVAL_NS,
            arrival_ns: settings.start_ns,
            end_ns,
            rows_left,
            trades: 0,
            quote: None,
            rows: Vec::new(),
            handed_out: 0,
        };
        if end_ns > settings.start_ns {
            market.open();
        }
        Ok(market)
    }

    /// Appends at most `maximum` rows; gives how many, and zero only at the end.
    ///
    /// The rows are the same whatever the sizes of the pieces.
    pub fn fill(&mut self, rows: &mut Vec<MarketEvent>, maximum: usize) -> usize {
        let before = rows.len();
        while rows.len() - before < maximum && self.prepare() {
            let ready = &self.rows[self.handed_out..];
            let room = (maximum - (rows.len() - before)).min(ready.len());
            let count = usize::try_from(self.rows_left).unwrap_or(usize::MAX).min(room);
            rows.extend_from_slice(&ready[..count]);
            self.handed_out += count;
            self.rows_left -= count as u64;
        }
        rows.len() - before
    }

    /// The book as it is after the action that gave the latest row.
    pub fn book(&self) -> &MatchingBook {
        &self.book
    }

    /// Makes sure that a row is ready; false at the end.
    fn prepare(&mut self) -> bool {
        if self.rows_left == 0 {
            return false;
        }
        while self.handed_out == self.rows.len() {
            if self.now_ns >= self.end_ns {
                return false;
            }
            self.rows.clear();
            self.handed_out = 0;
            self.advance();
        }
        true
    }

    /// The next action or the next mark, whichever is earlier.
    fn advance(&mut self) {
        let mark_is_next = self.perpetual.is_some() && self.next_mark_ns <= self.next_action_ns;
        self.now_ns = if mark_is_next { self.next_mark_ns } else { self.next_action_ns };
        if self.now_ns >= self.end_ns {
            return;
        }
        if mark_is_next {
            self.mark();
        } else {
            self.participants.act(&mut self.book, &mut self.events);
            self.report();
        }
    }

    /// The book before anybody trades, as a snapshot.
    fn open(&mut self) {
        self.participants.open(&mut self.book, &mut self.events);
        self.events.clear();
        for side in [Side::Buy, Side::Sell] {
            self.events.extend(self.book.levels(side).map(|level| MatchEvent::Level {
                side,
                price: level.price,
                quantity: level.quantity,
            }));
        }
        self.report();
        if let Some(row) = self.rows.first_mut()
            && let MarketData::Book(delta) = row.data()
        {
            *row = MarketEvent::new(
                self.instrument,
                row.venue_time_ns,
                row.arrival_time_ns,
                MarketData::Book(BookDelta { first: true, ..delta }),
            );
        }
    }

    /// Makes rows of what an action did, and draws the time of the next one.
    fn report(&mut self) {
        self.delay_ns = self.half_latency_ns + (self.latency.exponential() * self.half_latency_ns as f64) as DurationNs;
        let events = std::mem::take(&mut self.events);
        for event in &events {
            if let MatchEvent::Trade(trade) = event {
                self.participants.observe(trade);
                self.trades += 1;
                let aggressor = Some(trade.aggressor);
                self.emit(MarketData::Trade(Trade { price: trade.price, quantity: trade.quantity, aggressor, id: self.trades }));
            }
        }
        let last = events.iter().rposition(|event| matches!(event, MatchEvent::Level { .. }));
        for (place, event) in events.iter().enumerate() {
            if let &MatchEvent::Level { side, price, quantity } = event {
                self.emit(MarketData::Book(BookDelta { side, price, quantity, first: false, last: Some(place) == last }));
            }
        }
        let quote = self.book.quote();
        if quote != self.quote {
            self.quote = quote;
            if let Some(quote) = quote {
                self.emit(MarketData::Quote(quote));
            }
        }
        self.events = events;
        self.events.clear();
        self.next_action_ns = self.now_ns.saturating_add(self.participants.wait());
    }

    /// The mark price of this moment, and funding where an interval ends.
    fn mark(&mut self) {
        let (value, mid) = (self.participants.value_ticks(), self.participants.mid(&self.book));
        let Some(perpetual) = &mut self.perpetual else { return };
        let mark = libm::round(perpetual.mark(value, mid)) as i64 * self.tick;
        let funding = (self.now_ns % FUNDING_INTERVAL_NS == 0).then(|| perpetual.funding_rate());
        self.emit(MarketData::Mark(mark));
        if let Some(rate) = funding {
            self.emit(MarketData::Funding(rate));
        }
        self.next_mark_ns = self.now_ns.saturating_add(MARK_INTERVAL_NS);
    }

    /// Adds a row if its kind is wanted; the times do not depend on it.
    fn emit(&mut self, data: MarketData) {
        self.arrival_ns = self.arrival_ns.max(self.now_ns.saturating_add(self.delay_ns));
        let row = MarketEvent::new(self.instrument, self.now_ns, self.arrival_ns, data);
        if self.wanted[row.kind as usize] {
            self.rows.push(row);
        }
    }
}

impl Iterator for SyntheticMarket {
    type Item = MarketEvent;

    fn next(&mut self) -> Option<MarketEvent> {
        if !self.prepare() {
            return None;
        }
        let row = self.rows[self.handed_out];
        self.handed_out += 1;
        self.rows_left -= 1;
        Some(row)
    }
}
