//! The two hashes of a run (D3): `decisions`, by strategy, and `state`, by names.

use super::State;
use crate::account::{Bucket, Fill, Position};
use crate::instrument::{Index, InstrumentIndex};
use crate::market::{Bar, Side};
use crate::order::{NewOrder, OrderType, Request, StrategyIndex, TimerPurpose};
use serde::{Deserialize, Serialize};

/// The version of the algorithm behind the state hash.
pub const STATE_HASH_VERSION: u32 = 9;

/// Hashes each strategy's requests and fills as they happen, by the names of instruments
/// and the strategy's own counts, so that nothing unrelated shifts it.
#[derive(Clone, Debug)]
pub struct DecisionHasher {
    names: Vec<[u8; 8]>,
    strategies: Vec<(String, Chained)>,
}

/// A hash that can be saved: what was written is hashed in pieces, each with the hash of those before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Chained {
    before: [u8; 32],
    bytes: Vec<u8>,
}

/// Large enough that BLAKE3 hashes many of its 1-KiB chunks at once, which is four times faster.
const PIECE_BYTES: usize = 16_384;

impl Chained {
    #[inline]
    fn write(&mut self, fields: &[&[u8]]) {
        for field in fields {
            self.bytes.extend_from_slice(field);
        }
        if self.bytes.len() >= PIECE_BYTES {
            self.before = self.finish();
            self.bytes.clear();
        }
    }

    fn finish(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.before).update(&self.bytes);
        *hasher.finalize().as_bytes()
    }
}

impl DecisionHasher {
    /// A hasher for strategies in the order of their names.
    pub fn new<'a>(index: &Index, strategies: impl Iterator<Item = &'a str>) -> Self {
        let digest = |name: &str| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
            bytes
        };
        let chained = || Chained { before: [0; 32], bytes: Vec::with_capacity(PIECE_BYTES + 128) };
        Self {
            names: index.instruments().map(|(_, instrument)| digest(&instrument.name)).collect(),
            strategies: strategies.map(|name| (name.to_owned(), chained())).collect(),
        }
    }

    /// Takes a request at the time of its decision.
    #[inline]
    pub fn request(&mut self, request: &Request, now_ns: i64) {
        match request {
            Request::Place { strategy, count, order, .. } => {
                let (kind, price) = match order.order_type {
                    OrderType::Market => (0, 0),
                    OrderType::Limit(price) => (1, price),
                };
                let flags = [b'P', order.side as u8, kind, order.time_in_force as u8, u8::from(order.reduce_only)];
                let name = self.names[order.instrument.at()];
                self.strategies[strategy.at()].1.write(&[
                    &flags,
                    &name,
                    &now_ns.to_le_bytes(),
                    &count.to_le_bytes(),
                    &order.quantity.to_le_bytes(),
                    &price.to_le_bytes(),
                ]);
            }
            Request::Cancel { strategy, count, .. } => {
                self.strategies[strategy.at()].1.write(&[b"C", &now_ns.to_le_bytes(), &count.to_le_bytes()]);
            }
            Request::Timer { purpose: TimerPurpose::Strategy(strategy, count), due_ns } => {
                self.strategies[strategy.at()].1.write(&[b"T", &now_ns.to_le_bytes(), &count.to_le_bytes(), &due_ns.to_le_bytes()]);
            }
            Request::Timer { purpose: TimerPurpose::Bar(_), .. } => {}
        }
    }

    /// Takes a fill of a strategy's order by its count, zero for a liquidation.
    #[inline]
    pub fn fill(&mut self, strategy: StrategyIndex, count: u64, fill: &Fill, now_ns: i64) {
        let name = self.names[fill.instrument.at()];
        let flags = [b'F', fill.side as u8, fill.liquidity as u8];
        self.strategies[strategy.at()].1.write(&[
            &flags,
            &name,
            &now_ns.to_le_bytes(),
            &count.to_le_bytes(),
            &fill.quantity.to_le_bytes(),
            &fill.price.to_le_bytes(),
            &fill.fee.to_le_bytes(),
        ]);
    }

    /// The hash so far: of each strategy, and of all by their names.
    pub fn finish(&self) -> [u8; 32] {
        let mut whole = blake3::Hasher::new();
        for (place, (name, _)) in self.strategies.iter().enumerate() {
            whole.update(&(name.len() as u64).to_le_bytes());
            whole.update(name.as_bytes());
            whole.update(&self.of_strategy(StrategyIndex(place as u16)));
        }
        *whole.finalize().as_bytes()
    }

    /// The hash so far of one strategy, whatever its name and whichever others there are.
    pub fn of_strategy(&self, strategy: StrategyIndex) -> [u8; 32] {
        self.strategies[strategy.at()].1.finish()
    }

    /// What is hashed so far, by strategy.
    pub(crate) fn chains(&self) -> Vec<Chained> {
        self.strategies.iter().map(|(_, chain)| chain.clone()).collect()
    }

    /// Goes on from what was hashed before.
    pub(crate) fn resume(&mut self, chains: Vec<Chained>) {
        for ((_, chain), saved) in self.strategies.iter_mut().zip(chains) {
            *chain = saved;
        }
    }
}

