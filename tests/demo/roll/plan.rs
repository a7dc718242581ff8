//! The plan, its policies, and what each step must decide.

use serde_json::{Value, json};
use support::demo::accounts::Segment;
use turnout_core::{Account, Fraction, Plan, Time};

/// The name of the rollout.
pub(crate) const ROLLOUT: &str = "chat-messages";
/// The percentage of requests in the steps that are compared.
pub(crate) const COMPARED: u32 = 50;
/// By how much v2's error rate may exceed what the guard allows, in percent. The default is 0.1; a larger number needs
/// fewer requests.
pub(crate) const EXCESS: u32 = 3;
/// How long the guard waits for slow failures.
pub(crate) const SETTLE_SECONDS: u64 = 1;

/// A step of the plan.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) accounts: u32,
    pub(crate) requests: u32,
    /// The compared requests of v2 that it needs.
    pub(crate) bake: Option<u64>,
}

const fn step(name: &'static str, accounts: u32, requests: u32, bake: Option<u64>) -> Step {
    Step {
        name,
        accounts,
        requests,
        bake,
    }
}

pub(crate) const STEPS: [Step; 4] = [
    step("canary", 10, COMPARED, Some(250)),
    step("quarter", 25, COMPARED, Some(400)),
    step("half", 50, COMPARED, Some(600)),
    step("all", 100, 100, None),
];
/// The step at which v2 gets worse in the second act.
pub(crate) const WORSE_AT: usize = 2;

/// What a proxy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Active {
    /// The policy with which the plan begins: v1 serves everyone.
    Before,
    /// A step, by its index.
    Step(usize),
}

/// A release of v2: its policy, and the plans of all that a proxy may run meanwhile.
pub(crate) struct Release {
    pub(crate) name: &'static str,
    before: Plan,
    steps: Vec<Plan>,
}

impl Release {
    pub(crate) fn new(name: &'static str) -> Result<Self, String> {
        let compile = |policy: &Value| {
            Plan::from_json(&policy.to_string()).map_err(|problems| problems.to_string())
        };
        let steps = STEPS.iter().map(|step| {
            let mut rules = vec![json!({ "accounts": step.accounts, "requests": step.requests })];
            if step.bake.is_some() {
                rules.insert(0, json!({ "when": { "in": ["hvc"] }, "serve": "v1" }));
            }
            compile(&policy(name, &json!(rules)))
        });
        Ok(Self {
            name,
            before: compile(&Self::policy_of(name))?,
            steps: steps.collect::<Result<_, _>>()?,
        })
    }

    /// The policy with which the plan begins.
    pub(crate) fn policy(&self) -> Value {
        Self::policy_of(self.name)
    }

    fn policy_of(name: &str) -> Value {
        policy(name, &json!([{ "accounts": 0, "requests": COMPARED }]))
    }

    /// The expected decisions of what a proxy runs.
    pub(crate) fn plan(&self, active: Active) -> &Plan {
        match active {
            Active::Before => &self.before,
            Active::Step(index) => &self.steps[index],
        }
    }

    /// What a revision of this release is.
    pub(crate) fn active(&self, revision: &str) -> Option<Active> {
        let rest = revision.strip_prefix(self.name)?;
        if rest.is_empty() {
            return Some(Active::Before);
        }
        let name = rest.strip_prefix("+roll.")?.split('.').next();
        let index = STEPS.iter().position(|step| Some(step.name) == name)?;
        Some(Active::Step(index))
    }

    /// Whether v2 may serve requests of an account.
    pub(crate) fn selects(&self, active: Active, sid: &str) -> bool {
        let plan = self.plan(active);
        let (Some(rollout), Some(account)) =
            (plan.rollouts().first(), plan.account(sid.as_bytes()))
        else {
            return false;
        };
        let outcome =
            plan.account_outcome(rollout, &Account::Known(account), Time::from_seconds(0));
        rollout.served(&outcome) != Fraction::NONE
    }

    /// Whether an account takes v2 for the first time in the step at which v2 gets worse.
    pub(crate) fn is_new_at_the_worse_step(&self, sid: &str) -> bool {
        let at = |index| self.selects(Active::Step(index), sid);
        at(WORSE_AT) && !at(WORSE_AT - 1)
    }
}

/// The plan of a release.
pub(crate) fn document(policy: &str) -> Value {
    let steps = STEPS.iter().map(|step| {
        let mut document = json!({
            "name": step.name,
            "accounts": step.accounts,
            "requests": step.requests,
        });
        if let Some(requests) = step.bake {
            document["bake"] = json!({ "requests": requests });
        }
        document
    });
    let last = STEPS.last().map_or("", |step| step.name);
    json!({
        "version": 1,
        "policy": policy,
        "rollout": ROLLOUT,
        "excess_percent": EXCESS,
        "steps": steps.collect::<Vec<_>>(),
        "forbid": [{ "segment": "hvc", "until": last }],
        "on_regressed": "previous_step",
    })
}

fn policy(revision: &str, rules: &Value) -> Value {
    let hvc: Vec<String> = Segment::HighVisibility.sids().collect();
    json!({
        "version": 1,
        "revision": revision,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "segments": { "hvc": { "accounts": hvc } },
        "rollouts": [{
            "name": ROLLOUT,
            "match": { "path": { "prefix": "/v1/" } },
            "v1": "channels-v1",
            "v2": "channels-v2",
            "mode": "split",
            "rules": rules,
            "guard": { "settle_seconds": SETTLE_SECONDS },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_names_its_step() {
        let release = Release::new("r1").expect("a release");
        let step = |revision| release.active(revision);
        assert_eq!(step("r1"), Some(Active::Before));
        assert_eq!(step("r1+roll.half.01234567"), Some(Active::Step(2)));
        for other in ["r2", "r1-halted", "r1+roll.unknown.01234567"] {
            assert_eq!(step(other), None, "{other}");
        }
    }

    #[test]
    fn high_visibility_customers_come_last() {
        let release = Release::new("r1").expect("a release");
        for sid in Segment::HighVisibility.sids() {
            let selected = (0..STEPS.len()).map(|index| release.selects(Active::Step(index), &sid));
            assert_eq!(selected.collect::<Vec<_>>(), [false, false, false, true]);
        }
    }

    #[test]
    fn each_step_adds_accounts_and_removes_none() {
        let release = Release::new("r1").expect("a release");
        let mut before = 0;
        for index in 0..STEPS.len() {
            let count = |sid: &String| release.selects(Active::Step(index), sid);
            let now = Segment::Regular.sids().filter(count).count();
            assert!(now > before, "step {index}: {now} accounts");
            before = now;
        }
        assert_eq!(before, Segment::Regular.size());
    }
}
