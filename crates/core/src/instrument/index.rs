//! The index of venues, assets and instruments. It only grows.

use super::{Kind, Specification};
use crate::error::{Code, Error, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

macro_rules! dense_index {
    ($name:ident, $integer:ty, $what:literal) => {
        #[doc = concat!("The place of ", $what, " in the index.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub $integer);

        impl $name {
            /// As a place in an array.
            #[inline]
            pub const fn at(self) -> usize {
                self.0 as usize
            }
        }
    };
}

dense_index!(VenueIndex, u16, "a venue");
dense_index!(AssetIndex, u16, "an asset");
dense_index!(InstrumentIndex, u32, "an instrument");
dense_index!(AccountIndex, u16, "an account");

/// A venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Venue {
    /// Such as `binance_usdm`.
    pub name: String,
}

/// An account at a venue. Each venue has one, the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDefinition {
    /// Where it is.
    pub venue: VenueIndex,
    /// `venue` for the default account.
    pub name: String,
}

/// An asset, and how exactly amounts of it are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Such as `USDT`.
    pub name: String,
    /// Decimals of every balance and posting.
    pub decimals: u8,
}

/// An instrument with its indices resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Its definition.
    pub specification: Specification,
    /// `venue:symbol`.
    pub name: String,
    /// Where it is traded.
    pub venue: VenueIndex,
    /// The account that trades it.
    pub account: AccountIndex,
    /// What is traded.
    pub base: AssetIndex,
    /// What the price is in.
    pub quote: AssetIndex,
    /// What profit and fees are settled in.
    pub settlement: AssetIndex,
}

impl Instrument {
    /// Whether positions in it are margined.
    #[inline]
    pub fn is_margined(&self) -> bool {
        self.specification.kind != Kind::Spot
    }
}

/// All names, and the indices that the engine uses in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    venues: IndexMap<String, Venue>,
    accounts: IndexMap<String, AccountDefinition>,
    assets: IndexMap<String, Asset>,
    instruments: IndexMap<String, Instrument>,
}

/// Decimals of an asset that nobody defined explicitly: what crypto venues keep.
const DEFAULT_ASSET_DECIMALS: u8 = 8;

impl Index {
    /// Builds the index; all impossible or repeated specifications are listed in one error.
    pub fn new(assets: &[Asset], specifications: &[Specification]) -> Result<Self> {
        let mut index = Self::default();
        let mut problems = Vec::new();
        let mut code = Code::BadSpecification;
        for asset in assets {
            if asset.name.is_empty() || asset.decimals > 18 {
                problems.push(format!("asset {:?}: needs a name and at most 18 decimals", asset.name));
            } else if index.assets.insert(asset.name.clone(), asset.clone()).is_some() {
                problems.push(format!("asset {:?} is defined twice", asset.name));
                code = Code::DuplicateName;
            }
        }
        for specification in specifications {
            if let Err(error) = index.add(specification.clone()) {
                problems.push(error.message.clone());
                code = error.code;
            }
        }
        if problems.is_empty() { Ok(index) } else { Err(Error::new(code, problems.join("\n"))) }
    }

    /// Adds an instrument, with its venue and assets where they are new.
    pub fn add(&mut self, specification: Specification) -> Result<InstrumentIndex> {
        specification.validate()?;
        let name = specification.name();
        if self.instruments.contains_key(&name) {
            return Err(Error::new(Code::DuplicateName, format!("instrument {name} is defined twice")));
        }
        let base = self.add_base(&specification)?;
        let venue = self.add_venue(&specification.venue);
        let instrument = Instrument {
            venue,
            account: self.add_account(venue, &specification.venue),
            base,
            quote: self.add_asset(&specification.quote),
            settlement: self.add_asset(&specification.settlement),
            name: name.clone(),
            specification,
        };
        let (place, _) = self.instruments.insert_full(name, instrument);
        Ok(InstrumentIndex(place as u32))
    }

    fn add_base(&mut self, specification: &Specification) -> Result<AssetIndex> {
        let decimals = specification.quantity_decimals;
        if specification.kind != Kind::Spot {
            return Ok(self.add_asset(&specification.base));
        }
        let base = self.add_asset_with(&specification.base, decimals);
        let kept = self.asset(base).decimals;
        if kept == decimals {
            return Ok(base);
        }
        let message = format!(
            "instrument {}: quantity_decimals = {decimals}, but the asset {} is kept with {kept}",
            specification.name(),
            specification.base
        );
        Err(Error::new(Code::BadSpecification, message)
            .hint(format!("for spot both must be equal: write quantity_decimals = {kept} and keep the step of orders in lot")))
    }

