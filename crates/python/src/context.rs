//! The context: what a strategy sees of the state, and how it asks for things.

use crate::error::{OrRaise, raised};
use crate::event;
use crate::history::History;
use crate::indicator::{Indicator, IndicatorSpecification};
use crate::instrument::{Instrument, Stream, price_of, quantity_of};
use crate::number::{datetime, decimal, duration, instant, truncated};
use crate::order::{Order, Position, Seen};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFloat, PyTuple};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tradewind_core::error::{Code, Error};
use tradewind_core::instrument::{Index, InstrumentIndex};
use tradewind_core::market::{MarketData, MarketEvent, Side};
use tradewind_core::number::to_float;
use tradewind_core::order::{self, OrderId, OrderType, StrategyIndex, TimeInForce};
use tradewind_core::state::{State, StreamKind};

thread_local! {
    /// The state that is lent to the callback that runs on this thread, and to which context.
    ///
    /// Measured: a cell of the thread is reached in a third of the time of a lock, or of
    /// pyo3's check that an object is used by the thread that made it. To find the cell is what
    /// costs, so that each use does it once.
    static LENT: RefCell<Lent> = const { RefCell::new(Lent { context: 0, state: None }) };
}

/// A state on loan. Callbacks nest when one of them runs a backtest of its own.
///
/// It is always taken back, and never dropped with its thread: a cell of a thread that has
/// nothing to drop needs no look at whether that has happened.
pub struct Lent {
    context: u64,
    state: Option<ManuallyDrop<Box<State>>>,
}

/// The state, for the length of a callback. Used outside of one, every method raises
/// `context_outside_callback`.
#[pyclass(frozen)]
pub struct Context {
    /// Its number among the contexts of the process, from one.
    number: u64,
    index: Arc<Index>,
    instruments: Arc<Vec<Py<Instrument>>>,
    /// The source of chance of each strategy that uses this context; a risk check serves several.
    random: Mutex<BTreeMap<StrategyIndex, Py<PyAny>>>,
    ids: AtomicU64,
    /// The orders of which somebody keeps a handle.
    followed: Mutex<BTreeMap<OrderId, Weak<Mutex<order::Order>>>>,
}

impl Context {
    pub fn new(index: Arc<Index>, instruments: Arc<Vec<Py<Instrument>>>) -> Self {
        static CONTEXTS: AtomicU64 = AtomicU64::new(0);
        let number = CONTEXTS.fetch_add(1, Ordering::Relaxed) + 1;
        Self { number, index, instruments, random: Mutex::default(), ids: AtomicU64::new(0), followed: Mutex::default() }
    }

    /// Lends the state to this context for the length of a call, and what was lent before again after it.
    /// None where it was not given back.
    #[inline]
    pub fn lend<T>(&self, state: Box<State>, call: impl FnOnce() -> T) -> (Option<Box<State>>, T) {
        LENT.with(|lent| {
            let before = lent.replace(Lent { context: self.number, state: Some(ManuallyDrop::new(state)) });
            let result = call();
            (lent.replace(before).state.map(ManuallyDrop::into_inner), result)
        })
    }

    /// Reads or changes the lent state.
    #[inline]
    pub fn with<T>(&self, act: impl FnOnce(&mut Box<State>) -> PyResult<T>) -> PyResult<T> {
        LENT.with(|lent| match lent.try_borrow_mut().as_deref_mut() {
            Ok(Lent { context, state: Some(state) }) if *context == self.number => act(state),
            _ => Err(outside()),
        })
    }

    /// Whether one of its callbacks is running.
    pub fn is_lent(&self) -> bool {
        LENT.with(|lent| lent.try_borrow().is_ok_and(|lent| lent.context == self.number && lent.state.is_some()))
    }

    /// The calling strategy's source of chance, if it was used, and how many ids were given.
    pub fn chance(&self, py: Python<'_>) -> PyResult<(Option<Py<PyAny>>, u64)> {
        let strategy = self.with(|state| Ok(state.calling()))?;
        let sources = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((sources.get(&strategy).map(|random| random.clone_ref(py)), self.ids.load(Ordering::Relaxed)))
    }

