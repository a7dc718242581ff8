//! Explains a decision: the steps in the order of precedence, what each step found, and which one decided.
//!
//! Only [`decide`] decides. This module evaluates the same conditions with the same functions and records the
//! results; the outcome of the step that decides always equals the decision.

mod account;
mod bucketing;
mod condition;
mod guard;
mod request_builder;

use crate::decide::decide;
use crate::decision::Decision;
use crate::decision::{Reason, Treatment};
use crate::guard::GuardAction;
use crate::plan::request_match::RegionMatch;
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{Mode, Plan, Rollout, Rule, Serve};
use crate::proxy::decision_header::Inbound;
use crate::request::Request;
use crate::request::account_id::Account;
use crate::request::ambiguity::Ambiguity;

pub use account::{AccountFound, SourceContent, SourceName, SourceTried};
pub use bucketing::{Bucketing, RampStep};
pub use condition::{Condition, Part, Pattern};
pub use guard::{GuardFound, GuardUse};
pub use request_builder::{AccountPlacementError, BuiltRequest, Filled, RequestBuilder};

/// A decision with the steps that led to it.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The result of [`decide`].
    pub decision: Decision<'a>,
    /// Every rollout of the policy, in order, with the evaluation of its `match`.
    pub rollouts: Vec<RolloutTried<'a>>,
    /// Why the request belongs to no rollout although one matches: the request is ambiguous.
    pub ambiguity: Option<Ambiguity>,
    /// The steps for the rollout that the request belongs to, in the order of precedence. Empty if it belongs to no
    /// rollout.
    pub steps: Vec<Step<'a>>,
    /// What the guard of the rollout does with the request; `None` without a guard, or if the rollout is halted.
    pub guard: Option<GuardFound>,
}

/// The evaluation of a rollout's `match`.
#[derive(Debug)]
pub struct RolloutTried<'a> {
    /// The rollout.
    pub rollout: &'a Rollout,
    /// Every part of the `match`; `None` if an earlier rollout matches, so that this one is not evaluated.
    pub conditions: Option<Vec<Condition<'a>>>,
}

/// A step of the precedence list.
#[derive(Debug)]
pub struct Step<'a> {
    /// What the step checks.
    pub question: Question,
    /// The result; `None` if an earlier step decided.
    pub result: Option<StepResult<'a>>,
}

/// What a step checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is the policy or the rollout halted?
    Halted,
    /// Is the rollout off?
    Off,
    /// Does the guard send everyone, or this account, to v1? Only rollouts with a guard have this step.
    Guard,
    /// Has a trusted earlier hop decided?
    Inbound,
    /// Is the rollout on?
    On,
    /// Which account is the request for?
    Account,
    /// Does the rule with this index hold?
    Rule(usize),
    /// No rule holds.
    Default,
}

/// The result of a step.
#[derive(Debug)]
pub struct StepResult<'a> {
    /// What the step found.
    pub finding: StepFinding<'a>,
    /// What the step decided; `None` if it did not decide.
    pub outcome: Option<(Treatment, Reason)>,
}

/// What a step found.
#[derive(Debug)]
pub enum StepFinding<'a> {
    /// What halts the rollout; `None` if nothing does.
    Halted(Option<HaltScope>),
    /// The mode of the rollout.
    Mode(Mode),
    /// What the guard does when v2 is worse. Its state is unknown, so the step never decides.
    Guard(GuardAction),
    /// Whether earlier hops are trusted, and the treatment that one of them decided.
    Inbound(Inbound, Option<Treatment>),
    /// The account and its segments.
    Account(AccountFound<'a>),
    /// The evaluation of a rule.
    Rule(RuleFound<'a>),
    /// Nothing: this step always decides.
    Default,
}

/// What has `"halted": true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltScope {
    /// The policy, and so every rollout.
    Policy,
    /// The rollout alone.
    Rollout,
}

/// The evaluation of a rule.
#[derive(Debug)]
pub struct RuleFound<'a> {
    /// Every part of the `when`.
    pub conditions: Vec<Condition<'a>>,
    /// What the rule serves; `None` if its `when` does not hold.
    pub serve: Option<ServeFound>,
}

/// What a rule that holds serves.
#[derive(Debug)]
pub enum ServeFound {
    /// V1, because the rule names regions and the region of the proxy is unknown.
    NoRegion,
    /// V1.
    V1,
    /// V2, for percentages of the accounts and of their requests.
    V2 {
        /// The bucketing of the account.
        accounts: Box<Bucketing>,
        /// The bucketing of the request; `None` if the account is not included, so that it does not matter.
        requests: Option<Box<Bucketing>>,
    },
}

