//! The chain of checksums that runs through a journal.

/// How many bytes a checksum has.
pub const CHECKSUM_BYTES: usize = 32;

/// The checksum of a piece, given the checksum of what comes before it, what the piece is called, and its bytes.
///
/// BLAKE3, which takes a fifth of the time of what the standard library of Python offers.
pub fn checksum(before: &[u8], name: &[u8], data: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *blake3::Hasher::new().update(before).update(name).update(data).finalize().as_bytes()
}
