//! How far numbers are apart, in exact decimals: 1.01 and 1.00 are 0.01 apart, which floats deny.

use super::number::Number;
use super::options::Allowed;

/// A number that is not negative, as a tolerance has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(Decimal);

impl Amount {
    /// From the literal of a number of JSON: `0.01`, `1e-3`. Beyond eighteen digits it is rounded
    /// down. `None` for a negative number, for one beyond any use, and for what is no number.
    #[must_use]
    pub fn parse(literal: &str) -> Option<Self> {
        let is_number = super::parse::is_number(literal);
        let decimal = Decimal::of(literal.as_bytes(), 18).filter(|_| is_number)?;
        (!decimal.negative).then_some(Self(decimal))
    }
}

/// ±`digits` · 10^`exponent`, and less than one more of the last digit if it was `cut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// At most 37 digits.
    digits: u128,
    /// How many they are.
    length: i64,
    exponent: i64,
    cut: bool,
}

/// Digits that an `i128` has room for, in sums as well.
const ROOM: i64 = 37;
/// Digits of a value that are looked at.
const DIGITS: usize = 36;
/// As many as leave room for the eighteen of a part of it.
const FEWER_DIGITS: usize = 19;
/// Exponents that mean anything: none of a product or a difference of two overflows.
const FARTHEST: u64 = 1 << 40;

/// Whether two numbers, both literals of JSON, are no farther apart than allowed. Where digits had
/// to be cut, the answer is no rather than a wrong yes.
pub(super) fn within(a: &[u8], b: &[u8], allowed: Allowed) -> bool {
    let most = match allowed {
        Allowed::Absolute(_) => DIGITS,
        Allowed::Relative(_) => FEWER_DIGITS,
    };
    let (Some(a), Some(b)) = (Decimal::of(a, most), Decimal::of(b, most)) else {
        return false;
    };
    match allowed {
        Allowed::Absolute(Amount(amount)) => apart(a, b, amount),
        // Of the larger of the two.
        Allowed::Relative(Amount(part)) => {
            apart(a, b, part.of_value(a)) || apart(a, b, part.of_value(b))
        }
    }
}

/// A number's place in the order of numbers, as far as its size and its first digits tell.
pub(super) fn rank(literal: &[u8]) -> i64 {
    const DIGITS: usize = 13;
    const SIZES: i64 = 1 << 16;
    let Some(number) = Decimal::of(literal, DIGITS).filter(|number| number.digits != 0) else {
        return 0;
    };
    let size = number
        .exponent
        .saturating_add(number.length)
        .clamp(-SIZES, SIZES);
    let digits = scale(number.digits, 13_i64.saturating_sub(number.length));
    let size = size.saturating_add(SIZES).saturating_add(1) << 44;
    let rank = size.saturating_add(i64::try_from(digits).unwrap_or_default());
    if number.negative {
        rank.saturating_neg()
    } else {
        rank
    }
}

/// Whether |a − b| ≤ amount.
fn apart(a: Decimal, b: Decimal, amount: Decimal) -> bool {
    // All three as integers of one unit, the smallest that leaves room for the largest.
    let all = [a, b, amount];
    let given = all.iter().filter(|decimal| decimal.digits != 0);
    let smallest = given.clone().map(|decimal| decimal.exponent).min();
    let largest = given
        .map(|decimal| decimal.exponent.saturating_add(decimal.length))
        .max();
    let (Some(smallest), Some(largest)) = (smallest, largest) else {
        return true;
    };
    let unit = smallest.max(largest.saturating_sub(ROOM));
    let [a_units, b_units, amount_units] = all.map(|decimal| decimal.units(unit));
    let distance = a_units.saturating_sub(b_units).saturating_abs();
    let error = a.error(unit).saturating_add(b.error(unit));
    distance.saturating_add(error) <= amount_units
}

impl Decimal {
    fn of(literal: &[u8], most: usize) -> Option<Self> {
        let number = Number::read(literal);
        let mut all = number.digits();
        let (mut digits, mut length) = (0_u128, 0_i64);
        for digit in all.by_ref().take(most) {
            digits = digits
                .wrapping_mul(10)
                .wrapping_add(u128::from(digit.wrapping_sub(b'0')));
            length = length.saturating_add(1);
        }
        let cut = i64::try_from(all.count()).ok()?;
        let exponent = number.exponent()?.saturating_add(cut);
        (exponent.unsigned_abs() <= FARTHEST).then_some(Self {
            negative: number.negative,
            digits,
            length,
            exponent,
            cut: cut > 0,
        })
    }

    /// This part of the size of a value.
    fn of_value(self, value: Self) -> Self {
        Self {
            negative: false,
            digits: self.digits.saturating_mul(value.digits),
            length: self.length.saturating_add(value.length),
            exponent: self.exponent.saturating_add(value.exponent),
            cut: self.cut,
        }
    }

    /// As an integer of 10^`unit`, rounded towards zero.
    fn units(self, unit: i64) -> i128 {
        let units = scale(self.digits, self.exponent.saturating_sub(unit));
        if self.negative {
            units.saturating_neg()
        } else {
            units
        }
    }

    /// How far that may be from the value.
    fn error(self, unit: i64) -> i128 {
        let places = self.exponent.saturating_sub(unit);
        let cut = if self.cut {
            scale(1, places).saturating_add(1)
        } else {
            0
        };
        let rounded = i128::from(places < 0 && self.digits != 0);
        cut.saturating_add(rounded)
    }
}

/// With the point moved by as many places; what falls below it is gone.
fn scale(digits: u128, places: i64) -> i128 {
    let power = u32::try_from(places.unsigned_abs()).ok();
    let power = power.and_then(|places| 10_u128.checked_pow(places));
    let scaled = match power {
        Some(power) if places >= 0 => digits.saturating_mul(power),
        Some(power) => digits.checked_div(power).unwrap_or_default(),
        None => 0,
    };
    i128::try_from(scaled).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &str, b: &str, allowed: Allowed) -> bool {
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
        let absolute =
            |a, b, amount| close(a, b, Allowed::Absolute(Amount::parse(amount).unwrap()));
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
            // By a hair, which is beyond the digits that are looked at.
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
            ("18446744073709551615", "18446744073709551614", "1", true),
            ("18446744073709551615", "18446744073709551613", "1", false),
        ] {
            assert_eq!(absolute(a, b, amount), expected, "{a} {b} {amount}");
        }
    }

    #[test]
    fn a_part_is_of_the_larger() {
        let relative = |a, b, part| close(a, b, Allowed::Relative(Amount::parse(part).unwrap()));
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
