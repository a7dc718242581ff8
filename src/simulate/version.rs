//! What is compared: policies at moments.

use turnout_core::{Plan, Time};

/// A policy at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Version<'p> {
    /// The policy.
    pub plan: &'p Plan,
    /// When.
    pub at: Time,
}
