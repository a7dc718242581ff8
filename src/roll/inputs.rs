//! What a roll sees of the world, and what it does to it.

use turnout_core::Time;
use turnout_live::ActiveRevision;

use crate::event::Event;
use crate::roll_state::RollState;
use crate::step_judgment::StepJudgment;

/// What a roll sees of the world at one moment.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The time.
    pub now: Time,
    /// How long ago the last look was, in milliseconds.
    pub elapsed_milliseconds: u64,
    /// When the quiet time ends, if it is one.
    pub quiet_until: Option<Time>,
    /// The active policy of the folder.
    pub folder: FolderPolicy,
    /// The proxies.
    pub proxies: Vec<ProxyRevision>,
    /// The number of proxies that must be there, if it is known.
    pub expected_proxies: Option<usize>,
    /// The judgment of the counts since the baseline, if there is one.
    pub judgment: Option<StepJudgment>,
}

/// The active policy of the folder that the proxies watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderPolicy {
    /// There is no folder, because something else ships the policies.
    NoFolder,
    /// The folder has no policy.
    Empty,
    /// The folder has a policy.
    Active(ActiveRevision),
    /// It cannot be read. The text says why.
    Unreadable(String),
}

/// What one proxy runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRevision {
    /// The name of the proxy.
    pub name: String,
    /// The number of its revision. `None` if the proxy was not read, or reports none.
    pub number: Option<u64>,
    /// Why the proxy was not read, as a sentence; `None` if it was.
    pub missing: Option<String>,
}

/// Something that a roll does to the world. Each can be done again without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Applies the policy of a step.
    Apply {
        /// The index of the step.
        step: usize,
        /// Whether it returns from a later step, so that it is written even if a proxy is not ready.
        is_return: bool,
        /// Why, for the history.
        why: String,
    },
    /// Halts the rollout.
    Halt {
        /// Why, for the history.
        why: String,
    },
}

/// What became of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectResult {
    /// It is done, and every proxy that was asked confirms it.
    Done,
    /// It is on its way. Whether the proxies run it shows when they are read.
    Shipped,
    /// It is written, but not every proxy confirms it. The text says why.
    Unconfirmed(String),
    /// Some proxies run it, others refused it.
    PartlyRefused(String),
    /// Every proxy refused it, and the policy before is active.
    Refused(String),
    /// Nothing was written.
    Failed(String),
}

/// What a roll does at one look at the world.
#[derive(Clone, Debug)]
pub struct Tick {
    /// The new state. It is saved before the effect.
    pub state: RollState,
    /// Whether the counts begin at this look.
    pub begins_counts: bool,
    /// What to do.
    pub effect: Option<Effect>,
    /// What has happened.
    pub events: Vec<Event>,
}
