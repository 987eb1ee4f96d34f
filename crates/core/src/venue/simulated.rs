//! The simulated venue: market data in, requests in, account events out.

use super::Latency;
use super::fill::{BarPath, FillModel, Liquidity, Resting, Source, TakingOnTrades};
use crate::account::Account;
use crate::error::{Code, Error, Result};
use crate::event::AccountEvent;
use crate::instrument::{AccountIndex, AssetIndex, Index, InstrumentIndex, VenueIndex};
use crate::market::{Bar, BarInterval, BookDelta, Mark, MarkSource, MarketData, MarketEvent, Side, Trade};
use crate::order::{Liquidity as Role, NewOrder, OrderId, OrderType, TimeInForce};
use crate::state::{Stream, StreamKind};
use crate::time::{DAY_NS, DurationNs, TimeNs};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a venue is simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VenueSettings {
    /// Which venue.
    pub venue: String,
    /// From us to the venue.
    pub request_latency: Latency,
    /// From the venue to us.
    pub answer_latency: Latency,
    /// How orders fill.
    pub fill_model: FillModel,
    /// The leverage that the account has chosen; none for the highest the instrument allows.
    pub leverage: Option<i64>,
    /// How long after its venue time the venue meets a row, as a paper session needs it because rows
    /// arrive late and out of order (F6); none in a backtest, where all rows are known.
    pub lag_ns: Option<DurationNs>,
    /// When it takes no new orders and matches nothing.
    pub halts: Vec<Halt>,
}

/// A time in which a venue takes no new orders for an instrument and matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Which instrument.
    pub instrument: InstrumentIndex,
    /// From when, by venue time.
    pub from_ns: TimeNs,
    /// Until when.
    pub until_ns: TimeNs,
}

impl VenueSettings {
    /// Refuses what cannot be.
    pub fn validate(&self) -> Result<()> {
        self.request_latency.validate()?;
        self.answer_latency.validate()?;
        if let Some(leverage) = self.leverage.filter(|&leverage| leverage < 1) {
            return Err(Error::new(Code::BadSetting, format!("the leverage {leverage} of {} is below 1", self.venue)));
        }
        if let Some(lag_ns) = self.lag_ns.filter(|lag_ns| !(0..=DAY_NS).contains(lag_ns)) {
            return Err(Error::new(Code::BadSetting, format!("the lag of {}, {lag_ns} ns, is not between none and a day", self.venue)));
        }
        Ok(())
    }
}

/// An order that works at the venue.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct VenueOrder {
    pub id: OrderId,
    pub request: NewOrder,
    pub remaining: i64,
    /// It takes: it waits for something to take, and does not rest.
    pub takes: bool,
    /// It is of a session that is run again: while it rests, it fills as it did at the real venue.
    pub is_directed: bool,
}

impl VenueOrder {
    /// Whether market data fill it while it rests.
    const fn rests_by_itself(&self) -> bool {
        !(self.takes || self.is_directed)
    }
}

/// What the venue knows of one instrument.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct VenueMarket {
    pub source: Source,
    pub last: Option<i64>,
    pub mark: Mark,
    pub liquidity: Liquidity,
    pub path: Option<BarPath>,
    /// When the bar ends that says only its close, and this.
    pub closing: Option<(TimeNs, i64)>,
    pub orders: Vec<VenueOrder>,
    pub trades: u64,
    /// While twice the mark stays between these, the account's margin cannot be short.
    pub safe: (i64, i64),
    /// The finest bars that the data hold; coarser ones tell nothing more.
    pub bars: Option<BarInterval>,
}

impl VenueMarket {
    #[inline]
    fn see_trade(&mut self, price: i64, time_ns: TimeNs) {
        self.last = Some(price);
        self.mark.update(MarkSource::Trade, price, time_ns);
    }

    /// When it goes on by itself.
    fn next_ns(&self) -> Option<TimeNs> {
        self.path.map(|path| path.next_ns()).or(self.closing.map(|(time_ns, _)| time_ns))
    }

    /// Whether the mark is where the account's margin cannot be short.
    #[inline]
    fn is_safe(&self) -> bool {
        self.mark.doubled().is_none_or(|mark| (self.safe.0..=self.safe.1).contains(&mark))
    }
}

