//! Reads a path as a lenient server does: some servers normalize a path, and others do not.
//!
//! A proxy cannot know how the server behind it reads a path. So a path that is not [plain](is_plain) is read
//! twice, as it was sent and as the most lenient server reads it, and counts only if both readings agree.

use crate::request::account_id::hex_digit_of_any_case;
use crate::request::swar;

use crate::plan::path_match::{PathSegment, PathTemplate};

/// The length of the buffer for a normalized path, in bytes: longer than any template of a policy. The
/// rest of the path is dropped.
const BUFFER_LEN: usize = 2_048;

/// The maximum length of a path that is normalized, in bytes as sent.
const MAX_PATH_LEN: usize = 8_192;

/// Whether every server reads the path as it was sent: it has no escapes, no repeated slashes, no segment
/// parameters, and no segments that begin with a dot.
#[inline]
pub(crate) fn is_plain(path: &[u8]) -> bool {
    swar::is_plain_path(path)
}

/// A path as the most lenient server reads it: escapes are decoded, repeatedly; `\` becomes `/`; repeated
/// `/` become one; spaces, control characters, and everything from `;` to the end of a segment are removed.
pub(crate) struct LenientPath {
    buffer: [u8; BUFFER_LEN],
    length: usize,
}

impl LenientPath {
    /// Normalizes a path. `None` if it has a segment `.` or `..`, which servers resolve in different ways, or
    /// if it is too long.
    #[inline(never)]
    pub(crate) fn normalize(path: &[u8]) -> Option<Self> {
        let mut lenient = Self {
            buffer: [0; BUFFER_LEN],
            length: 0,
        };
        let mut segment = SegmentState::default();
        let mut rest = Some(path).filter(|path| path.len() <= MAX_PATH_LEN)?;
        while let Some((byte, behind)) = decoded(rest) {
            rest = behind;
            match byte {
                b'/' | b'\\' if segment.is_of_dots() => return None,
                b'/' | b'\\' => {
                    if segment.length > 0 || lenient.length == 0 {
                        lenient.push(b'/');
                    }
                    segment = SegmentState::default();
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

/// The state of the segment that is being read.
#[derive(Default)]
struct SegmentState {
    length: usize,
    /// Something other than dots.
    has_other: bool,
    is_parameter: bool,
}

impl SegmentState {
    /// Whether the segment is `.` or `..`.
    fn is_of_dots(&self) -> bool {
        (1..=2).contains(&self.length) && !self.has_other
    }
}

/// Decodes the first byte until it is no longer an escape. Returns it and the bytes after it.
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
    /// Whether a lenient server reads the template's literal text as the policy has it.
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

    /// Returns the text at `{account}` as a server reads it that ignores the case of all other letters and a
    /// final `/`; `None` if even that server does not match the path.
    #[inline(never)]
    pub(crate) fn capture_leniently<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let mut sent = path.strip_prefix(b"/")?.split(|byte| *byte == b'/');
        let wanted = match self.segments.split_last() {
            Some((PathSegment::Literal(last), before)) if last.is_empty() => before,
            _ => &self.segments,
        };
        let mut account = None;
        for wanted in wanted {
            let segment = sent.next()?;
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
        (self.rest || sent.next().is_none()).then_some(account)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::path_match::TemplateUse;

    fn lenient(path: &str) -> Option<String> {
        let read = LenientPath::normalize(path.as_bytes())?;
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
    fn a_path_with_dot_segments_or_too_long_is_not_normalized() {
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
        assert_eq!(long(MAX_PATH_LEN).map(|kept| kept.len()), Some(BUFFER_LEN));
        assert!(long(MAX_PATH_LEN + 1).is_none());
        assert_eq!(lenient(&format!("/{}/..", "a".repeat(BUFFER_LEN))), None);
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
