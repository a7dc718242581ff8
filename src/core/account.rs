//! Accounts: what one looks like, and what a request says of it.

use std::fmt;

/// The longest opaque account, in bytes.
pub(crate) const LONGEST_OPAQUE: usize = 128;

/// What an account looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `AC` and 32 lower-case hex digits.
    Sid,
    /// Any 1 to 128 bytes.
    Opaque,
}

/// An account SID, packed: its 32 hex digits as a number of 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sid(u128);

impl Sid {
    /// Reads `AC` and 32 lower-case hex digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"AC")?;
        let (pairs, []) = digits.as_chunks::<2>() else {
            return None;
        };
        let pairs: &[[u8; 2]; 16] = pairs.try_into().ok()?;
        let mut packed = [0; 16];
        for (byte, [high, low]) in packed.iter_mut().zip(pairs) {
            *byte = (hex_digit(*high)? << 4) | hex_digit(*low)?;
        }
        Some(Self(u128::from_be_bytes(packed)))
    }

    pub(crate) const fn of_number(number: u128) -> Self {
        Self(number)
    }

    /// Numbers stand in the order of the texts.
    pub(crate) const fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AC{:032x}", self.0)
    }
}

pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    }
}

/// Whom a request is for.
#[derive(Clone, Copy, Debug)]
pub enum Account<'a> {
    /// No source is present on the request.
    Absent,
    /// The first source that is present does not hold an account.
    Malformed,
    /// An account of the policy's format.
    Known(AccountId<'a>),
}

/// An account of the policy's format.
#[derive(Clone, Copy, Debug)]
pub struct AccountId<'a> {
    bytes: Bytes<'a>,
    /// Where the format is `sid`.
    sid: Option<Sid>,
}

impl AccountId<'_> {
    /// The bytes that name the account: for a SID the 34 ASCII bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    pub(crate) fn sid(&self) -> Option<Sid> {
        self.sid
    }
}

impl Format {
    /// As the policy names it.
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word {
            "sid" => Some(Self::Sid),
            "opaque" => Some(Self::Opaque),
            _ => None,
        }
    }

    /// Whether the bytes are an account of this format.
    #[must_use]
    pub fn is_account(self, bytes: &[u8]) -> bool {
        self.account_of(bytes).is_some()
    }

    /// `None` when the bytes are no account of this format.
    pub(crate) fn account_of(self, bytes: &[u8]) -> Option<AccountId<'_>> {
        self.account(Bytes::of_request(bytes))
    }

    /// `None` when the bytes are no account of this format.
    pub(crate) fn account(self, bytes: Bytes<'_>) -> Option<AccountId<'_>> {
        let sid = match self {
            Self::Sid => Some(Sid::parse(bytes.as_slice())?),
            Self::Opaque if is_opaque_account(bytes.as_slice()) => None,
            Self::Opaque => return None,
        };
        Some(AccountId { bytes, sid })
    }
}

pub(crate) fn is_opaque_account(bytes: &[u8]) -> bool {
    (1..=LONGEST_OPAQUE).contains(&bytes.len())
}

/// What one source holds, in whatever format.
pub(crate) enum Found<'a> {
    Absent,
    Malformed,
    Value(Bytes<'a>),
}

/// Bytes as the request has them, or decoded into a buffer that no request can outgrow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(Stored<'a>);

#[derive(Clone, Copy, Debug)]
enum Stored<'a> {
    InRequest(&'a [u8]),
    Decoded {
        buffer: [u8; LONGEST_OPAQUE],
        length: usize,
    },
}

impl<'a> Bytes<'a> {
    pub(crate) fn of_request(bytes: &'a [u8]) -> Self {
        Self(Stored::InRequest(bytes))
    }

    /// Collects decoded bytes; `None` when one of them is bad or they are more than an account has.
    pub(crate) fn decoded(bytes: impl Iterator<Item = Option<u8>>) -> Option<Self> {
        let mut buffer = [0; LONGEST_OPAQUE];
        let mut length = 0_usize;
        for byte in bytes {
            *buffer.get_mut(length)? = byte?;
            length = length.saturating_add(1);
        }
        Some(Self(Stored::Decoded { buffer, length }))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Stored::InRequest(bytes) => bytes,
            Stored::Decoded { buffer, length } => buffer.get(..*length).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_ac_and_32_lower_case_hex_digits() {
        let sid = "AC7342e9713fa896e4af00c654c444aada";
        assert!(Sid::parse(sid.as_bytes()).is_some());
        let (short, _) = sid.split_at(33);
        for bad in [
            "",
            "AC",
            short,
            &format!("{sid}0"),
            &sid.to_uppercase(),
            &sid.to_lowercase(),
            &sid.replace("73", "7g"),
            &sid.replace("73", "7\0"),
            &format!(" {short}"),
        ] {
            assert_eq!(Sid::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
