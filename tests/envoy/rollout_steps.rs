//! The steps of a rollout in one Envoy that is never restarted: each step is only a new policy.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Swap;
use turnout_core::{Fraction, Salt};

use crate::testbed::{ROLLOUT, Testbed, policy, request_of, strip, version};

/// At 50 %, all but the third are inside.
const REGULAR: [&str; 4] = [
    "AC00000000000000000000000000000001",
    "AC00000000000000000000000000000002",
    "AC00000000000000000000000000000003",
    "AC00000000000000000000000000000004",
];
const BIG: [&str; 3] = [
    "AC51d0e7b3a2c94f8896e1f0d4b7c3a29e",
    "ACc8e42f6a1b7d4035a9f3e5d20b6c8174",
    "AC9f3b6d1e4a8c42d7b05e7c2f1a9d3860",
];
const HIGH_VISIBILITY: [&str; 3] = [
    "AC7342e9713fa896e4af00c654c444aada",
    "AC0b5f1d2c9e8a47639d10c2b7f4e6a815",
    "ACb77e90d3593ad699fc1f7cd5bb2e35cb",
];
/// Requests of each account at each step: enough to reach both workers.
const REQUESTS: usize = 8;

#[tokio::test]
async fn each_step_of_a_rollout_is_only_a_new_policy() {
    let nobody = BTreeSet::new();
    let regular = BTreeSet::from(REGULAR);
    let regular_and_big: BTreeSet<_> = regular.iter().copied().chain(BIG).collect();
    let everyone: BTreeSet<_> = all().collect();
    let half = inside(50);
    assert!(
        !half.is_empty() && half != regular,
        "nothing to see: {half:?}"
    );

    let testbed = Testbed::live(&strip(&rule(&["hvc", "big-customers"], 0)), |b| b).await;
    assert_eq!(on_v2(&testbed).await, nobody);

    for (percentage, expected) in [(50, half), (100, regular.clone())] {
        let step = rule(&["hvc", "big-customers"], percentage);
        testbed.swap_policy(&step).await;
        assert_eq!(on_v2(&testbed).await, expected, "{percentage} %");
    }

    let refused = rule(&["hvc", "big-costumers"], 0);
    assert_eq!(testbed.swap(&strip(&refused)).await, Swap::Rejected);
    assert_eq!(on_v2(&testbed).await, regular, "after a refused policy");

    testbed.swap_policy(&rule(&["hvc"], 100)).await;
    assert_eq!(on_v2(&testbed).await, regular_and_big);

    testbed
        .swap_policy(&with_segments(&json!({ "mode": "on" })))
        .await;
    assert_eq!(on_v2(&testbed).await, everyone);

    testbed
        .swap_policy(&with_segments(&json!({ "mode": "off" })))
        .await;
    assert_eq!(on_v2(&testbed).await, nobody);

    let mut halted = with_segments(&json!({ "mode": "on" }));
    testbed.swap_policy(&halted).await;
    assert_eq!(on_v2(&testbed).await, everyone);
    halted["halted"] = json!(true);
    testbed.swap_policy(&halted).await;
    assert_eq!(on_v2(&testbed).await, nobody);
}

/// A rule "not in these segments": so many percent of the remaining accounts.
fn rule(not_in: &[&str], percentage: u32) -> Value {
    let rule = json!({ "when": { "not_in": not_in }, "accounts": percentage });
    with_segments(&json!({ "rules": [rule] }))
}

fn with_segments(changes: &Value) -> Value {
    let mut policy = policy(changes);
    policy["segments"] = json!({
        "hvc": { "accounts": HIGH_VISIBILITY },
        "big-customers": { "accounts": BIG },
    });
    policy
}

fn all() -> impl Iterator<Item = &'static str> {
    REGULAR.into_iter().chain(BIG).chain(HIGH_VISIBILITY)
}

/// The regular accounts of the bucket contract.
fn inside(percentage: u32) -> BTreeSet<&'static str> {
    let salt = Salt::new(ROLLOUT);
    let fraction = Fraction::from_percentage(&percentage.to_string()).expect("a percentage");
    let is_inside = |account: &&str| fraction.includes(salt.account(account.as_bytes()));
    REGULAR.into_iter().filter(is_inside).collect()
}

/// The accounts that v2 serves. All requests of an account must have the same treatment.
async fn on_v2(testbed: &Testbed) -> BTreeSet<&'static str> {
    let requests: Vec<Request> = all()
        .flat_map(|account| std::iter::repeat_n(request_of(account), REQUESTS))
        .collect();
    // New connections, which the workers share.
    let responses = testbed.client().send_all(requests, REQUESTS).await;
    let responses = responses.chunks(REQUESTS);
    all()
        .zip(responses)
        .filter(|(account, responses)| {
            let versions: Vec<_> = responses.iter().map(version).collect();
            let first = versions.first().expect("a response");
            let sticky = versions.iter().all(|version| version == first);
            assert!(sticky, "{account} sees both: {versions:?}");
            *first == "v2"
        })
        .map(|(account, _)| account)
        .collect()
}
