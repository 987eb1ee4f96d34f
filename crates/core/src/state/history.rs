//! The last events of a stream, kept for a strategy.

use super::Stream;
use crate::market::MarketEvent;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The place of a history among those of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryIndex(pub u32);

impl HistoryIndex {
    /// As a place in an array.
    #[inline]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// The last `length` events of a stream, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    /// Of which stream.
    pub stream: Stream,
    length: usize,
    events: VecDeque<MarketEvent>,
}

impl History {
    /// An empty history that keeps up to `length` events.
    pub fn new(stream: Stream, length: usize) -> Self {
        Self { stream, length, events: VecDeque::with_capacity(length) }
    }

    /// Adds an event and forgets the oldest beyond the length.
    #[inline]
    pub fn push(&mut self, event: &MarketEvent) {
        if self.events.len() == self.length {
            self.events.pop_front();
        }
        self.events.push_back(*event);
    }

    /// How many events it keeps.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The events, oldest first.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &MarketEvent> {
        self.events.iter()
    }
}
