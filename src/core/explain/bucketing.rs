//! Explains the bucketing of an account or request: its position, and the smallest percentage that includes it.

use crate::bucketing::hash::{Hash, ToolPosition};
use crate::bucketing::{Fraction, Position};
use crate::decide::request_position;
use crate::plan::Rollout;
use crate::plan::ramp::{Ramp, Step};
use crate::policy::time::Time;
use crate::request::Request;
use crate::request::account_id::Account;

/// The bucketing of an account or request under a rule.
#[derive(Debug)]
pub struct Bucketing {
    /// The percentage at the time of the request.
    pub fraction: Fraction,
    /// The position; `None` for a request without an id, which has the last position.
    pub position: Option<Position>,
    /// The name of the hash: the rollout's for an account, and Turnout's own for a request.
    pub hash: &'static str,
    /// The position as the tool with this hash shows it.
    pub tool_position: Option<ToolPosition>,
    /// The smallest percentage that includes the position.
    pub smallest_including: Fraction,
    /// Whether the percentage includes the position.
    pub includes: bool,
    /// The steps of a ramp, in the order of their starts; empty for a plain percentage.
    pub ramp: Vec<RampStep>,
}

/// A step of a ramp.
#[derive(Clone, Copy, Debug)]
pub struct RampStep {
    /// The step.
    pub step: Step,
    /// Whether the step is active at the time of the request.
    pub is_active: bool,
    /// Whether the step includes the account.
    pub includes: bool,
}

impl Bucketing {
    pub(super) fn for_account(rollout: &Rollout, ramp: &Ramp, request: &Request<'_>) -> Self {
        let position = match &request.account {
            Account::Known(account) => Some(rollout.account_position(account)),
            Account::Absent | Account::Malformed => None,
        };
        Self {
            ramp: steps(ramp, request.at, position.unwrap_or(Position::LAST)),
            ..Self::new(&rollout.hash, ramp.at(request.at), position)
        }
    }

    pub(super) fn for_request(
        rollout: &Rollout,
        fraction: Fraction,
        request: &Request<'_>,
    ) -> Self {
        let position = request_position(rollout, request);
        Self {
            position: request.id.map(|_| position),
            tool_position: request.id.map(|_| ToolPosition::Whole(position.0)),
            ..Self::new(&Hash::turnout(rollout.salt), fraction, Some(position))
        }
    }

    fn new(hash: &Hash, fraction: Fraction, position: Option<Position>) -> Self {
        let effective = position.unwrap_or(Position::LAST);
        Self {
            fraction,
            position,
            hash: hash.name(),
            tool_position: position.map(|position| hash.tool_position(position)),
            smallest_including: hash.smallest_including(effective),
            includes: fraction.includes(effective),
            ramp: Vec::new(),
        }
    }

    /// Returns when a later step of the ramp first includes the account; `None` if it is included already or never.
    #[must_use]
    pub fn enters_at(&self) -> Option<Time> {
        let now = self.ramp.iter().rposition(|step| step.is_active);
        let later = now.map_or(0, |now| now.saturating_add(1));
        let mut later = self.ramp.iter().skip(later);
        if self.includes {
            return None;
        }
        later.find(|step| step.includes)?.step.from
    }
}

fn steps(ramp: &Ramp, at: Time, position: Position) -> Vec<RampStep> {
    if !ramp.has_steps() {
        return Vec::new();
    }
    let begins = |step: &Step| step.from.is_none_or(|from| from <= at);
    let now = ramp.steps().iter().rposition(begins);
    let steps = ramp.steps().iter().enumerate();
    steps
        .map(|(index, step)| RampStep {
            step: *step,
            is_active: now == Some(index),
            includes: step.fraction.includes(position),
        })
        .collect()
}
