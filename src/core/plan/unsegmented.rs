//! The outcome for accounts in no segment, which are nearly all accounts.
//!
//! The same rule decides all of them, so the percentage of them that gets v2 is exactly that of the rule.

use crate::bucketing::Fraction;
use crate::plan::request_match::RegionMatch;
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{Mode, Plan, Rollout, Serve};
use crate::policy::time::Time;
use crate::request::headers::Headers;

/// The outcome for accounts in no segment. It applies to requests that no earlier hop has decided and that have
/// none of the headers that rules match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsegmented {
    /// The percentage of these accounts that is sent to v2.
    pub accounts: Fraction,
    /// The percentage of the requests of each such account that gets v2.
    pub requests: Fraction,
    /// Whether an earlier rule tests a header, so that the percentages may differ for requests that have it.
    pub depends_on_headers: bool,
    /// Whether the rule that decides names regions and the region of the proxy is unknown, so that all requests
    /// get v1.
    pub needs_region: bool,
}

impl Unsegmented {
    const NONE: Self = Self {
        accounts: Fraction::NONE,
        requests: Fraction::NONE,
        depends_on_headers: false,
        needs_region: false,
    };
}

impl Plan {
    /// Returns the outcome of a rollout for accounts in no segment at a point in time. In the modes `dark` and
    /// `shadow` it is recorded, but v1 is served.
    #[must_use]
    pub fn unsegmented(&self, rollout: &Rollout, at: Time) -> Unsegmented {
        if rollout.is_halted || rollout.mode == Mode::Off {
            return Unsegmented::NONE;
        }
        if rollout.mode == Mode::On {
            return Unsegmented {
                accounts: Fraction::ALL,
                requests: Fraction::ALL,
                ..Unsegmented::NONE
            };
        }
        let mut outcome = Unsegmented::NONE;
        for rule in &rollout.rules {
            let when = &rule.when;
            if !when.within_holds(SegmentSet::NONE) || when.region == RegionMatch::Elsewhere {
                continue;
            }
            outcome.depends_on_headers |= !when.headers.is_empty();
            if !when.holds(SegmentSet::NONE, Headers::new(&[])) {
                continue;
            }
            outcome.needs_region = when.region == RegionMatch::Unknown;
            if let Serve::V2 { accounts, requests } = &rule.serve
                && !outcome.needs_region
            {
                let accounts = accounts.at(at);
                let is_some = *requests != Fraction::NONE && accounts != Fraction::NONE;
                if is_some {
                    (outcome.accounts, outcome.requests) = (accounts, *requests);
                }
            }
            break;
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::account_id::Account;

    const SEGMENTED: &str = "AC00000000000000000000000000000000";

    fn plan(halted: [bool; 2], mode: &str, rules: &str) -> Plan {
        let [halted, of_rollout] = halted;
        let policy = format!(
            r#"{{ "version": 1, "account": {{ "from": [ {{ "header": "x-account-sid" }} ], "format": "sid" }},
                "segments": {{ "hvc": {{ "accounts": ["{SEGMENTED}"] }} }}, "halted": {halted},
                "rollouts": [ {{ "name": "r", "v1": "a", "v2": "b", "mode": "{mode}", "halted": {of_rollout},
                    "rules": {rules} }} ] }}"#
        );
        Plan::from_json(&policy).unwrap()
    }

    const RULES: [&str; 10] = [
        "[]",
        r#"[{ "accounts": 50, "requests": 10 }]"#,
        r#"[{ "accounts": 50, "requests": 0 }]"#,
        r#"[{ "when": { "in": ["hvc"] } }, { "accounts": 12.5 }]"#,
        r#"[{ "when": { "not_in": ["hvc"] }, "accounts": 1 }, { "accounts": 90 }]"#,
        r#"[{ "when": { "headers": { "x-beta": { "present": true } } } }, { "accounts": 5 }]"#,
        r#"[{ "when": { "headers": { "x-beta": { "present": false } } }, "accounts": 7 }]"#,
        r#"[{ "serve": "v1" }, { "accounts": 90 }]"#,
        r#"[{ "when": { "regions": ["eu"] }, "accounts": 30 }, { "accounts": 60 }]"#,
        r#"[{ "when": { "in": ["hvc"], "headers": { "x-beta": { "present": true } } } }, { "accounts": 5 }]"#,
    ];

    /// Compares the outcome with that of each single account.
    #[test]
    fn it_is_the_outcome_of_each_such_account() {
        for rules in RULES {
            for (halted, mode) in [
                ([false, false], "split"),
                ([false, false], "on"),
                ([false, false], "off"),
                ([true, false], "on"),
                ([false, true], "on"),
                ([false, true], "split"),
            ] {
                for region in [None, Some("eu"), Some("us")] {
                    let mut plan = plan(halted, mode, rules);
                    if let Some(region) = region {
                        plan.set_region(region);
                    }
                    check(&plan, &format!("{mode} {halted:?} {region:?} {rules}"));
                }
            }
        }
    }

    fn check(plan: &Plan, context: &str) {
        let rollout = &plan.rollouts()[0];
        let at = Time::from_seconds(0);
        let outcome = plan.unsegmented(rollout, at);
        for number in 1..200_u32 {
            let sid = format!("AC{number:032x}");
            let account = plan.account(sid.as_bytes()).unwrap();
            let account_outcome = plan.account_outcome(rollout, &Account::Known(account), at);
            let position = rollout.account_position(&account);
            let expected = outcome.accounts.includes(position);
            assert_eq!(
                account_outcome.requests.is_some(),
                expected,
                "{sid}: {context}"
            );
            if let Some(requests) = account_outcome.requests {
                assert_eq!(requests, outcome.requests, "{sid}: {context}");
            }
        }
    }

    #[test]
    fn it_reports_dependencies_on_headers_and_region() {
        for (rules, depends_on_headers, needs_region) in [
            (RULES[1], false, false),
            (RULES[5], true, false),
            (RULES[6], true, false),
            (RULES[8], false, true),
            // The rule with the header does not apply to accounts in no segment.
            (RULES[9], false, false),
        ] {
            let plan = plan([false; 2], "split", rules);
            let outcome = plan.unsegmented(&plan.rollouts()[0], Time::from_seconds(0));
            let found = (outcome.depends_on_headers, outcome.needs_region);
            assert_eq!(found, (depends_on_headers, needs_region), "{rules}");
        }
    }
}
