//! The four verdicts of a rollout.

/// The verdict of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// On average so far, v2 fails at most as often as the guard allows, plus the excess. If v2 fails more often, this
    /// verdict is ever reached with a probability of at most the guard's alpha.
    Healthy,
    /// The data shows neither.
    NotEnoughData,
    /// The data cannot be compared, for example because the arms are out of balance.
    Invalid,
    /// v2 fails more often than the guard allows. If it does not, this verdict is ever reached with a probability of at
    /// most the guard's alpha.
    Regressed,
}

impl Verdict {
    /// Returns the verdict as text shows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::NotEnoughData => "NOT ENOUGH DATA",
            Self::Invalid => "INVALID",
            Self::Regressed => "REGRESSED",
        }
    }

    /// Returns the verdict as JSON has it.
    #[must_use]
    pub const fn as_json(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::NotEnoughData => "not_enough_data",
            Self::Invalid => "invalid",
            Self::Regressed => "regressed",
        }
    }
}
