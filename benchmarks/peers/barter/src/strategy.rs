//! The rule of barter's own backtest benchmark, made deterministic: on every market
//! event, a market buy of the last trade's amount for each instrument whose latest
//! market event is a trade. Account events trigger nothing.

use barter::{
    engine::{
        Engine, Processor,
        clock::HistoricalClock,
        execution_tx::MultiExchangeTxMap,
        state::{
            EngineState,
            instrument::{data::InstrumentDataState, filter::InstrumentFilter},
            order::in_flight_recorder::InFlightRequestRecorder,
        },
    },
    risk::DefaultRiskManager,
    strategy::{
        algo::AlgoStrategy,
        close_positions::{ClosePositionsStrategy, close_open_positions_with_market_orders},
        on_disconnect::OnDisconnectStrategy,
        on_trading_disabled::OnTradingDisabled,
    },
};
use barter_data::{
    event::{DataKind, MarketEvent},
    subscription::trade::PublicTrade,
};
use barter_execution::{
    AccountEvent, AccountEventKind,
    order::{
        OrderKey, OrderKind, TimeInForce,
        id::{ClientOrderId, StrategyId},
        request::{OrderRequestCancel, OrderRequestOpen, RequestOpen},
    },
};
use barter_instrument::{Side, asset::AssetIndex, exchange::ExchangeId, exchange::ExchangeIndex, instrument::InstrumentIndex};
use rust_decimal::{Decimal, prelude::FromPrimitive};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The engine state of this benchmark.
pub type State = EngineState<Global, LatestTrade>;
/// The risk manager that passes everything.
pub type Risk = DefaultRiskManager<State>;
type BenchEngine = Engine<HistoricalClock, State, MultiExchangeTxMap, BuyEveryTrade, Risk>;

/// What one backtest sent, and what the engine saw come back.
#[derive(Debug, Default)]
pub struct Counts {
    /// Orders the strategy asked for.
    pub orders: AtomicU64,
    /// Own fills that reached the engine before it shut down.
    pub fills: AtomicU64,
}

/// Whether the engine's last event was a market event, and the fills seen so far.
#[derive(Debug, Clone, Default)]
pub struct Global {
    last_is_market: bool,
    fills: u64,
}

impl Processor<&MarketEvent<InstrumentIndex, DataKind>> for Global {
    type Audit = ();

    fn process(&mut self, _: &MarketEvent<InstrumentIndex, DataKind>) {
        self.last_is_market = true;
    }
}

impl Processor<&AccountEvent> for Global {
    type Audit = ();

    fn process(&mut self, event: &AccountEvent) {
        self.last_is_market = false;
        self.fills += u64::from(matches!(event.kind, AccountEventKind::Trade(_)));
    }
}

/// The instrument's latest market event, if that was a trade.
#[derive(Debug, Clone, Default)]
pub struct LatestTrade(Option<PublicTrade>);

impl InstrumentDataState for LatestTrade {
    type MarketEventKind = DataKind;

    /// As in barter's benchmark, whose market data is never updated: no price is known.
    fn price(&self) -> Option<Decimal> {
        None
    }
}

impl Processor<&MarketEvent<InstrumentIndex, DataKind>> for LatestTrade {
    type Audit = ();

    fn process(&mut self, event: &MarketEvent<InstrumentIndex, DataKind>) {
        self.0 = match &event.kind {
            DataKind::Trade(trade) => Some(trade.clone()),
            _ => None,
        };
    }
}

impl Processor<&AccountEvent> for LatestTrade {
    type Audit = ();

    fn process(&mut self, _: &AccountEvent) {}
}

impl InFlightRequestRecorder for LatestTrade {
    fn record_in_flight_cancel(&mut self, _: &OrderRequestCancel<ExchangeIndex, InstrumentIndex>) {}

    fn record_in_flight_open(&mut self, _: &OrderRequestOpen<ExchangeIndex, InstrumentIndex>) {}
}

/// The strategy; with `trades` off it looks at every event and sends nothing.
#[derive(Debug, Clone)]
pub struct BuyEveryTrade {
    id: StrategyId,
    trades: bool,
    /// Read by the benchmark when the run is over.
    pub counts: Arc<Counts>,
}

impl BuyEveryTrade {
    /// A strategy with counts of its own.
    pub fn new(trades: bool) -> Self {
        Self { id: StrategyId::new("BuyEveryTrade"), trades, counts: Arc::default() }
    }

    fn order(
        &self,
        exchange: ExchangeIndex,
        instrument: InstrumentIndex,
        trade: &PublicTrade,
    ) -> Option<OrderRequestOpen<ExchangeIndex, InstrumentIndex>> {
        self.counts.orders.fetch_add(1, Relaxed);
        Some(OrderRequestOpen {
            key: OrderKey { exchange, instrument, strategy: self.id.clone(), cid: ClientOrderId::random() },
            state: RequestOpen {
                side: Side::Buy,
                price: Decimal::from_f64(trade.price)?,
                quantity: Decimal::from_f64(trade.amount)?,
                kind: OrderKind::Market,
                time_in_force: TimeInForce::ImmediateOrCancel,
            },
        })
    }
}

impl AlgoStrategy for BuyEveryTrade {
    type State = State;

    fn generate_algo_orders(
        &self,
        state: &State,
    ) -> (
        impl IntoIterator<Item = OrderRequestCancel<ExchangeIndex, InstrumentIndex>>,
        impl IntoIterator<Item = OrderRequestOpen<ExchangeIndex, InstrumentIndex>>,
    ) {
        let is_market = state.global.last_is_market;
        if !is_market {
            self.counts.fills.store(state.global.fills, Relaxed);
        }
        let opens =
            (is_market && self.trades).then(|| state.instruments.instruments(&InstrumentFilter::None)).into_iter().flatten().filter_map(
                |instrument| {
                    let trade = instrument.data.0.as_ref()?;
                    self.order(instrument.instrument.exchange, instrument.key, trade)
                },
            );
        (std::iter::empty(), opens)
    }
}

impl ClosePositionsStrategy for BuyEveryTrade {
    type State = State;

    fn close_positions_requests<'a>(
        &'a self,
        state: &'a State,
        filter: &'a InstrumentFilter,
    ) -> (
        impl IntoIterator<Item = OrderRequestCancel<ExchangeIndex, InstrumentIndex>> + 'a,
        impl IntoIterator<Item = OrderRequestOpen<ExchangeIndex, InstrumentIndex>> + 'a,
    )
    where
        ExchangeIndex: 'a,
        AssetIndex: 'a,
        InstrumentIndex: 'a,
    {
        close_open_positions_with_market_orders(&self.id, state, filter, |_| ClientOrderId::random())
    }
}

impl OnDisconnectStrategy<HistoricalClock, State, MultiExchangeTxMap, Risk> for BuyEveryTrade {
    type OnDisconnect = ();

    fn on_disconnect(_: &mut BenchEngine, _: ExchangeId) {}
}

impl OnTradingDisabled<HistoricalClock, State, MultiExchangeTxMap, Risk> for BuyEveryTrade {
    type OnTradingDisabled = ();

    fn on_trading_disabled(_: &mut BenchEngine) {}
}