/// A simulated venue with one account of ours.
#[derive(Debug, Serialize, Deserialize)]
pub struct SimulatedVenue {
    #[serde(skip)]
    pub(super) index: Arc<Index>,
    pub(super) settings: VenueSettings,
    pub(super) account_index: AccountIndex,
    pub(super) account: Account,
    pub(super) markets: Vec<VenueMarket>,
    /// The earliest point of a bar's path that is still to come.
    path_ns: TimeNs,
    pub(super) called: Vec<AssetIndex>,
    /// Whether any instrument here is margined.
    pub(super) has_margined: bool,
    /// Settlement assets whose margin a fill left short, to be looked at when the matching is over.
    pub(super) short: Vec<AssetIndex>,
    /// Why it takes no orders any more.
    pub(super) ended: Option<Code>,
    /// What happened, with its venue time; the driver takes it.
    pub output: Vec<(TimeNs, AccountEvent)>,
}

/// No margin call is possible whatever the mark.
pub(super) const ALWAYS_SAFE: (i64, i64) = (i64::MIN, i64::MAX);
/// Nothing is known: the first mark has to be looked at.
pub(super) const NEVER_SAFE: (i64, i64) = (i64::MAX, i64::MIN);

impl SimulatedVenue {
    /// A venue before its first event.
    pub fn new(index: Arc<Index>, venue: VenueIndex, settings: VenueSettings, available: &[Stream]) -> Self {
        let markets = index
            .instruments()
            .map(|(instrument, definition)| VenueMarket {
                source: if definition.venue == venue { Source::of(instrument, available) } else { Source::None },
                last: None,
                mark: Mark::default(),
                liquidity: Liquidity::default(),
                path: None,
                closing: None,
                orders: Vec::new(),
                trades: 0,
                safe: ALWAYS_SAFE,
                bars: finest_bars(instrument, available),
            })
            .collect();
        let has_margined = index.instruments().any(|(_, definition)| definition.venue == venue && definition.is_margined());
        let account_index = index.accounts().find(|(_, account)| account.venue == venue).map_or(AccountIndex(0), |(account, _)| account);
        Self {
            index,
            settings,
            account_index,
            account: Account::new(false),
            markets,
            path_ns: TimeNs::MAX,
            called: Vec::new(),
            has_margined,
            short: Vec::new(),
            ended: None,
            output: Vec::new(),
        }
    }

    /// Whether it takes no orders for an instrument at a time.
    pub(super) fn is_halted(&self, instrument: InstrumentIndex, time_ns: TimeNs) -> bool {
        self.settings.halts.iter().any(|halt| halt.instrument == instrument && (halt.from_ns..halt.until_ns).contains(&time_ns))
    }

    /// States anew which streams there are, before any order.
    pub fn set_available(&mut self, available: &[Stream]) {
        for (at, market) in self.markets.iter_mut().enumerate() {
            let instrument = InstrumentIndex(at as u32);
            if self.index.instrument(instrument).account == self.account_index {
                market.source = Source::of(instrument, available);
                market.bars = finest_bars(instrument, available);
            }
        }
    }

    /// Gives it the names again after it was restored.
    pub fn attach(&mut self, index: Arc<Index>) {
        self.index = index;
    }

    /// How it was set up.
    pub fn settings(&self) -> &VenueSettings {
        &self.settings
    }

    /// Our account there.
    pub fn account_index(&self) -> AccountIndex {
        self.account_index
    }

    /// The venue's own account of us.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Which data decide an instrument's fills.
    pub fn source(&self, instrument: InstrumentIndex) -> Source {
        self.markets[instrument.at()].source
    }

    /// Puts money into the account.
    pub fn deposit(&mut self, asset: AssetIndex, amount: i128, time_ns: TimeNs) {
        self.account.deposit(asset, amount, time_ns);
        self.output.push((time_ns, AccountEvent::Deposit { asset, amount }));
    }

    /// When the venue acts by itself next.
    #[inline]
    pub fn next_ns(&self) -> TimeNs {
        self.path_ns
    }

    /// Takes a trade that meets no order and that nothing follows from, as most do. Tells whether it was one;
    /// anything else is left to [`Self::on_market`], which takes a trade again as if for the first time.
    #[inline]
    pub fn pass(&mut self, event: &MarketEvent) -> bool {
        let market = &mut self.markets[event.instrument.at()];
        let MarketData::Trade(trade) = event.data() else { return false };
        market.see_trade(trade.price, event.venue_time_ns);
        let is_quiet = market.orders.is_empty() && market.is_safe();
        is_quiet && self.short.is_empty() && self.output.is_empty()
    }

