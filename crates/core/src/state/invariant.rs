//! What must hold after every event (DESIGN, section 8).

use super::State;
use crate::account::Bucket;
use crate::order::Status;

impl State {
    /// The first rule that does not hold; none in a correct engine that was told the truth.
    pub fn broken_rule(&self) -> Option<String> {
        self.broken_ledger().or_else(|| self.broken_position()).or_else(|| self.broken_order())
    }

    /// The same for debug builds, after every event that moves orders or money: without what an
    /// untrue input could break, and without a walk over very many orders.
    pub(crate) fn broken_own_rule(&self) -> Option<String> {
        const FEW: usize = 256;
        let is_few = self.orders.known().nth(FEW).is_none();
        self.broken_ledger().or_else(|| if is_few { self.broken_order() } else { None })
    }

    fn broken_ledger(&self) -> Option<String> {
        for (account, definition) in self.index.accounts() {
            for (asset, named) in self.index.assets() {
                let ledger = self.accounts[account.at()].ledger();
                let sum: i128 = Bucket::ALL.into_iter().map(|bucket| ledger.sum(asset, bucket)).sum();
                if sum != 0 {
                    return Some(format!("{} of {}: the buckets sum to {sum}, not to zero", named.name, definition.name));
                }
            }
        }
        None
    }

    /// An account's position is what its strategies hold together, where nobody else trades on it (M3).
    fn broken_position(&self) -> Option<String> {
        for (instrument, definition) in self.index.instruments() {
            let held = self.accounts[definition.account.at()].position(instrument).quantity;
            let attributed: i64 = self.strategies.iter().map(|strategy| strategy.positions[instrument.at()].quantity).sum();
            if held != attributed {
                return Some(format!("{}: the account holds {held}, its strategies {attributed}", definition.name));
            }
        }
        None
    }

    /// An order is listed as open exactly while it is, and fills never exceed it.
    fn broken_order(&self) -> Option<String> {
        let listed = self.orders.all_open().count();
        let open = self.orders.known().filter(|order| !order.status.is_closed()).count();
        if listed != open || self.orders.all_open().any(|order| order.status.is_closed()) {
            return Some(format!("{listed} orders are listed as open, {open} are"));
        }
        let broken = self.orders.known().find(|order| {
            !(0..=order.request.quantity).contains(&order.filled)
                || (order.status == Status::Filled && order.remaining() != 0)
                || (!order.status.is_closed() && order.remaining() == 0)
                || (order.filled == 0) != order.trade_ids.is_empty()
        });
        broken.map(|order| format!("impossible order {order:?}"))
    }
}
