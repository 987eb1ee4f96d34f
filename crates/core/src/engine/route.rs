//! Which indicators and strategies an event goes to, looked up once at the start.

use super::Engine;
use crate::market::{BarBuilder, BarInterval, MarketKind};
use crate::order::StrategyIndex;
use crate::state::{HistoryIndex, IndicatorIndex, Stream, StreamKind};

/// Who is told about one stream.
#[derive(Default)]
pub(super) struct Route {
    pub indicators: Vec<IndicatorIndex>,
    pub histories: Vec<HistoryIndex>,
    pub strategies: Vec<StrategyIndex>,
}

/// Who is told about one instrument.
#[derive(Default)]
pub(super) struct Routes {
    /// The decimals of its prices, as the index says.
    pub price_decimals: u8,
    /// By kind, for all but bars.
    pub kinds: [Route; 5],
    /// By interval.
    pub bars: Vec<(BarInterval, Route)>,
    /// The bars that are built from this instrument's trades.
    pub builders: Vec<usize>,
}

impl Routes {
    pub fn of(&self, kind: MarketKind, interval: Option<BarInterval>) -> Option<&Route> {
        match interval {
            None => self.kinds.get(kind as usize),
            Some(interval) => self.bars.iter().find(|(held, _)| *held == interval).map(|(_, route)| route),
        }
    }

    /// Nobody is called any more; indicators and histories go on.
    pub fn silence(&mut self) {
        self.kinds.iter_mut().chain(self.bars.iter_mut().map(|(_, route)| route)).for_each(|route| route.strategies.clear());
    }

    fn of_mut(&mut self, kind: StreamKind) -> &mut Route {
        let StreamKind::Bars(interval) = kind else { return &mut self.kinds[kind.market_kind() as usize] };
        let place = self.bars.iter().position(|(held, _)| *held == interval).unwrap_or_else(|| {
            self.bars.push((interval, Route::default()));
            self.bars.len() - 1
        });
        &mut self.bars[place].1
    }
}

impl Engine {
    pub(super) fn build_routes(&mut self) {
        let routes = |price_decimals| Routes { price_decimals, ..Routes::default() };
        self.routes = self.state.index.instruments().map(|(_, definition)| routes(definition.specification.price_decimals)).collect();
        self.state.builders.clear();
        for place in 0..self.state.indicators.len() {
            let stream = self.state.indicators[place].0;
            self.routes[stream.instrument.at()].of_mut(stream.kind).indicators.push(IndicatorIndex(place as u32));
        }
        for place in 0..self.state.histories.len() {
            let stream = self.state.histories[place].stream;
            self.routes[stream.instrument.at()].of_mut(stream.kind).histories.push(HistoryIndex(place as u32));
        }
        for place in 0..self.strategies.len() {
            let wanted = self.strategies[place].callbacks.market;
            for stream in self.state.strategies[place].subscriptions.clone() {
                self.build_bars(stream);
                if wanted[stream.kind.market_kind() as usize] {
                    self.routes[stream.instrument.at()].of_mut(stream.kind).strategies.push(StrategyIndex(place as u16));
                }
            }
        }
    }

    /// Bars that the data do not hold are built from trades.
    fn build_bars(&mut self, stream: Stream) {
        let StreamKind::Bars(interval) = stream.kind else { return };
        let built = self.state.builders.iter().any(|(instrument, bars)| *instrument == stream.instrument && bars.interval() == interval);
        if built || self.state.available.contains(&stream) {
            return;
        }
        self.routes[stream.instrument.at()].builders.push(self.state.builders.len());
        self.state.builders.push((stream.instrument, BarBuilder::new(interval)));
    }
}