    /// Takes a market event at its venue time.
    pub fn on_market(&mut self, event: &MarketEvent) {
        let at = event.instrument.at();
        let market = &mut self.markets[at];
        match event.data() {
            MarketData::Trade(trade) => {
                market.see_trade(trade.price, event.venue_time_ns);
                if !market.orders.is_empty() {
                    self.match_trade(event.instrument, &trade, event.venue_time_ns);
                }
            }
            MarketData::Quote(quote) => {
                market.mark.update_quote(&quote, event.venue_time_ns);
                if market.source == Source::Quotes {
                    market.liquidity.observe_quote(quote);
                    if !market.orders.is_empty() {
                        self.match_shown(event.instrument, event.venue_time_ns);
                    }
                }
            }
            MarketData::Book(delta) => self.meet_delta(event.instrument, &delta, event.venue_time_ns),
            MarketData::Mark(price) => market.mark.update(MarkSource::Venue, price, event.venue_time_ns),
            MarketData::Funding(rate) => self.pay_funding(event.instrument, rate, event.venue_time_ns),
            MarketData::Bar(bar) => self.meet_bar(event.instrument, bar, event.venue_time_ns),
        }
        self.watch_margin(event.instrument, event.venue_time_ns);
    }

    #[inline(never)]
    fn meet_delta(&mut self, instrument: InstrumentIndex, delta: &BookDelta, time_ns: TimeNs) {
        let market = &mut self.markets[instrument.at()];
        market.liquidity.observe_delta(delta);
        if delta.last {
            if let Some(quote) = market.liquidity.best_quote() {
                market.mark.update_quote(&quote, time_ns);
            }
            if !market.orders.is_empty() {
                self.match_shown(instrument, time_ns);
            }
        }
    }

    #[inline(never)]
    fn meet_bar(&mut self, instrument: InstrumentIndex, bar: Bar, time_ns: TimeNs) {
        let market = &mut self.markets[instrument.at()];
        if market.bars != Some(bar.interval) {
            return;
        }
        if market.source == Source::Bars {
            market.mark.update(MarkSource::Bar, bar.open, time_ns);
            self.open_bar(instrument, BarPath::new(bar), bar.open, time_ns);
        } else {
            // One that overlaps it ends where it begins.
            self.close_bar(instrument, time_ns);
            self.markets[instrument.at()].closing = Some((bar.close_time_ns() - 1, bar.close));
        }
        self.find_next_point();
    }

    /// Nothing trades along a bar where there are better data: only its close is a price, for the mark.
    fn close_bar(&mut self, instrument: InstrumentIndex, time_ns: TimeNs) {
        let market = &mut self.markets[instrument.at()];
        if let Some((_, close)) = market.closing.take() {
            market.mark.update(MarkSource::Bar, close, time_ns);
            self.watch_margin(instrument, time_ns);
        }
    }

    /// Looks at the margin if the mark left what is known to be safe, or a fill left it short.
    #[inline]
    pub(super) fn watch_margin(&mut self, instrument: InstrumentIndex, time_ns: TimeNs) {
        let is_outside = !self.markets[instrument.at()].is_safe();
        if is_outside || !self.short.is_empty() {
            self.look_at_margin(instrument, is_outside, time_ns);
        }
    }

    #[cold]
    fn look_at_margin(&mut self, instrument: InstrumentIndex, is_outside: bool, time_ns: TimeNs) {
        if is_outside {
            self.check_margin(self.index.instrument(instrument).settlement, time_ns);
        }
        while let Some(settlement) = self.short.pop() {
            self.check_margin(settlement, time_ns);
        }
    }

    fn open_bar(&mut self, instrument: InstrumentIndex, mut path: BarPath, open: i64, time_ns: TimeNs) {
        self.finish_path(instrument, time_ns);
        let market = &mut self.markets[instrument.at()];
        let held = self.account.position(instrument).quantity;
        if held != 0 {
            path.choose(Side::of(-held));
        } else if let Some(order) = market.orders.first() {
            path.choose(order.request.side);
        }
        let before = market.last.unwrap_or(open);
        market.last = Some(open);
        market.path = Some(path);
        self.match_segment(instrument, before, open, time_ns);
    }

