//! What happens in a roll, for the people who follow it.

use turnout_core::Time;

use crate::roll_state::Outcome;
use crate::step_judgment::StepJudgment;
use crate::wait::WaitCode;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// The kind of event.
    pub code: EventCode,
    /// The name of the step, if it is about one.
    pub step: Option<String>,
    /// What has happened, as a sentence.
    pub text: String,
    /// What the roll waits for, if it is about that.
    pub wait: Option<WaitCode>,
    /// The judgment at that time, if there was one.
    pub judgment: Option<StepJudgment>,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventCode {
    /// The roll has begun.
    Started,
    /// A step is about to be applied.
    Applying,
    /// All proxies run a step, and its bake begins.
    Baking,
    /// The step could not be applied, and is tried again.
    ApplyFailed,
    /// The roll waits for something else than before.
    Waiting,
    /// The roll has waited longer for enough data than the plan expects.
    TooLittleData,
    /// v2 is worse, and is about to be rolled back.
    Regressed,
    /// v2 could not be rolled back, and that is tried again.
    RollbackFailed,
    /// The last step is over.
    Finished,
    /// v2 was worse, and is rolled back.
    RolledBack,
    /// The plan is held at a step.
    Held,
    /// The plan was given up, and is rolled back.
    GivenUp,
}

impl Event {
    /// Whether people who do not follow the roll want to know.
    #[must_use]
    pub fn is_news(&self) -> bool {
        match self.code {
            EventCode::Baking => false,
            EventCode::Waiting => self.wait.is_some_and(WaitCode::needs_person),
            _ => true,
        }
    }
}

impl EventCode {
    /// Returns the word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Applying => "applying",
            Self::Baking => "baking",
            Self::ApplyFailed => "apply_failed",
            Self::Waiting => "waiting",
            Self::TooLittleData => "too_little_data",
            Self::Regressed => "regressed",
            Self::RollbackFailed => "rollback_failed",
            Self::Finished => "finished",
            Self::RolledBack => "rolled_back",
            Self::Held => "held",
            Self::GivenUp => "given_up",
        }
    }
}

impl Outcome {
    /// Returns the event of the end of a roll.
    pub(crate) const fn event(self) -> EventCode {
        match self {
            Self::Finished => EventCode::Finished,
            Self::RolledBack => EventCode::RolledBack,
            Self::GivenUp => EventCode::GivenUp,
            Self::Held => EventCode::Held,
        }
    }
}
