//! An Envoy in shadow mode between two scripted upstreams, with a reader of all its records.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy, Swap};
use support::scripted_upstream::{Received, Response, Scripted};
use turnout_report::{ErrorBudget, Report, Totals, Verdict};

use crate::testbed::{filter, policy, strip, traps};

/// Far longer than a loaded machine needs. Reaching it means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);
const STATS: &str = "stats_config:\n";

/// The counters `turnout.shadow.chat.` by outcome, without zeros.
pub(super) type Outcomes = BTreeMap<String, u64>;

/// Envoy is dropped first.
pub(super) struct RecordsTestbed {
    pub(super) envoy: Envoy,
    pub(super) v1: Scripted,
    pub(super) v2: Scripted,
}

impl RecordsTestbed {
    /// Starts with one worker. Clients set their own request ids.
    pub(super) async fn of(
        policy: &Value,
        v1: impl Fn(&Received) -> Response + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Response + Send + Sync + 'static,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        Self::configured(&strip(policy), v1, v2, adapt).await
    }

    /// Starts with two upstreams that respond with the same document, v2 over either protocol.
    pub(super) async fn with_equal_upstreams(
        policy: &Value,
        document: &Value,
        http2: bool,
    ) -> Self {
        let v2_protocol = |bootstrap: Bootstrap| match http2 {
            true => bootstrap.http2_to("channels-v2"),
            false => bootstrap,
        };
        Self::of(policy, always(document), always(document), v2_protocol).await
    }

    /// Starts with a whole plugin configuration.
    pub(super) async fn configured(
        configuration: &str,
        v1: impl Fn(&Received) -> Response + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Response + Send + Sync + 'static,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let testbed = Self::start(configuration, v1, v2, adapt).await;
        let accepted = "turnout: configuration accepted";
        testbed.envoy.wait_for_log(accepted).await;
        testbed
    }

    /// Like [`configured`](Self::configured), with a log level that hides `info` lines.
    pub(super) async fn hiding(
        configuration: &str,
        v1: impl Fn(&Received) -> Response + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Response + Send + Sync + 'static,
        level: &'static str,
    ) -> Self {
        let testbed = Self::start(configuration, v1, v2, |b| b.log_level(level)).await;
        until("a policy is active", async || {
            let stats = testbed.stats().await;
            stats
                .get("revision.turnout")
                .is_some_and(|revision| *revision > 0)
        })
        .await;
        testbed
    }

    async fn start(
        configuration: &str,
        v1: impl Fn(&Received) -> Response + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Response + Send + Sync + 'static,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let (v1, v2) = (Scripted::start(v1), Scripted::start(v2));
        let text = support::envoy::file("live-policy.yaml");
        let bootstrap = Bootstrap::live(text, filter(configuration), &v1, &v2)
            .keep_request_ids()
            .concurrency(1)
            // Envoy publishes histograms only at these times.
            .replace(STATS, &format!("stats_flush_interval: 0.2s\n{STATS}"));
        let envoy = Envoy::start(adapt(bootstrap)).await;
        Self { envoy, v1, v2 }
    }

    pub(super) fn client(&self) -> Client {
        self.envoy.client()
    }

    /// Sends requests in turn. Users never notice a shadow request.
    pub(super) async fn send(&self, requests: impl IntoIterator<Item = Request>) {
        let client = self.client();
        for request in requests {
            let response = client.send(request.clone()).await;
            assert_eq!(response.status, 200, "{request:?}");
        }
    }

    pub(super) async fn swap(&self, policy: &Value) {
        let swap = self.envoy.swap_filter(&filter(&strip(policy))).await;
        assert_eq!(swap, Swap::Accepted, "{policy}");
    }

    /// Our counters and gauges, by the name after `turnout.`.
    pub(super) async fn stats(&self) -> BTreeMap<String, u64> {
        const PREFIX: &str = "wasmcustom.turnout.";
        let stats = self.envoy.admin().stats(r"^wasmcustom\.").await;
        let ours =
            |(name, count): (String, u64)| Some((name.strip_prefix(PREFIX)?.to_owned(), count));
        stats.into_iter().filter_map(ours).collect()
    }

    /// One of these counters and gauges.
    pub(super) async fn stat(&self, name: &str) -> u64 {
        let stats = self.stats().await;
        *stats
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {stats:#?}"))
    }

    pub(super) async fn outcomes(&self) -> Outcomes {
        outcomes_in(&self.stats().await)
    }

    /// Waits until so many sampled requests have an outcome. Each has exactly one.
    pub(super) async fn settled(&self, requests: u64) -> Outcomes {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.stats().await;
            let outcomes = outcomes_in(&stats);
            if sum(&outcomes) >= requests {
                let sampled = stats["shadow_sampled.chat"];
                assert_eq!((sampled, sum(&outcomes)), (requests, requests));
                self.is_whole();
                return outcomes;
            }
            pause(deadline, || format!("{outcomes:?} of {requests}")).await;
        }
    }