impl Plan {
    /// Decides a request and records every step.
    #[must_use]
    pub fn explain<'a>(&'a self, request: &'a Request<'a>) -> Explanation<'a> {
        let mut matched = None;
        let mut rollouts = Vec::with_capacity(self.rollouts.len());
        for rollout in &self.rollouts {
            let conditions = matched
                .is_none()
                .then(|| condition::evaluate_match(&rollout.matches, request));
            if conditions
                .as_ref()
                .is_some_and(|all| condition::all_hold(all))
            {
                matched = Some(rollout);
            }
            rollouts.push(RolloutTried {
                rollout,
                conditions,
            });
        }
        let ambiguity = matched.and_then(|rollout| self.ambiguity(rollout, request));
        let matched = matched.filter(|_| ambiguity.is_none());
        let decision = decide(self, request);
        Explanation {
            guard: guard::find(&decision, request),
            decision,
            rollouts,
            ambiguity,
            steps: matched.map_or(Vec::new(), |rollout| self.explain_steps(rollout, request)),
        }
    }

    fn explain_steps<'a>(
        &'a self,
        rollout: &'a Rollout,
        request: &'a Request<'a>,
    ) -> Vec<Step<'a>> {
        let mut steps = Steps(Vec::new());
        steps.add(Question::Halted, || {
            let halted_by = match self.halted {
                true => Some(HaltScope::Policy),
                false => rollout.is_halted.then_some(HaltScope::Rollout),
            };
            StepResult {
                finding: StepFinding::Halted(halted_by),
                outcome: halted_by.map(|_| (Treatment::V1, Reason::Halted)),
            }
        });
        let mode = |decisive: Mode, outcome| StepResult {
            finding: StepFinding::Mode(rollout.mode),
            outcome: (rollout.mode == decisive).then_some(outcome),
        };
        steps.add(Question::Off, || {
            mode(Mode::Off, (Treatment::V1, Reason::Off))
        });
        if let Some(guard) = &rollout.guard {
            steps.add(Question::Guard, || StepResult {
                finding: StepFinding::Guard(guard.settings.action),
                outcome: None,
            });
        }
        steps.add(Question::Inbound, || {
            let decided = request.decided_upstream(&rollout.name);
            StepResult {
                finding: StepFinding::Inbound(request.inbound, decided),
                outcome: decided.map(|treatment| (treatment, Reason::Inbound)),
            }
        });
        steps.add(Question::On, || mode(Mode::On, (Treatment::V2, Reason::On)));
        steps.add(Question::Account, || self.explain_account(request));
        let segments = match &request.account {
            Account::Known(account) => self.segments.find(account),
            Account::Absent | Account::Malformed => SegmentSet::NONE,
        };
        for (index, rule) in rollout.rules.iter().enumerate() {
            steps.add(Question::Rule(index), || {
                self.explain_rule(rollout, rule, segments, request)
            });
        }
        steps.add(Question::Default, || StepResult {
            finding: StepFinding::Default,
            outcome: Some((Treatment::V1, Reason::Default)),
        });
        steps.0
    }

    fn explain_account<'a>(&'a self, request: &'a Request<'a>) -> StepResult<'a> {
        let v1 = |reason| Some((Treatment::V1, reason));
        StepResult {
            finding: StepFinding::Account(account::find(self, request)),
            outcome: match request.account {
                Account::Absent => v1(Reason::NoAccount),
                Account::Malformed => v1(Reason::MalformedAccount),
                Account::Known(_) => None,
            },
        }
    }

    fn explain_rule<'a>(
        &'a self,
        rollout: &'a Rollout,
        rule: &'a Rule,
        segments: &SegmentSet,
        request: &'a Request<'a>,
    ) -> StepResult<'a> {
        let conditions = condition::evaluate_when(&rule.when, self, segments, request);
        let v1 = |reason| (Treatment::V1, reason);
        let serve = condition::all_hold(&conditions).then(|| match &rule.serve {
            _ if rule.when.region == RegionMatch::Unknown => ServeFound::NoRegion,
            Serve::V1 => ServeFound::V1,
            Serve::V2 { accounts, requests } => {
                let accounts = Bucketing::for_account(rollout, accounts, request);
                let requests = accounts
                    .includes
                    .then(|| Box::new(Bucketing::for_request(rollout, *requests, request)));
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

impl HaltScope {
    /// The name in the output of `turnout explain`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Rollout => "rollout",
        }
    }
}

impl Explanation<'_> {
    /// Returns the step that decided; `None` if the request belongs to no rollout.
    #[must_use]
    pub fn decisive_step(&self) -> Option<&Step<'_>> {
        let decides = |step: &&Step<'_>| step.outcome().is_some();
        self.steps.iter().find(decides)
    }
}

impl Step<'_> {
    /// Returns what the step decided, if it decided.
    #[must_use]
    pub fn outcome(&self) -> Option<(Treatment, Reason)> {
        self.result.as_ref()?.outcome
    }
}

/// The steps so far. Steps after the one that decided are not evaluated.
struct Steps<'a>(Vec<Step<'a>>);

impl<'a> Steps<'a> {
    fn add(&mut self, question: Question, evaluate: impl FnOnce() -> StepResult<'a>) {
        let decided = self.0.last().is_some_and(|last| match &last.result {
            Some(result) => result.outcome.is_some(),
            None => true,
        });
        let result = (!decided).then(evaluate);
        self.0.push(Step { question, result });
    }
}
