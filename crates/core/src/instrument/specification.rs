//! What is agreed about an instrument: its grid, its size limits, its fees and its margin.

use crate::error::{Code, Error, Result};
use crate::number::{MAXIMUM_DECIMALS, RATE_DECIMALS, Rate, power_of_ten};
use serde::{Deserialize, Serialize};

/// What kind of contract an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// An exchange of the base asset for the quote asset.
    Spot,
    /// A perpetual contract, margined and settled in the settlement asset.
    LinearPerpetual,
}

impl Kind {
    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Spot => "spot",
            Kind::LinearPerpetual => "linear_perpetual",
        }
    }

    /// The kind of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Kind::Spot, Kind::LinearPerpetual].into_iter().find(|kind| kind.name() == name)
    }
}

/// Which asset a spot fee is taken in; derivatives always pay in their settlement asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeeAsset {
    /// The asset that was received: the base for a purchase, the quote for a sale.
    #[default]
    Received,
    /// The quote asset, on both sides.
    Quote,
}

impl FeeAsset {
    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            FeeAsset::Received => "received",
            FeeAsset::Quote => "quote",
        }
    }

    /// The fee asset of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        [FeeAsset::Received, FeeAsset::Quote].into_iter().find(|asset| asset.name() == name)
    }
}

/// Fees as fractions of the traded value, in units of 1e-9; a negative one is a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fees {
    /// For an order that rested.
    pub maker: Rate,
    /// For an order that took.
    pub taker: Rate,
    /// Added when the venue closes a position by force.
    pub liquidation: Rate,
    /// Which asset a spot fee is taken in.
    pub asset: FeeAsset,
}

/// Margin rates of a derivative, in units of 1e-9 of the position's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Margin {
    /// Needed to open: one over the largest leverage.
    pub initial: Rate,
    /// Needed to stay open; below it the venue liquidates.
    pub maintenance: Rate,
}

/// The definition of one instrument.
///
/// Prices have `price_decimals`, quantities `quantity_decimals`; a value is
/// price × quantity × multiplier and has [`Specification::value_decimals`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specification {
    /// The venue's name, such as `binance_usdm`.
    pub venue: String,
    /// The venue's name for the instrument, such as `BTCUSDT`.
    pub symbol: String,
    /// What kind of contract it is.
    pub kind: Kind,
    /// The asset that is traded.
    pub base: String,
    /// The asset that the price is in.
    pub quote: String,
    /// The asset that profit and fees are settled in.
    pub settlement: String,
    /// Decimals of prices; fixed for good.
    pub price_decimals: u8,
    /// Decimals of quantities; fixed for good. For spot also the decimals of the base asset,
    /// because a position there is an amount of it, down to its fees (M2).
    pub quantity_decimals: u8,
    /// The step of prices, in units of the last price decimal.
    pub tick: i64,
    /// The step of quantities, in units of the last quantity decimal.
    pub lot: i64,
    /// The smallest quantity of an order, in the same units.
    pub minimum_quantity: i64,
    /// The smallest value of an order, with [`Specification::value_decimals`].
    pub minimum_notional: i128,
    /// Units of the base per unit of quantity, with `multiplier_decimals`.
    pub multiplier: i64,
    /// Decimals of the multiplier.
    pub multiplier_decimals: u8,
    /// Trading fees.
    pub fees: Fees,
    /// Margin rates; none for spot.
    pub margin: Option<Margin>,
}

impl Specification {
    /// `venue:symbol`, the name that users write.
    pub fn name(&self) -> String {
        format!("{}:{}", self.venue, self.symbol)
    }

    /// Decimals of price × quantity × multiplier.
    #[inline]
    pub const fn value_decimals(&self) -> u8 {
        self.price_decimals + self.quantity_decimals + self.multiplier_decimals
    }

