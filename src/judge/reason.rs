//! Why a rollout has its verdict.

use turnout_core::Fraction;
use turnout_core::guard::{ArmCounts, Arms};

use crate::Verdict;

/// Why a rollout has its verdict. The order of the variants is the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The counts of a stratum contradict themselves.
    ContradictoryCounts {
        /// The percentage of the stratum.
        requests: Fraction,
        /// The counts.
        arms: Arms<ArmCounts>,
    },
    /// The share of v2 in a stratum is not its percentage.
    OutOfBalance {
        /// The percentage of the stratum.
        requests: Fraction,
        /// The counts.
        arms: Arms<ArmCounts>,
    },
    /// The guards of these proxies have found their arms out of balance.
    GuardInvalid(Vec<String>),
    /// The evidence over all proxies is strong enough.
    StrongEvidence,
    /// The guards of these proxies have tripped.
    GuardTripped(Vec<String>),
    /// The definition of the rollout has changed since the counts began.
    Changed,
    /// The counters of these proxies have evidence that their guards do not have, so the guards have started over.
    Rearmed(Vec<String>),
    /// The proxies do not all have the same revision.
    DifferentRevisions {
        /// The number of each revision, with the proxies that have it.
        revisions: Vec<(u64, Vec<String>)>,
    },
    /// These proxies have another revision than the expected one.
    OtherRevision(Vec<String>),
    /// No proxy was read.
    NoProxy,
    /// These proxies were not read, each with the reason.
    MissingProxies(Vec<(String, String)>),
    /// Fewer proxies were read than are expected.
    TooFewProxies {
        /// How many were read.
        read: usize,
        /// How many are expected.
        expected: usize,
    },
    /// These proxies do not report a revision.
    NoRevision(Vec<String>),
    /// These proxies do not report a state of the guard.
    NoGuardState(Vec<String>),
    /// The guards of these proxies wait for the outcome of requests that have not settled.
    GuardHolding(Vec<String>),
    /// No request was compared.
    NothingCompared,
    /// All compared requests are of strata in which v1 serves none.
    NoControl,
    /// Neither the evidence of regression nor that of health is strong enough.
    WeakEvidence,
    /// The evidence of health is strong enough.
    Healthy,
}

impl Reason {
    /// The verdict that it is a reason for.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::ContradictoryCounts { .. }
            | Self::OutOfBalance { .. }
            | Self::GuardInvalid(_)
            | Self::Changed
            | Self::Rearmed(_)
            | Self::DifferentRevisions { .. }
            | Self::OtherRevision(_) => Verdict::Invalid,
            Self::StrongEvidence | Self::GuardTripped(_) => Verdict::Regressed,
            Self::NoProxy
            | Self::MissingProxies(_)
            | Self::TooFewProxies { .. }
            | Self::NoRevision(_)
            | Self::NoGuardState(_)
            | Self::GuardHolding(_)
            | Self::NothingCompared
            | Self::NoControl
            | Self::WeakEvidence => Verdict::NotEnoughData,
            Self::Healthy => Verdict::Healthy,
        }
    }

    /// Whether the counts cannot be compared, so that their evidence means nothing.
    pub(crate) const fn forbids_comparison(&self) -> bool {
        matches!(
            self,
            Self::ContradictoryCounts { .. } | Self::OutOfBalance { .. }
        )
    }

    /// The place of the variant in the order of precedence.
    pub(crate) const fn precedence(&self) -> u8 {
        match self {
            Self::ContradictoryCounts { .. } => 0,
            Self::OutOfBalance { .. } => 1,
            Self::GuardInvalid(_) => 2,
            Self::StrongEvidence => 3,
            Self::GuardTripped(_) => 4,
            Self::Changed => 5,
            Self::Rearmed(_) => 6,
            Self::DifferentRevisions { .. } => 7,
            Self::OtherRevision(_) => 8,
            Self::NoProxy => 9,
            Self::MissingProxies(_) => 10,
            Self::TooFewProxies { .. } => 11,
            Self::NoRevision(_) => 12,
            Self::NoGuardState(_) => 13,
            Self::GuardHolding(_) => 14,
            Self::NothingCompared => 15,
            Self::NoControl => 16,
            Self::WeakEvidence => 17,
            Self::Healthy => 18,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ContradictoryCounts { .. } => "contradictory_counts",
            Self::OutOfBalance { .. } => "out_of_balance",
            Self::GuardInvalid(_) => "guard_invalid",
            Self::StrongEvidence => "strong_evidence",
            Self::GuardTripped(_) => "guard_tripped",
            Self::Changed => "changed",
            Self::Rearmed(_) => "rearmed",
            Self::DifferentRevisions { .. } => "different_revisions",
            Self::OtherRevision(_) => "other_revision",
            Self::NoProxy => "no_proxy",
            Self::MissingProxies(_) => "missing_proxies",
            Self::TooFewProxies { .. } => "too_few_proxies",
            Self::NoRevision(_) => "no_revision",
            Self::NoGuardState(_) => "no_guard_state",
            Self::GuardHolding(_) => "guard_holding",
            Self::NothingCompared => "nothing_compared",
            Self::NoControl => "no_control",
            Self::WeakEvidence => "weak_evidence",
            Self::Healthy => "healthy",
        }
    }
}
