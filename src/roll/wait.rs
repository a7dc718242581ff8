//! What a roll waits for.

use serde::{Deserialize, Serialize};

/// What a roll waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The kind of wait.
    pub code: WaitCode,
    /// What it waits for, as a sentence.
    pub text: String,
}

/// The kind of wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitCode {
    /// The bake of the step is not over.
    Bake,
    /// The bake is over, and the verdict is NOT ENOUGH DATA.
    NotEnoughData,
    /// The verdict is INVALID.
    Invalid,
    /// A quiet time of the plan.
    QuietTime,
    /// Not every proxy runs the step.
    Proxies,
    /// Applying the step has failed, and is tried again.
    Retry,
    /// Someone has halted the rollout, or everyone.
    Halted,
    /// Someone has applied another policy.
    OtherPolicy,
    /// The folder cannot be read.
    Folder,
    /// The plan is held, and someone has to continue it.
    Held,
    /// Rolling back has failed, and is tried again.
    RollingBack,
}

impl WaitCode {
    /// Returns the word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bake => "bake",
            Self::NotEnoughData => "not_enough_data",
            Self::Invalid => "invalid",
            Self::QuietTime => "quiet_time",
            Self::Proxies => "proxies",
            Self::Retry => "retry",
            Self::Halted => "halted",
            Self::OtherPolicy => "other_policy",
            Self::Folder => "folder",
            Self::Held => "held",
            Self::RollingBack => "rolling_back",
        }
    }

    /// Whether someone is notified, because the wait probably needs a person to end it.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        matches!(
            self,
            Self::Halted | Self::OtherPolicy | Self::Folder | Self::RollingBack
        )
    }
}