/// Writes fields into a hash, each behind its length, so that no two states write the same bytes.
struct Canonical(blake3::Hasher);

impl Canonical {
    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    fn number(&mut self, number: i128) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    fn bar(&mut self, bar: &Bar) -> &mut Self {
        self.text(&bar.interval.to_string()).number(bar.open_time_ns.into());
        for value in [bar.open, bar.high, bar.low, bar.close, bar.volume] {
            self.number(value.into());
        }
        self
    }
}

impl State {
    /// The canonical hash of everything that is known, by names, floats by their bits.
    pub fn hash(&self) -> [u8; 32] {
        let mut out = Canonical(blake3::Hasher::new());
        out.number(STATE_HASH_VERSION.into()).number(self.now_ns.into()).number(self.trading.into());
        out.number(self.warming.into()).number(self.stopped.into());
        if self.stays_off {
            out.text("stays off");
        }
        self.hash_health(&mut out);
        for number in self.watch.numbers() {
            out.number(number);
        }
        self.hash_markets(&mut out);
        self.hash_accounts(&mut out);
        self.hash_strategies(&mut out);
        for (stream, indicator) in &self.indicators {
            out.text(&self.index.instrument(stream.instrument).name).text(&stream.kind.to_string());
            out.bytes(&indicator.bytes());
        }
        for history in &self.histories {
            out.text(&self.index.instrument(history.stream.instrument).name).text(&history.stream.kind.to_string());
            for event in history.events() {
                out.number(event.venue_time_ns.into()).number(event.arrival_time_ns.into());
                for value in event.columns().1 {
                    out.number(value.into());
                }
            }
        }
        self.hash_builders(&mut out);
        *out.0.finalize().as_bytes()
    }

    fn hash_health(&self, out: &mut Canonical) {
        let name = |instrument: InstrumentIndex| self.index.instrument(instrument).name.as_str();
        let down = self.health.down().iter().map(|(venue, part)| (self.index.venue(*venue).name.as_str(), part.name().to_owned()));
        let stale = self.health.stale().iter().map(|stream| (name(stream.instrument), stream.kind.to_string()));
        let halted = self.health.halted().iter().map(|&instrument| (name(instrument), "halted".to_owned()));
        let mut all: Vec<_> = down.chain(stale).chain(halted).collect();
        all.sort();
        for (what, how) in all {
            out.text(what).text(&how);
        }
    }

    fn hash_markets(&self, out: &mut Canonical) {
        let mut instruments: Vec<_> = self.index.instruments().collect();
        instruments.sort_by(|left, right| left.1.name.cmp(&right.1.name));
        for (instrument, definition) in instruments {
            let market = &self.markets[instrument.at()];
            out.text(&definition.name).text(market.mark.source().name());
            for (doubled, time_ns) in market.mark.spoken() {
                out.number(doubled.into()).number(time_ns.into());
            }
            if let Some(trade) = market.trade {
                out.text("trade").number(trade.price.into()).number(trade.quantity.into()).number(trade.id.into());
            }
            if let Some(quote) = market.quote {
                out.text("quote")
                    .number(quote.bid.into())
                    .number(quote.bid_quantity.into())
                    .number(quote.ask.into())
                    .number(quote.ask_quantity.into());
            }
            let mut bars = market.bars.clone();
            bars.sort_unstable_by_key(|bar| bar.interval);
            for bar in &bars {
                out.text("bar").text(&bar.interval.to_string()).bar(bar);
            }
            if let Some(rate) = market.funding_rate {
                out.text("funding").number(rate.into());
            }
            for (side, levels) in market.book.iter().flat_map(|book| [Side::Buy, Side::Sell].map(|side| (side, book.levels(side)))) {
                out.text(side.name()).number(levels.len() as i128);
                for level in levels {
                    out.number(level.price.into()).number(level.quantity.into());
                }
            }
        }
    }

