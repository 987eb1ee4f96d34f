//! Client ids: run, strategy, the strategy's own counter, and a check digit (O5).
//!
//! At most 32 letters and digits, which every venue takes; the check digit and the prefix tell ours from those of others.

use super::StrategyIndex;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "tw";

/// The id of an order.
///
/// ```
/// # use tradewind_core::order::{client_id, StrategyIndex};
/// assert_eq!(client_id("0a1b2c3d", StrategyIndex(3), 1_000_000), "tw0a1b2c3d03lflsy");
/// ```
#[must_use]
pub fn client_id(run: &str, strategy: StrategyIndex, count: u64) -> String {
    let mut id = String::with_capacity(32);
    id.push_str(PREFIX);
    id.push_str(run);
    push_base36(&mut id, strategy.0.into(), 2);
    push_base36(&mut id, count, 1);
    id.push(check_digit(&id));
    id
}

/// The strategy and the count of an id of a run; `None` of any other.
///
/// ```
/// # use tradewind_core::order::{read_client_id, StrategyIndex};
/// assert_eq!(read_client_id("tw0a1b2c3d03lflsy", "0a1b2c3d"), Some((StrategyIndex(3), 1_000_000)));
/// assert_eq!(read_client_id("web_7h3kd9", "0a1b2c3d"), None);
/// ```
#[must_use]
pub fn read_client_id(text: &str, run: &str) -> Option<(StrategyIndex, u64)> {
    let own = text.strip_prefix(PREFIX)?.strip_prefix(run)?;
    let (body, digit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count = own.get(2..own.len().checked_sub(1)?)?;
    if digit.chars().next()? != check_digit(body) {
        return None;
    }
    Some((StrategyIndex(from_base36(own.get(..2)?)?.try_into().ok()?), from_base36(count)?))
}

fn push_base36(id: &mut String, number: u64, least: usize) {
    let (mut rest, mut digits) = (number, [b'0'; 13]);
    let mut begin = digits.len();
    while rest > 0 || digits.len() - begin < least {
        begin -= 1;
        digits[begin] = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    id.extend(digits[begin..].iter().map(|digit| char::from(*digit)));
}

/// Digits as we write them, no others: an id has one form.
fn from_base36(text: &str) -> Option<u64> {
    let is_ours = !text.is_empty() && text.bytes().all(|letter| DIGITS.contains(&letter));
    is_ours.then(|| u64::from_str_radix(text, 36).ok())?
}

fn check_digit(body: &str) -> char {
    let weight: usize = body.bytes().zip(3..).map(|(letter, place)| place * usize::from(letter)).sum();
    char::from(DIGITS[weight % DIGITS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_as_they_were_in_journals_of_before() {
        assert_eq!(client_id("0a1b2c3d", StrategyIndex(3), 1_000_000), "tw0a1b2c3d03lflsy");
        assert_eq!(client_id("wu0wi7su", StrategyIndex(0), 40), "twwu0wi7su0014w");
        assert_eq!(client_id("zzzzzzzz", StrategyIndex(1_295), 0).len(), 14);
    }

    #[test]
    fn what_is_not_an_id_is_none() {
        for text in ["", "t", "tw", "tw0a1b2c3d", "tw0a1b2c3d0", "tw0a1b2c3d03", "tw0a1b2c3d03l", "tw0a1b2c3d03é", "é", "tw0a1b2c3d03LFLSy"]
        {
            assert_eq!(read_client_id(text, "0a1b2c3d"), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_read_again(run in "[0-9a-z]{8}", strategy in 0_u16..1_296, count: u64) {
            let id = client_id(&run, StrategyIndex(strategy), count);
            prop_assert!(id.len() <= 32 && id.bytes().all(|letter| letter.is_ascii_alphanumeric()));
            prop_assert_eq!(read_client_id(&id, &run), Some((StrategyIndex(strategy), count)));
        }

        #[test]
        fn anything_can_be_read(text in "\\PC*", run in "[0-9a-z]{8}") {
            let _ = read_client_id(&text, &run);
        }
    }
}