    /// A bar that overlaps the next one ends where the next begins.
    fn finish_path(&mut self, instrument: InstrumentIndex, time_ns: TimeNs) {
        while self.markets[instrument.at()].path.is_some() {
            self.advance_path(instrument, time_ns);
        }
    }

    /// Goes to the point of a bar's path that is due.
    pub fn advance(&mut self) {
        let time_ns = self.path_ns;
        let due = |market: &VenueMarket| market.next_ns() == Some(time_ns);
        if let Some(at) = self.markets.iter().position(due) {
            let instrument = InstrumentIndex(at as u32);
            if self.markets[at].path.is_some() {
                self.advance_path(instrument, time_ns);
            } else {
                self.close_bar(instrument, time_ns);
            }
        }
        self.find_next_point();
    }

    fn advance_path(&mut self, instrument: InstrumentIndex, time_ns: TimeNs) {
        let market = &mut self.markets[instrument.at()];
        let Some(path) = &mut market.path else { return };
        let (start, after, over) = path.advance();
        let before = market.last.replace(after).unwrap_or(start);
        market.mark.update(MarkSource::Bar, after, time_ns);
        self.match_segment(instrument, before, after, time_ns);
        if over {
            self.markets[instrument.at()].path = None;
        }
        self.watch_margin(instrument, time_ns);
    }

    /// A request that arrives within a segment of a bar's path splits it: the orders that work
    /// already meet the part before it, and the request the part after.
    pub(super) fn split_segment(&mut self, instrument: InstrumentIndex, side: Side, time_ns: TimeNs) {
        let tick = self.index.instrument(instrument).specification.tick;
        let held = self.account.position(instrument).quantity;
        let market = &mut self.markets[instrument.at()];
        let Some(path) = &mut market.path else { return };
        path.choose(if held == 0 { side } else { Side::of(-held) });
        let after = path.reached_at(time_ns, tick);
        let before = market.last.replace(after).unwrap_or(after);
        self.match_segment(instrument, before, after, time_ns);
    }

    fn find_next_point(&mut self) {
        self.path_ns = self.markets.iter().filter_map(VenueMarket::next_ns).min().unwrap_or(TimeNs::MAX);
    }

    /// Orders against a trade: takers where only trades are known, and resting orders that it went through.
    #[inline(never)]
    fn match_trade(&mut self, instrument: InstrumentIndex, trade: &Trade, time_ns: TimeNs) {
        if self.is_halted(instrument, time_ns) {
            return;
        }
        let on_trades = self.markets[instrument.at()].source == Source::Trades;
        let whole = self.settings.fill_model.taking_on_trades == TakingOnTrades::NextTradeWhole;
        let mut budget = trade.quantity;
        let mut place = 0;
        while let Some(order) = self.markets[instrument.at()].orders.get(place).copied() {
            let side = order.request.side;
            if order.takes && on_trades {
                let accepted = order.request.order_type.price().is_none_or(|limit| side.accepts(limit, trade.price));
                let quantity = if accepted { order.remaining.min(if whole { i64::MAX } else { budget }) } else { 0 };
                let filling = self.fill(instrument, place, trade.price, quantity, Role::Taker, time_ns);
                budget -= filling.quantity.min(budget);
                if filling.is_gone {
                    continue;
                }
                if order.request.time_in_force == TimeInForce::ImmediateOrCancel {
                    self.end(instrument, place, Code::ImmediateOrCancel, time_ns);
                    continue;
                }
                if !accepted {
                    self.markets[instrument.at()].orders[place].takes = false;
                }
            } else if let OrderType::Limit(limit) = order.request.order_type
                && self.settings.fill_model.resting.fills(side, limit, trade.price)
                && order.rests_by_itself()
            {
                let filling = self.fill(instrument, place, limit, order.remaining.min(budget), Role::Maker, time_ns);
                budget -= filling.quantity;
                if filling.is_gone {
                    continue;
                }
            }
            place += 1;
        }
    }

    /// Orders against a changed quote or book.
    #[inline(never)]
    fn match_shown(&mut self, instrument: InstrumentIndex, time_ns: TimeNs) {
        if self.is_halted(instrument, time_ns) {
            return;
        }
        let mut place = 0;
        while let Some(order) = self.markets[instrument.at()].orders.get(place).copied() {
            let done =
                if order.takes { self.take_shown(instrument, place, time_ns) } else { self.cross_resting(instrument, place, time_ns) };
            if !done {
                self.markets[instrument.at()].orders[place].takes = order.takes && self.takes(&order.request);
                place += 1;
            }
        }
    }

