//! Lines that look as if they had a record of Turnout.

use memchr::memmem;
use serde::Serialize;
use turnout_text::{counted, plural};

/// Lines that are not counted, by why others than the filter can have written them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lookalikes {
    /// A record within a line, and not where the filter writes one.
    pub in_a_line: u64,
    /// Of standard output, where Envoy writes access logs.
    pub stdout: u64,
    /// Bare records in an input with lines of something else.
    pub bare: u64,
    /// In wrappers that other lines of the input do not have.
    pub wrapped: u64,
    /// Counters in an input with lines of something else.
    pub counters: u64,
}

impl Lookalikes {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        [
            self.in_a_line,
            self.stdout,
            self.bare,
            self.wrapped,
            self.counters,
        ]
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Adds those of another input.
    pub(crate) const fn add(&mut self, other: Self) {
        self.in_a_line = self.in_a_line.saturating_add(other.in_a_line);
        self.stdout = self.stdout.saturating_add(other.stdout);
        self.bare = self.bare.saturating_add(other.bare);
        self.wrapped = self.wrapped.saturating_add(other.wrapped);
        self.counters = self.counters.saturating_add(other.counters);
    }

    /// What was not counted, and what to do where it should be.
    #[must_use]
    pub fn notes(self) -> Vec<String> {
        const OWN: &str = "If no line of the input is from an access log, give --own-log.";
        let record = |count| counted(count, "line looks like a record", "lines look like records");
        let notes = [
            (
                self.in_a_line,
                format!(
                    "{} but not where the filter writes them, and {} not counted: a client can write such text into \
                 an access log. {OWN}",
                    record(self.in_a_line),
                    plural(self.in_a_line, "is", "are")
                ),
            ),
            (
                self.stdout,
                format!(
                    "{} but of standard output, where Envoy writes access logs, and {} not counted. Envoy's own log \
                 goes to standard error unless --log-path says otherwise. {OWN}",
                    record(self.stdout),
                    plural(self.stdout, "is", "are")
                ),
            ),
            (
                self.bare,
                format!(
                    "{} without the frame of Envoy's log among lines of something else, and {} not counted. Give \
                 records that you extracted as a file of their own. {OWN}",
                    record(self.bare),
                    plural(self.bare, "is", "are")
                ),
            ),
            (
                self.wrapped,
                format!(
                    "{} in a wrapper that other lines of the input do not have, and {} not counted: a client can \
                 write such text into an access log. Give logs from different places as files of their own. {OWN}",
                    record(self.wrapped),
                    plural(self.wrapped, "is", "are")
                ),
            ),
            (
                self.counters,
                format!(
                    "{} in a log, and {} not counted. Give the counters as a file of their own, or with --admin.",
                    counted(
                        self.counters,
                        "line looks like a counter",
                        "lines look like counters"
                    ),
                    plural(self.counters, "is", "are")
                ),
            ),
        ];
        notes
            .into_iter()
            .filter_map(|(count, note)| (count > 0).then_some(note))
            .collect()
    }
}

/// How a quote is written in JSON, in JSON within JSON, in URLs, in HTML, and by loggers that escape.
const QUOTES: [&[u8]; 7] = [b"\"", b"%22", b"&quot;", b"&#34;", b"x22", b"u0022", b"'"];
const COLONS: [&[u8]; 5] = [b":", b"%3A", b"%3a", b"x3a", b"u003a"];
const KINDS: [&[u8]; 3] = [b"summary", b"difference", b"options"];

/// Whether the first field of a record is somewhere in a line, in whatever spelling.
pub(crate) fn looks_like_record(line: &[u8]) -> bool {
    memmem::find_iter(line, b"turnout").any(|at| {
        let behind = line.get(at.saturating_add(7)..).unwrap_or_default();
        is_first_field(behind)
    })
}

/// What follows the name of the field.
fn is_first_field(text: &[u8]) -> bool {
    let fields = || {
        let text = one_of(text, &QUOTES)?;
        let text = one_of(text, &COLONS)?;
        one_of(text, &QUOTES)
    };
    fields().is_some_and(|kind| KINDS.iter().any(|known| kind.starts_with(known)))
}

/// Without one of these, and what escapes and blanks are before it.
fn one_of<'a>(text: &'a [u8], parts: &[&[u8]]) -> Option<&'a [u8]> {
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
