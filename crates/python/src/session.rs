//! A session, fed from Python while it happens.

use crate::backtest::exception;
use crate::error::{OrRaise, raised};
use crate::inbox::Inbox;
use crate::instrument::{Instrument, price_of, quantity_of};
use crate::lender::Failure;
use crate::record::{Record, cause};
use crate::recording::stream_kind;
use crate::replay::Words;
use crate::report::{Outcome, columns_of_fills, columns_of_ledger, columns_of_orders};
use crate::settings::{Run, Value, data_value};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use tradewind_core::account::{FeeKind, Fill};
use tradewind_core::driver;
use tradewind_core::error::{Code, Error};
use tradewind_core::event::Holding;
use tradewind_core::event::{AccountEvent, AccountReport, Command, Condition, Event, Filter, ParameterEvent, Part, StatusEvent};
use tradewind_core::instrument as core;
use tradewind_core::instrument::{AccountIndex, InstrumentIndex};
use tradewind_core::market::Side;
use tradewind_core::number::{MAXIMUM_DECIMALS, Rounding, divide, format_decimal, parse_decimal, parse_wide, wide_power_of_ten};
use tradewind_core::order::NewOrder;
use tradewind_core::order::{Liquidity, Order, OrderId, OrderType, PositionSlot, Request, StrategyIndex, TimeInForce, client_id};
use tradewind_core::state::Stream;

/// A run that is fed while it happens. Numbers come as text, as they came over the wire.
#[pyclass(frozen)]
pub struct Session {
    session: Mutex<driver::Session>,
    failure: Failure,
    index: Arc<core::Index>,
    instruments: Arc<Vec<Py<Instrument>>>,
    /// Strategies in the order of their names.
    strategies: Vec<String>,
}

/// What a venue reports of an order, as Python gives it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct FillValues<'py> {
    order_id: u64,
    trade_id: u64,
    instrument: PyRef<'py, Instrument>,
    side: String,
    price: String,
    quantity: String,
    is_maker: bool,
    fee: String,
    fee_asset: String,
}

