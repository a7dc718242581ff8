//! What a rollout does with the accounts that no segment lists, which are nearly all of them.
//!
//! One rule has them all: no account decides which, and so the part of them that takes v2 is exactly
//! what that rule says.

use crate::bucketing::Fraction;
use crate::plan::request_match::RegionMatch;
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{Mode, Plan, Rollout, Serve};
use crate::policy::time::Time;
use crate::request::headers::Headers;

/// What is decided for the accounts of no segment, in requests that no earlier hop has decided and
/// that have no header that a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsegmented {
    /// The part of these accounts of which some requests take v2.
    pub accounts: Fraction,
    /// The part of the requests of each such account that takes v2.
    pub requests: Fraction,
    /// A rule that comes first asks for a header: of requests that have it, other parts may take v2.
    pub asks_headers: bool,
    /// The rule that has them names regions, and it is unknown in which the proxy is: all take v1.
    pub lacks_region: bool,
}

impl Unsegmented {
    const NONE: Self = Self {
        accounts: Fraction::NONE,
        requests: Fraction::NONE,
        asks_headers: false,
        lacks_region: false,
    };
}

impl Plan {
    /// What a rollout decides for the accounts of no segment at a moment. In the modes `dark` and
    /// `shadow` it is recorded, and served is v1.
    #[must_use]
    pub fn unsegmented(&self, rollout: &Rollout, at: Time) -> Unsegmented {
        if self.halted || rollout.mode == Mode::Off {
            return Unsegmented::NONE;
        }
        if rollout.mode == Mode::On {
            return Unsegmented {
                accounts: Fraction::ALL,
                requests: Fraction::ALL,
                ..Unsegmented::NONE
            };
        }
        let mut unlisted = Unsegmented::NONE;
        for rule in &rollout.rules {
            let when = &rule.when;
            if !when.within_holds(SegmentSet::NONE) || when.region == RegionMatch::Elsewhere {
                continue;
            }
            unlisted.asks_headers |= !when.headers.is_empty();
            if !when.holds(SegmentSet::NONE, Headers::new(&[])) {
                continue;
            }
            unlisted.lacks_region = when.region == RegionMatch::Unknown;
            if let Serve::V2 { accounts, requests } = &rule.serve
                && !unlisted.lacks_region
            {
                let accounts = accounts.at(at);
                let is_some = *requests != Fraction::NONE && accounts != Fraction::NONE;
                if is_some {
                    (unlisted.accounts, unlisted.requests) = (accounts, *requests);
                }
            }
            break;
        }
        unlisted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::account_id::Account;

    const LISTED: &str = "AC00000000000000000000000000000000";

    fn plan(halted: bool, mode: &str, rules: &str) -> Plan {
        let policy = format!(
            r#"{{ "version": 1, "account": {{ "from": [ {{ "header": "x-account-sid" }} ], "format": "sid" }},
                "segments": {{ "hvc": {{ "accounts": ["{LISTED}"] }} }}, "halted": {halted},
                "rollouts": [ {{ "name": "r", "v1": "a", "v2": "b", "mode": "{mode}", "rules": {rules} }} ] }}"#
        );
        Plan::from_json(&policy).unwrap()
    }

    const CHAINS: [&str; 10] = [
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

    /// Account by account, what decides requests says the same.
    #[test]
    fn it_is_what_each_such_account_gets() {
        for rules in CHAINS {
            for (halted, mode) in [
                (false, "split"),
                (false, "on"),
                (false, "off"),
                (true, "on"),
            ] {
                for region in [None, Some("eu"), Some("us")] {
                    let mut plan = plan(halted, mode, rules);
                    if let Some(region) = region {
                        plan.set_region(region);
                    }
                    agrees(&plan, &format!("{mode} {halted} {region:?} {rules}"));
                }
            }
        }
    }

    fn agrees(plan: &Plan, context: &str) {
        let rollout = &plan.rollouts()[0];
        let at = Time::from_seconds(0);
        let unlisted = plan.unsegmented(rollout, at);
        for number in 1..200_u32 {
            let sid = format!("AC{number:032x}");
            let account = plan.account(sid.as_bytes()).unwrap();
            let standing = plan.account_outcome(rollout, &Account::Known(account), at);
            let position = rollout.account_position(&account);
            let expected = unlisted.accounts.includes(position);
            assert_eq!(standing.requests.is_some(), expected, "{sid}: {context}");
            if let Some(requests) = standing.requests {
                assert_eq!(requests, unlisted.requests, "{sid}: {context}");
            }
        }
    }

    #[test]
    fn it_says_what_it_depends_on() {
        for (rules, asks_headers, lacks_region) in [
            (CHAINS[1], false, false),
            (CHAINS[5], true, false),
            (CHAINS[6], true, false),
            (CHAINS[8], false, true),
            // That header is nothing to an account of no segment.
            (CHAINS[9], false, false),
        ] {
            let plan = plan(false, "split", rules);
            let unlisted = plan.unsegmented(&plan.rollouts()[0], Time::from_seconds(0));
            let says = (unlisted.asks_headers, unlisted.lacks_region);
            assert_eq!(says, (asks_headers, lacks_region), "{rules}");
        }
    }
}
