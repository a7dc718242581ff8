//! Decides which treatment a request gets, and why.

use crate::bucketing::Position;
use crate::decision::{Decision, Reason, Treatment};
use crate::guard::{Guards, NoGuards};
use crate::plan::request_match::RegionMatch;
use crate::plan::{Mode, Plan, Rollout, Serve};
use crate::request::Request;
use crate::request::account_id::Account;

/// Decides a request as long as no guard sends it to v1: [`decide_guarded`] without step 4.
#[must_use]
pub fn decide<'p>(plan: &'p Plan, request: &Request<'_>) -> Decision<'p> {
    decide_guarded(plan, &NoGuards, request)
}

/// Decides a request.
///
/// The steps are tried in the order of precedence, and the first one that applies decides:
///
/// 1. no rollout matches the request: v1 (`no_rollout`)
/// 2. the policy or the rollout is halted: v1 (`halted`)
/// 3. the rollout is off: v1 (`off`)
/// 4. the rollout's guard sends everyone to v1 (`guard`), or this account (`guard_account`)
/// 5. a trusted earlier hop has decided this rollout: its treatment (`inbound`)
/// 6. the rollout is on: v2 (`on`)
/// 7. the request has no account, or a malformed one: v1 (`no_account`, `malformed_account`)
/// 8. the first rule whose condition holds: its treatment (`rule`); v1 where the proxy's region is
///    unknown (`no_region`) or the allocation excludes the account (`outside_accounts`) or the request
///    (`outside_requests`)
/// 9. no rule holds: v1 (`default`)
///
/// Never fails and never allocates.
#[must_use]
pub fn decide_guarded<'p>(
    plan: &'p Plan,
    guards: &impl Guards,
    request: &Request<'_>,
) -> Decision<'p> {
    match plan.rollout_of(request) {
        None => Decision::new(None, Treatment::V1, Reason::NoRollout),
        Some(rollout) => decide_in_rollout(plan, guards, rollout, request, request_position),
    }
}

/// Decides a request as one of this rollout, whatever the rollout's `match` selects: steps 2 to 9 of
/// [`decide_guarded`].
#[must_use]
pub fn decide_guarded_in_rollout<'p>(
    plan: &'p Plan,
    guards: &impl Guards,
    rollout: &'p Rollout,
    request: &Request<'_>,
) -> Decision<'p> {
    decide_in_rollout(plan, guards, rollout, request, request_position)
}

/// Decides a request that belongs to a rollout: steps 2 to 9 of [`decide_guarded`]. `position_request`
/// returns the position of the request, and is called only if a rule depends on it.
pub(crate) fn decide_in_rollout<'p>(
    plan: &'p Plan,
    guards: &impl Guards,
    rollout: &'p Rollout,
    request: &Request<'_>,
    position_request: impl Fn(&Rollout, &Request<'_>) -> Position,
) -> Decision<'p> {
    let v1 = |reason| Decision::new(Some(rollout), Treatment::V1, reason);
    let v2 = |reason| Decision::new(Some(rollout), Treatment::V2, reason);

    if rollout.is_halted {
        return v1(Reason::Halted);
    }
    if rollout.mode == Mode::Off {
        return v1(Reason::Off);
    }
    if let Some(reason) = guards.reason(rollout, &request.account) {
        return v1(reason);
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
    let segments = plan.segments.find(account);
    for (index, rule) in rollout.rules.iter().enumerate() {
        if !rule.when.holds(segments, request.headers) {
            continue;
        }
        let decision = match &rule.serve {
            _ if rule.when.region == RegionMatch::Unknown => v1(Reason::NoRegion),
            Serve::V1 => v1(Reason::Rule),
            Serve::V2 { accounts, requests } => {
                let accounts = accounts.at(request.at);
                if !accounts.includes(rollout.account_position(account)) {
                    v1(Reason::OutsideAccounts)
                } else if !requests.includes(position_request(rollout, request)) {
                    v1(Reason::OutsideRequests)
                } else {
                    v2(Reason::Rule)
                }
            }
        };
        return decision.with_rule(index);
    }
    v1(Reason::Default)
}

/// The position of a request among the requests of its rollout. A request without an id has no stable
/// position, so it gets the last one and only `requests: 100` includes it.
pub(crate) fn request_position(rollout: &Rollout, request: &Request<'_>) -> Position {
    request
        .id
        .map_or(Position::LAST, |id| rollout.salt.request(id))
}