impl Session {
    fn lock(&self) -> PyResult<MutexGuard<'_, driver::Session>> {
        match self.session.try_lock() {
            Ok(session) => Ok(session),
            Err(TryLockError::Poisoned(session)) => Ok(session.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(raised(&Error::new(Code::ContextOutsideCallback, "the session was used from within one of its callbacks")))
            }
        }
    }

    fn act<T>(&self, act: impl FnOnce(&mut driver::Session) -> tradewind_core::error::Result<T>) -> PyResult<T> {
        let outcome = act(&mut *self.lock()?);
        outcome.map_err(|error| exception(&self.failure, &error))
    }

    fn account(&self, venue: &str) -> PyResult<AccountIndex> {
        let venue = self.index.find_venue(venue).or_raise()?;
        let account = self.index.accounts().find(|(_, account)| account.venue == venue).map(|(account, _)| account);
        account.ok_or_else(|| raised(&Error::new(Code::UnknownVenue, "the venue has no account")))
    }

    fn report(&self, venue: &str, times: (i64, i64), event: AccountEvent) -> PyResult<()> {
        let report = AccountReport { account: self.account(venue)?, venue_time_ns: times.0, arrival_time_ns: times.1, event };
        let event = Event::Account(report);
        event.check(&self.index).or_raise()?;
        self.act(|session| session.input(&event))
    }

    fn strategy(&self, name: &str) -> PyResult<StrategyIndex> {
        self.strategies.iter().position(|held| held == name).map(|place| StrategyIndex(place as u16)).ok_or_else(|| {
            let hint = format!("there are {}", self.strategies.join(", "));
            raised(&Error::new(Code::BadSetting, format!("there is no strategy {name:?}")).hint(hint))
        })
    }

    fn order_dict<'py>(&self, py: Python<'py>, order: &Order) -> PyResult<Bound<'py, PyDict>> {
        let request = &order.request;
        let specification = &self.index.instrument(request.instrument).specification;
        let text = |value: i64| format_decimal(value.into(), specification.quantity_decimals);
        let dict = PyDict::new(py);
        dict.set_item("order_id", order.id.0)?;
        dict.set_item("strategy", &self.strategies[order.strategy.at()])?;
        dict.set_item("strategy_index", order.strategy.0)?;
        dict.set_item("count", order.count)?;
        dict.set_item("instrument", self.instruments[request.instrument.at()].clone_ref(py))?;
        dict.set_item("side", request.side.name())?;
        dict.set_item("status", order.status.name())?;
        dict.set_item("reason", order.reason.map(Code::slug))?;
        dict.set_item("note", order.note.as_deref())?;
        dict.set_item("quantity", text(request.quantity))?;
        dict.set_item("filled", text(order.filled))?;
        let price = request.order_type.price().map(|price| format_decimal(price.into(), specification.price_decimals));
        dict.set_item("price", price)?;
        dict.set_item("decided_ns", order.decided_ns)?;
        dict.set_item("updated_ns", order.updated_ns)?;
        dict.set_item("is_accepted", order.is_accepted)?;
        dict.set_item("trade_ids", order.trade_ids.to_vec())?;
        Ok(dict)
    }

    fn request<'py>(&self, py: Python<'py>, request: &Request, run: &str) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let (strategy, count, instrument) = match *request {
            Request::Place { strategy, count, ref order, .. } => (strategy, count, order.instrument),
            Request::Cancel { strategy, count, instrument, .. } => (strategy, count, instrument),
            Request::Timer { .. } => return Ok(None),
        };
        let id = client_id(run, strategy, count);
        let definition = self.index.instrument(instrument);
        let venue = &self.index.venue(definition.venue).name;
        let Request::Place { order, .. } = request else {
            return (venue, true, (id, &definition.name)).into_pyobject(py).map(Some);
        };
        let specification = &definition.specification;
        let quantity = format_decimal(order.quantity.into(), specification.quantity_decimals);
        let price = order.order_type.price().map(|price| format_decimal(price.into(), specification.price_decimals));
        let fields = (id, &definition.name, order.side.name(), quantity, price, order.time_in_force.name());
        (venue, false, fields).into_pyobject(py).map(Some)
    }

    fn streams(streams: &[(u32, String)]) -> PyResult<Vec<Stream>> {
        streams.iter().map(|(at, kind)| Ok(Stream { instrument: InstrumentIndex(*at), kind: stream_kind(kind)? })).collect()
    }
}

fn units(instrument: &Instrument, what: &str, text: &str, decimals: u8) -> PyResult<i64> {
    parse_decimal(text, decimals).map_err(|problem| {
        let message = format!("{}: {what} {text:?} is {problem:?}", instrument.definition().name);
        raised(&Error::new(Code::OffGrid, message).hint("the instrument's decimals changed, or the message was misread"))
    })
}

fn price(instrument: &Instrument, text: &str) -> PyResult<i64> {
    units(instrument, "price", text, instrument.price_decimals)
}

fn quantity(instrument: &Instrument, text: &str) -> PyResult<i64> {
    units(instrument, "quantity", text, instrument.quantity_decimals)
}

fn side(word: &str) -> PyResult<Side> {
    match word {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(raised(&Error::new(Code::WrongType, format!("{other:?} is neither buy nor sell")))),
    }
}

fn code(slug: &str) -> PyResult<Code> {
    Code::from_slug(slug).ok_or_else(|| raised(&Error::new(Code::Internal, format!("{slug:?} is not a code"))))
}

#[pymethods]
impl Session {
    /// Builds a session from a dictionary, as a backtest's without recordings, and from the streams that
    /// strategies may name.
    #[new]
    fn new(run: Run<'_>, streams: Vec<(u32, String)>) -> PyResult<Self> {
        let failure = Failure::default();
        let index = run.index.get();
        let built = run.build(&failure)?;
        let mut strategies: Vec<String> = built.strategies.iter().map(|(name, _)| name.clone()).collect();
        strategies.sort_unstable();
        let session = driver::Session::new(built.settings, built.strategies, built.risk, Self::streams(&streams)?)
            .map_err(|error| exception(&failure, &error))?;
        Ok(Self {
            session: Mutex::new(session),
            failure,
            index: Arc::clone(&index.index),
            instruments: Arc::clone(&index.instruments),
            strategies,
        })
    }

