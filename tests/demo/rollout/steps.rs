//! The steps of the rollout. Each step is a policy that changes the mode or the rules of the one before.

use serde_json::{Value, json};
use turnout_core::Plan;

use support::demo::accounts;

/// One step.
pub(crate) struct Step {
    /// A word or two.
    pub(crate) title: &'static str,
    /// The effect, in one sentence.
    pub(crate) meaning: &'static str,
    /// The rollout's `mode`.
    pub(crate) mode: &'static str,
    /// The rollout's `rules` as JSON.
    pub(crate) rules: &'static str,
}

const A_TENTH_OF_HALF: &str =
    r#"[{ "when": { "not_in": ["hvc", "big-customers"] }, "accounts": 50, "requests": 10 }]"#;
const ALL_REGULAR: &str = r#"[{ "when": { "not_in": ["hvc", "big-customers"] } }]"#;
const ALL_BUT_HVC: &str = r#"[{ "when": { "not_in": ["hvc"] } }]"#;

/// The policy that Envoy starts with.
pub(crate) const BEFORE: Step = Step {
    title: "before",
    meaning: "v1 serves everyone.",
    mode: "off",
    rules: "[]",
};

/// The rollout to v2 and back to v1.
pub(crate) const ROLLOUT: [Step; 6] = [
    Step {
        title: "dark",
        meaning: "v1 still serves everyone. The filter only counts who would take v2.",
        mode: "dark",
        rules: A_TENTH_OF_HALF,
    },
    Step {
        title: "split",
        meaning: "v2 serves one request in ten of half of the regular accounts.",
        mode: "split",
        rules: A_TENTH_OF_HALF,
    },
    Step {
        title: "all regular accounts",
        meaning: "v2 serves every request of the regular accounts, and no other.",
        mode: "split",
        rules: ALL_REGULAR,
    },
    Step {
        title: "big customers too",
        meaning: "v2 serves everyone except the high-visibility customers (hvc).",
        mode: "split",
        rules: ALL_BUT_HVC,
    },
    Step {
        title: "everyone",
        meaning: "v2 serves everyone. The rules no longer matter.",
        mode: "on",
        rules: ALL_BUT_HVC,
    },
    Step {
        title: "back",
        meaning: "v1 serves everyone again, at once.",
        mode: "off",
        rules: ALL_BUT_HVC,
    },
];

impl Step {
    /// The fields of the rollout that this step changes.
    pub(crate) fn changes(&self, before: &Self) -> Vec<String> {
        let fields = [
            (
                "mode",
                format!("\"{}\"", self.mode),
                before.mode != self.mode,
            ),
            ("rules", self.rules.to_owned(), before.rules != self.rules),
        ];
        fields
            .into_iter()
            .filter(|(_, _, changed)| *changed)
            .map(|(name, value, _)| format!("\"{name}\": {value}"))
            .collect()
    }

    /// The whole policy: `envoy/policy.json` with the accounts of the demo and the fields of this step.
    pub(crate) fn policy(&self) -> Result<String, String> {
        let mut policy = accounts::policy();
        policy["rollouts"][0]["mode"] = json!(self.mode);
        policy["rollouts"][0]["rules"] = parsed(self.rules)?;
        Ok(policy.to_string())
    }

    /// The policy, compiled as the filter does.
    pub(crate) fn plan(&self) -> Result<Plan, String> {
        Plan::from_json(&self.policy()?).map_err(|diagnostics| {
            let problems = diagnostics.as_slice().iter().map(ToString::to_string);
            problems.collect::<Vec<_>>().join("\n")
        })
    }
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in:\n{text}"))
}
