//! The steps: what is done to the policy, or to v2, and what that means.

use harness::accounts;
use serde_json::{Value, json};
use turnout_core::Plan;

/// One step.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    /// What it means, in one sentence.
    pub(crate) meaning: &'static str,
    pub(crate) action: Action,
}

/// What is done.
pub(crate) enum Action {
    /// `turnout apply`.
    Apply(Policy),
    /// `turnout halt`.
    Halt,
    /// `turnout rollback`, to this policy.
    Rollback(&'static str),
    /// So many of a thousand answers of v2 are 500 from now on.
    FailV2(u64),
}

/// What of the policy a step is about.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) revision: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) rules: &'static str,
}

/// What Envoy starts with.
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
        meaning: "v1 answers everyone.",
        action: Action::Apply(Policy {
            revision: "1-off",
            mode: "off",
            rules: "[]",
        }),
    },
    Step {
        title: "dark",
        meaning: "v1 still answers everyone; the filter records who would take v2.",
        action: Action::Apply(Policy {
            revision: "2-dark",
            mode: "dark",
            rules: ONE_PERCENT,
        }),
    },
    Step {
        title: "1 % of the accounts",
        meaning: "v2 answers one regular account in a hundred, and these always.",
        action: Action::Apply(Policy {
            revision: "3-one-percent",
            mode: "split",
            rules: ONE_PERCENT,
        }),
    },
    Step {
        title: "a tenth of the requests of half",
        meaning: "v2 answers one request in ten, of half of the regular accounts.",
        action: Action::Apply(TENTH_OF_HALF),
    },
    Step {
        title: "all but hvc",
        meaning: "v2 answers everyone but the high-visibility customers.",
        action: Action::Apply(ALL_BUT_HVC),
    },
    Step {
        title: "v2 begins to fail",
        meaning: "One answer of v2 in five is a 500. See the errors.",
        action: Action::FailV2(200),
    },
    Step {
        title: "halt",
        meaning: "Everyone back to v1, at once: nobody looks for the reason first.",
        action: Action::Halt,
    },
    Step {
        title: "v2 is mended",
        meaning: "The policy stays halted.",
        action: Action::FailV2(0),
    },
    Step {
        title: "rollback",
        meaning: "To the policy before the one that was halted. Only --resume ends the halt as well.",
        action: Action::Rollback(TENTH_OF_HALF.revision),
    },
];

impl Policy {
    /// The whole of it, as a person keeps it.
    pub(crate) fn document(self) -> Result<Value, String> {
        let mut policy = accounts::policy();
        policy["revision"] = json!(self.revision);
        policy["rollouts"][0]["mode"] = json!(self.mode);
        policy["rollouts"][0]["rules"] = serde_json::from_str(self.rules)
            .map_err(|error| format!("{error} in {}", self.rules))?;
        Ok(policy)
    }
}

/// A policy, compiled as the filter does it.
pub(crate) fn plan(document: &Value) -> Result<Plan, String> {
    Plan::from_json(&document.to_string()).map_err(|diagnostics| {
        let problems = diagnostics.as_slice().iter().map(ToString::to_string);
        problems.collect::<Vec<_>>().join("\n")
    })
}
