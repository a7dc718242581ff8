//! The filter in a real Envoy and `explain` say the same of any request: random policies, twenty
//! thousand random requests, and for each of them who has it, what is decided, why, and who answers.

use std::collections::BTreeMap;

use harness::client::Request;
use harness::corpus::{CaseRequest, borrowed, now};
use harness::envoy::Swap;
use harness::random::{Random, policy, request};
use serde_json::Value;
use turnout_core::{Configuration, Headers, Inbound, Plan};

use crate::scene::{Scene, strip, version};

/// For an Envoy.
const POLICIES: u64 = 12;
const REQUESTS: usize = 850;
const CONCURRENCY: usize = 24;

/// What is said of a request: its rollout, its treatment, the reason, and who answers.
type Said = [String; 4];

#[tokio::test]
async fn a_real_envoy_and_explain_agree_where_the_region_is_known() {
    agree_in("us-east-1", 1).await;
}

#[tokio::test]
async fn a_real_envoy_and_explain_agree_where_the_region_is_unknown() {
    agree_in("", 2).await;
}

async fn agree_in(region: &str, seed: u64) {
    let start = strip(&crate::scene::policy(&serde_json::json!({})));
    // Our filter alone strips, and ids are those that the requests bring.
    let scene = Scene::live(&start, |b| b.without_native_strip().in_region(region)).await;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut random = Random::new(seed);
    for turn in 0..POLICIES {
        let policy = policy(&mut random).to_string();
        let inbound = match turn % 2 {
            0 => Inbound::Strip,
            _ => Inbound::Trust,
        };
        let swap = scene.swap(&Configuration::to_json(&policy, inbound)).await;
        assert_eq!(swap, Swap::Accepted, "{policy}");
        let requests: Vec<CaseRequest> = (0..REQUESTS).map(|_| request(&mut random)).collect();
        let seen = sent(&scene, turn, &requests).await;

        let mut plan = Plan::from_json(&policy).expect("a policy");
        plan.place_in(region);
        for (request, (id, seen)) in requests.iter().zip(&seen) {
            let told = told(&plan, request, id, inbound);
            assert_eq!(*seen, told, "{:?} of\n{policy}", request.pairs());
            let [_, treatment, reason, _] = told;
            *reasons.entry(format!("{treatment} {reason}")).or_default() += 1;
        }
    }
    // Else little would have been asked.
    let often = reasons.values().filter(|count| **count >= 20).count();
    assert!(often >= 10, "{reasons:?}");
    assert_eq!(reasons.contains_key("v1 no_region"), region.is_empty());
}

/// What Envoy says of each request, in its access log and by who answered, and the request's id:
/// Envoy makes one where there is none.
async fn sent(scene: &Scene, turn: u64, requests: &[CaseRequest]) -> Vec<(String, Said)> {
    let mark = |index: usize| format!("?{turn}.{index}");
    let numbered = requests.iter().enumerate();
    let sent = numbered.map(|(index, request)| {
        let path = format!("{}{}", request.path, mark(index));
        let sent = Request::new(&request.method, path).header("host", &request.host);
        let headers = request.headers.iter();
        headers.fold(sent, |sent, (name, value)| sent.header(name, value))
    });
    let answers = scene.client().send_all(sent.collect(), CONCURRENCY).await;
    let so_far = usize::try_from(turn).expect("a small number") * REQUESTS;
    let log = scene.envoy.access_log(so_far + requests.len()).await;
    let mut lines: BTreeMap<&str, &Value> = BTreeMap::new();
    for line in &log[so_far..] {
        let path = line["path"].as_str().expect("a path");
        let mark = path.rfind('?').expect("a mark");
        lines.insert(&path[mark..], line);
    }
    let answers = answers.iter().enumerate();
    answers
        .map(|(index, answer)| {
            let line = lines[mark(index).as_str()];
            let text = |name: &str| {
                line[name]
                    .as_str()
                    .unwrap_or_else(|| panic!("{name} of {line}"))
                    .to_owned()
            };
            let [rollout, treatment, reason] = ["rollout", "treatment", "reason"].map(text);
            let said = [rollout, treatment, reason, version(answer).to_owned()];
            (text("request_id"), said)
        })
        .collect()
}

/// What the last step of an explanation says.
fn told(plan: &Plan, request: &CaseRequest, id: &str, inbound: Inbound) -> Said {
    let mut pairs = request.pairs();
    if !pairs.iter().any(|(name, _)| name == "x-request-id") {
        pairs.push((String::from("x-request-id"), id.to_owned()));
    }
    let pairs = borrowed(&pairs);
    let request = plan.request(Headers::new(&pairs), inbound, now());
    let explanation = plan.explain(&request);
    let decision = explanation.decision;
    let outcome = explanation.decisive().and_then(|step| step.outcome());
    let (treatment, reason) = outcome.unwrap_or((decision.treatment, decision.reason));
    let rollout = decision.rollout.map_or("-", |rollout| &rollout.name);
    [
        rollout.to_owned(),
        treatment.to_string(),
        reason.to_string(),
        decision.served().to_string(),
    ]
}
