//! The filter in a real Envoy, `explain` and `simulate` agree about any request: random policies and twenty thousand
//! random requests, with the rollout, treatment, reason and upstream of each. `simulate` reads the access log of this
//! Envoy and has the same counts.

use std::collections::BTreeMap;

use serde_json::Value;
use support::client::Request;
use support::corpus::{CaseRequest, borrowed, now};
use support::envoy::{Swap, parsed};
use support::random::{HEADERS, Random, policy, request};
use turnout_core::{Configuration, Headers, Inbound, Plan};

use crate::simulate::replay::{counted, decisions_of, replay_of};
use crate::testbed::{Testbed, strip, version};

/// The number of requests for an Envoy.
const POLICIES: u64 = 12;
const REQUESTS: usize = 850;
const CONCURRENCY: usize = 24;

/// Headers that may contain the account.
const ACCOUNT_HEADERS: [&str; 2] = ["x-account-sid", "authorization"];

/// A decision: rollout, treatment, reason, and who responded.
type Decided = [String; 4];

/// Envoy's decision about a request.
struct Seen {
    /// Envoy generates a missing id.
    id: String,
    decided: Decided,
    /// The line of its access log.
    line: String,
}

#[tokio::test]
async fn a_real_envoy_and_explain_agree_where_the_region_is_known() {
    agree_in("us-east-1", 1).await;
}

#[tokio::test]
async fn a_real_envoy_and_explain_agree_where_the_region_is_unknown() {
    agree_in("", 2).await;
}

async fn agree_in(region: &str, seed: u64) {
    let start = strip(&crate::testbed::policy(&serde_json::json!({})));
    let logged: Vec<&str> = ACCOUNT_HEADERS.iter().chain(HEADERS).copied().collect();
    // Our filter alone removes headers, and request ids are those of the requests.
    let testbed = Testbed::live(&start, |b| {
        let b = b.without_native_strip().in_region(region);
        b.log_headers(&logged)
    });
    let testbed = testbed.await;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut replayed = 0;
    let mut random = Random::new(seed);
    for turn in 0..POLICIES {
        let policy = policy(&mut random).to_string();
        let inbound = match turn % 2 {
            0 => Inbound::Strip,
            _ => Inbound::Trust,
        };
        let swap = testbed
            .swap(&Configuration::to_json(&policy, inbound))
            .await;
        assert_eq!(swap, Swap::Accepted, "{policy}");
        let requests: Vec<CaseRequest> = (0..REQUESTS).map(|_| request(&mut random)).collect();
        let before = counted(&testbed).await;
        let seen = sent(&testbed, turn, &requests).await;
        let mut counted = counted(&testbed).await;
        subtract(&mut counted, &before);

        let mut plan = Plan::from_json(&policy).expect("a policy");
        plan.set_region(region);
        let mut log = String::new();
        for (request, seen) in requests.iter().zip(&seen) {
            let explained = explained(&plan, request, &seen.id, inbound);
            assert_eq!(
                seen.decided,
                explained,
                "{:?} of\n{policy}",
                request.pairs()
            );
            let [rollout, treatment, reason, _] = explained;
            if is_in_log(request, &reason) {
                log.push_str(&format!("{}\n", seen.line));
                replayed += 1;
            } else {
                let decision = format!("{rollout}.{treatment}.{reason}");
                subtract(&mut counted, &BTreeMap::from([(decision, 1)]));
            }
            *reasons.entry(format!("{treatment} {reason}")).or_default() += 1;
        }
        // By the account that the filter found, and by its source.
        for account in ["account", "not logged"] {
            let replay = replay_of(account, &logged);
            let decisions = decisions_of(&plan, &replay, &log);
            assert_eq!(decisions, counted, "{account}: {policy}\n{log}");
        }
    }
    // Ensures that the test is not vacuous.
    let often = reasons.values().filter(|count| **count >= 20).count();
    assert!(often >= 10, "{reasons:?}");
    assert_eq!(reasons.contains_key("v1 no_region"), region.is_empty());
    let sent = usize::try_from(POLICIES).expect("a small number") * REQUESTS;
    assert!(replayed * 10 >= sent * 9, "{replayed} of {sent}");
}

/// Whether a line of an access log has everything that a decision needs. It has only one value of a header, and no
/// decision of an earlier hop.
fn is_in_log(request: &CaseRequest, reason: &str) -> bool {
    let headers: Vec<String> = request.pairs().into_iter().map(|(name, _)| name).collect();
    let is_repeated = |name: &String| headers.iter().filter(|known| *known == name).count() > 1;
    reason != "inbound" && !headers.iter().any(is_repeated)
}

fn subtract(counted: &mut BTreeMap<String, u64>, less: &BTreeMap<String, u64>) {
    for (decision, less) in less {
        *counted.get_mut(decision).expect("a counter") -= less;
    }
    counted.retain(|_, count| *count > 0);
}

/// Envoy's decision about each request, from its access log and from who responded.
async fn sent(testbed: &Testbed, turn: u64, requests: &[CaseRequest]) -> Vec<Seen> {
    let mark = |index: usize| format!("?{turn}.{index}");
    let numbered = requests.iter().enumerate();
    let sent = numbered.map(|(index, request)| {
        let path = format!("{}{}", request.path, mark(index));
        let sent = Request::new(&request.method, path).header("host", &request.host);
        let headers = request.headers.iter();
        headers.fold(sent, |sent, (name, value)| sent.header(name, value))
    });
    let responses = testbed.client().send_all(sent.collect(), CONCURRENCY).await;
    let so_far = usize::try_from(turn).expect("a small number") * REQUESTS;
    let log = testbed
        .envoy
        .access_log_lines(so_far + requests.len())
        .await;
    let mut lines: BTreeMap<String, (&String, Value)> = BTreeMap::new();
    for line in &log[so_far..] {
        let fields = parsed(line);
        let path = fields["path"].as_str().expect("a path");
        let mark = path.rfind('?').expect("a mark");
        lines.insert(path[mark..].to_owned(), (line, fields));
    }
    let responses = responses.iter().enumerate();
    responses
        .map(|(index, response)| {
            let (line, fields) = &lines[&mark(index)];
            let text = |name: &str| {
                let text = fields[name].as_str();
                text.unwrap_or_else(|| panic!("{name} of {line}"))
                    .to_owned()
            };
            let [rollout, treatment, reason] = ["rollout", "treatment", "reason"].map(text);
            Seen {
                id: text("request_id"),
                decided: [rollout, treatment, reason, version(response).to_owned()],
                line: (*line).clone(),
            }
        })
        .collect()
}

/// The decision in the last step of an explanation.
fn explained(plan: &Plan, request: &CaseRequest, id: &str, inbound: Inbound) -> Decided {
    let mut pairs = request.pairs();
    if !pairs.iter().any(|(name, _)| name == "x-request-id") {
        pairs.push((String::from("x-request-id"), id.to_owned()));
    }
    let pairs = borrowed(&pairs);
    let request = plan.request(Headers::new(&pairs), inbound, now());
    let explanation = plan.explain(&request);
    let decision = explanation.decision;
    let outcome = explanation.decisive_step().and_then(|step| step.outcome());
    let (treatment, reason) = outcome.unwrap_or((decision.treatment, decision.reason));
    let rollout = decision.rollout.map_or("-", |rollout| &rollout.name);
    [
        rollout.to_owned(),
        treatment.to_string(),
        reason.to_string(),
        decision.served().to_string(),
    ]
}
