//! The guard in a real Envoy: it trips when v2 is worse, on every worker, and only then.

mod clients;
mod delay;
mod healthy;
mod latching;
mod one_account;
mod sums;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::{Client, Request, Response};
use support::envoy::{Bootstrap, Envoy, Swap, logged};
use support::random::Random;
use support::scripted_upstream::{Received, Response as Answer, Scripted};

use crate::testbed::{filter, policy, strip};

/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

const ARMED: u64 = 0;
const TRIPPED: u64 = 2;

/// An Envoy, and two upstreams that do what the test says.
pub(crate) struct Guarded {
    pub(crate) envoy: Envoy,
    pub(crate) client: Client,
    pub(crate) v1: Scripted,
    pub(crate) v2: Scripted,
}

impl Guarded {
    /// Starts `live-policy.yaml` with so many workers. Both upstreams are healthy.
    pub(crate) async fn start(policy: &Value, workers: u32) -> Self {
        Self::start_with(policy, |b| b.concurrency(workers)).await
    }

    async fn start_with(policy: &Value, adapt: impl FnOnce(Bootstrap) -> Bootstrap) -> Self {
        let (v1, v2) = (Scripted::start(ok), Scripted::start(ok));
        let text = support::envoy::file("live-policy.yaml");
        let bootstrap = Bootstrap::live(text, filter(&strip(policy)), &v1, &v2);
        let bootstrap = bootstrap.keep_request_ids().expose_decision();
        let envoy = Envoy::start(adapt(bootstrap)).await;
        let client = envoy.client();
        Self {
            envoy,
            client,
            v1,
            v2,
        }
    }

    pub(crate) async fn swap_policy(&self, policy: &Value) {
        self.swap_to(&filter(&strip(policy))).await;
    }

    async fn swap_to(&self, filter: &str) {
        let swap = self.envoy.swap_filter(filter).await;
        assert_eq!(swap, Swap::Accepted, "{filter}");
    }

    /// The metrics of all guards, by the name after `turnout.guard`.
    pub(crate) async fn metrics(&self) -> BTreeMap<String, u64> {
        const PREFIX: &str = "wasmcustom.turnout.guard";
        let stats = self.envoy.admin().stats(&format!("^{PREFIX}")).await;
        let short = |(name, value): (String, u64)| (name[PREFIX.len()..].to_owned(), value);
        stats.into_iter().map(short).collect()
    }

    async fn state(&self, rollout: &str) -> u64 {
        self.metrics().await[&format!("_state.{rollout}")]
    }

    /// Waits until the guard of a rollout has this state. Returns how long that took.
    async fn wait_for(&self, rollout: &str, state: u64) -> Duration {
        let start = Instant::now();
        loop {
            let metrics = self.metrics().await;
            if metrics[&format!("_state.{rollout}")] == state {
                return start.elapsed();
            }
            let log = self.envoy.log();
            assert!(start.elapsed() < PATIENCE, "{metrics:?}\n{log}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until every worker has ticked so many times.
    async fn wait_for_ticks(&self, ticks: u32) {
        tokio::time::sleep(Duration::from_secs(ticks.into()) + Duration::from_millis(500)).await;
    }

    /// Waits until the settled counts of both arms of all strata add up to so many requests.
    pub(crate) async fn wait_for_settled(
        &self,
        rollout: &str,
        requests: u64,
    ) -> BTreeMap<String, u64> {
        let start = Instant::now();
        let prefix = format!(".{rollout}.");
        loop {
            let metrics = self.metrics().await;
            let of_rollout = metrics
                .iter()
                .filter(|(name, _)| name.starts_with(&prefix) && name.ends_with(".all"));
            let settled: u64 = of_rollout.map(|(_, count)| count).sum();
            if settled >= requests {
                return metrics;
            }
            assert!(start.elapsed() < PATIENCE, "{requests}: {metrics:?}");
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A policy with rollouts that take `requests` percent of all requests of all accounts to v2.
pub(crate) fn guarded(rollouts: &[&str], requests: u32, guard: &Value) -> Value {
    let rollout = |name: &&str| {
        json!({
            "name": name,
            "match": { "path": { "prefix": format!("/{name}/") } },
            "v1": "channels-v1",
            "v2": "channels-v2",
            "mode": "split",
            "rules": [{ "accounts": 100, "requests": requests }],
            "guard": guard,
        })
    };
    let mut policy = policy(&json!({}));
    policy["rollouts"] = rollouts.iter().map(rollout).collect();
    policy
}

/// A request of one of three thousand accounts, with an id of its own.
pub(crate) fn request(rollout: &str, random: &mut Random) -> Request {
    request_of(rollout, random.below(3_000), random)
}

fn request_of(rollout: &str, account: u64, random: &mut Random) -> Request {
    Request::get(format!("/{rollout}/list"))
        .header("x-account-sid", format!("AC{account:032x}"))
        .header("x-request-id", format!("{:016x}", random.next()))
}

fn ok(_: &Received) -> Answer {
    Answer::new(200)
}

/// Fails so many of a million requests, by their ids, with 503.
pub(crate) fn failing(per_million: u64, seed: u64) -> impl Fn(&Received) -> Answer + Send + Sync {
    move |received| {
        let id = received.headers["x-request-id"].to_str().expect("text");
        let id = u64::from_str_radix(id, 16).expect("a number");
        let status = match Random::new(id ^ seed).happens(per_million) {
            true => 503,
            false => 200,
        };
        Answer::new(status)
    }
}

/// Why the request got its treatment.
fn reason(response: &Response) -> String {
    let entry = response.headers.get("x-turnout-logged");
    let entry = entry.expect("the filter's entry").as_bytes();
    logged(entry)["reason"].clone()
}