    /// Bars that are being built, whatever the order in which they were asked for.
    fn hash_builders(&self, out: &mut Canonical) {
        let mut builders: Vec<_> =
            self.builders.iter().map(|(instrument, bars)| (&self.index.instrument(*instrument).name, bars)).collect();
        builders.sort_by_key(|(name, bars)| (*name, bars.interval()));
        for (name, bars) in builders {
            out.text(name).text(&bars.interval().to_string());
            out.number(bars.closed_until_ns().into()).number(bars.late_trades().into());
            if let Some(bar) = bars.open() {
                out.text("open").bar(bar);
            }
            // Only where there was a gap, so that the hash of a run without one is what it always was.
            if let Some((from_ns, until_ns)) = bars.missing_ns() {
                out.text("gap").number(from_ns.into()).number(until_ns.into()).number(bars.is_complete().into());
            }
        }
    }

    fn hash_accounts(&self, out: &mut Canonical) {
        let mut accounts: Vec<_> = self.index.accounts().collect();
        accounts.sort_by(|left, right| left.1.name.cmp(&right.1.name));
        let mut assets: Vec<_> = self.index.assets().collect();
        assets.sort_by(|left, right| left.1.name.cmp(&right.1.name));
        for (account, definition) in accounts {
            out.text(&definition.name);
            for (asset, named) in &assets {
                for bucket in Bucket::ALL {
                    let sum = self.accounts[account.at()].ledger().sum(*asset, bucket);
                    if sum != 0 {
                        out.text(&named.name).text(bucket.name()).number(sum);
                    }
                }
            }
            let mut positions: Vec<_> = self.index.instruments().filter(|(_, held)| held.account == account).collect();
            positions.sort_by(|left, right| left.1.name.cmp(&right.1.name));
            for (instrument, named) in positions {
                let position = self.accounts[account.at()].position(instrument);
                out.text(&named.name).number(position.quantity.into()).number(position.cost).number(position.realised);
            }
        }
    }

    fn hash_strategies(&self, out: &mut Canonical) {
        for (place, strategy) in self.strategies.iter().enumerate() {
            out.text(&strategy.name).number(strategy.orders.into()).number(strategy.timers.into());
            let mut positions: Vec<_> = self
                .index
                .instruments()
                .filter(|(instrument, _)| strategy.positions.get(instrument.at()).is_some_and(|position| *position != Position::default()))
                .collect();
            positions.sort_by(|left, right| left.1.name.cmp(&right.1.name));
            for (instrument, definition) in positions {
                let position = strategy.positions[instrument.at()];
                out.text(&definition.name).number(position.quantity.into()).number(position.cost).number(position.realised);
            }
            for target in &strategy.targets {
                out.text(&self.index.instrument(target.instrument).name).number(target.quantity.into());
                out.text(target.order_type.name()).number(target.order_type.price().unwrap_or(0).into()).number(target.order.into());
                out.number(target.since.0.into()).number(target.added.into());
            }
            let mut dust: Vec<_> = strategy.dust.iter().map(|(held, dust)| (&self.index.instrument(*held).name, dust)).collect();
            dust.sort();
            for (name, &dust) in dust {
                out.text("dust").text(name).number(dust.into());
            }
            for &(number, due_ns) in &strategy.put_off {
                out.text("timer").number(number.into()).number(due_ns.into());
            }
            for order in self.orders.open(StrategyIndex(place as u16)) {
                out.number(order.count.into()).text(order.status.name()).number(order.filled.into());
                self.hash_request(out, &order.request);
                out.number(order.by_target.into()).number(order.is_accepted.into()).number(order.is_cancel_wanted.into());
                out.number(order.trade_ids.len() as i128);
                for &trade_id in &order.trade_ids {
                    out.number(trade_id.into());
                }
            }
        }
    }

