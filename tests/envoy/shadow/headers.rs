//! The headers and bodies that a shadow request has, and those that it does not have.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Bootstrap;
use support::scripted_upstream::{Received, Response};
use turnout_core::{Configuration, Inbound};

use super::records_testbed::{RecordsTestbed, always, outcomes, shadow};
use crate::testbed::INSIDE;

/// Headers that differ between v1 and v2, or that Envoy sets for its own requests.
const OF_THE_HOP: [&str; 8] = [
    "accept-encoding",
    "content-length",
    "x-envoy-expected-rq-timeout-ms",
    // Envoy sets this on every request that a filter makes.
    "x-envoy-internal",
    "x-turnout-cluster",
    "x-turnout-decision",
    "x-turnout-shadow",
    "x-turnout-treatment",
];
/// Makes this machine internal, so that clients may use the headers that control Envoy's routing.
const INTERNAL: &str = "          use_remote_address: true
          internal_address_config: { cidr_ranges: [{ address_prefix: 127.0.0.0, prefix_len: 8 }] }
";

fn trusting(bootstrap: Bootstrap) -> Bootstrap {
    bootstrap
        .without_native_strip()
        .replace("          use_remote_address: true\n", INTERNAL)
}

type Headers = BTreeMap<String, Vec<Vec<u8>>>;

fn headers(request: &Received, without: &[&str]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in &request.headers {
        if !without.contains(&name.as_str()) {
            let values = headers.entry(name.to_string()).or_default();
            values.push(value.as_bytes().to_vec());
        }
    }
    headers
}

/// The comparable parts of both requests: that of v1, and the shadow request.
fn pair(testbed: &RecordsTestbed) -> (Received, Received) {
    let last = |received: Vec<Received>| received.last().expect("a request").clone();
    (last(testbed.v1.received()), last(testbed.v2.received()))
}

fn ours(request: &Received) -> BTreeMap<String, String> {
    let headers = headers(request, &[]);
    let ours = headers.into_iter().filter(|(name, _)| {
        let name = name.replace('_', "-");
        name.starts_with("x-turnout-")
    });
    ours.map(|(name, values)| {
        let text = values.join(&b"; "[..]);
        (name, String::from_utf8(text).expect("text"))
    })
    .collect()
}

