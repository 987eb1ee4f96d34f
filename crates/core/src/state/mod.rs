//! What the engine knows, as strategies and risk read it, and what they asked for.
//!
//! The engine owns the state in a box and lends it to one callback at a time; nothing
//! that a callback asks for happens before it has returned (law 4).

mod call;
mod hash;
mod health;
mod history;
mod invariant;
mod market;
mod orders;
mod stream;
mod valuation;
mod watch;

pub use call::{Decision, Target};
pub(crate) use hash::Chained;
pub use hash::{DecisionHasher, STATE_HASH_VERSION};
pub use health::Health;
pub use history::{History, HistoryIndex};
pub use market::Market;
pub use orders::Orders;
pub use stream::{IndicatorIndex, Stream, StreamKind};
pub use valuation::Valuation;
pub use watch::{Carried, Watch};

use crate::account::{Account, Balance, Position};
use crate::error::{Code, Error, Result};
use crate::indicator::Indicator;
use crate::instrument::{AccountIndex, AssetIndex, Index, InstrumentIndex};
use crate::market::BarBuilder;
use crate::order::{Order, OrderId, Status, StrategyIndex};
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What belongs to one strategy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StrategyState {
    /// Its name.
    pub name: String,
    /// How many orders it has asked for.
    pub orders: u64,
    /// How many timers it has asked for.
    pub timers: u64,
    /// Its positions, by instrument.
    pub positions: Vec<Position>,
    /// The targets that are not reached yet.
    pub targets: Vec<Target>,
    /// The streams that it named.
    pub subscriptions: Vec<Stream>,
    /// The streams of values from outside that it named.
    pub data: Vec<String>,
    /// What targets could not reach because it is under a lot or the smallest order (O3).
    pub dust: Vec<(InstrumentIndex, i64)>,
    /// Timers that were due in the warm-up, in which nobody is called (V4): their numbers and when they were due.
    pub put_off: Vec<(u64, TimeNs)>,
}

/// Everything that is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a condition of its own: trading may be off while running")]
pub struct State {
    /// The names.
    #[serde(skip)]
    pub(crate) index: Arc<Index>,
    /// When the strategies started.
    pub(crate) started_ns: TimeNs,
    /// The time of the current event, by arrival.
    pub(crate) now_ns: TimeNs,
    /// Whether strategies may open positions.
    pub(crate) trading: bool,
    pub(crate) starting: bool,
    /// Whether warm-up is under way: nobody is called (V4).
    pub(crate) warming: bool,
    /// Whether trading was turned off in the warm-up, behind which it stays off.
    pub(crate) stays_off: bool,
    /// Whether the strategies have stopped for good.
    pub(crate) stopped: bool,
    pub(crate) seed: u64,
    /// Streams that the data hold; those that a strategy names must be among them.
    pub(crate) available: Vec<Stream>,
    /// Names of values from outside that will come; none where any may.
    pub(crate) available_data: Option<Vec<String>>,
    pub(crate) health: Health,
    pub(crate) watch: Watch,
    pub(crate) markets: Vec<Market>,
    pub(crate) accounts: Vec<Account>,
    /// The accounts as strategies found them when they started, where the run may be gone on with.
    pub(crate) starting_accounts: Vec<Account>,
    /// The same of their positions: those who take over from others find some.
    pub(crate) starting_positions: Vec<Vec<Position>>,
    pub(crate) orders: Orders,
    pub(crate) strategies: Vec<StrategyState>,
    pub(crate) indicators: Vec<(Stream, Indicator)>,
    pub(crate) histories: Vec<History>,
    /// Bars that are built from trades.
    pub(crate) builders: Vec<(InstrumentIndex, BarBuilder)>,
    /// Whose callback is running.
    pub(crate) calling: StrategyIndex,
    pub(crate) outbox: Vec<Decision>,
    /// Reports that changed nothing because they were old or repeated.
    pub(crate) stale_reports: u64,
    /// Reports that changed nothing because they cannot be true.
    pub(crate) impossible_reports: u64,
}

impl State {
    /// The state before the first event. Strategies are given in the order of their names.
    pub fn new(index: Arc<Index>, strategies: &[String], available: Vec<Stream>, seed: u64, keeps_postings: bool) -> Self {
        let instruments = index.instruments().len();
        Self {
            markets: vec![Market::default(); instruments],
            accounts: index.accounts().map(|_| Account::new(keeps_postings)).collect(),
            strategies: strategies
                .iter()
                .map(|name| StrategyState {
                    name: name.clone(),
                    positions: vec![Position::default(); instruments],
                    ..StrategyState::default()
                })
                .collect(),
            available,
            available_data: Some(Vec::new()),
            index,
            seed,
            ..Self::default()
        }
    }

    /// Streams that strategies may name.
    pub fn available(&self) -> &[Stream] {
        &self.available
    }

    /// The names of venues, assets and instruments.
    #[inline]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The names, to be shared.
    pub(crate) fn shared_index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// The time of the current event, by arrival.
    #[inline]
    pub fn now_ns(&self) -> TimeNs {
        self.now_ns
    }

    /// What is not in order.
    #[inline]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Whether warm-up is under way.
    pub fn is_warming(&self) -> bool {
        self.warming
    }