    fn hash_request(&self, out: &mut Canonical, request: &NewOrder) {
        out.text(&self.index.instrument(request.instrument).name).text(request.side.name()).number(request.quantity.into());
        out.text(request.order_type.name()).number(request.order_type.price().unwrap_or(0).into());
        out.text(request.time_in_force.name()).number(request.reduce_only.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::{AccountIndex, FeeAsset, Fees, Kind, Specification};
    use crate::market::{BarBuilder, BarInterval, BookDelta, MarketData, MarketEvent, Trade};
    use crate::order::{PositionSlot, TimeInForce};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn specification(symbol: &str) -> Specification {
        Specification {
            venue: "v".into(),
            symbol: symbol.into(),
            kind: Kind::Spot,
            base: symbol.into(),
            quote: "USD".into(),
            settlement: "USD".into(),
            price_decimals: 0,
            quantity_decimals: 0,
            tick: 1,
            lot: 1,
            minimum_quantity: 1,
            minimum_notional: 0,
            multiplier: 1,
            multiplier_decimals: 0,
            fees: Fees { maker: 0, taker: 0, liquidation: 0, asset: FeeAsset::Quote },
            margin: None,
        }
    }

    fn hash_after(change: impl FnOnce(&mut State)) -> [u8; 32] {
        let index = Arc::new(Index::new(&[], &[specification("X"), specification("Y")]).unwrap());
        let mut state = State::new(index, &["one".to_owned()], Vec::new(), 1, false);
        change(&mut state);
        state.hash()
    }

    fn update(state: &mut State, data: MarketData) {
        state.markets[0].update(&MarketEvent::new(InstrumentIndex(0), 1, 1, data));
    }

    #[test]
    fn every_part_of_an_open_order_counts() {
        let request = NewOrder {
            account: AccountIndex(0),
            slot: PositionSlot::Net,
            instrument: InstrumentIndex(0),
            side: Side::Buy,
            quantity: 2,
            order_type: OrderType::Limit(5),
            time_in_force: TimeInForce::GoodTillCancelled,
            reduce_only: false,
        };
        let requests = [
            request,
            NewOrder { instrument: InstrumentIndex(1), ..request },
            NewOrder { side: Side::Sell, ..request },
            NewOrder { quantity: 3, ..request },
            NewOrder { order_type: OrderType::Limit(6), ..request },
            NewOrder { order_type: OrderType::Market, ..request },
            NewOrder { time_in_force: TimeInForce::PostOnly, ..request },
            NewOrder { reduce_only: true, ..request },
        ];
        let hash = |(request, by_target)| {
            hash_after(|state| {
                state.queue(request, by_target);
            })
        };
        let hashes: BTreeSet<_> = requests.map(|request| (request, false)).into_iter().chain([(request, true)]).map(hash).collect();
        assert_eq!(hashes.len(), requests.len() + 1);
    }

    #[test]
    fn funding_and_the_sides_of_a_book_count() {
        let level = |side| MarketData::Book(BookDelta { side, price: 5, quantity: 1, first: true, last: true });
        let data = [MarketData::Funding(1), MarketData::Funding(2), level(Side::Buy), level(Side::Sell)];
        let hashes: BTreeSet<_> = data.into_iter().map(|data| hash_after(|state| update(state, data))).collect();
        assert_eq!(hashes.len(), 4);
    }

    #[test]
    fn the_source_and_the_time_of_a_mark_count() {
        use crate::market::MarkSource::{Bar, Trade};
        let marks = [(Trade, 1), (Trade, 2), (Bar, 2)];
        let hashes: BTreeSet<_> =
            marks.into_iter().map(|(source, time_ns)| hash_after(|state| state.markets[0].mark.update(source, 5, time_ns))).collect();
        assert_eq!(hashes.len(), 3);
    }

    #[test]
    fn bars_in_the_making_count_in_whatever_order_they_were_asked_for() {
        let hash = |intervals: [&str; 2], prices: &[(i64, i64)]| {
            hash_after(|state| {
                for interval in intervals {
                    let mut bars = BarBuilder::new(BarInterval::parse(interval).unwrap());
                    for &(time_ns, price) in prices {
                        bars.update(time_ns, &Trade { price, quantity: 1, aggressor: None, id: 0 });
                    }
                    state.builders.push((InstrumentIndex(0), bars));
                }
            })
        };
        let day_ns = crate::time::DAY_NS;
        assert_eq!(hash(["1m", "5m"], &[(0, 5)]), hash(["5m", "1m"], &[(0, 5)]));
        let late = [(0, 5), (day_ns, 6), (1, 7)];
        let cases = [&late[..0], &late[..1], &late[..2], &late[..]];
        let hashes: BTreeSet<_> = cases.map(|prices| hash(["1m", "5m"], prices)).into_iter().collect();
        assert_eq!(hashes.len(), 4);
    }
}
