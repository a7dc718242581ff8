//! Headers of Turnout in a client's request have no effect, in any spelling: the policy decides, and the upstream gets
//! only our headers, each once.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::client::{Request, Response, raw};
use support::envoy::Bootstrap;
use support::wasm::Build;
use turnout_core::{Configuration, EmittedHeaders, Inbound, Proxy};

use crate::testbed::{
    INSIDE, OUTSIDE, Testbed, headers_of, policy, request_of, strip, turnout_headers, version,
};

/// Header lines as sent. `{v}` is the version that the client wants.
const FORGERIES: &[&str] = &[
    "x-turnout-cluster: channels-{v}",
    "X-Turnout-Cluster: channels-{v}",
    "X-TURNOUT-CLUSTER: channels-{v}\r\nx-turnout-cluster: channels-{v}",
    "x-turnout-cluster: channels-v1\r\nx-turnout-cluster: channels-v2",
    "x-turnout-cluster: nowhere",
    "x-turnout-cluster:",
    "x-turnout-treatment: {v}",
    "X-Turnout-Treatment: {v}\r\nx-turnout-treatment: {v}",
    "x-turnout-treatment: {v}, {v}",
    "x-turnout-decision: chat={v}",
    "X-turnOUT-decision: chat={v},chat={v}\r\nx-turnout-decision: other=v2",
    "x-turnout-shadow: 1",
    "x-turnout-foo: bar",
    "x-turnout-: {v}",
    // By default Envoy passes headers with underscores, and some upstreams read an underscore as a
    // hyphen.
    "x_turnout_treatment: {v}",
    "X_Turnout_Cluster: channels-{v}\r\nx_turnout-decision: chat={v}\r\nx-turnout_shadow: 1",
    // Headers that `Connection` names are for this hop only.
    "connection: x-turnout-cluster, x-turnout-treatment",
    "connection: keep-alive, X-Turnout-Treatment\r\nx-turnout-treatment: {v}",
    "x-turnout-cluster: channels-{v}\r\nx-turnout-treatment: {v}\r\nx-turnout-decision: chat={v}",
];

#[tokio::test]
async fn forged_headers_do_not_choose_a_cluster() {
    all_forgeries_fail(
        Build::Whole,
        "cluster-header.yaml",
        Bootstrap::allow_underscores,
    )
    .await;
}

#[tokio::test]
async fn forged_headers_do_not_choose_a_cluster_where_the_filter_alone_strips() {
    for build in [Build::Whole, Build::Lean] {
        all_forgeries_fail(
            build,
            "cluster-header.yaml",
            Bootstrap::without_native_strip,
        )
        .await;
    }
}

#[tokio::test]
async fn forged_headers_do_not_choose_a_route() {
    all_forgeries_fail(
        Build::Lean,
        "treatment-header.yaml",
        Bootstrap::allow_underscores,
    )
    .await;
}

#[tokio::test]
async fn forged_headers_do_not_choose_a_route_where_the_filter_alone_strips() {
    for build in [Build::Whole, Build::Lean] {
        all_forgeries_fail(
            build,
            "treatment-header.yaml",
            Bootstrap::without_native_strip,
        )
        .await;
    }
}

/// Headers that the filter does not emit are removed too.
#[tokio::test]
async fn forged_headers_choose_nothing_with_one_emitted_header() {
    for (word, file) in [
        ("cluster", "cluster-header.yaml"),
        ("treatment", "treatment-header.yaml"),
    ] {
        let headers = EmittedHeaders::from_words([word]).expect("a header");
        let adapt = Bootstrap::without_native_strip;
        no_forgery_succeeds(headers, Build::Lean, file, adapt).await;
    }
}

async fn all_forgeries_fail(build: Build, file: &str, adapt: impl FnOnce(Bootstrap) -> Bootstrap) {
    no_forgery_succeeds(EmittedHeaders::ALL, build, file, adapt).await;
}

async fn no_forgery_succeeds(
    headers: EmittedHeaders,
    build: Build,
    file: &str,
    adapt: impl FnOnce(Bootstrap) -> Bootstrap,
) {
    let proxy = Proxy {
        inbound: Inbound::Strip,
        headers,
        ..Proxy::default()
    };
    let configuration = Configuration::to_json(&policy(&json!({})).to_string(), proxy);
    let testbed = Testbed::of_build(build, file, &configuration, |b| adapt(b.concurrency(1))).await;
    let written = |served: &str| {
        let mut all = headers_of(served);
        all.retain(|(name, _)| headers.words().any(|word| name.ends_with(word)));
        all
    };
    for forgery in FORGERIES {
        for (account, served, wanted) in [(OUTSIDE, "v1", "v2"), (INSIDE, "v2", "v1")] {
            let forged = forgery.replace("{v}", wanted);
            let reached = send(&testbed, "/v1/Channels", account, &forged).await;
            assert_eq!(reached["version"], served, "{forged}");
            assert_eq!(turnout_headers(&reached), written(served), "{forged}");
        }
        // A request that matches no rollout.
        let forged = forgery.replace("{v}", "v2");
        let reached = send(&testbed, "/other", INSIDE, &forged).await;
        assert_eq!(reached["version"], "v1", "{forged}");
        assert_eq!(turnout_headers(&reached), [], "{forged}");
    }
}

