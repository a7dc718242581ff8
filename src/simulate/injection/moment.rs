//! When something happened in a trial.

use serde::Serialize;

/// A point of a trial, counted from the request at which v2 began to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The number of requests of the rollout so far.
    pub requests: u64,
    /// The milliseconds so far.
    pub ms: u64,
}
