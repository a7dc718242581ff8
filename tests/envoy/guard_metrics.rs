//! The metrics of guards, as Prometheus and `turnout watch` see them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::envoy::file;
use turnout_admin::{GuardMetric, ParsedLine, parse_sample};

use crate::testbed::{ROLLOUT, Testbed, policy, request_of, strip};
use crate::watch::Watching;

/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUESTS: u64 = 300;

/// A guarded rollout with one stratum, and one with two strata whose guard also compares slow requests.
fn two_guards() -> Value {
    let mut policy = policy(&json!({
        "rules": [{ "requests": 50 }],
        "guard": { "settle_seconds": 1 },
    }));
    policy["segments"] = json!({ "big": { "accounts": ["AC00000000000000000000000000000001"] } });
    let mut other = policy["rollouts"][0].clone();
    other["name"] = json!("calls-2");
    other["match"] = json!({ "path": { "prefix": "/v1/Calls" } });
    other["rules"] = json!([{ "when": { "in": ["big"] }, "requests": 0.5 }, { "requests": 10 }]);
    other["guard"] = json!({ "errors": {}, "slow": { "over_ms": 500 }, "alpha": 0.05 });
    policy["rollouts"] = json!([policy["rollouts"][0], other]);
    policy
}

/// The series of the two guards before the first request.
fn series() -> BTreeMap<String, u64> {
    let mut series = BTreeMap::new();
    for (rollout, stratum, kinds) in [
        (ROLLOUT, "50", &["all", "errors"][..]),
        ("calls-2", "0_5", &["all", "errors", "slow"]),
        ("calls-2", "10", &["all", "errors", "slow"]),
    ] {
        for kind in kinds {
            for arm in ["v1", "v2"] {
                series.insert(counter(kind, rollout, stratum, arm), 0);
            }
        }
    }
    for (rollout, threshold) in [(ROLLOUT, 2_000), ("calls-2", 1_301)] {
        series.insert(gauge("state", rollout), 0);
        series.insert(gauge("evidence_milli", rollout), 0);
        series.insert(gauge("threshold_milli", rollout), threshold);
    }
    series
}

fn counter(kind: &str, rollout: &str, stratum: &str, arm: &str) -> String {
    format!(
        "turnout_guard_{kind}{{rollout=\"{rollout}\",stratum=\"{stratum}\",treatment=\"{arm}\"}}"
    )
}

fn gauge(kind: &str, rollout: &str) -> String {
    format!("turnout_guard_{kind}{{rollout=\"{rollout}\"}}")
}

/// The samples of guards, with their labels in order.
async fn scraped(testbed: &Testbed) -> BTreeMap<String, u64> {
    let text = testbed.envoy.admin().settled_prometheus().await;
    let samples = text
        .lines()
        .filter(|line| line.starts_with("turnout_guard"));
    let samples = samples.map(|line| {
        let (name, count) = line.rsplit_once(' ').expect("a name and a value");
        let (name, labels) = name.split_once('{').expect("labels");
        let labels: BTreeSet<_> = labels.trim_end_matches('}').split(',').collect();
        let labels = Vec::from_iter(labels).join(",");
        (
            format!("{name}{{{labels}}}"),
            count.parse().expect("a count"),
        )
    });
    samples.collect()
}

async fn send(testbed: &Testbed) {
    let requests = (0..REQUESTS).map(|number| {
        request_of(&format!("AC{number:032x}")).header("x-request-id", format!("{number}"))
    });
    let responses = testbed.client().send_all(requests.collect(), 4).await;
    assert!(responses.iter().all(|response| response.status == 200));
}

#[tokio::test]
async fn prometheus_sees_each_guard_with_its_labels() {
    let testbed = Testbed::live(&strip(&two_guards()), |b| b).await;
    let mut expected = series();
    let deadline = Instant::now() + PATIENCE;
    // The gauges have their values after the first second.
    while scraped(&testbed).await != expected {
        assert!(Instant::now() < deadline, "{:#?}", scraped(&testbed).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    send(&testbed).await;
    let (v1, v2) = testbed.reached();
    assert_eq!(v1 + v2, REQUESTS);
    expected.insert(counter("all", ROLLOUT, "50", "v1"), v1);
    expected.insert(counter("all", ROLLOUT, "50", "v2"), v2);
    let deadline = Instant::now() + PATIENCE;
    while scraped(&testbed).await != expected {
        assert!(Instant::now() < deadline, "{:#?}", scraped(&testbed).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The name of a series without labels has all of them, and some names have two meanings.
#[tokio::test]
async fn without_stats_tags_the_names_are_read() {
    let text = file("live-policy.yaml");
    let (_, tags) = text.split_once("\nstats_config:\n").expect("the tags");
    let tags = format!("stats_config:\n{tags}");
    let testbed = Testbed::live(&strip(&two_guards()), |b| b.replace(&tags, "")).await;
    let text = testbed.envoy.admin().settled_prometheus().await;
    let mut found = Vec::new();
    for line in text.lines().filter(|line| line.contains("turnout_guard")) {
        if let ParsedLine::Sample(sample) = parse_sample(line) {
            found.push(GuardMetric::from_sample(&sample));
        }
    }
    assert_eq!(found.len(), series().len(), "{text}");
    let of = |rollout: &str| {
        let of_rollout = found.iter().filter(|meanings| {
            let mut meanings = meanings.iter();
            meanings.any(|meaning| meaning.rollout() == rollout)
        });
        of_rollout.count()
    };
    assert_eq!([of(ROLLOUT), of("calls-2")], [7, 15], "{found:?}");
    // `calls-2` at 0.5 %, or `calls-2-0` at 5 %.
    assert_eq!(of("calls-2-0"), 6, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_shows_the_guard_and_what_it_compares() {
    let testbed = Testbed::live(&strip(&two_guards()), |b| b).await;
    let mut watching = Watching::start(&testbed);
    let at = |view: &Value, pointer: &str| {
        let pointer = format!("/rollouts/0/guard{pointer}");
        view.pointer(&pointer).cloned().unwrap_or(Value::Null)
    };
    let view = watching
        .until("the guard", |view| {
            at(view, "/proxies/0/threshold_milli") == 2_000
        })
        .await;
    assert_eq!(at(&view, "/proxies/0/state"), "armed", "{view}");
    assert_eq!(at(&view, "/proxies/0/action"), "halt", "{view}");
    assert_eq!(
        at(&view, "/strata/0/requests_millionths"),
        50_000_000,
        "{view}"
    );

    send(&testbed).await;
    let (v1, v2) = testbed.reached();
    let all = |view: &Value, arm: &str| at(view, &format!("/strata/0/total/{arm}/all"));
    watching
        .until("all compared requests", |view| {
            all(view, "v1") == v1 && all(view, "v2") == v2
        })
        .await;
}
