//! What an account is worth in one currency, by declared pairs (N4).

use super::State;
use crate::instrument::{AssetIndex, Index, InstrumentIndex, Kind};
use crate::number::wide_to_float;
use serde::{Deserialize, Serialize};

/// How an asset is turned into the currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Rate {
    /// It is the currency.
    One,
    /// The price of this pair, whose base is the asset.
    Times(InstrumentIndex),
    /// One over the price of this pair, whose base is the currency.
    Over(InstrumentIndex),
    /// No pair is declared.
    Unknown,
}

/// The currency of a run's totals, and the way to it from every asset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Valuation {
    currency: AssetIndex,
    rates: Vec<Rate>,
}

impl Valuation {
    /// Uses the spot instruments of the index as the declared pairs.
    pub fn new(index: &Index, currency: AssetIndex) -> Self {
        let pair = |base: AssetIndex, quote: AssetIndex| {
            index
                .instruments()
                .find(|(_, pair)| pair.specification.kind == Kind::Spot && pair.base == base && pair.quote == quote)
                .map(|(instrument, _)| instrument)
        };
        let rate = |asset: AssetIndex| match (asset == currency, pair(asset, currency), pair(currency, asset)) {
            (true, _, _) => Rate::One,
            (_, Some(instrument), _) => Rate::Times(instrument),
            (_, _, Some(instrument)) => Rate::Over(instrument),
            _ => Rate::Unknown,
        };
        Self { currency, rates: index.assets().map(|(asset, _)| rate(asset)).collect() }
    }

    /// The assets that no declared pair leads to the currency from.
    pub fn unknown(&self) -> impl Iterator<Item = AssetIndex> {
        self.rates.iter().enumerate().filter(|(_, rate)| **rate == Rate::Unknown).map(|(at, _)| AssetIndex(at as u16))
    }

    /// The currency.
    pub fn currency(&self) -> AssetIndex {
        self.currency
    }

    /// The price of one unit of an asset, if it is known.
    pub fn rate(&self, state: &State, asset: AssetIndex) -> Option<f64> {
        let price = |instrument: InstrumentIndex| {
            state.market(instrument).mark.to_float(state.index().instrument(instrument).specification.price_decimals)
        };
        match self.rates.get(asset.at())? {
            Rate::One => Some(1.0),
            Rate::Times(instrument) => price(*instrument),
            Rate::Over(instrument) => price(*instrument).map(|price| 1.0 / price),
            Rate::Unknown => None,
        }
    }

    /// The price of one unit of an asset in another one, if both have one.
    pub fn between(&self, state: &State, asset: AssetIndex, other: AssetIndex) -> Option<f64> {
        Some(self.rate(state, asset)? / self.rate(state, other)?)
    }

    /// Everything that all accounts own; unknown while anything in it has no price.
    pub fn equity(&self, state: &State) -> Option<f64> {
        let mut equity = 0.0;
        for (account, _) in state.index().accounts() {
            for (asset, definition) in state.index().assets() {
                let wallet = state.account(account).wallet(asset);
                if wallet != 0 {
                    equity += wide_to_float(wallet, definition.decimals) * self.rate(state, asset)?;
                }
            }
            for (at, position) in state.account(account).positions().iter().enumerate().filter(|(_, position)| position.quantity != 0) {
                let instrument = InstrumentIndex(at as u32);
                let definition = state.index().instrument(instrument);
                if definition.is_margined() {
                    let unrealised = position.unrealised(&definition.specification, &state.market(instrument).mark)?;
                    equity +=
                        wide_to_float(unrealised, definition.specification.value_decimals()) * self.rate(state, definition.settlement)?;
                }
            }
        }
        Some(equity)
    }
}
