//! Account reports agree with the decisions of requests.

use proptest::prelude::*;
use turnout_core::{Account, Fraction, Headers, Inbound, Reason, Time, Treatment, decide};
use turnout_simulate::{AccountReport, ListOptions};

use crate::policies::{ACCOUNTS, account, moment, plan, policy, region};

/// A request that matches the rollout.
fn headers<'a>(rollout: &str, account: &'a str, id: &'a str) -> Vec<(Vec<u8>, Vec<u8>)> {
    [
        (":method", "POST"),
        (":authority", &format!("{rollout}.example.com")),
        (":path", &format!("/{rollout}/x")),
        ("x-account", account),
        ("x-request-id", id),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.into(), value.into()))
    .collect()
}

proptest! {
    /// The decision of a request follows from the outcome of its account, whatever its request id.
    #[test]
    fn a_decision_follows_from_the_account_outcome(
        policy in policy(), region in region(), at in moment(), number in 0..ACCOUNTS,
        account in prop_oneof![3 => Just(None), 1 => "[a-z]{0,3}".prop_map(Some)],
        ids in prop::collection::vec("[a-z0-9]{0,8}", 20),
    ) {
        let plan = plan(&policy, region);
        let text = account.unwrap_or_else(|| crate::policies::account(number));
        for id in &ids {
            let headers = headers("a", &text, id);
            let pairs: Vec<_> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
            let request = plan.request(Headers::new(&pairs), Inbound::Strip, at);
            let decision = decide(&plan, &request);
            let Some(rollout) = decision.rollout else {
                continue;
            };
            let standing = plan.account_outcome(rollout, &request.account, at);
            prop_assert_eq!(decision.rule, standing.rule);
            match (decision.treatment, standing.requests) {
                (Treatment::V2, Some(requests)) => {
                    prop_assert_ne!(requests, Fraction::NONE);
                    prop_assert_eq!(decision.reason, standing.reason);
                }
                (Treatment::V1, Some(requests)) => {
                    prop_assert_ne!(requests, Fraction::ALL);
                    prop_assert_eq!(decision.reason, Reason::OutsideRequests);
                }
                (Treatment::V1, None) => prop_assert_eq!(decision.reason, standing.reason),
                (Treatment::V2, None) => prop_assert!(false, "v2, though nothing takes v2"),
            }
            if decision.served() == Treatment::V2 {
                prop_assert_ne!(rollout.served(&standing), Fraction::NONE);
            }
        }
    }

    /// Every account is counted in one column, and in each of its segments or in no segment.
    #[test]
    fn accounts_are_counted_once(
        policy in policy(), region in region(), at in moment(),
        numbers in prop::collection::vec(0..ACCOUNTS, 1..60),
    ) {
        let plan = plan(&policy, region);
        let list: String = numbers.iter().map(|number| account(*number) + "\n").collect();
        let census = AccountReport::of(&plan, at, &ListOptions::default(), list.as_bytes()).expect("it is read");
        let count = numbers.len() as u64;
        prop_assert_eq!(census.accounts.accounts, count);
        for (rollout, counted) in plan.rollouts().iter().zip(&census.rollouts) {
            let columns = |group: &turnout_simulate::AccountGroup| {
                prop_assert_eq!(group.v2, group.v2_all + group.v2_part);
                Ok(group.v2 + group.outside_accounts + group.outside_requests + group.rule_v1
                    + group.default + group.no_region + group.halted + group.off)
            };
            prop_assert_eq!(columns(&counted.total)?, count);
            let v2 = numbers.iter().filter(|number| {
                let text = account(**number);
                let account = Account::Known(plan.account(text.as_bytes()).expect("an account"));
                let standing = plan.account_outcome(rollout, &account, at);
                standing.requests.is_some()
            });
            prop_assert_eq!(counted.total.v2, v2.count() as u64);
            for (index, group) in counted.segments.iter().enumerate() {
                let of = numbers.iter().filter(|number| {
                    plan.accounts_of_segment(index).any(|known| known == account(**number).as_bytes())
                });
                prop_assert_eq!(group.accounts, of.count() as u64);
                prop_assert_eq!(columns(group)?, group.accounts);
            }
            let none = numbers.iter().filter(|number| {
                let text = account(**number);
                let account = plan.account(text.as_bytes()).expect("an account");
                plan.segments_of(&account).next().is_none()
            });
            prop_assert_eq!(counted.no_segment.accounts, none.count() as u64);
            let by_rule: u64 = counted.rules.iter().map(|rule| rule.v1 + rule.v2).sum();
            let total = &counted.total;
            let elsewhere = total.default + total.halted + total.off;
            if rollout.mode.as_str() != "on" {
                prop_assert_eq!(by_rule + elsewhere, count);
            }
        }
    }
}

/// A rule may include accounts and none of their requests.
#[test]
fn an_account_with_no_request_on_v2_is_not_on_v2() {
    let policy = serde_json::json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account" }], "format": "sid" },
        "rollouts": [{ "name": "r", "v1": "a", "v2": "b", "mode": "split",
            "rules": [{ "accounts": 100, "requests": 0 }] }],
    });
    let plan = plan(&policy.to_string(), None);
    let census = AccountReport::of(
        &plan,
        Time::default(),
        &ListOptions::default(),
        account(0).as_bytes(),
    );
    let total = &census.expect("it is read").rollouts[0].total;
    assert_eq!(
        (total.accounts, total.v2, total.outside_requests),
        (1, 0, 1)
    );
}
