//! All kinds of request targets. Envoy rejects a target, or the policy decides by the path that the upstream gets, or
//! no rollout matches: no spelling brings a request to the treatment of another path.

use serde_json::json;

use super::{Outcome, send};
use crate::testbed::{INSIDE, OUTSIDE, Testbed, headers_of, policy, strip, traps, turnout_headers};

/// Targets as sent.
const TARGETS: &[&str] = &[
    "/v1/Channels",
    "/v1/Channels/",
    "/v1/Channels?",
    "/v1/Channels?x=/other",
    "/other?/v1/Channels",
    "//v1/Channels",
    "///v1///Channels//",
    "/./v1/Channels",
    "/v1/./Channels",
    "/v1/x/../Channels",
    "/v1/%2e%2e/v1/Channels",
    "/v1/%2E%2e/%2E/v1/Channels",
    "/v1/Channels/..",
    "/v1/Channels/%2e%2e",
    "/v1/Channels/../Users",
    "/v1/Channels/..%2fUsers",
    "/v1/Channels/..;/Users",
    "/..",
    "/../../v1/Channels",
    "/%2e%2e/%2e%2e/v1/Channels",
    "/v1\\Channels",
    "\\v1\\Channels",
    "/v1/x\\..\\Channels",
    "/v1%5cChannels",
    "/v1%2fChannels",
    "/v1%2FChannels",
    "/v1%252fChannels",
    "/%76%31/%43hannels",
    "/v1/Channels%20",
    "/v1/Channels%09",
    "/v1/Channels%0d%0ax-turnout-cluster:%20channels-v2",
    "/v1/Channels%00",
    "/v1/Channels%00/../other",
    "/v1/Channels%",
    "/v1/Channels%zz",
    "/v1/Channels%c0%af",
    "/v1/Channels%ff",
    "/v1/Channels;v=2",
    "/v1;x/Channels",
    "/V1/CHANNELS",
    "/v1/Channelsx",
    "/v1/Channels#x",
    "/other#/v1/Channels",
    "/other#/../v1/Channels",
    "/v1/Channels\tx",
    "/v1/Channels\0",
    "/v1/Channels\u{7f}",
    "/v1/Channels\u{e9}",
    "http://a/v1/Channels",
    "http://a/other/../v1/Channels",
    "http://a",
    "http://a?/v1/Channels",
    "http://a#/v1/Channels",
    "http://user@b/v1/Channels",
    "HTTP://A/v1/Channels",
    "https://a/v1/Channels",
    "http:///v1/Channels",
    "http:/v1/Channels",
    "ftp://a/v1/Channels",
    "x://a/v1/Channels",
    "v1/Channels",
    "a/v1/Channels",
    "?/v1/Channels",
    "*",
    "a:80",
    "",
    "/",
    "/ HTTP/1.1\r\nx-a: /v1/Channels",
];

/// Whether the rollout matches the path that an upstream sees. Prefixes match bytes, as Envoy's do.
fn is_of_the_rollout(path: &str) -> bool {
    path.starts_with("/v1/Channels")
}

async fn testbed() -> Testbed {
    Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| {
        b.without_native_strip().concurrency(1)
    })
    .await
}

#[tokio::test]
async fn the_policy_decides_by_the_path_that_the_upstream_gets() {
    let testbed = testbed().await;
    let (mut served, mut refused) = (0, 0);
    let long = [
        format!("/v1/Channels/{}", "a".repeat(59_000)),
        format!("/v1/Channels?{}", "a".repeat(59_000)),
        format!("/{}v1/Channels", "/".repeat(58_000)),
        format!("/{}v1/Channels", "x/../".repeat(10_000)),
        format!("/{}", "%2e%2e/".repeat(8_000)),
    ];
    let targets = TARGETS
        .iter()
        .copied()
        .chain(long.iter().map(String::as_str));
    for target in targets {
        for account in [INSIDE, OUTSIDE] {
            let outcome = send_line(&testbed, &format!("GET {target} HTTP/1.1"), account).await;
            let target = target.get(..100).unwrap_or(target);
            if outcome.reached.is_none() {
                assert!(outcome.is_refused(), "{target}: {outcome:?}");
                refused += 1;
                continue;
            }
            served += 1;
            follows_the_policy(&outcome, account, target);
        }
    }
    println!("{served} served, {refused} refused");
    assert!(served >= 80 && refused >= 20, "{served}, {refused}");
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

#[track_caller]
fn follows_the_policy(outcome: &Outcome, account: &str, target: &str) {
    let reached = outcome.reached.as_ref().expect("an upstream's answer");
    let path = reached["path"].as_str().expect("a path");
    let headers = turnout_headers(reached);
    // No rollout matches a target that servers may read as another path or host.
    let is_doubtful = path.contains(['%', ';', '\\']) || target.contains("://");
    let is_decided = is_of_the_rollout(path) && !(is_doubtful && headers.is_empty());
    let version = match is_decided && account == INSIDE {
        true => "v2",
        false => "v1",
    };
    assert_eq!(reached["version"], version, "{target}: {path}");
    let expected = match is_decided {
        true => headers_of(version),
        false => Vec::new(),
    };
    assert_eq!(headers, expected, "{target}: {path}");
}

/// Request lines, and whether Envoy rejects them.
const LINES: &[(&str, bool)] = &[
    ("POST /v1/Channels HTTP/1.1", false),
    ("TRACE /v1/Channels HTTP/1.1", false),
    ("PROPFIND /v1/Channels HTTP/1.1", false),
    ("OPTIONS * HTTP/1.1", true),
    ("CONNECT a:80 HTTP/1.1", true),
    ("CONNECT /v1/Channels HTTP/1.1", true),
    ("get /v1/Channels HTTP/1.1", true),
    ("FOO /v1/Channels HTTP/1.1", true),
    ("GET\t/v1/Channels\tHTTP/1.1", false),
    ("GET  /v1/Channels HTTP/1.1", false),
    ("GET /v1/Channels HTTP/1.0", true),
    ("GET /v1/Channels HTTP/0.9", true),
    ("GET /v1/Channels HTTP/2.0", true),
    ("GET /v1/Channels HTTP/3.7", true),
    ("GET /v1/Channels HTTP/1.1x", true),
    ("GET /v1/Channels", true),
    ("GET", true),
    ("/v1/Channels", true),
    ("\u{16}\u{3}\u{1}", true),
    ("{\"version\": 1}", true),
];

#[tokio::test]
async fn invalid_request_lines_reach_no_upstream() {
    let testbed = testbed().await;
    let mut wrong = Vec::new();
    for (line, refused) in LINES {
        let before = testbed.reached();
        let outcome = send_line(&testbed, line, INSIDE).await;
        let more = u64::from(!refused);
        let is_right =
            outcome.is_refused() == *refused && testbed.reached() == (before.0, before.1 + more);
        if !is_right {
            wrong.push(format!("{line:?}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

async fn send_line(testbed: &Testbed, line: &str, account: &str) -> Outcome {
    let request = format!("{line}\r\nhost: a\r\nx-account-sid: {account}\r\n\r\n");
    send(testbed, request.as_bytes()).await
}
