//! Decides whether a log line may start with text that a client chose.

/// Methods that Envoy accepts, and its names of protocols. A client cannot send other text there.
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

/// Fields of the configuration that Istio's agent prints when it starts, one per line.
const AGENT_FIELDS: [&[u8]; 22] = [
    b"availabilityZone",
    b"binaryPath",
    b"concurrency",
    b"configPath",
    b"controlPlaneAuthPolicy",
    b"customConfigFile",
    b"discoveryAddress",
    b"drainDuration",
    b"extraStatTags",
    b"gatewayTopology",
    b"holdApplicationUntilProxyStarts",
    b"image",
    b"interceptionMode",
    b"meshId",
    b"proxyAdminPort",
    b"proxyMetadata",
    b"readinessProbe",
    b"serviceCluster",
    b"statNameLength",
    b"statusPort",
    b"terminationDrainDuration",
    b"tracing",
];

/// Whether a line starts with something that a client cannot choose: a date, a status, a method, a protocol, a
/// path, a quote, a brace, a field of Istio's agent, or a message of systemd about a service. Otherwise a client
/// may have chosen the start of the line, and could also forge a line of Envoy's own log.
///
/// Numbers other than a status are not safe: many account IDs are numbers.
pub(crate) fn has_safe_start(line: &[u8]) -> bool {
    match line {
        [] => return true,
        [b'[', rest @ ..] => return starts_with_date(rest),
        // Paths of clients start with a slash too. Braces and quotes are part of the log format.
        [b'{' | b'"' | b'/', ..] => return true,
        // No field starts with white space.
        [first, ..] if first.is_ascii_whitespace() => return true,
        _ => {}
    }
    let mut words = line.split(u8::is_ascii_whitespace);
    let word = words.next().unwrap_or_default();
    FIRST_WORDS.contains(&word)
        || is_status(word)
        || is_agent_field(line)
        || words
            .next()
            .is_some_and(|next| is_systemd_message(word, next))
}

/// Whether a text starts like `2026-11-21T…` or `2026-11-21 …`.
fn starts_with_date(text: &[u8]) -> bool {
    let is_like = |(byte, like): (&u8, &u8)| match like {
        b'0' => byte.is_ascii_digit(),
        b' ' => b" T".contains(byte),
        like => byte == like,
    };
    let like = b"0000-00-00 ";
    text.len() >= like.len() && text.iter().zip(like).all(is_like)
}

fn is_status(word: &[u8]) -> bool {
    matches!(word, [b'1'..=b'5', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit())
}

fn is_agent_field(line: &[u8]) -> bool {
    let colon = line.iter().position(|byte| *byte == b':');
    let name = colon.and_then(|colon| line.get(..colon));
    name.is_some_and(|name| AGENT_FIELDS.contains(&name))
}

/// Whether a line is like `Started envoy.service - Envoy.`
fn is_systemd_message(word: &[u8], next: &[u8]) -> bool {
    let verbs: [&[u8]; 6] = [
        b"Started",
        b"Starting",
        b"Stopped",
        b"Stopping",
        b"Reloaded",
        b"Reloading",
    ];
    verbs.contains(&word) && next.ends_with(b".service")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_that_a_client_may_choose_are_not_safe() {
        for line in [
            "",
            "[2026-11-21T03:00:00.123Z] \"GET / HTTP/1.1\" 200",
            "{\"method\":\"GET\"}",
            "\"curl/8\" 200",
            "GET /v1 200 curl/8",
            "HTTP/1.1 GET /v1",
            "200 GET /v1",
            "concurrency: 2",
            "proxyMetadata:",
            "  - name: x",
            "/v1 200 curl/8",
            "Started envoy.service - Envoy.",
            "\tat main.go:7",
        ] {
            assert!(has_safe_start(line.as_bytes()), "{line}");
        }
        for line in [
            "curl/8 200",
            "4711 GET /v1",
            "1795232300 GET /v1",
            "999 GET /v1",
            "[4711] GET /v1",
            "[2026-11-21] GET /v1",
            "okhttp: 200 GET",
            "$Version=1; a=b 200",
            "- 200 GET",
            "(compatible) 200",
            "Started curl 200",
            "Mozilla/5.0 (X11) 200",
            "10.0.0.1 - - [21/Nov/2026:03:00:00 +0000]",
            "[curl/8] 200",
            "2026-11-21T03:00:00.123Z\tcurl/8",
            "caf\u{e9} 200",
            "\u{e9} 200",
            "GETX 200",
            "http://a.b: 7",
        ] {
            assert!(!has_safe_start(line.as_bytes()), "{line}");
        }
    }
}