/// Sends header lines as they are, and returns the upstream's response.
async fn send(testbed: &Testbed, path: &str, account: &str, lines: &str) -> Value {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-account-sid: {account}\r\n{lines}\r\n\r\n");
    let response = raw(testbed.envoy.address(), request.as_bytes()).await;
    let response = String::from_utf8_lossy(&response);
    let (head, body) = response.split_once("\r\n\r\n").expect("a response");
    assert!(head.starts_with("HTTP/1.1 200 "), "{lines}: {head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{lines}: {error}: {body}"))
}

/// The decisions of a trusted hop are used, but not its routing.
#[tokio::test]
async fn a_trusted_hop_does_not_choose_the_cluster_of_the_next() {
    let policy = policy(&json!({})).to_string();
    let configuration = Configuration::to_json(&policy, Inbound::Trust);
    let testbed = Testbed::of("cluster-header.yaml", &configuration, |b| {
        b.without_native_strip().concurrency(1)
    })
    .await;
    let lines = "x-turnout-cluster: channels-v2\r\nx-turnout-treatment: v2\r\n\
                 x-turnout-decision: users=v2";
    let reached = send(&testbed, "/v1/Channels", OUTSIDE, lines).await;
    assert_eq!(reached["version"], "v1");
    let mut expected = headers_of("v1");
    expected[1].1 = "users=v2,chat=v1".to_owned();
    assert_eq!(turnout_headers(&reached), expected);

    let reached = send(&testbed, "/other", OUTSIDE, lines).await;
    assert_eq!(reached["version"], "v1");
    let decision = ("x-turnout-decision".to_owned(), "users=v2".to_owned());
    assert_eq!(turnout_headers(&reached), [decision]);
}

/// Spellings that Envoy and upstreams read as one path are one path for the policy too.
#[tokio::test]
async fn another_spelling_of_a_path_does_not_leave_the_rollout() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| b).await;
    for spelling in [
        "/v1/%43hannels",
        "/v1/./Channels",
        "/v1/%2e/Channels",
        "//v1//Channels",
        "/x/../v1/Channels",
        "/v1\\Channels",
    ] {
        let reached = send(&testbed, spelling, INSIDE, "accept: */*").await;
        assert_eq!(reached["version"], "v2", "{spelling}");
        assert_eq!(reached["path"], "/v1/Channels", "{spelling}");
    }
}

/// Otherwise a client could reuse a request id that takes v2.
#[tokio::test]
async fn a_client_does_not_choose_its_request_id() {
    let allocation = json!({ "rules": [{ "requests": 50 }] });
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&allocation)), |b| b).await;
    let insistent =
        |_| request_of(INSIDE).header("x-request-id", "2b9dba03-eeb9-4af3-8c60-86ed95e6b0cd");
    let responses = testbed
        .client()
        .send_all((0..64).map(insistent).collect(), 8)
        .await;
    let ids: BTreeSet<String> = responses.iter().map(request_id).collect();
    assert_eq!(ids.len(), responses.len());
    let (v1, v2) = testbed.reached();
    assert!(v1 > 0 && v2 > 0, "{v1} on v1, {v2} on v2");
}

/// As the upstream saw it.
fn request_id(response: &Response) -> String {
    let reached = response.json();
    let mut headers = reached["headers"].as_array().expect("headers").iter();
    let id = headers
        .find(|header| header[0] == "x-request-id")
        .expect("an id");
    id[1].as_str().expect("text").to_owned()
}

/// Many requests over shared connections.
#[tokio::test]
async fn no_request_of_many_gets_through() {
    let configuration = strip(&policy(&json!({})));
    let testbed = Testbed::of("cluster-header.yaml", &configuration, |b| {
        b.without_native_strip()
    })
    .await;
    let forged = |number: usize| -> Request {
        let account = [OUTSIDE, INSIDE][number % 2];
        let wanted = ["v2", "v1"][number / 2 % 2];
        request_of(account)
            .header("x-turnout-cluster", format!("channels-{wanted}"))
            .header("x-turnout-treatment", wanted)
            .header("x-turnout-decision", format!("chat={wanted}"))
    };
    let responses = testbed
        .client()
        .send_all((0..400).map(forged).collect(), 16)
        .await;
    for (number, response) in responses.iter().enumerate() {
        assert_eq!(
            version(response),
            ["v1", "v2"][number % 2],
            "request {number}"
        );
    }
    assert_eq!(testbed.reached(), (200, 200));
}
