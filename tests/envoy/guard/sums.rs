//! The arms of a guard contain every request that its rules have decided at random, each once, whatever happens meanwhile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::Client;
use support::envoy::{Bootstrap, Envoy, Swap, file};
use support::random::Random;
use support::render::discovered_with;
use support::wasm::Build;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, POLL, guarded};
use crate::shadow::streaming_upstream::Streaming;
use crate::stream_ends::upstreams::respond;
use crate::testbed::strip;

const SWAPS: u32 = 10;
/// How long each configuration is active.
const ACTIVE: Duration = Duration::from_millis(600);
const CLIENTS: u64 = 8;
const SETTLE_SECONDS: u64 = 2;

/// What the upstream does. Envoy tries twice, and waits 300 ms for a response.
const ENDS: [&str; 8] = [
    "200",
    "200",
    "404",
    "500",
    "once 500",
    "once hangs",
    "hangs",
    "fails",
];

const ROUTE: &str = "                route: { cluster_header: x-turnout-cluster }\n";
const RETRIES: &str = r#"                route:
                  cluster_header: x-turnout-cluster
                  retry_policy: { retry_on: "5xx,reset", num_retries: 1, per_try_timeout: 0.3s }
"#;
/// The upstream responds to the first try in another way.
const ROUTES: &str = "              domains: [\"*\"]\n";
const ATTEMPTS: &str = "              include_request_attempt_count: true\n";

/// The counters of the decisions that the guard compares.
const DECISIONS: [&str; 2] = ["decisions.r.v1.outside_requests", "decisions.r.v2.rule"];
const ARMS: [&str; 2] = ["guard.r.50.v1.all", "guard.r.50.v2.all"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_arms_add_up_to_the_decisions_after_swaps_of_policies_and_builds() {
    let upstream = Streaming::start_fallible(respond).await;
    let text = file("live-policy.yaml");
    let filter = discovered_with(Build::Whole, &strip(&policy(0)));
    let bootstrap = Bootstrap::live(text, filter, &upstream, &upstream)
        .keep_request_ids()
        .replace(ROUTE, RETRIES)
        .replace(ROUTES, &[ROUTES, ATTEMPTS].concat())
        .concurrency(4);
    let envoy = Envoy::start(bootstrap).await;

    let traffic = Traffic::start(envoy.address());
    for number in 1..=SWAPS {
        sleep(ACTIVE).await;
        let build = [Build::Whole, Build::Lean][number as usize / 2 % 2];
        let filter = discovered_with(build, &strip(&policy(number)));
        assert_eq!(envoy.swap_filter(&filter).await, Swap::Accepted, "{number}");
    }
    sleep(ACTIVE).await;
    let sent = traffic.end().await;

    let counts = settled(&envoy).await;
    let of = |names: [&str; 2]| names.map(|name| counts[name]);
    println!("{sent} requests, {:?} in the arms", of(ARMS));
    assert_eq!(of(ARMS), of(DECISIONS), "{counts:?}");
    // Clients that leave at once may do so before Envoy has read their request.
    let decided: u64 = of(DECISIONS).iter().sum();
    assert!(decided > sent / 2 && decided <= sent, "{decided} of {sent}");
    let errors = ["guard.r.50.v1.errors", "guard.r.50.v2.errors"].map(|name| counts[name]);
    assert!(errors.iter().all(|errors| *errors > 0), "{counts:?}");
}

/// A policy with a guarded rollout and another one. With each number the other one changes, and with each third number
/// the guard re-arms.
fn policy(number: u32) -> Value {
    let guard =
        json!({ "settle_seconds": SETTLE_SECONDS, "action": "report", "rearmed": number / 3 });
    let mut policy = guarded(&["r", "other"], 50, &guard);
    policy["rollouts"][1]["mode"] = json!(["on", "off", "split"][number as usize % 3]);
    policy
}

/// Steady traffic of several clients. Each request has an id of its own.
struct Traffic {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    clients: JoinSet<()>,
}

impl Traffic {
    fn start(target: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let mut clients = JoinSet::new();
        for seed in 0..CLIENTS {
            let (over, sent) = (Arc::clone(&over), Arc::clone(&sent));
            clients.spawn(async move {
                let client = Client::new(target);
                let mut random = Random::new(seed);
                while !over.load(Ordering::SeqCst) {
                    sent.fetch_add(1, Ordering::SeqCst);
                    send(&client, &mut random).await;
                    sleep(Duration::from_millis(random.below(20))).await;
                }
            });
        }
        Self {
            over,
            sent,
            clients,
        }
    }

    /// Ends the traffic, and returns the number of requests.
    async fn end(self) -> u64 {
        self.over.store(true, Ordering::SeqCst);
        self.clients.join_all().await;
        self.sent.load(Ordering::SeqCst)
    }
}

/// Sends a request. Every fifth client does not wait for the response.
async fn send(client: &Client, random: &mut Random) {
    let end = ENDS[random.below(ENDS.len() as u64) as usize];
    let request = super::request("r", random).header("x-upstream", end);
    if random.below(5) > 0 {
        let response = client.try_send(request).await;
        assert!(response.is_ok(), "{end}: {response:?}");
        return;
    }
    let leaves = Duration::from_millis(1 + random.below(60));
    let _ = timeout(leaves, client.try_send(request)).await;
}

/// The counters of the filter, by the name after `turnout.`, once the guard has counted all decisions, or should have.
async fn settled(envoy: &Envoy) -> BTreeMap<String, u64> {
    const PREFIX: &str = "wasmcustom.turnout.";
    let counters = async || -> BTreeMap<String, u64> {
        let stats = envoy.admin().stats(&format!("^{PREFIX}")).await;
        let short = |(name, count): (String, u64)| (name[PREFIX.len()..].to_owned(), count);
        stats.into_iter().map(short).collect()
    };
    // Nothing is open or held back by then, except on a loaded machine.
    sleep(Duration::from_secs(SETTLE_SECONDS + 3)).await;
    let deadline = Instant::now() + PATIENCE / 4;
    loop {
        let counters = counters().await;
        let of = |names: [&str; 2]| names.map(|name| counters[name]);
        if of(ARMS) == of(DECISIONS) || Instant::now() > deadline {
            return counters;
        }
        sleep(POLL).await;
    }
}