    fn add_venue(&mut self, name: &str) -> VenueIndex {
        let entry = self.venues.entry(name.to_owned());
        let place = entry.index();
        entry.or_insert_with(|| Venue { name: name.to_owned() });
        VenueIndex(place as u16)
    }

    fn add_account(&mut self, venue: VenueIndex, name: &str) -> AccountIndex {
        let entry = self.accounts.entry(name.to_owned());
        let place = entry.index();
        entry.or_insert_with(|| AccountDefinition { venue, name: name.to_owned() });
        AccountIndex(place as u16)
    }

    /// Adds an asset with the default decimals unless it is known.
    pub fn add_asset(&mut self, name: &str) -> AssetIndex {
        self.add_asset_with(name, DEFAULT_ASSET_DECIMALS)
    }

    fn add_asset_with(&mut self, name: &str, decimals: u8) -> AssetIndex {
        let entry = self.assets.entry(name.to_owned());
        let place = entry.index();
        entry.or_insert_with(|| Asset { name: name.to_owned(), decimals });
        AssetIndex(place as u16)
    }

    /// All instruments, in the order of their indices.
    pub fn instruments(&self) -> impl ExactSizeIterator<Item = (InstrumentIndex, &Instrument)> {
        self.instruments.values().enumerate().map(|(place, instrument)| (InstrumentIndex(place as u32), instrument))
    }

    /// All assets, in the order of their indices.
    pub fn assets(&self) -> impl ExactSizeIterator<Item = (AssetIndex, &Asset)> {
        self.assets.values().enumerate().map(|(place, asset)| (AssetIndex(place as u16), asset))
    }

    /// All venues, in the order of their indices.
    pub fn venues(&self) -> impl ExactSizeIterator<Item = (VenueIndex, &Venue)> {
        self.venues.values().enumerate().map(|(place, venue)| (VenueIndex(place as u16), venue))
    }

    /// All accounts, in the order of their indices.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = (AccountIndex, &AccountDefinition)> {
        self.accounts.values().enumerate().map(|(place, account)| (AccountIndex(place as u16), account))
    }

    /// The account at an index, which must come from this index.
    #[inline]
    pub fn account(&self, account: AccountIndex) -> &AccountDefinition {
        &self.accounts[account.at()]
    }

    /// The instrument at an index, which must come from this index.
    #[inline]
    pub fn instrument(&self, instrument: InstrumentIndex) -> &Instrument {
        &self.instruments[instrument.at()]
    }

    /// The asset at an index, which must come from this index.
    #[inline]
    pub fn asset(&self, asset: AssetIndex) -> &Asset {
        &self.assets[asset.at()]
    }

    /// The venue at an index, which must come from this index.
    #[inline]
    pub fn venue(&self, venue: VenueIndex) -> &Venue {
        &self.venues[venue.at()]
    }

    /// The instrument of a name, or an error that says which names there are.
    pub fn find_instrument(&self, name: &str) -> Result<InstrumentIndex> {
        self.instruments
            .get_index_of(name)
            .map(|place| InstrumentIndex(place as u32))
            .ok_or_else(|| unknown(Code::UnknownInstrument, "instrument", name, self.instruments.keys()))
    }

    /// The asset of a name, or an error that says which names there are.
    pub fn find_asset(&self, name: &str) -> Result<AssetIndex> {
        self.assets
            .get_index_of(name)
            .map(|place| AssetIndex(place as u16))
            .ok_or_else(|| unknown(Code::UnknownAsset, "asset", name, self.assets.keys()))
    }

    /// The venue of a name, or an error that says which names there are.
    pub fn find_venue(&self, name: &str) -> Result<VenueIndex> {
        self.venues
            .get_index_of(name)
            .map(|place| VenueIndex(place as u16))
            .ok_or_else(|| unknown(Code::UnknownVenue, "venue", name, self.venues.keys()))
    }
}

fn unknown<'a>(code: Code, what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Error {
    let known: Vec<&str> = known.map(String::as_str).take(12).collect();
    let hint = if known.is_empty() { format!("no {what} is defined") } else { format!("defined are: {}", known.join(", ")) };
    Error::new(code, format!("unknown {what} {name:?}")).hint(hint)
}
