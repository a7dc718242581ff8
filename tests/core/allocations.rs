//! Reading a request, deciding and sampling it allocates nothing, whatever the request and the policy; nor
//! does what is written for the next hop, unless decisions of hops before are passed on with it.

use harness::corpus::{self, Scenario, borrowed};
use turnout_core::{Headers, Inbound, decide};

#[test]
fn deciding_allocates_nothing() {
    let mut counted = 0;
    let at = corpus::now();
    for (file, scenario) in Scenario::all() {
        let plan = scenario.plan();
        for case in &scenario.cases {
            let pairs = case.request.pairs();
            let pairs = borrowed(&pairs);
            let allocations = allocation_counter::measure(|| {
                let request = plan.request(Headers::new(&pairs), scenario.inbound(), at);
                let decision = decide(&plan, &request);
                std::hint::black_box(plan.sample(&request, &decision));
                if let (Inbound::Strip, Some(rollout)) = (scenario.inbound(), decision.rollout) {
                    std::hint::black_box(rollout.decision_header(&request, decision.served()));
                }
            });
            assert_eq!(allocations.count_total, 0, "{file}: {}", case.name);
            counted += 1;
        }
    }
    assert!(counted > 100, "only {counted} cases");
}

#[test]
fn the_counter_counts() {
    let allocations = allocation_counter::measure(|| {
        std::hint::black_box(vec![0_u8; 100]);
    });
    assert_eq!(allocations.count_total, 1);
}
