//! A fill: the event by which money moves.

use crate::instrument::{AssetIndex, InstrumentIndex};
use crate::market::Side;
use crate::order::{Liquidity, OrderId};
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// What a fee was for; kinds are kept apart in every report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FeeKind {
    /// The venue's trading fee.
    Exchange,
    /// A transfer's network fee.
    Network,
    /// The venue's fee for closing a position by force.
    Liquidation,
}

impl FeeKind {
    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            FeeKind::Exchange => "exchange",
            FeeKind::Network => "network",
            FeeKind::Liquidation => "liquidation",
        }
    }
}

/// One fill of an order. Its identity is (account, instrument, trade id, order id) (O5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The order; zero for a liquidation, which nobody asked for.
    pub order: OrderId,
    /// The venue's number of the trade.
    pub trade_id: u64,
    /// What was traded.
    pub instrument: InstrumentIndex,
    /// Our side.
    pub side: Side,
    /// At which price.
    pub price: i64,
    /// How much.
    pub quantity: i64,
    /// Whether we rested or took.
    pub liquidity: Liquidity,
    /// The fee, in units of the last decimal of its asset; negative for a rebate.
    pub fee: i128,
    /// The asset of the fee.
    pub fee_asset: AssetIndex,
    /// What the fee was for.
    pub fee_kind: FeeKind,
    /// When it happened at the venue.
    pub venue_time_ns: TimeNs,
}

impl Fill {
    /// The quantity with the sign of the side.
    #[inline]
    pub const fn signed_quantity(&self) -> i64 {
        self.quantity * self.side.sign()
    }
}
