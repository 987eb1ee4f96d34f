//! An account: its ledger and its positions, moved by fills, funding and transfers.

use super::{Bucket, Cause, Change, FeeKind, Fill, Ledger, Position};
use crate::instrument::{AssetIndex, Index, Instrument, InstrumentIndex};
use crate::number::{Rounding, rescale};
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// What is owned of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Everything, in units of the asset's last decimal.
    pub total: i128,
    /// What open orders or positions hold back.
    pub reserved: i128,
}

impl Balance {
    /// What can be used.
    #[inline]
    pub const fn free(&self) -> i128 {
        self.total - self.reserved
    }
}

/// The money of one account at one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    ledger: Ledger,
    positions: Vec<Position>,
}

impl Account {
    /// An empty account; its ledger keeps every posting, or only the sums.
    pub fn new(keeps_postings: bool) -> Self {
        Self { ledger: Ledger::new(keeps_postings), positions: Vec::new() }
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What the wallet holds of an asset.
    #[inline]
    pub fn wallet(&self, asset: AssetIndex) -> i128 {
        self.ledger.sum(asset, Bucket::Wallet)
    }

    /// The position in an instrument.
    #[inline]
    pub fn position(&self, instrument: InstrumentIndex) -> Position {
        self.positions.get(instrument.at()).copied().unwrap_or_default()
    }

    /// All positions, by instrument.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Puts money in, or takes it out when the amount is below zero.
    pub fn deposit(&mut self, asset: AssetIndex, amount: i128, time_ns: TimeNs) {
        self.ledger.post(asset, Bucket::External, Bucket::Wallet, amount, Cause { time_ns, ..Cause::default() });
    }

    /// Books a difference to the venue's balance that nothing explains yet (M5).
    pub fn post_unexplained(&mut self, asset: AssetIndex, amount: i128, time_ns: TimeNs) {
        self.ledger.post(asset, Bucket::Unexplained, Bucket::Wallet, amount, Cause { time_ns, ..Cause::default() });
    }

    /// Counts what it holds already as a position, at a stated cost; no money moves.
    pub fn adopt(&mut self, instrument: InstrumentIndex, quantity: i64, cost: i128) {
        self.position_mut(instrument).apply(quantity, cost);
    }

    /// Books a fill: the trade, then its fee.
    #[inline]
    pub fn apply_fill(&mut self, index: &Index, fill: &Fill) -> Change {
        let instrument = index.instrument(fill.instrument);
        let specification = &instrument.specification;
        let quantity = fill.signed_quantity();
        let value = specification.value(fill.price, quantity);
        let base_fee = base_fee(instrument, fill);
        let position = self.position_mut(fill.instrument);
        let change = position.apply(quantity, value);
        position.take_base_fee(base_fee);
        let cause = Cause { time_ns: fill.venue_time_ns, instrument: Some(fill.instrument), order: Some(fill.order) };
        let decimals = specification.value_decimals();
        if instrument.is_margined() {
            let realised = rescale(change.realised, decimals, index.asset(instrument.settlement).decimals, Rounding::HalfEven);
            self.ledger.post(instrument.settlement, Bucket::Trading, Bucket::Wallet, realised, cause);
        } else {
            let paid = rescale(value, decimals, index.asset(instrument.quote).decimals, Rounding::HalfEven);
            self.ledger.post(instrument.quote, Bucket::Wallet, Bucket::Trading, paid, cause);
            self.ledger.post(instrument.base, Bucket::Trading, Bucket::Wallet, i128::from(quantity), cause);
        }
        self.ledger.post(fill.fee_asset, Bucket::Wallet, fee_bucket(fill.fee_kind), fill.fee, cause);
        change
    }

    /// Books a funding payment to the wallet, below zero when it is paid.
    pub fn apply_funding(&mut self, index: &Index, instrument: InstrumentIndex, amount: i128, time_ns: TimeNs) {
        let settlement = index.instrument(instrument).settlement;
        self.ledger.post(settlement, Bucket::Funding, Bucket::Wallet, amount, Cause { time_ns, instrument: Some(instrument), order: None });
    }

    /// Books a fee that does not belong to a fill.
    pub fn apply_fee(&mut self, asset: AssetIndex, amount: i128, kind: FeeKind, instrument: InstrumentIndex, time_ns: TimeNs) {
        self.ledger.post(asset, Bucket::Wallet, fee_bucket(kind), amount, Cause { time_ns, instrument: Some(instrument), order: None });
    }

    /// The venue's insurance makes up for a wallet below zero after a liquidation.
    pub fn apply_insurance(&mut self, asset: AssetIndex, amount: i128, time_ns: TimeNs) {
        self.ledger.post(asset, Bucket::Insurance, Bucket::Wallet, amount, Cause { time_ns, ..Cause::default() });
    }

    fn position_mut(&mut self, instrument: InstrumentIndex) -> &mut Position {
        if instrument.at() >= self.positions.len() {
            self.positions.resize(instrument.at() + 1, Position::default());
        }
        &mut self.positions[instrument.at()]
    }
}

/// How much of the base asset a fill's fee takes from the position (M2).
#[inline]
pub fn base_fee(instrument: &Instrument, fill: &Fill) -> i64 {
    if !instrument.is_margined() && fill.fee_asset == instrument.base { fill.fee as i64 } else { 0 }
}

const fn fee_bucket(kind: FeeKind) -> Bucket {
    match kind {
        FeeKind::Exchange => Bucket::ExchangeFees,
        FeeKind::Network => Bucket::NetworkFees,
        FeeKind::Liquidation => Bucket::LiquidationFees,
    }
}
