//! Parses percentages as exact decimals.
//!
//! They are not parsed as floats, because a bound on positions must not depend on rounding.

use crate::policy::decimal::{Decimal, UnitError};

/// 100 %, in millionths of a percent.
pub(crate) const HUNDRED_PERCENT: u32 = 100_000_000;

/// The maximum number of decimals of a percentage.
const DECIMALS: u32 = 6;

/// Parses a JSON number such as `12.5` or `1.25e1` as millionths of a percent.
///
/// Exponents are accepted because other tools write them: many write `0.000001` as `1e-06`.
pub(crate) fn millionths(literal: &str) -> Result<u32, UnitError> {
    let millionths = Decimal::parse(literal).in_units(DECIMALS)?;
    if millionths > HUNDRED_PERCENT {
        return Err(UnitError::OutOfRange);
    }
    Ok(millionths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_parsed_exactly() {
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
    fn other_numbers_are_rejected() {
        use UnitError::{OutOfRange, TooPrecise};
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
