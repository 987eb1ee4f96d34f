//! Buys what others trade: the rule of barter-rs' own backtest benchmark.

use super::{Callbacks, Strategy};
use crate::error::Result;
use crate::instrument::InstrumentIndex;
use crate::market::{MarketData, MarketEvent, MarketKind, Side};
use crate::order::OrderType;
use crate::state::{State, Stream, StreamKind};

/// On every market event, for each instrument whose latest market event is a trade: a market
/// buy of that trade's quantity. For benchmarks; with `orders` off it only watches.
#[derive(Clone, Debug)]
pub struct FollowTrades {
    orders: bool,
    /// The quantity of the latest event of each instrument, if it was a trade.
    latest: Vec<Option<i64>>,
}

impl FollowTrades {
    /// With or without its orders.
    pub fn new(orders: bool) -> Self {
        Self { orders, latest: Vec::new() }
    }
}

impl Strategy for FollowTrades {
    fn callbacks(&self) -> Callbacks {
        let mut callbacks = Callbacks::default();
        callbacks.market[MarketKind::Trade as usize] = true;
        callbacks.market[MarketKind::Quote as usize] = true;
        callbacks
    }

    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        let instruments: Vec<_> = state.index().instruments().map(|(instrument, _)| instrument).collect();
        self.latest = vec![None; instruments.len()];
        for instrument in instruments {
            state.subscribe(Stream { instrument, kind: StreamKind::Trades })?;
            state.subscribe(Stream { instrument, kind: StreamKind::Quotes })?;
        }
        Ok(())
    }

    fn on_market(&mut self, state: &mut Box<State>, event: &MarketEvent) -> Result<()> {
        self.latest[event.instrument.at()] = match event.data() {
            MarketData::Trade(trade) => Some(trade.quantity),
            _ => None,
        };
        if !self.orders {
            return Ok(());
        }
        for (at, latest) in self.latest.iter().enumerate() {
            if let Some(quantity) = *latest {
                let order = state.order_of(InstrumentIndex(at as u32), Side::Buy, quantity, OrderType::Market);
                state.place(order)?;
            }
        }
        Ok(())
    }
}
