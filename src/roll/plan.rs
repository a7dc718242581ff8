//! The plan of a roll.

mod code;
mod compile;
pub(crate) mod document;
mod quiet;
pub(crate) mod read;

use turnout_core::Fraction;

use crate::quiet_time::QuietTime;

pub use code::PlanCode;
pub(crate) use compile::plan;

/// A plan: how a rollout moves from its first step to its last.
#[derive(Clone, Debug, PartialEq)]
pub struct RollPlan {
    /// The path of the policy, relative to the folder of the plan.
    pub policy: String,
    /// The name of the rollout that moves.
    pub rollout: String,
    /// How much higher v2's error rate may be than the guard allows, as a percentage of all requests. HEALTHY means
    /// that it is not higher than that.
    pub excess: Fraction,
    /// The steps in order, at least one.
    pub steps: Vec<RollStep>,
    /// The segments that stay on v1 until a step.
    pub forbidden: Vec<Forbidden>,
    /// What happens when v2 is worse.
    pub on_regressed: OnRegressed,
    /// What happens when a step does not become HEALTHY.
    pub on_not_enough_data: OnNotEnoughData,
    /// The times at which the rollout does not move on. It is still rolled back.
    pub quiet: Vec<QuietTime>,
    /// The URLs that receive the events of the roll.
    pub notify: Vec<String>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollStep {
    /// The unique name of the step: a DNS label.
    pub name: String,
    /// How the step changes the rules of the step before it. The first step changes those of the policy.
    pub change: RuleChange,
    /// How long the step is observed. `None` only in the last step: the roll then ends once the step is applied.
    pub bake: Option<Bake>,
}

/// A change of a rollout's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// Replaces all rules by this JSON list, as the plan has it.
    Rules(String),
    /// Changes the percentages of one rule. At least one of them is `Some`.
    Percentages {
        /// The index of the rule, from 0. `None` means the only rule of the rollout.
        rule: Option<usize>,
        /// The new percentage of accounts.
        accounts: Option<Fraction>,
        /// The new percentage of requests.
        requests: Option<Fraction>,
    },
}

/// How long a step is observed before the next one: both the requests and the minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bake {
    /// The number of requests that v2 has served in this step and that the guard has compared, at least 1.
    pub requests: u64,
    /// The minutes since all proxies run the step.
    pub minutes: u64,
}

/// A segment whose accounts take v1 until a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The name of the segment.
    pub segment: String,
    /// The index of the first step in which the rules decide its accounts too. At least 1.
    pub until: usize,
}

/// What happens when v2 is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRegressed {
    /// The rollout is halted: everyone takes v1.
    #[default]
    Halt,
    /// The step before is applied again. In the first step, the rollout is halted.
    PreviousStep,
}

/// What happens when a step has not become HEALTHY for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnNotEnoughData {
    /// The minutes in a step after which it happens, at least 1.
    pub after_minutes: u64,
    /// What happens then.
    pub then: Then,
}

/// What happens after too long a time without enough data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// The roll notifies, and continues to wait.
    #[default]
    Wait,
    /// The roll ends, and the step stays active.
    Hold,
    /// The roll ends, and the rollout is rolled back as [`OnRegressed`] has it.
    GiveUp,
}

impl OnRegressed {
    /// Returns the word in the plan.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::PreviousStep => "previous_step",
        }
    }
}

impl Then {
    /// Returns the word in the plan.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Hold => "hold",
            Self::GiveUp => "give_up",
        }
    }
}

impl Default for OnNotEnoughData {
    fn default() -> Self {
        Self {
            after_minutes: 240,
            then: Then::default(),
        }
    }
}
