//! Metrics and the access log show who was sent where, and why.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Swap;
use turnout_core::{Plan, Revision};

use crate::testbed::{INSIDE, OUTSIDE, ROLLOUT, Testbed, policy, request_of, strip};

/// All counters of a rollout if clients are not trusted and no rule names a region.
const SERIES: [(&str, &str); 10] = [
    ("v1", "halted"),
    ("v1", "off"),
    ("v2", "on"),
    ("v1", "no_account"),
    ("v1", "malformed_account"),
    ("v1", "rule"),
    ("v2", "rule"),
    ("v1", "outside_accounts"),
    ("v1", "outside_requests"),
    ("v1", "default"),
];

/// A rollout in mode `split`, and one in mode `dark`.
fn two_rollouts() -> Value {
    let mut policy = policy(&json!({}));
    let mut dark = policy["rollouts"][0].clone();
    dark["name"] = json!("calls-2");
    dark["salt"] = json!(ROLLOUT);
    dark["mode"] = json!("dark");
    dark["match"] = json!({ "path": { "prefix": "/v1/Calls" } });
    policy["rollouts"] = json!([policy["rollouts"][0], dark]);
    policy
}

/// One request of each kind, by its request id.
fn requests() -> Vec<(&'static str, Request)> {
    vec![
        ("inside", request_of(INSIDE)),
        ("inside, again", request_of(INSIDE)),
        ("outside", request_of(OUTSIDE)),
        ("no account", Request::get("/v1/Channels")),
        ("malformed", request_of("AC-what-a-client-sent")),
        (
            "dark",
            Request::get("/v1/Calls").header("x-account-sid", INSIDE),
        ),
        (
            "no rollout",
            Request::get("/other").header("x-account-sid", INSIDE),
        ),
    ]
}

async fn send(testbed: &Testbed) {
    for (id, request) in requests() {
        let response = testbed
            .client()
            .send(request.header("x-request-id", id))
            .await;
        assert_eq!(response.status, 200, "{id}");
    }
}

#[tokio::test]
async fn prometheus_sees_every_decision_with_its_labels() {
    let testbed = Testbed::live(&strip(&two_rollouts()), |b| b).await;
    let mut expected = BTreeMap::from([(labels("-", "v1", "no_rollout"), 0)]);
    for (treatment, reason) in SERIES {
        for rollout in [ROLLOUT, "calls-2"] {
            expected.insert(labels(rollout, treatment, reason), 0);
        }
    }
    assert_eq!(
        scraped(&testbed).await,
        expected,
        "before the first request"
    );

    send(&testbed).await;
    for (rollout, treatment, reason, count) in [
        (ROLLOUT, "v2", "rule", 2),
        (ROLLOUT, "v1", "outside_accounts", 1),
        (ROLLOUT, "v1", "no_account", 1),
        (ROLLOUT, "v1", "malformed_account", 1),
        ("calls-2", "v2", "rule", 1),
        ("-", "v1", "no_rollout", 1),
    ] {
        expected.insert(labels(rollout, treatment, reason), count);
    }
    assert_eq!(scraped(&testbed).await, expected);
}

fn labels(rollout: &str, treatment: &str, reason: &str) -> Vec<String> {
    let mut labels = vec![
        format!("reason=\"{reason}\""),
        format!("rollout=\"{rollout}\""),
        format!("treatment=\"{treatment}\""),
    ];
    labels.sort();
    labels
}

/// The series `turnout_decisions`, with all labels.
async fn scraped(testbed: &Testbed) -> BTreeMap<Vec<String>, u64> {
    let text = testbed.envoy.admin().settled_prometheus().await;
    text.lines()
        .filter_map(|line| line.strip_prefix("turnout_decisions{"))
        .map(|line| {
            let (labels, count) = line.split_once("} ").expect("labels and a value");
            let mut labels: Vec<_> = labels.split(',').map(str::to_owned).collect();
            labels.sort();
            (labels, count.parse().expect("a count"))
        })
        .collect()
}

