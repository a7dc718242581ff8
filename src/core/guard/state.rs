//! The states of a guard.

use std::fmt;

/// What a guard has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardState {
    /// It compares, and v2 is not worse as far as is known.
    #[default]
    Armed,
    /// V2 looks worse, and the outcomes of some of the requests are still open. Lasts for `settle_seconds` at
    /// most.
    Holding,
    /// V2 is worse. Lasts until the guard is re-armed.
    Tripped,
    /// The arms are out of balance, so the guard cannot compare and never acts. Lasts until it is re-armed.
    Invalid,
}

/// A change of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The state before.
    pub from: GuardState,
    /// The state since.
    pub to: GuardState,
}

impl GuardState {
    /// The name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Holding => "holding",
            Self::Tripped => "tripped",
            Self::Invalid => "invalid",
        }
    }

    /// The value of the gauge.
    #[must_use]
    pub const fn gauge(self) -> u64 {
        match self {
            Self::Armed => 0,
            Self::Holding => 1,
            Self::Tripped => 2,
            Self::Invalid => 3,
        }
    }
}

impl fmt::Display for GuardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
