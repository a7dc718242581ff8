//! Schedules of plans.

use turnout_core::{AccountFiles, Fraction};

use crate::{StepSchedule, Traffic, schedule};

use super::corpus::{check, policy};

fn schedules(policy: &str, steps: &str, thousandths: u64, errors: &str) -> Vec<StepSchedule> {
    let plan = format!(
        r#"{{ "version": 1, "policy": "p", "rollout": "chat-users", "steps": [{steps}] }}"#
    );
    let checked = check(&plan, policy);
    let plan = checked.plan.expect("a plan");
    assert_eq!(
        plan.steps.len(),
        checked.steps.len(),
        "{}",
        checked.diagnostics
    );
    let traffic = Traffic {
        requests_per_second_thousandths: thousandths,
        errors: Fraction::from_percentage(errors).expect("a percentage"),
    };
    schedule(&plan, &checked.steps, &AccountFiles::default(), traffic)
}

const STEPS: &str = r#"
    { "name": "a", "accounts": 1, "requests": 50, "bake": { "requests": 10000, "minutes": 10 } },
    { "name": "b", "accounts": 50, "requests": 20, "bake": { "requests": 10000, "minutes": 10 } },
    { "name": "c", "accounts": 100, "requests": 100 }"#;

#[test]
fn each_step_takes_the_longest_of_its_times() {
    // 2,000 requests per second.
    let found = schedules(&policy("one-rule"), STEPS, 2_000_000, "0");
    let [a, b, c] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (a.name.as_str(), a.v2_per_second_thousandths),
        ("a", 10_000)
    );
    // `settle_seconds` is 20 by default.
    assert_eq!(a.seconds_for_requests, Some(1_020));
    assert_eq!(a.seconds_for_minutes, Some(600));
    assert_eq!(a.healthy_requests, Some(6_123));
    assert_eq!(a.seconds_until_healthy, Some(633));
    assert_eq!(a.seconds, Some(1_020));
    assert_eq!(b.v2_per_second_thousandths, 200_000);
    assert_eq!(b.seconds_for_requests, Some(70));
    assert_eq!(b.seconds, Some(600));
    assert_eq!((c.seconds, c.seconds_for_minutes), (Some(0), None));
    assert_eq!((c.healthy_requests, c.v2_per_second_thousandths), (None, 0));
}

#[test]
fn errors_of_both_treatments_take_longer() {
    let needed = |errors: &str| {
        let found = schedules(&policy("one-rule"), STEPS, 2_000_000, errors);
        found[0].healthy_requests.expect("a number")
    };
    let found = ["0", "0.01", "0.1", "1"].map(needed);
    assert!(found.is_sorted(), "{found:?}");
    assert!(found[3] > 2 * found[0], "{found:?}");
}

#[test]
fn a_step_without_traffic_never_ends() {
    let found = schedules(&policy("one-rule"), STEPS, 0, "0");
    assert_eq!(found[0].seconds_for_requests, None);
    assert_eq!(found[0].seconds, None);
    assert_eq!(found[0].healthy_requests, Some(6_123));
    // The most traffic does not overflow.
    let found = schedules(&policy("one-rule"), STEPS, u64::MAX, "100");
    assert_eq!(found[0].seconds_for_requests, Some(21));
}

#[test]
fn the_last_rule_with_a_control_or_with_a_limit_decides() {
    let steps = r#"{ "name": "a", "rule": 2, "accounts": 1, "bake": { "requests": 10000 } },
        { "name": "b", "rules": [{ "when": { "in": ["beta"] }, "requests": 50 }, {}], "bake": { "requests": 10000 } },
        { "name": "c", "rules": [{}] }"#;
    let found = schedules(&policy("base"), steps, 1_000_000, "0");
    let rates: Vec<u64> = found
        .iter()
        .map(|step| step.v2_per_second_thousandths)
        .collect();
    assert_eq!(rates, [5_000, 500_000, 0]);
    let steps = r#"{ "name": "a", "requests": 100, "bake": { "requests": 10000 } }"#;
    let found = schedules(&policy("limit"), steps, 1_000_000, "0");
    assert_eq!(found[0].v2_per_second_thousandths, 10_000);
    assert_eq!(found[0].healthy_requests, Some(613));
    // v2 fails more often than the limit of 1 % allows.
    let found = schedules(&policy("limit"), steps, 1_000_000, "2");
    assert_eq!((found[0].healthy_requests, found[0].seconds), (None, None));
}
