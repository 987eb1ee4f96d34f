//! Long while a fast average is above a slow one, short otherwise.

use super::{Callbacks, Strategy};
use crate::error::Result;
use crate::indicator::IndicatorKind;
use crate::instrument::InstrumentIndex;
use crate::market::{MarketEvent, MarketKind};
use crate::order::OrderType;
use crate::state::{IndicatorIndex, State, Stream, StreamKind};

/// The moving-average cross over trades, natively. `examples/ema_cross.py` is the same in
/// Python and takes the same decisions.
#[derive(Clone, Debug)]
pub struct EmaCross {
    instrument: InstrumentIndex,
    fast: IndicatorKind,
    slow: IndicatorKind,
    quantity: i64,
    short: bool,
    attached: Option<(IndicatorIndex, IndicatorIndex)>,
}

impl EmaCross {
    /// A cross of two averages on an instrument's trades; `quantity` is held long, and short
    /// if `short` says so, else nothing.
    pub fn new(instrument: InstrumentIndex, fast: IndicatorKind, slow: IndicatorKind, quantity: i64, short: bool) -> Self {
        Self { instrument, fast, slow, quantity, short, attached: None }
    }
}

impl Strategy for EmaCross {
    fn callbacks(&self) -> Callbacks {
        let mut callbacks = Callbacks::default();
        callbacks.market[MarketKind::Trade as usize] = true;
        callbacks
    }

    fn on_start(&mut self, state: &mut Box<State>) -> Result<()> {
        let trades = Stream { instrument: self.instrument, kind: StreamKind::Trades };
        self.attached = Some((state.attach(self.fast, trades)?, state.attach(self.slow, trades)?));
        Ok(())
    }

    #[inline]
    fn on_market(&mut self, state: &mut Box<State>, _: &MarketEvent) -> Result<()> {
        let Some((fast, slow)) = self.attached else { return Ok(()) };
        let slow = state.indicator(slow);
        if !slow.is_ready() {
            return Ok(());
        }
        let below = if self.short { -self.quantity } else { 0 };
        let wanted = if state.indicator(fast).value() > slow.value() { self.quantity } else { below };
        state.target(self.instrument, wanted, OrderType::Market)
    }
}
