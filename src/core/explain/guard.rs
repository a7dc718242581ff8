//! Explains what the guard of a rollout does with a request.

use crate::bucketing::Fraction;
use crate::decision::{Decision, Reason, Treatment};
use crate::guard::GuardAction;
use crate::plan::{Rollout, Serve};
use crate::request::Request;

/// What the guard of a rollout does with a request, apart from its state, which only the proxy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardFound {
    /// Whether the guard acts when v2 is worse.
    pub action: GuardAction,
    /// Whether the request counts in the test.
    pub usage: GuardUse,
}

/// Whether a request counts in the test of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardUse {
    /// It counts.
    Counts {
        /// The percentage of requests that take v2 in its stratum.
        requests: Fraction,
        /// Its treatment.
        arm: Treatment,
        /// Whether v2 is compared with v1 in this stratum. Otherwise only the errors of v2 are limited.
        is_compared: bool,
    },
    /// It does not count, because it has no id.
    NoId,
    /// It does not count, because its treatment is not random.
    NotRandom,
}

/// Finds what the guard does with a request that it does not send to v1; `None` if the rollout has no guard, or if a
/// halt decides before the guard. Tests compare it with
/// [`RolloutGuard::note_decision`](crate::guard::RolloutGuard::note_decision).
pub(super) fn find(decision: &Decision<'_>, request: &Request<'_>) -> Option<GuardFound> {
    let rollout = decision.rollout?;
    let settings = rollout.guard.as_ref()?.settings;
    if decision.reason == Reason::Halted {
        return None;
    }
    let is_split =
        |requests: &Fraction| (1..Fraction::ALL.millionths()).contains(&requests.millionths());
    let is_all = |requests: &Fraction| requests.millionths() == Fraction::ALL.millionths();
    let stratum = stratum(rollout, decision);
    let stratum = stratum
        .filter(|requests| is_split(requests) || is_all(requests) && settings.limit.is_some());
    let usage = match (stratum, request.id) {
        (None, _) => GuardUse::NotRandom,
        (Some(_), None) => GuardUse::NoId,
        (Some(requests), Some(_)) => GuardUse::Counts {
            requests,
            arm: decision.treatment,
            is_compared: is_split(&requests)
                && (settings.errors.is_some() || settings.slow.is_some()),
        },
    };
    Some(GuardFound {
        action: settings.action,
        usage,
    })
}

/// The percentage of requests by which a request was decided.
fn stratum(rollout: &Rollout, decision: &Decision<'_>) -> Option<Fraction> {
    match decision.reason {
        Reason::On => Some(Fraction::ALL),
        Reason::Rule | Reason::OutsideRequests => match &rollout.rules.get(decision.rule?)?.serve {
            Serve::V1 => None,
            Serve::V2 { requests, .. } => Some(*requests),
        },
        _ => None,
    }
}