    /// Price × quantity × multiplier, exact, with [`Specification::value_decimals`].
    ///
    /// With prices and quantities of the whole 64 bits the product of the first two
    /// fits 128 bits; with a multiplier other than one it stops at their largest number, which
    /// is beyond what an order may be worth.
    #[inline]
    pub fn value(&self, price: i64, quantity: i64) -> i128 {
        let value = i128::from(price) * i128::from(quantity);
        if self.multiplier == 1 { value } else { value.saturating_mul(self.multiplier.into()) }
    }

    /// Every reason for which this specification is impossible.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, text: String| {
            if !holds {
                problems.push(text);
            }
        };
        for (field, name) in [
            ("venue", &self.venue),
            ("symbol", &self.symbol),
            ("base", &self.base),
            ("quote", &self.quote),
            ("settlement", &self.settlement),
        ] {
            check(
                !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control()),
                format!("{field} = {name:?}: a name without spaces is needed"),
            );
        }
        check(!self.venue.contains(':'), format!("venue = {:?}: a venue's name has no colon", self.venue));
        for (field, decimals) in [("price_decimals", self.price_decimals), ("quantity_decimals", self.quantity_decimals)] {
            check(decimals <= MAXIMUM_DECIMALS / 2 + 3, format!("{field} = {decimals}: at most 12"));
        }
        let decimals = u32::from(self.price_decimals) + u32::from(self.quantity_decimals) + u32::from(self.multiplier_decimals);
        check(decimals <= 29, format!("price_decimals + quantity_decimals + multiplier_decimals = {decimals}: at most 29"));
        check(self.multiplier_decimals <= 12, format!("multiplier_decimals = {}: at most 12", self.multiplier_decimals));
        for (field, value) in [("tick", self.tick), ("lot", self.lot), ("multiplier", self.multiplier)] {
            check(value > 0, format!("{field} = {value}: must be above zero"));
        }
        check(self.multiplier <= 1_000_000_000_000, format!("multiplier = {}: too large", self.multiplier));
        check(self.minimum_quantity >= 0, format!("minimum_quantity = {}: must not be negative", self.minimum_quantity));
        check(self.minimum_notional >= 0, format!("minimum_notional = {}: must not be negative", self.minimum_notional));
        check(self.base != self.quote, format!("base and quote are both {:?}", self.base));
        self.check_rates(&mut check);
        problems
    }

    fn check_rates(&self, check: &mut impl FnMut(bool, String)) {
        let whole = power_of_ten(RATE_DECIMALS);
        for (field, rate) in [("maker_fee", self.fees.maker), ("taker_fee", self.fees.taker), ("liquidation_fee", self.fees.liquidation)] {
            check(rate.abs() < whole, format!("{field}: a fee is a fraction of the value, between -1 and 1"));
        }
        check(self.fees.liquidation >= 0, "liquidation_fee: must not be negative".into());
        match (self.kind, &self.margin) {
            (Kind::Spot, Some(_)) => check(false, "margin: a spot instrument has none".into()),
            (Kind::Spot, None) => check(
                self.settlement == self.quote,
                format!("settlement = {:?}: spot settles in its quote asset {:?}", self.settlement, self.quote),
            ),
            (Kind::LinearPerpetual, None) => check(false, "initial_margin and maintenance_margin: a perpetual needs both".into()),
            (Kind::LinearPerpetual, Some(margin)) => {
                check(margin.initial > 0 && margin.initial <= whole, "initial_margin: a fraction above 0 and at most 1".into());
                check(
                    margin.maintenance > 0 && margin.maintenance <= margin.initial,
                    "maintenance_margin: above 0 and at most the initial margin".into(),
                );
                check(
                    self.settlement == self.quote,
                    format!("settlement = {:?}: a linear contract settles in its quote asset {:?}", self.settlement, self.quote),
                );
            }
        }
    }

    /// Refuses an impossible specification, with all reasons at once.
    pub fn validate(&self) -> Result<()> {
        let problems = self.problems();
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::new(Code::BadSpecification, format!("instrument {}: {}", self.name(), problems.join("; "))))
    }
}
