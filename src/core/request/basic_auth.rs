//! The user name of HTTP Basic authentication (RFC 7617), as a source of the account.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::request::account_id::{Decoded, Format, SourceValue};
use crate::request::headers::Headers;

const SCHEME: &[u8] = b"basic";

/// Base64 that accepts what the most lenient upstream accepts. If some upstream decodes an account from
/// the credentials, the filter must decode the same one, whatever their padding is.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns the user name as an account source. A credential that does not identify an account counts as
/// absent.
#[inline(never)]
pub(crate) fn find_account<'a>(headers: Headers<'a>, format: Format) -> SourceValue<'a> {
    match find_username(headers) {
        SourceValue::Decoded(name) if format.is_credential_without_account(name.as_slice()) => {
            SourceValue::Absent
        }
        found => found,
    }
}

/// Returns the user name in `authorization: Basic …`. Other schemes count as absent.
///
/// A value that a lenient upstream may read as Basic is malformed unless it is well-formed and the only
/// `authorization` header: otherwise a client could hide its credentials from this source and send another
/// account in the next one.
pub(crate) fn find_username<'a>(headers: Headers<'a>) -> SourceValue<'a> {
    let mut values = headers.values("authorization");
    let found = match (values.next(), values.next()) {
        (None, _) => return SourceValue::Absent,
        (Some(only), None) => credentials(only),
        // Upstreams disagree about which of them counts, and proxies join them with a comma.
        (Some(_), Some(_)) => None,
    };
    match found {
        Some(credentials) => {
            decode_username(credentials).map_or(SourceValue::Malformed, SourceValue::Decoded)
        }
        None if headers.values("authorization").any(may_be_basic) => SourceValue::Malformed,
        None => SourceValue::Absent,
    }
}

/// Returns the credentials after a well-formed `Basic` and its spaces.
fn credentials(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = trim(authorization).split_at_checked(SCHEME.len())?;
    let is_basic = scheme.eq_ignore_ascii_case(SCHEME);
    let mut credentials = rest.strip_prefix(b" ").filter(|_| is_basic)?;
    while let [b' ', after @ ..] = credentials {
        credentials = after;
    }
    Some(credentials)
}

/// Whether some upstream may find Basic credentials in an `authorization` value that is not well-formed.
/// Upstreams split a value at commas and at what they take for white space, skip what they do not know,
/// or search the whole value for the word.
fn may_be_basic(authorization: &[u8]) -> bool {
    let mut bytes = authorization.iter().enumerate();
    begins_with_basic(authorization)
        || has_invalid_scheme(authorization)
        || bytes.any(|(index, byte)| match byte {
            b',' => authorization.get(index..).is_some_and(begins_with_basic),
            b'!'..=b'~' => false,
            _ => authorization.get(..index).is_some_and(ends_with_basic),
        })
}

/// Whether the first letters or digits are `basic`, in any case. Other characters may precede them.
fn begins_with_basic(bytes: &[u8]) -> bool {
    let start = bytes.iter().position(u8::is_ascii_alphanumeric);
    let word = start.and_then(|start| bytes.get(start..)?.get(..SCHEME.len()));
    word.is_some_and(|word| word.eq_ignore_ascii_case(SCHEME))
}

/// Whether the last five bytes are `basic`, in any case.
fn ends_with_basic(bytes: &[u8]) -> bool {
    let word = bytes.last_chunk::<5>();
    word.is_some_and(|word| word.eq_ignore_ascii_case(SCHEME))
}

/// Whether the scheme contains bytes that no scheme may have. An upstream that removes or translates them
/// may read another scheme, such as Basic for `ＢＡＳＩＣ`.
fn has_invalid_scheme(authorization: &[u8]) -> bool {
    let bytes = trim(authorization).iter();
    let mut scheme = bytes.take_while(|byte| !b" \t,=".contains(byte));
    scheme.any(|byte| !byte.is_ascii_graphic())
}

/// Removes the spaces and tabs around a header's value, which are not part of it.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The length of the chunks in which base64 is decoded, in characters. Chunks keep the memory for a long
/// password constant.
const CHUNK_LEN: usize = 256;
/// The length of a decoded chunk, in bytes: longer than a user name and its colon.
const DECODED_LEN: usize = CHUNK_LEN / 4 * 3;

