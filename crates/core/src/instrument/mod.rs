//! Venues, assets and instruments: names outside, dense indices inside.

mod index;
mod specification;

pub use index::{AccountDefinition, AccountIndex, Asset, AssetIndex, Index, Instrument, InstrumentIndex, Venue, VenueIndex};
pub use specification::{FeeAsset, Fees, Kind, Margin, Specification};
