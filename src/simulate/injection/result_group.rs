//! Sums up the trials that ended alike.

use serde::Serialize;

use super::range::Range;
use super::trial_result::{Outcome, TrialResult};

/// The trials with one outcome. Each number is that of [`TrialResult`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResultGroup {
    /// How they ended.
    pub outcome: Outcome,
    /// The number of trials.
    pub trials: usize,
    /// Requests of the rollout.
    pub requests: Range,
    /// Requests that took v2.
    pub v2_requests: Range,
    /// Errors of v2.
    pub v2_errors: Range,
    /// Slow requests of v2.
    pub v2_slow: Range,
    /// Accounts of which a request took v2.
    pub accounts_on_v2: Range,
    /// Accounts that saw an error of v2.
    pub accounts_with_v2_error: Range,
    /// Accounts that the guard sent back to v1 alone.
    pub ejected_accounts: Range,
    /// When the last request took v2; `None` if v2 still serves requests.
    pub v2_stopped_ms: Option<Range>,
    /// When the guard tripped.
    pub tripped_ms: Option<Range>,
    /// The highest settled evidence.
    pub evidence_milli: Range,
}

impl ResultGroup {
    /// Sums up the trials with this outcome; `None` if there are none.
    pub(super) fn of(outcome: Outcome, results: &[TrialResult]) -> Option<Self> {
        let results: Vec<_> = results
            .iter()
            .filter(|result| result.outcome == outcome)
            .collect();
        let range = |number: fn(&TrialResult) -> u64| {
            Range::of(results.iter().map(|result| number(result)))
        };
        let moments = |moment: fn(&TrialResult) -> Option<u64>| {
            Range::of(results.iter().filter_map(|result| moment(result)))
        };
        Some(Self {
            outcome,
            trials: results.len(),
            requests: range(|result| result.requests)?,
            v2_requests: range(|result| result.v2_requests)?,
            v2_errors: range(|result| result.v2_errors)?,
            v2_slow: range(|result| result.v2_slow)?,
            accounts_on_v2: range(|result| result.accounts_on_v2)?,
            accounts_with_v2_error: range(|result| result.accounts_with_v2_error)?,
            ejected_accounts: range(|result| result.ejected_accounts)?,
            v2_stopped_ms: moments(|result| Some(result.v2_stopped?.ms)),
            tripped_ms: moments(|result| Some(result.tripped?.ms)),
            evidence_milli: range(|result| result.evidence_milli)?,
        })
    }
}
