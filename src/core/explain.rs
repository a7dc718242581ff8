//! The way to a decision: what was asked, in the order of precedence, what was found, and which
//! step decided.
//!
//! [`decide`] alone decides. This asks the same questions by the same functions and writes the answers
//! down, so that a person can follow them; the outcome of its last step is always the decision.

mod account;
mod bucketing;
mod condition;
mod request_builder;

use crate::decide::decide;
use crate::decision::Decision;
use crate::decision::{Reason, Treatment};
use crate::plan::request_match::RegionMatch;
use crate::plan::segments::SegmentSet;
use crate::plan::{Mode, Plan, Rollout, Rule, Serve};
use crate::proxy::decision_header::Inbound;
use crate::request::Request;
use crate::request::account::Account;
use crate::request::ambiguity::Ambiguity;

pub use account::{AccountFound, SourceContent, SourceName, SourceTried};
pub use bucketing::{Bucketing, RampStep};
pub use condition::{Condition, Part, Pattern};
pub use request_builder::{AccountPlacementError, BuiltRequest, Filled, RequestBuilder};

/// A decision, and the way to it.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// What [`decide`] returned.
    pub decision: Decision<'a>,
    /// Every rollout of the policy, in order: whether its `match` holds.
    pub rollouts: Vec<Tried<'a>>,
    /// Why none has the request although one matches: it is in doubt which of them has it.
    pub doubt: Option<Ambiguity>,
    /// What was asked of the rollout that has the request, in the order of precedence. Empty where no
    /// rollout has it.
    pub steps: Vec<Step<'a>>,
}

/// A rollout, asked whether it has the request.
#[derive(Debug)]
pub struct Tried<'a> {
    /// Which.
    pub rollout: &'a Rollout,
    /// Every part of its `match`; `None` where a rollout before it has the request.
    pub conditions: Option<Vec<Condition<'a>>>,
}

/// A question of the precedence.
#[derive(Debug)]
pub struct Step<'a> {
    /// What is asked.
    pub question: Question,
    /// `None` where a step before it decided.
    pub answer: Option<StepResult<'a>>,
}

/// What a step asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is the policy halted?
    Halted,
    /// Is the rollout off?
    Off,
    /// Has a trusted earlier hop decided?
    Inbound,
    /// Is the rollout on?
    On,
    /// Whom is the request for?
    Account,
    /// Does this rule hold, by its number from 0?
    Rule(usize),
    /// No rule holds.
    Default,
}

/// What a step found.
#[derive(Debug)]
pub struct StepResult<'a> {
    /// What it looked at.
    pub finding: StepFinding<'a>,
    /// What it decided; `None` where the next step was asked.
    pub outcome: Option<(Treatment, Reason)>,
}

/// What a step looked at.
#[derive(Debug)]
pub enum StepFinding<'a> {
    /// Whether the policy is halted.
    Halted(bool),
    /// The rollout's mode.
    Mode(Mode),
    /// Whether earlier hops are believed, and what one of them decided.
    Inbound(Inbound, Option<Treatment>),
    /// The account and its segments.
    Account(AccountFound<'a>),
    /// The rule.
    Rule(RuleFound<'a>),
    /// There is nothing to look at.
    Default,
}

/// What a rule came to.
#[derive(Debug)]
pub struct RuleFound<'a> {
    /// Every part of its `when`.
    pub conditions: Vec<Condition<'a>>,
    /// What it does; `None` where its `when` does not hold.
    pub serve: Option<ServeFound>,
}

/// What a rule that holds does.
#[derive(Debug)]
pub enum ServeFound {
    /// It cannot be known whether it holds: it names regions, and the proxy does not say where it is.
    NoRegion,
    /// It serves v1.
    V1,
    /// It serves v2 to a part of the accounts, and of their requests.
    V2 {
        /// The draw of the account.
        accounts: Box<Bucketing>,
        /// The draw of the request; `None` where the account is outside, so that it is not asked.
        requests: Option<Box<Bucketing>>,
    },
}