    /// Whether the strategies have stopped for good.
    pub fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// What a strategy's targets could not reach in an instrument: under a lot or the smallest order (O3).
    pub fn dust(&self, strategy: StrategyIndex, instrument: InstrumentIndex) -> i64 {
        let dust = &self.strategies[strategy.at()].dust;
        dust.iter().find(|(held, _)| *held == instrument).map_or(0, |(_, quantity)| *quantity)
    }

    /// Whether strategies may open positions.
    pub fn is_trading(&self) -> bool {
        self.trading
    }

    /// What is known of an instrument's market.
    #[inline]
    pub fn market(&self, instrument: InstrumentIndex) -> &Market {
        &self.markets[instrument.at()]
    }

    /// An order; an error once it has been closed for long and was forgotten.
    pub fn order(&self, id: OrderId) -> Result<&Order> {
        self.orders.get(id).ok_or_else(|| {
            Error::new(Code::UnknownOrder, format!("order {} is not known", id.0))
                .hint("the engine forgets orders some time after they are closed")
        })
    }

    /// All orders that are known.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Whose callback is running.
    #[inline]
    pub fn calling(&self) -> StrategyIndex {
        self.calling
    }

    /// What belongs to a strategy.
    pub fn strategy(&self, strategy: StrategyIndex) -> &StrategyState {
        &self.strategies[strategy.at()]
    }

    /// All strategies, in the order of their names.
    pub fn strategies(&self) -> &[StrategyState] {
        &self.strategies
    }

    /// The position of a strategy; it changes only by fills (O2).
    #[inline]
    pub fn position(&self, strategy: StrategyIndex, instrument: InstrumentIndex) -> Position {
        self.strategies[strategy.at()].positions.get(instrument.at()).copied().unwrap_or_default()
    }

    /// Position and everything that works towards it: open, in flight, queued and unknown orders.
    #[inline]
    pub fn exposure(&self, strategy: StrategyIndex, instrument: InstrumentIndex) -> i64 {
        self.position(strategy, instrument).quantity + self.orders.working(strategy, instrument)
    }

    /// Where a strategy holds a position, or has orders that may lead to one.
    pub(crate) fn to_close(&self, strategy: StrategyIndex) -> Vec<InstrumentIndex> {
        let positions = &self.strategies[strategy.at()].positions;
        let is_held = |instrument: &InstrumentIndex| {
            positions[instrument.at()].quantity != 0 || self.orders.open(strategy).any(|order| order.request.instrument == *instrument)
        };
        (0..positions.len()).map(|at| InstrumentIndex(at as u32)).filter(is_held).collect()
    }

    /// Whether the outcome of some order of the strategy in the instrument is open: its cancel was asked for, or the order is
    /// unknown. Until it is settled, exposure may still change (O3).
    #[inline]
    pub fn is_unsettled(&self, strategy: StrategyIndex, instrument: InstrumentIndex) -> bool {
        let is_open_ended = |order: &Order| order.is_cancel_wanted || matches!(order.status, Status::CancelInFlight | Status::Unknown);
        self.orders.open(strategy).any(|order| order.request.instrument == instrument && is_open_ended(order))
    }

    /// An account.
    pub fn account(&self, account: AccountIndex) -> &Account {
        &self.accounts[account.at()]
    }

    /// The balance of an asset: the wallet, and what open spot orders hold back of it.
    pub fn balance(&self, account: AccountIndex, asset: AssetIndex) -> Balance {
        let reserved = self.orders.open_of_account(account).map(|order| self.reservation(order, asset)).sum();
        Balance { total: self.account(account).wallet(asset), reserved }
    }

    /// What an open spot order holds back of an asset.
    fn reservation(&self, order: &Order, asset: AssetIndex) -> i128 {
        let instrument = self.index.instrument(order.request.instrument);
        let price = order.request.order_type.price().or(self.market(order.request.instrument).mark.price()).unwrap_or(0);
        crate::account::reservation(&self.index, instrument, order.request.side, order.remaining(), price)
            .filter(|(held, _)| *held == asset)
            .map_or(0, |(_, amount)| amount)
    }

    /// The indicators and what feeds them.
    pub fn indicator(&self, indicator: IndicatorIndex) -> &Indicator {
        &self.indicators[indicator.at()].1
    }

    /// The last events of a stream that a strategy asked to keep.
    pub fn history(&self, history: HistoryIndex) -> &History {
        &self.histories[history.at()]
    }

    /// Reports that changed nothing: the stale and the impossible ones.
    pub fn ignored_reports(&self) -> u64 {
        self.stale_reports + self.impossible_reports
    }

    /// Reports that were older than what was known, or repeated it. They are normal: a cancel
    /// that crosses the last fill on its way is answered by one.
    pub fn stale_reports(&self) -> u64 {
        self.stale_reports
    }

    /// Reports that could not be true of their order. Each is a fault of a venue or of ours.
    pub fn impossible_reports(&self) -> u64 {
        self.impossible_reports
    }

    /// Lets strategies name streams outside of an engine, to measure the cost of calling them.
    pub fn start_for_measuring(&mut self) {
        self.starting = true;
    }

    /// Gives every indicator a value, outside of an engine.
    pub fn update_indicators(&mut self, value: f64) {
        for (_, indicator) in &mut self.indicators {
            indicator.update_value(value);
        }
    }

    /// A seed for a strategy's own random numbers (D1).
    pub fn strategy_seed(&self, strategy: StrategyIndex) -> u64 {
        crate::chance::Chance::new(self.seed, &["strategy", &self.strategies[strategy.at()].name]).seed()
    }
}
