//! Exact numbers: fixed-point integers with a number of decimals, and their rounding.
//!
//! A price of 61800.2 with two decimals is the integer 6180020. Text becomes an
//! integer without a float in between; a float means its shortest decimal
//! representation (SEMANTICS N1, N2).

mod varint;

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
pub(crate) use varint::Varints;

/// The most decimals that a fixed-point number may have.
pub const MAXIMUM_DECIMALS: u8 = 18;

/// Rates (fees, funding, margin) count in units of 1e-9.
pub const RATE_DECIMALS: u8 = 9;

/// The largest price, and the largest quantity of an order or a position, in units of the last
/// decimal. Sums of several of them still fit 64 bits.
pub const LARGEST_QUANTITY: i64 = 1_000_000_000_000_000_000;

/// The largest value of an order or a position in units of the last value decimal, so that a
/// value times a rate fits 128 bits.
pub const LARGEST_VALUE: i128 = 10_i128.pow(28);

/// A rate as an integer: 0.0004 is `400_000`.
pub type Rate = i64;

const POWERS: [i64; 19] = {
    let mut powers = [1_i64; 19];
    let mut exponent = 1;
    while exponent < 19 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// Ten to the power of `decimals`, for at most [`MAXIMUM_DECIMALS`].
#[inline]
pub const fn power_of_ten(decimals: u8) -> i64 {
    POWERS[decimals as usize]
}

const WIDE_POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut exponent = 1;
    while exponent < 39 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// Ten to the power of `decimals` as a wide integer, for at most 38.
#[inline]
pub const fn wide_power_of_ten(decimals: u8) -> i128 {
    WIDE_POWERS[decimals as usize]
}

/// Why text or a float is not a fixed-point number of the wanted decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberProblem {
    /// Not a number at all, not finite, or empty.
    NotANumber,
    /// It has more decimals than there are.
    OffGrid,
    /// It does not fit 64 bits.
    OutOfRange,
}

/// Reads a decimal such as `-12.5` or `1e-3` exactly.
///
/// ```
/// use tradewind_core::number::{parse_decimal, NumberProblem};
/// assert_eq!(parse_decimal("61800.20", 2), Ok(6_180_020));
/// assert_eq!(parse_decimal("1e-3", 3), Ok(1));
/// assert_eq!(parse_decimal("0.001", 2), Err(NumberProblem::OffGrid));
/// ```
pub fn parse_decimal(text: &str, decimals: u8) -> Result<i64, NumberProblem> {
    i64::try_from(parse_wide(text, decimals)?).map_err(|_| NumberProblem::OutOfRange)
}

/// Reads a decimal as [`parse_decimal`] does, into 128 bits: for amounts of money.
pub fn parse_wide(text: &str, decimals: u8) -> Result<i128, NumberProblem> {
    let (negative, whole, fraction, exponent) = split(text)?;
    let value = value_of(whole.bytes().chain(fraction.bytes()))?;
    let shift = i64::from(decimals) + exponent - fraction.len() as i64;
    let scaled = shift_decimal(value, shift)?;
    Ok(if negative { -scaled } else { scaled })
}

/// Reads a decimal as [`parse_decimal`] does, rounded towards zero where it has more decimals.
///
/// ```
/// use tradewind_core::number::parse_truncated;
/// assert_eq!(parse_truncated("-0.0999999999999999999999999999999999999999999", 2), Ok(-9));
/// assert_eq!(parse_truncated("1.5e1", 0), Ok(15));
/// ```
pub fn parse_truncated(text: &str, decimals: u8) -> Result<i64, NumberProblem> {
    let (negative, whole, fraction, exponent) = split(text)?;
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(NumberProblem::NotANumber);
    }
    let length = whole.len() as i64 + exponent + i64::from(decimals);
    let kept = usize::try_from(length).unwrap_or(0).min(whole.len() + fraction.len());
    let value = value_of(whole.bytes().chain(fraction.bytes()).take(kept))?;
    let scaled = shift_decimal(value, length.max(0) - kept as i64)?;
    i64::try_from(if negative { -scaled } else { scaled }).map_err(|_| NumberProblem::OutOfRange)
}

