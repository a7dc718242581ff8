//! The states of a guard.

use std::fmt;

/// What a guard has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardState {
    /// It compares, and has not found v2 worse.
    #[default]
    Armed,
    /// V2 looks worse, and some of the requests have not settled. Lasts for `settle_seconds`, and up to two seconds
    /// longer for requests of other workers. With the action `report` it can last longer, because more requests come.
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
    /// All states.
    pub const ALL: [Self; 4] = [Self::Armed, Self::Holding, Self::Tripped, Self::Invalid];

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

    /// The state with this value of the gauge.
    #[must_use]
    pub const fn from_gauge(value: u64) -> Option<Self> {
        match value {
            0 => Some(Self::Armed),
            1 => Some(Self::Holding),
            2 => Some(Self::Tripped),
            3 => Some(Self::Invalid),
            _ => None,
        }
    }
}

impl fmt::Display for GuardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::GuardState;

    #[test]
    fn each_state_has_a_value_of_the_gauge() {
        for state in GuardState::ALL {
            assert_eq!(GuardState::from_gauge(state.gauge()), Some(state));
        }
        assert_eq!(GuardState::from_gauge(4), None);
    }
}
