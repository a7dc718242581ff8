//! JSON strings, compared by their values instead of their notation.
//!
//! Escapes are decoded by hand because lone surrogates have to be kept: two responses may differ in them,
//! and `serde_json` refuses them in a `String`.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::hash;

/// The text between the quotes of a string. Its escapes are known to be well-formed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonString<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) escaped: bool,
}

impl<'a> JsonString<'a> {
    /// Returns the value of the string in UTF-8. A lone surrogate, which JSON can express and UTF-8
    /// cannot, becomes the three bytes of its code point: nothing is lost, and no other string has
    /// these bytes.
    #[inline(never)]
    pub(crate) fn meaning(self) -> Cow<'a, [u8]> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    #[inline(never)]
    pub(crate) fn same(self, other: JsonString<'_>) -> bool {
        if self.escaped || other.escaped {
            self.compare(other) == Ordering::Equal
        } else {
            self.raw == other.raw
        }
    }

    pub(crate) fn compare(self, other: JsonString<'_>) -> Ordering {
        self.meaning().cmp(&other.meaning())
    }

    pub(crate) fn is(self, name: &str) -> bool {
        *self.meaning() == *name.as_bytes()
    }

    pub(crate) fn hash(self) -> u64 {
        hash::of_bytes(&self.meaning())
    }
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut meaning: Vec<u8> = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    // A high surrogate that may be followed by a low one.
    let mut high = None;
    while let Some(byte) = bytes.next() {
        let unit = match byte {
            b'\\' => match bytes.next() {
                Some(b'u') => hex(&mut bytes),
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => 10,
                Some(b'r') => 13,
                Some(b't') => 9,
                other => u32::from(other.unwrap_or_default()),
            },
            // A byte of an unescaped character.
            byte => {
                meaning.push(byte);
                high = None;
                continue;
            }
        };
        let low = unit & 0x3ff;
        match (high, unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                // Replaces the three bytes of the high surrogate.
                meaning.truncate(meaning.len().saturating_sub(3));
                push(&mut meaning, 0x1_0000_u32.saturating_add(high << 10 | low));
            }
            (_, unit) => push(&mut meaning, unit),
        }
        high = matches!(unit, 0xd800..=0xdbff).then_some(low);
    }
    meaning
}

/// Parses four hex digits, which are known to be there.
fn hex(bytes: &mut impl Iterator<Item = u8>) -> u32 {
    bytes.take(4).fold(0, |unit, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit.wrapping_sub(b'0'),
            _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
        };
        unit << 4 | u32::from(digit)
    })
}

/// Appends the UTF-8 bytes of a code point, or the three bytes that a surrogate would have.
fn push(meaning: &mut Vec<u8>, code: u32) {
    if let Some(c) = char::from_u32(code) {
        meaning.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let tail = |shift: u32| u8::try_from(0x80 | code >> shift & 0x3f).unwrap_or_default();
        meaning.extend_from_slice(&[0xed, tail(6), tail(0)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> JsonString<'_> {
        JsonString {
            raw: raw.as_bytes(),
            escaped: raw.contains('\\'),
        }
    }

    #[test]
    fn escapes_mean_what_they_stand_for() {
        for (raw, meaning) in [
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u0041\u00e9\u20AC\ud83d\ude00", "Aé€😀"),
            (r"a\u0000b", "a\0b"),
        ] {
            assert_eq!(*text(raw).meaning(), *meaning.as_bytes(), "{raw}");
            let plain = JsonString {
                raw: meaning.as_bytes(),
                escaped: false,
            };
            assert!(text(raw).same(plain) && text(raw).hash() == plain.hash());
        }
    }

    #[test]
    fn lone_surrogates_stay_apart() {
        let all = [
            r"\ud83d",
            r"\ude00",
            r"\ude00\ud83d",
            r"\ud83d\ud83d\ude00",
            r"\ud83dx\ude00",
            r"\ud83d\ude00",
            r"\ud83d\u0041",
            "\u{fffd}",
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(text(a).same(text(b)), i == j, "{a} {b}");
            }
        }
        assert!(text(r"\uD83D").same(text(r"\ud83d")));
    }
}
