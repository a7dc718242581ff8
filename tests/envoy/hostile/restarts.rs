//! An Envoy that is replaced: by a hot restart, by draining, or by a second listener. No request is lost, and each
//! is counted once.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy};
use support::render::rendered;
use support::scripted_upstream::{Response, Scripted};
use support::upstream::Upstream;

use super::stats;
use crate::steady_traffic::Steady;
use crate::testbed::{INSIDE, OUTSIDE, policy, request_of, strip, traps, version};

/// Two Envoys with their own policies and the same port.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_restart_under_load_loses_no_request_and_no_count() {
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    let port = free_port();
    // No other process of this test uses it.
    let family = Family(std::process::id());
    let bootstrap = |epoch: u32| {
        let text = rendered("cluster-header.yaml", &strip(&policy(&json!({}))));
        let bootstrap = Bootstrap::new(text, &v1, &v2).listen_on(port);
        bootstrap.hot_restart(family.0, epoch)
    };
    let mut parent = Envoy::start(bootstrap(0)).await;
    let steady = Steady::start([parent.client(), parent.client()], |number| {
        request_of([INSIDE, OUTSIDE][number % 2])
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let child = Envoy::start(bootstrap(1)).await;
    assert_eq!(child.address(), parent.address());
    parent.wait_for_end().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let responses = steady.end_without_loss().await;
    let sent = responses.len() as u64;
    let on_v2 = responses
        .iter()
        .filter(|response| version(response) == "v2");
    let on_v2 = on_v2.count() as u64;
    assert_eq!((v1.requests(), v2.requests()), (sent - on_v2, on_v2));

    // Its own counts and those of its predecessor.
    let counted = async || {
        let decisions = stats(&child, "decisions.").await;
        decisions.values().sum::<u64>()
    };
    super::until("every request is counted", async || counted().await >= sent).await;
    assert_eq!(counted().await, sent);
    println!("{sent} requests, {on_v2} on v2");
    let log = child.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

/// The port is known before the first Envoy starts, so that the second one can take it over.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// The base id of the Envoys, which share memory by it and leave that behind.
struct Family(u32);

impl Drop for Family {
    fn drop(&mut self) {
        for base in [self.0, self.0.saturating_mul(10)] {
            let _ = std::fs::remove_file(
                Path::new("/dev/shm").join(format!("envoy_shared_memory_{base}")),
            );
        }
    }
}

#[tokio::test]
async fn a_draining_listener_finishes_its_requests() {
    const REQUESTS: usize = 24;
    let late = |name: &'static str| {
        Scripted::start(move |_| {
            let response = Response::json(&json!({})).after(Duration::from_millis(700));
            response.header("x-version", name)
        })
    };
    let (v1, v2) = (late("v1"), late("v2"));
    let text = rendered("cluster-header.yaml", &strip(&policy(&json!({}))));
    let envoy = Envoy::start(Bootstrap::new(text, &v1, &v2)).await;
    let mut waiting = Vec::new();
    for number in 0..REQUESTS {
        let client = envoy.client();
        let account = [INSIDE, OUTSIDE][number % 2];
        waiting.push(tokio::spawn(async move {
            client.send(request_of(account)).await
        }));
    }
    let half = REQUESTS as u64 / 2;
    v1.wait_for_requests(half).await;
    v2.wait_for_requests(half).await;
    let admin = Client::new(envoy.admin().address());
    let drained = admin
        .send(Request::new("POST", "/drain_listeners?graceful"))
        .await;
    assert_eq!(drained.status, 200, "{}", drained.text());
    for (number, response) in waiting.into_iter().enumerate() {
        let response = response.await.expect("a response");
        assert_eq!(
            (response.status, version(&response)),
            (200, ["v2", "v1"][number % 2])
        );
    }
    let decisions = stats(&envoy, "decisions.").await;
    let expected = [
        ("chat.v1.outside_accounts".to_owned(), half),
        ("chat.v2.rule".to_owned(), half),
    ];
    assert_eq!(decisions, expected.into());
}

#[tokio::test]
async fn two_listeners_with_one_policy_count_each_request_once() {
    const REQUESTS: usize = 200;
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    let text = rendered("cluster-header.yaml", &strip(&policy(&json!({}))));
    let envoy = Envoy::start(Bootstrap::new(text, &v1, &v2).second_listener()).await;
    let [first, second] = &envoy.admin().listeners().await[..] else {
        panic!("not two listeners");
    };
    assert_ne!(first, second);
    let requests = || (0..REQUESTS).map(|number| request_of([INSIDE, OUTSIDE][number % 2]));
    let (first, second) = (Client::new(*first), Client::new(*second));
    let (one, other) = tokio::join!(
        first.send_all(requests().collect(), 4),
        second.send_all(requests().collect(), 4)
    );
    for responses in [one, other] {
        for (number, response) in responses.iter().enumerate() {
            assert_eq!(version(response), ["v2", "v1"][number % 2]);
        }
    }
    let sent = REQUESTS as u64;
    assert_eq!((v1.requests(), v2.requests()), (sent, sent));
    let expected = [
        ("chat.v1.outside_accounts".to_owned(), sent),
        ("chat.v2.rule".to_owned(), sent),
    ];
    let expected = expected.into();
    super::until("every request is counted", async || {
        stats(&envoy, "decisions.").await == expected
    })
    .await;
}