    /// Starts the strategies.
    fn start(&self, now_ns: i64, warms_up: bool) -> PyResult<()> {
        self.act(|session| session.start(now_ns, warms_up))
    }

    /// The streams that strategies named, by the instrument's place and the kind.
    fn named_streams(&self) -> PyResult<Vec<(u32, String)>> {
        Ok(self.lock()?.named_streams().iter().map(|stream| (stream.instrument.0, stream.kind.to_string())).collect())
    }

    /// The streams that may be named, by the instrument's place and the kind.
    fn available_streams(&self) -> PyResult<Vec<(u32, String)>> {
        let session = self.lock()?;
        let available = session.engine().state().available();
        Ok(available.iter().map(|stream| (stream.instrument.0, stream.kind.to_string())).collect())
    }

    /// The streams that a started session receives, by the instrument's place and the kind; simulated venues fill from
    /// the most detailed (F1).
    fn received_streams(&self) -> PyResult<Vec<(u32, String)>> {
        Ok(self.lock()?.received_streams().iter().map(|stream| (stream.instrument.0, stream.kind.to_string())).collect())
    }

    /// States which streams arrive from the start on, in the place of those that follow from what strategies name.
    fn set_streams(&self, streams: Vec<(u32, String)>) -> PyResult<()> {
        self.lock()?.set_streams(&Self::streams(&streams)?);
        Ok(())
    }

    /// When something happens by itself next, in nanoseconds; `2**63 - 1` for never.
    #[getter]
    fn next_ns(&self) -> PyResult<i64> {
        Ok(self.lock()?.next_ns())
    }

    /// The time of the session.
    #[getter]
    fn now_ns(&self) -> PyResult<i64> {
        Ok(self.lock()?.now_ns())
    }

    /// How many rows the engine has met.
    #[getter]
    fn rows(&self) -> PyResult<u64> {
        Ok(self.lock()?.rows())
    }

    /// Lets everything happen that is due before a time.
    fn advance(&self, before_ns: i64) -> PyResult<()> {
        self.act(|session| session.advance(before_ns))
    }

    /// Takes the rows of an inbox; gives the time of the last.
    fn take_rows(&self, inbox: &Bound<'_, Inbox>) -> PyResult<i64> {
        let rows = inbox.borrow_mut().take();
        self.act(|session| session.rows_of(rows))?;
        self.now_ns()
    }

    /// Takes the rows of an inbox as history: indicators, bars and histories learn from them, nobody is called (V4).
    fn warm_up(&self, inbox: &Bound<'_, Inbox>) -> PyResult<i64> {
        let rows = inbox.borrow_mut().take();
        self.act(|session| session.warm_up_of(rows))?;
        self.now_ns()
    }

    /// Whether the strategies have started and warm-up is not over.
    #[getter]
    fn is_warming(&self) -> PyResult<bool> {
        Ok(self.lock()?.engine().state().is_warming())
    }

    /// Whether the strategies have stopped for good.
    #[getter]
    fn has_stopped(&self) -> PyResult<bool> {
        Ok(self.lock()?.engine().state().has_stopped())
    }

    /// The number and the venue's time of the last trade that is known of an instrument.
    fn last_trade(&self, instrument: &Instrument) -> PyResult<Option<(i64, i64)>> {
        let session = self.lock()?;
        let market = session.engine().state().market(instrument.instrument);
        Ok(market.trade.map(|trade| (trade.id, market.trade_time_ns)))
    }

