//! FNV-1a (32 bits), as an incremental hash.
//!
//! It is written by hand: it is two operations for each byte, less than a dependency.

/// The state of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fnv1a(u32);

impl Fnv1a {
    /// The state before any bytes.
    pub(super) const EMPTY: Self = Self(0x811c_9dc5);

    /// Returns the state after further bytes.
    #[must_use]
    pub(super) fn with(self, bytes: &[u8]) -> Self {
        let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        Self(bytes.iter().fold(self.0, step))
    }

    /// Returns the state after the decimal digits of a number.
    #[must_use]
    pub(super) fn with_decimal(self, number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut rest = number;
        let mut first = digits.len();
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            // A remainder of 10 fits in a byte.
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
            first = index;
            if rest == 0 {
                break;
            }
        }
        self.with(digits.get(first..).unwrap_or_default())
    }

    pub(super) fn finish(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from the test suite of the hash's authors.
    #[test]
    fn it_computes_the_published_values() {
        for (bytes, expected) in [
            (&b""[..], 0x811c_9dc5),
            (b"a", 0xe40c_292c),
            (b"ab", 0x4d25_05ca),
            (b"foobar", 0xbf9c_f968),
        ] {
            assert_eq!(Fnv1a::EMPTY.with(bytes).finish(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_number_is_hashed_as_its_decimal_digits() {
        for number in [0, 7, 10, 99, 100, 4_294_967, 1_000_000_000, u32::MAX] {
            assert_eq!(
                Fnv1a::EMPTY.with_decimal(number),
                Fnv1a::EMPTY.with(number.to_string().as_bytes()),
                "{number}"
            );
        }
    }
}
