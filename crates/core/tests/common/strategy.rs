//! A strategy that does anything at any time.

use tradewind_core::account::Fill;
use tradewind_core::chance::Chance;
use tradewind_core::error::Result;
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::{MarketEvent, Side};
use tradewind_core::order::{Order, OrderId, OrderType, TimeInForce};
use tradewind_core::state::{State, Stream};
use tradewind_core::strategy::{Callbacks, StatusChange, Strategy};
use tradewind_core::time::{MILLISECOND_NS, TimeNs};

/// Acts by chance in every callback.
pub struct Anything {
    chance: Chance,
    streams: Vec<Stream>,
    instruments: Vec<InstrumentIndex>,
    placed: Vec<OrderId>,
    busy: f64,
}

impl Anything {
    /// Trades the instruments of these streams; `busy` is how often it acts.
    pub fn new(seed: u64, name: &str, streams: Vec<Stream>, busy: f64) -> Self {
        let mut instruments: Vec<_> = streams.iter().map(|stream| stream.instrument).collect();
        instruments.sort_unstable();
        instruments.dedup();
        Self { chance: Chance::new(seed, &["anything", name]), streams, instruments, placed: Vec::new(), busy }
    }

    /// In a box with its name.
    pub fn named(seed: u64, name: &str, streams: Vec<Stream>, busy: f64) -> super::Named {
        (name.to_owned(), Box::new(Self::new(seed, name, streams, busy)))
    }

    fn act(&mut self, state: &mut Box<State>, probability: f64) -> Result<()> {
        if !self.chance.happens(probability * self.busy) {
            return Ok(());
        }
        let instrument = self.instruments[self.chance.below(self.instruments.len())];
        match self.chance.below(12) {
            0..=5 => self.order(state, instrument)?,
            6 | 7 => {
                if !self.placed.is_empty() {
                    let id = self.placed[self.chance.below(self.placed.len())];
                    state.cancel(id)?;
                }
            }
            8 => state.cancel_all(Some(instrument).filter(|_| self.chance.happens(0.5))),
            9 => {
                let quantity = self.quantity(state, instrument) * [1, 0, -1][self.chance.below(3)];
                let order_type = self.order_type(state, instrument);
                state.target(instrument, quantity, order_type)?;
            }
            10 => state.close(instrument)?,
            _ => {
                state.timer(state.now_ns() + self.chance.below(2_000) as i64 * MILLISECOND_NS);
            }
        }
        Ok(())
    }

    fn order(&mut self, state: &mut Box<State>, instrument: InstrumentIndex) -> Result<()> {
        let side = [Side::Buy, Side::Sell][self.chance.below(2)];
        let (quantity, order_type) = (self.quantity(state, instrument), self.order_type(state, instrument));
        let mut order = state.order_of(instrument, side, quantity, order_type);
        order.time_in_force = TimeInForce::ALL[self.chance.below(3)];
        if order_type == OrderType::Market && order.time_in_force == TimeInForce::PostOnly {
            order.time_in_force = TimeInForce::GoodTillCancelled;
        }
        order.reduce_only = self.chance.happens(0.15);
        self.placed.push(state.place(order)?);
        Ok(())
    }

    fn quantity(&mut self, state: &State, instrument: InstrumentIndex) -> i64 {
        state.index().instrument(instrument).specification.lot * (1 + (self.chance.heavy(0.8) * 40.0).min(9_000.0) as i64)
    }

    fn order_type(&mut self, state: &State, instrument: InstrumentIndex) -> OrderType {
        let tick = state.index().instrument(instrument).specification.tick;
        match state.market(instrument).mark.price() {
            Some(mark) if self.chance.happens(0.6) => {
                OrderType::Limit(((mark / tick + self.chance.below(25) as i64 - 12) * tick).max(tick))
            }
            _ => OrderType::Market,
        }
    }
}

impl Strategy for Anything {
    fn callbacks(&self) -> Callbacks {
        Callbacks::ALL
    }

    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        for &stream in &self.streams {
            state.subscribe(stream)?;
        }
        self.act(state, 0.5)
    }

    fn save(&mut self, _: &mut Box<State>) -> Result<Vec<u8>> {
        Ok(postcard::to_stdvec(&(&self.chance, &self.placed)).unwrap())
    }

    fn restore(&mut self, _: &mut Box<State>, saved: &[u8]) -> Result<()> {
        (self.chance, self.placed) = postcard::from_bytes(saved).unwrap();
        Ok(())
    }

    fn on_stop(&mut self, state: &mut Box<State>) -> Result<()> {
        self.act(state, 0.5)
    }

    fn on_market(&mut self, state: &mut Box<State>, _: &MarketEvent) -> Result<()> {
        self.act(state, 0.4)
    }

    fn on_order(&mut self, state: &mut Box<State>, _: &Order) -> Result<()> {
        self.act(state, 0.15)
    }

    fn on_fill(&mut self, state: &mut Box<State>, _: &Fill) -> Result<()> {
        self.act(state, 0.15)
    }

    fn on_timer(&mut self, state: &mut Box<State>, _: u64, _: TimeNs) -> Result<()> {
        self.act(state, 0.5)
    }

    fn on_status(&mut self, state: &mut Box<State>, _: StatusChange) -> Result<()> {
        self.act(state, 0.5)
    }
}

type OnMarket = Box<dyn FnMut(&mut State, &MarketEvent) -> Result<()> + Send>;
type OnOrder = Box<dyn FnMut(&mut State, &Order) -> Result<()> + Send>;
type OnFill = Box<dyn FnMut(&mut State, &Fill) -> Result<()> + Send>;
type OnTimer = Box<dyn FnMut(&mut State, u64, TimeNs) -> Result<()> + Send>;
type OnStop = Box<dyn FnMut(&mut State) -> Result<()> + Send>;

/// A strategy made of closures.
#[derive(Default)]
pub struct Script {
    pub streams: Vec<Stream>,
    pub market: Option<OnMarket>,
    pub order: Option<OnOrder>,
    pub fill: Option<OnFill>,
    pub timer: Option<OnTimer>,
    pub stop: Option<OnStop>,
}

impl Script {
    /// In a box with its name.
    pub fn named(self, name: &str) -> super::Named {
        (name.to_owned(), Box::new(self))
    }
}

impl Strategy for Script {
    fn callbacks(&self) -> Callbacks {
        Callbacks {
            market: [self.market.is_some(); 6],
            order: self.order.is_some(),
            fill: self.fill.is_some(),
            timer: self.timer.is_some(),
            status: false,
            data: false,
        }
    }

    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        self.streams.iter().try_for_each(|&stream| state.subscribe(stream))
    }

    fn on_stop(&mut self, state: &mut Box<State>) -> Result<()> {
        self.stop.as_mut().map_or(Ok(()), |stop| stop(state))
    }

    fn on_market(&mut self, state: &mut Box<State>, event: &MarketEvent) -> Result<()> {
        self.market.as_mut().map_or(Ok(()), |market| market(state, event))
    }

    fn on_order(&mut self, state: &mut Box<State>, order: &Order) -> Result<()> {
        self.order.as_mut().map_or(Ok(()), |callback| callback(state, order))
    }

    fn on_fill(&mut self, state: &mut Box<State>, fill: &Fill) -> Result<()> {
        self.fill.as_mut().map_or(Ok(()), |callback| callback(state, fill))
    }

    fn on_timer(&mut self, state: &mut Box<State>, number: u64, due_ns: TimeNs) -> Result<()> {
        self.timer.as_mut().map_or(Ok(()), |timer| timer(state, number, due_ns))
    }
}
