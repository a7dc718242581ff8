//! Allocations: reading, deciding and sampling a request allocates nothing, for any request and policy. Writing
//! the headers for the next hop allocates only if decisions of earlier hops are passed on. What a guard counts of a
//! request allocates nothing. The memory of a plan per account is bounded.

use support::corpus::{self, Scenario, borrowed};
use support::random::{self, Random};
use support::sized_policy::{By, Size, packed};
use turnout_core::{ConfigStream, Configuration, Headers, Inbound, Plan, Time, decide};

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
fn neither_many_rollouts_nor_many_accounts_allocate() {
    for by in [By::Path, By::Host] {
        let size = Size {
            accounts: 10_000,
            rollouts: 1_000,
            by,
        };
        let plan = size.plan();
        for number in 0..100 {
            let mut pairs = size.request(number * 37);
            // Clients do not send this, but could.
            if number % 2 == 0 {
                pairs[0].1.make_ascii_uppercase();
            }
            let rollout = allocates_nothing(&plan, &borrowed(&pairs));
            assert_eq!(
                rollout.as_deref(),
                Some(&*format!("chat-{}", number * 37 % 1_000))
            );
        }
    }
}

/// Accounts in headers, in basic auth and in paths, as SIDs and as opaque ids.
#[test]
fn whatever_the_policy_and_the_request_nothing_is_allocated() {
    let mut random = Random::new(7);
    for _ in 0..40 {
        let policy = random::policy(&mut random).to_string();
        let plan = Plan::from_json(&policy).unwrap_or_else(|problems| panic!("{problems}"));
        for _ in 0..20 {
            let pairs = random::request(&mut random).pairs();
            allocates_nothing(&plan, &borrowed(&pairs));
        }
    }
}

/// The rollout that matches the request.
fn allocates_nothing(plan: &Plan, pairs: &[(&[u8], &[u8])]) -> Option<String> {
    let mut name = None;
    let allocations = allocation_counter::measure(|| {
        let request = plan.request(Headers::new(pairs), Inbound::Strip, Time::default());
        name = decide(plan, &request).rollout.map(|rollout| &rollout.name);
    });
    assert_eq!(allocations.count_total, 0, "{pairs:?}");
    name.cloned()
}

/// The memory that a plan keeps per account, and that compiling takes temporarily.
#[test]
fn an_account_takes_few_bytes() {
    const ACCOUNTS: u32 = 1_000_000;
    let one = [packed(0..ACCOUNTS), String::new()];
    // Two overlapping segments, so that accounts differ in their segments.
    let half = ACCOUNTS / 2;
    let two = [packed(0..half + 1_000), packed(half - 1_000..ACCOUNTS)];
    for (name, [hvc, big], kept, peak) in
        [("one segment", one, 17, 18), ("two segments", two, 22, 32)]
    {
        let policy = format!(
            r#"{{"version": 1, "revision": "1",
                "account": {{"from": [{{"header": "x-account-sid"}}], "format": "sid"}},
                "segments": {{"hvc": {{"accounts_packed": "{hvc}"}}, "big": {{"accounts_packed": "{big}"}}}},
                "rollouts": []}}"#
        );
        let configuration = Configuration::to_json(&policy, Inbound::Strip);
        drop(policy);
        let mut plan = None;
        let measured = allocation_counter::measure(|| {
            // Without a copy, as in a proxy.
            let mut intake = ConfigStream::new(configuration.len());
            for piece in configuration.as_bytes().chunks(1 << 20) {
                intake.push(piece);
            }
            plan = Configuration::read(intake, &|_| Vec::new()).ok();
        });
        assert!(plan.is_some());
        let per_account = |bytes: u64| bytes.div_ceil(ACCOUNTS.into());
        let now = per_account(u64::try_from(measured.bytes_current).expect("more than before"));
        let most = per_account(measured.bytes_max);
        assert!(
            now <= kept && most <= peak,
            "{name}: {now} bytes, {most} at the peak"
        );
    }
}

#[test]
fn the_counter_counts() {
    let allocations = allocation_counter::measure(|| {
        std::hint::black_box(vec![0_u8; 100]);
    });
    assert_eq!(allocations.count_total, 1);
}
