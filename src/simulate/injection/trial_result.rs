//! What became of one trial.

use serde::Serialize;

use super::moment::Moment;

/// How a trial ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The guard tripped after v2 began to fail.
    Tripped,
    /// The guard tripped before v2 began to fail: a false alarm.
    TrippedBefore,
    /// The arms were out of balance, so the guard cannot act.
    Invalid,
    /// The guard did not trip.
    #[default]
    NotTripped,
}

/// What became of one trial. Counts begin with the request at which v2 begins to fail, and end with the trial: when
/// the guard trips, or after the last request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrialResult {
    /// The seed, which repeats the trial.
    pub seed: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Requests of the rollout.
    pub requests: u64,
    /// Requests that took v2.
    pub v2_requests: u64,
    /// Requests that took v2 and that the guard does not compare.
    pub v2_not_compared: u64,
    /// Errors of v2. Users see all of them.
    pub v2_errors: u64,
    /// Slow requests of v2.
    pub v2_slow: u64,
    /// Accounts of which a request took v2.
    pub accounts_on_v2: u64,
    /// Accounts that saw an error of v2.
    pub accounts_with_v2_error: u64,
    /// Accounts that the guard sent back to v1 alone.
    pub ejected_accounts: u64,
    /// How many times the guard held and found v2 not to be worse.
    pub passed_holds: u64,
    /// Since when no request takes v2: the guard held or tripped. `None` if v2 still serves requests.
    pub v2_stopped: Option<Moment>,
    /// When the guard tripped.
    pub tripped: Option<Moment>,
    /// The highest settled evidence: 1,000 times its decimal logarithm.
    pub evidence_milli: u64,
    /// What the proxy logs when the guard trips or is invalid.
    pub message: Option<String>,
}
