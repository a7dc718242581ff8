//! Lines that look like records or counters but do not count, because a client may have written them.

use memchr::memmem;
use serde::Serialize;
use turnout_text::{counted, plural};

/// Numbers of lines that look like records or counters but do not count, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UntrustedLines {
    /// The record is inside a line, where the filter does not write one.
    pub embedded: u64,
    /// The line was written to standard output, like access logs.
    pub stdout: u64,
    /// The record has no log prefix, and the input also has other lines.
    pub bare: u64,
    /// The line has a wrapper that other lines of the input do not have.
    pub wrapped: u64,
    /// The line is a counter, and the input also has other lines.
    pub counters: u64,
}

impl UntrustedLines {
    /// The sum over all reasons.
    #[must_use]
    pub fn total(self) -> u64 {
        [
            self.embedded,
            self.stdout,
            self.bare,
            self.wrapped,
            self.counters,
        ]
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Adds the lines of another input.
    pub(crate) const fn add(&mut self, other: Self) {
        self.embedded = self.embedded.saturating_add(other.embedded);
        self.stdout = self.stdout.saturating_add(other.stdout);
        self.bare = self.bare.saturating_add(other.bare);
        self.wrapped = self.wrapped.saturating_add(other.wrapped);
        self.counters = self.counters.saturating_add(other.counters);
    }

    /// A note for each reason, with what to do if the lines should count.
    #[must_use]
    pub fn notes(self) -> Vec<String> {
        const OWN_LOG: &str = "If no line of the input is from an access log, use --own-log.";
        let does = |count| plural(count, "does", "do");
        let notes = [
            (
                self.embedded,
                format!(
                    "{} a record where the filter does not write one, and {} not count: a client can write such text \
                     into an access log. {OWN_LOG}",
                    counted(self.embedded, "line contains", "lines contain"),
                    does(self.embedded)
                ),
            ),
            (
                self.stdout,
                format!(
                    "{} like a record and {} not count: Envoy writes access logs to standard output, and its own log \
                     to standard error unless --log-path is set. {OWN_LOG}",
                    counted(
                        self.stdout,
                        "line on standard output looks",
                        "lines on standard output look"
                    ),
                    does(self.stdout)
                ),
            ),
            (
                self.bare,
                format!(
                    "{} no log prefix and {} not count, because the input also has other lines. Pass records that you \
                     extracted in a separate file. {OWN_LOG}",
                    counted(self.bare, "record has", "records have"),
                    does(self.bare)
                ),
            ),
            (
                self.wrapped,
                format!(
                    "{} a wrapper that other lines of the input do not have, and {} not count: a client can write such \
                     text into an access log. Pass logs from different sources in separate files. {OWN_LOG}",
                    counted(self.wrapped, "record has", "records have"),
                    does(self.wrapped)
                ),
            ),
            (
                self.counters,
                format!(
                    "{} in a log and {} not count. Pass counters in a separate file, or read them with --admin.",
                    counted(self.counters, "counter is", "counters are"),
                    does(self.counters)
                ),
            ),
        ];
        notes
            .into_iter()
            .filter_map(|(count, note)| (count > 0).then_some(note))
            .collect()
    }
}

/// Spellings of a quote in JSON, nested JSON, URLs, HTML and escaped log fields.
const QUOTES: [&[u8]; 7] = [b"\"", b"%22", b"&quot;", b"&#34;", b"x22", b"u0022", b"'"];
/// Spellings of a colon.
const COLONS: [&[u8]; 5] = [b":", b"%3A", b"%3a", b"x3a", b"u003a"];
/// The kinds of records.
const KINDS: [&[u8]; 3] = [b"summary", b"difference", b"options"];

/// Whether a line has the first field of a record anywhere, in any spelling.
pub(crate) fn looks_like_record(line: &[u8]) -> bool {
    memmem::find_iter(line, b"turnout").any(|at| {
        let rest = line.get(at.saturating_add(7)..).unwrap_or_default();
        is_rest_of_field(rest)
    })
}

/// Whether a text starts with the rest of the first field, after `turnout`.
fn is_rest_of_field(text: &[u8]) -> bool {
    let fields = || {
        let text = strip_one_of(text, &QUOTES)?;
        let text = strip_one_of(text, &COLONS)?;
        strip_one_of(text, &QUOTES)
    };
    fields().is_some_and(|kind| KINDS.iter().any(|known| kind.starts_with(known)))
}

/// Removes one of these parts, with the escapes and blanks before it.
fn strip_one_of<'a>(text: &'a [u8], parts: &[&[u8]]) -> Option<&'a [u8]> {
    let is_filler = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\\';
    let end = text.iter().position(|byte| !is_filler(byte))?;
    let text = text.get(end..)?;
    let part = parts.iter().find(|part| text.starts_with(part))?;
    let mut text = text.strip_prefix(*part)?;
    // CSV doubles quotes.
    while let Some(rest) = text.strip_prefix(*part) {
        text = rest;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_recognised_in_many_spellings() {
        for line in [
            r#"{"turnout":"summary""#,
            r#"x {"turnout" : "options""#,
            r#"{\"turnout\":\"difference\""#,
            r#"{\\\"turnout\\\":\\\"difference\\\""#,
            "%7B%22turnout%22:%22summary%22",
            "%7B%22turnout%22%3A%22summary%22",
            r#"{""turnout"":""summary"""#,
            "{&quot;turnout&quot;:&quot;summary&quot;",
            r"{\x22turnout\x22:\x22summary\x22",
            r"{\u0022turnout\u0022:\u0022summary\u0022",
        ] {
            assert!(looks_like_record(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "turnout",
            r#"{"turnout":"rollout=chat treatment=v1""#,
            r#"{"turnout":7}"#,
            "turnout: configuration accepted: revision 1, 1 rollout(s), inbound strip",
            r#"turnout_shadow{rollout="summary"} 2"#,
        ] {
            assert!(!looks_like_record(line.as_bytes()), "{line}");
        }
    }
}
