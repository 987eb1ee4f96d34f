//! Venues, assets and instruments: names outside, dense indices inside.

mod index;
mod specification;

pub use index::{Asset, AssetIndex, Index, Instrument, InstrumentIndex, Venue, VenueIndex};
pub use specification::{Fees, Kind, Margin, Specification};
