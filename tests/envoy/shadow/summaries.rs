//! Summaries, counters and Prometheus agree.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::client::Request;
use support::scripted_upstream::{Received, Response};

use super::records_testbed::{
    RecordsTestbed, of_kind, outcomes, sampling_all, shadow, summarised_requests, summed,
};
use crate::testbed::{INSIDE, OUTSIDE};

/// The response of v2, by the last segment of the path.
fn v2(request: &Received) -> Response {
    let document = v1_document();
    match request.route().rsplit('/').next() {
        Some("different") => {
            let mut document = document;
            document["name"] = json!("b");
            document["items"] = json!([{ "n": 2 }, { "n": 3 }]);
            document.as_object_mut().expect("an object").remove("gone");
            Response::json(&document)
        }
        Some("error") => Response::json(&document).cut(),
        // The bodies differ in their bytes, so each pair is really compared.
        _ => {
            let text = format!(" {document}");
            Response::text(text).content_type("application/json")
        }
    }
}

fn v1_document() -> Value {
    json!({
        "name": "a",
        "items": [{ "n": 1 }, { "n": 2 }],
        "gone": 1,
        "meta": { "at": 1 },
        "tags": ["x"],
        "price": 1,
    })
}

fn options() -> Value {
    json!({
        "routes": ["/v1/Channels/*", "/v1/Channels/a/*", "/v1/Channels/never"],
        "recheck": false,
        "compare": {
            "ignore": ["/meta/at", "/none"],
            "unordered": [{ "path": "/tags" }],
            "tolerance": [{ "path": "/price", "absolute": 0.01 }],
            "maps": ["/meta"],
        },
    })
}

fn with_segments(mut policy: Value) -> Value {
    policy["segments"] = json!({ "hvc": { "accounts": [INSIDE] } });
    policy
}

async fn testbed(policy: &Value) -> RecordsTestbed {
    let v1 = Response::json(&v1_document());
    RecordsTestbed::of(policy, move |_| v1.clone(), v2, |b| b.concurrency(2)).await
}

fn requests(account: &str, path: &str, count: usize) -> Vec<Request> {
    vec![Request::get(path).header("x-account-sid", account); count]
}

/// By segment and route: outcomes, findings, and the number of timed responses of v1 and v2.
fn rows(records: &[Value]) -> BTreeMap<[String; 2], BTreeMap<String, u64>> {
    let mut rows: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
    for summary in of_kind(records, "summary") {
        let name = |field: &str| summary[field].as_str().expect("a name").to_owned();
        assert_eq!(summary["rollout"], "chat");
        let row = rows.entry([name("segment"), name("route")]).or_default();
        let mut add = |what: String, count: &Value| {
            let count = count.as_u64().expect("a count");
            assert!(count > 0, "{what} in {summary}");
            *row.entry(what).or_default() += count;
        };
        for (outcome, count) in summary["outcomes"].as_object().expect("outcomes") {
            add(outcome.clone(), count);
        }
        for finding in summary["findings"].as_array().expect("findings") {
            let [what @ .., count] = &finding.as_array().expect("a finding")[..] else {
                panic!("{finding}")
            };
            let words: Vec<_> = what
                .iter()
                .map(|word| word.as_str().expect("a word"))
                .collect();
            add(words.join(" "), count);
        }
        for version in ["v1_us", "v2_us"] {
            for bucket in summary[version].as_array().expect("buckets") {
                assert!(is_bound(&bucket[0]), "{bucket}");
                add(version.to_owned(), &bucket[1]);
            }
        }
    }
    rows
}

/// Histogram bounds: 125 µs, doubling up to 16 s, and no bound above.
fn is_bound(bound: &Value) -> bool {
    let bounds = (0..18).map(|doublings| 125_u64 << doublings);
    bound.is_null() || bounds.into_iter().any(|known| *bound == json!(known))
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.map(|(what, count)| (what.to_owned(), count)).into()
}

