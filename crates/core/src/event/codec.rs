//! The stream of inputs and decisions: journal, audit and replica in one codec.
//!
//! An entry is postcard, whose wire format is stable; entries follow
//! one another in blocks. A block that does not decode to its last byte is an error.

use super::Event;
use crate::error::{Code, Error, Result};
use crate::order::Request;
use serde::{Deserialize, Serialize};

/// The version of the codec; a journal states the one that wrote it.
pub const CODEC_VERSION: u32 = 1;

/// One entry of the stream. Inputs and decisions share one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// Something the engine was told.
    Input(Event),
    /// Something it asked for because of the input before.
    Decision(Request),
}

/// Appends an entry to a block.
pub fn encode_entry(entry: &Entry, block: &mut Vec<u8>) -> Result<()> {
    let start = block.len();
    let taken = std::mem::take(block);
    *block =
        postcard::to_extend(entry, taken).map_err(|error| Error::new(Code::Internal, format!("an entry cannot be encoded: {error}")))?;
    debug_assert!(block.len() > start);
    Ok(())
}

/// Reads all entries of a block.
pub fn decode_entries(mut block: &[u8]) -> Result<Vec<Entry>> {
    let whole = block.len();
    let mut entries = Vec::new();
    while !block.is_empty() {
        let at = whole - block.len();
        let (entry, rest) = postcard::take_from_bytes(block)
            .map_err(|error| Error::new(Code::BadJournal, format!("a block of {whole} bytes cannot be read at byte {at}: {error}")))?;
        entries.push(entry);
        block = rest;
    }
    Ok(entries)
}