/// Decodes the user name. All of the credentials must be base64, but only the user name is kept.
fn decode_username(credentials: &[u8]) -> Option<Decoded> {
    let mut buffer = [0; DECODED_LEN];
    let mut chunks = credentials.chunks(CHUNK_LEN).peekable();
    let first = decode(chunks.next()?, chunks.peek().is_none(), &mut buffer)?;
    let colon = first.iter().position(|byte| *byte == b':')?;
    let username = Decoded::collect(first.iter().copied().take(colon).map(Some))?;
    while let Some(chunk) = chunks.next() {
        decode(chunk, chunks.peek().is_none(), &mut buffer)?;
    }
    Some(username)
}

/// Decodes one chunk. Padding is allowed in the last one only.
fn decode<'b>(chunk: &[u8], is_last: bool, buffer: &'b mut [u8; DECODED_LEN]) -> Option<&'b [u8]> {
    if !is_last && chunk.contains(&b'=') {
        return None;
    }
    let length = LENIENT.decode_slice(chunk, buffer).ok()?;
    buffer.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The account, `None` where the source is absent, an error where it is malformed.
    fn read(authorization: &[&str]) -> Result<Option<String>, ()> {
        let pairs: Vec<_> = authorization
            .iter()
            .map(|value| (&b"authorization"[..], value.as_bytes()))
            .collect();
        match find_username(Headers::new(&pairs)) {
            SourceValue::Absent => Ok(None),
            SourceValue::Malformed => Err(()),
            SourceValue::Plain(_) => panic!("a user name is decoded"),
            SourceValue::Decoded(name) => {
                Ok(Some(String::from_utf8(name.as_slice().to_vec()).unwrap()))
            }
        }
    }

    #[test]
    fn reads_the_user_name() {
        let alice = Ok(Some("alice".to_owned()));
        assert_eq!(read(&["Basic YWxpY2U6c2VjcmV0"]), alice);
        assert_eq!(read(&["bAsIc   YWxpY2U6c2VjcmV0 "]), alice);
        assert_eq!(read(&["Basic YWxpY2U6"]), alice, "an empty password");
        assert_eq!(read(&["Basic YWxpY2U6cw=="]), alice);
        assert_eq!(read(&["Basic YWxpY2U6cw"]), alice, "no padding");
        assert_eq!(read(&["Basic YWxpY2U6cx=="]), alice, "trailing bits");
        assert_eq!(read(&["Basic OnNlY3JldA=="]), Ok(Some(String::new())));
    }

    #[test]
    fn other_schemes_are_absent() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer YWxpY2U6c2VjcmV0"]), Ok(None));
        assert_eq!(read(&["Bas"]), Ok(None));
        assert_eq!(read(&["Digest username=\"Mufasa\", realm=\"x\""]), Ok(None));
    }

    #[test]
    fn credentials_without_a_user_name_are_malformed() {
        assert_eq!(read(&["Basic"]), Err(()), "nothing");
        assert_eq!(read(&["Basic !!!"]), Err(()), "not base64");
        assert_eq!(read(&["Basic YWxpY2U="]), Err(()), "no colon");
        assert_eq!(
            read(&["Basic YWxpY2U6c2VjcmV0", "Basic Ym9iOg=="]),
            Err(()),
            "two"
        );
        assert_eq!(
            read(&["Bearer x", "Basic Ym9iOg=="]),
            Err(()),
            "two schemes"
        );
        assert_eq!(read(&["Bearer x,Basic Ym9iOg=="]), Err(()), "joined");
        assert_eq!(read(&["Basic Ym9iOg==, Bearer x"]), Err(()), "joined");
    }

    #[test]
    fn no_spelling_of_basic_is_absent() {
        for authorization in [
            "Basic\tYWxpY2U6",
            "Basic:YWxpY2U6",
            "Basic: YWxpY2U6",
            "BasicYWxpY2U6",
            "BasicX YWxpY2U6",
            "Basically YWxpY2U6",
            "BasicAuth2 foo",
            "basic-YWxpY2U6",
            "Basic=YWxpY2U6",
            "Basic\u{b}YWxpY2U6",
            "Basic\u{c}YWxpY2U6",
            "Basic\0YWxpY2U6",
            "Basic\rYWxpY2U6",
            "Basic \tYWxpY2U6",
            "Basic \u{b}YWxpY2U6",
            "Basic\u{a0}YWxpY2U6",
            "Basic\u{85}YWxpY2U6",
            "Basic\u{3000}YWxpY2U6",
            "Basic ",
            "Basic     ",
            "BASIC",
            "\u{b}Basic YWxpY2U6",
            "\u{feff}Basic YWxpY2U6",
            "\u{a0}Basic YWxpY2U6",
            "\"Basic\" YWxpY2U6",
            "'Basic YWxpY2U6'",
            "\"Basic YWxpY2U6\"",
            "=Basic YWxpY2U6",
            ": Basic YWxpY2U6",
            "ＢＡＳＩＣ YWxpY2U6",
            "Ba\u{17f}ic YWxpY2U6",
            "Ba\u{ad}sic YWxpY2U6",
            "Ba\u{1}sic YWxpY2U6",
            ",Basic YWxpY2U6",
            ", ,,\t Basic YWxpY2U6",
            "Basic YWxpY2U6,",
            "Basic YWxpY2U6, Basic Ym9iOg==",
            "Bearer x,\u{b}Basic YWxpY2U6",
            "Bearer x, Basic\tYWxpY2U6",
            "Bearer x,,Basic:YWxpY2U6",
            "Bearer x Basic YWxpY2U6",
            "Bearer x; Basic YWxpY2U6",
            "Bearer xBasic YWxpY2U6",
            "Bearer x\tbasic\tYWxpY2U6",
            "Bearer x\u{2028}basic\u{a0}YWxpY2U6",
            "Digest a=\"b, Basic YWxpY2U6\"",
            "Digest a=\"Basic YWxpY2U6\"",
            "Basic YWxp Y2U6",
            "Basic YWxp\tY2U6",
            "Basic realm=\"a\"",
        ] {
            assert_eq!(read(&[authorization]), Err(()), "{authorization:?}");
            assert_eq!(read(&["", authorization]), Err(()), "{authorization:?}");
            assert_eq!(read(&[authorization, "x"]), Err(()), "{authorization:?}");
        }
    }

    #[test]
    fn a_value_that_no_upstream_reads_as_basic_is_absent() {
        for authorization in [
            "",
            " ",
            ",",
            "Bearer",
            "Bearer\tx",
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiYXNpYyJ9.bASic_-Basic",
            "Bearer basic-plan-7f3a",
            "token 7342e9713fa896e4af00c654c444aada",
            "7342e9713fa896e4af00c654c444aada",
            "key=AAAA:basic",
            "Negotiate YII=",
            "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range, Signature=fe5f",
            "Digest username=\"M\u{fc}ller\", realm=\"\u{d6}sterreich\", uri=\"/basic/a\"",
            "OAuth oauth_consumer_key=\"basic\",oauth_nonce=\"k\"",
        ] {
            assert_eq!(read(&[authorization]), Ok(None), "{authorization:?}");
            assert_eq!(
                read(&[authorization, "Bearer y"]),
                Ok(None),
                "{authorization:?}"
            );
        }
    }

    #[test]
    fn long_credentials_are_decoded_in_chunks() {
        let long = |tail: &str| format!("Basic YWxpY2U6{}{tail}", "c2Vj".repeat(15_000));
        assert_eq!(read(&[&long("")]), Ok(Some("alice".to_owned())));
        assert_eq!(read(&[&long("!")]), Err(()), "broken at the end");
        assert_eq!(
            read(&[&format!("Basic YQ==OmE6{}", "c2Vj".repeat(100))]),
            Err(())
        );
        let name = |length: usize| format!("Basic {}Og==", "YWFh".repeat(length / 3));
        assert_eq!(read(&[&name(126)]), Ok(Some("a".repeat(126))));
        assert_eq!(read(&[&name(129)]), Err(()), "longer than an account");
    }
}
