//! Distances between numbers in exact decimals: 1.01 and 1.00 are 0.01 apart, which no float can
//! represent.

use crate::number::Number;

/// A non-negative decimal number: the size of a tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(Decimal);

impl Amount {
    /// Parses a JSON number literal: `0.01`, `1e-3`. Digits after the eighteenth are cut off. Returns
    /// `None` for a negative number, an exponent out of range, and anything that is not a number.
    #[must_use]
    pub fn parse(literal: &str) -> Option<Self> {
        let is_number = crate::parse::is_number(literal);
        let decimal = Decimal::of(literal.as_bytes(), 18).filter(|_| is_number)?;
        (!decimal.negative).then_some(Self(decimal))
    }
}

/// The distance at which two numbers still count as equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margin {
    /// An absolute distance.
    Absolute(Amount),
    /// A fraction of the larger absolute value: 0.01 is one percent.
    Relative(Amount),
}

/// ±`digits` · 10^`exponent`. If it was `cut`, the true value is larger by less than one unit of the
/// last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    cut: bool,
    digits: u64,
    exponent: i64,
    /// The exponent above the first digit. For zero it is below all others.
    top: i64,
}

/// The number of digits that are read. Multiplied by the eighteen digits of a fraction, they fit an
/// `i128`.
const DIGITS: usize = 19;
/// The number of digits that an `i128` holds, even after an addition.
const ROOM: i64 = 37;
/// The largest exponent: products and differences of two do not overflow.
const FARTHEST: u64 = 1 << 40;

/// Whether two JSON number literals are within a margin. If digits had to be cut, an uncertain result
/// is `false`.
#[inline(never)]
pub(crate) fn within(a: &[u8], b: &[u8], allowed: Margin) -> bool {
    let (Some(a), Some(b)) = (Decimal::of(a, DIGITS), Decimal::of(b, DIGITS)) else {
        return false;
    };
    match allowed {
        Margin::Absolute(Amount(amount)) => apart(&a, &b, u128::from(amount.digits), &amount),
        Margin::Relative(Amount(part)) => {
            let larger = if a.top > b.top || a.top == b.top && a.first() > b.first() {
                &a
            } else {
                &b
            };
            let digits = u128::from(part.digits).wrapping_mul(u128::from(larger.digits));
            let product = Decimal {
                exponent: part.exponent.wrapping_add(larger.exponent),
                top: part.top.wrapping_add(larger.top),
                ..part
            };
            apart(&a, &b, digits, &product)
        }
    }
}

/// Returns an integer that sorts like the number, judged by its magnitude and its first digits.
#[inline(never)]
pub(crate) fn rank(literal: &[u8]) -> i64 {
    const SIZES: i64 = 1 << 16;
    let Some(number) = Decimal::of(literal, DIGITS).filter(|number| number.digits != 0) else {
        return 0;
    };
    let size = number
        .top
        .clamp(-SIZES, SIZES)
        .wrapping_add(SIZES)
        .wrapping_add(1);
    let first = i64::try_from(number.first() >> 20).unwrap_or_default();
    let rank = size.wrapping_shl(44).wrapping_add(first);
    if number.negative {
        rank.wrapping_neg()
    } else {
        rank
    }
}

/// Whether |a − b| ≤ `digits` · 10^`amount.exponent`.
fn apart(a: &Decimal, b: &Decimal, digits: u128, amount: &Decimal) -> bool {
    // Converts all three to integers in one unit: the smallest one in which every number has room.
    let top = a.top.max(b.top).max(amount.top);
    let least = a.exponent.min(b.exponent).min(amount.exponent);
    let unit = least.max(top.wrapping_sub(ROOM));
    let (a_units, a_error) = a.units(unit);
    let (b_units, b_error) = b.units(unit);
    let amount = scale(digits, amount.exponent.wrapping_sub(unit));
    let distance = a_units.wrapping_sub(b_units).wrapping_abs();
    distance.wrapping_add(a_error).wrapping_add(b_error) <= amount
}

impl Decimal {
    #[inline(never)]
    fn of(literal: &[u8], most: usize) -> Option<Self> {
        let number = Number::read(literal);
        let length = number.length();
        let kept = length.min(most);
        let mut digits = 0_u64;
        for index in 0..kept {
            digits = digits.wrapping_mul(10).wrapping_add(number.digit(index));
        }
        let cut = i64::try_from(length.wrapping_sub(kept)).ok()?;
        let exponent = number.exponent()?;
        let top = exponent.wrapping_add(i64::try_from(length).ok()?);
        (exponent.unsigned_abs() <= FARTHEST).then_some(Self {
            negative: number.negative,
            cut: cut > 0,
            digits,
            exponent: exponent.wrapping_add(cut),
            top: if length == 0 { i64::MIN >> 2 } else { top },
        })
    }

