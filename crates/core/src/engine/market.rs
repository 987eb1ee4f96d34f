//! Market data: the state first, then indicators, then strategies.

use super::{Engine, Notice};
use crate::error::Result;
use crate::event::Condition;
use crate::market::{Bar, MarketData, MarketEvent, MarketKind, Trade};
use crate::number::to_float;
use crate::order::{Request, StrategyIndex, TimerPurpose};
use crate::state::{Stream, StreamKind};
use crate::time::{DurationNs, SECOND_NS};

/// How long after its end a bar waits for a trade before a timer closes it (V5).
pub const BAR_GRACE_NS: DurationNs = SECOND_NS;

impl Engine {
    /// The hot path: one function for the whole of it.
    #[inline(never)]
    pub(super) fn on_market(&mut self, event: &MarketEvent) -> Result<()> {
        self.state.now_ns = event.arrival_time_ns;
        self.state.markets[event.instrument.at()].update(event);
        self.build_and_route(event)
    }

    /// The same for what is no row that has just come: out of the way of the hot path, which has its own copy.
    #[inline(never)]
    fn pass_on(&mut self, event: &MarketEvent, is_news: bool) -> Result<()> {
        if is_news {
            self.state.markets[event.instrument.at()].update(event);
        }
        self.build_and_route(event)
    }

    /// Feeds the bars that are built from trades, then everything else.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: a row passes through one function, not three")]
    fn build_and_route(&mut self, event: &MarketEvent) -> Result<()> {
        if let MarketData::Trade(trade) = event.data()
            && self.routes.get(event.instrument.at()).is_some_and(|routes| !routes.builders.is_empty())
        {
            self.build_from_trade(event, &trade)?;
        }
        self.route(event)
    }

    /// Feeds the indicators and calls the strategies of the event's stream.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as build_and_route")]
    fn route(&mut self, event: &MarketEvent) -> Result<()> {
        let interval = if event.kind == MarketKind::Bar { Some(event.interval()) } else { None };
        let Some(routes) = self.routes.get(event.instrument.at()) else { return Ok(()) };
        let Some(route) = routes.of(event.kind, interval) else { return Ok(()) };
        if !route.indicators.is_empty() {
            let indicators = &mut self.state.indicators;
            let fed = route.indicators.iter();
            match Input::of(event, routes.price_decimals) {
                Input::Nothing => {}
                Input::Value(value) => fed.for_each(|indicator| indicators[indicator.at()].1.update_value(value)),
                Input::Bar { high, low, close } => fed.for_each(|indicator| indicators[indicator.at()].1.update_bar(high, low, close)),
            }
        }
        for history in &route.histories {
            self.state.histories[history.at()].push(event);
        }
        if self.state.warming {
            return Ok(());
        }
        for &strategy in &route.strategies {
            self.state.calling = strategy;
            self.strategies[strategy.at()].strategy.on_market(&mut self.state, event)?;
        }
        Ok(())
    }

    /// A row from before the start: it teaches indicators, bars and histories, and is no news (V4).
    pub(super) fn on_warm_up(&mut self, event: &MarketEvent) -> Result<()> {
        self.state.now_ns = self.state.now_ns.max(event.arrival_time_ns);
        let warming = std::mem::replace(&mut self.state.warming, true);
        // What fills a gap behind our backs is older than what is known of the market.
        let is_news = warming || self.is_newest(event);
        let outcome = self.pass_on(event, is_news);
        self.state.warming = warming;
        outcome
    }

    /// Whether it is a trade that is not before the last one that is known.
    fn is_newest(&self, event: &MarketEvent) -> bool {
        event.kind == MarketKind::Trade && event.venue_time_ns >= self.state.markets[event.instrument.at()].trade_time_ns
    }

    /// Warm-up is over: bars that are open get their timers, and strategies may trade.
    pub(super) fn warmed_up(&mut self) -> Result<()> {
        if std::mem::take(&mut self.state.warming) && !self.state.stopped {
            self.state.trading = !self.state.stays_off;
        }
        for place in 0..self.strategies.len() {
            let put_off = std::mem::take(&mut self.state.strategies[place].put_off);
            let strategy = StrategyIndex(place as u16);
            self.notices.extend(put_off.into_iter().map(|(number, due_ns)| Notice::Timer(strategy, number, due_ns)));
        }
        (0..self.state.builders.len()).try_for_each(|builder| self.wait_for_end(builder))
    }

