//! Numbers of a varying length, as postcard writes them: seven bits a byte, the lowest first.

/// Reads one number after another, where eight bytes and more are left: the last ones are for postcard itself.
pub(crate) struct Varints<'bytes> {
    rest: &'bytes [u8],
}

/// The bit of a byte that says that another one follows.
const MORE: u64 = 0x8080_8080_8080_8080;

impl<'bytes> Varints<'bytes> {
    #[inline]
    pub fn new(bytes: &'bytes [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[inline]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// A number of one byte.
    #[inline]
    pub fn small(&mut self) -> Option<u32> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        (byte < 0x80).then_some(u32::from(byte))
    }

    /// A number with its sign in the lowest bit.
    #[inline]
    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: a call for each number takes a quarter longer")]
    fn number(&mut self) -> Option<u64> {
        let bytes = *self.rest.first_chunk::<10>()?;
        if bytes[0] < 0x80 {
            self.rest = &self.rest[1..];
            return Some(bytes[0].into());
        }
        let word = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
        let ends = !word & MORE;
        if ends != 0 {
            let bits = ends.trailing_zeros() + 1;
            self.rest = &self.rest[bits as usize / 8..];
            return Some(joined(word & (u64::MAX >> (64 - bits))));
        }
        let (low, ninth, tenth) = (joined(word), u64::from(bytes[8]), u64::from(bytes[9]));
        if ninth < 0x80 {
            self.rest = &self.rest[9..];
            return Some(low | ninth << 56);
        }
        self.rest = &self.rest[10..];
        (tenth <= 1).then_some(low | (ninth & 0x7f) << 56 | tenth << 63)
    }
}

/// The lower seven bits of eight bytes side by side: pairs, then pairs of pairs, then both halves.
#[inline]
const fn joined(bytes: u64) -> u64 {
    let sevens = bytes & !MORE;
    let pairs = (sevens & 0x007f_007f_007f_007f) | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_those_that_postcard_reads(
            numbers in proptest::collection::vec((any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift), 1..20),
        ) {
            let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| postcard::to_stdvec(number).unwrap()).collect();
            bytes.extend([0; 10]);
            let mut varints = Varints::new(&bytes);
            for number in numbers {
                prop_assert_eq!(varints.signed(), Some(number));
            }
            prop_assert_eq!(varints.left(), 10);
        }

        /// Bytes that nobody wrote: the same number as postcard's, or none.
        #[test]
        fn any_bytes_are_postcards_number_or_none(
            more in proptest::collection::vec(0x80_u8.., 0..11),
            rest in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..3], 10..14),
        ) {
            let bytes = [more, rest].concat();
            let mut varints = Varints::new(&bytes);
            if let Some(number) = varints.signed() {
                let (expected, rest) = postcard::take_from_bytes::<i64>(&bytes).unwrap();
                prop_assert_eq!((number, varints.left()), (expected, rest.len()));
            }
        }
    }
}
