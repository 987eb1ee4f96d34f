//! The checksums of a journal.

use pyo3::prelude::*;
use tradewind_core::event::{Block, CHECKSUM_BYTES, following};

/// From how many bytes on others may run meanwhile: handing over takes longer than a small piece does.
const LARGE_BYTES: usize = 16_384;

/// The checksum of a piece of a journal, given that of what comes before it, its kind, its numbers and its bytes.
#[pyfunction]
#[allow(clippy::needless_pass_by_value, reason = "as Python gives them")]
pub fn checksum(py: Python<'_>, before: &[u8], kind: &str, numbers: Vec<u64>, data: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let make = || tradewind_core::event::checksum(before, kind, &numbers, data);
    if data.len() < LARGE_BYTES { make() } else { py.detach(make) }
}

/// How many blocks, from the first on, follow an entry and each other, and are as they were written. One that holds
/// values of the wrong type is not.
#[pyfunction]
#[allow(clippy::needless_pass_by_value, reason = "as Python gives them")]
pub fn blocks_that_follow(py: Python<'_>, rows: Vec<Bound<'_, PyAny>>, last: u64, codec: u64, before: &[u8]) -> usize {
    let blocks: Vec<Block<'_>> = rows.iter().map_while(block).collect();
    py.detach(|| following(&blocks, last, codec, before))
}

fn block<'row>(row: &'row Bound<'_, PyAny>) -> Option<Block<'row>> {
    let (first, last, codec, data, checksum) = row.extract().ok()?;
    Some(Block { first, last, codec, data, checksum })
}
