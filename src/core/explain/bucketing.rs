//! Where an account, or a request, stands on its line, and from which percentage on it is included.

use crate::bucketing::hash::{Hash, ToolPosition};
use crate::bucketing::{Fraction, Position};
use crate::decide::request_position;
use crate::plan::Rollout;
use crate::plan::ramp::{Ramp, Step};
use crate::policy::time::Time;
use crate::request::Request;
use crate::request::account::Account;

/// One draw of a rule.
#[derive(Debug)]
pub struct Bucketing {
    /// What is included at the moment of the request.
    pub fraction: Fraction,
    /// Where the account, or the request, stands; `None` for a request without an id, which stands
    /// last.
    pub position: Option<Position>,
    /// By which hash it is drawn: by the rollout's an account, and by Turnout's own a request.
    pub hash: &'static str,
    /// The position as the tool shows it whose hash that is.
    pub tool_position: Option<ToolPosition>,
    /// The smallest percentage that includes it.
    pub smallest_including: Fraction,
    /// Whether it is included.
    pub includes: bool,
    /// The steps of a ramp, in the order of time; empty for a plain percentage.
    pub ramp: Vec<RampStep>,
}

/// A step of a ramp.
#[derive(Clone, Copy, Debug)]
pub struct RampStep {
    /// The step.
    pub step: Step,
    /// Whether it is in force at the moment of the request.
    pub is_active: bool,
    /// Whether it includes the account.
    pub includes: bool,
}

impl Bucketing {
    pub(super) fn of_account(rollout: &Rollout, ramp: &Ramp, request: &Request<'_>) -> Self {
        let position = match &request.account {
            Account::Known(account) => Some(rollout.account_position(account)),
            Account::Absent | Account::Malformed => None,
        };
        Self {
            ramp: steps(ramp, request.at, position.unwrap_or(Position::LAST)),
            ..Self::new(&rollout.hash, ramp.at(request.at), position)
        }
    }

    pub(super) fn of_request(rollout: &Rollout, part: Fraction, request: &Request<'_>) -> Self {
        let position = request_position(rollout, request);
        Self {
            position: request.id.map(|_| position),
            tool_position: request.id.map(|_| ToolPosition::Whole(position.0)),
            ..Self::new(&Hash::turnout(rollout.salt), part, Some(position))
        }
    }

    fn new(hash: &Hash, fraction: Fraction, position: Option<Position>) -> Self {
        let drawn = position.unwrap_or(Position::LAST);
        Self {
            fraction,
            position,
            hash: hash.name(),
            tool_position: position.map(|position| hash.tool_position(position)),
            smallest_including: hash.smallest_including(drawn),
            includes: fraction.includes(drawn),
            ramp: Vec::new(),
        }
    }

    /// When a step of the ramp will first include the account that is not included yet.
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
