//! `fallback.yaml`: if v2 refuses the connection, v1 responds, and no user notices.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use support::client::{Request, Response};
use support::envoy::{Bootstrap, Envoy, file};
use support::scripted_upstream::{self, Fault, Scripted};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::testbed::{INSIDE, filter, policy, strip};

/// Half of the requests of one account.
const REQUESTS: usize = 300;
const CONCURRENCY: usize = 32;
/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Too few failures to eject v2.
const FIRST: usize = 4;

struct Testbed {
    envoy: Envoy,
    v1: Scripted,
    v2: Scripted,
}

/// Responses by status and version; the version is missing in other responses.
type Responses = BTreeMap<(u16, String), usize>;

impl Testbed {
    async fn start(shadow: Option<Value>) -> Self {
        let [v1, v2] = ["v1", "v2"].map(|version| {
            Scripted::start(move |_| {
                scripted_upstream::Response::json(&json!({})).header("x-version", version)
            })
        });
        let mut policy = policy(&json!({
            "v2": "channels-v2-else-v1",
            "rules": [{ "requests": 50 }],
        }));
        if let Some(shadow) = shadow {
            policy["rollouts"][0]["shadow"] = shadow;
        }
        let configuration = filter(&strip(&policy));
        let bootstrap = Bootstrap::live(file("fallback.yaml"), configuration, &v1, &v2);
        // A refusal comes at once. A worker on a loaded machine may be late without one.
        let bootstrap = bootstrap.replace("connect_timeout: 0.25s", "connect_timeout: 5s");
        let envoy = Envoy::start(bootstrap.keep_request_ids()).await;
        Self { envoy, v1, v2 }
    }

    /// The same requests each time, with these methods in turn.
    async fn send(&self, methods: &[&str]) -> Responses {
        let numbers = 0..REQUESTS;
        let requests = numbers.map(|number| request(number, methods[number % methods.len()]));
        let requests = requests.collect();
        let responses = self.envoy.client().send_all(requests, CONCURRENCY).await;
        let mut counted = Responses::new();
        for response in &responses {
            *counted.entry(kind_of(response)).or_default() += 1;
        }
        counted
    }

    async fn counter(&self, name: &str) -> u64 {
        let stats = self.envoy.admin().settled_stats(&format!("^{name}$")).await;
        stats.get(name).copied().unwrap_or_default()
    }
}

/// A request of the account, which takes v2 or not by its number.
fn request(number: usize, method: &str) -> Request {
    let request = match method {
        "POST" => Request::post("/v1/Channels", "a body"),
        method => Request::new(method, "/v1/Channels"),
    };
    request
        .header("x-account-sid", INSIDE)
        .header("x-request-id", format!("id-{number}"))
}

fn kind_of(response: &Response) -> (u16, String) {
    let version = response.headers.get("x-version");
    let version = version.map_or("", |version| version.to_str().expect("text"));
    (response.status, version.to_owned())
}

fn responses<const N: usize>(kinds: [(u16, &str, usize); N]) -> Responses {
    let kinds = kinds.map(|(status, version, count)| ((status, version.to_owned()), count));
    kinds.into()
}