#[tokio::test]
async fn the_access_log_has_each_decision_and_its_reason() {
    let testbed = Testbed::live(&strip(&two_rollouts()), |b| b).await;
    send(&testbed).await;
    let log = testbed.envoy.access_log(requests().len()).await;
    let plan = Plan::from_json(&two_rollouts().to_string()).expect("a valid policy");
    let revision = plan.revision().as_str();
    let nobody = Value::Null;
    let inside = json!(INSIDE);
    for (id, account, rollout, treatment, reason, cluster) in [
        ("inside", &inside, ROLLOUT, "v2", "rule", "channels-v2"),
        (
            "outside",
            &json!(OUTSIDE),
            ROLLOUT,
            "v1",
            "outside_accounts",
            "channels-v1",
        ),
        (
            "no account",
            &nobody,
            ROLLOUT,
            "v1",
            "no_account",
            "channels-v1",
        ),
        // An invalid account is not logged as an account.
        (
            "malformed",
            &nobody,
            ROLLOUT,
            "v1",
            "malformed_account",
            "channels-v1",
        ),
        ("dark", &inside, "calls-2", "v2", "rule", "channels-v1"),
        (
            "no rollout",
            &inside,
            "-",
            "v1",
            "no_rollout",
            "channels-v1",
        ),
    ] {
        let line = log
            .iter()
            .find(|line| line["request_id"] == id)
            .expect("a line");
        assert_eq!(line["revision"], revision, "{id}");
        assert_eq!(line["account"], *account, "{id}");
        assert_eq!(line["rollout"], rollout, "{id}");
        assert_eq!(line["treatment"], treatment, "{id}");
        assert_eq!(line["reason"], reason, "{id}");
        assert_eq!(line["upstream_cluster"], cluster, "{id}");
        assert_eq!(line["response_code"], 200, "{id}");
    }
}

#[tokio::test]
async fn counters_continue_after_accepted_and_rejected_swaps() {
    let testbed = Testbed::live(&strip(&two_rollouts()), |b| b).await;
    send(&testbed).await;
    let counted = testbed.decisions().await;

    let mut changed = two_rollouts();
    changed["rollouts"][0]["mode"] = json!("on");
    testbed.swap_policy(&changed).await;
    assert_eq!(testbed.decisions().await, counted);

    changed["rollouts"][0]["mode"] = json!("onn");
    assert_eq!(testbed.swap(&strip(&changed)).await, Swap::Rejected);
    assert_eq!(testbed.decisions().await, counted);

    send(&testbed).await;
    let mut expected = counted;
    // All five counters of the first rollout, whose mode is now `on`; the others as before.
    for (name, more) in [
        ("chat.v2.on", 5),
        ("calls-2.v2.rule", 1),
        ("-.v1.no_rollout", 1),
    ] {
        *expected.get_mut(name).expect("a counter") += more;
    }
    assert_eq!(testbed.decisions().await, expected);
}

#[tokio::test]
async fn no_request_is_lost_from_the_counters_while_policies_are_swapped() {
    const REQUESTS: usize = 4_000;
    let with_mode = |mode: &str| policy(&json!({ "mode": mode }));
    let testbed = Testbed::live(&strip(&with_mode("off")), |b| b).await;
    let client = testbed.client();
    let traffic = tokio::spawn(async move {
        let requests = vec![request_of(INSIDE); REQUESTS];
        client.send_all(requests, 8).await
    });
    let mut swaps = 0;
    while !traffic.is_finished() {
        swaps += 1;
        let mode = ["off", "on"][swaps % 2];
        testbed.swap_policy(&with_mode(mode)).await;
    }
    let responses = traffic.await.expect("all responses");
    assert!(responses.iter().all(|response| response.status == 200));
    assert!(swaps >= 3, "only {swaps} swaps while there was traffic");

    let decisions = testbed.decisions().await;
    assert_eq!(
        (decisions["chat.v1.off"], decisions["chat.v2.on"]),
        testbed.reached()
    );
    assert_eq!(
        testbed.v1.requests() + testbed.v2.requests(),
        REQUESTS as u64
    );
}

/// The revision, or its value in the access log and the log, as a number.
#[tokio::test]
async fn the_gauge_shows_the_active_policy() {
    let named = |revision: &str| {
        let mut policy = two_rollouts();
        policy["revision"] = json!(revision);
        policy
    };
    let number = |text: &str| Revision::from_name(text).expect("a revision").number();
    let testbed = Testbed::live(&strip(&named("2026-12-01.1")), |b| b).await;
    assert_eq!(testbed.revision().await, Some(number("2026-12-01.1")));
    testbed
        .envoy
        .wait_for_log("turnout: configuration accepted: revision 2026-12-01.1, ")
        .await;

    testbed.swap_policy(&named("2026-12-01.2")).await;
    assert_eq!(testbed.revision().await, Some(number("2026-12-01.2")));
    let refused = named("2026 12 01");
    assert_eq!(testbed.swap(&strip(&refused)).await, Swap::Rejected);
    assert_eq!(testbed.revision().await, Some(number("2026-12-01.2")));

    let unnamed = two_rollouts();
    testbed.swap_policy(&unnamed).await;
    let plan = Plan::from_json(&unnamed.to_string()).expect("a valid policy");
    assert_eq!(testbed.revision().await, Some(plan.revision().number()));
}