impl Plan {
    /// Decides a request, and says how.
    #[must_use]
    pub fn explain<'a>(&'a self, request: &'a Request<'a>) -> Explanation<'a> {
        let mut taken = None;
        let mut rollouts = Vec::with_capacity(self.rollouts.len());
        for rollout in &self.rollouts {
            let conditions = taken
                .is_none()
                .then(|| condition::of_match(&rollout.matches, request));
            if conditions.as_ref().is_some_and(|all| condition::hold(all)) {
                taken = Some(rollout);
            }
            rollouts.push(Tried {
                rollout,
                conditions,
            });
        }
        let doubt = taken.and_then(|rollout| self.ambiguity(rollout, request));
        let taken = taken.filter(|_| doubt.is_none());
        Explanation {
            decision: decide(self, request),
            rollouts,
            doubt,
            steps: taken.map_or(Vec::new(), |rollout| self.steps(rollout, request)),
        }
    }

    fn steps<'a>(&'a self, rollout: &'a Rollout, request: &'a Request<'a>) -> Vec<Step<'a>> {
        let mut steps = Steps(Vec::new());
        steps.ask(Question::Halted, || StepResult {
            finding: StepFinding::Halted(self.halted),
            outcome: self.halted.then_some((Treatment::V1, Reason::Halted)),
        });
        let mode = |decisive: Mode, outcome| StepResult {
            finding: StepFinding::Mode(rollout.mode),
            outcome: (rollout.mode == decisive).then_some(outcome),
        };
        steps.ask(Question::Off, || {
            mode(Mode::Off, (Treatment::V1, Reason::Off))
        });
        steps.ask(Question::Inbound, || {
            let decided = request.decided_upstream(&rollout.name);
            StepResult {
                finding: StepFinding::Inbound(request.inbound, decided),
                outcome: decided.map(|treatment| (treatment, Reason::Inbound)),
            }
        });
        steps.ask(Question::On, || mode(Mode::On, (Treatment::V2, Reason::On)));
        steps.ask(Question::Account, || self.account_answer(request));
        let segments = match &request.account {
            Account::Known(account) => self.segments.find(account),
            Account::Absent | Account::Malformed => SegmentSet::NONE,
        };
        for (index, rule) in rollout.rules.iter().enumerate() {
            steps.ask(Question::Rule(index), || {
                self.rule_answer(rollout, rule, segments, request)
            });
        }
        steps.ask(Question::Default, || StepResult {
            finding: StepFinding::Default,
            outcome: Some((Treatment::V1, Reason::Default)),
        });
        steps.0
    }

    fn account_answer<'a>(&'a self, request: &'a Request<'a>) -> StepResult<'a> {
        let v1 = |reason| Some((Treatment::V1, reason));
        StepResult {
            finding: StepFinding::Account(account::found(self, request)),
            outcome: match request.account {
                Account::Absent => v1(Reason::NoAccount),
                Account::Malformed => v1(Reason::MalformedAccount),
                Account::Known(_) => None,
            },
        }
    }

    fn rule_answer<'a>(
        &'a self,
        rollout: &'a Rollout,
        rule: &'a Rule,
        segments: &SegmentSet,
        request: &'a Request<'a>,
    ) -> StepResult<'a> {
        let conditions = condition::of_when(&rule.when, self, segments, request);
        let v1 = |reason| (Treatment::V1, reason);
        let serve = condition::hold(&conditions).then(|| match &rule.serve {
            _ if rule.when.region == RegionMatch::Unknown => ServeFound::NoRegion,
            Serve::V1 => ServeFound::V1,
            Serve::V2 { accounts, requests } => {
                let accounts = Bucketing::of_account(rollout, accounts, request);
                let requests = accounts.includes.then(|| {
                    let draw = Bucketing::of_request(rollout, *requests, request);
                    Box::new(draw)
                });
                ServeFound::V2 {
                    accounts: Box::new(accounts),
                    requests,
                }
            }
        });
        let outcome = serve.as_ref().map(|serve| match serve {
            ServeFound::NoRegion => v1(Reason::NoRegion),
            ServeFound::V1 => v1(Reason::Rule),
            ServeFound::V2 { requests: None, .. } => v1(Reason::OutsideAccounts),
            ServeFound::V2 {
                requests: Some(requests),
                ..
            } if !requests.includes => v1(Reason::OutsideRequests),
            ServeFound::V2 { .. } => (Treatment::V2, Reason::Rule),
        });
        StepResult {
            finding: StepFinding::Rule(RuleFound { conditions, serve }),
            outcome,
        }
    }
}

impl Explanation<'_> {
    /// The step that decided, `None` where no rollout has the request.
    #[must_use]
    pub fn decisive(&self) -> Option<&Step<'_>> {
        let decides = |step: &&Step<'_>| step.outcome().is_some();
        self.steps.iter().find(decides)
    }
}

impl Step<'_> {
    /// What it decided, if it did.
    #[must_use]
    pub fn outcome(&self) -> Option<(Treatment, Reason)> {
        self.answer.as_ref()?.outcome
    }
}

/// The steps so far; what comes after the one that decided is not asked.
struct Steps<'a>(Vec<Step<'a>>);

impl<'a> Steps<'a> {
    fn ask(&mut self, question: Question, answer: impl FnOnce() -> StepResult<'a>) {
        let decided = self.0.last().is_some_and(|last| match &last.answer {
            Some(answer) => answer.outcome.is_some(),
            None => true,
        });
        let answer = (!decided).then(answer);
        self.0.push(Step { question, answer });
    }
}
