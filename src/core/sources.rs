//! Where a request says whom it is for.

use crate::account::{Account, Decoded, Format, Found, hex_digit};
use crate::basic_auth;
use crate::headers::{Headers, Single};
use crate::path::Template;

/// Where to look for the account, in order, and what it has to look like.
#[derive(Debug)]
pub(crate) struct AccountSources {
    pub(crate) from: Vec<Source>,
    pub(crate) format: Format,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The value of a header, by its lower-case name.
    Header(String),
    /// The user name of `authorization: Basic …`.
    BasicAuthUsername,
    /// `{account}` in a path.
    Path(Template),
}

impl AccountSources {
    /// The first source that is present decides, even when what it holds is malformed: a request
    /// that names two accounts must not get the treatment of the one it prefers. An API key as the
    /// user name of Basic authentication names none, so it counts as absent.
    pub(crate) fn read<'a>(&self, headers: Headers<'a>, path: &'a [u8], account: &mut Account<'a>) {
        for source in &self.from {
            match source.find(headers, path, self.format) {
                Found::Absent => continue,
                Found::Malformed => *account = Account::Malformed,
                Found::Plain(bytes) => *account = self.format.said(bytes),
                Found::Decoded(bytes) => *account = self.format.said_decoded(bytes),
            }
            return;
        }
        *account = Account::Absent;
    }
}

impl Source {
    #[inline(always)]
    pub(crate) fn find<'a>(
        &self,
        headers: Headers<'a>,
        path: &'a [u8],
        format: Format,
    ) -> Found<'a> {
        match self {
            Self::Header(name) => match headers.single(name) {
                Single::Absent => Found::Absent,
                Single::Repeated => Found::Malformed,
                Single::One(value) => Found::Plain(value),
            },
            Self::BasicAuthUsername => basic_auth::account(headers, format),
            Self::Path(template) => match template.capture(path) {
                None => Found::Absent,
                Some(segment) if !segment.contains(&b'%') => Found::Plain(segment),
                Some(segment) => percent_decoded(segment).map_or(Found::Malformed, Found::Decoded),
            },
        }
    }
}

/// A path may spell one account in many ways (`%61` is `a`), and upstreams read them as one.
#[inline(never)]
fn percent_decoded(segment: &[u8]) -> Option<Decoded> {
    let mut rest = segment.iter().copied();
    Decoded::collect(std::iter::from_fn(|| {
        Some(match rest.next()? {
            b'%' => {
                let high = rest.next().and_then(any_case_hex_digit);
                let low = rest.next().and_then(any_case_hex_digit);
                high.zip(low).map(|(high, low)| (high << 4) | low)
            }
            plain => Some(plain),
        })
    }))
}

fn any_case_hex_digit(digit: u8) -> Option<u8> {
    hex_digit(digit.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_one_spelling_of_an_account() {
        let decode = |segment: &str| {
            percent_decoded(segment.as_bytes()).map(|account| account.as_slice().to_vec())
        };
        assert_eq!(decode("alice"), Some(b"alice".to_vec()));
        assert_eq!(decode("%61l%69ce"), Some(b"alice".to_vec()));
        assert_eq!(decode("a%2Fb%2fc"), Some(b"a/b/c".to_vec()));
        assert_eq!(decode("%"), None);
        assert_eq!(decode("%4"), None);
        assert_eq!(decode("%zz"), None);
        assert_eq!(decode(&"%61".repeat(128)), Some(b"a".repeat(128)));
        assert_eq!(decode(&"%61".repeat(129)), None);
    }
}
