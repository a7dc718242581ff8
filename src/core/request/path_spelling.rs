//! Spellings of a path that some servers read as the same path and others do not.
//!
//! A proxy cannot know how the server behind it reads a path. So a path that is not [plain](is_plain) is read
//! twice, as it was sent and as the most lenient server reads it, and counts only if both readings agree.

use crate::request::account::hex_digit_of_any_case;
use crate::request::swar;

use crate::plan::path_match::{PathSegment, PathTemplate};

/// How much of a lenient reading is kept, in bytes: more than any template of a policy asks for.
const KEPT: usize = 2_048;

/// Nobody reads a longer path leniently, in bytes as sent.
const LONGEST: usize = 8_192;

/// Whether every server reads the path as it was sent: nothing in it is escaped, repeated, a parameter of
/// a segment, or a step up.
#[inline]
pub(crate) fn is_plain(path: &[u8]) -> bool {
    swar::is_plain_path(path)
}

/// A path as the most lenient server reads it: escapes are decoded, also those of escapes; `\` is `/`,
/// several `/` are one; blanks, control characters, and what follows a `;` in its segment are not there.
pub(crate) struct Lenient {
    buffer: [u8; KEPT],
    length: usize,
}

impl Lenient {
    /// `None` where the path steps up or stays by a segment of dots, for what is then left of it depends on
    /// who reads; and where it is too long.
    #[inline(never)]
    pub(crate) fn of(path: &[u8]) -> Option<Self> {
        let mut lenient = Self {
            buffer: [0; KEPT],
            length: 0,
        };
        let mut segment = SegmentRead::default();
        let mut rest = Some(path).filter(|path| path.len() <= LONGEST)?;
        while let Some((byte, behind)) = decoded(rest) {
            rest = behind;
            match byte {
                b'/' | b'\\' if segment.is_of_dots() => return None,
                b'/' | b'\\' => {
                    if segment.length > 0 || lenient.length == 0 {
                        lenient.push(b'/');
                    }
                    segment = SegmentRead::default();
                }
                b';' => segment.is_parameter = true,
                0..=b' ' | 0x7f => {}
                _ if segment.is_parameter => {}
                byte => {
                    segment.length = segment.length.saturating_add(1);
                    segment.has_other |= byte != b'.';
                    lenient.push(byte);
                }
            }
        }
        (!segment.is_of_dots()).then_some(lenient)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(next) = self.buffer.get_mut(self.length) {
            *next = byte;
            self.length = self.length.saturating_add(1);
        }
    }
}

/// What has been read of a segment.
#[derive(Default)]
struct SegmentRead {
    length: usize,
    /// Something other than dots.
    has_other: bool,
    is_parameter: bool,
}

impl SegmentRead {
    fn is_of_dots(&self) -> bool {
        (1..=2).contains(&self.length) && !self.has_other
    }
}

/// Decodes the first byte until it is no longer an escape. Returns it and the bytes behind it.
///
/// The crate `percent-encoding` decodes once; here `%2541` is `A`, because some servers decode twice.
fn decoded(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut byte = *first;
    while byte == b'%' {
        let Some((high, low, behind)) = (match rest {
            [high, low, behind @ ..] => hex_digit_of_any_case(*high)
                .zip(hex_digit_of_any_case(*low))
                .map(|(h, l)| (h, l, behind)),
            _ => None,
        }) else {
            break;
        };
        byte = (high << 4) | low;
        rest = behind;
    }
    Some((byte, rest))
}

impl PathTemplate {
    /// Whether a lenient server reads the template's own text as it is written.
    pub(crate) fn is_plain(&self) -> bool {
        let is_plain = |text: &str| !matches!(text, "." | "..") && is_plain(text.as_bytes());
        let last = self.segments.len().saturating_sub(1);
        let mut segments = self.segments.iter().enumerate();
        segments.all(|(index, segment)| match segment {
            PathSegment::Literal(text) => is_plain(text) && (index == last || !text.is_empty()),
            PathSegment::Account { before, after } => is_plain(before) && is_plain(after),
            PathSegment::Any => true,
        })
    }