    /// A command, for a strategy and an instrument or for all.
    #[pyo3(signature = (time_ns, word, strategy=None, instrument=None))]
    fn command(&self, time_ns: i64, word: &str, strategy: Option<&str>, instrument: Option<&Instrument>) -> PyResult<()> {
        let strategy = strategy.map(|name| self.strategy(name)).transpose()?;
        let filter = Filter { strategy, instrument: instrument.map(|held| held.instrument) };
        let command = match word {
            "trading_on" => Command::TradingOn,
            "trading_off" => Command::TradingOff,
            "cancel_all" => Command::CancelAll(filter),
            "close_all" => Command::CloseAll(filter),
            "stop" => Command::Stop,
            "warmed_up" => Command::WarmedUp,
            other => return Err(raised(&Error::new(Code::BadSetting, format!("there is no command {other:?}")))),
        };
        self.act(|session| session.input(&Event::Command { time_ns, command }))
    }

    /// Opens an order in the name of a strategy; gives its number.
    #[pyo3(signature = (time_ns, strategy, instrument, side, quantity, price=None, time_in_force="gtc"))]
    #[allow(clippy::too_many_arguments, reason = "the fields of an order")]
    fn open_order(
        &self,
        time_ns: i64,
        strategy: &str,
        instrument: &Instrument,
        side: &str,
        quantity: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        time_in_force: &str,
    ) -> PyResult<u64> {
        let definition = instrument.definition();
        let strategy = self.strategy(strategy)?;
        let order = NewOrder {
            account: definition.account,
            slot: PositionSlot::Net,
            instrument: instrument.instrument,
            side: self::side(side)?,
            quantity: quantity_of(definition, quantity)?,
            order_type: price.map_or(Ok(OrderType::Market), |price| price_of(definition, price).map(OrderType::Limit))?,
            time_in_force: TimeInForce::from_name(time_in_force)
                .ok_or_else(|| raised(&Error::new(Code::BadSetting, format!("time_in_force {time_in_force:?} is not known"))))?,
            reduce_only: false,
        };
        self.lock()?.engine().state().check_call(&order).or_raise()?;
        self.act(|session| {
            session.advance(time_ns)?;
            let id = session.engine().state().orders().next_id();
            session.input(&Event::Command { time_ns, command: Command::Open(strategy, order) })?;
            Ok(id.0)
        })
    }

    /// Makes what the account holds a strategy's position, at what it has cost (M3).
    fn adopt(&self, time_ns: i64, strategy: &str, instrument: &Instrument, quantity: &str, cost: &str) -> PyResult<()> {
        let decimals = instrument.definition().specification.value_decimals();
        let cost = parse_wide(cost, decimals).map_err(|problem| {
            raised(&Error::new(Code::OffGrid, format!("a cost of {cost} for {} is {problem:?}", instrument.definition().name)))
        })?;
        let held = Holding { instrument: instrument.instrument, quantity: self::quantity(instrument, quantity)?, cost };
        let event = Event::Command { time_ns, command: Command::Adopt(self.strategy(strategy)?, held) };
        event.check(&self.index).or_raise()?;
        self.act(|session| session.input(&event))
    }

