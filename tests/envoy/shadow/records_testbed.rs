//! What these tests stand on: an Envoy in shadow mode between two scripted upstreams, and a reader
//! of all that it writes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy, Swap};
use support::scripted_upstream::{Answer, Received, Scripted};
use turnout_report::{Allow, Report, Totals, Verdict};

use crate::testbed::{filter, policy, strip, traps};

/// Far beyond what a loaded machine needs: reaching it means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);
const STATS: &str = "stats_config:\n";

/// Counters of `turnout.shadow.chat.`, by outcome; those at 0 are left out.
pub(super) type Outcomes = BTreeMap<String, u64>;

/// Envoy ends first.
pub(super) struct RecordsTestbed {
    pub(super) envoy: Envoy,
    pub(super) v1: Scripted,
    pub(super) v2: Scripted,
}

impl RecordsTestbed {
    /// One worker; clients bring their own request ids.
    pub(super) async fn of(
        policy: &Value,
        v1: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        Self::configured(&strip(policy), v1, v2, adapt).await
    }

    /// With the whole of the plugin's configuration.
    pub(super) async fn configured(
        configuration: &str,
        v1: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let testbed = Self::start(configuration, v1, v2, adapt).await;
        let accepted = "turnout: configuration accepted";
        testbed.envoy.wait_for_log(accepted).await;
        testbed
    }

    /// As [`configured`](Self::configured), with an Envoy that hides lines below a level, `info` among them.
    pub(super) async fn hiding(
        configuration: &str,
        v1: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Answer + Send + Sync + 'static,
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
        v1: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        v2: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let (v1, v2) = (Scripted::start(v1), Scripted::start(v2));
        let text = support::envoy::file("live-policy.yaml");
        let bootstrap = Bootstrap::live(text, filter(configuration), &v1, &v2)
            .keep_request_ids()
            .concurrency(1)
            // Histograms are told at these times only.
            .replace(STATS, &format!("stats_flush_interval: 0.2s\n{STATS}"));
        let envoy = Envoy::start(adapt(bootstrap)).await;
        Self { envoy, v1, v2 }
    }

    pub(super) fn client(&self) -> Client {
        self.envoy.client()
    }

    /// Sends one after the other. Users never notice a copy.
    pub(super) async fn send(&self, requests: impl IntoIterator<Item = Request>) {
        let client = self.client();
        for request in requests {
            let answer = client.send(request.clone()).await;
            assert_eq!(answer.status, 200, "{request:?}");
        }
    }

    pub(super) async fn swap(&self, policy: &Value) {
        let swap = self.envoy.swap_filter(&filter(&strip(policy))).await;
        assert_eq!(swap, Swap::Accepted, "{policy}");
    }

    /// Our counters and gauges, by what follows `turnout.`.
    pub(super) async fn stats(&self) -> BTreeMap<String, u64> {
        const PREFIX: &str = "wasmcustom.turnout.";
        let stats = self.envoy.admin().stats(r"^wasmcustom\.").await;
        let ours =
            |(name, count): (String, u64)| Some((name.strip_prefix(PREFIX)?.to_owned(), count));
        stats.into_iter().filter_map(ours).collect()
    }

    /// One of them.
    pub(super) async fn stat(&self, name: &str) -> u64 {
        let stats = self.stats().await;
        *stats
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {stats:#?}"))
    }

    pub(super) async fn outcomes(&self) -> Outcomes {
        outcomes_in(&self.stats().await)
    }

    /// Waits until so many sampled requests have an outcome; each has exactly one.
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

    /// The verdict of the report on what this Envoy counts.
    pub(super) async fn verdict(&self) -> Verdict {
        let counters = self.envoy.admin().prometheus().await;
        let mut totals = Totals::default();
        totals.read("counters", counters.as_bytes()).expect("text");
        let report = Report::new(&totals, Allow::default(), None).expect("a report");
        report.verdicts().next().expect("a rollout").1
    }

    /// The lines that it has written up to now, without what stands before `{`.
    pub(super) async fn lines(&self) -> Vec<String> {
        let log = self.envoy.settled_log().await;
        log.iter().filter_map(|line| record_in(line)).collect()
    }

    /// Waits until the records hold what is asked for, and returns them all.
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

    /// All records, once the summaries have told of so many requests.
    pub(super) async fn summarised(&self, requests: u64) -> Vec<Value> {
        self.records(|records| told(records) >= requests).await
    }

    /// Panics when the filter has broken down.
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

/// Waits until a question is answered with yes.
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

/// Those of one kind: `difference`, `summary` or `options`.
pub(super) fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let is_it = |record: &&Value| record["turnout"] == kind;
    records.iter().filter(is_it).collect()
}

/// Of how many requests the summaries tell.
pub(super) fn told(records: &[Value]) -> u64 {
    sum(&summed(records))
}

/// The outcomes of all summaries together.
pub(super) fn summed(records: &[Value]) -> Outcomes {
    let mut all = Outcomes::new();
    for summary in of_kind(records, "summary") {
        for (outcome, count) in summary["outcomes"].as_object().expect("outcomes") {
            *all.entry(outcome.clone()).or_default() += count.as_u64().expect("a count");
        }
    }
    all
}

/// A policy in mode `shadow` that samples all that `shadow` does not say otherwise.
pub(super) fn shadow(shadow: &Value) -> Value {
    policy(&json!({ "mode": "shadow", "shadow": sampling_all(shadow) }))
}

/// All requests are sampled, v1 is asked once and summaries come every second. There is room for all of them, also if
/// they are of one account, which gets a quarter, and the machine is slow.
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

/// Whether it is a copy, and not what a user asked for.
pub(super) fn is_copy(request: &Received) -> bool {
    request.headers.contains_key("x-turnout-shadow")
}

/// An upstream that answers everything with one document.
pub(super) fn always(document: &Value) -> impl Fn(&Received) -> Answer + Send + Sync + use<> {
    let answer = Answer::json(document);
    move |request| match &*request.method {
        // What sends a body here breaks HTTP/2.
        "HEAD" => answer.clone().body(""),
        _ => answer.clone(),
    }
}
