//! The decisions of the corpus, which core and the mock host also test, in a real Envoy: who responds, which headers
//! reach the upstream, and which counters grow.

use std::collections::BTreeMap;

use serde_json::json;
use support::client::Request;
use support::corpus::{Case, Scenario};
use support::envoy::Swap;
use support::render::discovered_with;
use support::wasm::Build;
use turnout_core::Inbound;

use crate::testbed::{Testbed, policy, strip, turnout_headers, version};

#[tokio::test]
async fn every_decision_of_the_corpus_is_right() {
    assert!(comes_true(Build::Whole).await > 150);
}

#[tokio::test]
async fn every_decision_without_shadowing_is_right_in_the_lean_build() {
    assert!(comes_true(Build::Lean).await > 100);
}

/// Returns the number of cases for this build.
async fn comes_true(build: Build) -> usize {
    let start = strip(&policy(&json!({})));
    let mut scenes: BTreeMap<String, Testbed> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut cases = 0;
    for (file, scenario) in Scenario::all() {
        if build == Build::Lean && scenario.needs_shadowing() {
            continue;
        }
        if !scenes.contains_key(&scenario.region) {
            let region = &scenario.region;
            // Our filter alone removes headers, so it sees everything that a case sends.
            let testbed =
                Testbed::live(&start, |b| b.without_native_strip().in_region(region)).await;
            scenes.insert(region.clone(), testbed);
        }
        let testbed = &scenes[&scenario.region];
        let filter = discovered_with(build, &scenario.configuration());
        assert_eq!(
            testbed.envoy.swap_filter(&filter).await,
            Swap::Accepted,
            "{file}"
        );
        let before = testbed.decisions().await;
        let mut expected = BTreeMap::new();
        for case in &scenario.cases {
            cases += 1;
            *expected.entry(case.expect.counter()).or_default() += 1;
            if let Err(failure) = play(testbed, case, scenario.inbound()).await {
                failures.push(format!("{file}, {}: {failure}", case.name));
            }
        }
        let counted = gained(&before, &testbed.decisions().await);
        if counted != expected {
            failures.push(format!("{file}: counted {counted:?}, not {expected:?}"));
        }
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} of {cases} cases:\n{}",
        failures.join("\n")
    );
    cases
}

/// The increments of counters, by their full names.
fn gained(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let gain = |(name, count): (&String, &u64)| {
        let gain = count - before.get(name).copied().unwrap_or_default();
        (format!("turnout.decisions.{name}"), gain)
    };
    after
        .iter()
        .map(gain)
        .filter(|(_, gain)| *gain > 0)
        .collect()
}

async fn play(testbed: &Testbed, case: &Case, inbound: Inbound) -> Result<(), String> {
    let response = testbed.client().try_send(request(case)).await?;
    let served = case.expect.served();
    if version(&response) != served {
        return Err(format!("{} answered", version(&response)));
    }

    // The response does not show this, because a HEAD has no body.
    let upstream = if served == "v2" {
        &testbed.v2
    } else {
        &testbed.v1
    };
    let found = turnout_headers(&upstream.last());
    let expected = expected_headers(case, inbound);
    if found != expected {
        return Err(format!("{found:?} reached upstream, not {expected:?}"));
    }
    Ok(())
}

fn request(case: &Case) -> Request {
    let sent = &case.request;
    let request = Request::new(&sent.method, &sent.path).header("host", &sent.host);
    let headers = sent.headers.iter();
    headers.fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

/// Our headers that the upstream must get.
fn expected_headers(case: &Case, inbound: Inbound) -> Vec<(String, String)> {
    let earlier = match inbound {
        Inbound::Strip => Vec::new(),
        Inbound::Trust => sent_decisions(case),
    };
    let header = |name: &str, value: String| (format!("x-turnout-{name}"), value);
    let Some(rollout) = &case.expect.rollout else {
        // Nothing is added to trusted headers, and nothing is removed.
        return earlier
            .into_iter()
            .map(|value| header("decision", value))
            .collect();
    };
    let served = case.expect.served();
    let of_others = earlier
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|entry| is_decision_of_another(entry, rollout));
    let ours = format!("{rollout}={served}");
    let decisions: Vec<_> = of_others.chain([&*ours]).collect();
    vec![
        header("cluster", format!("channels-{served}")),
        header("decision", decisions.join(",")),
        header("treatment", served.to_owned()),
    ]
}

fn sent_decisions(case: &Case) -> Vec<String> {
    let headers = case.request.headers.iter();
    headers
        .filter(|(name, _)| name == "x-turnout-decision")
        .map(|(_, value)| value.clone())
        .collect()
}

fn is_decision_of_another(entry: &str, rollout: &str) -> bool {
    match entry.split_once('=') {
        Some(("", _)) | None => false,
        Some((name, treatment)) => name != rollout && ["v1", "v2"].contains(&treatment),
    }
}