    /// Lets a timer close the bar that is open, if there is one.
    fn wait_for_end(&mut self, builder: usize) -> Result<()> {
        let Some(until_ns) = self.state.builders[builder].1.open_until_ns() else { return Ok(()) };
        self.request(Request::Timer { purpose: TimerPurpose::Bar(builder as u32), due_ns: until_ns + BAR_GRACE_NS })
    }

    /// What a condition of a stream of trades means to the bars that are built from it.
    pub(super) fn tell_bars(&mut self, condition: &Condition) -> Result<()> {
        let (Condition::Fresh(stream) | Condition::Gap { stream, .. }) = *condition else { return Ok(()) };
        if stream.kind != StreamKind::Trades || self.routes.is_empty() {
            return Ok(());
        }
        for place in 0..self.routes[stream.instrument.at()].builders.len() {
            let builder = self.routes[stream.instrument.at()].builders[place];
            match *condition {
                Condition::Gap { from_ns, length_ns, .. } => self.state.builders[builder].1.miss(from_ns, from_ns + length_ns),
                // Timers of bars that were open meanwhile were let go by.
                _ if !self.state.warming => self.wait_for_end(builder)?,
                _ => {}
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn build_from_trade(&mut self, event: &MarketEvent, trade: &Trade) -> Result<()> {
        for place in 0..self.routes[event.instrument.at()].builders.len() {
            let builder = self.routes[event.instrument.at()].builders[place];
            let bars = &mut self.state.builders[builder].1;
            let open_before = bars.open_until_ns();
            let closed = bars.update(event.venue_time_ns, trade);
            let open_after = bars.open_until_ns();
            if let Some(due_ns) = open_after.filter(|_| open_after != open_before && !self.state.warming) {
                self.request(Request::Timer { purpose: TimerPurpose::Bar(builder as u32), due_ns: due_ns + BAR_GRACE_NS })?;
            }
            if let Some(bar) = closed {
                self.deliver_bar(builder, bar)?;
            }
        }
        Ok(())
    }

    /// A bar's time is over. While trades do not come it stays open: those that are missing are fetched (V4).
    pub(super) fn close_bar(&mut self, builder: usize, due_ns: i64) -> Result<()> {
        let Some((instrument, bars)) = self.state.builders.get_mut(builder) else { return Ok(()) };
        if self.state.health.stale().contains(&Stream { instrument: *instrument, kind: StreamKind::Trades }) {
            return Ok(());
        }
        bars.close_until(due_ns - BAR_GRACE_NS).map_or(Ok(()), |closed| self.deliver_bar(builder, closed))
    }

    fn deliver_bar(&mut self, builder: usize, (bar, is_complete): (Bar, bool)) -> Result<()> {
        let instrument = self.state.builders[builder].0;
        let mut event = MarketEvent::new(instrument, bar.open_time_ns, self.state.now_ns, MarketData::Bar(bar));
        if !is_complete {
            event = event.incomplete();
        }
        self.pass_on(&event, true)
    }
}

/// What an event means to an indicator.
#[derive(Clone, Copy)]
enum Input {
    Nothing,
    Value(f64),
    Bar { high: f64, low: f64, close: f64 },
}

impl Input {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: each kind is then fed where it is told apart")]
    fn of(event: &MarketEvent, decimals: u8) -> Self {
        let float = |price| to_float(price, decimals);
        match event.data() {
            MarketData::Trade(trade) => Input::Value(float(trade.price)),
            MarketData::Quote(quote) => Input::Value(f64::midpoint(float(quote.bid), float(quote.ask))),
            MarketData::Mark(price) => Input::Value(float(price)),
            MarketData::Bar(bar) => Input::Bar { high: float(bar.high), low: float(bar.low), close: float(bar.close) },
            MarketData::Book(_) | MarketData::Funding(_) => Input::Nothing,
        }
    }
}
