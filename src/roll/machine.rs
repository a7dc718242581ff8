//! Decides what a roll does next, from its state and from what it sees. It has no clock and no I/O.
//!
//! A step begins with [`Phase::Applying`], and every proxy has to run its policy before its bake begins
//! ([`Phase::Baking`]). If anything else becomes active meanwhile, the step returns to `Applying`, and its bake starts
//! over once all proxies run the step again. A step is over only with the verdict HEALTHY and a full bake. With the
//! verdict REGRESSED, v2 is rolled back at once ([`Phase::RollingBack`]), which is tried at every look until it works.

mod observed;
mod waits;

use turnout_judge::Verdict;
use turnout_text::{join_first, thousands};

use crate::event::{Event, EventCode};
use crate::inputs::{Effect, FolderPolicy, Inputs, Tick};
use crate::plan::OnRegressed;
use crate::roll_state::{Baked, Outcome, Phase, RollState};
use crate::steps::Steps;
use crate::wait::{Wait, WaitCode};
use waits::NAMED_PROXIES;

/// Decides what a roll does next.
#[must_use]
pub fn tick(steps: Steps<'_>, state: RollState, inputs: &Inputs) -> Tick {
    let mut machine = Machine {
        steps,
        inputs,
        tick: Tick {
            state,
            begins_counts: false,
            effect: None,
            events: Vec::new(),
        },
    };
    machine.run();
    machine.tick
}

struct Machine<'a> {
    steps: Steps<'a>,
    inputs: &'a Inputs,
    tick: Tick,
}

