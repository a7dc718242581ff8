//! JSON numbers as exact decimals.
//!
//! They are parsed by hand, because `serde_json` rounds them to floats, and core has no floats.
//!
//! Tools between the author and the proxy may rewrite the numbers of a policy: a `google.protobuf.Struct` holds
//! doubles and prints them as `1e-06`, `5.0` or `1e+06`. So a number counts by its value, in any notation, and a
//! policy must not contain a number whose value changes when it is stored as a double.

/// A decimal number: ±`digits` · 10^`shift`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) is_negative: bool,
    /// The digits without zeros at either end; empty for zero.
    pub(crate) digits: String,
    pub(crate) shift: i64,
}

/// Why a decimal is not a number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// Negative, or too large.
    OutOfRange,
    /// Finer than the unit. The number of decimals without trailing zeros.
    TooPrecise(i64),
}

/// The number of digits up to which the shortest text of the nearest double is the decimal itself.
const DIGITS_OF_A_DOUBLE: usize = 15;
/// The largest power of ten that counts as exact. A double has slightly more.
const LARGEST_POWER: i64 = 300;

impl Decimal {
    /// Parses the literal of a JSON number, such as `12.5` or `1.25e1`.
    pub(crate) fn parse(literal: &str) -> Self {
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

    /// Returns the power of ten above the first digit.
    pub(crate) fn top(&self) -> i64 {
        self.shift.saturating_add(to_i64(self.digits.len()))
    }

    /// Whether a double identifies this number: no other decimal with as few digits has the same double.
    pub(crate) fn is_exact_in_a_double(&self) -> bool {
        self.digits.len() <= DIGITS_OF_A_DOUBLE && self.top().abs() <= LARGEST_POWER
    }

    /// Returns the number in units of 10^-`decimals`, which is exact: 1.2 is 1200 units of three decimals.
    pub(crate) fn in_units(&self, decimals: u32) -> Result<u32, UnitError> {
        // The largest `u32` has ten digits. The check keeps the text of the digits short.
        const MOST_DIGITS: i64 = 10;
        if self.digits.is_empty() {
            return Ok(0);
        }
        if self.is_negative || self.top() > MOST_DIGITS {
            return Err(UnitError::OutOfRange);
        }
        let scale = self.shift.saturating_add(decimals.into());
        let Ok(scale) = u32::try_from(scale) else {
            return Err(UnitError::TooPrecise(self.shift.saturating_neg()));
        };
        let digits = self.digits.parse::<u64>().ok();
        let value = digits.zip(10_u64.checked_pow(scale));
        let value = value.and_then(|(digits, scale)| digits.checked_mul(scale));
        value
            .and_then(|value| u32::try_from(value).ok())
            .ok_or(UnitError::OutOfRange)
    }

    /// Returns the number as an integer of at most `most` digits, or `None` if it is not one.
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

/// Parses an exponent, and saturates. An exponent that does not fit is out of range or too precise in any case.
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
                Decimal::parse(literal).whole(20).as_deref(),
                expected,
                "{literal}"
            );
        }
    }

    #[test]
    fn an_exact_double_prints_the_same_decimal() {
        for (literal, is_exact) in [
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
            let decimal = Decimal::parse(literal);
            assert_eq!(decimal.is_exact_in_a_double(), is_exact, "{literal}");
            let again: f64 = literal.parse().unwrap();
            for again in [format!("{again}"), format!("{again:e}")] {
                assert!(
                    !is_exact || Decimal::parse(&again) == decimal,
                    "{literal}: {again}"
                );
            }
        }
    }
}
