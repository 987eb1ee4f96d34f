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

/// Whether blocks that lie one behind another follow an entry and each other, and are as they were written. Of each the
/// number of its last entry and its length are given as text, with commas between them, and of all the sum of the numbers
/// of their first entries.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "as they are kept")]
pub fn span_follows(
    py: Python<'_>,
    firsts: i64,
    lasts: &[u8],
    lengths: &[u8],
    data: &[u8],
    checksums: &[u8],
    last: u64,
    codec: u64,
    before: &[u8],
) -> bool {
    py.detach(|| {
        let blocks = span(lasts, lengths, data, checksums, last, codec).unwrap_or_default();
        let sum: u128 = blocks.iter().map(|block| u128::from(block.first)).sum();
        !blocks.is_empty() && u128::try_from(firsts) == Ok(sum) && following(&blocks, last, codec, before) == blocks.len()
    })
}

/// The blocks of a span, if numbers and bytes fit; each begins behind the one before it.
fn span<'bytes>(
    lasts: &[u8],
    lengths: &[u8],
    data: &'bytes [u8],
    checksums: &'bytes [u8],
    mut last: u64,
    codec: u64,
) -> Option<Vec<Block<'bytes>>> {
    let (lasts, lengths) = (numbers(lasts)?, numbers(lengths)?);
    let mut rest = data;
    let (checksums, odd) = checksums.as_chunks::<CHECKSUM_BYTES>();
    if lasts.len() != lengths.len() || lasts.len() != checksums.len() || !odd.is_empty() {
        return None;
    }
    let mut blocks = Vec::with_capacity(lasts.len());
    for ((own_last, length), checksum) in lasts.into_iter().zip(lengths).zip(checksums) {
        let (data, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        blocks.push(Block { first: last.checked_add(1)?, last: own_last, codec, data, checksum });
        (last, rest) = (own_last, behind);
    }
    rest.is_empty().then_some(blocks)
}

/// Whole numbers with commas between them.
fn numbers(text: &[u8]) -> Option<Vec<u64>> {
    str::from_utf8(text).ok()?.split(',').map(|number| number.parse().ok()).collect()
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
