//! What the judge has found about a rollout.

use turnout_core::Fraction;
use turnout_core::guard::{
    ArmCounts, Arms, Evidence, GuardCounts, GuardSettings, GuardState, HealthEvidence,
    RatioEstimate,
};

use crate::{Reason, Verdict, Warning};

/// What the judge has found about a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgment {
    /// The name of the rollout.
    pub rollout: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, the most important reason first. There is at least one, and the verdict is that of the first.
    pub reasons: Vec<Reason>,
    /// What else is worth knowing.
    pub warnings: Vec<Warning>,
    /// The settings of the guard.
    pub settings: GuardSettings,
    /// The compared requests.
    pub counts: GuardCounts,
    /// How long they have been counted, in seconds.
    pub observed_seconds: u64,
    /// The evidence that v2 is worse than allowed.
    pub evidence: Evidence,
    /// The natural logarithm of the evidence that is enough, for a regression and for health: −ln alpha.
    pub ln_threshold: f64,
    /// How many times as often v2 fails as v1.
    pub ratio: RatioEstimate,
    /// How many times as often v2 is slow as v1, if slow requests are compared.
    pub slow_ratio: Option<RatioEstimate>,
    /// The evidence that v2 is good enough.
    pub health: HealthEvidence,
    /// The excess with which it was computed.
    pub excess: Fraction,
    /// What health still needs; `None` if it needs nothing, or if more of the same would never be enough.
    pub needed: Option<Needed>,
    /// The strata with compared requests.
    pub strata: Vec<JudgedStratum>,
    /// The percentage of the stratum with the strongest evidence against v2; `None` if there is none.
    pub worst_stratum: Option<Fraction>,
    /// The proxies; `None` if only counts are known.
    pub proxies: Option<Vec<JudgedProxy>>,
    /// How many of the clusters' requests the filter decided; `None` if that is unknown.
    pub coverage: Option<Coverage>,
}

/// What health still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The number of further compared requests of v2, if the rates stay what they are.
    pub v2_requests: u64,
    /// How long they take at the present rate, if it is known and requests come.
    pub seconds: Option<u64>,
    /// Whether the present rate is known, from two readings, or from the time in which the requests came.
    pub is_rate_known: bool,
}

/// The compared requests of a stratum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgedStratum {
    /// Its percentage.
    pub requests: Fraction,
    /// The counts.
    pub arms: Arms<ArmCounts>,
    /// The evidence that v2 is worse in this stratum, as a natural logarithm.
    pub ln_evidence: f64,
    /// Whether the share of v2 is the percentage.
    pub is_balanced: bool,
}

/// What a proxy reports about a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedProxy {
    /// Its name.
    pub name: String,
    /// Why it was not read; `None` if it was.
    pub missing: Option<String>,
    /// The number of its revision.
    pub revision_number: Option<u64>,
    /// The state of its guard.
    pub state: Option<GuardState>,
    /// How many times it has restarted.
    pub restarts: u64,
}

/// How many of the clusters' requests the filter decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Requests that the filter decided to send to the clusters of the rollout, also for other rollouts.
    pub decided: u64,
    /// Requests that these clusters completed.
    pub served: u64,
}

impl Judgment {
    /// Whether the counts are those of a comparison. Otherwise, neither the ratio nor the evidence means anything.
    #[must_use]
    pub fn are_comparable(&self) -> bool {
        !self.reasons.iter().any(Reason::forbids_comparison)
    }
}
