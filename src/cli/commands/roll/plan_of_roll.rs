//! The plan of a roll, checked, with what each step needs.

use std::path::PathBuf;

use turnout_core::{AccountFiles, ParsedPolicy, Plan, Severity};
use turnout_judge::JudgedRollout;
use turnout_roll::{RollPlan, StepPolicy, Steps};
use turnout_text::{escape_for_terminal, nearest};

use crate::support::{render_diagnostics, roll_plan_file};

use super::Arguments;

/// The plan of a roll, checked, with what each step needs.
pub(super) struct PlanOfRoll {
    pub(super) plan: RollPlan,
    pub(super) policies: Vec<StepPolicy>,
    /// The compiled policy of each step.
    pub(super) compiled: Vec<Plan>,
    /// What the judge needs of each step.
    pub(super) judged: Vec<JudgedRollout>,
    /// The folder of the policy, to which its account files are relative.
    pub(super) policy_folder: PathBuf,
    pub(super) account_files: AccountFiles,
}

impl PlanOfRoll {
    /// Reads and checks a plan. Prints its problems if one of them is an error, and returns `None`. With `--check`, it
    /// prints warnings too. The error is a sentence.
    pub(super) fn read(arguments: &Arguments) -> Result<Option<Self>, String> {
        let file = roll_plan_file::read(&arguments.plan, arguments.account_files.access())?;
        let has_errors = file.checked.count(Severity::Error) > 0;
        if has_errors || arguments.check {
            file.show();
            render_diagnostics::sum_up(&file.name, &file.checked.diagnostics);
        }
        let (Some(plan), Some(policy), false) = (file.checked.plan, file.policy, has_errors) else {
            return Ok(None);
        };
        let policies = file.checked.steps;
        let compiled = policies.iter().map(|step| {
            let parsed = ParsedPolicy::parse(&step.policy_text);
            let compiled = parsed.compile(&policy.found.files);
            compiled.map_err(|_| format!("the policy of step `{}` has errors", step.name))
        });
        let compiled: Vec<Plan> = compiled.collect::<Result<_, _>>()?;
        let judged = compiled.iter().filter_map(|compiled| {
            let rollout = compiled.rollout(&plan.rollout).ok()?;
            JudgedRollout::of_policy(compiled, rollout)
        });
        let judged: Vec<JudgedRollout> = judged.collect();
        if Steps::new(&plan, &policies).is_none() || judged.len() != policies.len() {
            return Err("the plan has no steps, or its rollout has no guard".into());
        }
        let policy_path = std::path::absolute(&policy.path).unwrap_or_else(|_| policy.path.clone());
        let folder = policy_path.parent().map(PathBuf::from).unwrap_or_default();
        Ok(Some(Self {
            plan,
            policies,
            compiled,
            judged,
            policy_folder: folder,
            account_files: policy.found.files,
        }))
    }

    /// The steps. There is at least one.
    pub(super) fn steps(&self) -> Option<Steps<'_>> {
        Steps::new(&self.plan, &self.policies)
    }

    /// Finds a step by its name. The error is a sentence.
    pub(super) fn step_named(&self, name: &str) -> Result<usize, String> {
        let mut steps = self.policies.iter();
        steps.position(|step| step.name == name).ok_or_else(|| {
            let names = self.policies.iter().map(|step| step.name.as_str());
            let help = match nearest(name, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
            };
            let name = escape_for_terminal(name);
            format!("--from {name}: the plan has no such step; {help}")
        })
    }
}
