//! Margin: what positions and orders need, and when the venue steps in.

use super::Account;
use crate::instrument::{AssetIndex, Index, Instrument, InstrumentIndex};
use crate::market::Mark;
use crate::number::{RATE_DECIMALS, Rate, Rounding, divide, power_of_ten, rescale};
use serde::{Deserialize, Serialize};

/// What the venue does about an account's margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarginCheck {
    /// There is enough.
    Enough,
    /// Maintenance takes four fifths of the equity or more: a warning. Binance sends its
    /// margin call at this ratio.
    Call,
    /// Equity is below the maintenance margin: positions are closed by force.
    Liquidate,
}

/// Equity and requirements of all positions that settle in one asset, in that asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarginState {
    /// Wallet plus unrealised profit.
    pub equity: i128,
    /// What the positions need to stay open.
    pub maintenance: i128,
}

impl MarginState {
    /// The state of the account's positions in `settlement`; `marks` gives the mark by instrument.
    pub fn of(account: &Account, index: &Index, settlement: AssetIndex, marks: impl Fn(InstrumentIndex) -> Mark) -> Self {
        let mut state = Self { equity: account.wallet(settlement), ..Self::default() };
        for (instrument, definition) in index.instruments().take(account.positions().len()) {
            let position = account.position(instrument);
            if position.quantity == 0 || definition.settlement != settlement {
                continue;
            }
            let Some(margin) = definition.specification.margin else { continue };
            let Some(value) = marks(instrument).value(&definition.specification, position.quantity) else { continue };
            let decimals = index.asset(settlement).decimals;
            let unrealised = value - position.cost;
            let unit = 10_i128.pow(u32::from(definition.specification.value_decimals().saturating_sub(decimals)));
            state.equity +=
                rescale(unrealised.div_euclid(unit) * unit, definition.specification.value_decimals(), decimals, Rounding::Down);
            state.maintenance += part_of(value.abs(), margin.maintenance, definition, decimals);
        }
        state
    }

    /// Whether the venue has to step in.
    pub fn check(&self) -> MarginCheck {
        if self.maintenance == 0 {
            MarginCheck::Enough
        } else if self.equity < self.maintenance {
            MarginCheck::Liquidate
        } else if self.maintenance.saturating_mul(5) >= self.equity.saturating_mul(4) {
            MarginCheck::Call
        } else {
            MarginCheck::Enough
        }
    }

    /// By how much a mark may move, in price units, before the answer of [`Self::check`] can
    /// change, when `positions` positions move against the account together.
    ///
    /// The threshold of the call, equity × 4/5 = maintenance, is the nearest one.
    pub fn safe_distance(&self, definition: &Instrument, quantity: i64, decimals: u8, positions: usize) -> i64 {
        let Some(margin) = definition.specification.margin else { return 0 };
        // Profit is rounded down and maintenance up, in each position: both may cost a unit more.
        let rounding = 9 * positions.max(1) as i128;
        let slack = self.equity.saturating_mul(4).saturating_sub(self.maintenance.saturating_mul(5)).saturating_sub(rounding);
        if slack <= 0 {
            return 0;
        }
        // A move of one price unit costs the value of the quantity at price 1 in equity, and may add its share of maintenance.
        let value = definition.specification.value(1, quantity).abs();
        let cost = value.saturating_mul(4).saturating_add(part_of_value(value, margin.maintenance).saturating_mul(5)).saturating_add(5);
        let slack_in_value_units = rescale(slack, decimals, definition.specification.value_decimals(), Rounding::Down);
        i64::try_from(slack_in_value_units / cost.saturating_mul(positions.max(1) as i128)).unwrap_or(i64::MAX / 4).saturating_sub(1).max(0)
    }
}

/// The margin that a value needs: `value × rate`, rounded up, in the settlement asset.
#[inline]
pub fn part_of(value: i128, rate: Rate, definition: &Instrument, asset_decimals: u8) -> i128 {
    rescale(value.saturating_mul(rate.into()), definition.specification.value_decimals() + RATE_DECIMALS, asset_decimals, Rounding::Up)
}

fn part_of_value(value: i128, rate: Rate) -> i128 {
    divide(value.saturating_mul(rate.into()), i128::from(power_of_ten(RATE_DECIMALS)), Rounding::Up)
}

/// The initial margin rate: the instrument's, or that of the chosen leverage if it is higher.
#[inline]
pub fn initial_rate(definition: &Instrument, leverage: Option<i64>) -> Rate {
    let own = definition.specification.margin.map_or(0, |margin| margin.initial);
    let chosen = leverage.map_or(0, |leverage| (power_of_ten(RATE_DECIMALS) + leverage - 1) / leverage.max(1));
    own.max(chosen)
}
