//! One sentence about a change of a guard's state, for the proxy's log and for `turnout simulate`.

use turnout_text::{counted, format_decimal, join_first, thousands};

use super::counts::{GuardCounts, StratumCounts};
use super::settings::GuardAction;
use super::state::{GuardState, StateChange};
use super::worker_guard::WorkerGuard;

/// The number of strata that a sentence has counts of.
const STRATA: usize = 4;

impl WorkerGuard {
    /// Describes a change of the state, and why it happened. `rollout` is the name of the rollout.
    #[must_use]
    pub fn sentence(&self, rollout: &str, change: StateChange) -> String {
        let settle = self.settings().settle_seconds.get();
        let acts = self.settings().action == GuardAction::Halt;
        let finding = match change.to {
            GuardState::Armed => match acts {
                true => String::from("v2 was not found to be worse, so requests take v2 again"),
                false => String::from("v2 was not found to be worse"),
            },
            GuardState::Holding if acts => format!(
                "v2 looks worse, so every request takes v1 for {settle} s or a little longer, until it is known how the \
                 open requests end"
            ),
            GuardState::Holding => String::from("v2 looks worse"),
            GuardState::Tripped if acts => format!(
                "v2 is worse, so every request takes v1 until the definition of the rollout changes, or until \
                 `turnout rearm --rollout {rollout}`"
            ),
            GuardState::Tripped => {
                String::from("v2 is worse; `action` is `report`, so requests still take v2")
            }
            GuardState::Invalid => {
                return format!("guard of rollout {rollout}: {}", self.invalid());
            }
        };
        let counts = counts_in_words(self.counts());
        let [evidence, threshold] = [
            self.evidence().milli_log10(),
            self.test().threshold_milli_log10(),
        ]
        .map(|milli| format_decimal(milli, 3));
        format!(
            "guard of rollout {rollout}: {finding}. {counts}; settled evidence 10^{evidence}, threshold 10^{threshold}"
        )
    }

    fn invalid(&self) -> String {
        let Some(StratumCounts { requests, arms }) = self.imbalance() else {
            return String::from(
                "another worker found that the arms are out of balance, so the guard does not act",
            );
        };
        let (v1, v2) = (arms.v1.all, arms.v2.all);
        let all = thousands(v1.saturating_add(v2));
        let v2 = thousands(v2);
        format!(
            "v2 has {v2} of {all} compared requests at {requests} %, which is too far from that percentage, so the \
             arms cannot be compared, and the guard does not act. Does a filter refuse the requests of one treatment, \
             or does a client choose its request ids?"
        )
    }
}

/// The errors and slow requests of both arms, by stratum.
fn counts_in_words(counts: &GuardCounts) -> String {
    let words = |stratum: &StratumCounts| {
        let arm = |name: &str, counts: &super::ArmCounts| {
            let errors = counted(counts.errors, "error", "errors");
            let slow = match counts.slow {
                0 => String::new(),
                slow => format!(" and {} slow", thousands(slow)),
            };
            let all = counted(counts.all, "request", "requests");
            format!("{name} has {errors}{slow} in {all}")
        };
        let arms = &stratum.arms;
        format!(
            "at {} % {} and {}",
            stratum.requests,
            arm("v2", &arms.v2),
            arm("v1", &arms.v1)
        )
    };
    let words: Vec<String> = counts.strata().iter().map(words).collect();
    match words.is_empty() {
        true => String::from("No request has been compared"),
        false => capitalized(&join_first(&words, STRATA)),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
