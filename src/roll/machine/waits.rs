//! What a roll waits for, and for how long.

use turnout_judge::Verdict;
use turnout_text::{join_first, thousands};

use super::Machine;
use crate::event::EventCode;
use crate::inputs::FolderPolicy;
use crate::plan::Then;
use crate::roll_state::Outcome;
use crate::wait::{Wait, WaitCode};

/// The number of proxies that a sentence names.
pub(super) const NAMED_PROXIES: usize = 5;

impl Machine<'_> {
    /// Whether the step has been without health, or without the requests of its bake, for too long, and does what the
    /// plan wants then. Returns whether the phase has changed.
    pub(super) fn waited_too_long(&mut self, step: usize) -> bool {
        let plan = self.steps.plan().on_not_enough_data;
        let most = plan.after_minutes.saturating_mul(60_000);
        let elapsed = self.inputs.elapsed_milliseconds;
        let state = &mut self.tick.state;
        let waited = state.milliseconds_without_health.saturating_add(elapsed);
        state.milliseconds_without_health = waited;
        if waited < most || state.has_reported_too_little {
            return false;
        }
        state.has_reported_too_little = true;
        let (what, problem) = match (&self.tick.state.last_failure, self.verdict()) {
            (Some(why), _) => ("become healthy", why.clone()),
            (None, Some(Verdict::Healthy)) => ("completed its bake", self.progress(step)),
            (None, Some(verdict)) => {
                let problem = format!("the verdict is {}", verdict.as_str());
                ("become healthy", problem)
            }
            (None, None) => ("become healthy", "there is no verdict".into()),
        };
        let text = format!(
            "{} has not {what} within {} min: {problem}",
            self.steps.describe(step),
            plan.after_minutes
        );
        match plan.then {
            Then::Wait => {
                self.event(EventCode::TooLittleData, text);
                false
            }
            Then::Hold => {
                self.tick.state.is_held = true;
                self.event(EventCode::Held, text);
                let wait = self.held();
                self.tick.state.waits_for = Some(wait);
                true
            }
            Then::GiveUp if self.tick.state.applied_step.is_none() => {
                self.end(step, Outcome::GivenUp, text);
                true
            }
            Then::GiveUp => {
                let before = step.checked_sub(1);
                self.roll_back(step, before, Outcome::GivenUp, &text);
                true
            }
        }
    }

    /// Returns what keeps the roll from acting: a halt, or another policy.
    pub(super) fn interference(&self, step: usize, is_undoing: bool) -> Option<Wait> {
        let wait = |code, text| Some(Wait { code, text });
        let active = match &self.inputs.folder {
            FolderPolicy::NoFolder | FolderPolicy::Unreadable(_) => return None,
            FolderPolicy::Empty => {
                let text = "the folder has no policy; apply one with `turnout apply`";
                return wait(WaitCode::OtherPolicy, text.into());
            }
            FolderPolicy::Active(active) => active,
        };
        let rollout = &self.steps.plan().rollout;
        if active.halts.everyone {
            let text = "everyone is halted; `turnout resume` lifts the halt";
            return wait(WaitCode::Halted, text.into());
        }
        if self.is_halted() {
            return wait(
                WaitCode::Halted,
                format!(
                    "rollout `{rollout}` is halted; `turnout resume --rollout {rollout}` lifts the halt"
                ),
            );
        }
        let state = &self.tick.state;
        let is_ours = |step| self.steps.has_root(step, &active.root);
        let was_before = self.is_root_before(step, &active.root);
        let may_be_before = is_undoing || state.applied_step != Some(step);
        if is_ours(step) || may_be_before && was_before {
            return None;
        }
        wait(
            WaitCode::OtherPolicy,
            format!(
                "someone applied {}, which is not {}; apply the policy of this step again, or use --from STEP",
                active.revision,
                self.steps.describe(step)
            ),
        )
    }

    /// Describes how much of a bake is over.
    fn progress(&self, step: usize) -> String {
        let baked = &self.tick.state.baked;
        let bake = self.steps.bake(step);
        let (requests, minutes) = bake.map_or((0, 0), |bake| (bake.requests, bake.minutes));
        let mut progress = format!(
            "{} of {} compared requests of v2",
            thousands(baked.requests),
            thousands(requests)
        );
        if minutes > 0 {
            progress.push_str(&format!(", {} of {minutes} min", baked.seconds() / 60));
        }
        progress
    }

    pub(super) fn bake_wait(&self, step: usize) -> Wait {
        let baked = &self.tick.state.baked;
        let is_full = self.is_baked(step);
        let (code, text) = match &self.inputs.judgment {
            Some(judgment) if judgment.verdict == Verdict::Invalid => {
                (WaitCode::Invalid, format!("INVALID: {}", judgment.text))
            }
            Some(judgment) if is_full && judgment.verdict == Verdict::NotEnoughData => (
                WaitCode::NotEnoughData,
                format!("NOT ENOUGH DATA: {}", judgment.text),
            ),
            None if is_full => (WaitCode::NotEnoughData, "there is no verdict yet".into()),
            _ if is_full && !baked.is_steady => return self.missing(step),
            _ => (WaitCode::Bake, self.progress(step)),
        };
        Wait { code, text }
    }

    /// Names the proxies that do not run the step.
    pub(super) fn missing(&self, step: usize) -> Wait {
        let number = self.wanted_number(step);
        let proxies = self.inputs.proxies.iter();
        let others = proxies.filter(|proxy| proxy.number.is_none() || proxy.number != number);
        let names = others.map(|proxy| match &proxy.missing {
            Some(why) => format!("{} ({})", proxy.name, why.trim_end_matches('.')),
            None => proxy.name.clone(),
        });
        let names: Vec<String> = names.collect();
        let subject = match names.is_empty() {
            true => "too few proxies report that they run".to_owned(),
            false => format!("not confirmed by {}:", join_first(&names, NAMED_PROXIES)),
        };
        let step = self.steps.describe(step);
        Wait {
            code: WaitCode::Proxies,
            text: format!("{subject} {step}"),
        }
    }

    pub(super) fn held(&self) -> Wait {
        let step = self.steps.describe(self.tick.state.phase.step());
        Wait {
            code: WaitCode::Held,
            text: format!("the plan is held at {step}; `turnout roll --continue` continues it"),
        }
    }
}
