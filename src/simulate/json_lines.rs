//! Parses log lines of JSON, one object each.
//!
//! Almost all lines are flat and have no escapes. A scanner that looks for quotes reads those many times faster
//! than a parser. It leaves everything else to the parser, so it does not have to recognise invalid JSON.

use std::fmt;

use memchr::memchr2;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use turnout_core::AccessLogEntry;

use crate::log_entry::LogEntry;
use crate::log_fields::{ENTRY, FieldOrder, LogFields, RequestPart};

/// Scans a line; `None` if it needs the parser.
pub(crate) fn scan<'a>(
    line: &'a [u8],
    fields: &LogFields,
    layout: &mut FieldOrder,
) -> Option<LogEntry<'a>> {
    let mut entry = LogEntry::new();
    let mut rest = blank(line).strip_prefix(b"{")?;
    let mut place = 0_usize;
    loop {
        let key = string(blank(rest))?;
        rest = blank(key.after).strip_prefix(b":")?;
        let value = value(blank(rest))?;
        if let Some(slot) = layout.slot(fields, place, key.plain()?)
            && entry.mark(slot)
            && value.kind != Kind::Null
        {
            match (slot, value.plain()?) {
                (ENTRY, b"-") => {}
                (ENTRY, text) => entry.set_entry(text)?,
                (slot, text) => entry.set(slot, text),
            }
        }
        place = place.saturating_add(1);
        match blank(value.after) {
            [b',', after @ ..] => rest = after,
            [b'}', after @ ..] if blank(after).is_empty() => return Some(entry),
            _ => return None,
        }
    }
}

/// A token at the beginning of a text, and the text after it.
struct Token<'a> {
    text: &'a [u8],
    after: &'a [u8],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    /// A string with escapes, which need decoding.
    Escaped,
    Null,
}

impl<'a> Token<'a> {
    fn plain(&self) -> Option<&'a [u8]> {
        (self.kind == Kind::Plain).then_some(self.text)
    }
}

fn value(text: &[u8]) -> Option<Token<'_>> {
    if text.first() == Some(&b'"') {
        return string(text);
    }
    let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t');
    let (literal, after) = text.split_at_checked(text.iter().position(is_end)?)?;
    let is_number = literal.iter().all(u8::is_ascii_digit) && !literal.is_empty();
    let kind = match literal {
        b"null" => Kind::Null,
        b"true" | b"false" => Kind::Plain,
        _ if is_number => Kind::Plain,
        _ => return None,
    };
    Some(Token {
        text: literal,
        after,
        kind,
    })
}

fn string(text: &[u8]) -> Option<Token<'_>> {
    let inner = text.strip_prefix(b"\"")?;
    let mut end = 0_usize;
    let mut kind = Kind::Plain;
    loop {
        end = end.saturating_add(memchr2(b'"', b'\\', inner.get(end..)?)?);
        if inner.get(end) == Some(&b'"') {
            return Some(Token {
                text: inner.get(..end)?,
                after: inner.get(end.saturating_add(1)..)?,
                kind,
            });
        }
        // Skips a backslash and the character that it escapes.
        kind = Kind::Escaped;
        end = end.saturating_add(2);
    }
}

fn blank(text: &[u8]) -> &[u8] {
    match text {
        [b' ' | b'\t', ..] => text.trim_ascii_start(),
        _ => text,
    }
}

/// The properties that the parser found in a line.
pub(crate) struct Parsed(Vec<(usize, Option<Vec<u8>>)>);

impl Parsed {
    pub(crate) fn entry(&self) -> LogEntry<'_> {
        let mut entry = LogEntry::new();
        for (slot, value) in &self.0 {
            if entry.mark(*slot)
                && let Some(value) = value
            {
                entry.set(*slot, value);
            }
        }
        entry
    }
}

/// Parses any object. The error says what is wrong.
pub(crate) fn parse(line: &[u8], fields: &LogFields) -> Result<Parsed, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let parsed = deserializer.deserialize_map(EntryVisitor(fields));
    let parsed = parsed.and_then(|parsed| deserializer.end().map(|()| parsed));
    parsed.map_err(|error| {
        let text = error.to_string();
        // The parser sees a single line, so its line number is not that of the log.
        let place = text.split(" at line ").next().unwrap_or_default();
        format!("{place} (column {})", error.column())
    })
}

/// The properties in the filter's entry; none if the text is not such an entry.
fn parts(entry: &str) -> Vec<(usize, Option<Vec<u8>>)> {
    let Some(logged) = AccessLogEntry::parse(entry.as_bytes()) else {
        return Vec::new();
    };
    let account = logged
        .account
        .map(|account| (RequestPart::Account as usize, Some(account.into_owned())));
    let words = [
        (RequestPart::Treatment, logged.treatment),
        (RequestPart::Reason, logged.reason),
        (RequestPart::Rollout, logged.rollout),
        (RequestPart::Revision, logged.revision),
    ];
    let words = words.map(|(part, word)| (part as usize, Some(word.to_vec())));
    account.into_iter().chain(words).collect()
}

struct EntryVisitor<'f>(&'f LogFields);

