//! Random market data.

use tradewind_core::chance::Chance;
use tradewind_core::feed::Recording;
use tradewind_core::instrument::{Index, InstrumentIndex};
use tradewind_core::market::{Bar, BarInterval, BookDelta, MarketData, MarketEvent, Quote, Side, Trade};
use tradewind_core::time::{MILLISECOND_NS, MINUTE_NS, SECOND_NS, TimeNs};

/// What is recorded of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Trades,
    Quotes,
    Depth,
    Bars,
}

pub const DETAILS: [Detail; 4] = [Detail::Trades, Detail::Quotes, Detail::Depth, Detail::Bars];

/// How long rows take to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Every row arrives at its venue time.
    One,
    /// Rows take some time, and venue times go back from row to row.
    Delayed,
}

pub const START_NS: TimeNs = 1_700_000_040 * SECOND_NS;

/// A recording of some steps of a random walk.
pub fn random(index: &Index, instrument: InstrumentIndex, detail: Detail, clock: Clock, steps: usize, seed: u64) -> Recording {
    let definition = index.instrument(instrument);
    let mut walk = Walk {
        chance: Chance::new(seed, &["walk", &definition.name]),
        tick: definition.specification.tick,
        lot: definition.specification.lot,
        price: 2_000,
        middle: 0,
        has_marks: definition.is_margined(),
        instrument,
        rows: Vec::new(),
        time_ns: START_NS,
    };
    if detail == Detail::Bars {
        walk.bars(steps / 4 + 2, clock);
    } else {
        for step in 0..steps {
            walk.step(detail, step);
        }
    }
    let rows = match clock {
        Clock::One => walk.rows,
        Clock::Delayed => delayed(walk.rows, &mut walk.chance),
    };
    Recording::new("data", vec![rows.into()]).unwrap()
}

/// The same rows with random delays, at most half a second, in the order of their arrival.
fn delayed(rows: Vec<MarketEvent>, chance: &mut Chance) -> Vec<MarketEvent> {
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|mut row| {
            row.arrival_time_ns += chance.below(500) as i64 * MILLISECOND_NS;
            row
        })
        .collect();
    rows.sort_by_key(|row| row.arrival_time_ns);
    rows
}

struct Walk {
    chance: Chance,
    tick: i64,
    lot: i64,
    /// In ticks.
    price: i64,
    /// The middle of the last snapshot.
    middle: i64,
    has_marks: bool,
    instrument: InstrumentIndex,
    rows: Vec<MarketEvent>,
    time_ns: TimeNs,
}

impl Walk {
    fn push(&mut self, data: MarketData) {
        self.rows.push(MarketEvent::new(self.instrument, self.time_ns, self.time_ns, data));
    }

    fn size(&mut self) -> i64 {
        self.lot * (1 + self.chance.below(3_000) as i64)
    }

    fn step(&mut self, detail: Detail, step: usize) {
        // Ties are common.
        self.time_ns += i64::from(step != 0) * [0, 0, 1, MILLISECOND_NS, 400 * MILLISECOND_NS, 3 * SECOND_NS][self.chance.below(6)];
        let wild = if self.chance.happens(0.02) { 300 } else { 7 };
        self.price = (self.price + self.chance.below(2 * wild + 1) as i64 - wild as i64).max(200);
        let price = self.price * self.tick;
        if self.has_marks && self.chance.happens(0.05) {
            self.push(MarketData::Mark(price + self.tick));
        }
        if self.has_marks && self.chance.happens(0.02) {
            let rate = self.chance.below(2_000_001) as i64 - 1_000_000;
            self.push(MarketData::Funding(rate));
        }
        match detail {
            Detail::Depth => {
                let snapshot = step == 0 || self.chance.happens(0.4);
                self.depth(price, snapshot);
            }
            Detail::Quotes => {
                let (bid_quantity, ask_quantity) = (self.size(), self.size());
                self.push(MarketData::Quote(Quote { bid: price, bid_quantity, ask: price + self.tick, ask_quantity }));
            }
            Detail::Trades | Detail::Bars => {}
        }
        if detail == Detail::Trades || self.chance.happens(0.5) {
            let quantity = self.size();
            let aggressor = [None, Some(Side::Buy), Some(Side::Sell)][self.chance.below(3)];
            self.push(MarketData::Trade(Trade { price, quantity, aggressor, id: step as i64 + 1 }));
        }
    }

    /// A snapshot of four levels on each side, or a change of one of the last one's.
    fn depth(&mut self, price: i64, snapshot: bool) {
        if !snapshot {
            let (side, sign) = [(Side::Buy, -1), (Side::Sell, 1)][self.chance.below(2)];
            let price = self.middle + sign * (1 + self.chance.below(4) as i64) * self.tick;
            let quantity = if self.chance.happens(0.3) { 0 } else { self.size() };
            return self.push(MarketData::Book(BookDelta { side, price, quantity, first: false, last: true }));
        }
        self.middle = price;
        for level in 0..4 {
            for (side, sign) in [(Side::Buy, -1), (Side::Sell, 1)] {
                let quantity = self.size();
                let (first, last) = (level == 0 && side == Side::Buy, level == 3 && side == Side::Sell);
                self.push(MarketData::Book(BookDelta { side, price: price + sign * (level + 1) * self.tick, quantity, first, last }));
            }
        }
    }

    fn bars(&mut self, count: usize, clock: Clock) {
        let interval = BarInterval::parse("1m").unwrap();
        for bar in 0..count {
            let open_time_ns = START_NS / MINUTE_NS * MINUTE_NS + bar as i64 * MINUTE_NS;
            let mut draw = |from: i64| (from + self.chance.below(121) as i64 - 60).max(200);
            let open = draw(self.price);
            let (close, one, other) = (draw(open), draw(open), draw(open));
            let (high, low) = (open.max(close).max(one).max(other), open.min(close).min(one).min(other));
            self.price = close;
            let volume = if self.chance.happens(0.1) { 0 } else { self.size() };
            let tick = self.tick;
            let bar = Bar { interval, open_time_ns, open: open * tick, high: high * tick, low: low * tick, close: close * tick, volume };
            let late_ns = i64::from(clock != Clock::One);
            self.rows.push(MarketEvent::new(self.instrument, open_time_ns, open_time_ns + MINUTE_NS + late_ns, MarketData::Bar(bar)));
        }
    }
}
