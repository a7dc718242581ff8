//! The decision: which version a request takes, and why.

use crate::bucket::Position;
use crate::plan::{Plan, Rollout};
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

/// Decides a request. With what the [`Standing`](crate::Standing) of its account is made of, it reads as
/// the precedence list: what stands higher wins, and whatever cannot be decided is v1. It neither
/// fails nor allocates.
#[must_use]
pub fn decide<'p>(plan: &'p Plan, request: &Request<'_>) -> Decision<'p> {
    let Some(rollout) = plan.rollout_of(request) else {
        return Decision::new(None, Treatment::V1, Reason::NoRollout);
    };
    let v1 = |reason| Decision::new(Some(rollout), Treatment::V1, reason);
    let v2 = |reason| Decision::new(Some(rollout), Treatment::V2, reason);

    if let Some(reason) = plan.stopped(rollout) {
        return v1(reason);
    }
    if let Some(treatment) = request.decided_upstream(&rollout.name) {
        return Decision::new(Some(rollout), treatment, Reason::Inbound);
    }
    let standing = plan.standing_with(rollout, &request.account, request.headers, request.at);
    let decision = match standing.requests {
        None => v1(standing.reason),
        Some(requests) if !requests.includes(request_position(rollout, request)) => {
            v1(Reason::OutsideRequests)
        }
        Some(_) => v2(standing.reason),
    };
    Decision {
        rule: standing.rule,
        ..decision
    }
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

    /// The version that answers the user: in the modes `dark` and `shadow` always v1.
    #[must_use]
    pub fn served(&self) -> Treatment {
        self.rollout.map_or(self.treatment, |rollout| {
            rollout.mode.serves(self.treatment)
        })
    }
}