impl<'de> Visitor<'de> for EntryVisitor<'_> {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let Some(slot) = self.0.slots(key.as_bytes()).next() else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = match map.next_value()? {
                Value::String(text) if slot == ENTRY => {
                    found.extend(parts(&text));
                    None
                }
                Value::String(text) => Some(text.into()),
                Value::Number(number) => Some(number.to_string().into()),
                Value::Bool(truth) => Some(truth.to_string().into()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            };
            found.push((slot, value));
        }
        Ok(Parsed(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(line: &str) -> (Option<Option<String>>, Result<Option<String>, String>) {
        let fields = LogFields::default();
        let path = |entry: &LogEntry<'_>| {
            let path = entry.get(RequestPart::Path)?;
            Some(String::from_utf8(path.to_vec()).unwrap())
        };
        let scanned = scan(line.as_bytes(), &fields, &mut FieldOrder::default());
        let parsed = parse(line.as_bytes(), &fields);
        (
            scanned.map(|entry| path(&entry)),
            parsed.map(|parsed| path(&parsed.entry())),
        )
    }

    #[test]
    fn the_scanner_and_the_parser_agree() {
        for (line, expected, is_flat) in [
            (r#"{"path":"/a","n":1}"#, Some("/a"), true),
            (r#" { "n" : null , "path" : "/a" } "#, Some("/a"), true),
            (r#"{"path":null}"#, None, true),
            (r#"{"path":"-"}"#, None, true),
            (r#"{"path":""}"#, None, true),
            (r#"{"path":7,"x":true}"#, Some("7"), true),
            (r#"{"path":"/a","path":"/b"}"#, Some("/a"), true),
            (r#"{"agent":"a \"b\" \\","path":"/a"}"#, Some("/a"), true),
            (r#"{"x":{"path":"/b"},"path":"/a"}"#, Some("/a"), false),
            (r#"{"path":"/\u0061"}"#, Some("/a"), false),
            (r#"{"\u0070ath":"/a"}"#, Some("/a"), false),
            (r#"{"x":-1.5e3,"path":"/a"}"#, Some("/a"), false),
            (r#"{"path":{"a":1}}"#, None, false),
            ("{}", None, false),
        ] {
            let (scanned, parsed) = both(line);
            let expected = expected.map(str::to_owned);
            assert_eq!(scanned.is_some(), is_flat, "{line}");
            assert_eq!(
                scanned.unwrap_or_else(|| expected.clone()),
                expected,
                "{line}"
            );
            assert_eq!(parsed, Ok(expected), "{line}");
        }
    }

    #[test]
    fn the_filters_entry_has_several_properties() {
        let fields = LogFields::default();
        for (entry, expected, is_flat) in [
            (
                "rollout=chat treatment=v2 reason=rule revision=1 account=AC1",
                [Some("AC1"), Some("v2"), Some("rule")],
                true,
            ),
            (
                "rollout=chat treatment=v1 reason=no_account revision=1",
                [None, Some("v1"), Some("no_account")],
                true,
            ),
            (
                "rollout=chat treatment=v2 reason=rule revision=1 account=a%20b%22",
                [Some("a b\""), Some("v2"), Some("rule")],
                false,
            ),
            ("-", [None; 3], true),
            ("something else", [None; 3], false),
        ] {
            let line = format!(r#"{{"path":"/a","turnout":"{entry}"}}"#);
            let read = |entry: &LogEntry<'_>| {
                [
                    RequestPart::Account,
                    RequestPart::Treatment,
                    RequestPart::Reason,
                ]
                .map(|part| entry.get(part).map(<[u8]>::to_vec))
            };
            let expected = expected.map(|part| part.map(|text| text.as_bytes().to_vec()));
            let scanned = scan(line.as_bytes(), &fields, &mut FieldOrder::default());
            assert_eq!(scanned.is_some(), is_flat, "{line}");
            if let Some(scanned) = scanned {
                assert_eq!(read(&scanned), expected, "{line}");
            }
            let parsed = parse(line.as_bytes(), &fields).unwrap();
            assert_eq!(read(&parsed.entry()), expected, "{line}");
        }
    }

    /// Envoy writes `null` for an absent header.
    #[test]
    fn an_empty_header_is_a_header() {
        let mut fields = LogFields::default();
        fields.map("header:x-beta=beta").unwrap();
        for (line, expected) in [
            (r#"{"beta":""}"#, &[""][..]),
            (r#"{"beta":"1"}"#, &["1"]),
            (r#"{"beta":null}"#, &[]),
            (r#"{"beta":"-"}"#, &[]),
        ] {
            let read = |entry: &LogEntry<'_>| -> Vec<Vec<u8>> {
                let pairs = entry.pairs(&fields);
                let values = pairs.as_slice().iter();
                values.map(|(_, value)| value.to_vec()).collect()
            };
            let scanned = scan(line.as_bytes(), &fields, &mut FieldOrder::default()).unwrap();
            assert_eq!(
                read(&scanned),
                expected.iter().map(|v| v.as_bytes()).collect::<Vec<_>>(),
                "{line}"
            );
            let parsed = parse(line.as_bytes(), &fields).unwrap();
            assert_eq!(read(&parsed.entry()), read(&scanned), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_an_object_is_an_error() {
        for (line, why) in [
            (
                "[]",
                "invalid type: sequence, expected an object (column 0)",
            ),
            (r#"{"path":"/a""#, "EOF while parsing an object (column 12)"),
            (r#"{"path":"/a"}x"#, "trailing characters (column 14)"),
            (r#"{"path":nul}"#, "expected ident (column 12)"),
        ] {
            assert_eq!(both(line), (None, Err(why.to_owned())), "{line}");
        }
    }
}
