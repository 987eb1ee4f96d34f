//! The double-entry ledger: every change of a balance is a transfer between two buckets.

use crate::instrument::{AssetIndex, InstrumentIndex};
use crate::order::OrderId;
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// Where an amount can be. All but the wallet are the other side of what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Bucket {
    /// What the account owns.
    Wallet = 0,
    /// Where deposits come from and withdrawals go to.
    External = 1,
    /// The counterparties of our trades.
    Trading = 2,
    /// Trading fees paid.
    ExchangeFees = 3,
    /// Network fees paid.
    NetworkFees = 4,
    /// Liquidation fees paid.
    LiquidationFees = 5,
    /// Funding paid and received.
    Funding = 6,
    /// What a bankrupt account could not pay and the venue's insurance did.
    Insurance = 7,
    /// Differences that nothing explains yet (M5).
    Unexplained = 8,
}

impl Bucket {
    /// Every bucket.
    pub const ALL: [Bucket; 9] = [
        Bucket::Wallet,
        Bucket::External,
        Bucket::Trading,
        Bucket::ExchangeFees,
        Bucket::NetworkFees,
        Bucket::LiquidationFees,
        Bucket::Funding,
        Bucket::Insurance,
        Bucket::Unexplained,
    ];

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Bucket::Wallet => "wallet",
            Bucket::External => "external",
            Bucket::Trading => "trading",
            Bucket::ExchangeFees => "exchange_fees",
            Bucket::NetworkFees => "network_fees",
            Bucket::LiquidationFees => "liquidation_fees",
            Bucket::Funding => "funding",
            Bucket::Insurance => "insurance",
            Bucket::Unexplained => "unexplained",
        }
    }
}

/// What a posting is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// When, by venue time.
    pub time_ns: TimeNs,
    /// The instrument, if one is concerned.
    pub instrument: Option<InstrumentIndex>,
    /// The order, if one is concerned.
    pub order: Option<OrderId>,
}

/// An amount that moved from one bucket to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Of which asset.
    pub asset: AssetIndex,
    /// Where it was.
    pub from: Bucket,
    /// Where it is now.
    pub to: Bucket,
    /// How much, above zero, in units of the asset's last decimal.
    pub amount: i128,
    /// What for.
    pub cause: Cause,
}

/// The sums of all postings by asset and bucket, and the postings themselves where they are kept.
///
/// A posting takes from one bucket what it gives to another, so that the buckets of an
/// asset always sum to zero: nothing appears or vanishes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    sums: Vec<[i128; Bucket::ALL.len()]>,
    postings: Option<Vec<Posting>>,
}

impl Ledger {
    /// An empty ledger that keeps its postings, or only their sums.
    pub fn new(keeps_postings: bool) -> Self {
        Self { sums: Vec::new(), postings: keeps_postings.then(Vec::new) }
    }

    /// Moves an amount; a negative one moves the other way, zero does nothing.
    #[inline]
    pub fn post(&mut self, asset: AssetIndex, from: Bucket, to: Bucket, amount: i128, cause: Cause) {
        if amount == 0 {
            return;
        }
        if asset.at() >= self.sums.len() {
            self.sums.resize(asset.at() + 1, [0; Bucket::ALL.len()]);
        }
        let sums = &mut self.sums[asset.at()];
        sums[from as usize] -= amount;
        sums[to as usize] += amount;
        if let Some(postings) = &mut self.postings {
            let (from, to, amount) = if amount > 0 { (from, to, amount) } else { (to, from, -amount) };
            postings.push(Posting { asset, from, to, amount, cause });
        }
    }

    /// What a bucket holds of an asset.
    #[inline]
    pub fn sum(&self, asset: AssetIndex, bucket: Bucket) -> i128 {
        self.sums.get(asset.at()).map_or(0, |sums| sums[bucket as usize])
    }

    /// The postings in their order; empty where only sums are kept.
    pub fn postings(&self) -> &[Posting] {
        self.postings.as_deref().unwrap_or_default()
    }

    /// Whether every asset's buckets sum to zero, and the sums are those of the postings.
    pub fn balances(&self) -> bool {
        let mut again = Self::new(false);
        for posting in self.postings() {
            again.post(posting.asset, posting.from, posting.to, posting.amount, posting.cause);
        }
        again.sums.resize(self.sums.len(), [0; Bucket::ALL.len()]);
        self.sums.iter().all(|sums| sums.iter().sum::<i128>() == 0) && (self.postings.is_none() || again.sums == self.sums)
    }
}
