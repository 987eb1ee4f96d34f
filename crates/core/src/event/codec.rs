//! The stream of inputs and decisions: journal, audit and replica in one codec.
//!
//! An entry is postcard, whose wire format is stable; entries follow
//! one another in blocks. A block that does not decode to its last byte is an error.

use super::Event;
use crate::error::{Code, Error, Result};
use crate::order::Request;
use serde::{Deserialize, Serialize};

/// The version of the codec; a journal states the one that wrote it.
pub const CODEC_VERSION: u32 = 3;

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
pub fn entries(block: &[u8]) -> impl Iterator<Item = Result<Entry>> + '_ {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = block.len() - rest.len();
        let taken = postcard::take_from_bytes(rest);
        rest = taken.as_ref().map_or(&[], |(_, behind)| behind);
        Some(taken.map(|(entry, _)| entry).map_err(|error| {
            Error::new(Code::BadJournal, format!("a block of {} bytes cannot be read at byte {at}: {error}", block.len()))
        }))
    })
}