    /// The text at `{account}`, as read by a server that ignores the case of the other letters and a final `/`.
    /// `None` if even that server does not match the path.
    #[inline(never)]
    pub(crate) fn capture_leniently<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let mut given = path.strip_prefix(b"/")?.split(|byte| *byte == b'/');
        let wanted = match self.segments.split_last() {
            Some((PathSegment::Literal(last), before)) if last.is_empty() => before,
            _ => &self.segments,
        };
        let mut account = None;
        for wanted in wanted {
            let segment = given.next()?;
            match wanted {
                PathSegment::Literal(literal)
                    if segment.eq_ignore_ascii_case(literal.as_bytes()) => {}
                PathSegment::Any if !segment.is_empty() => {}
                PathSegment::Literal(_) | PathSegment::Any => return None,
                PathSegment::Account { before, after } => {
                    let (start, inner) = segment.split_at_checked(before.len())?;
                    let length = inner.len().checked_sub(after.len())?;
                    let (inner, end) = inner.split_at_checked(length)?;
                    let is_around = start.eq_ignore_ascii_case(before.as_bytes())
                        && end.eq_ignore_ascii_case(after.as_bytes());
                    account = Some(is_around.then_some(inner)?);
                }
            }
        }
        (self.rest || given.next().is_none()).then_some(account)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::path_match::TemplateUse;

    fn lenient(path: &str) -> Option<String> {
        let read = Lenient::of(path.as_bytes())?;
        Some(String::from_utf8_lossy(read.as_slice()).into_owned())
    }

    #[test]
    fn a_lenient_server_reads_one_path_in_many_spellings() {
        for path in [
            "/v1/Payments",
            "/v1%2FPayments",
            "/v1%2fPayments",
            "/v1%252FPayments",
            "/v1%25252FPayments",
            "/v1%5CPayments",
            "/v1\\Payments",
            "/v1//Payments",
            "//v1/%2F/Payments",
            "/v1/%50ayments",
            "/v1/%2550ayments",
            "/v1;a=b/Payments",
            "/v1;a=b;c/;/Payments;d",
            "/v1%3Ba=b/Payments",
            "/v1/Payments%20",
            "/v1/%09Payments",
            "/v1/Pay\tments\0",
        ] {
            assert_eq!(lenient(path).as_deref(), Some("/v1/Payments"), "{path:?}");
            assert_eq!(
                is_plain(path.as_bytes()),
                path == "/v1/Payments",
                "{path:?}"
            );
        }
        assert_eq!(lenient("/a%zz%4").as_deref(), Some("/a%zz%4"));
        assert_eq!(lenient("/.a/b..c/...").as_deref(), Some("/.a/b..c/..."));
    }

    #[test]
    fn nobody_can_tell_of_a_path_that_steps_up_or_is_too_long() {
        for path in [
            "/v1/../Payments",
            "/v1/./Payments",
            "/v1/..",
            "/v1/%2e%2e/Payments",
            "/v1/%252E./Payments",
            "/v1%2F..%2FPayments",
            "/v1\\..\\Payments",
            "/v1/..;a/Payments",
            "/v1/.%00./Payments",
        ] {
            assert_eq!(lenient(path), None, "{path:?}");
            assert!(!is_plain(path.as_bytes()), "{path:?}");
        }
        let long = |length: usize| lenient(&format!("/{}%20", "a".repeat(length - 4)));
        assert_eq!(long(LONGEST).map(|kept| kept.len()), Some(KEPT));
        assert!(long(LONGEST + 1).is_none());
        assert_eq!(lenient(&format!("/{}/..", "a".repeat(KEPT))), None);
    }

    #[test]
    fn a_lenient_server_finds_the_account_whatever_the_case_and_the_final_slash() {
        let capture = |template: &str, path: &str| {
            let template = PathTemplate::parse(template, TemplateUse::Account).unwrap();
            let account = template.capture_leniently(path.as_bytes())?;
            Some(String::from_utf8(account.to_vec()).unwrap())
        };
        for (template, path) in [
            ("/a/{account}", "/a/AC1"),
            ("/a/{account}", "/A/AC1/"),
            ("/a/{account}/", "/a/AC1"),
            ("/a/{account}/B/**", "/A/AC1/b/c"),
            ("/a/x{account}.json", "/a/XAC1.JSON/"),
            ("/{account}/**", "/AC1"),
        ] {
            assert_eq!(
                capture(template, path).as_deref(),
                Some("AC1"),
                "{template} {path}"
            );
        }
        for (template, path) in [
            ("/a/{account}", "/a/AC1/b"),
            ("/a/{account}", "/b/AC1"),
            ("/a/{account}", "/a"),
            ("/a/{account}.json", "/a/AC1.xml"),
            ("/a/{account}.json", "/a/json"),
            ("/a/{account}/b", "/a/AC1"),
            ("/{account}", "AC1"),
        ] {
            assert_eq!(capture(template, path), None, "{template} {path}");
        }
    }
}
