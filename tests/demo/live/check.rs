//! Checks that each request got a response, from the treatment that an active policy decided.

use std::time::Instant;

use turnout_core::{Account, Fraction, Plan, Time};

use crate::traffic::{Exchange, Response};

/// A policy, and when it was active.
pub(crate) struct ActivePolicy {
    pub(crate) revision: String,
    pub(crate) plan: Plan,
    /// From just before it was applied until its successor was certainly active.
    pub(crate) from: Instant,
    pub(crate) until: Option<Instant>,
}

/// The sums over all requests.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) requests: usize,
    /// Requests without a response of an upstream.
    pub(crate) lost: usize,
    /// Response by v2 with 500, while it failed.
    pub(crate) failed_by_v2: usize,
    pub(crate) revisions: usize,
    /// The errors as they are printed.
    pub(crate) wrong: Vec<String>,
}

/// Checks every request.
pub(crate) fn check(exchanges: &[Exchange], active_policies: &[ActivePolicy]) -> Totals {
    let mut totals = Totals {
        requests: exchanges.len(),
        ..Totals::default()
    };
    let mut revisions = std::collections::BTreeSet::new();
    for one in exchanges {
        match &one.outcome {
            Err(error) => {
                totals.lost += 1;
                totals.wrong.push(format!("{}: {error}", one.sid));
            }
            Ok(response) => {
                let is_lost = response.version.is_none();
                totals.lost += usize::from(is_lost);
                totals.failed_by_v2 += usize::from(response.status == 500 && !is_lost);
                revisions.extend(response.revision.clone());
                if let Err(what) = judge(one, response, active_policies) {
                    totals.wrong.push(format!("{}: {what}", one.sid));
                }
            }
        }
    }
    totals.revisions = revisions.len();
    totals
}

fn judge(
    one: &Exchange,
    response: &Response,
    active_policies: &[ActivePolicy],
) -> Result<(), String> {
    let status = response.status;
    let Some(version) = response.version.as_deref() else {
        return Err(format!("no upstream responded; status {status}"));
    };
    if status != 200 && !(status == 500 && version == "v2") {
        return Err(format!("{version} responded with {status}"));
    }
    let Some(revision) = response.revision.as_deref() else {
        return Err("the response has no revision".to_owned());
    };
    let mut active = active_policies.iter().filter(|policy| {
        let was_over = policy.until.is_some_and(|until| until < one.sent);
        policy.revision == revision && policy.from <= one.received && !was_over
    });
    let Some(policy) = active.next() else {
        return Err(format!("revision {revision} was not active then"));
    };
    let plan = &policy.plan;
    let (Some(rollout), Some(account)) =
        (plan.rollouts().first(), plan.account(one.sid.as_bytes()))
    else {
        return Err("the policy has no such rollout, or the account is invalid".to_owned());
    };
    // The demo's policies have no ramps.
    let at = Time::from_seconds(0);
    let outcome = plan.account_outcome(rollout, &Account::Known(account), at);
    let served = rollout.served(&outcome);
    let may = match version {
        "v2" => served != Fraction::NONE,
        _ => served != Fraction::ALL,
    };
    match may {
        true => Ok(()),
        false => Err(format!(
            "{version} responded, which revision {revision} does not allow"
        )),
    }
}
