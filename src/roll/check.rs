//! Checks a plan with its policy, and creates the policies of its steps.

mod step_problems;

use std::collections::BTreeSet;

use turnout_core::json::{JsonPointer, Reader, Span};
use turnout_core::lint::Options;
use turnout_core::{
    AccountFiles, Diagnostic, Diagnostics, Mode, ParsedPolicy, Plan, Problem, Rollout, Severity,
    WarningCode,
};

use crate::edited_text::EditedText;
use crate::lint;
use crate::parsed_plan::ParsedPlan;
use crate::plan::document::{RawPlan, RawStep};
use crate::plan::read::expected;
use crate::plan::{PlanCode, RollPlan, RollStep};
use crate::step_policy::{ChangeError, StepPolicy, change_rules, step_policy};

/// What was found in a plan and its policy.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The plan; `None` if its text has errors.
    pub plan: Option<RollPlan>,
    /// The policy of each step; empty if the plan or the policy has errors.
    pub steps: Vec<StepPolicy>,
    /// The problems of the plan, including those that its steps cause in the policy. Their places are in the text of the
    /// plan.
    pub diagnostics: Diagnostics,
    /// The problems of the policy itself. Warnings that concern no step are omitted.
    pub policy_diagnostics: Diagnostics,
}

impl Checked {
    /// Returns the number of problems of the plan and of the policy.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let own = self.diagnostics.count(severity);
        own.saturating_add(self.policy_diagnostics.count(severity))
    }
}

impl ParsedPlan<'_> {
    /// Checks the plan with its policy and the contents of the account files of the policy.
    #[must_use]
    pub fn check(&self, policy: &ParsedPolicy<'_>, files: &AccountFiles) -> Checked {
        let report = policy.lint(&Options {
            files: Some(files),
            ..Options::default()
        });
        let mut checked = Checked {
            plan: self.plan.clone(),
            steps: Vec::new(),
            diagnostics: Diagnostics::default(),
            policy_diagnostics: report.diagnostics,
        };
        let mut reader = self.reader.clone();
        let mut of_steps = BTreeSet::new();
        if let (Some(document), Some(plan), Some(base)) = (&self.document, &self.plan, &report.plan)
        {
            let mut check = Check {
                reader: &mut reader,
                document,
                plan,
                files,
                own: checked
                    .policy_diagnostics
                    .as_slice()
                    .iter()
                    .map(key)
                    .collect(),
                reported: BTreeSet::new(),
                concerns_a_step: BTreeSet::new(),
            };
            if check.rollout(base) {
                checked.steps = check.steps(base, policy.text());
            }
            of_steps = check.concerns_a_step;
        }
        checked.policy_diagnostics.retain(|diagnostic| {
            diagnostic.severity() == Severity::Error || of_steps.contains(&key(diagnostic))
        });
        checked.diagnostics = reader.finish();
        if checked.count(Severity::Error) > 0 {
            checked.steps.clear();
        }
        checked
    }
}