/// Whether it is negative, its digits before and behind the point, and its exponent.
fn split(text: &str) -> Result<(bool, &str, &str, i64), NumberProblem> {
    let (mantissa, exponent) = split_exponent(text)?;
    let (negative, digits) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(NumberProblem::NotANumber);
    }
    Ok((negative, whole, fraction, exponent))
}

fn value_of(digits: impl Iterator<Item = u8>) -> Result<i128, NumberProblem> {
    let mut value: i128 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(NumberProblem::NotANumber);
        }
        value = value.checked_mul(10).and_then(|value| value.checked_add(i128::from(byte - b'0'))).ok_or(NumberProblem::OutOfRange)?;
    }
    Ok(value)
}

fn split_exponent(text: &str) -> Result<(&str, i64), NumberProblem> {
    match text.find(['e', 'E']) {
        None => Ok((text, 0)),
        Some(at) => {
            let exponent: i64 = text[at + 1..].parse().map_err(|_| NumberProblem::NotANumber)?;
            if exponent.abs() > 400 {
                return Err(NumberProblem::OutOfRange);
            }
            Ok((&text[..at], exponent))
        }
    }
}

fn shift_decimal(value: i128, shift: i64) -> Result<i128, NumberProblem> {
    if value == 0 {
        return Ok(0);
    }
    let power = |exponent: i64| u32::try_from(exponent).ok().and_then(|power| 10_i128.checked_pow(power));
    if shift >= 0 {
        power(shift).and_then(|factor| value.checked_mul(factor)).ok_or(NumberProblem::OutOfRange)
    } else {
        match power(-shift) {
            Some(divisor) if value % divisor == 0 => Ok(value / divisor),
            _ => Err(NumberProblem::OffGrid),
        }
    }
}

/// A float as the fixed-point number that its shortest decimal representation says.
///
/// ```
/// use tradewind_core::number::{from_float, NumberProblem};
/// assert_eq!(from_float(0.1, 3), Ok(100));
/// assert_eq!(from_float(0.0005, 3), Err(NumberProblem::OffGrid));
/// assert_eq!(from_float(f64::NAN, 3), Err(NumberProblem::NotANumber));
/// ```
#[inline]
#[allow(clippy::float_cmp, reason = "equality is the proof")]
pub fn from_float(value: f64, decimals: u8) -> Result<i64, NumberProblem> {
    // 2^50: the product below is then within half a unit of the decimal's integer.
    const EXACT: f64 = 1_125_899_906_842_624.0;
    if !value.is_finite() {
        return Err(NumberProblem::NotANumber);
    }
    let factor = power_of_ten(decimals) as f64;
    let scaled = (value * factor).round();
    // The nearest float of a decimal is unique there, so dividing back proves it.
    if scaled.abs() < EXACT {
        return if scaled / factor == value { Ok(scaled as i64) } else { Err(NumberProblem::OffGrid) };
    }
    parse_decimal(&format!("{value}"), decimals)
}

/// [`POWERS`] as floats, all of which hold them exactly.
const FLOAT_POWERS: [f64; 19] = {
    let mut powers = [1.0; 19];
    let mut exponent = 1;
    while exponent < 19 {
        powers[exponent] = POWERS[exponent] as f64;
        exponent += 1;
    }
    powers
};

/// The float nearest to a fixed-point number.
#[inline]
pub fn to_float(value: i64, decimals: u8) -> f64 {
    value as f64 / FLOAT_POWERS[decimals as usize]
}

/// The float nearest to a wide fixed-point number, to within two roundings.
#[inline]
pub fn wide_to_float(value: i128, decimals: u8) -> f64 {
    // Most values fit 64 bits, whose conversion is one instruction.
    let value = i64::try_from(value).map_or_else(|_| nearest_float(value), |narrow| narrow as f64);
    let unit = if decimals <= MAXIMUM_DECIMALS { FLOAT_POWERS[decimals as usize] } else { wide_power_of_ten(decimals) as f64 };
    value / unit
}

/// A call, and no part of [`wide_to_float`]: the compiler would convert first and look at the size afterwards.
#[cold]
#[inline(never)]
fn nearest_float(value: i128) -> f64 {
    value as f64
}

