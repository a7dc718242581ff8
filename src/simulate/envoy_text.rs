//! Parses Envoy's default text format, and Istio's, which has more fields in the middle and at the end.
//!
//! ```text
//! [START_TIME] "METHOD PATH PROTOCOL" … "FORWARDED_FOR" "USER_AGENT" "REQUEST_ID" "AUTHORITY" "UPSTREAM_HOST" …
//! ```
//! Envoy does not escape fields, so a client can put quotes into the path and the user agent. Their ends are
//! found by text that a client does not control.

use memchr::{memmem, memrchr};

use crate::log_entry::LogEntry;
use crate::log_fields::RequestPart;

/// Parses a line; `None` if it has another format.
pub(crate) fn parse(line: &[u8]) -> Option<LogEntry<'_>> {
    let mut entry = LogEntry::new();
    let rest = line.strip_prefix(b"[")?;
    let (time, rest) = split(rest, b"] \"")?;
    let (method, rest) = split(rest, b" ")?;
    let (path, rest) = path(rest)?;
    // The fields are read from the end: the upstream's address, the authority, the request id.
    let (rest, _) = last_quoted(rest)?;
    let (rest, host) = last_quoted(rest.strip_suffix(b" ")?)?;
    let (rest, id) = last_quoted(rest.strip_suffix(b" ")?)?;
    rest.strip_suffix(b"\" ")?;
    entry.mark(RequestPart::Time as usize);
    entry.set_part(RequestPart::Time, time);
    entry.set_part(RequestPart::Method, method);
    entry.set_part(RequestPart::Path, path);
    entry.set_part(RequestPart::Host, host);
    entry.set_part(RequestPart::RequestId, id);
    Some(entry)
}

/// Splits off the path, which ends before the first protocol at the end of a quoted field.
fn path(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut ends = memmem::find_iter(text, b"\" ");
    ends.find_map(|end| {
        let (request, rest) = text.split_at_checked(end)?;
        let space = memrchr(b' ', request)?;
        let (path, protocol) = request.split_at_checked(space)?;
        let protocol = protocol.get(1..)?;
        (protocol.starts_with(b"HTTP/") || protocol == b"-").then_some((path, rest))
    })
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let end = memmem::find(text, at)?;
    let after = text.get(end.saturating_add(at.len())..)?;
    Some((text.get(..end)?, after))
}

/// Returns the text before the last quoted field, and the contents of that field.
fn last_quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memrchr(b'"', text)?;
    let text = text.get(..end)?;
    let start = memrchr(b'"', text)?;
    Some((text.get(..start)?, text.get(start.saturating_add(1)..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> Option<[Option<&str>; 5]> {
        let entry = parse(line.as_bytes())?;
        let parts = [
            RequestPart::Time,
            RequestPart::Method,
            RequestPart::Path,
            RequestPart::Host,
            RequestPart::RequestId,
        ];
        Some(parts.map(|part| {
            entry
                .get(part)
                .map(|value| std::str::from_utf8(value).unwrap())
        }))
    }

    #[test]
    fn reads_what_envoy_and_istio_write() {
        let time = "2026-11-21T03:00:00.123Z";
        let expected = [
            Some(time),
            Some("GET"),
            Some("/v1/Channels?a=b"),
            Some("flex.example.com"),
            Some("id-1"),
        ];
        let envoy = r#"[2026-11-21T03:00:00.123Z] "GET /v1/Channels?a=b HTTP/1.1" 200 - 0 154 3 2 "-" "curl/8.5" "id-1" "flex.example.com" "127.0.0.1:8001""#;
        assert_eq!(seen(envoy), Some(expected));
        let istio = r#"[2026-11-21T03:00:00.123Z] "GET /v1/Channels?a=b HTTP/2" 200 - via_upstream - "-" 0 154 3 2 "-" "curl/8.5" "id-1" "flex.example.com" "10.0.0.1:80" outbound|80||x 10.0.0.2:1 10.0.0.3:2 - - default"#;
        assert_eq!(seen(istio), Some(expected));
        let hostile = envoy.replace("curl/8.5", r#"a" "b" "c"#);
        assert_eq!(seen(&hostile), Some(expected));
        let hostile = envoy.replace("?a=b", r#"?" 200 "x"#);
        assert_eq!(seen(&hostile).unwrap()[2], Some(r#"/v1/Channels?" 200 "x"#));
        let absent = r#"[2026-11-21T03:00:00.123Z] "- - -" 0 DC 0 0 3 - "-" "-" "-" "-" "-""#;
        assert_eq!(seen(absent), Some([Some(time), None, None, None, None]));
    }

    #[test]
    fn leaves_other_lines() {
        for line in [
            "",
            "[",
            "[2026-11-21 03:00:00.000][12][info][main] [source/server/server.cc:1] starting",
            r#"[2026-11-21T03:00:00.123Z] "GET / HTTP/1.1" 200 - 0 0 3 - "-" "curl""#,
            r#"127.0.0.1 - - [21/Nov/2026:03:00:00 +0000] "GET / HTTP/1.1" 200 5"#,
        ] {
            assert_eq!(seen(line), None, "{line}");
        }
    }
}
