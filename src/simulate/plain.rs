//! Lines in Envoy's default text format, and in that of Istio, which has more in the middle and at the
//! end.
//!
//! ```text
//! [START_TIME] "METHOD PATH PROTOCOL" … "FORWARDED_FOR" "USER_AGENT" "REQUEST_ID" "AUTHORITY" "UPSTREAM_HOST" …
//! ```
//! Envoy escapes nothing, so quotes of a client's may stand in the path and the user agent: both are
//! found from the ends that no client writes.

use memchr::{memmem, memrchr};

use crate::fields::{Entry, Part};

/// `None` when the line has another form.
pub(crate) fn read(line: &[u8]) -> Option<Entry<'_>> {
    let mut entry = Entry::new();
    let rest = line.strip_prefix(b"[")?;
    let (time, rest) = split(rest, b"] \"")?;
    let (method, rest) = split(rest, b" ")?;
    let (path, rest) = path(rest)?;
    // From the end: the upstream's address, the authority, the request id.
    let (rest, _) = last_quoted(rest)?;
    let (rest, host) = last_quoted(rest.strip_suffix(b" ")?)?;
    let (rest, id) = last_quoted(rest.strip_suffix(b" ")?)?;
    rest.strip_suffix(b"\" ")?;
    entry.mark(Part::Time as usize);
    entry.set_part(Part::Time, time);
    entry.set_part(Part::Method, method);
    entry.set_part(Part::Path, path);
    entry.set_part(Part::Host, host);
    entry.set_part(Part::RequestId, id);
    Some(entry)
}

/// The path ends at the first protocol that ends a quotation.
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

/// What comes before the last quotation, and what it holds.
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
        let entry = read(line.as_bytes())?;
        let parts = [
            Part::Time,
            Part::Method,
            Part::Path,
            Part::Host,
            Part::RequestId,
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
