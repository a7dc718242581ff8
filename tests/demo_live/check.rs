//! Whether each request was answered, by a policy that was in force, as that policy says.

use std::time::Instant;

use turnout_core::{Account, Fraction, Plan, Time};

use crate::traffic::{Answered, Asked};

/// A policy that was in force.
pub(crate) struct Reign {
    pub(crate) revision: String,
    pub(crate) plan: Plan,
    /// From when it was about to be put in force, until its successor was for certain.
    pub(crate) from: Instant,
    pub(crate) until: Option<Instant>,
}

/// What the requests came to.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) requests: usize,
    /// Without an answer of an upstream.
    pub(crate) lost: usize,
    /// Answered by v2 with 500, while it failed.
    pub(crate) failed_by_v2: usize,
    pub(crate) revisions: usize,
    /// Each as it is shown.
    pub(crate) wrong: Vec<String>,
}

/// Looks at every single one.
pub(crate) fn check(asked: &[Asked], reigns: &[Reign]) -> Totals {
    let mut totals = Totals {
        requests: asked.len(),
        ..Totals::default()
    };
    let mut revisions = std::collections::BTreeSet::new();
    for one in asked {
        match &one.outcome {
            Err(error) => {
                totals.lost += 1;
                totals.wrong.push(format!("{}: {error}", one.sid));
            }
            Ok(answered) => {
                let is_lost = answered.version.is_none();
                totals.lost += usize::from(is_lost);
                totals.failed_by_v2 += usize::from(answered.status == 500 && !is_lost);
                revisions.extend(answered.revision.clone());
                if let Err(what) = judge(one, answered, reigns) {
                    totals.wrong.push(format!("{}: {what}", one.sid));
                }
            }
        }
    }
    totals.revisions = revisions.len();
    totals
}

fn judge(one: &Asked, answered: &Answered, reigns: &[Reign]) -> Result<(), String> {
    let status = answered.status;
    let Some(version) = answered.version.as_deref() else {
        return Err(format!("no upstream answered; status {status}"));
    };
    if status != 200 && !(status == 500 && version == "v2") {
        return Err(format!("{version} answered {status}"));
    }
    let Some(revision) = answered.revision.as_deref() else {
        return Err("its answer says no revision".to_owned());
    };
    let mut in_force = reigns.iter().filter(|reign| {
        let was_over = reign.until.is_some_and(|until| until < one.sent);
        reign.revision == revision && reign.from <= one.answered && !was_over
    });
    let Some(reign) = in_force.next() else {
        return Err(format!("revision {revision} was not in force then"));
    };
    let plan = &reign.plan;
    let (Some(rollout), Some(account)) =
        (plan.rollouts().first(), plan.account(one.sid.as_bytes()))
    else {
        return Err("no such rollout, or no such account".to_owned());
    };
    // The demo's policies have no ramps.
    let at = Time::from_seconds(0);
    let standing = plan.account_outcome(rollout, &Account::Known(account), at);
    let served = rollout.served(&standing);
    let may = match version {
        "v2" => served != Fraction::NONE,
        _ => served != Fraction::ALL,
    };
    match may {
        true => Ok(()),
        false => Err(format!(
            "{version} answered, which revision {revision} does not say"
        )),
    }
}
