//! An Envoy in shadow mode, and the expected outcomes: each sampled request has exactly one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy};
use support::render::rendered;
use support::scripted_upstream::{Received, Response, Scripted};

use crate::testbed::{INSIDE, ROLLOUT, policy, strip, traps};

/// Far longer than a loaded machine needs. Reaching it means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
/// The two times at which a shadow request can be sent.
pub(super) const MOMENTS: [&str; 2] = ["after_answer", "with_request"];
/// What the one worker may hold where tests send one request after the other: fewer than they send
/// of a kind, so that a place which is not given back shows as `dropped_busy`.
pub(super) const PLACES: u64 = 3;
pub(super) const REPEATS: u64 = PLACES + 1;
/// And the longest body.
pub(super) const KEPT: usize = 1_000;
/// Outcomes and how many requests ended so.
pub(super) type Outcomes = BTreeMap<String, u64>;

/// Of every request a copy, of all that reads or writes; what `changes` does not say otherwise.
pub(super) fn shadow(changes: &Value) -> Value {
    let mut shadow = json!({
        "requests": 100,
        "methods": ["GET", "HEAD", "POST", "PUT", "DELETE"],
        "max_in_flight": 1_000,
        "back_off_ms": 0,
        "timeout_ms": 30_000,
        "recheck": false,
        "summary_seconds": 1,
    });
    for (field, value) in changes.as_object().expect("fields of a shadow") {
        shadow[field] = value.clone();
    }
    shadow
}

/// A small limit of requests in flight, for one worker.
pub(super) fn few_places(moment: &str) -> Value {
    json!({ "send": moment, "max_in_flight": PLACES, "max_body_bytes": KEPT })
}

pub(super) fn one_worker(bootstrap: Bootstrap) -> Bootstrap {
    bootstrap.concurrency(1)
}

/// A policy in mode `shadow`.
pub(super) fn shadow_policy(changes: &Value) -> Value {
    policy(&json!({ "mode": "shadow", "shadow": shadow(changes) }))
}

/// An Envoy between a client and two upstreams, and the expected outcomes of all requests so far.
pub(super) struct ShadowTestbed<V1 = Scripted> {
    pub(super) envoy: Envoy,
    pub(super) v1: V1,
    pub(super) v2: Scripted,
    expected: Outcomes,
}

impl ShadowTestbed {
    /// Starts with two equal upstreams.
    pub(super) async fn start(
        changes: &Value,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
        response: fn(&Received) -> Response,
    ) -> Self {
        let (v1, v2) = (Scripted::start(response), Scripted::start(response));
        Self::between(v1, v2, &shadow_policy(changes), adapt).await
    }
}

