//! Media types in headers: two that RFC 9110 calls equal are equal however they are written.
//!
//! By section 8.3.1 the type, the subtype, the names of parameters and the value of `charset` are the
//! same in any case, and a quoted string is the same as the token with its value; by section 5.6.6
//! white space around `;`, and a `;` with nothing behind it, mean nothing. By RFC 2045, section 5.1,
//! the order of parameters means nothing either. Other values, such as a `boundary`, are compared as
//! they are.

use std::borrow::Cow;

/// More parameters than any media type has. What has more is compared by its bytes.
const MOST_PARAMETERS: usize = 16;

/// A media type that is well-formed.
struct MediaType<'a> {
    essence: [&'a [u8]; 2],
    /// Each name once: RFC 6838, section 4.3, calls a repeated one an error.
    parameters: Vec<(&'a [u8], Cow<'a, [u8]>)>,
}

/// Whether a header of this name, in lower case, has two values that mean the same media type, or
/// the same media types in the same order. False for any other header, and where one of the values is
/// malformed: its bytes are all that there is to compare.
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

/// The rest of a header's value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// All media types of a list, or the one of a header that has one; `None` when it is malformed.
    #[inline(never)]
    fn all(mut self, is_list: bool) -> Option<Vec<MediaType<'a>>> {
        let mut all = Vec::new();
        loop {
            self.skip_space();
            // A list may have elements with nothing in them (RFC 9110, section 5.6.1).
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

    /// A media type and the white space behind it.
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

    /// What is inside a quoted string, its escapes undone (RFC 9110, section 5.6.4).
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
