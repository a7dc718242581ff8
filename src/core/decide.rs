//! The decision: which version a request takes, and why.

use crate::bucketing::Position;
use crate::decision::{Decision, Reason, Treatment};
use crate::plan::request_match::RegionMatch;
use crate::plan::{Mode, Plan, Rollout, Serve};
use crate::request::Request;
use crate::request::account::Account;

/// Decides a request. It reads as the precedence list: what stands higher wins, and whatever cannot
/// be decided is v1. It neither fails nor allocates.
#[must_use]
pub fn decide<'p>(plan: &'p Plan, request: &Request<'_>) -> Decision<'p> {
    match plan.rollout_of(request) {
        None => Decision::new(None, Treatment::V1, Reason::NoRollout),
        Some(rollout) => decide_in(plan, rollout, request, request_position),
    }
}

/// Decides a request of a rollout. `draw` says where the request stands, should that matter.
pub(crate) fn decide_in<'p>(
    plan: &'p Plan,
    rollout: &'p Rollout,
    request: &Request<'_>,
    draw: impl Fn(&Rollout, &Request<'_>) -> Position,
) -> Decision<'p> {
    let v1 = |reason| Decision::new(Some(rollout), Treatment::V1, reason);
    let v2 = |reason| Decision::new(Some(rollout), Treatment::V2, reason);

    if plan.halted {
        return v1(Reason::Halted);
    }
    if rollout.mode == Mode::Off {
        return v1(Reason::Off);
    }
    if let Some(treatment) = request.decided_upstream(&rollout.name) {
        return Decision::new(Some(rollout), treatment, Reason::Inbound);
    }
    if rollout.mode == Mode::On {
        return v2(Reason::On);
    }
    let account = match &request.account {
        Account::Absent => return v1(Reason::NoAccount),
        Account::Malformed => return v1(Reason::MalformedAccount),
        Account::Known(account) => account,
    };
    let segments = plan.segments.of(account);
    for (index, rule) in rollout.rules.iter().enumerate() {
        if !rule.when.holds(segments, request.headers) {
            continue;
        }
        let decision = match &rule.serve {
            _ if rule.when.region == RegionMatch::Unknown => v1(Reason::NoRegion),
            Serve::V1 => v1(Reason::Rule),
            Serve::V2 { accounts, .. }
                if !accounts
                    .at(request.at)
                    .includes(rollout.account_position(account)) =>
            {
                v1(Reason::OutsideAccounts)
            }
            Serve::V2 { requests, .. } if !requests.includes(draw(rollout, request)) => {
                v1(Reason::OutsideRequests)
            }
            Serve::V2 { .. } => v2(Reason::Rule),
        };
        return decision.by_rule(index);
    }
    v1(Reason::Default)
}

/// A request without an id cannot be drawn the same way twice, so it stands last.
pub(crate) fn request_position(rollout: &Rollout, request: &Request<'_>) -> Position {
    request
        .id
        .map_or(Position::LAST, |id| rollout.salt.request(id))
}