    /// Takes back what `chance` gave, as `tradewind.memory` restored it.
    pub fn set_chance(&self, py: Python<'_>, chance: &Bound<'_, PyAny>) -> PyResult<()> {
        let (random, ids): (Option<Py<PyAny>>, u64) = chance.extract()?;
        let strategy = self.with(|state| Ok(state.calling()))?;
        let mut sources = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        match random {
            Some(random) => sources.insert(strategy, random.clone_ref(py)),
            None => sources.remove(&strategy),
        };
        self.ids.store(ids, Ordering::Relaxed);
        Ok(())
    }

    /// What the handles of an order share: how it is now, until the next one sees it.
    pub fn follow(&self, order: &order::Order) -> Seen {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = followed.get(&order.id).and_then(Weak::upgrade) {
            return seen;
        }
        let seen = Arc::new(Mutex::new(order.clone()));
        followed.insert(order.id, Arc::downgrade(&seen));
        seen
    }

    /// A handle of an order goes; with the last one, what they share.
    pub fn unfollow(&self, id: OrderId, seen: &Seen) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(seen) == 1 {
            followed.remove(&id);
        }
    }

    /// An order has closed: its handles show how, for as long as they are kept.
    pub fn closed(&self, order: &order::Order) {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = followed.get(&order.id).and_then(Weak::upgrade) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(order);
        }
    }

    pub fn instrument_of(&self, py: Python<'_>, instrument: InstrumentIndex) -> Py<Instrument> {
        self.instruments[instrument.at()].clone_ref(py)
    }

    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Refuses to show what the calling strategy did not name: in a session it would not be there (V1).
    fn check_named(&self, instrument: &Instrument, what: &str, is_it: impl Fn(StreamKind) -> bool) -> PyResult<()> {
        let at = instrument.instrument;
        let named = self.with(|state| {
            let mut streams = state.strategy(state.calling()).subscriptions.iter();
            Ok(streams.any(|stream| stream.instrument == at && is_it(stream.kind)))
        })?;
        if named {
            return Ok(());
        }
        let name = &instrument.definition().name;
        let error = Error::new(Code::MissingStream, format!("{name}: the strategy did not name its {what}, so that it cannot read them"));
        Err(raised(&error.hint(format!("name them in on_start: ctx.subscribe(instrument.{what})"))))
    }

    fn last(
        &self,
        py: Python<'_>,
        instrument: &Instrument,
        of: impl FnOnce(&tradewind_core::state::Market) -> Option<MarketData>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let at = instrument.instrument;
        let Some((data, now_ns)) = self.with(|state| Ok(of(state.market(at)).map(|data| (data, state.now_ns()))))? else { return Ok(None) };
        let venue_time_ns = if let MarketData::Bar(bar) = data { bar.open_time_ns } else { now_ns };
        event::wrap(py, &MarketEvent::new(at, venue_time_ns, now_ns, data), &self.instruments[at.at()]).map(Some)
    }

    #[allow(clippy::too_many_arguments, reason = "the arguments of an order")]
    fn place(
        slf: &Bound<'_, Self>,
        side: Side,
        instrument: &Bound<'_, Instrument>,
        quantity: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        time_in_force: &str,
        reduce_only: bool,
    ) -> PyResult<Order> {
        let definition = instrument.get().definition();
        let quantity = quantity_of(definition, quantity)?;
        let order_type = order_type(instrument, price)?;
        let time_in_force = TimeInForce::from_name(time_in_force).ok_or_else(|| {
            raised(
                &Error::new(Code::BadSetting, format!("time_in_force {time_in_force:?} is not known")).hint("write gtc, ioc or post_only"),
            )
        })?;
        let at = instrument.get().instrument;
        let id = slf.get().with(|state| {
            let mut order = state.order_of(at, side, quantity, order_type);
            order.time_in_force = time_in_force;
            order.reduce_only = reduce_only;
            state.place(order).or_raise()
        })?;
        Order::live(slf, id)
    }
}

#[cold]
fn outside() -> PyErr {
    raised(
        &Error::new(Code::ContextOutsideCallback, "the context was used outside of a callback")
            .hint("use it only while one of the strategy's callbacks runs; keep values, not the context"),
    )
}

fn order_type(instrument: &Bound<'_, Instrument>, price: Option<&Bound<'_, PyAny>>) -> PyResult<OrderType> {
    price.map_or(Ok(OrderType::Market), |price| Ok(OrderType::Limit(price_of(instrument.get().definition(), price)?)))
}

