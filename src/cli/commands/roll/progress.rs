//! Shows a roll: bars on a terminal, and otherwise one line for each event.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use turnout_roll::{Event, Phase, RollState};
use turnout_text::{escape_for_terminal, thousands};

use crate::support::safe_output::{self, SafeText};

use super::json_event;
use super::plan_of_roll::PlanOfRoll;

/// The parts of a full bar.
const FULL: u64 = 1_000;

/// Shows a roll.
pub(super) struct Progress {
    is_json: bool,
    rollout: String,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    steps: Vec<StepBar>,
    /// The guard's evidence, and what the roll waits for.
    note: ProgressBar,
}

struct StepBar {
    bar: ProgressBar,
    /// The requests and the seconds of its bake.
    bake: Option<(u64, u64)>,
}

impl Progress {
    pub(super) fn new(is_json: bool, plan: &PlanOfRoll) -> Self {
        let has_bars = !is_json && safe_output::is_terminal() && safe_output::is_error_terminal();
        Self {
            is_json,
            rollout: plan.plan.rollout.clone(),
            bars: has_bars.then(|| Bars::new(plan)),
        }
    }

    /// Shows an event.
    pub(super) fn event(&self, event: &Event) {
        let text = match self.is_json {
            true => json_event::line(&self.rollout, event),
            false => {
                let step = event.step.as_ref().map(|step| format!(" {step}:"));
                let line = format!(
                    "{}{} {}",
                    event.at,
                    step.unwrap_or_default(),
                    escape_for_terminal(&event.text)
                );
                SafeText::line(&line)
            }
        };
        let print = || {
            // Nobody reads standard output any more. The roll continues, because it is not about the output.
            let _ = safe_output::print(&text);
        };
        match &self.bars {
            Some(bars) => bars.all.suspend(print),
            None => print(),
        }
    }

    /// Shows the state after a look.
    pub(super) fn show(&self, roll: &RollState) {
        if let Some(bars) = &self.bars {
            bars.show(roll);
        }
    }

    /// Removes the bars.
    pub(super) fn clear(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.all.clear();
        }
    }
}

impl Bars {
    fn new(plan: &PlanOfRoll) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let width = plan.policies.iter().map(|step| step.name.chars().count());
        let width = width.max().unwrap_or_default();
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let steps = plan.plan.steps.iter().map(|step| {
            let bar = all.add(ProgressBar::new(FULL));
            bar.set_style(style("{prefix} {bar:30} {msg}"));
            bar.set_prefix(format!("{:width$}", step.name));
            let bake = step.bake;
            StepBar {
                bake: bake.map(|bake| (bake.requests, bake.minutes.saturating_mul(60))),
                bar,
            }
        });
        let steps = steps.collect();
        let note = all.add(ProgressBar::new_spinner());
        note.set_style(style("{spinner} {wide_msg}"));
        note.enable_steady_tick(Duration::from_millis(250));
        Self { all, steps, note }
    }

    fn show(&self, roll: &RollState) {
        let now = roll.phase.step();
        for (index, (step, record)) in self.steps.iter().zip(&roll.steps).enumerate() {
            let (part, words) = match (&record.ended, &roll.phase) {
                (Some(_), _) => (FULL, "over".to_owned()),
                (None, Phase::Baking { .. }) if index == now => step.bake(roll),
                (None, Phase::Applying { .. }) if index == now => (0, "applying".to_owned()),
                (None, Phase::RollingBack { .. }) if index == now => (0, "rolling back".to_owned()),
                _ => (0, String::new()),
            };
            step.bar.set_position(part);
            step.bar.set_message(words);
        }
        let judgment = roll.steps.get(now).and_then(|step| step.judgment.as_ref());
        let verdict = judgment.map(|it| format!("{}: {}", it.verdict.as_str(), it.text));
        let wait = roll.waits_for.as_ref().map(|wait| wait.text.clone());
        let words = [verdict, wait].into_iter().flatten().collect::<Vec<_>>();
        self.note
            .set_message(escape_for_terminal(&words.join("; ")));
    }
}

impl StepBar {
    /// How much of the bake is over, in parts of the bar and in words.
    fn bake(&self, roll: &RollState) -> (u64, String) {
        let Some((requests, seconds)) = self.bake else {
            return (0, String::new());
        };
        let part = |done: u64, of: u64| {
            let part = done.min(of).saturating_mul(FULL).checked_div(of);
            part.unwrap_or(FULL)
        };
        let baked = &roll.baked;
        let parts = part(baked.requests, requests).min(part(baked.seconds(), seconds));
        let words = format!(
            "{} of {} requests, {} of {} min",
            thousands(baked.requests),
            thousands(requests),
            baked.seconds() / 60,
            seconds / 60
        );
        (parts, words)
    }
}
