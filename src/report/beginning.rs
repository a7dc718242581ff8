//! Whether a line of an access log can begin with text of a client.

/// Methods that Envoy accepts, and what it calls protocols: no client makes others of them.
const FIRST_WORDS: [&[u8]; 12] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"PATCH",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"HTTP/1.1",
    b"HTTP/2",
    b"HTTP/3",
];

/// Whether a line begins with something that no client chooses: a time, a number, a method, a protocol,
/// punctuation or a `key:`. Otherwise a client may have chosen the beginning, and could also forge that of a
/// line of Envoy's own log.
pub(crate) fn is_harmless(line: &[u8]) -> bool {
    let Some(first) = line.first() else {
        return true;
    };
    if *first == b'[' {
        return line.get(1).is_some_and(u8::is_ascii_digit);
    }
    // Punctuation is of the format, and so is white space.
    if first.is_ascii() && !first.is_ascii_alphanumeric() {
        return true;
    }
    let end = line.iter().position(u8::is_ascii_whitespace);
    let word = line.get(..end.unwrap_or(line.len())).unwrap_or_default();
    FIRST_WORDS.contains(&word) || word.iter().all(u8::is_ascii_digit) || is_key(word)
}

/// `concurrency:`, as in a configuration that Istio's agent prints at its start.
fn is_key(word: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let name = word.strip_suffix(b":");
    name.is_some_and(|name| name.iter().all(is_of_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_that_a_client_chooses_are_told_from_others() {
        for line in [
            "",
            "[2026-11-21T03:00:00.123Z] \"GET / HTTP/1.1\" 200",
            "{\"method\":\"GET\"}",
            "\"curl/8\" 200",
            "GET /v1 200 curl/8",
            "HTTP/1.1 GET /v1",
            "200 GET /v1",
            "1795232300 GET /v1",
            "concurrency: 2",
            "proxyMetadata:",
            "  - name: x",
            "- 200",
            "\tat main.go:7",
        ] {
            assert!(is_harmless(line.as_bytes()), "{line}");
        }
        for line in [
            "curl/8 200",
            "Mozilla/5.0 (X11) 200",
            "10.0.0.1 - - [21/Nov/2026:03:00:00 +0000]",
            "[curl/8] 200",
            "2026-11-21T03:00:00.123Z\tcurl/8",
            "caf\u{e9} 200",
            "\u{e9} 200",
            "GETX 200",
            "http://a.b: 7",
        ] {
            assert!(!is_harmless(line.as_bytes()), "{line}");
        }
    }
}
