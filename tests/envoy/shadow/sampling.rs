//! Exactly the requests of the contract are sampled.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use support::client::Request;
use support::corpus;
use turnout_core::{Fraction, Salt};

use super::records_testbed::{RecordsTestbed, always, outcomes, sampling_all, shadow};
use crate::testbed::{INSIDE, OUTSIDE, ROLLOUT, policy, request_of};

async fn testbed(policy: &Value) -> RecordsTestbed {
    let document = json!({ "a": 1 });
    RecordsTestbed::of(policy, always(&document), always(&document), |b| b).await
}

/// The request ids of the shadow requests at v2.
fn shadowed_ids(testbed: &RecordsTestbed) -> BTreeSet<String> {
    let received = testbed.v2.received();
    let shadow_requests = received
        .iter()
        .filter(|one| super::records_testbed::is_shadow_request(one));
    shadow_requests
        .map(|request| request.header("x-request-id").expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn ten_percent_are_the_ten_percent_of_the_vectors() {
    let testbed = testbed(&shadow(&json!({ "requests": 10, "max_in_flight": 1_000 }))).await;
    let ids: Vec<String> = (0..600).map(|n| format!("request-{n}")).collect();
    let (salt, tenth) = (Salt::new(ROLLOUT), Fraction::from_percentage("10"));
    let tenth = tenth.expect("a percentage");
    let expected: BTreeSet<String> = ids
        .iter()
        .filter(|id| tenth.includes(salt.shadow(id.as_bytes())))
        .cloned()
        .collect();
    assert!((30..120).contains(&expected.len()), "{}", expected.len());
    // Sampling has its own bucket: sampled requests are not those that would take v2.
    let requests = ids
        .iter()
        .filter(|id| tenth.includes(salt.request(id.as_bytes())));
    assert_ne!(requests.cloned().collect::<BTreeSet<_>>(), expected);

    let request = |id: &String| request_of(INSIDE).header("x-request-id", id);
    testbed.send(ids.iter().map(request)).await;
    let sampled = expected.len() as u64;
    assert_eq!(
        testbed.settled(sampled).await,
        outcomes([("equal", sampled)])
    );
    assert_eq!(shadowed_ids(&testbed), expected);
    assert_eq!(testbed.v2.requests(), sampled);
}

#[derive(Deserialize)]
struct Row {
    salt: String,
    kind: String,
    key: String,
    percentage: String,
    included: bool,
}

/// The vectors of another implementation, in the proxy itself.
#[tokio::test]
async fn the_vectors_hold_in_envoy() {
    let rows: Vec<Row> = csv::Reader::from_path(corpus::folder().join("buckets.csv"))
        .expect("the vectors")
        .deserialize()
        .map(|row| row.expect("a row of the vectors"))
        // Envoy sets a missing id.
        .filter(|row: &Row| row.kind == "shadow" && !row.key.is_empty())
        .collect();
    // One rollout for each salt and percentage.
    let mut rollouts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &rows {
        let number = rollouts.len();
        rollouts
            .entry((&row.salt, &row.percentage))
            .or_insert(number);
    }
    let mut all = policy(&json!({}));
    let of = |((salt, percentage), number): (&(&str, &str), &usize)| {
        let requests: Value = serde_json::from_str(percentage).expect("a number");
        json!({
            "name": format!("r{number}"),
            "salt": salt,
            "match": { "path": { "prefix": format!("/r{number}/") } },
            "v1": "channels-v1",
            "v2": "channels-v2",
            "mode": "shadow",
            "shadow": { "requests": requests, "max_in_flight": 1_000 },
        })
    };
    all["rollouts"] = rollouts.iter().map(of).collect();
    let testbed = testbed(&all).await;

    let request = |(number, row): (usize, &Row)| {
        let rollout = rollouts[&(&*row.salt, &*row.percentage)];
        let path = format!("/r{rollout}/{number}");
        Request::get(path).header("x-request-id", &row.key)
    };
    let requests: Vec<Request> = rows.iter().enumerate().map(request).collect();
    let expected: BTreeSet<usize> = (0..rows.len()).filter(|n| rows[*n].included).collect();
    assert!(rows.len() > 200 && expected.len() > 80);
    testbed.client().send_all(requests, 8).await;
    testbed.v2.wait_for_requests(expected.len() as u64).await;
    let number = |path: &str| path.rsplit('/').next().and_then(|n| n.parse().ok());
    let shadow_requests = testbed.v2.received();
    let sampled: BTreeSet<usize> = shadow_requests
        .iter()
        .filter_map(|one| number(&one.path))
        .collect();
    assert_eq!(sampled, expected);
    assert_eq!(shadow_requests.len(), expected.len());
}

/// One request of each kind, by its request id.
fn users() -> Vec<Request> {
    let beta = |account| request_of(account).header("x-beta", "1");
    let user = |id: &str, request: Request| request.header("x-request-id", id);
    vec![
        user("inside", request_of(INSIDE)),
        user("outside", request_of(OUTSIDE)),
        user("inside, beta", beta(INSIDE)),
        user("outside, beta", beta(OUTSIDE)),
        user("nobody", Request::get("/v1/Channels")),
        user("malformed", request_of("AC-not-a-sid")),
        user(
            "elsewhere",
            Request::get("/other").header("x-account-sid", INSIDE),
        ),
    ]
}

#[tokio::test]
async fn accounts_conditions_and_modes_restrict_sampling() {
    const EVERYONE: &[&str] = &[
        "inside",
        "inside, beta",
        "malformed",
        "nobody",
        "outside",
        "outside, beta",
    ];
    const OUTSIDERS: &[&str] = &["malformed", "nobody", "outside", "outside, beta"];
    let half = json!({ "mode": "shadow", "shadow": sampling_all(&json!({ "accounts": 50 })) });
    let when =
        |when: Value| json!({ "mode": "shadow", "shadow": sampling_all(&json!({ "when": when })) });
    let mode = |mode: &str| json!({ "mode": mode, "shadow": sampling_all(&json!({})) });
    let with_segments = |changes: &Value| {
        let mut policy = policy(changes);
        policy["segments"] = json!({ "hvc": { "accounts": [INSIDE] } });
        policy
    };
    let mut halted = with_segments(&mode("shadow"));
    halted["halted"] = json!(true);
    let mut rollout_halted = with_segments(&mode("shadow"));
    rollout_halted["rollouts"][0]["halted"] = json!(true);
    let beta = json!({ "x-beta": { "present": true } });
    let expected: [(Value, &[&str]); 12] = [
        (with_segments(&mode("shadow")), EVERYONE),
        (with_segments(&half), &["inside", "inside, beta"]),
        (
            with_segments(&when(json!({ "in": ["hvc"] }))),
            &["inside", "inside, beta"],
        ),
        (
            with_segments(&when(json!({ "not_in": ["hvc"] }))),
            OUTSIDERS,
        ),
        (
            with_segments(&when(json!({ "headers": beta }))),
            &["inside, beta", "outside, beta"],
        ),
        (
            with_segments(&when(json!({ "in": ["hvc"], "headers": beta }))),
            &["inside, beta"],
        ),
        // v2 serves half of the accounts, and only requests of the others can be compared.
        (with_segments(&mode("split")), OUTSIDERS),
        (with_segments(&mode("off")), &[]),
        (with_segments(&mode("dark")), &[]),
        (with_segments(&mode("on")), &[]),
        (halted, &[]),
        (rollout_halted, &[]),
    ];
    let testbed = testbed(&expected[0].0).await;
    let mut before = 0;
    for (policy, shadow_requests) in &expected {
        testbed.swap(policy).await;
        testbed.v1.forget();
        testbed.v2.forget();
        testbed.send(users()).await;
        before += shadow_requests.len() as u64;
        testbed.settled(before).await;
        // Everything sent before has arrived by the end of this one.
        testbed.swap(&expected[0].0).await;
        testbed
            .send([request_of(OUTSIDE).header("x-request-id", "last")])
            .await;
        before += 1;
        assert_eq!(testbed.settled(before).await, outcomes([("equal", before)]));
        let mut wanted: BTreeSet<String> =
            shadow_requests.iter().map(|id| (*id).to_owned()).collect();
        wanted.insert("last".to_owned());
        assert_eq!(shadowed_ids(&testbed), wanted, "{policy:#}");
        assert_eq!(
            testbed.v1.count(super::records_testbed::is_shadow_request),
            0
        );
    }
}
