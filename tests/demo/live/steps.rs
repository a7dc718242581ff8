//! The steps of the demo: an action on the policy or on v2, and its meaning.

use serde_json::{Value, json};
use support::demo::accounts;
use turnout_core::Plan;

/// One step.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    /// The effect, in one sentence.
    pub(crate) meaning: &'static str,
    pub(crate) action: Action,
}

/// What a step does.
pub(crate) enum Action {
    /// `turnout apply`.
    Apply(Policy),
    /// `turnout halt`.
    Halt,
    /// `turnout rollback`, to the policy of this revision.
    Rollback(&'static str),
    /// From now on, so many of a thousand responses of v2 have status 500.
    FailV2(u64),
}

/// The fields of the policy that a step sets.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) revision: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) rules: &'static str,
}

/// The policy that Envoy starts with.
pub(crate) const BEFORE: Policy = Policy {
    revision: "0-before",
    mode: "off",
    rules: "[]",
};
const ONE_PERCENT: &str = r#"[{ "when": { "not_in": ["hvc", "big-customers"] }, "accounts": 1 }]"#;
const TENTH_OF_HALF: Policy = Policy {
    revision: "4-tenth-of-half",
    mode: "split",
    rules: r#"[{ "when": { "not_in": ["hvc", "big-customers"] }, "accounts": 50, "requests": 10 }]"#,
};
const ALL_BUT_HVC: Policy = Policy {
    revision: "5-all-but-hvc",
    mode: "split",
    rules: r#"[{ "when": { "not_in": ["hvc"] } }]"#,
};

pub(crate) const STEPS: [Step; 9] = [
    Step {
        title: "off",
        meaning: "v1 serves everyone.",
        action: Action::Apply(Policy {
            revision: "1-off",
            mode: "off",
            rules: "[]",
        }),
    },
    Step {
        title: "dark",
        meaning: "v1 still serves everyone. The filter counts who would take v2.",
        action: Action::Apply(Policy {
            revision: "2-dark",
            mode: "dark",
            rules: ONE_PERCENT,
        }),
    },
    Step {
        title: "1 % of the accounts",
        meaning: "v2 serves every request of one regular account in a hundred.",
        action: Action::Apply(Policy {
            revision: "3-one-percent",
            mode: "split",
            rules: ONE_PERCENT,
        }),
    },
    Step {
        title: "10 % of the requests of half of the accounts",
        meaning: "v2 serves one request in ten of half of the regular accounts.",
        action: Action::Apply(TENTH_OF_HALF),
    },
    Step {
        title: "all except hvc",
        meaning: "v2 serves everyone except the high-visibility customers.",
        action: Action::Apply(ALL_BUT_HVC),
    },
    Step {
        title: "v2 begins to fail",
        meaning: "One response of v2 in five has status 500. Watch the errors.",
        action: Action::FailV2(200),
    },
    Step {
        title: "halt",
        meaning: "v1 serves everyone again, at once. There is no need to find the reason first.",
        action: Action::Halt,
    },
    Step {
        title: "v2 is repaired",
        meaning: "The policy stays halted.",
        action: Action::FailV2(0),
    },
    Step {
        title: "rollback",
        meaning: "The policy before the halted one is active again. Only --resume ends the halt.",
        action: Action::Rollback(TENTH_OF_HALF.revision),
    },
];

impl Policy {
    /// The whole policy document.
    pub(crate) fn document(self) -> Result<Value, String> {
        let mut policy = accounts::policy();
        policy["revision"] = json!(self.revision);
        policy["rollouts"][0]["mode"] = json!(self.mode);
        policy["rollouts"][0]["rules"] = serde_json::from_str(self.rules)
            .map_err(|error| format!("{error} in {}", self.rules))?;
        Ok(policy)
    }
}

/// A policy, compiled as the filter does.
pub(crate) fn plan(document: &Value) -> Result<Plan, String> {
    Plan::from_json(&document.to_string()).map_err(|diagnostics| {
        let problems = diagnostics.as_slice().iter().map(ToString::to_string);
        problems.collect::<Vec<_>>().join("\n")
    })
}
