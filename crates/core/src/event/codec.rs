//! The stream of inputs and decisions: journal, audit and replica in one codec.
//!
//! An entry is postcard, whose wire format is stable; entries follow
//! one another in blocks. A block that does not decode to its last byte is an error.

use super::Event;
use crate::error::{Code, Error, Result};
use crate::market::MarketEvent;
use crate::number::Varints;
use crate::order::Request;
use serde::{Deserialize, Serialize};

/// The version of the codec; a journal states the one that wrote it.
pub const CODEC_VERSION: u32 = 6;

/// One entry of the stream. Inputs and decisions share one sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// Something the engine was told.
    Input(Event),
    /// Something it asked for because of the input before.
    Decision(Request),
}

/// The same without owning what it holds; both are encoded alike.
#[derive(Serialize)]
enum Borrowed<'entry> {
    Input(&'entry Event),
    Decision(&'entry Request),
}

/// Appends an input to a block.
pub fn encode_input(event: &Event, block: &mut Vec<u8>) -> Result<()> {
    encode(&Borrowed::Input(event), block)
}

/// Appends a decision to a block.
pub fn encode_decision(request: &Request, block: &mut Vec<u8>) -> Result<()> {
    encode(&Borrowed::Decision(request), block)
}

fn encode(entry: &Borrowed<'_>, block: &mut Vec<u8>) -> Result<()> {
    let taken = std::mem::take(block);
    *block =
        postcard::to_extend(entry, taken).map_err(|error| Error::new(Code::Internal, format!("an entry cannot be encoded: {error}")))?;
    Ok(())
}

/// Reads all entries of a block.
pub fn decode_entries(block: &[u8]) -> Result<Vec<Entry>> {
    entries(block).collect()
}

/// The entries of a block, one after another; one that cannot be read is the last.
pub fn entries(block: &[u8]) -> Entries<'_> {
    Entries { block, at: 0 }
}

/// The entries of a block, one after another.
pub struct Entries<'block> {
    block: &'block [u8],
    at: usize,
}

impl Entries<'_> {
    /// At which byte the next one begins.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next entry, where it is a row of market data: nearly all are.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as `MarketEvent::read`")]
    pub fn row(&mut self) -> Option<MarketEvent> {
        // The first variant of an entry, and the first of an event.
        let [0, 0, written @ ..] = &self.block[self.at..] else { return None };
        let mut numbers = Varints::new(written);
        let row = MarketEvent::read(&mut numbers)?;
        self.at = self.block.len() - numbers.left();
        Some(row)
    }

    /// The next entry, of any kind.
    fn any(&mut self) -> Result<Entry> {
        let rest = &self.block[self.at..];
        let taken = postcard::take_from_bytes(rest);
        let behind = taken.as_ref().map_or(0, |(_, behind)| behind.len());
        let (size, at) = (self.block.len(), self.at);
        self.at = size - behind;
        taken
            .map(|(entry, _)| entry)
            .map_err(|error| Error::new(Code::BadJournal, format!("a block of {size} bytes cannot be read at byte {at}: {error}")))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        if let Some(row) = self.row() {
            return Some(Ok(Entry::Input(Event::Market(row))));
        }
        (self.at < self.block.len()).then(|| self.any())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentIndex;
    use crate::market::{BookDelta, MarketData, Quote, Side, Trade};
    use proptest::prelude::*;

    fn any_number() -> impl Strategy<Value = i64> {
        (any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
    }

    fn any_data() -> impl Strategy<Value = MarketData> {
        let side = any::<bool>().prop_map(|buys| if buys { Side::Buy } else { Side::Sell });
        prop_oneof![
            any_number().prop_map(MarketData::Funding),
            any_number().prop_map(MarketData::Mark),
            (side.clone(), any_number(), any_number(), any::<(bool, bool)>())
                .prop_map(|(side, price, quantity, (first, last))| MarketData::Book(BookDelta { side, price, quantity, first, last })),
            (any_number(), any_number(), any_number(), any_number())
                .prop_map(|(bid, bid_quantity, ask, ask_quantity)| MarketData::Quote(Quote { bid, bid_quantity, ask, ask_quantity })),
            (any_number(), any_number(), proptest::option::of(side), any_number())
                .prop_map(|(price, quantity, aggressor, id)| MarketData::Trade(Trade { price, quantity, aggressor, id })),
        ]
    }

    fn any_block() -> impl Strategy<Value = Vec<u8>> {
        let row = (any::<u32>(), any_number(), 0_i64..1 << 40, any_data());
        proptest::collection::vec(row, 1..8).prop_map(|rows| {
            let mut block = Vec::new();
            for (instrument, time_ns, delay_ns, data) in rows {
                let row = MarketEvent::new(InstrumentIndex(instrument >> 20), time_ns / 2, time_ns / 2 + delay_ns, data);
                encode_input(&Event::Market(row), &mut block).unwrap_or_default();
            }
            block
        })
    }

    /// What serde alone makes of a block.
    fn by_serde(mut rest: &[u8]) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let (entry, behind) = postcard::take_from_bytes(rest).ok()?;
            entries.push(entry);
            rest = behind;
        }
        Some(entries)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn rows_are_read_as_serde_reads_them(
            block in any_block(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            length in any::<prop::sample::Index>(),
        ) {
            let mut damaged = block.clone();
            for (place, byte) in changes {
                let place = place.index(damaged.len());
                damaged[place] = byte;
            }
            for bytes in [&block[..], &block[..length.index(block.len())], &damaged] {
                prop_assert_eq!(decode_entries(bytes).ok(), by_serde(bytes));
            }
        }
    }
}
