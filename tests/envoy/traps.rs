//! Envoy's behaviour when the filter traps, under each failure policy. The filter of this test traps on purpose, because
//! ours does not trap.

use std::time::{Duration, Instant};

use serde_json::json;
use support::client::{Request, Response};
use support::envoy::{Bootstrap, Envoy, Swap, file};
use support::render::discovered;
use support::scripted_upstream::{self, Scripted};
use support::temp_folder::Folder;
use turnout_core::render::discovery;

use crate::testbed::{policy, strip, traps, version};

/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough for a trap while such a request is at its upstream.
const SLOW: Duration = Duration::from_millis(500);

/// One worker, whose filter sends everything to v2 and traps at a request with `x-trap`.
struct Testbed {
    envoy: Envoy,
    failure_policy: &'static str,
    v1: Scripted,
    v2: Scripted,
    folder: Folder,
}

impl Testbed {
    async fn start(failure_policy: &'static str) -> Self {
        let folder = Folder::new();
        let wasm = wat::parse_str(include_str!("traps/trap.wat")).expect("a module");
        std::fs::write(folder.path().join("trap.wasm"), wasm).expect("its file");
        let [v1, v2] = ["v1", "v2"].map(|version| {
            Scripted::start(move |received| {
                let delay = if received.path == "/slow" {
                    SLOW
                } else {
                    Duration::ZERO
                };
                let response = scripted_upstream::Response::json(&json!({})).after(delay);
                response.header("x-version", version)
            })
        });
        let filter = filter(&folder, "1", failure_policy);
        let bootstrap = Bootstrap::live(file("live-policy.yaml"), filter, &v1, &v2);
        let envoy = Envoy::start(bootstrap.concurrency(1)).await;
        let testbed = Self {
            envoy,
            failure_policy,
            v1,
            v2,
            folder,
        };
        assert_eq!(version(&testbed.get("/").await), "v2");
        testbed
    }

    async fn get(&self, path: &str) -> Response {
        self.envoy.client().send(Request::get(path)).await
    }

    /// Makes the filter trap while another request is at v2. Neither request gets v2's response.
    async fn trap(&self) {
        let before = self.v2.requests();
        let client = self.envoy.client();
        let in_flight = tokio::spawn(async move { client.send(Request::get("/slow")).await });
        self.v2.wait_for_requests(before + 1).await;
        let request = Request::get("/").header("x-trap", "1");
        assert_eq!(self.envoy.client().send(request).await.status, 503);
        assert_eq!(in_flight.await.expect("a response").status, 503);
        assert!(!traps(&self.envoy.settled_log().await).is_empty());
    }

    /// A bad policy is rejected as usual and changes nothing; a good one repairs the filter.
    async fn next_policy_heals(&self) {
        let before = self.get("/").await.status;
        let bad = discovered(&strip(&policy(&json!({ "mode": "onn" }))));
        let bad = bad.replace("FAIL_OPEN", self.failure_policy);
        assert_eq!(self.envoy.swap_filter(&bad).await, Swap::Rejected);
        assert_eq!(self.get("/").await.status, before);

        let good = filter(&self.folder, "2", self.failure_policy);
        assert_eq!(self.envoy.swap_filter(&good).await, Swap::Accepted);
        assert_eq!(version(&self.get("/").await), "v2");
    }
}

/// The same filter with another configuration, like the next policy.
fn filter(folder: &Folder, revision: &str, failure_policy: &str) -> String {
    let wasm = folder.path().join("trap.wasm");
    let wasm = wasm.to_str().expect("a path in UTF-8");
    let open = discovery(revision, revision, wasm);
    assert_eq!(open.matches("FAIL_OPEN").count(), 1);
    open.replace("FAIL_OPEN", failure_policy)
}

#[tokio::test]
async fn fail_open_goes_on_without_the_filter() {
    let testbed = Testbed::start("FAIL_OPEN").await;
    testbed.trap().await;
    let on_v1 = testbed.v1.requests();
    for _ in 0..20 {
        assert_eq!(version(&testbed.get("/").await), "v1");
    }
    // Without a filter nothing traps.
    let request = Request::get("/").header("x-trap", "1");
    let response = testbed.envoy.client().send(request).await;
    assert_eq!(version(&response), "v1");
    assert_eq!(testbed.v1.requests() - on_v1, 21);
    testbed.next_policy_heals().await;
}

#[tokio::test]
async fn fail_closed_responds_503_until_the_next_policy() {
    let testbed = Testbed::start("FAIL_CLOSED").await;
    testbed.trap().await;
    for _ in 0..20 {
        assert_eq!(testbed.get("/").await.status, 503);
    }
    assert_eq!(testbed.v1.requests(), 0);
    testbed.next_policy_heals().await;
}

#[tokio::test]
async fn fail_reload_responds_503_until_it_has_reloaded() {
    let testbed = Testbed::start("FAIL_RELOAD").await;
    testbed.trap().await;
    let start = Instant::now();
    loop {
        let response = testbed.get("/").await;
        if response.status == 200 {
            assert_eq!(version(&response), "v2");
            break;
        }
        assert_eq!(response.status, 503);
        assert!(start.elapsed() < PATIENCE, "it does not reload");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reloads = testbed.envoy.admin().stats("vm_reload_success").await;
    assert_eq!(reloads.values().sum::<u64>(), 1, "{reloads:?}");
    assert_eq!(testbed.v1.requests(), 0);
    testbed.next_policy_heals().await;
}
