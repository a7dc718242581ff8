//! A policy together with the time at which it is evaluated.

use turnout_core::{Plan, Time};

/// A policy at a point in time.
#[derive(Clone, Copy, Debug)]
pub struct PolicyAt<'p> {
    /// The policy.
    pub plan: &'p Plan,
    /// The time.
    pub at: Time,
}
