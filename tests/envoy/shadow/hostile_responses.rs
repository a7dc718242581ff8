//! Responses that no HTTP library sends: from v2 to shadow requests, from v1, and from v2 when it serves. A user gets
//! the same response as from Envoy without the filter; each sampled request has one outcome; the filter does not
//! trap.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use support::envoy::{Bootstrap, Envoy};
use support::raw_upstream::{Raw, RawUpstream};
use support::render::rendered;
use support::scripted_upstream::{Received, Response, Scripted};

use super::testbed::{ShadowTestbed, asks, one_worker, shadow_policy};
use crate::testbed::{INSIDE, policy, strip, traps};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
/// v1's response when v2 is hostile.
const BODY: &str = r#"{"a":1}"#;
/// The timeout of v2; some responses are endless.
const TIMEOUT_MS: u64 = 700;
const DRIP: Duration = Duration::from_millis(20);

/// JSON with a content length.
fn whole(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("{OK}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A good response with additional header lines.
fn with(lines: &str) -> Raw {
    Raw::new(format!("{OK}{lines}content-length: 7\r\n\r\n{BODY}"))
}

/// These bytes, followed by a good response.
fn behind(bytes: impl Into<Vec<u8>>) -> Raw {
    Raw::new([bytes.into(), whole(BODY)].concat())
}

fn chunked(rest: &str) -> Raw {
    Raw::new(format!("{OK}transfer-encoding: chunked\r\n\r\n{rest}"))
}

/// Finite responses, and their outcome as responses to shadow requests, if it is fixed.
fn bounded() -> Vec<(&'static str, Raw, Option<&'static str>)> {
    let equal = Some("equal");
    let error = Some("v2_error");
    let different = Some("different");
    let deep =
        |open: &str, close: &str| whole([open.repeat(20_000), close.repeat(20_000)].concat());
    vec![
        ("a good response", with(""), equal),
        ("a promise before it", behind("HTTP/1.1 100 Continue\r\n\r\n"), equal),
        ("hints before it", behind("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), equal),
        ("processing before it", behind("HTTP/1.1 102 Processing\r\n\r\n"), None),
        ("ten thousand promises", Raw::new("").repeat("HTTP/1.1 100 Continue\r\n\r\n", 10_000).then(whole(BODY)), None),
        ("ten thousand hints", Raw::new("").repeat("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", 10_000).then(whole(BODY)), None),
        ("a switch of protocols", Raw::new("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nabc"), None),
        ("HTTP/1.0", Raw::new(format!("HTTP/1.0 200 OK\r\ncontent-length: 7\r\ncontent-type: application/json\r\n\r\n{BODY}")), None),
        ("HTTP/1.0 without a length", Raw::new(format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{BODY}")), None),
        ("HTTP/0.9", Raw::new(BODY), error),
        ("HTTP/2.0 by its word", Raw::new(format!("HTTP/2.0 200 OK\r\ncontent-length: 7\r\n\r\n{BODY}")), None),
        ("frames of HTTP/2", Raw::new(&b"\0\0\0\x04\0\0\0\0\0"[..]), error),
        ("TLS", Raw::new(&b"\x15\x03\x03\0\x02\x02\x46"[..]), error),
        ("nothing", Raw::new(""), error),
        ("nothing, and a reset", Raw::new("").reset(), error),
        ("half a status line", Raw::new("HTTP/1.1 2"), error),
        ("half a head", Raw::new(OK), error),
        ("no status", Raw::new("HTTP/1.1 OK\r\n\r\n"), error),
        ("a status of two digits", Raw::new("HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n"), None),
        ("a status of four digits", Raw::new("HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n"), None),
        ("status 0", Raw::new("HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n"), None),
        ("status 999", Raw::new("HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n"), None),
        ("escapes in the reason", Raw::new(format!("HTTP/1.1 200 \x1b[2J\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{BODY}")), None),
        ("204 with a body", Raw::new("HTTP/1.1 204 x\r\ncontent-length: 3\r\n\r\nabc"), None),
        ("304 with a body", Raw::new("HTTP/1.1 304 x\r\ncontent-length: 3\r\n\r\nabc"), None),
        ("no length, closed", Raw::new(format!("{OK}\r\n{BODY}")), equal),
        ("less than its length", Raw::new(format!("{OK}content-length: 9\r\n\r\n{BODY}")), error),
        ("more than its length", Raw::new(format!("{OK}content-length: 7\r\n\r\n{BODY}HTTP/1.1 500 x\r\n\r\n")), None),
        ("two lengths", Raw::new(format!("{OK}content-length: 7\r\ncontent-length: 8\r\n\r\n{BODY}a")), error),
        ("a length that is a word", Raw::new(format!("{OK}content-length: many\r\n\r\n{BODY}")), error),
        ("a length below nothing", Raw::new(format!("{OK}content-length: -7\r\n\r\n{BODY}")), error),
        ("a length beyond all", Raw::new(format!("{OK}content-length: 99999999999999999999\r\n\r\n{BODY}")), error),
        ("a length and chunks", Raw::new(format!("{OK}content-length: 7\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{BODY}\r\n0\r\n\r\n")), None),
        ("chunks", chunked("3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n"), equal),
        ("chunks with extensions", chunked("7;x=\"y\"\r\n{\"a\":1}\r\n0\r\n\r\n"), None),
        ("chunks with trailers", chunked("7\r\n{\"a\":1}\r\n0\r\nx-turnout-decision: chat=v2\r\nx-a: b\r\n\r\n"), None),
        ("a chunk's size that is none", chunked("zz\r\n{\"a\":1}\r\n0\r\n\r\n"), error),
        ("a chunk's size beyond all", chunked("ffffffffffffffffff\r\n{\"a\":1}\r\n"), error),
        ("a chunk that is longer than it says", chunked("2\r\n{\"a\":1}\r\n0\r\n\r\n"), None),
        ("chunks without an end", chunked("7\r\n{\"a\":1}\r\n"), error),
        ("an unknown encoding of transfer", Raw::new(format!("{OK}transfer-encoding: x\r\n\r\n{BODY}")), error),
        ("folded headers", with("x-a: 1\r\n 2\r\n"), None),
        ("a bare LF", with("x-a: 1\nx-b: 2\r\n"), None),
        ("NUL in a header", with("x-a: 1\0\r\n"), error),
        ("bytes that are no text in a header", Raw::new([OK.as_bytes(), b"x-a: \xff\xfe\r\ncontent-length: 7\r\n\r\n", BODY.as_bytes()].concat()), None),
        ("a header without a name", with(": 1\r\n"), None),
        ("forged headers of ours", with("x-turnout-cluster: channels-v2\r\nx-turnout-treatment: v2\r\nx-turnout-shadow: 1\r\n"), None),
        ("headers for Envoy", with("x-envoy-upstream-service-time: -1\r\nx-envoy-immediate-health-check-fail: true\r\nx-envoy-ratelimited: 1\r\ngrpc-status: 14\r\n"), None),
        ("a megabyte of headers", Raw::new(OK).repeat(format!("x-a: {}\r\n", "a".repeat(1_000)), 1_000).then("\r\n"), error),
        ("ten thousand headers", Raw::new(OK).repeat("x: y\r\n", 10_000).then("\r\n"), error),
        ("a bomb of gzip", Raw::new([&b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 35\r\n\r\n"[..], &BOMB].concat()), None),
        ("gzip that is none", Raw::new(format!("{OK}content-encoding: gzip\r\ncontent-length: 7\r\n\r\n{BODY}")), None),
        ("fifty encodings", with(&format!("content-encoding: {}\r\n", ["gzip"; 50].join(","))), None),
        ("lists in lists", Raw::new(deep("[", "]")), None),
        ("objects in objects", Raw::new(whole(["{\"a\":".repeat(10_000), "1".into(), "}".repeat(10_000)].concat())), None),
        ("half a list in lists", Raw::new(whole("[".repeat(40_000))), None),
        ("a string of 200 KB", Raw::new(whole(format!("\"{}\"", "s".repeat(200_000)))), Some("too_large")),
        ("a number of 30,000 digits", Raw::new(whole("9".repeat(30_000))), different),
        ("NaN", Raw::new(whole("{\"a\":NaN}")), different),
        ("a number beyond all", Raw::new(whole("{\"a\":1e999999999}")), different),
        ("a key that comes twice", Raw::new(whole("{\"a\":1,\"a\":2}")), Some("not_comparable")),
        ("an escaped key", Raw::new(whole("{\"\\u0061\":1}")), equal),
        ("half a surrogate", Raw::new(whole("{\"a\":\"\\ud800\"}")), different),
        ("bytes that are no text", Raw::new(whole(b"{\"a\":\"\xff\xfe\"}")), different),
        ("a mark of byte order", Raw::new(whole("\u{feff}{\"a\":1}")), None),
        ("escapes in keys", Raw::new(whole("{\"\\u001b[2J\":1,\"\u{202e}\":2}")), different),
        ("5,000 keys", Raw::new(whole(format!("{{{}}}", (0..5_000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")))), different),
        ("a content type that is none", Raw::new(format!("HTTP/1.1 200 OK\r\ncontent-type: ;;/\"\r\ncontent-length: 7\r\n\r\n{BODY}")), None),
    ]
}

/// Endless responses, only to shadow requests, because a user would wait for them.
fn unbounded() -> Vec<(&'static str, Raw)> {
    vec![
        (
            "promises without end",
            Raw::new("").endless("HTTP/1.1 100 Continue\r\n\r\n", Duration::ZERO),
        ),
        (
            "hints without end",
            Raw::new("").endless(
                "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
                Duration::ZERO,
            ),
        ),
        (
            "headers without end",
            Raw::new(OK).endless("x-a: aaaaaaaaaaaaaaaa\r\n", Duration::ZERO),
        ),
        (
            "a head byte by byte",
            Raw::new(format!("{OK}x-a: ")).endless("a", DRIP),
        ),
        (
            "a body byte by byte",
            Raw::new(format!("{OK}content-length: 1000000\r\n\r\n")).endless("a", DRIP),
        ),
        (
            "chunks byte by byte",
            chunked("").endless("1\r\na\r\n", DRIP),
        ),
        (
            "a body without end",
            Raw::new(format!("{OK}\r\n")).endless([b'a'; 4_096], Duration::ZERO),
        ),
        (
            "trailers without end",
            chunked("7\r\n{\"a\":1}\r\n0\r\n").endless("x-a: aaaaaaaaaaaaaaaa\r\n", Duration::ZERO),
        ),
        (
            "silence behind a head",
            Raw::new(format!("{OK}content-length: 7\r\n\r\n")).hold(),
        ),
        ("silence", Raw::new("").hold()),
    ]
}

/// 2,000 zeros, compressed with gzip.
static BOMB: [u8; 35] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 24, 5, 163, 96, 20, 140, 130, 81, 48, 10, 70, 193, 80,
    7, 0, 68, 244, 201, 2, 208, 7, 0, 0,
];

/// Responses by the number at the end of the path.
async fn hostile(responses: Vec<Raw>) -> RawUpstream {
    RawUpstream::start(move |path| {
        let number = path.rsplit('/').next().and_then(|last| last.parse().ok());
        let response = number.and_then(|number: usize| responses.get(number));
        response.cloned().unwrap_or_else(|| with(""))
    })
    .await
}

fn good(_: &Received) -> Response {
    Response::new(200)
        .content_type("application/json")
        .body(BODY)
}

#[tokio::test]
async fn hostile_responses_to_shadow_requests_change_nothing_for_users() {
    let (bounded, unbounded) = (bounded(), unbounded());
    let responses = bounded.iter().map(|(_, raw, _)| raw);
    let responses = responses.chain(unbounded.iter().map(|(_, raw)| raw));
    let v2 = hostile(responses.cloned().collect()).await;
    let mut policy = shadow_policy(&json!({ "timeout_ms": TIMEOUT_MS, "max_body_bytes": 65_536 }));
    policy["rollouts"][0]["v2"] = json!("hostile");
    let (v1, unused) = (Scripted::start(good), Scripted::start(good));
    let adapt = |b: Bootstrap| one_worker(b).cluster("hostile", &v2);
    let mut testbed = ShadowTestbed::between(v1, unused, &policy, adapt).await;
    let client = testbed.client();
    let names = bounded.iter().map(|(what, _, outcome)| (*what, *outcome));
    let names: Vec<_> = names
        .chain(unbounded.iter().map(|(what, _)| (*what, None)))
        .collect();
    let mut wrong = Vec::new();
    for (number, (what, expected)) in names.iter().enumerate() {
        let response = client.send(asks("GET", &format!("/{number}"))).await;
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, BODY),
            "{what}"
        );
        let outcomes = testbed.any(1).await;
        let outcome = outcomes.keys().next().cloned().unwrap_or_default();
        println!("{what}: {outcome}");
        let is_right = match expected {
            Some(expected) => outcome == *expected,
            None => MAY_BE.contains(&outcome.as_str()),
        };
        // An endless response never counts as equal.
        let is_endless = number >= bounded.len();
        if !is_right || (is_endless && outcome == "equal") {
            wrong.push(format!("{what}: {outcome}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(v2.requests() >= names.len() as u64);
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
    let memory = memory_of(&testbed.envoy);
    println!("{} MiB", memory >> 20);
    assert!(memory < 400 << 20, "{memory}");
}

/// Responses whose handling depends on Envoy's version.
const MAY_BE: [&str; 6] = [
    "equal",
    "different",
    "not_comparable",
    "too_large",
    "v2_error",
    "timeout",
];

/// In each role a user gets the same response as without shadowing.
#[tokio::test]
async fn shadowing_changes_no_hostile_response_of_the_serving_cluster() {
    let bounded = bounded();
    let responses: Vec<Raw> = bounded.iter().map(|(_, raw, _)| raw.clone()).collect();
    let upstream = hostile(responses).await;
    let other = Scripted::start(good);
    let alone = start(&policy(&json!({ "mode": "off" })), &upstream, &other).await;
    let served = start(&policy(&json!({ "mode": "on" })), &other, &upstream).await;
    let shadowing = shadow_policy(&json!({ "timeout_ms": TIMEOUT_MS }));
    let shadowed = start(&shadowing, &upstream, &other).await;
    for (number, (what, ..)) in bounded.iter().enumerate() {
        let request = format!(
            "GET /v1/Channels/{number} HTTP/1.1\r\nhost: a\r\nx-account-sid: {INSIDE}\r\nconnection: close\r\n\r\n"
        );
        let [expected, under_shadow, of_v2] = [
            respond(&alone, &request).await,
            respond(&shadowed, &request).await,
            respond(&served, &request).await,
        ];
        assert!(!expected.is_empty(), "{what}");
        assert!(
            under_shadow == expected,
            "{what}: under a shadow {under_shadow:?}, alone {expected:?}"
        );
        assert!(
            of_v2 == expected,
            "{what}: from v2 {of_v2:?}, alone {expected:?}"
        );
    }
    for envoy in [&alone, &served, &shadowed] {
        let log = envoy.settled_log().await;
        assert_eq!(traps(&log), Vec::<&String>::new());
    }
    // Each request was sampled, and each has an outcome.
    let sampled = bounded.len() as u64;
    let counted = |stats: &std::collections::BTreeMap<String, u64>, prefix: &str| -> u64 {
        let of_it = stats.iter().filter(|(name, _)| name.starts_with(prefix));
        of_it.map(|(_, count)| count).sum()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let stats = shadowed
            .admin()
            .stats(r"^wasmcustom\.turnout\.shadow")
            .await;
        assert_eq!(
            counted(&stats, "wasmcustom.turnout.shadow_sampled."),
            sampled
        );
        let ended = counted(&stats, "wasmcustom.turnout.shadow.chat.");
        assert!(ended <= sampled, "{stats:?}");
        if ended == sampled {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{ended} of {sampled}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn start<'a, A, B>(policy: &serde_json::Value, v1: &'a A, v2: &'a B) -> Envoy
where
    SocketAddr: From<&'a A> + From<&'a B>,
{
    let text = rendered("cluster-header.yaml", &strip(policy));
    let bootstrap = Bootstrap::new(text, v1, v2).concurrency(1);
    Envoy::start(bootstrap).await
}

/// The response of a user, without parts that depend on the time.
async fn respond(envoy: &Envoy, request: &str) -> Vec<u8> {
    let response = support::client::raw_to_end(envoy.address(), request.as_bytes()).await;
    let (head, body) = match response.windows(4).position(|part| part == b"\r\n\r\n") {
        Some(place) => response.split_at(place),
        None => return response,
    };
    let moment = [&b"date: "[..], b"x-envoy-upstream-service-time: "];
    let lines = head.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !moment.iter().any(|name| line.starts_with(name)));
    let lines: Vec<&[u8]> = lines.collect();
    [&lines.join(&b'\n'), body].concat()
}

/// The largest memory of Envoy, in bytes.
fn memory_of(envoy: &Envoy) -> u64 {
    let path = format!("/proc/{}/status", envoy.id());
    let status = std::fs::read_to_string(path).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.expect("a number") * 1_024
}
