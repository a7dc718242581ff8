//! JSON numbers as exact decimals.
//!
//! They are parsed by hand: `serde_json` rounds them to floats, and core uses none.
//!
//! What a policy goes through may write its numbers anew: a `google.protobuf.Struct` has doubles, and
//! is printed as `1e-06`, `5.0` or `1e+06`. So a number counts by its value, however it is written;
//! and where a double holds another value than the one that is written, a policy does not take it.

/// ±`digits` · 10^`shift`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) is_negative: bool,
    /// Without zeros at either end; empty for zero.
    pub(crate) digits: String,
    pub(crate) shift: i64,
}

/// Of any decimal of so many digits a double's shortest text is the decimal itself.
const DIGITS_OF_A_DOUBLE: usize = 15;
/// Within these powers of ten, which are all that a double has but the outermost.
const LARGEST_POWER: i64 = 300;

impl Decimal {
    /// Of the literal of a JSON number, `12.5` or `1.25e1`.
    pub(crate) fn of(literal: &str) -> Self {
        let (is_negative, literal) = match literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, decimals].concat();
        let up_to_last = all.trim_end_matches('0');
        let digits = up_to_last.trim_start_matches('0').to_owned();
        let zeros = all.len().saturating_sub(up_to_last.len());
        // The value is `digits` with its point moved to the right by `shift` places.
        let shift = exponent_value(exponent)
            .saturating_sub(to_i64(decimals.len()))
            .saturating_add(to_i64(zeros));
        let is_zero = digits.is_empty();
        Self {
            is_negative: is_negative && !is_zero,
            digits,
            shift: if is_zero { 0 } else { shift },
        }
    }

    /// The power of ten above the first digit.
    pub(crate) fn top(&self) -> i64 {
        self.shift.saturating_add(to_i64(self.digits.len()))
    }

    /// Whether a double holds it, and no other decimal of as few digits is the same double.
    pub(crate) fn is_held_by_a_double(&self) -> bool {
        self.digits.len() <= DIGITS_OF_A_DOUBLE && self.top().abs() <= LARGEST_POWER
    }

    /// The text of a whole number of at most `most` digits.
    pub(crate) fn whole(&self, most: usize) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".into());
        }
        let zeros = usize::try_from(self.shift).ok()?;
        if zeros.saturating_add(self.digits.len()) > most {
            return None;
        }
        let sign = if self.is_negative { "-" } else { "" };
        Some([sign, &self.digits, &"0".repeat(zeros)].concat())
    }
}

/// Saturates: an exponent that does not fit is out of range or too precise all the same.
fn exponent_value(exponent: &str) -> i64 {
    exponent.parse().unwrap_or(if exponent.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    })
}

fn to_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for (literal, expected) in [
            ("5", Some("5")),
            ("5.0", Some("5")),
            ("5e0", Some("5")),
            ("1e+06", Some("1000000")),
            ("1.5e3", Some("1500")),
            ("1500000e-3", Some("1500")),
            ("-2.0", Some("-2")),
            ("-0", Some("0")),
            ("0e99999999999999999999", Some("0")),
            ("9.007199254740991e+15", Some("9007199254740991")),
            ("9007199254740993", Some("9007199254740993")),
            ("5.5", None),
            ("1e-1", None),
            ("1e21", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(
                Decimal::of(literal).whole(20).as_deref(),
                expected,
                "{literal}"
            );
        }
    }

    #[test]
    fn a_double_gives_back_what_it_holds() {
        for (literal, is_held) in [
            ("0", true),
            ("0.1", true),
            ("0.123456789012345", true),
            ("99.999999", true),
            ("1e-300", true),
            ("1e-06", true),
            ("0.1234567890123456", false),
            ("0.10000000000000001", false),
            ("123456789012345678", false),
            ("1e-302", false),
            ("1e400", false),
        ] {
            let decimal = Decimal::of(literal);
            assert_eq!(decimal.is_held_by_a_double(), is_held, "{literal}");
            let again: f64 = literal.parse().unwrap();
            for again in [format!("{again}"), format!("{again:e}")] {
                assert!(
                    !is_held || Decimal::of(&again) == decimal,
                    "{literal}: {again}"
                );
            }
        }
    }
}
