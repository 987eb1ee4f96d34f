//! A scanner for JSON that borrows from the frame and allocates nothing.
//!
//! Every value is scanned to its end, those that nobody asks for too, so a truncated frame is never half read.

use tradewind_core::error::{Code, Error, Result};
use tradewind_core::number::{NumberProblem, parse_decimal, parse_wide, power_of_ten};

/// The deepest nesting that is followed.
const DEEPEST: u32 = 32;
/// The most decimals of a number that is moved to the nearest unit.
const MOST_DECIMALS: u8 = 18;

/// A value where it stands in the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value<'a> {
    /// It is not there, or null.
    #[default]
    Absent,
    /// What stands between the quotation marks, escapes as they are.
    Text(&'a [u8]),
    /// A number as it is written.
    Number(&'a [u8]),
    /// True or false.
    Flag(bool),
    /// An object or array with its brackets.
    Nested(&'a [u8]),
}

/// Where a frame has been read to.
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads a whole object, handing over each key with its value.
    #[inline]
    pub fn object(&mut self, mut member: impl FnMut(&'a [u8], Value<'a>) -> Result<()>) -> Result<()> {
        self.members(|scanner, key| {
            let value = scanner.value()?;
            member(key, value)
        })
    }

    /// Reads a whole object, of which each value is read by whoever takes its key.
    #[inline]
    pub fn members(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<()>) -> Result<()> {
        self.expect(b'{')?;
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            self.skip_space();
            let key = self.text()?;
            self.expect(b':')?;
            member(self, key)?;
            if !self.takes(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads a whole array, handing over each value.
    #[inline]
    pub fn array(&mut self, mut element: impl FnMut(Value<'a>) -> Result<()>) -> Result<()> {
        self.expect(b'[')?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            element(self.value()?)?;
            if !self.takes(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Reads an array of arrays that begin with a price and a quantity, without looking at anything twice.
    #[inline]
    pub fn levels(&mut self, mut level: impl FnMut(Value<'a>, Value<'a>) -> Result<()>) -> Result<()> {
        self.expect(b'[')?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            self.expect(b'[')?;
            let price = self.value()?;
            self.expect(b',')?;
            level(price, self.value()?)?;
            while self.takes(b',') {
                self.value()?;
            }
            self.expect(b']')?;
            if !self.takes(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Nothing but space may follow.
    pub fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.wrong("the end")) }
    }

    /// Whether an object comes next.
    #[inline]
    pub fn is_at_object(&mut self) -> bool {
        self.skip_space();
        self.peek() == Some(b'{')
    }

    /// Reads any value.
    #[inline]
    pub fn value(&mut self) -> Result<Value<'a>> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.text()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number())),
            Some(b'{' | b'[') => {
                let from = self.at;
                self.skip_nested()?;
                Ok(Value::Nested(&self.bytes[from..self.at]))
            }
            Some(b't') => self.word(b"true").map(|()| Value::Flag(true)),
            Some(b'f') => self.word(b"false").map(|()| Value::Flag(false)),
            Some(b'n') => self.word(b"null").map(|()| Value::Absent),
            _ => Err(self.wrong("a value")),
        }
    }

    #[inline]
    fn text(&mut self) -> Result<&'a [u8]> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("text"));
        }
        let from = self.at + 1;
        let mut at = from;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'"' => {
                    self.at = at + 1;
                    return Ok(&self.bytes[from..at]);
                }
                b'\\' => at += 2,
                0..=31 => break,
                _ => at += 1,
            }
        }
        self.at = at.min(self.bytes.len());
        Err(self.wrong("the end of a text"))
    }

    #[inline]
    fn number(&mut self) -> &'a [u8] {
        let from = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = self.peek() {
            self.at += 1;
        }
        &self.bytes[from..self.at]
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.wrong("a value"))
        }
    }

    /// Walks over an object or array; which brackets belong together is kept as bits.
    fn skip_nested(&mut self) -> Result<()> {
        let (mut depth, mut squares) = (0_u32, 0_u32);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.text()?;
                    continue;
                }
                Some(opening @ (b'{' | b'[')) => {
                    if depth == DEEPEST {
                        return Err(self.wrong("fewer levels"));
                    }
                    depth += 1;
                    squares = squares << 1 | u32::from(opening == b'[');
                }
                Some(closing @ (b'}' | b']')) => {
                    if (squares & 1 == 1) != (closing == b']') {
                        return Err(self.wrong("the other bracket"));
                    }
                    depth -= 1;
                    squares >>= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Ok(());
                    }
                }
                Some(_) => {}
                None => return Err(self.wrong("a bracket")),
            }
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.takes(byte) { Ok(()) } else { Err(self.wrong(&format!("{:?}", char::from(byte)))) }
    }

    #[inline]
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[cold]
    fn wrong(&self, wanted: &str) -> Error {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |byte| format!("{:?}", char::from(byte)));
        bad(format!("{wanted} is expected at byte {} where {found} stands", self.at))
    }
}

