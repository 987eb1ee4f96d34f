//! Everything that the engine can be told.

use super::{DataEvent, DataValue, StatusEvent};
use crate::account::{FeeKind, Fill};
use crate::error::Code;
use crate::instrument::{AccountIndex, AssetIndex, InstrumentIndex};
use crate::market::MarketEvent;
use crate::order::{NewOrder, OrderId, StrategyIndex, TimerPurpose};
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// One input. The engine's state is a fold over these and nothing else.
///
/// The codec counts the variants: new ones come last, so that older journals stay readable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Market data.
    Market(MarketEvent),
    /// A report about an account: its orders, fills and money.
    Account(AccountReport),
    /// A timer fired.
    Timer(TimerFired),
    /// Somebody commands the engine.
    Command {
        /// When it reached us.
        time_ns: TimeNs,
        /// What it says.
        command: Command,
    },
    /// Market data from before the start, or from a gap that was filled: indicators, bars and
    /// histories take them, nobody is called (V4).
    WarmUp(MarketEvent),
    /// A value from outside (V2).
    Data(Box<DataEvent>),
    /// A connection, a stream or a market changed its condition.
    Status(StatusEvent),
    /// Somebody sets a strategy's parameter while it runs.
    Parameter(Box<ParameterEvent>),
}

impl Event {
    /// When it reached us.
    #[inline]
    pub fn arrival_time_ns(&self) -> TimeNs {
        match self {
            Event::Market(event) | Event::WarmUp(event) => event.arrival_time_ns,
            Event::Account(report) => report.arrival_time_ns,
            Event::Timer(timer) => timer.fired_ns,
            Event::Command { time_ns, .. } => *time_ns,
            Event::Data(data) => data.arrival_time_ns,
            Event::Status(status) => status.time_ns,
            Event::Parameter(parameter) => parameter.time_ns,
        }
    }

    /// Puts off what would come before a time to that time.
    pub(crate) fn come_not_before(&mut self, earliest_ns: TimeNs) {
        let arrival_ns = match self {
            Event::Market(event) | Event::WarmUp(event) => &mut event.arrival_time_ns,
            Event::Account(report) => &mut report.arrival_time_ns,
            Event::Timer(timer) => &mut timer.fired_ns,
            Event::Command { time_ns, .. } => time_ns,
            Event::Data(data) => &mut data.arrival_time_ns,
            Event::Status(status) => &mut status.time_ns,
            Event::Parameter(parameter) => &mut parameter.time_ns,
        };
        *arrival_ns = (*arrival_ns).max(earliest_ns);
    }
}

/// Somebody sets a strategy's parameter while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterEvent {
    /// When it reached us.
    pub time_ns: TimeNs,
    /// Whose parameter.
    pub strategy: StrategyIndex,
    /// Which one.
    pub name: String,
    /// What it becomes.
    pub value: DataValue,
}

/// A timer that fired (T4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerFired {
    /// What it is for.
    pub purpose: TimerPurpose,
    /// When it was due.
    pub due_ns: TimeNs,
    /// When it fired.
    pub fired_ns: TimeNs,
}

/// A report about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// Which account.
    pub account: AccountIndex,
    /// When it happened at the venue.
    pub venue_time_ns: TimeNs,
    /// When it reached us.
    pub arrival_time_ns: TimeNs,
    /// What happened.
    pub event: AccountEvent,
}

/// What can happen to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// The venue has the order.
    Accepted(OrderId),
    /// The venue does not take the order.
    Rejected(OrderId, Code),
    /// The order was cancelled.
    Cancelled(OrderId, Code),
    /// The order could not be cancelled.
    CancelRejected(OrderId, Code),
    /// The order's time in force ended.
    Expired(OrderId),
    /// A fill.
    Fill(Fill),
    /// A funding payment, below zero when it was paid.
    Funding {
        /// For the position in this instrument.
        instrument: InstrumentIndex,
        /// In units of the settlement asset's last decimal.
        amount: i128,
    },
    /// A fee that does not belong to a fill.
    Fee {
        /// For the position in this instrument.
        instrument: InstrumentIndex,
        /// Of which asset.
        asset: AssetIndex,
        /// How much.
        amount: i128,
        /// What for.
        kind: FeeKind,
    },
    /// Money came in, or went out when below zero.
    Deposit {
        /// Of which asset.
        asset: AssetIndex,
        /// How much.
        amount: i128,
    },
    /// The venue's insurance covered a loss that the account could not.
    Insurance {
        /// Of which asset.
        asset: AssetIndex,
        /// How much.
        amount: i128,
    },
    /// The venue warns that the margin is nearly used up.
    MarginCall {
        /// The asset that the positions settle in.
        asset: AssetIndex,
        /// Wallet and unrealised profit.
        equity: i128,
        /// What is needed to stay open.
        maintenance: i128,
    },
    /// No answer came in time, or the connection broke before one: the venue may or may not have the order.
    Lost(OrderId),
    /// Somebody else moved money of the account: a foreign fill, a transfer (M3). Out when below zero.
    Foreign {
        /// Of which asset.
        asset: AssetIndex,
        /// How much.
        amount: i128,
    },
    /// The venue's balance differs from ours, and nothing explains it yet (M5). Ours was too high when below zero.
    Unexplained {
        /// Of which asset.
        asset: AssetIndex,
        /// How much.
        amount: i128,
    },
}

impl AccountEvent {
    /// Whether money moved without an order, so that nothing that we do brings it about.
    pub const fn is_transfer(&self) -> bool {
        matches!(self, AccountEvent::Deposit { .. } | AccountEvent::Foreign { .. } | AccountEvent::Unexplained { .. })
    }

    /// The order that it is about.
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            AccountEvent::Accepted(id)
            | AccountEvent::Rejected(id, _)
            | AccountEvent::Cancelled(id, _)
            | AccountEvent::CancelRejected(id, _)
            | AccountEvent::Expired(id)
            | AccountEvent::Lost(id) => Some(*id),
            AccountEvent::Fill(fill) => Some(fill.order),
            _ => None,
        }
    }
}

/// Which strategies and instruments a command is for; none means all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Only this strategy.
    pub strategy: Option<StrategyIndex>,
    /// Only this instrument.
    pub instrument: Option<InstrumentIndex>,
}

/// A part of what an account holds, and what it has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Of which instrument.
    pub instrument: InstrumentIndex,
    /// How much, with the instrument's quantity decimals.
    pub quantity: i64,
    /// What all of it has cost, with the instrument's value decimals.
    pub cost: i128,
}

/// A command from outside; as an input it is journalled and replayed like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Strategies may open positions.
    TradingOn,
    /// Only what reduces a position still passes risk.
    TradingOff,
    /// Cancel open orders.
    CancelAll(Filter),
    /// Cancel open orders, then close positions at market.
    CloseAll(Filter),
    /// Start the strategies; with a warm-up they trade from its end on.
    Start {
        /// Whether a warm-up follows.
        warms_up: bool,
    },
    /// Stop the strategies; open orders are cancelled (O6).
    Stop,
    /// Warm-up is over: strategies may trade.
    WarmedUp,
    /// Place an order in the name of a strategy.
    Open(StrategyIndex, NewOrder),
    /// Cancel one order, whichever strategy's; one that is closed stays as it is.
    Cancel(OrderId),
    /// What the account holds becomes a strategy's position (M3).
    Adopt(StrategyIndex, Holding),
}