#[pymethods]
impl Context {
    /// The time of the current event, in nanoseconds since the epoch.
    #[getter]
    fn now_ns(&self) -> PyResult<i64> {
        self.with(|state| Ok(state.now_ns()))
    }

    /// The time of the current event, as a `datetime` in UTC.
    #[getter]
    fn now(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        datetime(py, self.now_ns()?)
    }

    /// The strategy's own `random.Random`, seeded from the run's seed and its name (D1).
    #[getter]
    fn random(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        static RANDOM: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (strategy, seed) = self.with(|state| Ok((state.calling(), state.strategy_seed(state.calling()))))?;
        let mut sources = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(random) = sources.get(&strategy) {
            return Ok(random.clone_ref(py));
        }
        let random = RANDOM.import(py, "random", "Random")?.call1((seed,))?.unbind();
        sources.insert(strategy, random.clone_ref(py));
        Ok(random)
    }

    /// Whether what is known of an instrument's market is old or has a hole, because a connection is
    /// gone or rows are missing: orders that do not reduce the position are refused meanwhile.
    fn is_stale(&self, instrument: &Instrument) -> PyResult<bool> {
        self.with(|state| Ok(state.health().is_stale(state.index(), instrument.instrument)))
    }

    /// What the strategy's targets could not reach: less than a lot or than the smallest order (O3).
    fn dust(&self, instrument: &Instrument) -> PyResult<f64> {
        let quantity = self.with(|state| Ok(state.dust(state.calling(), instrument.instrument)))?;
        Ok(to_float(quantity, instrument.quantity_decimals))
    }

    /// A new number, from one, that no other call of this strategy gets.
    fn new_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether strategies may open positions.
    #[getter]
    fn is_trading(&self) -> PyResult<bool> {
        self.with(|state| Ok(state.is_trading()))
    }

    /// The instrument of a name such as `binance_usdm:BTCUSDT`.
    fn instrument(&self, py: Python<'_>, name: &str) -> PyResult<Py<Instrument>> {
        Ok(self.instrument_of(py, self.index.find_instrument(name).or_raise()?))
    }

    /// All instruments of the run.
    #[getter]
    fn instruments(&self, py: Python<'_>) -> Vec<Py<Instrument>> {
        self.instruments.iter().map(|instrument| instrument.clone_ref(py)).collect()
    }

    /// Names streams that the strategy wants to receive; only in `on_start` (V1).
    #[pyo3(signature = (*streams))]
    fn subscribe(&self, streams: &Bound<'_, PyTuple>) -> PyResult<()> {
        for stream in streams {
            if let Ok(name) = stream.extract::<String>() {
                self.with(|state| state.subscribe_data(&name).or_raise())?;
                continue;
            }
            let stream = stream.cast::<Stream>()?.get().core();
            self.with(|state| state.subscribe(stream).or_raise())?;
        }
        Ok(())
    }

    /// Attaches an indicator to a stream, and names the stream; only in `on_start` (V1).
    fn indicator(slf: &Bound<'_, Self>, specification: &IndicatorSpecification, stream: &Stream) -> PyResult<Indicator> {
        let index = slf.get().with(|state| state.attach(specification.kind, stream.core()).or_raise())?;
        Ok(Indicator::new(slf.clone().unbind(), index))
    }

    /// Keeps the last `length` events of a stream, and names the stream; only in `on_start`.
    fn history(slf: &Bound<'_, Self>, stream: &Stream, length: usize) -> PyResult<History> {
        let index = slf.get().with(|state| state.keep(stream.core(), length).or_raise())?;
        Ok(History::new(slf.clone().unbind(), stream.instrument.clone_ref(slf.py()), index))
    }

    /// Buys: at market, or with a limit price.
    #[pyo3(signature = (instrument, quantity, price=None, *, time_in_force="gtc", reduce_only=false))]
    fn buy(
        slf: &Bound<'_, Self>,
        instrument: &Bound<'_, Instrument>,
        quantity: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        time_in_force: &str,
        reduce_only: bool,
    ) -> PyResult<Order> {
        Self::place(slf, Side::Buy, instrument, quantity, price, time_in_force, reduce_only)
    }

    /// Sells: at market, or with a limit price.
    #[pyo3(signature = (instrument, quantity, price=None, *, time_in_force="gtc", reduce_only=false))]
    fn sell(
        slf: &Bound<'_, Self>,
        instrument: &Bound<'_, Instrument>,
        quantity: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        time_in_force: &str,
        reduce_only: bool,
    ) -> PyResult<Order> {
        Self::place(slf, Side::Sell, instrument, quantity, price, time_in_force, reduce_only)
    }