/// Identifies a problem of a policy: its code, its sentence and its JSON Pointer.
type Key = (&'static str, String, String);

fn key(diagnostic: &Diagnostic) -> Key {
    let sentence = diagnostic.problem.to_string();
    (diagnostic.code(), sentence, diagnostic.pointer.clone())
}

struct Check<'c, 't> {
    reader: &'c mut Reader<'t>,
    document: &'c RawPlan<'t>,
    plan: &'c RollPlan,
    files: &'c AccountFiles,
    /// The problems of the policy itself.
    own: BTreeSet<Key>,
    /// The problems that earlier steps cause.
    reported: BTreeSet<Key>,
    /// Those of the policy's own problems that a step has too.
    concerns_a_step: BTreeSet<Key>,
}

/// The policy of a step, compiled, for the comparison with the next step.
pub(crate) struct CompiledStep {
    pub(crate) plan: Plan,
    /// A hash of the rollout's definition, in the policy that the step applies.
    pub(crate) epoch: Option<u64>,
}

impl CompiledStep {
    pub(crate) fn rollout(&self, name: &str) -> Option<&Rollout> {
        self.plan.rollout(name).ok()
    }
}

impl<'t> Check<'_, 't> {
    /// Checks the rollout that moves, and the forbidden segments. Returns whether the steps can be checked.
    fn rollout(&mut self, base: &Plan) -> bool {
        let root = &JsonPointer::Root;
        let at = root.field("rollout");
        let span = self.document.rollout.value().map(|name| name.span);
        let span = span.unwrap_or_default();
        let rollout = match base.rollout(&self.plan.rollout) {
            Ok(rollout) => rollout,
            Err(problem) => {
                self.reader.report(span, &at, problem);
                return false;
            }
        };
        let mode = rollout.mode;
        let problem = if mode != Mode::Split {
            Some(PlanCode::NotSplit.problem(
                format!(
                    "the rollout has the mode `{}`, in which its rules do not decide who gets v2",
                    mode.as_str()
                ),
                "write the mode `split` in the policy",
            ))
        } else if rollout.guard.is_none() {
            Some(PlanCode::NoGuard.problem(
                "the rollout has no guard, so nothing compares v2 with v1",
                "add \"guard\": {} to the rollout in the policy",
            ))
        } else {
            None
        };
        let is_ready = problem.is_none();
        if let Some(problem) = problem {
            self.reader.report(span, &at, problem);
        }
        let forbids = self.document.forbid.value();
        let forbids = forbids.map_or(&[][..], |forbids| &forbids.value);
        let known = base.segment_names();
        for (index, given) in forbids.iter().enumerate() {
            let segment = given.as_ref().and_then(|given| given.value.segment.value());
            let Some(segment) = segment else { continue };
            if known.iter().all(|name| *name != segment.value) {
                let problem = Problem::unknown_segment(&segment.value, known);
                let at = root.field("forbid");
                let at = at.index(index);
                self.reader
                    .report(segment.span, &at.field("segment"), problem);
            }
        }
        is_ready
    }

    /// Creates the policies of all steps and checks them.
    fn steps(&mut self, base: &Plan, policy: &str) -> Vec<StepPolicy> {
        let mut text = EditedText::new(policy);
        let mut before: Option<CompiledStep> = None;
        let mut policies = Vec::with_capacity(self.plan.steps.len());
        let plan = self.plan;
        for (index, step) in plan.steps.iter().enumerate() {
            let changed = change_rules(&mut text, &plan.rollout, index, &step.change)
                .and_then(|()| step_policy(&text, base.revision(), plan, index));
            match changed {
                Ok(policy) => {
                    let compiled = self.step(index, step, &text, &policy, before.as_ref());
                    policies.push(policy);
                    before = compiled;
                }
                Err(error) => {
                    self.report_change_error(index, error);
                    before = None;
                }
            }
        }
        policies
    }

    fn report_change_error(&mut self, index: usize, error: ChangeError) {
        let problem = match error {
            // The policy has compiled, so only the rules of an earlier step cannot be read, which was reported.
            ChangeError::RolloutUnreadable => return,
            ChangeError::RuleUnnamed(0) => PlanCode::UnknownRule.problem(
                "the rollout has no rules, so a step cannot change a percentage",
                "write `rules` in the step",
            ),
            ChangeError::RuleUnnamed(_) => Problem::missing_field("rule", expected::RULE),
            ChangeError::RuleMissing(count) => PlanCode::UnknownRule.problem(
                match count {
                    0 => "the rollout has no rules".to_owned(),
                    1 => "the rollout has only 1 rule".to_owned(),
                    count => format!("the rollout has only {count} rules"),
                },
                match count {
                    0 => "write `rules` in the step".to_owned(),
                    1 => "remove `rule`".to_owned(),
                    count => format!("write a number from 1 to {count}"),
                },
            ),
        };
        let named = self.raw_step(index).and_then(|step| step.rule.value());
        match named.map(|number| number.span) {
            Some(span) => self.report(span, format!("/steps/{index}/rule"), problem),
            None => self.report_at_step(index, problem),
        }
    }

    fn step(
        &mut self,
        index: usize,
        step: &RollStep,
        rules: &EditedText,
        policy: &StepPolicy,
        before: Option<&CompiledStep>,
    ) -> Option<CompiledStep> {
        let allow = allowed(step, index, self.plan);
        // Without the rule for forbidden segments, which makes others unreachable.
        let report = ParsedPolicy::parse(rules.as_str()).lint(&Options {
            files: Some(self.files),
            allow: &allow,
            ..Options::default()
        });
        let compiled = report
            .plan
            .and_then(|plan| self.compile_applied(index, plan, policy));
        let found = compiled.as_ref().map_or(Vec::new(), |compiled| {
            lint::step(self.plan, index, (step, compiled), before)
        });
        let is_compared = found
            .iter()
            .all(|(_, problem)| problem.code() != PlanCode::NoControl.as_str());
        for diagnostic in report.diagnostics.as_slice() {
            let code = diagnostic.code();
            if is_compared || code != WarningCode::GuardWithoutControl.as_str() {
                self.report_step_problem(index, rules, diagnostic);
            }
        }
        for (field, problem) in found {
            match self.field_span(index, field) {
                Some((span, pointer)) => self.report(span, pointer, problem),
                None => self.report_at_step(index, problem),
            }
        }
        compiled
    }

    /// Compiles the policy that a step applies. `plan` is the same policy without the rule for forbidden segments.
    fn compile_applied(
        &mut self,
        index: usize,
        plan: Plan,
        policy: &StepPolicy,
    ) -> Option<CompiledStep> {
        match ParsedPolicy::parse(&policy.policy_text).compile(self.files) {
            Ok(applied) => {
                let guard = applied.rollout(&self.plan.rollout).ok()?.guard.as_ref();
                let epoch = guard.map(|guard| guard.epoch);
                Some(CompiledStep { plan, epoch })
            }
            Err(diagnostics) => {
                for diagnostic in diagnostics.as_slice() {
                    self.report_in_step(index, diagnostic);
                }
                None
            }
        }
    }

    fn report_at_step(&mut self, index: usize, problem: Problem) {
        let name = self.raw_step(index).and_then(|step| step.name.value());
        let span = name.map(|name| name.span).unwrap_or_default();
        self.report(span, format!("/steps/{index}"), problem);
    }

    fn report(&mut self, span: Span, pointer: String, problem: Problem) {
        self.reader.report_at(span, pointer, problem);
    }

    fn raw_step(&self, index: usize) -> Option<&RawStep<'t>> {
        let steps = self.document.steps.value()?;
        let step = steps.value.get(index)?.as_ref()?;
        Some(&step.value)
    }

    /// Returns the span and the pointer of a field of a step.
    fn field_span(&self, index: usize, field: &str) -> Option<(Span, String)> {
        let step = self.raw_step(index)?;
        let span = match field {
            "rules" => step.rules.value()?.span,
            "accounts" => step.accounts.value()?.span,
            "requests" => step.requests.value()?.span,
            "bake" => step.bake.value()?.span,
            _ => return None,
        };
        Some((span, format!("/steps/{index}/{field}")))
    }
}

/// Returns the warnings that do not matter in a step.
fn allowed(step: &RollStep, index: usize, plan: &RollPlan) -> Vec<WarningCode> {
    let is_last = index.saturating_add(1) == plan.steps.len();
    let mut allow = Vec::new();
    if step.bake.is_none() {
        // Nothing is compared after the last step.
        allow.push(WarningCode::GuardWithoutControl);
    }
    if step.bake.is_some() {
        // It is an error of the step.
        allow.push(WarningCode::SplitToNone);
    }
    if is_last {
        allow.push(WarningCode::SplitToAll);
    }
    allow
}
