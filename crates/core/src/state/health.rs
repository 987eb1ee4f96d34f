//! The condition of connections, streams and markets (law 7: what is stale says so).

use crate::event::{Condition, Part};
use crate::instrument::{Index, InstrumentIndex, VenueIndex};
use crate::state::Stream;
use serde::{Deserialize, Serialize};

/// What is not in order; nothing is the usual state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    down: Vec<(VenueIndex, Part)>,
    stale: Vec<Stream>,
    halted: Vec<InstrumentIndex>,
}

impl Health {
    /// Takes a change; tells whether it was one.
    pub fn apply(&mut self, condition: &Condition) -> bool {
        match *condition {
            Condition::Connected(venue, part) => remove(&mut self.down, &(venue, part)),
            Condition::Disconnected(venue, part) => insert(&mut self.down, (venue, part)),
            Condition::Stale(stream) => insert(&mut self.stale, stream),
            Condition::Fresh(stream) => remove(&mut self.stale, &stream),
            Condition::Gap { .. } => true,
            Condition::Halted(instrument) => insert(&mut self.halted, instrument),
            Condition::Resumed(instrument) => remove(&mut self.halted, &instrument),
        }
    }

    /// Nobody names a stream any more, so that nothing is known of any.
    pub(crate) fn forget_streams(&mut self) {
        self.stale.clear();
    }

    /// Whether everything is in order.
    #[inline]
    pub fn is_good(&self) -> bool {
        self.down.is_empty() && self.stale.is_empty() && self.halted.is_empty()
    }

    /// Whether a connection is gone.
    pub fn is_down(&self, venue: VenueIndex, part: Part) -> bool {
        self.down.contains(&(venue, part))
    }

    /// Whether what is known of an instrument's market is old or has a hole.
    pub fn is_stale(&self, index: &Index, instrument: InstrumentIndex) -> bool {
        self.is_down(index.instrument(instrument).venue, Part::MarketData)
            || self.stale.iter().any(|stream| stream.instrument == instrument)
    }

    /// Whether the venue takes no new orders for an instrument.
    pub fn is_halted(&self, instrument: InstrumentIndex) -> bool {
        self.halted.contains(&instrument)
    }

    /// Connections that are gone.
    pub fn down(&self) -> &[(VenueIndex, Part)] {
        &self.down
    }

    /// Streams that are stale.
    pub fn stale(&self) -> &[Stream] {
        &self.stale
    }

    /// Instruments that are halted.
    pub fn halted(&self) -> &[InstrumentIndex] {
        &self.halted
    }
}

/// Adds to a sorted list; false if it was there.
fn insert<T: Ord>(list: &mut Vec<T>, item: T) -> bool {
    match list.binary_search(&item) {
        Ok(_) => false,
        Err(place) => {
            list.insert(place, item);
            true
        }
    }
}

/// Takes from a sorted list; false if it was not there.
fn remove<T: Ord>(list: &mut Vec<T>, item: &T) -> bool {
    match list.binary_search(item) {
        Ok(place) => {
            list.remove(place);
            true
        }
        Err(_) => false,
    }
}