    /// Wants the strategy's position to become `quantity`, rounded towards zero to the lot (O3).
    #[pyo3(signature = (instrument, quantity, price=None))]
    fn target(&self, instrument: &Bound<'_, Instrument>, quantity: &Bound<'_, PyAny>, price: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let definition = instrument.get().definition();
        let quantity = target_quantity(definition, quantity)?;
        let order_type = order_type(instrument, price)?;
        let at = instrument.get().instrument;
        self.with(|state| state.target(at, quantity, order_type).or_raise())
    }

    /// Cancels an order of this strategy.
    fn cancel(&self, order: &Order) -> PyResult<()> {
        self.with(|state| state.cancel(order.id).or_raise())
    }

    /// Cancels all open orders of this strategy, in one instrument or in all.
    #[pyo3(signature = (instrument=None))]
    fn cancel_all(&self, instrument: Option<&Bound<'_, Instrument>>) -> PyResult<()> {
        let at = instrument.map(|instrument| instrument.get().instrument);
        self.with(|state| {
            state.cancel_all(at);
            Ok(())
        })
    }

    /// Cancels this strategy's orders in an instrument and closes its position at market.
    fn close(&self, instrument: &Bound<'_, Instrument>) -> PyResult<()> {
        let at = instrument.get().instrument;
        self.with(|state| state.close(at).or_raise())
    }

    /// Asks for `on_timer` at a time (a `datetime` or nanoseconds), or after a while (a
    /// `timedelta` or seconds); returns the number that the callback gets.
    #[pyo3(signature = (at=None, *, after=None))]
    fn timer(&self, at: Option<&Bound<'_, PyAny>>, after: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
        let (at, after) = (at.map(instant).transpose()?, after.map(duration).transpose()?);
        if at.is_some() == after.is_some() {
            return Err(raised(
                &Error::new(Code::BadSetting, "a timer needs either a time or after=").hint("ctx.timer(after=60) fires in a minute"),
            ));
        }
        self.with(|state| {
            let due_ns = at.unwrap_or_else(|| state.now_ns().saturating_add(after.unwrap_or(0)));
            Ok(state.timer(due_ns))
        })
    }

    /// The mark: the price that positions are valued at; None before the first (N4).
    fn price(&self, instrument: &Bound<'_, Instrument>) -> PyResult<Option<f64>> {
        let decimals = instrument.get().definition().specification.price_decimals;
        let at = instrument.get().instrument;
        self.with(|state| Ok(state.market(at).mark.to_float(decimals)))
    }

    /// The last trade, if there was one; its times are those of now.
    fn last_trade(&self, py: Python<'_>, instrument: &Bound<'_, Instrument>) -> PyResult<Option<Py<PyAny>>> {
        self.check_named(instrument.get(), "trades", |kind| kind == StreamKind::Trades)?;
        self.last(py, instrument.get(), |market| market.trade.map(MarketData::Trade))
    }

    /// The best bid and offer, if they are known; its times are those of now.
    fn quote(&self, py: Python<'_>, instrument: &Bound<'_, Instrument>) -> PyResult<Option<Py<PyAny>>> {
        self.check_named(instrument.get(), "quotes", |kind| matches!(kind, StreamKind::Quotes | StreamKind::Book))?;
        self.last(py, instrument.get(), |market| {
            market.quote.or_else(|| market.book.as_ref().and_then(|book| book.quote())).map(MarketData::Quote)
        })
    }

    /// The last closed bar of a stream of bars, if there was one.
    fn last_bar(&self, py: Python<'_>, stream: &Stream) -> PyResult<Option<Py<PyAny>>> {
        let StreamKind::Bars(interval) = stream.kind else {
            return Err(raised(
                &Error::new(Code::WrongType, format!("{} is not a stream of bars", stream.kind)).hint("give instrument.bars(\"1m\")"),
            ));
        };
        self.check_named(stream.instrument.get(), &stream.kind.to_string(), |kind| kind == stream.kind)?;
        self.last(py, stream.instrument.get(), |market| market.bar(interval).map(MarketData::Bar))
    }