    /// A taker takes what is shown, at the shown prices. Tells whether the order is gone.
    pub(super) fn take_shown(&mut self, instrument: InstrumentIndex, place: usize, time_ns: TimeNs) -> bool {
        let market = &self.markets[instrument.at()];
        let order = market.orders[place];
        let side = order.request.side;
        let limit = order.request.order_type.price();
        let offers = market.liquidity.offer(side, order.remaining, |price| limit.is_none_or(|limit| side.accepts(limit, price)));
        offers.iter().any(|offer| {
            let filling = self.fill(instrument, place, offer.shown.price, offer.quantity, Role::Taker, time_ns);
            self.markets[instrument.at()].liquidity.take(side, offer, filling.quantity);
            filling.is_gone
        })
    }

    /// A resting order whose price the opposite side crossed fills at its own price.
    fn cross_resting(&mut self, instrument: InstrumentIndex, place: usize, time_ns: TimeNs) -> bool {
        let resting: Resting = self.settings.fill_model.resting;
        let market = &self.markets[instrument.at()];
        let order = market.orders[place];
        let OrderType::Limit(limit) = order.request.order_type else { return false };
        if order.is_directed {
            return false;
        }
        let side = order.request.side;
        let offers = market.liquidity.offer(side, order.remaining, |price| resting.fills(side, limit, price));
        let quantity = offers.iter().map(|offer| offer.quantity).sum();
        let filling = self.fill(instrument, place, limit, quantity, Role::Maker, time_ns);
        let mut left = filling.quantity;
        for offer in &offers {
            let quantity = offer.quantity.min(left);
            self.markets[instrument.at()].liquidity.take(side, offer, quantity);
            left -= quantity;
        }
        filling.is_gone
    }

    /// Orders against a segment of a bar's path.
    fn match_segment(&mut self, instrument: InstrumentIndex, before: i64, after: i64, time_ns: TimeNs) {
        if self.is_halted(instrument, time_ns) {
            return;
        }
        let (low, high) = (before.min(after), before.max(after));
        let mut place = 0;
        while let Some(order) = self.markets[instrument.at()].orders.get(place).copied() {
            let budget = self.markets[instrument.at()].path.map_or(0, |path| path.budget);
            let reached = match order.request.side {
                Side::Buy => low,
                Side::Sell => high,
            };
            let (price, role) = match order.request.order_type {
                OrderType::Market => (Some(after), Role::Taker),
                // It waited to take, for the next bar or for more volume: it does at the price that there is, or rests.
                OrderType::Limit(limit) if order.takes => {
                    let takes = order.request.side.accepts(limit, after);
                    self.markets[instrument.at()].orders[place].takes = takes;
                    (Some(after).filter(|_| takes), Role::Taker)
                }
                OrderType::Limit(_) if order.is_directed => (None, Role::Maker),
                OrderType::Limit(limit) => {
                    (Some(limit).filter(|&limit| self.settings.fill_model.resting.fills(order.request.side, limit, reached)), Role::Maker)
                }
            };
            let is_gone =
                price.is_some_and(|price| self.fill_from_bar(instrument, place, price, order.remaining.min(budget), role, time_ns));
            place += usize::from(!is_gone);
        }
    }

    /// Fills from what is left of the bar's volume. Tells whether the order is gone.
    pub(super) fn fill_from_bar(
        &mut self,
        instrument: InstrumentIndex,
        place: usize,
        price: i64,
        quantity: i64,
        role: Role,
        time_ns: TimeNs,
    ) -> bool {
        let filling = self.fill(instrument, place, price, quantity, role, time_ns);
        if let Some(path) = &mut self.markets[instrument.at()].path
            && path.budget != i64::MAX
        {
            path.budget -= filling.quantity;
        }
        filling.is_gone
    }
}

/// The shortest bars that the data hold of an instrument.
fn finest_bars(instrument: InstrumentIndex, available: &[Stream]) -> Option<BarInterval> {
    let intervals = available.iter().filter(|stream| stream.instrument == instrument).filter_map(|stream| match stream.kind {
        StreamKind::Bars(interval) => Some(interval),
        _ => None,
    });
    intervals.min_by_key(|interval| interval.duration_ns())
}