#[tokio::test]
async fn users_of_a_v2_that_refuses_connections_get_v1() {
    let testbed = Testbed::start(None).await;
    let well = testbed.send(&["GET", "POST"]).await;
    let on_v2 = well[&(200, "v2".to_owned())];
    let on_v1 = REQUESTS - on_v2;
    assert!(on_v2 > 100 && on_v1 > 100, "{well:?}");

    // No response is lost, whatever the method, because nothing of the request was sent. The first requests
    // find out in turn, before v2 is ejected.
    testbed.v2.fail(Fault::Refuse);
    for number in 0..FIRST {
        let response = testbed.envoy.client().send(request(number, "POST")).await;
        assert_eq!(kind_of(&response), (200, "v1".to_owned()), "{number}");
    }
    for _ in 0..2 {
        let all = testbed.send(&["GET", "POST"]).await;
        assert_eq!(all, responses([(200, "v1", REQUESTS)]));
    }
    let log = testbed.envoy.access_log(3 * REQUESTS + FIRST).await;
    // The decision of the policy stays; the host is the one that responded.
    let of = |scripted: &Scripted| json!(SocketAddr::from(scripted).to_string());
    for line in &log[REQUESTS..] {
        assert_eq!(line["upstream_host"], of(&testbed.v1), "{line}");
        if line["treatment"] == "v2" {
            assert_eq!(line["upstream_cluster"], "channels-v2-else-v1", "{line}");
        }
    }
    let decided = log.iter().filter(|line| line["treatment"] == "v2").count();
    assert!(
        (3 * on_v2 + 1..=3 * on_v2 + FIRST).contains(&decided),
        "{decided}"
    );
    let count = "wasmcustom.turnout.decisions.chat.v2.rule";
    assert_eq!(testbed.counter(count).await, decided as u64);
    // Most requests did not even try v2.
    let retried = "cluster.channels-v2-else-v1.upstream_rq_retry_success";
    assert!(testbed.counter(retried).await >= 5);
    let ejected = "cluster.channels-v2.outlier_detection.ejections_enforced_total";
    assert!(testbed.counter(ejected).await >= 1);

    // v2 comes back by itself, and then its response counts, even a 500.
    testbed.v2.fail(Fault::Status(500));
    let until_back = async {
        while testbed.send(&["GET"]).await.len() < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, until_back).await.expect("v2 is back");
    for _ in 0..10 {
        let all = testbed.send(&["GET", "POST"]).await;
        assert_eq!(all, responses([(200, "v1", on_v1), (500, "", on_v2)]));
    }
    testbed.v2.heal();
    assert_eq!(testbed.send(&["GET", "POST"]).await, well);
}

/// A body that Envoy keeps while v2 does not accept the connection, although it is larger than a connection
/// buffer.
#[tokio::test]
async fn a_body_as_large_as_the_file_keeps_gets_v1_when_the_connection_times_out() {
    let v1 = Scripted::start(|received| {
        scripted_upstream::Response::json(&json!({ "length": received.body.len() }))
    });
    // Nobody accepts, and the backlog of two connections is full.
    let v2 = TcpSocket::new_v4().expect("a socket");
    v2.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .expect("a port");
    let v2 = v2.listen(1).expect("a listener");
    let address = v2.local_addr().expect("its address");
    let full = [
        TcpStream::connect(address).await,
        TcpStream::connect(address).await,
    ];
    assert!(full.iter().all(Result::is_ok), "{full:?}");

    let policy = policy(&json!({ "v2": "channels-v2-else-v1", "rules": [{ "requests": 100 }] }));
    let configuration = filter(&strip(&policy));
    let bootstrap = Bootstrap::live(file("fallback.yaml"), configuration, &v1, address);
    let envoy = Envoy::start(bootstrap).await;
    for length in [1, 40_000, 131_072] {
        let request = Request::post("/v1/Channels", vec![b'x'; length]);
        let request = request.header("x-account-sid", INSIDE);
        let response = envoy.client().send(request).await;
        assert_eq!(response.status, 200, "{length}: {}", response.text());
        assert_eq!(response.json(), json!({ "length": length }));
    }
}

/// A shadow request that falls back would compare v1 with v1, and find no difference.
#[tokio::test]
async fn shadow_requests_do_not_fall_back_to_v1() {
    let testbed =
        Testbed::start(Some(json!({ "requests": 100, "v2": "channels-v2-shadow" }))).await;
    testbed.v2.fail(Fault::Refuse);
    let all = testbed.send(&["GET"]).await;
    assert_eq!(all, responses([(200, "v1", REQUESTS)]));
    let sampled = testbed
        .counter("wasmcustom.turnout.shadow_sampled.chat")
        .await;
    let copies_of = |scripted: &Scripted| {
        scripted.count(|received| received.header("x-turnout-shadow").is_some())
    };
    assert!(sampled > 100, "{sampled}");
    assert_eq!([copies_of(&testbed.v1), copies_of(&testbed.v2)], [0, 0]);
    assert_eq!(
        testbed
            .counter("wasmcustom.turnout.shadow.chat.match")
            .await,
        0
    );
}
