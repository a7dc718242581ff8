//! The user name of HTTP Basic authentication (RFC 7617).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::account::{Decoded, Format, Found};
use crate::headers::Headers;

/// As lenient as the most lenient upstream: what one of them reads as an account must be the same
/// account here, however its base64 ends.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The user name, unless it is a credential that names no account: such a source counts as absent.
#[inline(never)]
pub(crate) fn account<'a>(headers: Headers<'a>, format: Format) -> Found<'a> {
    match username(headers) {
        Found::Decoded(name) if format.is_silent_user_name(name.as_slice()) => Found::Absent,
        found => found,
    }
}

/// The user name in `authorization: Basic …`. Other schemes are no such source. A Basic beside any
/// other `authorization` leaves open which of them counts; proxies join the two by a comma.
pub(crate) fn username<'a>(headers: Headers<'a>) -> Found<'a> {
    let all = || {
        headers
            .values("authorization")
            .flat_map(|value| value.split(|byte| *byte == b','))
    };
    let Some(credentials) = all().find_map(basic_credentials) else {
        return Found::Absent;
    };
    if all().nth(1).is_some() {
        return Found::Malformed;
    }
    decode_username(credentials).map_or(Found::Malformed, Found::Decoded)
}

fn basic_credentials(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.trim_ascii_start().split_at_checked(5)?;
    let credentials = rest.trim_ascii();
    let separated = rest.first().is_none_or(|byte| *byte == b' ');
    (scheme.eq_ignore_ascii_case(b"basic") && separated).then_some(credentials)
}

/// Base64 is decoded in pieces of this many characters, so that long passwords need no memory.
const PIECE: usize = 256;
/// What a piece decodes to: more than a user name and its colon.
const DECODED: usize = PIECE / 4 * 3;

/// All of the credentials must be base64, but only the user name is kept.
fn decode_username(credentials: &[u8]) -> Option<Decoded> {
    let mut buffer = [0; DECODED];
    let mut pieces = credentials.chunks(PIECE).peekable();
    let first = decode(pieces.next()?, pieces.peek().is_none(), &mut buffer)?;
    let colon = first.iter().position(|byte| *byte == b':')?;
    let username = Decoded::collect(first.iter().copied().take(colon).map(Some))?;
    while let Some(piece) = pieces.next() {
        decode(piece, pieces.peek().is_none(), &mut buffer)?;
    }
    Some(username)
}

fn decode<'b>(piece: &[u8], is_last: bool, buffer: &'b mut [u8; DECODED]) -> Option<&'b [u8]> {
    if !is_last && piece.contains(&b'=') {
        return None;
    }
    let length = LENIENT.decode_slice(piece, buffer).ok()?;
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
        match username(Headers::new(&pairs)) {
            Found::Absent => Ok(None),
            Found::Malformed => Err(()),
            Found::Plain(_) => panic!("a user name is decoded"),
            Found::Decoded(name) => Ok(Some(String::from_utf8(name.as_slice().to_vec()).unwrap())),
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
    fn other_schemes_are_no_such_source() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer YWxpY2U6c2VjcmV0"]), Ok(None));
        assert_eq!(read(&["Basically YWxpY2U6"]), Ok(None));
        assert_eq!(read(&["Bas"]), Ok(None));
        assert_eq!(read(&["Digest username=\"Mufasa\", realm=\"x\""]), Ok(None));
    }

    #[test]
    fn what_is_not_a_user_name_is_malformed() {
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
    fn long_credentials_are_read_in_pieces() {
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