#[tokio::test]
async fn summaries_counters_and_prometheus_agree() {
    let policy = with_segments(shadow(&options()));
    let testbed = testbed(&policy).await;
    let scraped = series(&testbed).await;
    assert_eq!(
        scraped[r#"turnout_shadow{outcome="different",rollout="chat"}"#],
        0
    );

    let all = [
        requests(INSIDE, "/v1/Channels/different", 4),
        requests(INSIDE, "/v1/Channels/equal", 3),
        requests(OUTSIDE, "/v1/Channels/equal", 2),
        requests(OUTSIDE, "/v1/Channels/a/error", 2),
        requests(OUTSIDE, "/v1/Channels/a/equal", 1),
        vec![Request::post("/v1/Channels/a/b/c", "x").header("x-account-sid", INSIDE); 5],
    ];
    let [first, others @ ..] = all;
    testbed.send(first).await;
    testbed.settled(4).await;
    // Each summary has only what is new.
    testbed.summarised(4).await;
    testbed.send(others.into_iter().flatten()).await;
    let ended = outcomes([
        ("different", 4),
        ("equal", 6),
        ("skipped_method", 5),
        ("v2_error", 2),
    ]);
    assert_eq!(testbed.settled(17).await, ended);
    let records = testbed.summarised(17).await;
    assert_eq!(summed(&records), ended);

    let row = |segment: &str, route: &str| [segment.to_owned(), route.to_owned()];
    let expected = BTreeMap::from([
        (
            row("hvc", "/v1/Channels/*"),
            counts([
                ("different", 4),
                ("equal", 3),
                ("body /name value changed", 4),
                // Findings count requests, however many elements differ.
                ("body /items/*/n value changed", 4),
                ("body /gone missing breaking", 4),
                ("v1_us", 7),
                ("v2_us", 7),
            ]),
        ),
        (row("hvc", "-"), counts([("skipped_method", 5)])),
        (
            row("-", "/v1/Channels/*"),
            counts([("equal", 2), ("v1_us", 2), ("v2_us", 2)]),
        ),
        (
            row("-", "/v1/Channels/a/*"),
            counts([("equal", 1), ("v2_error", 2), ("v1_us", 1), ("v2_us", 1)]),
        ),
    ]);
    assert_eq!(rows(&records), expected);
    options_add_up(&records, 10);

    // Histograms appear at the next flush.
    let count = r#"turnout_shadow_v1_ms_count{rollout="chat"}"#;
    super::records_testbed::until("the histograms are there", async || {
        series(&testbed).await.get(count) == Some(&10)
    })
    .await;
    let scraped = series(&testbed).await;
    let mut of_outcomes = 0;
    for outcome in turnout_core::shadow::Outcome::ALL {
        let name = format!(r#"turnout_shadow{{outcome="{outcome}",rollout="chat"}}"#);
        assert_eq!(
            scraped[&name],
            ended.get(outcome.as_str()).copied().unwrap_or(0),
            "{name}"
        );
        of_outcomes += 1;
    }
    let logged = records.len() as u64;
    let suppressed = 4 - of_kind(&records, "difference").len() as u64;
    for (name, value) in [
        (r#"turnout_shadow_sampled{rollout="chat"}"#, 17),
        (r#"turnout_shadow_in_flight{rollout="chat"}"#, 0),
        (r#"turnout_records{what="logged"}"#, logged),
        (r#"turnout_records{what="suppressed"}"#, suppressed),
        (r#"turnout_records{what="exported"}"#, 0),
        (r#"turnout_records{what="lost"}"#, 0),
        (r#"turnout_shadow_v2_ms_count{rollout="chat"}"#, 10),
        (
            r#"turnout_shadow_v1_ms_bucket{le="+Inf",rollout="chat"}"#,
            10,
        ),
        (
            r#"turnout_shadow_v2_ms_bucket{le="+Inf",rollout="chat"}"#,
            10,
        ),
        // In milliseconds; a response takes at least one.
        (r#"turnout_shadow_v1_ms_bucket{le="0.5",rollout="chat"}"#, 0),
    ] {
        assert_eq!(scraped[name], value, "{name}");
    }
    let ours = scraped
        .keys()
        .filter(|name| name.starts_with("turnout_shadow{"));
    assert_eq!(ours.count(), of_outcomes);
}

/// How often each option matched something, over all `options` records.
fn options_add_up(records: &[Value], compared: u64) {
    let mut used: BTreeMap<String, u64> = BTreeMap::new();
    for line in of_kind(records, "options") {
        assert_eq!(line["routes"], options()["routes"]);
        for option in line["options"].as_array().expect("options") {
            let what = format!("{} {}", option[0], option[1]).replace('"', "");
            *used.entry(what).or_default() += option[2].as_u64().expect("a count");
        }
    }
    let expected = counts([
        ("ignore /meta/at", compared),
        ("ignore /none", 0),
        ("unordered /tags", compared),
        ("tolerance /price", compared),
        ("maps /meta", compared),
    ]);
    assert_eq!(used, expected);
}

/// Our series, by name and labels in alphabetical order.
async fn series(testbed: &RecordsTestbed) -> BTreeMap<String, u64> {
    let text = testbed.envoy.admin().prometheus().await;
    let ours = text.lines().filter(|line| line.starts_with("turnout_"));
    ours.filter_map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').expect("labels");
        let mut labels: Vec<_> = labels.trim_end_matches('}').split(',').collect();
        labels.sort_unstable();
        // The sums of histograms need not be integers.
        Some((
            format!("{name}{{{}}}", labels.join(",")),
            value.parse().ok()?,
        ))
    })
    .collect()
}

/// Counts that are not yet published when the policy ends are published then.
#[tokio::test]
async fn a_replaced_policy_writes_its_summaries() {
    let mut options = sampling_all(&options());
    options["summary_seconds"] = json!(3_600);
    let policy = with_segments(shadow(&options));
    let testbed = testbed(&policy).await;
    testbed
        .send(requests(INSIDE, "/v1/Channels/different", 3))
        .await;
    testbed.settled(3).await;
    assert_eq!(summarised_requests(&testbed.records(|_| true).await), 0);
    testbed.swap(&with_segments(shadow(&json!({})))).await;
    // The worker drops the policy when nothing needs it any more.
    testbed
        .send(requests(OUTSIDE, "/v1/Channels/equal", 1))
        .await;
    let records = testbed.summarised(3).await;
    let row = &rows(&records)[&["hvc".to_owned(), "/v1/Channels/*".to_owned()]];
    assert_eq!(row["different"], 3);
}
