//! The scripted upstreams behind a real Envoy. The tests of shadowing depend on them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use support::client::{Client, Request, Response as Got};
use support::envoy::{Bootstrap, Envoy};
use support::render::rendered;
use support::scripted_upstream::{Collector, Fault, Received, Response, Scripted};
use support::upstream::Upstream;

use crate::testbed::{policy, strip};

/// An Envoy that sends everyone to a scripted v1.
async fn behind_envoy(
    v1: &Scripted,
    adapt: impl FnOnce(Bootstrap) -> Bootstrap,
) -> (Envoy, Client, Upstream) {
    let v2 = Upstream::start("v2");
    let text = rendered(
        "cluster-header.yaml",
        &strip(&policy(&json!({ "mode": "off" }))),
    );
    let envoy = Envoy::start(adapt(Bootstrap::new(text, v1, &v2))).await;
    let client = envoy.client();
    (envoy, client, v2)
}

fn echo(request: &Received) -> Response {
    Response::json(&json!({ "path": request.path }))
        .status(207)
        .header("x-two", "1")
        .header("x-two", "2")
        .body(request.body.clone())
}

async fn ask(client: &Client) -> Result<Got, String> {
    client
        .try_send(Request::post("/v1/Channels?a=b", "a body"))
        .await
}

#[tokio::test]
async fn a_scripted_upstream_responds_and_records_requests() {
    for http2 in [false, true] {
        let v1 = Scripted::start(echo);
        let (_envoy, client, _v2) = behind_envoy(&v1, |b| match http2 {
            true => b.http2_to("channels-v1"),
            false => b,
        })
        .await;
        let response = ask(&client).await.expect("a response");
        assert_eq!((response.status, &response.body[..]), (207, &b"a body"[..]));
        assert_eq!(response.headers.get_all("x-two").iter().count(), 2);
        let received = v1.received();
        let [one] = &received[..] else {
            panic!("{received:?}")
        };
        assert_eq!((&*one.method, &*one.path), ("POST", "/v1/Channels?a=b"));
        assert_eq!(
            (one.route(), &one.body[..]),
            ("/v1/Channels", &b"a body"[..])
        );
        assert_eq!(one.header("x-turnout-treatment"), Some("v1"), "{one:?}");
        assert!(one.header("host").is_some(), "{one:?}");

        v1.respond_with(|_| Response::new(204));
        assert_eq!(ask(&client).await.expect("a response").status, 204);
        v1.forget();
        assert_eq!(
            (v1.requests(), v1.received().len(), v1.in_flight()),
            (2, 0, 0)
        );
    }
}

#[tokio::test]
async fn a_scripted_upstream_fails_in_every_way_and_recovers() {
    let v1 = Scripted::start(echo);
    let (_envoy, client, _v2) = behind_envoy(&v1, |b| b).await;
    for fault in [
        Fault::Refuse,
        Fault::Reset,
        Fault::Garbage,
        Fault::Status(503),
        Fault::Cut,
    ] {
        assert_eq!(
            ask(&client).await.expect("a response").status,
            207,
            "before {fault:?}"
        );
        v1.fail(fault);
        match (fault, ask(&client).await) {
            (Fault::Cut, Err(_)) => {}
            (_, Ok(response)) if response.status >= 502 => {}
            (_, other) => panic!("{fault:?}: {other:?}"),
        }
        v1.heal();
    }
    assert_eq!(ask(&client).await.expect("a response").status, 207);
}

#[tokio::test]
async fn a_silent_upstream_waits_for_the_end_of_the_fault_and_a_late_one_for_its_delay() {
    let v1 = Scripted::start(echo);
    let (_envoy, client, _v2) = behind_envoy(&v1, |b| b).await;
    v1.fail(Fault::Silence);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { ask(&client).await }
    });
    v1.wait_for_requests(1).await;
    assert_eq!((v1.in_flight(), waiting.is_finished()), (1, false));

    let (delay, started) = (Duration::from_millis(300), Instant::now());
    v1.fail(Fault::Late(delay));
    assert_eq!(
        waiting.await.expect("a result").expect("a response").status,
        503
    );
    assert_eq!(ask(&client).await.expect("a response").status, 207);
    assert!(started.elapsed() >= delay);
    assert_eq!((v1.in_flight(), v1.most_in_flight()), (0, 1));
}

#[tokio::test]
async fn long_bodies_are_generated_while_they_are_sent() {
    const LENGTH: u64 = 100_000_000;
    let v1 = Scripted::start(echo);
    let (_envoy, client, _v2) = behind_envoy(&v1, |b| b).await;
    v1.fail(Fault::Long(LENGTH));
    let response = ask(&client).await.expect("a response");
    assert_eq!(response.body.len() as u64, LENGTH);
    v1.fail(Fault::Endless);
    let endless = tokio::time::timeout(Duration::from_millis(100), ask(&client)).await;
    assert!(
        endless.is_err(),
        "{:?}",
        endless.map(|response| response.map(|one| one.status))
    );
}

#[tokio::test]
async fn a_dropped_upstream_leaves_nothing_behind() {
    let v1 = Scripted::start(echo);
    let address = v1.address();
    v1.fail(Fault::Silence);
    let waiting = tokio::spawn(async move { ask(&Client::new(address)).await });
    v1.wait_for_requests(1).await;
    drop(v1);
    assert!(waiting.await.expect("a result").is_err());
    TcpListener::bind(address).expect("a port that is free again");
}

#[tokio::test]
async fn a_collector_records_all_requests() {
    let collector = Collector::start();
    let client = Client::new(collector.address());
    let export = |text: &str| {
        let record = json!({ "body": { "stringValue": text } });
        let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] });
        Request::post("/v1/logs", logs.to_string()).header("content-type", "application/json")
    };
    assert_eq!(client.send(export(r#"{"a":1}"#)).await.status, 200);
    assert_eq!(client.send(Request::get("/v1/logs")).await.status, 404);
    collector.fail(Fault::Status(503));
    assert_eq!(client.send(export(r#"{"a":2}"#)).await.status, 503);
    collector.heal();
    let records = collector
        .wait_for_records(|records| records.len() == 2)
        .await;
    assert_eq!(records, [json!({ "a": 1 }), json!({ "a": 2 })]);
    assert_eq!(
        client.send(Request::post("/v1/logs", "text")).await.status,
        400
    );
    assert_eq!(collector.requests(), 4);

    let v1 = Scripted::start(echo);
    let (envoy, _client, _v2) =
        behind_envoy(&v1, |b| b.cluster("otel-collector", &collector)).await;
    let clusters = envoy.admin().get("/clusters").await;
    let endpoint = format!("otel-collector::{}::", collector.address());
    assert!(clusters.contains(&endpoint), "{clusters}");
}
