//! What an order is.

use super::{Confirmed, Status};
use crate::error::Code;
use crate::instrument::{AccountIndex, InstrumentIndex};
use crate::market::Side;
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The number of an order within a run, counted by the engine from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderId(pub u64);

/// The place of a strategy among the run's strategies, which are sorted by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StrategyIndex(pub u16);

impl StrategyIndex {
    /// As a place in an array.
    #[inline]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// How an order's price is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderType {
    /// At whatever price there is.
    Market,
    /// At this price or better.
    Limit(i64),
}

impl OrderType {
    /// The limit price, if there is one.
    #[inline]
    pub const fn price(self) -> Option<i64> {
        match self {
            OrderType::Market => None,
            OrderType::Limit(price) => Some(price),
        }
    }

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            OrderType::Market => "market",
            OrderType::Limit(_) => "limit",
        }
    }
}

/// How long an order lasts, and whether it may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Until it is filled or cancelled.
    #[default]
    GoodTillCancelled,
    /// What cannot be filled at once is cancelled.
    ImmediateOrCancel,
    /// Until it is filled or cancelled; rejected if it would take.
    PostOnly,
}

impl TimeInForce {
    /// Every time in force.
    pub const ALL: [TimeInForce; 3] = [TimeInForce::GoodTillCancelled, TimeInForce::ImmediateOrCancel, TimeInForce::PostOnly];

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            TimeInForce::GoodTillCancelled => "gtc",
            TimeInForce::ImmediateOrCancel => "ioc",
            TimeInForce::PostOnly => "post_only",
        }
    }

    /// The time in force of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|time_in_force| time_in_force.name() == name)
    }
}

/// Whether a fill's order rested or took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Liquidity {
    /// It rested.
    Maker,
    /// It took.
    Taker,
}

impl Liquidity {
    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Liquidity::Maker => "maker",
            Liquidity::Taker => "taker",
        }
    }
}

/// Which of an account's positions in an instrument is meant (M1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PositionSlot {
    /// The only one, of either sign.
    #[default]
    Net,
    /// The long one, where both can be held.
    Long,
    /// The short one, where both can be held.
    Short,
}

/// What a strategy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// Whose money.
    pub account: AccountIndex,
    /// Which of its positions.
    pub slot: PositionSlot,
    /// What to trade.
    pub instrument: InstrumentIndex,
    /// Buy or sell.
    pub side: Side,
    /// How much, above zero.
    pub quantity: i64,
    /// At which price.
    pub order_type: OrderType,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// It may only reduce its strategy's position (O4).
    pub reduce_only: bool,
}

/// An order as the engine knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its number in the run.
    pub id: OrderId,
    /// Whose it is.
    pub strategy: StrategyIndex,
    /// The strategy's own count of orders, from one; with run and strategy the client id (O5).
    pub count: u64,
    /// What was asked for.
    pub request: NewOrder,
    /// Whether `target` sent it, and may replace it.
    pub by_target: bool,
    /// Where it is in its life.
    pub status: Status,
    /// Why it was rejected, refused or cancelled.
    pub reason: Option<Code>,
    /// What a check written by the user said about it.
    pub note: Option<Box<str>>,
    /// The trade ids of its fills, by which a repeated one is known.
    pub trade_ids: SmallVec<[u64; 2]>,
    /// Whether the venue has said that it has it.
    pub is_accepted: bool,
    /// Whether its cancel was asked for, until it has ended or the venue has said no.
    pub is_cancel_wanted: bool,
    /// How much has been filled.
    pub filled: i64,
    /// What the fills were worth together, with the instrument's value decimals.
    pub filled_value: i128,
    /// When the strategy decided.
    pub decided_ns: TimeNs,
    /// When its status last changed, by arrival time.
    pub updated_ns: TimeNs,
    /// Twice the mid at the decision, or twice the mark where there is no quote; none without any.
    pub decision_mid_doubled: Option<i64>,
}

impl Order {
    /// An order that a strategy has just asked for.
    pub(crate) fn new(
        id: OrderId,
        strategy: StrategyIndex,
        count: u64,
        request: NewOrder,
        now_ns: TimeNs,
        decision_mid_doubled: Option<i64>,
    ) -> Self {
        Self {
            id,
            strategy,
            count,
            request,
            by_target: false,
            status: Status::Queued,
            reason: None,
            note: None,
            trade_ids: SmallVec::new(),
            is_accepted: false,
            is_cancel_wanted: false,
            filled: 0,
            filled_value: 0,
            decided_ns: now_ns,
            updated_ns: now_ns,
            decision_mid_doubled,
        }
    }

    /// What the venue has said of it.
    pub(crate) const fn confirmed(&self) -> Confirmed {
        match (self.filled > 0, self.is_accepted) {
            (true, _) => Confirmed::Fill,
            (_, true) => Confirmed::Acceptance,
            _ => Confirmed::Nothing,
        }
    }

    /// Whether it rests at the venue although its cancel was asked for: that cancel did not get through.
    pub(crate) const fn has_outlived_cancel(&self) -> bool {
        self.is_cancel_wanted && matches!(self.status, Status::Open | Status::PartlyFilled)
    }

    /// How much is not filled yet.
    #[inline]
    pub const fn remaining(&self) -> i64 {
        self.request.quantity - self.filled
    }

    /// What is not filled yet, with the sign of the side; zero once the order is closed.
    #[inline]
    pub const fn working(&self) -> i64 {
        if self.status.is_closed() { 0 } else { self.remaining() * self.request.side.sign() }
    }
}