/// A fixed-point number as text, without trailing zeros.
///
/// ```
/// use tradewind_core::number::format_decimal;
/// assert_eq!(format_decimal(-6_180_020, 2), "-61800.2");
/// ```
pub fn format_decimal(value: i128, decimals: u8) -> String {
    let factor = wide_power_of_ten(decimals).unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let whole = value.unsigned_abs() / factor;
    let fraction = value.unsigned_abs() % factor;
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = decimals as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// How an amount is rounded, once, where it is posted (SEMANTICS N3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Rounding {
    /// Towards zero.
    Down,
    /// Away from zero.
    Up,
    /// To the nearest, halves to the even neighbour.
    #[default]
    HalfEven,
}

/// `numerator / denominator`, rounded; the denominator must be positive.
///
/// ```
/// use tradewind_core::number::{divide, Rounding};
/// assert_eq!(divide(5, 2, Rounding::HalfEven), 2);
/// assert_eq!(divide(-5, 2, Rounding::Up), -3);
/// ```
#[inline]
pub fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    debug_assert!(denominator > 0);
    // 64-bit division is several times faster, and most amounts fit.
    if let (Ok(narrow), Ok(divisor)) = (i64::try_from(numerator), i64::try_from(denominator)) {
        let (quotient, rest) = (narrow / divisor, narrow % divisor);
        let away = round_away(i128::from(rest), denominator, i128::from(quotient), rounding);
        return i128::from(quotient) + if away { i128::from(numerator.signum() as i64) } else { 0 };
    }
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    if round_away(rest, denominator, quotient, rounding) { quotient + numerator.signum() } else { quotient }
}

#[inline]
fn round_away(rest: i128, denominator: i128, quotient: i128, rounding: Rounding) -> bool {
    if rest == 0 {
        return false;
    }
    match rounding {
        Rounding::Down => false,
        Rounding::Up => true,
        Rounding::HalfEven => match (rest.abs() * 2).cmp(&denominator) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => quotient % 2 != 0,
        },
    }
}

/// An amount with `from` decimals as one with `to` decimals.
#[inline]
pub fn rescale(amount: i128, from: u8, to: u8, rounding: Rounding) -> i128 {
    match from.cmp(&to) {
        Ordering::Equal => amount,
        Ordering::Less => amount.saturating_mul(wide_power_of_ten(to - from)),
        Ordering::Greater => divide(amount, wide_power_of_ten(from - to), rounding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in ["", ".", "-", "1.2.3", "abc", "1e", "0x10", "NaN", "1 000", "--1"] {
            assert_eq!(parse_decimal(text, 2), Err(NumberProblem::NotANumber), "{text}");
        }
        assert_eq!(parse_decimal("1e300", 2), Err(NumberProblem::OutOfRange));
        assert_eq!(parse_decimal("99999999999999999999", 0), Err(NumberProblem::OutOfRange));
    }

    proptest! {
        #[test]
        fn text_and_back(value in -1_000_000_000_000_i64..1_000_000_000_000, decimals in 0_u8..12) {
            let text = format_decimal(i128::from(value), decimals);
            prop_assert_eq!(parse_decimal(&text, decimals), Ok(value));
        }

        #[test]
        fn floats_mean_their_shortest_text(value in -1e12_f64..1e12, decimals in 0_u8..9) {
            let by_text = parse_decimal(&format!("{value}"), decimals);
            prop_assert_eq!(from_float(value, decimals), by_text);
        }

        #[test]
        fn floats_of_fixed_point_numbers_come_back(value in -1_000_000_000_000_i64..1_000_000_000_000, decimals in 0_u8..10) {
            prop_assert_eq!(from_float(to_float(value, decimals), decimals), Ok(value));
        }

        #[test]
        fn division_is_within_one_and_on_the_right_side(numerator in any::<i64>(), denominator in 1_i64..1_000_000_007) {
            let (numerator, denominator) = (i128::from(numerator), i128::from(denominator));
            for rounding in [Rounding::Down, Rounding::Up, Rounding::HalfEven] {
                let quotient = divide(numerator, denominator, rounding);
                let error = numerator - quotient * denominator;
                prop_assert!(error.abs() < denominator);
                match rounding {
                    Rounding::Down => prop_assert!(error == 0 || error.signum() == numerator.signum()),
                    Rounding::Up => prop_assert!(error == 0 || error.signum() == -numerator.signum()),
                    Rounding::HalfEven => prop_assert!(error.abs() * 2 <= denominator),
                }
            }
        }
    }
}
