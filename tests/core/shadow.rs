//! Shadow mode without a proxy: which requests are sampled, which headers a shadow request has, and how the
//! responses are compared, step by step.

mod held_bytes;
mod sampling;
mod trial;
mod truth_table;
mod verdict;

use serde_json::{Value, json};
use turnout_core::shadow::{
    CallResult, NextStep, NoiseModel, Outcome, RecordedValue, Sample, ShadowPlan, StoredResponse,
    Trial, TrialContext, TrialResult, copied_headers,
};
use turnout_core::{Headers, Inbound, Plan, Time, Treatment, decide};

const ACCOUNT: &str = "AC7342e9713fa896e4af00c654c444aada";

fn plan(mode: &str, shadow: &Value) -> Plan {
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "segments": { "big": { "accounts": [] }, "hvc": { "accounts": [ACCOUNT] } },
        "rollouts": [{ "name": "r", "v1": "a", "v2": "b", "mode": mode, "shadow": shadow,
                       "rules": [{ "accounts": 0 }] }],
    });
    Plan::from_json(&policy.to_string()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn shadow(plan: &Plan) -> &ShadowPlan {
    plan.rollouts()[0].shadow.as_ref().expect("a shadow")
}

fn sample(plan: &Plan, headers: &[(&str, &str)], inbound: Inbound) -> Option<Sample> {
    let pairs: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let request = plan.request(Headers::new(&pairs), inbound, Time::default());
    plan.sample(&request, &decide(plan, &request))
}

fn get(path: &str) -> Vec<(&str, &str)> {
    vec![
        (":method", "GET"),
        (":authority", "flex.example.com"),
        (":path", path),
        ("x-account-sid", ACCOUNT),
        ("x-request-id", "2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd"),
    ]
}
