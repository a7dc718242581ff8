//! Any headers are decided, and at the edge our own headers never change the decision.
//!
//! The input is lines of `name: value` with any bytes.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use turnout_core::{Headers, Inbound, Plan, Time, decide, is_turnout_header};

static PLANS: LazyLock<[Plan; 2]> = LazyLock::new(|| {
    [
        include_str!("../../corpus/policies/valid/everything.json"),
        include_str!("../../corpus/policies/valid/opaque-split.json"),
    ]
    .map(|policy| Plan::from_json(policy).expect("a valid policy"))
});

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|byte| *byte == b'\n');
    let pairs: Vec<(&[u8], &[u8])> = lines
        .filter_map(|line| {
            let colon = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        })
        .collect();
    let honest: Vec<_> = pairs
        .iter()
        .copied()
        .filter(|(name, _)| !is_turnout_header(name))
        .collect();
    for plan in PLANS.iter() {
        let outcome = |pairs: &[(&[u8], &[u8])], inbound| {
            let request = plan.request(Headers::new(pairs), inbound, Time::default());
            let decision = decide(plan, &request);
            assert!(decision.reason.treatments().contains(&decision.treatment));
            if let Some(rollout) = decision.rollout {
                let value = rollout.decision_header(&request, decision.served());
                assert!(value.len() < 5_000);
            }
            (
                decision.rollout.map(|rollout| rollout.index),
                decision.treatment,
                decision.reason,
            )
        };
        let _ = outcome(&pairs, Inbound::Trust);
        assert_eq!(
            outcome(&pairs, Inbound::Strip),
            outcome(&honest, Inbound::Strip)
        );
    }
});
