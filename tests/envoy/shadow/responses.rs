//! All kinds of responses: the user gets v1's unchanged, and only comparable ones are compared.

use hyper::body::Incoming;
use serde_json::json;
use support::client::Client;
use support::envoy::Bootstrap;
use support::scripted_upstream::{Fault, Received, Response, Scripted};

use super::streaming_upstream::{Frames, Streaming, ok};
use super::testbed::{
    KEPT, PLACES, REPEATS, ShadowTestbed, asks, at_both_moments, echo, few_places, one_worker,
    shadow_policy,
};

/// "hello", compressed with gzip.
static ZIPPED: [u8; 25] = [
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10,
    0x36, 5, 0, 0, 0,
];

/// 2,000 zeros, compressed with gzip: more than is kept, but small on the wire.
static BOMB: [u8; 35] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 24, 5, 163, 96, 20, 140, 130, 81, 48, 10, 70, 193, 80,
    7, 0, 68, 244, 201, 2, 208, 7, 0, 0,
];

/// The path names the response.
fn respond(request: &Received) -> Response {
    let is_shadow_request = request.header("x-turnout-shadow").is_some();
    let zips = |one: &Received| {
        one.header("accept-encoding")
            .is_some_and(|any| any.contains("gzip"))
    };
    match request.route().trim_start_matches("/v1/Channels/") {
        "zipped" if zips(request) && !is_shadow_request => {
            Response::text(&ZIPPED[..]).header("content-encoding", "gzip")
        }
        "zipped" | "bombed" | "brotli" if is_shadow_request => Response::text("hello"),
        "zipped" => Response::text("hello"),
        "bombed" => Response::text(&BOMB[..]).header("content-encoding", "gzip"),
        "brotli" => Response::text("\u{b}\u{2}hello\u{3}").header("content-encoding", "br"),
        "events" => Response::text("data: 1\n\n").content_type("text/event-stream; charset=utf-8"),
        "grpc" => Response::text("\0\0\0\0\0").content_type("application/grpc+proto"),
        "longest" => Response::text("a".repeat(KEPT)),
        "long" => Response::text("a".repeat(KEPT + 1)),
        "only-v2s-is-long" => {
            Response::text("a".repeat(if is_shadow_request { KEPT + 1 } else { KEPT }))
        }
        "one-byte" => Response::text(if is_shadow_request { "a" } else { "b" }),
        "json" if is_shadow_request => Response::json(&json!({ "a": 1.0, "b": [] })),
        "json" => Response::text(r#"{ "b": [ ], "a": 1 }"#).content_type("application/json"),
        "not-modified" => Response::new(304).header("etag", "\"a\""),
        status => Response::new(status.parse().expect("a status")).header("x-any", "1"),
    }
}

#[tokio::test]
async fn every_kind_of_response_is_unchanged_and_compared_if_comparable() {
    at_both_moments(every_sort).await;
}

async fn every_sort(moment: &'static str) {
    let mut testbed = ShadowTestbed::start(&few_places(moment), one_worker, respond).await;
    let (client, direct) = (testbed.client(), Client::new(testbed.v1.address()));
    for (method, path, outcome) in [
        ("GET", "/200", "equal"),
        ("GET", "/204", "equal"),
        ("GET", "/not-modified", "equal"),
        ("GET", "/404", "equal"),
        ("GET", "/429", "skipped_v1_busy"),
        ("GET", "/500", "equal"),
        ("GET", "/503", "skipped_v1_busy"),
        ("GET", "/504", "equal"),
        ("GET", "/zipped", "equal"),
        ("GET", "/bombed", "too_large"),
        ("GET", "/brotli", "not_comparable"),
        ("HEAD", "/zipped", "equal"),
        ("GET", "/events", "not_comparable"),
        ("GET", "/grpc", "not_comparable"),
        ("GET", "/longest", "equal"),
        ("HEAD", "/longest", "equal"),
        ("GET", "/long", "too_large"),
        ("HEAD", "/long", "equal"),
        ("GET", "/only-v2s-is-long", "too_large"),
        ("GET", "/one-byte", "different"),
        ("GET", "/json", "equal"),
    ] {
        for _ in 0..REPEATS {
            let ask = || asks(method, path).header("accept-encoding", "gzip");
            let (response, expected) = (client.send(ask()).await, direct.send(ask()).await);
            assert_eq!(
                (response.status, response.body),
                (expected.status, expected.body),
                "{path}"
            );
            for name in [
                "content-type",
                "content-encoding",
                "content-length",
                "etag",
                "x-any",
            ] {
                assert_eq!(
                    response.headers.get(name),
                    expected.headers.get(name),
                    "{path}: {name}"
                );
            }
            testbed.expect(&[(outcome, 1)]).await;
        }
    }
    let shadow_requests = testbed.v2.received();
    assert!(
        shadow_requests
            .iter()
            .all(|one| one.header("accept-encoding") == Some("identity"))
    );
    testbed.settle().await;
}

#[tokio::test]
async fn if_v1_fails_the_user_gets_envoys_response() {
    at_both_moments(v1_fails).await;
}

async fn v1_fails(moment: &'static str) {
    let mut testbed = ShadowTestbed::start(&few_places(moment), one_worker, echo).await;
    let client = testbed.client();
    for fault in [Fault::Refuse, Fault::Reset] {
        testbed.v1.fail(fault);
        for _ in 0..REPEATS {
            assert_eq!(
                client.send(asks("GET", "/1")).await.status,
                503,
                "{fault:?}"
            );
            testbed.expect(&[("skipped_v1_busy", 1)]).await;
        }
    }
    // A 502 or a rejection says nothing about v1.
    testbed.v1.fail(Fault::Garbage);
    for _ in 0..REPEATS {
        assert_eq!(client.send(asks("GET", "/1")).await.status, 502);
        testbed.expect(&[("skipped_aborted", 1)]).await;
    }
    testbed.v1.fail(Fault::Cut);
    assert!(client.try_send(asks("GET", "/1")).await.is_err());
    testbed.expect(&[("skipped_aborted", 1)]).await;
    testbed.rest().await;
}

/// Requests that may not reach v1 get no shadow request.
#[tokio::test]
async fn a_request_that_a_later_filter_rejects_gets_no_shadow_request() {
    const ROUTER: &str = "          - name: router\n";
    const REFUSES: &str = r#"          - name: refuses
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: DENY
                policies:
                  all: { permissions: [{ any: true }], principals: [{ any: true }] }
"#;
    let adapt = |b: Bootstrap| one_worker(b).replace(ROUTER, &format!("{REFUSES}{ROUTER}"));
    // Shadow requests that are sent at once cannot wait for the rejection.
    let changes = few_places("after_answer");
    let mut testbed = ShadowTestbed::start(&changes, adapt, echo).await;
    for _ in 0..REPEATS {
        let response = testbed.client().send(asks("POST", "/1")).await;
        assert_eq!(response.status, 403);
        testbed.expect(&[("skipped_aborted", 1)]).await;
    }
    assert_eq!((testbed.v1.requests(), testbed.v2.requests()), (0, 0));
    testbed.rest().await;
}

#[tokio::test]
async fn an_endless_response_of_v2_is_aborted() {
    let slow = Streaming::start(|_: hyper::Request<Incoming>| async {
        ok("application/json", Frames::of(&["{"]).hangs())
    })
    .await;
    let changes = json!({ "max_in_flight": PLACES, "timeout_ms": 100 });
    let mut policy = shadow_policy(&changes);
    policy["rollouts"][0]["v2"] = json!("slow");
    let (v1, v2) = (Scripted::start(echo), Scripted::start(echo));
    let adapt = |b: Bootstrap| one_worker(b).cluster("slow", &slow);
    let mut testbed = ShadowTestbed::between(v1, v2, &policy, adapt).await;
    for _ in 0..REPEATS {
        assert_eq!(testbed.client().send(asks("GET", "/1")).await.status, 200);
        testbed.expect(&[("timeout", 1)]).await;
    }
    testbed.rest().await;
}

#[tokio::test]
async fn a_missing_v2_cluster_is_an_error_of_v2_alone() {
    at_both_moments(no_such_cluster).await;
}

async fn no_such_cluster(moment: &'static str) {
    let mut policy = shadow_policy(&few_places(moment));
    policy["rollouts"][0]["v2"] = json!("nowhere");
    let (v1, v2) = (Scripted::start(echo), Scripted::start(echo));
    let mut testbed = ShadowTestbed::between(v1, v2, &policy, one_worker).await;
    for _ in 0..REPEATS {
        assert_eq!(testbed.client().send(asks("GET", "/1")).await.status, 200);
        testbed.expect(&[("v2_error", 1)]).await;
    }
    testbed.rest().await;
}