/// An error about a frame.
#[cold]
pub fn bad(message: impl Into<String>) -> Error {
    Error::new(Code::BadFrame, message)
}

impl<'a> Value<'a> {
    /// As text.
    pub fn as_text(self, name: &str) -> Result<&'a [u8]> {
        if let Value::Text(text) = self { Ok(text) } else { Err(self.wrong(name, "text")) }
    }

    /// As true or false.
    pub fn as_flag(self, name: &str) -> Result<bool> {
        if let Value::Flag(flag) = self { Ok(flag) } else { Err(self.wrong(name, "true or false")) }
    }

    /// As an object or array.
    pub fn as_nested(self, name: &str) -> Result<&'a [u8]> {
        if let Value::Nested(bytes) = self { Ok(bytes) } else { Err(self.wrong(name, "a list or object")) }
    }

    /// As a whole number that is not negative, written as a number or as text.
    #[inline]
    pub fn as_integer(self, name: &str) -> Result<i64> {
        let (Value::Number(digits) | Value::Text(digits)) = self else { return Err(self.wrong(name, "a whole number")) };
        match plain_digits(digits, 0) {
            Some((value, 0)) if !digits.contains(&b'.') => Ok(value),
            _ => Err(self.wrong(name, "a whole number of 63 bits")),
        }
    }

    /// As a decimal written as text, in units of the last decimal (N1).
    #[inline]
    pub fn as_fixed(self, decimals: u8, name: &str) -> Result<i64> {
        let Value::Text(text) = self else { return Err(self.wrong(name, "a decimal as text")) };
        if let Some((value, fraction)) = plain_digits(text, decimals)
            && let Some(fixed) = value.checked_mul(power_of_ten(decimals - fraction))
        {
            return Ok(fixed);
        }
        unusual_fixed(text, decimals, name)
    }

    /// As [`Value::as_fixed`], moved to the nearest unit, halves up, where it has more decimals: for a price that the
    /// venue computes and nobody trades at.
    pub fn as_nearest(self, decimals: u8, name: &str) -> Result<i64> {
        let Value::Text(text) = self else { return self.as_fixed(decimals, name) };
        let wide = std::str::from_utf8(text).ok().and_then(|text| parse_wide(text, MOST_DECIMALS).ok());
        match (wide, MOST_DECIMALS.checked_sub(decimals)) {
            (Some(wide), Some(more)) if wide >= 0 => {
                let unit = 10_i128.pow(u32::from(more));
                i64::try_from(wide.saturating_add(unit / 2) / unit)
                    .map_err(|_| Error::new(Code::OutOfRange, format!("{name} = {:?}", String::from_utf8_lossy(text))))
            }
            _ => self.as_fixed(decimals, name),
        }
    }

    #[cold]
    fn wrong(self, name: &str, wanted: &str) -> Error {
        let found = match self {
            Value::Absent => "missing".to_owned(),
            Value::Text(bytes) | Value::Number(bytes) | Value::Nested(bytes) => {
                String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned()
            }
            Value::Flag(flag) => flag.to_string(),
        };
        bad(format!("{name} = {found}: {wanted} is expected"))
    }
}

