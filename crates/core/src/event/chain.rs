//! The chain of checksums that runs through a journal.

use std::fmt::Write;

/// How many bytes a checksum has.
pub const CHECKSUM_BYTES: usize = 32;

/// The checksum of a piece, given the checksum of what comes before it, which kind of piece it is, its numbers, and its
/// bytes.
///
/// BLAKE3, which takes a fifth of the time of what the standard library of Python offers.
pub fn checksum(before: &[u8], kind: &str, numbers: &[u64], data: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let name = name(kind, numbers, data.len());
    *blake3::Hasher::new().update(before).update(name.as_bytes()).update(data).finalize().as_bytes()
}

/// What a piece is called within the chain, so that none can stand for another.
fn name(kind: &str, numbers: &[u64], bytes: usize) -> String {
    let mut name = String::with_capacity(96);
    name.push('|');
    name.push_str(kind);
    for number in numbers {
        // Writing to a string does not fail.
        let _ = write!(name, "|{number}");
    }
    let separator = if numbers.is_empty() { "||" } else { "|" };
    let _ = write!(name, "{separator}{bytes}|");
    name
}

/// Entries as a journal keeps them, of which nothing is believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Block<'bytes> {
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The version of the codec.
    pub codec: u64,
    /// The entries.
    pub data: &'bytes [u8],
    /// Of this block and of everything before it.
    pub checksum: &'bytes [u8],
}

impl Block<'_> {
    /// Whether it follows an entry, given the checksum of everything up to that, and is as it was written.
    fn follows(&self, last: u64, codec: u64, before: &[u8]) -> bool {
        self.first == last + 1
            && self.last >= self.first
            && self.codec == codec
            && self.checksum == checksum(before, "block", &[self.first, self.last, self.codec], self.data)
    }
}

/// How many blocks, from the first on, follow an entry and each other, and are as they were written.
pub fn following<'bytes>(blocks: &[Block<'bytes>], mut last: u64, codec: u64, mut before: &'bytes [u8]) -> usize {
    for (count, block) in blocks.iter().enumerate() {
        if !block.follows(last, codec, before) {
            return count;
        }
        (last, before) = (block.last, block.checksum);
    }
    blocks.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three blocks of two entries each, as they were written behind entry 4.
    fn written() -> Vec<(u64, u64, [u8; CHECKSUM_BYTES])> {
        let mut before = [7; CHECKSUM_BYTES];
        let seal = |first: u64| {
            before = checksum(&before, "block", &[first, first + 1, 3], b"ab");
            (first, first + 1, before)
        };
        [5, 7, 9].map(seal).to_vec()
    }

    fn count(change: impl Fn(usize, &mut Block<'_>)) -> usize {
        let written = written();
        let mut blocks: Vec<Block<'_>> =
            written.iter().map(|(first, last, checksum)| Block { first: *first, last: *last, codec: 3, data: b"ab", checksum }).collect();
        blocks.iter_mut().enumerate().for_each(|(at, block)| change(at, block));
        following(&blocks, 4, 3, &[7; CHECKSUM_BYTES])
    }

    #[test]
    fn a_name_has_the_numbers_between_bars() {
        assert_eq!(name("block", &[1, 20, 5], 480), "|block|1|20|5|480|");
        assert_eq!(name("ending", &[], 2), "|ending||2|");
    }

    #[test]
    fn blocks_follow_up_to_the_first_that_is_not_as_it_was_written() {
        assert_eq!(count(|_, _| {}), 3);
        for place in 0..3 {
            let of = |change: fn(&mut Block<'_>)| {
                count(|at, block| {
                    if at == place {
                        change(block);
                    }
                })
            };
            assert_eq!(of(|block| block.data = b"aB"), place);
            assert_eq!(of(|block| block.data = b"a"), place);
            assert_eq!(of(|block| block.first += 1), place);
            assert_eq!(of(|block| block.first -= 1), place);
            assert_eq!(of(|block| block.last += 1), place);
            assert_eq!(of(|block| block.last = block.first - 1), place);
            assert_eq!(of(|block| block.codec = 4), place);
            assert_eq!(of(|block| block.checksum = &[0; CHECKSUM_BYTES]), place);
            assert_eq!(of(|block| block.checksum = &[]), place);
        }
    }

    #[test]
    fn a_forged_block_does_not_follow_by_its_checksum_alone() {
        // Each is sealed behind what comes before it; only their order is wrong.
        let one = checksum(&[7; CHECKSUM_BYTES], "block", &[6, 7, 3], b"ab");
        let late = [Block { first: 6, last: 7, codec: 3, data: b"ab", checksum: &one }];
        assert_eq!(following(&late, 4, 3, &[7; CHECKSUM_BYTES]), 0);
        assert_eq!(following(&late, 5, 3, &[7; CHECKSUM_BYTES]), 1);
        assert_eq!(following(&late, 5, 4, &[7; CHECKSUM_BYTES]), 0);
    }
}
