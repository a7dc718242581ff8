//! Rejected configurations: Envoy's log has all their errors, and the active policy
//! stays.

use serde_json::{Value, json};
use support::envoy::{Bootstrap, Envoy, Swap};
use support::render::rendered;
use support::upstream::Upstream;
use turnout_core::{Configuration, Inbound};

use crate::testbed::{OUTSIDE, Testbed, filter, policy, request_of, strip, traps, version};

/// A valid policy, as a person writes it.
const GOOD: &str = r#"{
  "version": 1,
  "account": { "from": [ { "header": "x-account-sid" } ], "format": "sid" },
  "segments": { "hvc": { "accounts": ["AC7342e9713fa896e4af00c654c444aada"] } },
  "rollouts": [
    {
      "name": "chat", "v1": "channels-v1", "v2": "channels-v2", "mode": "split",
      "rules": [ { "when": { "not_in": ["hvc"] }, "accounts": 50, "requests": 10 } ]
    }
  ]
}"#;

/// What is wrong, the configuration, and its number of errors.
fn refused() -> Vec<(&'static str, String, usize)> {
    let whole = |text: &str| text.to_owned();
    let edited = |old: &str, new: &str| {
        assert_eq!(GOOD.matches(old).count(), 1, "{old}");
        Configuration::to_json(&GOOD.replace(old, new), Inbound::Strip)
    };
    let good = Configuration::to_json(GOOD, Inbound::Strip);
    vec![
        ("no configuration", whole(""), 1),
        ("blank", whole(" \n\t"), 1),
        ("no JSON", whole("rollouts: []"), 1),
        ("not an object", whole("[]"), 1),
        ("null", whole("null"), 1),
        ("no policy", whole("{}"), 1),
        ("a policy of another type", whole(r#"{"policy": "off"}"#), 1),
        ("a policy without an envelope", whole(GOOD), 5),
        ("cut off", whole(&good[..good.len() / 2]), 1),
        ("cut off before its end", whole(&good[..good.len() - 1]), 1),
        ("something behind it", good.clone() + "}", 1),
        (
            "an unknown envelope field",
            good.replace("inbound", "inbond"),
            1,
        ),
        ("an unknown inbound", good.replace("strip", "trsut"), 1),
        (
            "an empty policy",
            Configuration::to_json("", Inbound::Strip),
            1,
        ),
        (
            "an empty object",
            Configuration::to_json("{}", Inbound::Strip),
            3,
        ),
        (
            "a policy that is no JSON",
            edited("\"rules\": [", "\"rules\": [ ,"),
            1,
        ),
        (
            "an unknown field",
            edited("\"mode\"", "\"mood\": \"split\", \"mode\""),
            1,
        ),
        (
            "a wrong type",
            edited("\"accounts\": 50", "\"accounts\": \"50\""),
            1,
        ),
        ("more than all", edited("50", "101"), 1),
        ("less than nothing", edited("50", "-1"), 1),
        ("too precise", edited("50", "12.1234567"), 1),
        ("an unknown segment", edited("[\"hvc\"]", "[\"hvcs\"]"), 1),
        ("an SID that is none", edited("AC7342", "AX7342"), 1),
        (
            "no clusters",
            edited(r#""v1": "channels-v1", "v2": "channels-v2", "#, ""),
            2,
        ),
        ("two of one name", two_of_one_name(), 1),
        (
            "an unknown mode and no version",
            edited("1,", "7,").replace("split", "spilt"),
            2,
        ),
        (
            "a guard that trips at once",
            edited("\"rules\"", "\"guard\": { \"alpha\": 1 }, \"rules\""),
            1,
        ),
        ("fifty rollouts with one problem each", fifty_problems(), 50),
    ]
}

fn two_of_one_name() -> String {
    let mut twice = policy(&json!({}));
    let rollout = twice["rollouts"][0].clone();
    twice["rollouts"] = json!([rollout, rollout]);
    strip(&twice)
}

fn fifty_problems() -> String {
    let mut fifty = policy(&json!({}));
    let rollout = |number: usize| -> Value {
        let mut rollout = fifty["rollouts"][0].clone();
        rollout["name"] = json!(format!("rollout-{number}"));
        rollout["rules"][0]["accounts"] = json!(101 + number);
        rollout
    };
    fifty["rollouts"] = (0..50).map(rollout).collect();
    strip(&fifty)
}

/// The expected lines of the log, one for each error.
fn complaints(configuration: &[u8]) -> Vec<String> {
    let Err(diagnostics) = Configuration::from_json(configuration) else {
        panic!("accepted: {}", String::from_utf8_lossy(configuration));
    };
    let of_diagnostics = diagnostics.as_slice().iter();
    of_diagnostics
        .map(|problem| format!("turnout: {problem}"))
        .collect()
}

/// Fails unless each error ends a line of the log, once for each rejection.
fn assert_logged(log: &[String], complaints: &[String], name: &str) {
    let times = |text: &str| log.iter().filter(|line| line.ends_with(text)).count();
    let found = complaints.len();
    let refusals = times(&format!(
        "turnout: configuration refused: {found} problem(s)"
    ));
    assert!(refusals > 0, "{name}: not refused in\n{}", log.join("\n"));
    for complaint in complaints {
        let logged = times(complaint);
        let log = || log.join("\n");
        assert_eq!(logged, refusals, "{name}: {complaint:?} in\n{}", log());
    }
    assert_eq!(traps(log), Vec::<&String>::new(), "{name}");
}

#[tokio::test]
async fn a_running_envoy_rejects_all_bad_policies_and_keeps_the_active_one() {
    let testbed = Testbed::live(&strip(&policy(&json!({ "mode": "on" }))), |b| b).await;
    let mut read = testbed.envoy.settled_log().await.len();
    for (name, configuration, problems) in refused() {
        let complaints = complaints(configuration.as_bytes());
        assert_eq!(complaints.len(), problems, "{name}: {complaints:#?}");

        assert_eq!(testbed.swap(&configuration).await, Swap::Rejected, "{name}");
        let log = testbed.envoy.settled_log().await;
        assert_logged(&log[read..], &complaints, name);
        read = log.len();

        // The request is outside of the rollout of the valid policy, so this is the policy before.
        let response = testbed.client().send(request_of(OUTSIDE)).await;
        assert_eq!(version(&response), "v2", "after {name}");
    }
    testbed
        .swap_policy(&policy(&json!({ "mode": "off" })))
        .await;
    let response = testbed.client().send(request_of(OUTSIDE)).await;
    assert_eq!(version(&response), "v1");
}

/// Envoy remembers a rejected configuration and does not ask the filter again, so the log has the reasons
/// once.
#[tokio::test]
async fn a_rejected_configuration_is_rejected_again() {
    let testbed = Testbed::live(&strip(&policy(&json!({ "mode": "on" }))), |b| b).await;
    let bad = strip(&policy(&json!({ "mode": "onn" })));
    for (good, served) in [("off", "v1"), ("on", "v2"), ("off", "v1")] {
        testbed.swap_policy(&policy(&json!({ "mode": good }))).await;
        assert_eq!(testbed.swap(&bad).await, Swap::Rejected);
        let response = testbed.client().send(request_of(OUTSIDE)).await;
        assert_eq!(version(&response), served);
    }
    let log = testbed.envoy.settled_log().await;
    assert_logged(&log, &complaints(bad.as_bytes()), "refused again");
}

/// Another type of value can contain what YAML cannot.
#[tokio::test]
async fn bytes_that_are_not_utf8_are_rejected_like_other_invalid_configurations() {
    let testbed = Testbed::live(&strip(&policy(&json!({ "mode": "on" }))), |b| b).await;
    let (bytes, base64) = (b"{\"\x7f\xff", "eyJ//w==");
    let filter = filter(base64).replace("protobuf.StringValue", "protobuf.BytesValue");
    assert_eq!(testbed.envoy.swap_filter(&filter).await, Swap::Rejected);
    let log = testbed.envoy.settled_log().await;
    assert_logged(&log, &complaints(bytes), "not UTF-8");
    let response = testbed.client().send(request_of(OUTSIDE)).await;
    assert_eq!(version(&response), "v2");
}

#[tokio::test]
async fn envoy_does_not_start_with_bad_policies() {
    const TRIED: [&str; 4] = [
        "no configuration",
        "cut off",
        "no clusters",
        "fifty rollouts with one problem each",
    ];
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    let refused = refused();
    let tried = refused.iter().filter(|(name, ..)| TRIED.contains(name));
    let mut count = 0;
    for (name, configuration, _) in tried {
        let text = rendered("cluster-header.yaml", configuration);
        let log = Envoy::expect_refusal(Bootstrap::new(text, &v1, &v2)).await;
        let lines: Vec<_> = log.lines().map(str::to_owned).collect();
        assert_logged(&lines, &complaints(configuration.as_bytes()), name);
        count += 1;
    }
    assert_eq!(count, TRIED.len());
}