impl Machine<'_> {
    fn run(&mut self) {
        let inputs = self.inputs;
        let elapsed = inputs.elapsed_milliseconds;
        let state = &mut self.tick.state;
        state.updated = inputs.now;
        state.retry_milliseconds = state.retry_milliseconds.saturating_sub(elapsed);
        if let FolderPolicy::Active(active) = &inputs.folder
            && state.applied_step.is_none()
            && state.revision_before.is_none()
        {
            state.revision_before = Some(active.root.clone());
        }
        let before = state.waits_for.take();
        match state.phase.clone() {
            Phase::Applying { step, is_undoing } => self.applying(step, is_undoing),
            Phase::Baking { step } => self.baking(step),
            Phase::RollingBack {
                step,
                to,
                outcome,
                why,
            } => self.rolling_back(step, to, outcome, &why),
            Phase::Ended { .. } => {}
        }
        let wait = self.tick.state.waits_for.clone();
        if let Some(wait) = wait
            && before.is_none_or(|before| before.code != wait.code)
        {
            self.event(EventCode::Waiting, wait.text);
            if let Some(event) = self.tick.events.last_mut() {
                event.wait = Some(wait.code);
            }
        }
    }

    fn applying(&mut self, step: usize, is_undoing: bool) {
        if let Some(wait) = self.interference(step, is_undoing) {
            return self.interrupt(step, wait);
        }
        if self.is_regressed() {
            let judged = self.tick.state.baseline.map_or(step, |it| it.step);
            return self.regress(judged);
        }
        if let (None, Some(active)) = (self.tick.state.baseline, self.active_step(step)) {
            self.count_from_now(active, None);
        }
        if let FolderPolicy::Unreadable(why) = &self.inputs.folder {
            return self.wait(WaitCode::Folder, why.clone());
        }
        if is_undoing {
            return self.undo(step);
        }
        let is_quiet = self.inputs.quiet_until.is_some();
        let state = &self.tick.state;
        let is_written = match &self.inputs.folder {
            FolderPolicy::Active(active) => self.steps.has_root(step, &active.root),
            // A command that failed or was ended may have shipped it.
            _ => state.applied_step == Some(step) || self.is_run(step),
        };
        let has_begun = is_begun(state, step);
        if is_written {
            self.tick.state.applied_step = Some(step);
            if self.all_run(step) {
                return self.begin(step);
            }
        }
        let is_moving = is_written || !is_quiet;
        if is_moving && self.waited_too_long(step) {
            return;
        }
        let state = &self.tick.state;
        let may_apply = !state.is_delivered && !has_begun && !is_quiet && !state.is_held;
        if may_apply && state.retry_milliseconds == 0 {
            return self.apply(step);
        }
        let wait = match (&state.last_failure, self.inputs.quiet_until) {
            _ if state.is_held => self.held(),
            _ if is_written => self.missing(step),
            (_, Some(until)) => quiet(until),
            (Some(why), None) => Wait {
                code: WaitCode::Retry,
                text: format!("applying {} failed: {why}", self.steps.describe(step)),
            },
            (None, None) => self.missing(step),
        };
        self.tick.state.waits_for = Some(wait);
    }

    fn baking(&mut self, step: usize) {
        if let Some(wait) = self.interference(step, false) {
            return self.interrupt(step, wait);
        }
        let is_steady = self.bake(step);
        if self.is_regressed() {
            return self.regress(step);
        }
        if let FolderPolicy::Unreadable(why) = &self.inputs.folder {
            self.tick.state.baked.is_steady = false;
            return self.wait(WaitCode::Folder, why.clone());
        }
        if self.runs_another() {
            self.tick.state.phase = Phase::Applying {
                step,
                is_undoing: false,
            };
            self.count_from_now(step, None);
            self.tick.state.waits_for = Some(self.missing(step));
            return;
        }
        let is_healthy = self.verdict() == Some(Verdict::Healthy);
        if is_healthy && is_steady && self.is_baked(step) {
            return self.advance(step);
        }
        let is_stuck = !is_healthy || self.lacks_only_requests(step);
        if is_stuck && self.waited_too_long(step) {
            return;
        }
        let wait = match self.tick.state.is_held {
            true => self.held(),
            false => self.bake_wait(step),
        };
        self.tick.state.waits_for = Some(wait);
    }

    fn rolling_back(&mut self, step: usize, to: Option<usize>, outcome: Outcome, why: &str) {
        if let FolderPolicy::Active(active) = &self.inputs.folder {
            let is_halted = self.is_halted();
            let is_ours = self.is_root_of_plan(&active.root);
            if is_halted || !is_ours {
                let why = match is_halted {
                    true => why.to_owned(),
                    false => format!(
                        "{why}; someone applied {} meanwhile, so nothing was changed",
                        active.revision
                    ),
                };
                return self.end(step, outcome, why);
            }
        }
        if self.tick.state.is_delivered {
            let others = self.proxies_of_other_steps(to);
            if others.is_empty() && self.is_any_read() {
                return self.end(step, outcome, why.to_owned());
            }
            let text = format!(
                "rolling back was shipped, but {}; it is shipped again",
                match others.is_empty() {
                    true => "no proxy can be read".to_owned(),
                    false => {
                        let names = join_first(&others, NAMED_PROXIES);
                        format!("not confirmed by {names}")
                    }
                }
            );
            self.wait(WaitCode::RollingBack, text);
            if self.tick.state.retry_milliseconds > 0 {
                return;
            }
        }
        // A folder that cannot be read may have someone else's policy, which an apply would replace.
        let is_unreadable = matches!(self.inputs.folder, FolderPolicy::Unreadable(_));
        self.tick.effect = Some(match to {
            Some(to) if !is_unreadable => Effect::Apply {
                step: to,
                is_return: true,
                why: why.to_owned(),
            },
            _ => Effect::Halt {
                why: why.to_owned(),
            },
        });
        let state = &self.tick.state;
        if let Some(failure) = &state.last_failure {
            let text = format!("rolling back failed: {failure}; it is tried again");
            self.wait(WaitCode::RollingBack, text);
        }
    }

    /// Applies the step before a step that some proxies refused.
    fn undo(&mut self, step: usize) {
        let Some(before) = step.checked_sub(1) else {
            self.tick.state.phase = Phase::Applying {
                step,
                is_undoing: false,
            };
            return;
        };
        if self.waited_too_long(step) {
            return;
        }
        let why = self.tick.state.last_failure.clone().unwrap_or_default();
        self.tick.effect = Some(Effect::Apply {
            step: before,
            is_return: true,
            why: format!(
                "{} again, because {} was refused: {why}",
                self.steps.describe(before),
                self.steps.describe(step)
            ),
        });
        let text = format!(
            "{} was refused, and {} is applied again: {why}",
            self.steps.describe(step),
            self.steps.describe(before)
        );
        self.wait(WaitCode::Retry, text);
    }

    fn apply(&mut self, step: usize) {
        let state = &self.tick.state;
        let mut why = self.steps.describe(step);
        let before = step.checked_sub(1);
        let judgment = before.and_then(|before| state.steps.get(before)?.judgment.as_ref());
        if let (Some(before), Some(judgment)) = (before, judgment) {
            let record = state.steps.get(before);
            let baked = duration(record.map_or(0, |record| record.baked_seconds));
            why.push_str(&format!(
                "; {} was {} after {} compared requests of v2 and {baked}: {}",
                self.steps.describe(before),
                judgment.verdict.as_str(),
                thousands(judgment.v2_requests),
                judgment.text
            ));
        }
        let state = &mut self.tick.state;
        if let Some(failure) = &state.last_failure {
            state.waits_for = Some(Wait {
                code: WaitCode::Retry,
                text: format!("applying {} failed: {failure}", self.steps.describe(step)),
            });
        }
        let is_first = state.failures == 0;
        let text = why.clone();
        self.tick.effect = Some(Effect::Apply {
            step,
            is_return: false,
            why,
        });
        if is_first {
            self.event(EventCode::Applying, text);
        }
    }

    /// Begins the bake of a step, or ends the roll if the last step has none.
    fn begin(&mut self, step: usize) {
        let now = self.inputs.now;
        let state = &mut self.tick.state;
        state.failures = 0;
        state.last_failure = None;
        state.retry_milliseconds = 0;
        if let Some(record) = state.steps.get_mut(step) {
            record.began.get_or_insert(now);
        }
        let text = format!("all proxies run {}", self.steps.describe(step));
        if self.steps.bake(step).is_none() {
            if let Some(record) = self.tick.state.steps.get_mut(step) {
                record.ended = Some(now);
            }
            return self.end(step, Outcome::Finished, text);
        }
        let number = self.wanted_number(step);
        self.tick.state.phase = Phase::Baking { step };
        self.count_from_now(step, number);
        self.tick.state.baked.is_steady = true;
        self.event(EventCode::Baking, format!("{text}, which is now observed"));
        let wait = self.bake_wait(step);
        self.tick.state.waits_for = Some(wait);
    }

    /// Moves on from a step that is healthy and baked.
    fn advance(&mut self, step: usize) {
        let Some(next) = self.steps.next(step) else {
            self.close(step);
            let text = format!("{} is over, and v2 is healthy", self.steps.describe(step));
            return self.end(step, Outcome::Finished, text);
        };
        if self.tick.state.is_held {
            let wait = self.held();
            self.tick.state.waits_for = Some(wait);
            return;
        }
        if let Some(until) = self.inputs.quiet_until {
            self.tick.state.waits_for = Some(quiet(until));
            return;
        }
        self.close(step);
        let state = &mut self.tick.state;
        state.phase = Phase::Applying {
            step: next,
            is_undoing: false,
        };
        state.is_delivered = false;
        state.milliseconds_without_health = 0;
        state.has_reported_too_little = false;
        self.apply(next);
    }

    /// Records that a step is over.
    fn close(&mut self, step: usize) {
        let now = self.inputs.now;
        let seconds = self.tick.state.baked.seconds();
        if let Some(record) = self.tick.state.steps.get_mut(step) {
            record.ended = Some(now);
            record.baked_seconds = seconds;
        }
    }

    /// Rolls v2 back at once.
    fn regress(&mut self, step: usize) {
        let judgment = self.inputs.judgment.as_ref();
        let why = judgment.map_or_else(String::new, |judgment| judgment.text.clone());
        self.note_judgment(step);
        let why = format!("v2 is worse in {}: {why}", self.steps.describe(step));
        let to = step.checked_sub(1);
        self.roll_back(step, to, Outcome::RolledBack, &why);
    }

    fn roll_back(&mut self, step: usize, before: Option<usize>, outcome: Outcome, why: &str) {
        let to = match self.steps.plan().on_regressed {
            OnRegressed::Halt => None,
            OnRegressed::PreviousStep => before,
        };
        let state = &mut self.tick.state;
        state.failures = 0;
        state.last_failure = None;
        state.is_delivered = false;
        state.phase = Phase::RollingBack {
            step,
            to,
            outcome,
            why: why.to_owned(),
        };
        let action = match to {
            Some(to) => format!("{} is applied again", self.steps.describe(to)),
            None => format!("rollout `{}` is halted", self.steps.plan().rollout),
        };
        self.event(EventCode::Regressed, format!("{why}; {action}"));
        self.rolling_back(step, to, outcome, why);
    }

    fn end(&mut self, step: usize, outcome: Outcome, why: String) {
        self.tick.effect = None;
        let text = why.clone();
        self.tick.state.phase = Phase::Ended { step, outcome, why };
        self.event(outcome.event(), text);
    }

    /// Waits until the interference is over. The counts of another policy are worth nothing.
    fn interrupt(&mut self, step: usize, wait: Wait) {
        let state = &mut self.tick.state;
        let is_undoing = matches!(
            state.phase,
            Phase::Applying {
                is_undoing: true,
                ..
            }
        );
        state.phase = Phase::Applying { step, is_undoing };
        state.baseline = None;
        state.baked = Baked::default();
        state.waits_for = Some(wait);
    }

    fn wait(&mut self, code: WaitCode, text: String) {
        self.tick.state.waits_for = Some(Wait { code, text });
    }

    fn event(&mut self, code: EventCode, text: String) {
        let step = self.steps.name(self.tick.state.phase.step()).to_owned();
        self.tick.events.push(Event {
            at: self.inputs.now,
            code,
            step: Some(step),
            text,
            wait: None,
            judgment: self.inputs.judgment.clone(),
        });
    }
}

/// Describes how long a bake took: in seconds up to a minute, and in whole minutes from then on.
fn duration(seconds: u64) -> String {
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min"),
    }
}

/// Whether all proxies have run the step before.
fn is_begun(state: &RollState, step: usize) -> bool {
    state.steps.get(step).is_some_and(|it| it.began.is_some())
}

fn quiet(until: turnout_core::Time) -> Wait {
    Wait {
        code: WaitCode::QuietTime,
        text: format!("quiet time until {until}"),
    }
}
