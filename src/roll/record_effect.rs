//! Records what became of an effect in the state of a roll.

use turnout_core::Time;

use crate::event::{Event, EventCode};
use crate::inputs::{Effect, EffectResult};
use crate::roll_state::{Outcome, Phase, RollState};
use crate::steps::Steps;

/// The first pause before a failed apply is tried again, and the longest, in milliseconds.
const FIRST_PAUSE: u64 = 15_000;
const LONGEST_PAUSE: u64 = 900_000;
/// The pause until a rollback that does not arrive is shipped again, in milliseconds.
const SHIPPED_PAUSE: u64 = 60_000;

/// Records what became of an effect in the state of a roll. Returns what has happened.
pub fn record_effect(
    steps: Steps<'_>,
    state: &mut RollState,
    effect: &Effect,
    result: &EffectResult,
    now: Time,
) -> Vec<Event> {
    let failure = result.failure();
    let was_first = state.failures == 0;
    // The step before is applied again because a later one was refused, which stays a failure.
    let is_undo = matches!(
        (effect, &state.phase),
        (Effect::Apply { step: applied, .. }, Phase::Applying { step, .. }) if applied != step
    );
    match failure {
        None if is_undo => state.retry_milliseconds = pause(state.failures),
        None => {
            state.failures = 0;
            state.last_failure = None;
            state.retry_milliseconds = 0;
        }
        Some(why) => {
            state.retry_milliseconds = pause(state.failures);
            state.failures = state.failures.saturating_add(1);
            state.last_failure = Some(why.to_owned());
        }
    }
    let mut events = Vec::new();
    let mut event = |state: &RollState, code, text| {
        let step = steps.name(state.phase.step()).to_owned();
        events.push(Event {
            at: now,
            code,
            step: Some(step),
            text,
            wait: None,
            judgment: None,
        });
    };
    match (effect, state.phase.clone()) {
        (
            _,
            Phase::RollingBack {
                step,
                to,
                outcome,
                why,
            },
        ) => match result {
            EffectResult::Done | EffectResult::Unconfirmed(_) => {
                if let Effect::Apply { step, .. } = effect {
                    state.applied_step = Some(*step);
                }
                let action = match effect {
                    Effect::Apply { step, .. } => format!("{} is active", steps.describe(*step)),
                    Effect::Halt { .. } => format!("rollout `{}` is halted", steps.plan().rollout),
                };
                let mut text = format!("{action}: {why}");
                if let Some(failure) = failure {
                    text.push_str(&format!("; not every proxy confirms it: {failure}"));
                }
                state.waits_for = None;
                state.phase = Phase::Ended { step, outcome, why };
                event(state, outcome.event(), text);
            }
            // It is over when the proxies run it.
            EffectResult::Shipped => {
                state.is_delivered = true;
                state.retry_milliseconds = SHIPPED_PAUSE;
            }
            _ => {
                let why_not = failure.unwrap_or_default();
                let next = match to {
                    Some(_) => "the rollout is halted instead",
                    None => "it is tried again",
                };
                if was_first || to.is_some() {
                    let text = format!("rolling back failed: {why_not}; {next}");
                    event(state, EventCode::RollbackFailed, text);
                }
                let to = None;
                state.phase = Phase::RollingBack {
                    step,
                    to,
                    outcome,
                    why,
                };
            }
        },
        (Effect::Apply { step: applied, .. }, Phase::Applying { step, .. }) => {
            let applied = *applied;
            let is_written = !matches!(result, EffectResult::Refused(_) | EffectResult::Failed(_));
            let is_of_step = applied == step;
            if is_written {
                state.applied_step = Some(applied);
            }
            let is_undoing = match result {
                EffectResult::PartlyRefused(_) => step > 0,
                EffectResult::Refused(_) | EffectResult::Failed(_) => !is_of_step,
                EffectResult::Done | EffectResult::Shipped | EffectResult::Unconfirmed(_) => false,
            };
            if is_of_step {
                state.is_delivered = matches!(result, EffectResult::Done | EffectResult::Shipped);
            }
            state.phase = Phase::Applying { step, is_undoing };
            if let (Some(why), true) = (failure, was_first) {
                let problem = match is_written {
                    true => "is written, but not every proxy runs it",
                    false => "could not be applied, and is tried again",
                };
                let text = format!("{} {problem}: {why}", steps.describe(applied));
                event(state, EventCode::ApplyFailed, text);
            }
        }
        _ => {}
    }
    events
}

impl EffectResult {
    /// Why it is not done.
    fn failure(&self) -> Option<&str> {
        match self {
            Self::Done | Self::Shipped => None,
            Self::Unconfirmed(why)
            | Self::PartlyRefused(why)
            | Self::Refused(why)
            | Self::Failed(why) => Some(why),
        }
    }
}

impl Outcome {
    /// Whether the roll has moved through all steps.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Finished)
    }
}

/// Returns the pause after a failure, which doubles each time.
fn pause(failures: u32) -> u64 {
    let factor = 1_u64.checked_shl(failures).unwrap_or(u64::MAX);
    FIRST_PAUSE.saturating_mul(factor.max(1)).min(LONGEST_PAUSE)
}