    /// The first nineteen digits.
    fn first(&self) -> u64 {
        let places = self.exponent.wrapping_sub(self.top).wrapping_add(19);
        u64::try_from(scale(self.digits.into(), places)).unwrap_or_default()
    }

    /// Returns the number in units of 10^`unit`, rounded towards zero, and the largest possible error.
    #[inline(never)]
    fn units(&self, unit: i64) -> (i128, i128) {
        let places = self.exponent.wrapping_sub(unit);
        let units = scale(self.digits.into(), places);
        let cut = if self.cut { scale(1, places) } else { 0 };
        let error = cut.wrapping_add(i128::from(self.cut || places < 0 && self.digits != 0));
        (
            if self.negative {
                units.wrapping_neg()
            } else {
                units
            },
            error,
        )
    }
}

/// Shifts the decimal point. Digits that fall below it are dropped.
#[inline(never)]
fn scale(digits: u128, places: i64) -> i128 {
    let mut scaled = digits;
    // After 64 shifts no digit of a `u128` is left.
    for _ in 0..places.unsigned_abs().min(64) {
        scaled = if places < 0 {
            scaled / 10
        } else {
            scaled.wrapping_mul(10)
        };
    }
    i128::try_from(scaled).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &str, b: &str, allowed: Margin) -> bool {
        let close = within(a.as_bytes(), b.as_bytes(), allowed);
        assert_eq!(
            close,
            within(b.as_bytes(), a.as_bytes(), allowed),
            "{a} {b}"
        );
        close
    }

    #[test]
    fn distances_are_exact() {
        let absolute = |a, b, amount| close(a, b, Margin::Absolute(Amount::parse(amount).unwrap()));
        for (a, b, amount, expected) in [
            ("1.00", "1.01", "0.01", true),
            ("1.00", "1.0100000000000000001", "0.01", false),
            ("0.1", "0.3", "0.2", true),
            ("-1", "1", "2", true),
            ("-1", "1", "1.999999", false),
            ("5", "5.0", "0", true),
            ("1e-300", "0", "0.01", true),
            ("1e300", "1e300", "0.01", true),
            ("1e300", "1", "0.01", false),
            ("1e300", "1", "1.1e300", true),
            // The distance exceeds the amount by less than the digits that are read can show.
            ("1e300", "1", "1e300", false),
            ("0", "1e99999999999999999999", "1e9", false),
            ("0", "5.684341886080802e-14", "1e-9", true),
            (
                "1.0000000000000000000000000000000000000000001",
                "1",
                "0.1",
                true,
            ),
            (
                "1.0000000000000000000000000000000000000000001",
                "1",
                "0",
                false,
            ),
            ("1844674407370955161", "1844674407370955162", "1", true),
            ("1844674407370955161", "1844674407370955163", "1", false),
            // Beyond the digits that are read.
            ("18446744073709551615", "18446744073709551614", "1", false),
            ("18446744073709551615", "18446744073709551614", "100", true),
        ] {
            assert_eq!(absolute(a, b, amount), expected, "{a} {b} {amount}");
        }
    }

    #[test]
    fn a_part_is_of_the_larger() {
        let relative = |a, b, part| close(a, b, Margin::Relative(Amount::parse(part).unwrap()));
        for (a, b, part, expected) in [
            ("100", "99", "0.01", true),
            ("100", "98.999999", "0.01", false),
            ("-100", "-101", "0.01", true),
            ("0", "1e-9", "0.01", false),
            ("0", "-0.0", "0.01", true),
            ("1e300", "1.001e300", "0.001", true),
            (
                "1.7976931348623157e308",
                "1.7976931348623155e308",
                "1e-12",
                true,
            ),
            ("1", "-1", "1", false),
            ("1", "-1", "2", true),
        ] {
            assert_eq!(relative(a, b, part), expected, "{a} {b} {part}");
        }
    }

    #[test]
    fn ranks_are_in_the_order_of_the_numbers() {
        let ordered = [
            "-1e9", "-12", "-2.5", "-0.001", "0", "1e-300", "0.001", "1", "1.5", "9", "10", "1e19",
            "1e300",
        ];
        assert!(ordered.is_sorted_by(|a, b| rank(a.as_bytes()) < rank(b.as_bytes())));
    }

    #[test]
    fn amounts_are_numbers_that_are_not_negative() {
        for bad in [
            "",
            "x",
            "-1",
            ".5",
            "1.",
            "01",
            "1e",
            "0x1",
            "NaN",
            "1e99999999999999",
            " 1",
            "1 ",
        ] {
            assert_eq!(Amount::parse(bad), None, "{bad}");
        }
        assert!(Amount::parse("0").is_some() && Amount::parse("-0").is_some());
    }
}
