//! What is worth knowing and changes no verdict.

/// What is worth knowing and changes no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The clusters serve requests that the filter did not decide.
    Uncovered {
        /// The share of the requests that it decided, in thousandths.
        decided_thousandths: u64,
    },
    /// The rollout is halted, so nothing is compared now.
    Halted,
    /// Requests of single accounts took v1 because the guard found v2 worse for them.
    EjectedAccounts {
        /// The number of these requests.
        requests: u64,
    },
}

impl Warning {
    /// The name in JSON.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Uncovered { .. } => "uncovered",
            Self::Halted => "halted",
            Self::EjectedAccounts { .. } => "ejected_accounts",
        }
    }
}
