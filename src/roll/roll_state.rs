//! The state of a roll, which survives a kill of the command.

use serde::{Deserialize, Serialize};
use turnout_core::Time;

use crate::step_judgment::StepJudgment;
use crate::steps::Steps;
use crate::wait::Wait;

/// The version of the JSON document.
const VERSION: u32 = 1;

/// The state of a roll, which survives a kill of the command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollState {
    version: u32,
    /// The rollout that moves.
    pub rollout: String,
    /// The fingerprint of the steps. A plan with other steps is another plan.
    pub plan: String,
    /// When the roll began.
    #[serde(with = "crate::serde_time")]
    pub began: Time,
    /// When the state was last changed.
    #[serde(with = "crate::serde_time")]
    pub updated: Time,
    /// Where the roll is.
    pub phase: Phase,
    /// Whether the plan is held: nothing moves on until someone continues it.
    pub is_held: bool,
    /// What the roll waits for, if it waits.
    pub waits_for: Option<Wait>,
    /// What became of each step.
    pub steps: Vec<StepRecord>,
    /// The root of the revision that was active before the roll, if it is known.
    pub(crate) revision_before: Option<String>,
    /// The step that was applied last, if its policy was written.
    pub(crate) applied_step: Option<usize>,
    /// Whether the last apply or rollback succeeded completely, or was shipped.
    pub(crate) is_delivered: bool,
    /// What the counts are of, if there are any.
    pub(crate) baseline: Option<Baseline>,
    /// How far the bake of the step is.
    pub baked: Baked,
    /// How long the step has been without the verdict HEALTHY, in milliseconds.
    pub(crate) milliseconds_without_health: u64,
    /// Whether that was too long, and was reported.
    pub(crate) has_reported_too_little: bool,
    /// How many times in a row an apply or a rollback has failed.
    pub(crate) failures: u32,
    /// Why the last one failed.
    pub(crate) last_failure: Option<String>,
    /// The pause until it is tried again, in milliseconds.
    pub(crate) retry_milliseconds: u64,
}

/// Where a roll is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// A step is about to be applied, or not every proxy runs it yet.
    Applying {
        /// The index of the step.
        step: usize,
        /// Whether some proxies refused the step, so that the step before has to be applied again first.
        is_undoing: bool,
    },
    /// All proxies have run the step, and it is observed.
    Baking {
        /// The index of the step.
        step: usize,
    },
    /// v2 is about to be rolled back.
    RollingBack {
        /// The index of the step that was judged.
        step: usize,
        /// The index of the step to return to. `None` halts the rollout.
        to: Option<usize>,
        /// How the roll ends then.
        outcome: Outcome,
        /// Why, as a sentence.
        why: String,
    },
    /// The roll has ended.
    Ended {
        /// The index of its last step.
        step: usize,
        /// How it has ended.
        outcome: Outcome,
        /// Why, as a sentence.
        why: String,
    },
}

/// How a roll ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The last step is over.
    Finished,
    /// v2 was worse, and is rolled back.
    RolledBack,
    /// The plan was given up, and is rolled back.
    GivenUp,
    /// The plan is held at a step. It can be continued.
    Held,
}

/// What became of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The name of the step.
    pub name: String,
    /// The revision of its policy.
    pub revision: String,
    /// When all proxies ran it for the first time.
    #[serde(with = "crate::serde_time::option")]
    pub began: Option<Time>,
    /// When it was over.
    #[serde(with = "crate::serde_time::option")]
    pub ended: Option<Time>,
    /// How long its bake took, in seconds.
    pub baked_seconds: u64,
    /// The last judgment of it.
    pub judgment: Option<StepJudgment>,
}

/// Since when requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// The index of the step that was active then.
    pub(crate) step: usize,
    /// The number of the revision that every proxy ran then. `None` if not every proxy ran the step: the counts can then
    /// show that v2 is worse, but they do not count for the bake.
    pub(crate) number: Option<u64>,
    /// The sequence number of the folder's change, if there is a folder.
    pub(crate) sequence: Option<u64>,
}

/// How far the bake of a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baked {
    /// The compared requests that v2 has served.
    pub requests: u64,
    /// How long all proxies have run the step, in milliseconds, by the clock of this machine.
    pub(crate) milliseconds: u64,
    /// The same in seconds, by the clocks of the proxies.
    pub(crate) proxy_seconds: u64,
    /// The latest time of the proxies, in seconds since the baseline.
    pub(crate) observed_seconds: u64,
    /// Whether all proxies ran the step at the last look.
    pub(crate) is_steady: bool,
}

impl Outcome {
    /// Returns the word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::RolledBack => "rolled_back",
            Self::GivenUp => "given_up",
            Self::Held => "held",
        }
    }
}

impl Phase {
    /// Returns the index of the step that the phase is about.
    #[must_use]
    pub const fn step(&self) -> usize {
        match self {
            Self::Applying { step, .. }
            | Self::Baking { step }
            | Self::RollingBack { step, .. }
            | Self::Ended { step, .. } => *step,
        }
    }
}

impl Baked {
    /// Returns how long all proxies have run the step, in seconds. A jump of one clock does not count.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        let own = self.milliseconds.checked_div(1_000).unwrap_or_default();
        own.min(self.proxy_seconds)
    }
}

impl RollState {
    /// Returns the state of a roll that is about to begin with a step.
    #[must_use]
    pub fn new(steps: &Steps<'_>, first: usize, now: Time) -> Self {
        let records = steps.policies().iter().map(|policy| StepRecord {
            name: policy.name.clone(),
            revision: policy.revision.to_string(),
            ..StepRecord::default()
        });
        Self {
            version: VERSION,
            rollout: steps.plan().rollout.clone(),
            plan: steps.fingerprint(),
            began: now,
            updated: now,
            phase: Phase::Applying {
                step: first,
                is_undoing: false,
            },
            is_held: false,
            waits_for: None,
            steps: records.collect(),
            revision_before: None,
            applied_step: None,
            is_delivered: false,
            baseline: None,
            baked: Baked::default(),
            milliseconds_without_health: 0,
            has_reported_too_little: false,
            failures: 0,
            last_failure: None,
            retry_milliseconds: 0,
        }
    }

    /// Returns how the roll has ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.phase {
            Phase::Ended { outcome, .. } => Some(*outcome),
            Phase::RollingBack { .. } => None,
            _ if self.is_held => Some(Outcome::Held),
            _ => None,
        }
    }

    /// Whether the rollout has to be halted at once, because the step before could not be applied.
    pub(crate) const fn is_urgent(&self) -> bool {
        matches!(self.phase, Phase::RollingBack { to: None, .. }) && self.failures == 1
    }

    /// Continues a plan that is held.
    pub fn resume(&mut self) {
        self.is_held = false;
        self.milliseconds_without_health = 0;
        self.has_reported_too_little = false;
    }

    /// Checks that the state was read completely and contradicts neither itself nor the steps.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self, steps: &Steps<'_>) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!(
                "expected version {VERSION}, found {}; use the command that wrote it",
                self.version
            ));
        }
        let count = steps.policies().len();
        let to = match &self.phase {
            Phase::RollingBack { to, .. } => *to,
            _ => None,
        };
        let indices = [Some(self.phase.step()), to, self.applied_step];
        let baseline = self.baseline.map(|baseline| baseline.step);
        let mut indices = indices.into_iter().chain([baseline]).flatten();
        if self.steps.len() != count || indices.any(|index| index >= count) {
            return Err("it is damaged (it contradicts itself)".into());
        }
        Ok(())
    }
}
