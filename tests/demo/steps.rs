//! The steps of the rollout. Each is a policy, and differs from the one before in its mode, its
//! rules, or both.

use serde_json::{Value, json};
use turnout_core::Plan;

use harness::accounts;

/// One step.
pub(crate) struct Step {
    /// What it is, in a word or two.
    pub(crate) title: &'static str,
    /// What it means, in one sentence.
    pub(crate) meaning: &'static str,
    /// The rollout's `mode`.
    pub(crate) mode: &'static str,
    /// The rollout's `rules`, as people write them.
    pub(crate) rules: &'static str,
}

const A_TENTH_OF_HALF: &str =
    r#"[{ "when": { "not_in": ["hvc", "big-customers"] }, "accounts": 50, "requests": 10 }]"#;
const ALL_REGULAR: &str = r#"[{ "when": { "not_in": ["hvc", "big-customers"] } }]"#;
const ALL_BUT_HVC: &str = r#"[{ "when": { "not_in": ["hvc"] } }]"#;

/// What Envoy starts with.
pub(crate) const BEFORE: Step = Step {
    title: "before",
    meaning: "v1 answers everyone.",
    mode: "off",
    rules: "[]",
};

/// The rollout, there and back.
pub(crate) const ROLLOUT: [Step; 6] = [
    Step {
        title: "dark",
        meaning: "v1 still answers everyone; the filter only records who would take v2.",
        mode: "dark",
        rules: A_TENTH_OF_HALF,
    },
    Step {
        title: "split",
        meaning: "v2 answers one request in ten, of half of the regular accounts.",
        mode: "split",
        rules: A_TENTH_OF_HALF,
    },
    Step {
        title: "all regular accounts",
        meaning: "v2 answers every request of every regular account, and nobody else's.",
        mode: "split",
        rules: ALL_REGULAR,
    },
    Step {
        title: "big customers too",
        meaning: "v2 answers everyone but the high-visibility customers (hvc).",
        mode: "split",
        rules: ALL_BUT_HVC,
    },
    Step {
        title: "everyone",
        meaning: "v2 answers everyone; the rules no longer matter.",
        mode: "on",
        rules: ALL_BUT_HVC,
    },
    Step {
        title: "back",
        meaning: "v1 answers everyone again, from one moment to the next.",
        mode: "off",
        rules: ALL_BUT_HVC,
    },
];

impl Step {
    /// What this step changes in the policy: fields of the rollout.
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

    /// The whole policy: `envoy/policy.json` with the accounts of the demo and this step.
    pub(crate) fn policy(&self) -> Result<String, String> {
        let mut policy = accounts::policy();
        policy["rollouts"][0]["mode"] = json!(self.mode);
        policy["rollouts"][0]["rules"] = parsed(self.rules)?;
        Ok(policy.to_string())
    }

    /// The policy, compiled as the filter does it.
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