/// Signs and exponents, and what is no number at all.
#[cold]
fn unusual_fixed(text: &[u8], decimals: u8, name: &str) -> Result<i64> {
    let wrong = |code| Error::new(code, format!("{name} = {:?}", String::from_utf8_lossy(&text[..text.len().min(64)])));
    let text = std::str::from_utf8(text).map_err(|_| wrong(Code::NotANumber))?;
    match parse_decimal(text, decimals) {
        Ok(value) if value < 0 => Err(wrong(Code::NegativeValue)),
        Ok(value) => Ok(value),
        Err(NumberProblem::NotANumber) => Err(wrong(Code::NotANumber)),
        Err(NumberProblem::OffGrid) => {
            Err(wrong(Code::OffGrid).hint(format!("the instrument has {decimals} decimals; its definition is out of date")))
        }
        Err(NumberProblem::OutOfRange) => Err(wrong(Code::OutOfRange)),
    }
}

/// Digits with at most one point, and how many of the decimals were used; trailing zeros beyond them are none.
#[inline]
fn plain_digits(text: &[u8], decimals: u8) -> Option<(i64, u8)> {
    let (mut value, mut fraction, mut after_point, mut digits) = (0_i64, 0_u8, false, false);
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            digits = true;
            if after_point {
                if fraction == decimals {
                    if digit != 0 {
                        return None;
                    }
                    continue;
                }
                fraction += 1;
            }
            value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
        } else if byte == b'.' && !after_point {
            after_point = true;
        } else {
            return None;
        }
    }
    digits.then_some((value, fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_read_to_its_end() {
        let mut keys = Vec::new();
        let text = br#" {"a" : [1, {"b": "]"}], "c":"x\"y", "d":null,"e":true} "#;
        let mut scanner = Scanner::new(text);
        let take = |key, value| {
            keys.push((key, value));
            Ok(())
        };
        scanner.object(take).unwrap();
        scanner.end().unwrap();
        assert_eq!(keys[0].1, Value::Nested(br#"[1, {"b": "]"}]"#));
        assert_eq!(keys[1].1, Value::Text(br#"x\"y"#));
        assert_eq!((keys[2].1, keys[3].1), (Value::Absent, Value::Flag(true)));
        for length in 0..text.len() - 2 {
            assert!(Scanner::new(&text[..length]).object(|_, _| Ok(())).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused_by_its_reason() {
        let code = |text: &str| Value::Text(text.as_bytes()).as_fixed(2, "p").unwrap_err().code;
        assert_eq!(code("1.001"), Code::OffGrid);
        assert_eq!(code(""), Code::NotANumber);
        assert_eq!(code("."), Code::NotANumber);
        assert_eq!(code("NaN"), Code::NotANumber);
        assert_eq!(code("-1"), Code::NegativeValue);
        assert_eq!(code("99999999999999999999"), Code::OutOfRange);
        assert_eq!(Value::Number(b"1").as_fixed(2, "p").unwrap_err().code, Code::BadFrame);
        assert_eq!(Value::Text(b"1.5000").as_fixed(2, "p").unwrap(), 150);
        assert_eq!(Value::Text(b"1e-2").as_fixed(2, "p").unwrap(), 1);
    }

    #[test]
    fn a_computed_price_is_moved_to_the_nearest_unit() {
        let nearest = |text: &str| Value::Text(text.as_bytes()).as_nearest(1, "p");
        let moved = ["17217.33", "17217.36", "17217.25", "17217", "0.04"].map(|text| nearest(text).unwrap());
        assert_eq!(moved, [172_173, 172_174, 172_173, 172_170, 0]);
        assert_eq!(nearest("-0.01").unwrap_err().code, Code::OffGrid);
        assert_eq!(nearest("x").unwrap_err().code, Code::NotANumber);
        assert_eq!(nearest("9999999999999999999").unwrap_err().code, Code::OutOfRange);
        assert_eq!(Value::Number(b"1").as_nearest(1, "p").unwrap_err().code, Code::BadFrame);
    }

    proptest! {
        #[test]
        fn decimals_are_those_of_the_kernel(text in "[0-9]{0,12}[.]?[0-9]{0,12}", decimals in 0_u8..12) {
            let ours = Value::Text(text.as_bytes()).as_fixed(decimals, "p").ok();
            prop_assert_eq!(ours, parse_decimal(&text, decimals).ok());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Scanner::new(&bytes).object(|_, _| Ok(()));
            let _ = Scanner::new(&bytes).levels(|_, _| Ok(()));
            let _ = Scanner::new(&bytes).array(|_| Ok(()));
        }
    }
}