fn ours_of(version: &str, decision: &str) -> BTreeMap<String, String> {
    [
        ("x-turnout-cluster", format!("channels-{version}")),
        ("x-turnout-decision", decision.to_owned()),
        ("x-turnout-treatment", version.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn shadow_request_of(decision: &str) -> BTreeMap<String, String> {
    let mut ours = ours_of("v2", decision);
    ours.insert("x-turnout-shadow".to_owned(), "1".to_owned());
    ours
}

#[tokio::test]
async fn a_shadow_request_has_the_users_method_path_headers_and_body() {
    let all = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    let document = json!({ "a": 1 });
    let policy = shadow(&json!({ "methods": all }));
    for http2 in [false, true] {
        let testbed = RecordsTestbed::with_equal_upstreams(&policy, &document, http2).await;
        for (sent, method) in (1..).zip(all) {
            // As large as allowed, with all bytes.
            let body: Vec<u8> = match method {
                "POST" => (0..=255).cycle().take(65_536).collect(),
                _ => Vec::new(),
            };
            let path = "/v1/Channels/a%2Fb/%F0%9F%98%80?q=a%20b&q=&x=%22";
            let request = match method {
                "POST" => Request::post(path, body.clone()),
                _ => Request::new(method, path),
            };
            let request = request
                .header("host", "flex.example.com:8443")
                .header("x-account-sid", INSIDE)
                .header("x-request-id", format!("id-{method}"))
                .header("authorization", "Bearer abc")
                .header("cookie", "a=1; b=2")
                .header("x-several", "1")
                .header("x-several", "2, 3")
                .header("x-empty", "")
                .header("x-bytes", b"caf\xe9 \xff")
                .header("content-type", "application/x-something")
                .header("accept-encoding", "gzip, br");
            testbed.send([request]).await;
            assert_eq!(testbed.settled(sent).await, outcomes([("equal", sent)]));
            let (user, shadowed) = pair(&testbed);
            assert_eq!(shadowed.method, method);
            assert_eq!(shadowed.path, path);
            assert_eq!(shadowed.body, body, "{method}");
            let without = [&OF_THE_HOP[..], &["transfer-encoding"]].concat();
            assert_eq!(headers(&shadowed, &without), headers(&user, &without));
            assert_eq!(shadowed.header("host"), Some("flex.example.com:8443"));
            assert_eq!(shadowed.header("x-request-id"), user.header("x-request-id"));
            // Compressed bodies cannot be compared.
            assert_eq!(user.header("accept-encoding"), Some("gzip, br"));
            assert_eq!(shadowed.header("accept-encoding"), Some("identity"));
            assert_eq!(ours(&user), ours_of("v1", "chat=v1"));
            assert_eq!(ours(&shadowed), shadow_request_of("chat=v2"));
        }
    }
}

#[tokio::test]
async fn stripped_forged_and_envoy_headers_are_not_sent() {
    const TIMEOUT_MS: u32 = 9_000;
    let patience = Duration::from_millis(1_000);
    let policy = shadow(&json!({
        "strip_headers": ["authorization", "Cookie", "x-secret"],
        "timeout_ms": TIMEOUT_MS,
        "recheck": false,
    }));
    let document = json!({ "a": 1 });
    let (v1, v2) = (
        Response::json(&document),
        Response::json(&document).status(503),
    );
    let v2 = v2.after(patience + patience / 2);
    let testbed =
        RecordsTestbed::of(&policy, move |_| v1.clone(), move |_| v2.clone(), trusting).await;
    let patience = patience.as_millis().to_string();
    let control = [
        (
            "x-envoy-retry-on",
            "5xx,reset,connect-failure,retriable-status-codes",
        ),
        ("x-envoy-retry-grpc-on", "unavailable"),
        ("x-envoy-max-retries", "3"),
        ("x-envoy-retriable-status-codes", "503"),
        ("x-envoy-retriable-header-names", "content-type"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-envoy-upstream-rq-timeout-ms", &patience),
        ("x-envoy-upstream-rq-per-try-timeout-ms", &patience),
        ("x-envoy-upstream-stream-duration-ms", &patience),
        ("x-envoy-upstream-alt-stat-name", "alt"),
        ("x-envoy-expected-rq-timeout-ms", "77"),
        ("x-envoy-attempt-count", "7"),
    ];
    let others = [
        ("authorization", "Bearer abc"),
        ("cookie", "a=1"),
        ("x-secret", "1"),
        ("x-secret", "2"),
        ("proxy-authorization", "Basic abc"),
        ("x-turnout-shadow", "1"),
        ("x-turnout-treatment", "v2"),
        ("x-turnout-cluster", "other"),
        ("x-turnout-decision", "chat=v2,other=v2"),
        ("x-turnout-other", "1"),
        ("x_turnout_shadow", "1"),
    ];
    let mut request = Request::get("/v1/Channels").header("x-account-sid", INSIDE);
    for (name, value) in control.iter().chain(&others) {
        request = request.header(name, value);
    }
    testbed.send([request.header("x-kept", "1")]).await;

    // v2 got one request, within its timeout, and its response counts.
    let ended = testbed.settled(1).await;
    assert_eq!(ended, outcomes([("different", 1)]));
    assert_eq!(testbed.v2.requests(), 1);
    let (user, shadowed) = pair(&testbed);
    let left = headers(&shadowed, &[]);
    for (name, _) in control.iter().chain(&others[..5]) {
        let of_envoy = *name == "x-envoy-expected-rq-timeout-ms";
        assert!(of_envoy || !left.contains_key(*name), "{name}: {left:?}");
    }
    let time = shadowed.header("x-envoy-expected-rq-timeout-ms");
    assert_eq!(time, Some(&*TIMEOUT_MS.to_string()));
    assert_eq!(shadowed.header("x-kept"), Some("1"));
    assert_eq!(ours(&shadowed), shadow_request_of("chat=v2"));
    assert_eq!(user.header("authorization"), Some("Bearer abc"));
    assert_eq!(ours(&user), ours_of("v1", "chat=v1"));
}

#[tokio::test]
async fn a_token_makes_a_repeated_request_safe() {
    let policy = shadow(&json!({
        "methods": ["GET", "POST", "PUT"],
        "idempotency_header": "Idempotency-Key",
    }));
    let document = json!({ "a": 1 });
    let testbed = RecordsTestbed::of(&policy, always(&document), always(&document), |b| b).await;
    let own = ("idempotency-key", "of the client");
    for (sent, (method, given, expected)) in (1..).zip([
        ("POST", None, Some("id-1")),
        ("POST", Some(own), Some(own.1)),
        ("PUT", None, Some("id-3")),
        ("GET", None, None),
        ("GET", Some(own), Some(own.1)),
        // With a method that is not shadowed.
        ("DELETE", None, None),
    ]) {
        let mut request = Request::new(method, "/v1/Channels")
            .header("x-account-sid", INSIDE)
            .header("x-request-id", format!("id-{sent}"));
        if let Some((name, token)) = given {
            request = request.header(name, token);
        }
        testbed.send([request]).await;
        let ended = testbed.settled(sent).await;
        let (user, shadowed) = pair(&testbed);
        assert_eq!(user.header("idempotency-key"), expected, "{method}");
        if method == "DELETE" {
            assert_eq!(ended, outcomes([("equal", 5), ("skipped_method", 1)]));
            assert_eq!(testbed.v2.requests(), 5);
        } else {
            assert_eq!(shadowed.header("idempotency-key"), expected, "{method}");
        }
    }
}

#[tokio::test]
async fn a_shadow_request_of_a_trusted_hop_is_not_shadowed_again() {
    let document = json!({ "a": 1 });
    let policy: Value = shadow(&json!({}));
    let configuration = Configuration::to_json(&policy.to_string(), Inbound::Trust);
    let upstream = always(&document);
    let testbed =
        RecordsTestbed::configured(&configuration, upstream, always(&document), trusting).await;
    let request = || Request::get("/v1/Channels").header("x-account-sid", INSIDE);

    testbed
        .send([request().header("x-turnout-decision", "other=v2")])
        .await;
    testbed.settled(1).await;
    let (user, shadowed) = pair(&testbed);
    assert_eq!(ours(&user), ours_of("v1", "other=v2,chat=v1"));
    assert_eq!(ours(&shadowed), shadow_request_of("other=v2,chat=v2"));

    testbed
        .send([request().header("x-turnout-shadow", "1")])
        .await;
    let ended = testbed.settled(2).await;
    assert_eq!(
        ended,
        outcomes([("equal", 1), ("skipped_shadow_request", 1)])
    );
    let (user, _) = pair(&testbed);
    assert_eq!(user.header("x-turnout-shadow"), Some("1"));
    assert_eq!(testbed.v2.requests(), 1);
}
