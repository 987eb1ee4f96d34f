//! The last values of a series, merged into one.

use serde::{Deserialize, Serialize};

/// What can be merged: sums, moments.
pub(super) trait Merge: Copy {
    /// What changes nothing when it is merged.
    const EMPTY: Self;

    /// Both as one.
    #[must_use]
    fn merge(self, other: Self) -> Self;
}

impl Merge for f64 {
    const EMPTY: Self = 0.0;

    #[inline]
    fn merge(self, other: Self) -> Self {
        self + other
    }
}

/// The last `period` values merged, in constant amortised time and without ever
/// taking a value out again, so that rounding errors cannot build up.
///
/// The series is cut into rounds of `period` values. The window is then the end of
/// the last round, merged backwards when that round was complete, and the present
/// round, merged as it comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Window<T> {
    /// Before `at`: the values of this round. From `at`: the last round from that place to its end, merged.
    items: Vec<T>,
    at: usize,
    this_round: T,
    is_full: bool,
}

impl<T: Merge> Window<T> {
    /// An empty window over `period` values, of which there is at least one.
    pub fn new(period: u32) -> Self {
        Self { items: vec![T::EMPTY; period as usize], at: 0, this_round: T::EMPTY, is_full: false }
    }

    /// Takes a value; the oldest leaves.
    #[inline]
    pub fn push(&mut self, item: T) {
        self.items[self.at] = item;
        self.this_round = self.this_round.merge(item);
        self.at += 1;
        if self.at == self.items.len() {
            self.start_round();
        }
    }

    fn start_round(&mut self) {
        let mut end = T::EMPTY;
        for item in self.items.iter_mut().rev() {
            end = item.merge(end);
            *item = end;
        }
        self.at = 0;
        self.this_round = T::EMPTY;
        self.is_full = true;
    }

    /// All values of the window as one.
    #[inline]
    pub fn total(&self) -> T {
        self.items[self.at].merge(self.this_round)
    }

    /// Over how many values.
    pub fn period(&self) -> u32 {
        self.items.len() as u32
    }

    /// Whether it has seen `period` values.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// What the window rests on, at the start of a round, to be put on another scale; none within a round.
    #[inline]
    pub fn between_rounds(&mut self) -> Option<&mut [T]> {
        (self.at == 0).then_some(&mut self.items)
    }
}
