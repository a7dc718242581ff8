//! Compares media types in headers by what they mean (RFC 9110).
//!
//! The type, the subtype, parameter names and the value of `charset` ignore case, and a quoted string
//! equals the token with the same value (section 8.3.1). White space around `;` and an empty parameter
//! mean nothing (section 5.6.6), and neither does the order of parameters (RFC 2045, section 5.1).
//! Other values, such as a `boundary`, are compared as they are.

use std::borrow::Cow;

/// More parameters than any real media type has. A media type with more is compared by its bytes.
const MOST_PARAMETERS: usize = 16;

/// A well-formed media type.
struct MediaType<'a> {
    essence: [&'a [u8]; 2],
    /// Each name occurs once: a repeated one is an error (RFC 6838, section 4.3).
    parameters: Vec<(&'a [u8], Cow<'a, [u8]>)>,
}

/// Whether two values of a header mean the same media type, or the same media types in the same order.
/// The header's name is in lower case. Returns `false` for headers that have no media types, and if a
/// value is malformed, so that its bytes decide.
pub(crate) fn are_equal(header: &str, a: &[u8], b: &[u8]) -> bool {
    let is_list = match header {
        "content-type" => false,
        "accept" | "accept-patch" | "accept-post" => true,
        _ => return false,
    };
    let read = |value| Reader(value).all(is_list);
    match (read(a), read(b)) {
        (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.is_equal_to(b)),
        _ => false,
    }
}

impl MediaType<'_> {
    fn is_equal_to(&self, other: &MediaType<'_>) -> bool {
        let [a, b] = [self, other].map(|media_type| media_type.essence);
        a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
            && self.parameters.len() == other.parameters.len()
            && self.parameters.iter().all(|(name, value)| {
                let found = other.parameter(name);
                found.is_some_and(|found| match name.eq_ignore_ascii_case(b"charset") {
                    true => found.eq_ignore_ascii_case(value),
                    false => found == &**value,
                })
            })
    }

    fn parameter(&self, name: &[u8]) -> Option<&[u8]> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }
}

/// The unread rest of a header's value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads all media types of a list, or the only one. Returns `None` if the value is malformed.
    #[inline(never)]
    fn all(mut self, is_list: bool) -> Option<Vec<MediaType<'a>>> {
        let mut all = Vec::new();
        loop {
            self.skip_space();
            // A list may have empty elements (RFC 9110, section 5.6.1).
            if !(is_list && matches!(self.0, [b',', ..] | [])) {
                all.push(self.media_type()?);
            }
            match self.0 {
                [] => return Some(all),
                [b',', rest @ ..] if is_list => self.0 = rest,
                _ => return None,
            }
        }
    }

    /// Reads a media type and the white space behind it.
    #[inline(never)]
    fn media_type(&mut self) -> Option<MediaType<'a>> {
        let main = self.token()?;
        self.byte(b'/')?;
        let sub = self.token()?;
        let mut media_type = MediaType {
            essence: [main, sub],
            parameters: Vec::new(),
        };
        loop {
            self.skip_space();
            if self.byte(b';').is_none() {
                return Some(media_type);
            }
            self.skip_space();
            if let [] | [b';' | b',', ..] = self.0 {
                continue;
            }
            let name = self.token()?;
            self.byte(b'=')?;
            let value = match self.0 {
                [b'"', ..] => self.quoted()?,
                _ => Cow::Borrowed(self.token()?),
            };
            let is_repeated = media_type.parameter(name).is_some();
            if is_repeated || media_type.parameters.len() == MOST_PARAMETERS {
                return None;
            }
            media_type.parameters.push((name, value));
        }
    }

    /// Reads a quoted string and removes its escapes (RFC 9110, section 5.6.4).
    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        self.byte(b'"')?;
        let mut value = Vec::new();
        loop {
            let (byte, rest) = match self.0 {
                [b'"', rest @ ..] => {
                    self.0 = rest;
                    return Some(Cow::Owned(value));
                }
                [b'\\', byte, rest @ ..] | [byte, rest @ ..] => (*byte, rest),
                [] => return None,
            };
            if !matches!(byte, b'\t' | b' '..=b'~' | 0x80..) {
                return None;
            }
            value.push(byte);
            self.0 = rest;
        }
    }

    #[inline(never)]
    fn token(&mut self) -> Option<&'a [u8]> {
        let is_end = |byte: &u8| {
            !matches!(byte,
                b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'
                | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
        };
        let length = self.0.iter().position(is_end).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    #[inline(never)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    #[inline(never)]
    fn skip_space(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}
