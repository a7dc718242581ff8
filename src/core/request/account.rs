//! Accounts: what one looks like, and what a request says of it.

use std::fmt;

use crate::request::swar;

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
    #[inline(always)]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::digits_behind(b"AC", text)
    }

    /// Reads 32 lower-case hex digits behind the two letters of a kind of SID.
    #[inline(always)]
    fn digits_behind(kind: &[u8; 2], text: &[u8]) -> Option<Self> {
        let digits: &[u8; 32] = text.strip_prefix(kind)?.try_into().ok()?;
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

    pub(crate) const fn of_number(number: u128) -> Self {
        Self(number)
    }

    /// Numbers stand in the order of the texts.
    pub(crate) const fn number(self) -> u128 {
        self.0
    }
}

/// Whether the bytes are the SID of an API key: `SK` and 32 lower-case hex digits. Such a key is a
/// credential that belongs to an account without naming it.
pub(crate) fn is_api_key(text: &[u8]) -> bool {
    Sid::digits_behind(b"SK", text).is_some()
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
    text: AccountText<'a>,
    /// Where the format is `sid`.
    sid: Option<Sid>,
}

/// As the request has it, or as it was decoded.
#[derive(Clone, Copy, Debug)]
enum AccountText<'a> {
    InRequest(&'a [u8]),
    Decoded(Decoded),
}

impl AccountId<'_> {
    /// The bytes that name the account: for a SID the 34 ASCII bytes.
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
    /// As the policy names it.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
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
        let sid = self.sid_of(bytes)?;
        let text = AccountText::InRequest(bytes);
        Some(AccountId { text, sid })
    }

    /// What a request says by these bytes of itself. An account is large, because it may have been
    /// decoded; it is made where it stays, and what most requests say is not moved about.
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

    /// Whether a Basic user name of these bytes names no account, so that the next source decides: an
    /// API key where accounts are SIDs. Whatever else is not an account is malformed, so that clients
    /// cannot choose which of two accounts counts.
    pub(crate) fn is_user_name_without_account(self, bytes: &[u8]) -> bool {
        self == Self::Sid && is_api_key(bytes)
    }

    pub(crate) fn parse_decoded(self, bytes: Decoded) -> Account<'static> {
        match self.sid_of(bytes.as_slice()) {
            None => Account::Malformed,
            Some(sid) => Account::Known(AccountId {
                text: AccountText::Decoded(bytes),
                sid,
            }),
        }
    }

    /// The SID, where the format is that; `None` when the bytes are no account of this format.
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

/// What one source holds, in whatever format.
pub(crate) enum SourceValue<'a> {
    Absent,
    Malformed,
    /// As it stands in the request.
    Plain(&'a [u8]),
    Decoded(Decoded),
}

/// What was decoded, in a buffer that no request can outgrow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    buffer: [u8; LONGEST_OPAQUE],
    length: usize,
}

impl Decoded {
    /// Of decoded bytes; `None` when one of them is bad or they are more than an account has.
    pub(crate) fn collect(bytes: impl Iterator<Item = Option<u8>>) -> Option<Self> {
        let mut buffer = [0; LONGEST_OPAQUE];
        let mut length = 0_usize;
        for byte in bytes {
            *buffer.get_mut(length)? = byte?;
            length = length.saturating_add(1);
        }
        Some(Self { buffer, length })
    }

    /// Of bytes as they stand; `None` when they are more than an account has.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
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
        assert!(Format::Sid.is_user_name_without_account(key.as_bytes()));
        assert!(!Format::Opaque.is_user_name_without_account(key.as_bytes()));
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