    /// What is known of an order; nothing where it is not, or not any more.
    fn known_order<'py>(&self, py: Python<'py>, order_id: u64) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.lock()?.engine().state().orders().get(OrderId(order_id)).map(|order| self.order_dict(py, order)).transpose()
    }

    /// A value from outside: its stream, both times, its kind, and the number or the text.
    fn value(&self, value: Value) -> PyResult<()> {
        let event = value.event()?;
        self.act(|session| session.input(&event))
    }

    /// Sets a strategy's parameter; one that it does not take is an error that the session survives.
    #[pyo3(signature = (time_ns, strategy, name, kind, number=None, text=None))]
    fn parameter(&self, time_ns: i64, strategy: &str, name: &str, kind: &str, number: Option<f64>, text: Option<&str>) -> PyResult<()> {
        let value = data_value(kind, number, text)?;
        let event = ParameterEvent { time_ns, strategy: self.strategy(strategy)?, name: name.to_owned(), value };
        self.act(|session| session.input(&Event::Parameter(Box::new(event))))?;
        let refused = self.lock()?.take_refused_parameter();
        refused.map_or(Ok(()), |error| Err(exception(&self.failure, &error)))
    }

    /// The streams of values from outside that strategies named, by strategy and stream.
    fn named_values(&self) -> PyResult<Vec<(String, String)>> {
        let session = self.lock()?;
        let strategies = session.engine().state().strategies();
        Ok(strategies.iter().flat_map(|one| one.data.iter().map(|name| (one.name.clone(), name.clone()))).collect())
    }

    /// A condition of a venue's connection (`connected`, `disconnected`; of `market_data` or `orders`).
    fn connection(&self, time_ns: i64, kind: &str, venue: &str, part: &str) -> PyResult<()> {
        let venue = self.index.find_venue(venue).or_raise()?;
        let part = if part == "orders" { Part::Orders } else { Part::MarketData };
        let change = if kind == "connected" { Condition::Connected(venue, part) } else { Condition::Disconnected(venue, part) };
        self.act(|session| session.input(&Event::Status(StatusEvent { time_ns, change })))
    }

    /// A condition of a stream (`stale`, `fresh`), or a gap in it by venue time.
    #[pyo3(signature = (time_ns, kind, instrument, stream, from_ns=0, length_ns=0))]
    fn stream(&self, time_ns: i64, kind: &str, instrument: &Instrument, stream: &str, from_ns: i64, length_ns: i64) -> PyResult<()> {
        let stream = Stream { instrument: instrument.instrument, kind: stream_kind(stream)? };
        let change = match kind {
            "stale" => Condition::Stale(stream),
            "fresh" => Condition::Fresh(stream),
            _ => Condition::Gap { stream, from_ns, length_ns },
        };
        self.act(|session| session.input(&Event::Status(StatusEvent { time_ns, change })))
    }

    /// What a real venue says of an order: `accepted`, `rejected`, `cancelled`, `cancel_rejected`, `expired`, `lost`.
    fn order(&self, venue: &str, venue_time_ns: i64, arrival_time_ns: i64, order_id: u64, kind: &str, reason: &str) -> PyResult<()> {
        let id = OrderId(order_id);
        let event = match kind {
            "accepted" => AccountEvent::Accepted(id),
            "rejected" => AccountEvent::Rejected(id, code(reason)?),
            "cancelled" => AccountEvent::Cancelled(id, code(reason)?),
            "cancel_rejected" => AccountEvent::CancelRejected(id, code(reason)?),
            "expired" => AccountEvent::Expired(id),
            "lost" => AccountEvent::Lost(id),
            other => return Err(raised(&Error::new(Code::Internal, format!("{other:?} is no report")))),
        };
        self.report(venue, (venue_time_ns, arrival_time_ns), event)
    }

    /// A fill of a real venue.
    fn fill(&self, venue: &str, venue_time_ns: i64, arrival_time_ns: i64, fill: FillValues<'_>) -> PyResult<()> {
        let instrument = &*fill.instrument;
        let fee_asset = self.index.find_asset(&fill.fee_asset).or_raise()?;
        let decimals = self.index.asset(fee_asset).decimals;
        let fee = parse_wide(&fill.fee, decimals)
            .map_err(|problem| raised(&Error::new(Code::OffGrid, format!("a fee of {} {} is {problem:?}", fill.fee, fill.fee_asset))))?;
        let event = AccountEvent::Fill(Fill {
            order: OrderId(fill.order_id),
            trade_id: fill.trade_id,
            instrument: instrument.instrument,
            side: side(&fill.side)?,
            price: price(instrument, &fill.price)?,
            quantity: quantity(instrument, &fill.quantity)?,
            liquidity: if fill.is_maker { Liquidity::Maker } else { Liquidity::Taker },
            fee,
            fee_asset,
            fee_kind: FeeKind::Exchange,
            venue_time_ns,
        });
        self.report(venue, (venue_time_ns, arrival_time_ns), event)
    }

    /// Money that moved without a fill of ours: a `deposit`, `foreign`, or `unexplained`; below zero when it left.
    fn transfer(&self, venue: &str, venue_time_ns: i64, arrival_time_ns: i64, kind: &str, asset: &str, amount: &str) -> PyResult<()> {
        let place = self.index.find_asset(asset).or_raise()?;
        let decimals = self.index.asset(place).decimals;
        let read = |decimals| {
            parse_wide(amount, decimals)
                .map_err(|problem| raised(&Error::new(Code::OffGrid, format!("an amount of {amount} {asset} is {problem:?}"))))
        };
        let amount = match kind {
            // Price times quantity of somebody else's fill: the venue rounds it where it posts it, and so do we (N3).
            "foreign" => divide(read(MAXIMUM_DECIMALS)?, wide_power_of_ten(MAXIMUM_DECIMALS - decimals), Rounding::HalfEven),
            _ => read(decimals)?,
        };
        let event = match kind {
            "deposit" => AccountEvent::Deposit { asset: place, amount },
            "foreign" => AccountEvent::Foreign { asset: place, amount },
            _ => AccountEvent::Unexplained { asset: place, amount },
        };
        self.report(venue, (venue_time_ns, arrival_time_ns), event)
    }

    /// Requests for real venues since the last call: the venue, whether it is a cancel, and what its request is made of.
    ///
    /// What is made of a request lies between a tick and its order, so it is made here, in one go.
    fn take_requests<'py>(&self, py: Python<'py>, run: &str) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let requests = self.lock()?.take_requests();
        requests.iter().filter_map(|request| self.request(py, request, run).transpose()).collect()
    }

    /// The journal's entries since the last call: the number of the first and last, and the bytes.
    fn take_journal<'py>(&self, py: Python<'py>) -> PyResult<Option<(u64, u64, Bound<'py, PyBytes>)>> {
        let taken = self.lock()?.engine_mut().take_journal();
        Ok(taken.map(|(first, last, block)| (first, last, PyBytes::new(py, &block))))
    }

    /// What is needed to go on from here.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.act(driver::Session::save)?))
    }

    /// Goes on from what was saved, in the place of a start.
    fn restore(&self, saved: &[u8]) -> PyResult<()> {
        self.act(|session| session.restore(saved))
    }

    /// Takes a block of the journal; returns the first decision that differs, if there is one.
    fn recover<'py>(&self, py: Python<'py>, block: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
        let divergence = self.act(|session| session.recover(block))?;
        let session = self.lock()?;
        divergence.map(|divergence| Words(&self.index).divergence(py, session.engine().state(), None, &divergence)).transpose()
    }

    /// Before the first block: what is rebuilt are the recorded decisions, whatever strategies would decide.
    fn follow_recorded(&self) -> PyResult<()> {
        self.lock()?.follow_recorded();
        Ok(())
    }

    /// Takes a block of the journal with the recorded decisions in the place of the strategies'.
    fn rebuild(&self, block: &[u8]) -> PyResult<()> {
        self.act(|session| session.rebuild(block))
    }

    /// What strategies declare as their own, by their names; also of a session that has failed.
    fn declared<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, declared) in self.strategies.iter().zip(self.act(driver::Session::declared)?) {
            dict.set_item(name, PyBytes::new(py, &declared))?;
        }
        Ok(dict)
    }

    /// What other strategies need to go on from here, with what is declared as theirs, by their names.
    fn hand_over<'py>(&self, py: Python<'py>, mut declared: HashMap<String, Vec<u8>>) -> PyResult<Bound<'py, PyBytes>> {
        let listed = self.strategies.iter().map(|name| declared.remove(name).unwrap_or_default()).collect();
        Ok(PyBytes::new(py, &self.act(|session| session.hand_over(listed))?))
    }

    /// The timers that strategies wait for: whose, and its number.
    fn strategy_timers(&self) -> PyResult<Vec<(String, u64)>> {
        let timers = self.lock()?.strategy_timers();
        Ok(timers.into_iter().map(|(strategy, number)| (self.strategies[strategy.at()].clone(), number)).collect())
    }

    /// Whether what was restored waits for strategies to start.
    #[getter]
    fn awaits_start(&self) -> PyResult<bool> {
        Ok(self.lock()?.awaits_start())
    }

    /// Lives through a block of a recorded session again, with simulated venues in the place of what answered.
    fn live_again(&self, block: &[u8]) -> PyResult<()> {
        self.act(|session| session.live_again(block))
    }

    /// Before the start: simulated venues take over what a session recorded, up to and including a cause.
    fn follow(&self, record: &Record, removed: &str) -> PyResult<()> {
        let removed = cause(removed)?;
        self.lock()?.follow(&record.record.lock().unwrap_or_else(PoisonError::into_inner), removed);
        Ok(())
    }

    /// Before the start: shows simulated venues the rows of a block, each of which they meet at its venue time.
    fn show_ahead(&self, block: &[u8]) -> PyResult<()> {
        self.act(|session| session.show_ahead(block))
    }

    /// The journal has ended; a decision that it does not hold, if there is one.
    fn recovered<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let mut session = self.lock()?;
        let divergence = session.recovered();
        divergence.map(|divergence| Words(&self.index).divergence(py, session.engine().state(), None, &divergence)).transpose()
    }

    /// How many inputs were taken since the run began.
    #[getter]
    fn inputs(&self) -> PyResult<u64> {
        Ok(self.lock()?.engine().sequence())
    }

    /// How many decisions were compared and found equal.
    #[getter]
    fn decisions(&self) -> PyResult<u64> {
        Ok(self.lock()?.decisions())
    }

    /// Whether something failed within the kernel or a callback, so that nothing more is taken.
    #[getter]
    fn is_failed(&self) -> PyResult<bool> {
        Ok(self.lock()?.is_failed())
    }

    /// Ends the session.
    fn finish(&self) -> PyResult<()> {
        self.act(driver::Session::finish)
    }

    /// The hash of the state and of all decisions, hexadecimal.
    #[getter]
    fn hashes(&self) -> PyResult<(String, String)> {
        let session = self.lock()?;
        let engine = session.engine();
        Ok((crate::report::hexadecimal(&engine.state().hash()), crate::report::hexadecimal(&engine.decisions_hash())))
    }

    /// Cancels one order, whichever strategy's; one that is closed stays as it is.
    fn cancel_order(&self, time_ns: i64, order_id: u64) -> PyResult<()> {
        self.act(|session| session.input(&Event::Command { time_ns, command: Command::Cancel(OrderId(order_id)) }))
    }

    /// Orders that are not closed: what a request says, the status and what is filled.
    fn open_orders<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let session = self.lock()?;
        let list = PyList::empty(py);
        for order in session.engine().state().orders().all_open() {
            list.append(self.order_dict(py, order)?)?;
        }
        Ok(list)
    }

    /// The number and the instrument of a strategy's order by its count, unless it was closed long ago.
    fn find_order(&self, strategy: u16, count: u64) -> PyResult<Option<(u64, String)>> {
        let session = self.lock()?;
        let mut known = session.engine().state().orders().known().rev();
        let found = known.find(|order| order.strategy == StrategyIndex(strategy) && order.count == count);
        Ok(found.map(|order| (order.id.0, self.index.instrument(order.request.instrument).name.clone())))
    }

    /// The newest orders that have closed, the newest first.
    fn closed_orders<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let session = self.lock()?;
        let list = PyList::empty(py);
        for order in session.engine().state().orders().known().rev().filter(|order| order.status.is_closed()).take(most) {
            list.append(self.order_dict(py, order)?)?;
        }
        Ok(list)
    }

    /// What an account holds, by asset, as text.
    fn balances(&self, venue: &str) -> PyResult<Vec<(String, String)>> {
        let account = self.account(venue)?;
        let session = self.lock()?;
        let account = session.engine().state().account(account);
        let held = self.index.assets().map(|(asset, named)| (named.name.clone(), format_decimal(account.wallet(asset), named.decimals)));
        Ok(held.collect())
    }

    /// Positions that are not flat: strategy, instrument and quantity as text.
    fn positions(&self) -> PyResult<Vec<(String, String, String)>> {
        let session = self.lock()?;
        let mut listed = Vec::new();
        for strategy in session.engine().state().strategies() {
            for (at, position) in strategy.positions.iter().enumerate().filter(|(_, position)| position.quantity != 0) {
                let definition = self.index.instrument(InstrumentIndex(at as u32));
                let quantity = format_decimal(position.quantity.into(), definition.specification.quantity_decimals);
                listed.push((strategy.name.clone(), definition.name.clone(), quantity));
            }
        }
        Ok(listed)
    }

    /// The strategies and instruments of positions that are more than the dust that closing them left.
    fn positions_to_close(&self) -> PyResult<Vec<(String, String)>> {
        let session = self.lock()?;
        let state = session.engine().state();
        let mut listed = Vec::new();
        for (place, strategy) in state.strategies().iter().enumerate() {
            for (at, position) in strategy.positions.iter().enumerate().filter(|(_, position)| position.quantity != 0) {
                let instrument = InstrumentIndex(at as u32);
                // What a target could not reach is what is missing to it.
                if state.dust(StrategyIndex(place as u16), instrument) != -position.quantity {
                    listed.push((strategy.name.clone(), self.index.instrument(instrument).name.clone()));
                }
            }
        }
        Ok(listed)
    }

    /// Positions that are not flat, with what they cost and what they are worth.
    fn holdings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let session = self.lock()?;
        let state = session.engine().state();
        let list = PyList::empty(py);
        for strategy in state.strategies() {
            for (at, position) in strategy.positions.iter().enumerate().filter(|(_, position)| position.quantity != 0) {
                let (instrument, definition) = (InstrumentIndex(at as u32), &self.index.instrument(InstrumentIndex(at as u32)));
                let specification = &definition.specification;
                let mark = state.market(instrument).mark;
                let money = |value: i128| format_decimal(value, specification.value_decimals());
                let dict = PyDict::new(py);
                dict.set_item("strategy", &strategy.name)?;
                dict.set_item("instrument", &definition.name)?;
                dict.set_item("quantity", format_decimal(position.quantity.into(), specification.quantity_decimals))?;
                dict.set_item("cost", money(position.cost))?;
                dict.set_item("realised", money(position.realised))?;
                dict.set_item("unrealised", position.unrealised(specification, &mark).map(money))?;
                dict.set_item("mark", mark.to_text(specification.price_decimals))?;
                dict.set_item("mark_source", mark.source().name())?;
                dict.set_item("currency", &specification.settlement)?;
                list.append(dict)?;
            }
        }
        Ok(list)
    }

    /// Whether strategies may open positions.
    #[getter]
    fn is_trading(&self) -> PyResult<bool> {
        Ok(self.lock()?.engine().state().is_trading())
    }

    /// What everything is worth now, in the currency of totals; None where a price is missing.
    #[getter]
    fn equity_now(&self) -> PyResult<Option<f64>> {
        let session = self.lock()?;
        Ok(session.recorder().valuation().equity(session.engine().state()))
    }

    /// The figures and hashes so far.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Outcome::of(&*self.lock()?).to_dict(py)
    }

    /// Closed orders, as columns.
    fn orders<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        columns_of_orders(py, &*self.lock()?)
    }

    /// Fills, as columns.
    fn fills<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        columns_of_fills(py, &*self.lock()?)
    }

    /// The postings of the ledger, as columns.
    fn ledger<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        columns_of_ledger(py, &*self.lock()?)
    }

    /// The equity curve: times in nanoseconds, and values.
    fn equity(&self) -> PyResult<(Vec<i64>, Vec<f64>)> {
        let session = self.lock()?;
        Ok(session.recorder().curve().points().iter().map(|point| (point.time_ns, point.equity)).unzip())
    }
}
