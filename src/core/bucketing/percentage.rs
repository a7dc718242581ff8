//! Percentages as the policy writes them: exact decimals, read without a float.

use crate::policy::decimal::Decimal;

/// A hundred percent, in millionths of a percent.
pub(crate) const HUNDRED_PERCENT: u32 = 100_000_000;

/// Decimals that a percentage may have.
const DECIMALS: i64 = 6;

/// Why a number is not a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PercentageError {
    /// Below 0 or above 100.
    OutOfRange,
    /// It has this many decimals that count, more than six.
    TooPrecise(i64),
}

/// Reads the literal of a JSON number, `12.5` or `1.25e1`, as millionths of a percent.
///
/// Exponents are read because other tools write them: `1e-06` is what many make of `0.000001`.
pub(crate) fn millionths(literal: &str) -> Result<u32, PercentageError> {
    let decimal = Decimal::of(literal);
    if decimal.digits.is_empty() {
        return Ok(0);
    }
    if decimal.is_negative || decimal.top() > 3 {
        return Err(PercentageError::OutOfRange);
    }
    let scale = decimal.shift.saturating_add(DECIMALS);
    if scale < 0 {
        return Err(PercentageError::TooPrecise(decimal.shift.saturating_neg()));
    }
    decimal
        .digits
        .parse::<u64>()
        .ok()
        .zip(
            u32::try_from(scale)
                .ok()
                .and_then(|scale| 10_u64.checked_pow(scale)),
        )
        .and_then(|(significant, scale)| significant.checked_mul(scale))
        .and_then(|value| u32::try_from(value).ok())
        .filter(|value| *value <= HUNDRED_PERCENT)
        .ok_or(PercentageError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exact_decimals() {
        for (literal, expected) in [
            ("0", 0),
            ("-0", 0),
            ("0.000001", 1),
            ("1e-06", 1),
            ("12.5", 12_500_000),
            ("12.5000000", 12_500_000),
            ("1.25E+1", 12_500_000),
            ("99.999999", 99_999_999),
            ("100", 100_000_000),
            ("100.0", 100_000_000),
            ("1e2", 100_000_000),
            ("0e999999999999999999999", 0),
        ] {
            assert_eq!(millionths(literal), Ok(expected), "{literal}");
        }
    }

    #[test]
    fn refuses_what_is_no_percentage() {
        use PercentageError::{OutOfRange, TooPrecise};
        for (literal, expected) in [
            ("-1", OutOfRange),
            ("101", OutOfRange),
            ("100.000001", OutOfRange),
            ("100.0000001", TooPrecise(7)),
            ("1e3", OutOfRange),
            ("1e99999999999999999999", OutOfRange),
            ("12.1234567", TooPrecise(7)),
            ("1e-7", TooPrecise(7)),
            ("1e-99999999999999999999", TooPrecise(i64::MAX)),
            ("123456789012345678901234567890", OutOfRange),
        ] {
            assert_eq!(millionths(literal), Err(expected), "{literal}");
        }
    }
}
