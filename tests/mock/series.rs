//! The number of metrics series of a rollout. Envoy keeps each for ever, even after the rollout is gone.

use serde_json::{Value, json};
use support::corpus::Scenario;
use turnout_core::{Configuration, Inbound};

use crate::{accept, configured, in_region};

/// The series of the only rollout of a policy, without the parts around its name.
fn series(rollout: &Value, inbound: Inbound) -> Vec<String> {
    let mut whole = json!({ "name": "r", "v1": "a", "v2": "b" });
    for (field, value) in rollout.as_object().expect("fields of a rollout") {
        whole[field] = value.clone();
    }
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [whole],
    });
    let vm = configured(&Configuration::to_json(&policy.to_string(), inbound));
    let names = vm.metrics().into_keys();
    let parts = names.filter_map(|name| {
        let name = name.strip_prefix("turnout.")?.to_owned();
        let (kind, rest) = name.split_once('.')?;
        let rest = rest
            .strip_prefix('r')
            .filter(|rest| rest.is_empty() || rest.starts_with('.'))?;
        Some(format!("{kind}{rest}"))
    });
    parts.collect()
}

/// For any mode and rules. Otherwise a build that replaces another one would lose counts of series that it does
/// not know.
const ALWAYS: [&str; 10] = [
    "v1.default",
    "v1.halted",
    "v1.malformed_account",
    "v1.no_account",
    "v1.off",
    "v1.outside_accounts",
    "v1.outside_requests",
    "v1.rule",
    "v2.on",
    "v2.rule",
];

#[test]
fn a_rollout_has_only_the_series_that_it_can_count() {
    let half = json!([{ "accounts": 50 }]);
    let regions = json!([{ "when": { "regions": ["eu-central-1"] } }]);
    for (rollout, inbound, more) in [
        (json!({ "mode": "off" }), Inbound::Strip, &[][..]),
        (json!({ "mode": "on" }), Inbound::Strip, &[]),
        (json!({ "mode": "on", "halted": true }), Inbound::Strip, &[]),
        (
            json!({ "mode": "dark", "rules": half }),
            Inbound::Strip,
            &[],
        ),
        (
            json!({ "mode": "split", "rules": half }),
            Inbound::Strip,
            &[],
        ),
        (
            json!({ "mode": "split", "rules": half }),
            Inbound::Trust,
            &["v1.inbound", "v2.inbound"],
        ),
        (
            json!({ "mode": "split", "rules": regions }),
            Inbound::Strip,
            &["v1.no_region"],
        ),
    ] {
        let mut expected = [&ALWAYS, more].concat();
        expected.sort_unstable();
        let expected: Vec<_> = expected
            .iter()
            .map(|name| format!("decisions.{name}"))
            .collect();
        assert_eq!(series(&rollout, inbound), expected, "{rollout} {inbound:?}");
    }
    let shadow = json!({ "mode": "shadow", "rules": half, "shadow": { "requests": 1 } });
    let series = series(&shadow, Inbound::Strip);
    let of = |kind: &str| series.iter().filter(|name| name.starts_with(kind)).count();
    // Its outcomes, `shadow_sampled`, `shadow_unproven`, `shadow_in_flight`, and two histograms.
    assert_eq!(
        (of("decisions."), of("shadow."), of("shadow_")),
        (10, 20, 3)
    );
}

/// Counters exist at 0 before they count, so that `increase` sees the first count.
#[test]
fn every_counter_of_the_corpus_is_there_before_it_counts() {
    for (file, scenario) in Scenario::all() {
        let mut vm = in_region(&scenario.region);
        accept(&mut vm, &scenario.configuration());
        let metrics = vm.metrics();
        for case in &scenario.cases {
            let counter = case.expect.counter();
            assert_eq!(
                metrics.get(&counter),
                Some(&0),
                "{file}: {}: {counter}",
                case.name
            );
        }
    }
}