    /// The verdict of the report for the counters of this Envoy.
    pub(super) async fn verdict(&self) -> Verdict {
        let counters = self.envoy.admin().prometheus().await;
        let mut totals = Totals::default();
        totals.read("counters", counters.as_bytes()).expect("text");
        let report = Report::new(&totals, ErrorBudget::default(), None).expect("a report");
        report.verdicts().next().expect("a rollout").1
    }

    /// The records so far, without the text before `{`.
    pub(super) async fn lines(&self) -> Vec<String> {
        let log = self.envoy.settled_log().await;
        log.iter().filter_map(|line| record_in(line)).collect()
    }

    /// Waits until the records satisfy a condition, and returns them all.
    pub(super) async fn records(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines().await;
            let parsed = |line: &String| serde_json::from_str(line).expect("JSON");
            let records: Vec<Value> = lines.iter().map(parsed).collect();
            if enough(&records) {
                return records;
            }
            pause(deadline, || format!("not enough in {records:#?}")).await;
        }
    }

    /// All records, once the summaries have so many requests.
    pub(super) async fn summarised(&self, requests: u64) -> Vec<Value> {
        self.records(|records| summarised_requests(records) >= requests)
            .await
    }

    /// Panics if the filter has trapped.
    fn is_whole(&self) {
        let log: Vec<String> = self.envoy.log().lines().map(str::to_owned).collect();
        assert!(traps(&log).is_empty(), "{:?}", traps(&log));
    }
}

fn outcomes_in(stats: &BTreeMap<String, u64>) -> Outcomes {
    let outcome = |(name, count): (&String, &u64)| {
        let outcome = name.strip_prefix("shadow.chat.")?.to_owned();
        (*count > 0).then_some((outcome, *count))
    };
    stats.iter().filter_map(outcome).collect()
}

/// The record in a line of the log.
fn record_in(line: &str) -> Option<String> {
    let (_, record) = line.split_once("turnout: {")?;
    Some(format!("{{{record}"))
}

pub(super) fn sum(outcomes: &Outcomes) -> u64 {
    outcomes.values().sum()
}

/// Waits until a condition is true.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        pause(deadline, || what.to_owned()).await;
    }
}

async fn pause(deadline: Instant, complaint: impl FnOnce() -> String) {
    assert!(Instant::now() < deadline, "{}", complaint());
    tokio::time::sleep(POLL).await;
}

/// Records of one kind: `difference`, `summary` or `options`.
pub(super) fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let is_it = |record: &&Value| record["turnout"] == kind;
    records.iter().filter(is_it).collect()
}

/// The number of requests in the summaries.
pub(super) fn summarised_requests(records: &[Value]) -> u64 {
    sum(&summed(records))
}

/// The sums of the outcomes of all summaries.
pub(super) fn summed(records: &[Value]) -> Outcomes {
    let mut all = Outcomes::new();
    for summary in of_kind(records, "summary") {
        for (outcome, count) in summary["outcomes"].as_object().expect("outcomes") {
            *all.entry(outcome.clone()).or_default() += count.as_u64().expect("a count");
        }
    }
    all
}

/// A policy in mode `shadow` that samples everything, with these changes.
pub(super) fn shadow(shadow: &Value) -> Value {
    policy(&json!({ "mode": "shadow", "shadow": sampling_all(shadow) }))
}

/// Samples all requests, repeats none, and writes summaries every second. It has room for all requests, even of one
/// account (which gets a quarter of the room) on a slow machine.
pub(super) fn sampling_all(changes: &Value) -> Value {
    let mut shadow = json!({
        "requests": 100, "summary_seconds": 1, "back_off_ms": 0, "max_in_flight": 1_000,
    });
    for (field, value) in changes.as_object().expect("fields of a shadow") {
        shadow[field] = value.clone();
    }
    shadow
}

pub(super) fn outcomes<const N: usize>(counts: [(&str, u64); N]) -> Outcomes {
    counts
        .map(|(outcome, count)| (outcome.to_owned(), count))
        .into()
}

/// Whether it is a shadow request.
pub(super) fn is_shadow_request(request: &Received) -> bool {
    request.headers.contains_key("x-turnout-shadow")
}

/// An upstream that responds to everything with one document.
pub(super) fn always(document: &Value) -> impl Fn(&Received) -> Response + Send + Sync + use<> {
    let response = Response::json(document);
    move |request| match &*request.method {
        // A response to HEAD with a body breaks HTTP/2.
        "HEAD" => response.clone().body(""),
        _ => response.clone(),
    }
}
