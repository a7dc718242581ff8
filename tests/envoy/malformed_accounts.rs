//! Requests with a malformed account: they take v1, are counted with the reason, write no line to the log, and do
//! not affect the next request.

use std::collections::BTreeMap;

use serde_json::json;
use support::client::raw;

use crate::testbed::{INSIDE, OUTSIDE, Testbed, policy, request_of, strip, version};

/// `AC7342e9713fa896e4af00c654c444aada:secret`
const BASIC_INSIDE: &str = "QUM3MzQyZTk3MTNmYTg5NmU0YWYwMGM2NTRjNDQ0YWFkYTpzZWNyZXQ=";

/// Sets of header lines, each of which is a malformed account.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let sid = |value: &str| format!("x-account-sid: {value}").into_bytes();
    let basic = |value: &str| format!("authorization: Basic {value}").into_bytes();
    let scheme = |scheme: &[u8]| [b"authorization: ", scheme, BASIC_INSIDE.as_bytes()].concat();
    let twice = |one: Vec<u8>, other: Vec<u8>| [one, b"\r\n".to_vec(), other].concat();
    let longest = "AC".to_owned() + &"0".repeat(60 * 1024);
    vec![
        ("twice the same", twice(sid(INSIDE), sid(INSIDE))),
        ("two accounts", twice(sid(OUTSIDE), sid(INSIDE))),
        (
            "two accounts in one header",
            sid(&format!("{INSIDE},{INSIDE}")),
        ),
        (
            "two spellings of the header",
            twice(sid(INSIDE), sid(INSIDE).to_ascii_uppercase()),
        ),
        ("empty", sid("")),
        (
            "an empty one beside an account",
            twice(sid(""), sid(INSIDE)),
        ),
        ("33 long", sid(&INSIDE[..33])),
        ("35 long", sid(&format!("{INSIDE}0"))),
        ("upper-case", sid(&INSIDE.to_uppercase())),
        ("lower-case", sid(&INSIDE.to_lowercase())),
        ("a tab inside", sid(&INSIDE.replace("73", "7\t"))),
        (
            "bytes that are not UTF-8",
            [b"x-account-sid: AC\xff\xfe\x80".to_vec()].concat(),
        ),
        (
            "34 bytes that are not UTF-8",
            [&b"x-account-sid: "[..], &[0xff; 34]].concat(),
        ),
        ("60 KB long", sid(&longest)),
        ("not an account in Basic", basic("YWxpY2U6c2VjcmV0")),
        ("broken base64", basic("QUM3MzQy*")),
        ("base64 of no user name", basic("QUM3MzQyZTk3MTNm")),
        (
            "base64 of bytes that are not UTF-8",
            basic("//79OnNlY3JldA=="),
        ),
        ("no credentials", b"authorization: Basic".to_vec()),
        ("a tab behind Basic", scheme(b"Basic\t")),
        ("a colon behind Basic", scheme(b"Basic:")),
        ("a letter behind Basic", scheme(b"BasicX ")),
        ("a byte above 0x7f behind Basic", scheme(b"Basic\xa0")),
        (
            "a byte order mark before Basic",
            scheme(b"\xef\xbb\xbfBasic "),
        ),
        ("Basic behind a comma", scheme(b"Bearer x,\tBASIC\t")),
        ("60 KB of credentials", basic(&"QUM3".repeat(15 * 1024))),
        (
            "Basic twice",
            twice(basic(BASIC_INSIDE), basic(BASIC_INSIDE)),
        ),
        (
            "Basic beside another scheme",
            twice(basic(BASIC_INSIDE), b"authorization: Bearer x".to_vec()),
        ),
        (
            "an account in Basic behind a bad header",
            twice(sid("AC"), basic(BASIC_INSIDE)),
        ),
    ]
}

#[tokio::test]
async fn a_malformed_account_is_v1_counted_and_not_logged() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| {
        // Otherwise Envoy itself rejects the longest one.
        b.replace(
            "          use_remote_address: true\n",
            "          use_remote_address: true\n          max_request_headers_kb: 96\n",
        )
    })
    .await;
    let log = testbed.envoy.settled_log().await;
    let mut expected = nonzero(&testbed).await;

    for (name, lines) in malformed() {
        assert_eq!(send(&testbed, &lines).await, "HTTP/1.1 200 OK v1", "{name}");
        *expected
            .entry("chat.v1.malformed_account".to_owned())
            .or_default() += 1;
        assert_eq!(nonzero(&testbed).await, expected, "{name}");

        let next = testbed.client().send(request_of(INSIDE)).await;
        assert_eq!(version(&next), "v2", "after {name}");
        *expected.entry("chat.v2.rule".to_owned()).or_default() += 1;
    }
    let after = testbed.envoy.settled_log().await;
    assert_eq!(after[log.len()..], [""; 0], "a line for each request?");
}

/// Envoy passes the two as one value, `Bearer x,Basic …`.
#[tokio::test]
async fn basic_behind_another_scheme_is_malformed_too() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| b).await;
    let lines = format!("authorization: Bearer x\r\nauthorization: Basic {BASIC_INSIDE}");
    let response = send(&testbed, lines.as_bytes()).await;
    assert_eq!(response, "HTTP/1.1 200 OK v1");
    let expected = BTreeMap::from([("chat.v1.malformed_account".to_owned(), 1)]);
    assert_eq!(nonzero(&testbed).await, expected);
}

/// Neither v1 nor v2 sees it.
#[tokio::test]
async fn envoy_rejects_what_http_does_not_allow() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| b).await;
    let log = testbed.envoy.settled_log().await;
    let nul = INSIDE.replace("73", "7\0");
    let longest = INSIDE.to_owned() + &"0".repeat(60 * 1024);
    for (name, value, status) in [("NUL", nul, "400"), ("too long", longest, "431")] {
        let lines = format!("x-account-sid: {value}");
        let response = send(&testbed, lines.as_bytes()).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name}: {response}"
        );
    }
    assert_eq!(testbed.reached(), (0, 0));
    assert_eq!(nonzero(&testbed).await, BTreeMap::new());
    assert_eq!(testbed.envoy.settled_log().await, log);

    let next = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&next), "v2");
}

async fn nonzero(testbed: &Testbed) -> BTreeMap<String, u64> {
    let mut decisions = testbed.decisions().await;
    decisions.retain(|_, count| *count > 0);
    decisions
}

/// The status line, and who responded.
async fn send(testbed: &Testbed, lines: &[u8]) -> String {
    let start = b"GET /v1/Channels HTTP/1.1\r\nhost: a\r\n";
    let request = [&start[..], lines, b"\r\n\r\n"].concat();
    let response = raw(testbed.envoy.address(), &request).await;
    let response = String::from_utf8_lossy(&response).into_owned();
    let mut head = response.split("\r\n");
    let status = head.next().unwrap_or_default();
    let version = head.find_map(|line| line.strip_prefix("x-version: "));
    format!("{status} {}", version.unwrap_or("nobody"))
}