impl<V1> ShadowTestbed<V1>
where
    SocketAddr: for<'a> From<&'a V1>,
{
    pub(super) async fn between(
        v1: V1,
        v2: Scripted,
        policy: &Value,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let text = rendered("cluster-header.yaml", &strip(policy));
        Self::of(Bootstrap::new(text, &v1, &v2), v1, v2, adapt).await
    }

    /// Starts an Envoy whose policy can change.
    pub(super) async fn live(
        v1: V1,
        v2: Scripted,
        policy: &Value,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let text = support::envoy::file("live-policy.yaml");
        let filter = crate::testbed::filter(&strip(policy));
        Self::of(Bootstrap::live(text, filter, &v1, &v2), v1, v2, adapt).await
    }

    async fn of(
        bootstrap: Bootstrap,
        v1: V1,
        v2: Scripted,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        Self {
            envoy: Envoy::start(adapt(bootstrap)).await,
            v1,
            v2,
            expected: Outcomes::new(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    pub(super) fn client(&self) -> Client {
        self.envoy.client()
    }

    /// The shadow counters of Envoy.
    pub(super) async fn counted(&self) -> Counted {
        let stats = self
            .envoy
            .admin()
            .stats(r"^wasmcustom\.turnout\.shadow")
            .await;
        Counted::of(&stats)
    }

    /// Waits until so many more requests have these outcomes.
    pub(super) async fn expect(&mut self, more: &[(&str, u64)]) {
        for (outcome, count) in more {
            *self.expected.entry((*outcome).to_owned()).or_default() += count;
        }
        self.expected.retain(|_, count| *count > 0);
        let total: u64 = self.expected.values().sum();
        let counted = self.wait(|now| now.ended() >= total).await;
        assert_eq!(counted.outcomes, self.expected, "after {more:?}");
        assert_eq!(counted.sampled, total);
        // A request with an outcome may still be in flight at v2.
        let deadline = Instant::now() + PATIENCE;
        while self.shadow_requests_in_flight().await > 0 {
            assert!(Instant::now() < deadline, "shadow requests without end");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The number of shadow requests in flight, as Envoy counts them.
    async fn shadow_requests_in_flight(&self) -> u64 {
        let active = r"^cluster\..*\.upstream_rq_(pending_)?active$";
        let stats = self.envoy.admin().stats(active).await;
        let of_v1 = |name: &str| name.starts_with("cluster.channels-v1.");
        let others = stats.iter().filter(|(name, _)| !of_v1(name));
        others.map(|(_, count)| count).sum()
    }

    /// Waits until so many more requests have any outcome, and returns the outcomes.
    pub(super) async fn any(&mut self, more: u64) -> Outcomes {
        self.any_of(more, 0).await
    }

    /// Like [`Self::any`], while other requests are in flight.
    pub(super) async fn any_of(&mut self, more: u64, others: u64) -> Outcomes {
        let total = self.expected.values().sum::<u64>() + more;
        let counted = self.wait(|now| now.ended() >= total).await;
        assert_eq!((counted.sampled, counted.ended()), (total + others, total));
        let before = std::mem::replace(&mut self.expected, counted.outcomes);
        let news = self.expected.iter().map(|(outcome, count)| {
            let before = before.get(outcome).copied().unwrap_or_default();
            (outcome.clone(), count - before)
        });
        news.filter(|(_, count)| *count > 0).collect()
    }

    /// Waits until so many requests are sampled.
    pub(super) async fn sampled(&self, requests: u64) {
        self.wait(|now| now.sampled >= requests).await;
    }

    /// Waits until nothing is held any more and each worker has published that, and checks that its summaries in
    /// the log have each request once.
    pub(super) async fn settle(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counted = self.counted().await;
            // A worker publishes the bytes that it holds, and then writes its counts.
            let summaries = self.summaries();
            let waiting = self.v2.in_flight();
            if (counted.in_flight, waiting) == (0, 0) && summaries == self.expected {
                assert_eq!(counted.outcomes, self.expected);
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{counted:?}\nsummaries {summaries:?}\n{waiting} wait at v2"
            );
            tokio::time::sleep(POLL).await;
        }
        self.rest().await;
    }

    /// Waits until no request is at v2, and checks that the filter has not trapped. Other tests check that it
    /// holds nothing.
    pub(super) async fn rest(&self) {
        until("v2 is left alone", || self.v2.in_flight() == 0).await;
        let log = self.envoy.settled_log().await;
        assert_eq!(traps(&log), Vec::<&String>::new());
    }

    async fn wait(&self, enough: impl Fn(&Counted) -> bool) -> Counted {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counted = self.counted().await;
            if enough(&counted) {
                return counted;
            }
            assert!(
                Instant::now() < deadline,
                "{counted:?}, expected {:?}",
                self.expected
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// The sums of the outcomes of all summaries in the log.
    fn summaries(&self) -> Outcomes {
        let mut outcomes = Outcomes::new();
        for line in self.envoy.log().lines() {
            let Some((_, text)) = line.split_once(r#"turnout: {"turnout":"summary","#) else {
                continue;
            };
            let summary: Value = serde_json::from_str(&format!("{{{text}")).expect("a summary");
            for (outcome, count) in summary["outcomes"].as_object().expect("outcomes") {
                *outcomes.entry(outcome.clone()).or_default() += count.as_u64().expect("a count");
            }
        }
        outcomes
    }
}

/// Envoy's shadow counters.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) sampled: u64,
    pub(super) in_flight: u64,
    /// The outcomes without zeros.
    pub(super) outcomes: Outcomes,
}

impl Counted {
    fn of(stats: &BTreeMap<String, u64>) -> Self {
        let prefix = "wasmcustom.turnout.shadow";
        let outcomes = format!("{prefix}.{ROLLOUT}.");
        let one = |what: &str| stats[&format!("{prefix}_{what}.{ROLLOUT}")];
        let outcomes = stats.iter().filter_map(|(name, count)| {
            let outcome = name.strip_prefix(&outcomes)?;
            (*count > 0).then(|| (outcome.to_owned(), *count))
        });
        Self {
            outcomes: outcomes.collect(),
            sampled: one("sampled"),
            in_flight: one("in_flight"),
        }
    }

    fn ended(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

/// Waits until a condition is true.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Echoes the request.
pub(super) fn echo(request: &Received) -> Response {
    Response::json(&json!({
        "method": request.method,
        "path": request.path,
        "body": String::from_utf8_lossy(&request.body),
    }))
}

/// A request that matches the rollout.
pub(super) fn asks(method: &str, path: &str) -> Request {
    Request::new(method, format!("/v1/Channels{path}")).header("x-account-sid", INSIDE)
}

/// Runs a test with shadow requests after the response, and with the request.
pub(super) async fn at_both_moments<F: Future<Output = ()>>(test: impl Fn(&'static str) -> F) {
    tokio::join!(test(MOMENTS[0]), test(MOMENTS[1]));
}
