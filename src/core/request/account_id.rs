//! Accounts: their formats, and the account of a request.

use std::fmt;

use crate::request::swar;

/// The maximum length of an opaque account, in bytes.
pub(crate) const LONGEST_OPAQUE: usize = 128;

/// The format of account identifiers, which a policy declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `AC` and 32 lower-case hex digits.
    Sid,
    /// Any 1 to 128 bytes.
    Opaque,
}

/// An account SID, stored as the 128-bit number that its 32 hex digits encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sid(u128);

impl Sid {
    /// Parses `AC` and 32 lower-case hex digits; `None` for anything else.
    #[must_use]
    #[inline(always)]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::parse_with_prefix(b"AC", text)
    }

    /// Parses a two-letter prefix and 32 lower-case hex digits.
    #[inline(always)]
    fn parse_with_prefix(prefix: &[u8; 2], text: &[u8]) -> Option<Self> {
        let digits: &[u8; 32] = text.strip_prefix(prefix)?.try_into().ok()?;
        let (eights, _) = digits.as_chunks::<8>();
        let mut number = 0;
        let mut all_wrong = 0;
        for eight in eights {
            let (part, wrong) = swar::hex_digits(*eight);
            number = (number << 32) | u128::from(part);
            all_wrong |= wrong;
        }
        (all_wrong == 0).then_some(Self(number))
    }

    pub(crate) const fn from_number(number: u128) -> Self {
        Self(number)
    }

    /// The number that the hex digits encode. Numbers have the same order as the texts.
    pub(crate) const fn number(self) -> u128 {
        self.0
    }
}

/// Whether the bytes are the SID of an API key: `SK` and 32 lower-case hex digits. Such a key belongs to
/// an account but does not identify it.
pub(crate) fn is_api_key(text: &[u8]) -> bool {
    Sid::parse_with_prefix(b"SK", text).is_some()
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AC{:032x}", self.0)
    }
}

/// The value of a lower-case hex digit.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    }
}

/// The value of a hex digit in either case, as a percent-encoded byte has them.
pub(crate) fn hex_digit_of_any_case(digit: u8) -> Option<u8> {
    hex_digit(digit.to_ascii_lowercase())
}

/// The account that a request is for.
#[derive(Clone, Copy, Debug)]
pub enum Account<'a> {
    /// The request has none of the sources in `account.from`.
    Absent,
    /// The first source that the request has does not contain an account.
    Malformed,
    /// An account in the policy's format.
    Known(AccountId<'a>),
}

/// An identifier in the policy's account format.
#[derive(Clone, Copy, Debug)]
pub struct AccountId<'a> {
    text: AccountText<'a>,
    /// Set if the format is `sid`.
    sid: Option<Sid>,
}

/// The bytes of an account: borrowed from the request, or decoded.
#[derive(Clone, Copy, Debug)]
enum AccountText<'a> {
    InRequest(&'a [u8]),
    Decoded(Decoded),
}

impl AccountId<'_> {
    /// The bytes of the account: for a SID the 34 ASCII bytes.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.text {
            AccountText::InRequest(text) => text,
            AccountText::Decoded(text) => text.as_slice(),
        }
    }

    pub(crate) fn sid(&self) -> Option<Sid> {
        self.sid
    }
}

impl Format {
    /// Parses the format's name in a policy.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "sid" => Some(Self::Sid),
            "opaque" => Some(Self::Opaque),
            _ => None,
        }
    }

    /// Whether the bytes are an account in this format.
    #[must_use]
    pub fn is_account(self, bytes: &[u8]) -> bool {
        self.parse_account(bytes).is_some()
    }

    /// Parses an account; `None` if the bytes are not one in this format.
    pub(crate) fn parse_account(self, bytes: &[u8]) -> Option<AccountId<'_>> {
        let sid = self.sid_of(bytes)?;
        let text = AccountText::InRequest(bytes);
        Some(AccountId { text, sid })
    }

    /// Parses bytes of the request as its account. The result is built in place, because an account can
    /// hold a decoded buffer and is expensive to move.
    #[inline(always)]
    pub(crate) fn parse_raw(self, bytes: &[u8]) -> Account<'_> {
        match self.sid_of(bytes) {
            None => Account::Malformed,
            Some(sid) => Account::Known(AccountId {
                text: AccountText::InRequest(bytes),
                sid,
            }),
        }
    }

    /// Whether a Basic user name counts as absent, so that the next source is read: true for an API key if
    /// accounts are SIDs. Everything else that is not an account is malformed, so that a client cannot
    /// choose which of two accounts counts.
    pub(crate) fn is_credential_without_account(self, bytes: &[u8]) -> bool {
        self == Self::Sid && is_api_key(bytes)
    }

    /// Parses decoded bytes as the account of a request.
    pub(crate) fn parse_decoded(self, bytes: Decoded) -> Account<'static> {
        match self.sid_of(bytes.as_slice()) {
            None => Account::Malformed,
            Some(sid) => Account::Known(AccountId {
                text: AccountText::Decoded(bytes),
                sid,
            }),
        }
    }

    /// Checks the format: `None` if the bytes are not an account, and `Some(None)` if they are an opaque one.
    fn sid_of(self, bytes: &[u8]) -> Option<Option<Sid>> {
        match self {
            Self::Sid => Sid::parse(bytes).map(Some),
            Self::Opaque => is_opaque_account(bytes).then_some(None),
        }
    }
}

pub(crate) fn is_opaque_account(bytes: &[u8]) -> bool {
    (1..=LONGEST_OPAQUE).contains(&bytes.len())
}

/// The content of one source, before its format is checked.
pub(crate) enum SourceValue<'a> {
    Absent,
    Malformed,
    /// Bytes of the request, which need no decoding.
    Plain(&'a [u8]),
    Decoded(Decoded),
}

/// Decoded bytes in a buffer of fixed size, so that decoding allocates nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    buffer: [u8; LONGEST_OPAQUE],
    length: usize,
}

impl Decoded {
    /// Collects decoded bytes; `None` if one of them is invalid or they are more than an account may have.
    pub(crate) fn collect(bytes: impl Iterator<Item = Option<u8>>) -> Option<Self> {
        let mut buffer = [0; LONGEST_OPAQUE];
        let mut length = 0_usize;
        for byte in bytes {
            *buffer.get_mut(length)? = byte?;
            length = length.saturating_add(1);
        }
        Some(Self { buffer, length })
    }

    /// Copies bytes; `None` if they are more than an account may have.
    pub(crate) fn copy_of(bytes: &[u8]) -> Option<Self> {
        Self::collect(bytes.iter().copied().map(Some))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_is_sk_and_32_lower_case_hex_digits() {
        let key = "SK7342e9713fa896e4af00c654c444aada";
        assert!(is_api_key(key.as_bytes()));
        assert!(Format::Sid.is_credential_without_account(key.as_bytes()));
        assert!(!Format::Opaque.is_credential_without_account(key.as_bytes()));
        let (short, _) = key.split_at(33);
        for other in [
            "",
            "SK",
            short,
            &format!("{key}0"),
            &key.to_uppercase(),
            &key.to_lowercase(),
            &key.replace("SK", "sk"),
            &key.replace("SK", "Sk"),
            &key.replace("SK", "AC"),
            &key.replace("SK", "US"),
            &key.replace("73", "7g"),
            &format!(" {key}"),
            &format!("{key} "),
        ] {
            assert!(!is_api_key(other.as_bytes()), "{other:?}");
        }
    }

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
