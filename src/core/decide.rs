//! The decision: which version a request takes, and why.

use crate::account::Account;
use crate::bucket::Position;
use crate::matching::Place;
use crate::plan::{Mode, Plan, Rollout, Serve};
use crate::request::Request;
use crate::treatment::{Reason, Treatment};

/// A treatment and its reason.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'p> {
    /// The rollout that has the request; `None` when no rollout matches.
    pub rollout: Option<&'p Rollout>,
    /// What was decided. In the modes `dark` and `shadow` it is recorded, but not
    /// [`served`](Self::served).
    pub treatment: Treatment,
    /// Why.
    pub reason: Reason,
    /// The rule that decided, from 0.
    pub rule: Option<usize>,
}

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
            _ if rule.when.place == Place::Unknown => v1(Reason::NoRegion),
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

impl<'p> Decision<'p> {
    fn new(rollout: Option<&'p Rollout>, treatment: Treatment, reason: Reason) -> Self {
        Self {
            rollout,
            treatment,
            reason,
            rule: None,
        }
    }

    fn by_rule(self, index: usize) -> Self {
        Self {
            rule: Some(index),
            ..self
        }
    }

    /// The version that answers the user: in the modes `dark` and `shadow` always v1.
    #[must_use]
    pub fn served(&self) -> Treatment {
        self.rollout.map_or(self.treatment, |rollout| {
            rollout.mode.serves(self.treatment)
        })
    }
}
