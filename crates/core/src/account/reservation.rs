//! What an open order holds back.

use crate::instrument::{AssetIndex, FeeAsset, Index, Instrument};
use crate::market::Side;
use crate::number::{RATE_DECIMALS, Rounding, power_of_ten, rescale};

/// The asset and the amount that a spot order of this size holds back; none for derivatives,
/// whose margin is counted for the position as a whole.
#[inline]
pub fn reservation(index: &Index, instrument: &Instrument, side: Side, quantity: i64, price: i64) -> Option<(AssetIndex, i128)> {
    if instrument.is_margined() {
        return None;
    }
    let specification = &instrument.specification;
    match side {
        Side::Sell => Some((instrument.base, i128::from(quantity))),
        Side::Buy => {
            let value = specification.value(price, quantity);
            // A fee in the quote asset comes on top of the price.
            let rate = if specification.fees.asset == FeeAsset::Quote { specification.fees.taker.max(0) } else { 0 };
            let whole = power_of_ten(RATE_DECIMALS);
            let decimals = specification.value_decimals();
            let amount = if rate == 0 {
                rescale(value, decimals, index.asset(instrument.quote).decimals, Rounding::Up)
            } else {
                rescale(
                    value.saturating_mul((whole + rate).into()),
                    decimals + RATE_DECIMALS,
                    index.asset(instrument.quote).decimals,
                    Rounding::Up,
                )
            };
            Some((instrument.quote, amount))
        }
    }
}
