//! The checksums of a journal.

use pyo3::prelude::*;

/// From how many bytes on others may run meanwhile: handing over takes longer than a small piece does.
const LARGE_BYTES: usize = 16_384;

/// The checksum of a piece of a journal, given that of what comes before it, its name and its bytes.
#[pyfunction]
pub fn checksum(py: Python<'_>, before: &[u8], name: &[u8], data: &[u8]) -> [u8; tradewind_core::event::CHECKSUM_BYTES] {
    let make = || tradewind_core::event::checksum(before, name, data);
    if data.len() < LARGE_BYTES { make() } else { py.detach(make) }
}
