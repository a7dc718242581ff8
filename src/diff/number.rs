//! JSON numbers of any size by their exact decimal values, without floats.

use crate::hash;

/// A number without redundant zeros: ±`digits` · 10^`exponent`, where the first and the last digit are
/// not zero. Zero has neither digits nor a sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<'a> {
    pub(crate) negative: bool,
    /// The digits before the decimal point and those after it.
    whole: &'a [u8],
    decimals: &'a [u8],
    exponent: Exponent<'a>,
}

/// The exponent `written` + `shift`. A written exponent may have more digits than any integer type
/// holds.
#[derive(Clone, Copy, Debug)]
struct Exponent<'a> {
    negative: bool,
    /// Without leading zeros.
    written: &'a [u8],
    /// At most the length of the literal.
    shift: i64,
}

/// Written exponents of at most this many digits are converted to integers.
const SHORT: usize = 18;
/// The distance from zero that every longer exponent exceeds, whatever its shift.
const SURELY_SHORT: u64 = 100_000_000_000_000_000;

impl<'a> Number<'a> {
    /// Parses a literal that is known to be a JSON number.
    #[inline(never)]
    pub(crate) fn read(literal: &'a [u8]) -> Self {
        let (negative, literal) = sign(literal);
        let e = literal.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = split(literal, e);
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let (whole, decimals) = split(mantissa, point);

        let decimals = trim_end(decimals);
        let places = length(decimals);
        let (whole, zeros) = match decimals {
            [] => {
                let trimmed = trim_end(whole);
                (trimmed, length(whole).wrapping_sub(length(trimmed)))
            }
            _ => (whole, 0),
        };
        let whole = trim_start(whole);
        let decimals = match whole {
            [] => trim_start(decimals),
            _ => decimals,
        };
        let is_zero = whole.is_empty() && decimals.is_empty();
        let (negative_exponent, written) = sign(exponent);
        Self {
            negative: negative && !is_zero,
            whole,
            decimals,
            exponent: Exponent {
                negative: negative_exponent,
                written: if is_zero { &[] } else { trim_start(written) },
                shift: if is_zero {
                    0
                } else {
                    zeros.wrapping_sub(places)
                },
            },
        }
    }

    pub(crate) fn same(self, other: Number<'_>) -> bool {
        self.negative == other.negative
            && self.length() == other.length()
            && (0..self.length()).all(|index| self.digit(index) == other.digit(index))
            && self.exponent.same(other.exponent)
    }

    /// The number of digits.
    pub(crate) fn length(self) -> usize {
        self.whole.len().wrapping_add(self.decimals.len())
    }

    /// The value of a digit. The index is below the length.
    pub(crate) fn digit(self, index: usize) -> u64 {
        let decimal = index.wrapping_sub(self.whole.len());
        let digit = self.whole.get(index).or_else(|| self.decimals.get(decimal));
        u64::from(digit.map_or(0, |digit| digit.wrapping_sub(b'0')))
    }

    /// The exponent, or `None` if it has too many digits for an integer.
    pub(crate) fn exponent(self) -> Option<i64> {
        self.exponent.short()
    }

    pub(crate) fn hash(self) -> u64 {
        // Not zero, because zero mixes to zero, and 12 would hash like 20 up to its first digit.
        let sign = u64::from(self.negative).wrapping_add(2);
        // An exponent just short enough may equal one that is too long.
        let exponent = self
            .exponent
            .short()
            .filter(|short| short.unsigned_abs() < SURELY_SHORT);
        let mut hash = exponent.map_or(sign, |exponent| hash::then(sign, exponent.cast_unsigned()));
        for index in 0..self.length() {
            hash = hash::then(hash, self.digit(index));
        }
        hash
    }
}

impl Exponent<'_> {
    fn same(self, other: Exponent<'_>) -> bool {
        match (self.short(), other.short()) {
            (Some(this), Some(that)) => this == that,
            _ => self.long() == other.long(),
        }
    }

    fn short(self) -> Option<i64> {
        if self.written.len() > SHORT {
            return None;
        }
        let sum = integer(self.written).wrapping_mul(if self.negative { -1 } else { 1 });
        Some(sum.wrapping_add(self.shift))
    }

    /// Returns the sign and the digits, least significant first, or `None` for an exponent so short
    /// that the shift flips its sign; no long exponent equals it.
    fn long(self) -> Option<(bool, Vec<u8>)> {
        let mut digits = Vec::with_capacity(self.written.len());
        let mut carry = if self.negative {
            self.shift.wrapping_neg()
        } else {
            self.shift
        };
        let mut written = self.written.iter().rev();
        loop {
            carry = match written.next() {
                Some(digit) => carry.wrapping_add(value(*digit)),
                None if carry == 0 => break,
                None if carry < 0 => return None,
                None => carry,
            };
            digits.extend(u8::try_from(carry.rem_euclid(10)));
            carry = carry.div_euclid(10);
        }
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Some((self.negative, digits))
    }
}

/// Converts at most eighteen digits.
fn integer(digits: &[u8]) -> i64 {
    digits.iter().fold(0_i64, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(value(*digit))
    })
}

fn value(digit: u8) -> i64 {
    i64::from(digit.wrapping_sub(b'0'))
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Splits a text around the byte at `at`.
fn split(text: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    let (before, rest) = text
        .split_at_checked(at.unwrap_or(text.len()))
        .unwrap_or((text, &[]));
    (before, rest.get(1..).unwrap_or_default())
}

fn trim_start(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

fn trim_end(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    digits
}

fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Number::read(a.as_bytes()), Number::read(b.as_bytes()));
        let same = a.same(b);
        assert_eq!(same, b.same(a));
        assert!(!same || a.hash() == b.hash());
        same
    }

    #[test]
    fn one_value_has_many_literals() {
        for group in [
            vec![
                "1", "1.0", "1e0", "10e-1", "0.1E1", "1E+00", "0.001e3", "1000e-3", "1.000",
            ],
            vec!["0", "-0", "0.0", "0e9", "-0E-99999999999999999999999"],
            vec!["-12.5", "-125e-1", "-0.125e2", "-12.50"],
            vec!["120", "1.2e2", "12e1", "120.0", "1200e-1"],
            vec![
                "1e1000000000000000000000",
                "10e999999999999999999999",
                "0.1e1000000000000000000001",
            ],
            vec!["1e1000000000000000000", "10e999999999999999999"],
            vec![
                "1e-1000000000000000000",
                "0.1e-999999999999999999",
                "10e-1000000000000000001",
            ],
            vec!["1e-10000000000000000000000", "0.1e-9999999999999999999999"],
        ] {
            for a in &group {
                for b in &group {
                    assert!(same(a, b), "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn what_is_nearly_equal_is_not_equal() {
        for (a, b) in [
            ("1", "-1"),
            ("1", "1.0000000000000000000000000000000000001"),
            ("9007199254740993", "9007199254740992"),
            ("1e400", "1e401"),
            ("1e-400", "0"),
            ("1e1000000000000000000000", "1e1000000000000000000001"),
            ("1e1000000000000000000000", "1e-1000000000000000000000"),
            ("1e1000000000000000000000", "10e1000000000000000000000"),
            ("1e1000000000000000000", "1e999999999999999999"),
            ("10", "1"),
            ("0.1", "0.01"),
            ("101", "11"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