    /// The best `depth` levels of the order book: bids and asks, each a list of (price, quantity).
    #[pyo3(signature = (instrument, depth=10))]
    #[allow(clippy::type_complexity, reason = "two sides of levels")]
    fn book(&self, instrument: &Bound<'_, Instrument>, depth: usize) -> PyResult<(Vec<(f64, f64)>, Vec<(f64, f64)>)> {
        self.check_named(instrument.get(), "book", |kind| kind == StreamKind::Book)?;
        let specification = &instrument.get().definition().specification;
        let at = instrument.get().instrument;
        self.with(|state| {
            let levels = |side| {
                let book = state.market(at).book.as_ref();
                let levels = book.into_iter().flat_map(|book| book.levels(side).take(depth));
                levels
                    .map(|level| {
                        (to_float(level.price, specification.price_decimals), to_float(level.quantity, specification.quantity_decimals))
                    })
                    .collect()
            };
            Ok((levels(Side::Buy), levels(Side::Sell)))
        })
    }

    /// This strategy's position in an instrument; it changes only by fills.
    fn position(slf: &Bound<'_, Self>, instrument: &Bound<'_, Instrument>) -> PyResult<Position> {
        let at = instrument.get().instrument;
        slf.get().with(|state| {
            let position = state.position(state.calling(), at);
            Ok(Position::new(instrument.clone().unbind(), position, state.market(at).mark))
        })
    }

    /// What an account holds of an asset, exactly: (total, reserved, free). The venue may be
    /// left out when there is only one.
    #[pyo3(signature = (asset, venue=None))]
    fn balance(&self, py: Python<'_>, asset: &str, venue: Option<&str>) -> PyResult<(Py<PyAny>, Py<PyAny>, Py<PyAny>)> {
        let asset = self.index.find_asset(asset).or_raise()?;
        let account = match venue {
            Some(venue) => {
                let venue = self.index.find_venue(venue).or_raise()?;
                self.index.accounts().find(|(_, account)| account.venue == venue).map(|(account, _)| account)
            }
            None if self.index.accounts().len() == 1 => self.index.accounts().next().map(|(account, _)| account),
            None => None,
        };
        let account = account.ok_or_else(|| {
            raised(&Error::new(Code::UnknownVenue, "there are several venues").hint("name one: ctx.balance(\"USDT\", \"binance_spot\")"))
        })?;
        let balance = self.with(|state| Ok(state.balance(account, asset)))?;
        let decimals = self.index.asset(asset).decimals;
        Ok((decimal(py, balance.total, decimals)?, decimal(py, balance.reserved, decimals)?, decimal(py, balance.free(), decimals)?))
    }

    /// This strategy's open orders, in one instrument or in all, oldest first.
    #[pyo3(signature = (instrument=None))]
    fn open_orders(slf: &Bound<'_, Self>, instrument: Option<&Bound<'_, Instrument>>) -> PyResult<Vec<Order>> {
        let at = instrument.map(|instrument| instrument.get().instrument);
        let ids: Vec<OrderId> = slf.get().with(|state| {
            Ok(state
                .orders()
                .open(state.calling())
                .filter(|order| at.is_none_or(|at| at == order.request.instrument))
                .map(|order| order.id)
                .collect())
        })?;
        ids.into_iter().map(|id| Order::live(slf, id)).collect()
    }
}

/// A target on the instrument's decimals: it may lie between two lots, and is rounded towards zero, not refused.
fn target_quantity(definition: &tradewind_core::instrument::Instrument, wanted: &Bound<'_, PyAny>) -> PyResult<i64> {
    match wanted.cast::<PyFloat>() {
        Ok(float) if float.value().is_finite() => float_quantity(definition, float.value()),
        _ => truncated(wanted, definition.specification.quantity_decimals, "quantity", &definition.name),
    }
}

fn float_quantity(definition: &tradewind_core::instrument::Instrument, wanted: f64) -> PyResult<i64> {
    use tradewind_core::number::{from_float, power_of_ten};
    let decimals = definition.specification.quantity_decimals;
    if let Ok(quantity) = from_float(wanted, decimals) {
        return Ok(quantity);
    }
    let scaled = wanted * power_of_ten(decimals) as f64;
    if scaled.abs() < 9e15 {
        return Ok(scaled.trunc() as i64);
    }
    Err(raised(&Error::new(Code::OutOfRange, format!("{}: target {wanted} is too large to be held exactly", definition.name))))
}
