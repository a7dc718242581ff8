//! The decisions of the corpus in core.

use support::corpus::{self, Scenario, borrowed};
use turnout_core::{Headers, Inbound, Plan, Time, decide};

#[test]
fn every_case_agrees() {
    for (file, scenario) in Scenario::all() {
        let plan = scenario.plan();
        for case in &scenario.cases {
            let pairs = case.request.pairs();
            let pairs = borrowed(&pairs);
            let request = plan.request(Headers::new(&pairs), scenario.inbound(), corpus::now());
            let decision = decide(&plan, &request);
            let found = (
                decision.rollout.map(|rollout| rollout.name.as_str()),
                decision.treatment.as_str(),
                decision.reason.as_str(),
                decision.served().as_str(),
            );
            let expect = &case.expect;
            let expected = (
                expect.rollout.as_deref(),
                expect.treatment.as_str(),
                expect.reason.as_str(),
                expect.served(),
            );
            assert_eq!(found, expected, "{file}: {}", case.name);
        }
    }
}

#[test]
fn a_request_without_an_id_is_outside_unless_all_are_inside() {
    let decide_at = |requests: &str| {
        let policy = format!(
            r#"{{"version": 1, "account": {{"from": [{{"header": "a"}}], "format": "opaque"}},
                "rollouts": [{{"name": "r", "v1": "a", "v2": "b", "mode": "split",
                              "rules": [{{"requests": {requests}}}]}}]}}"#
        );
        let plan = Plan::from_json(&policy).expect("a policy");
        let pairs = [(&b"a"[..], &b"x"[..])];
        let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
        decide(&plan, &request).reason.as_str()
    };
    assert_eq!(decide_at("99.999999"), "outside_requests");
    assert_eq!(decide_at("100"), "rule");
}
