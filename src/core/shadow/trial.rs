//! One sampled request after v1 has responded: which version to call next, and the outcome.
//!
//! v2 is called once. A difference counts only if v1 repeats its own response to the same request;
//! until then it may be v1's noise. At a new place v1 is called several times, because a value that
//! varies now and then may well repeat. Then v2 is called again. Its second response revokes nothing: a
//! v2 that differs from itself is unstable, which is a finding of its own.
//!
//! `docs/shadow.md` has the table of all cases.

use turnout_diff::Part;

use crate::decision::Treatment;

use super::comparison::PairComparison;
use super::repetitions::Repetitions;
use super::{Difference, NoiseModel, Outcome, ShadowPlan, StoredResponse};

/// The result of a call to v1 or v2.
#[derive(Clone, Debug)]
pub enum CallResult {
    /// A complete response.
    Response(StoredResponse),
    /// A response with this status, whose body cannot be kept: `TooLarge` or `DroppedBusy`.
    StatusOnly(u16, Outcome),
    /// No response, and the reason: `Timeout`, `V2Error` or `DroppedBusy`.
    Failed(Outcome),
}

/// What to do next.
#[derive(Debug)]
pub enum NextStep {
    /// Call this version, possibly again.
    Call(Treatment),
    /// The trial has ended.
    Done(TrialResult),
}

/// The result of a trial.
#[derive(Debug)]
pub struct TrialResult {
    /// The outcome.
    pub outcome: Outcome,
    /// The difference, if the outcome is `Different`.
    pub difference: Option<Difference>,
}

/// What a trial needs to judge a response.
pub struct TrialContext<'k> {
    /// The shadow options of the rollout.
    pub shadow: &'k ShadowPlan,
    /// The worker's noise model of the rollout.
    pub model: &'k mut NoiseModel,
    /// The route of the request. Noise is known by route.
    pub route: Option<usize>,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// One sampled request, from v1's response to the outcome.
#[derive(Debug)]
pub struct Trial {
    stage: Stage,
    is_safe: bool,
    v1: StoredResponse,
    v2: Option<StoredResponse>,
    repetitions: Repetitions,
    /// Whether the use of comparison options has been counted.
    is_counted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    V2,
    V1ThenV2,
    V2ThenV1,
    V1AfterV2,
    RepeatV1,
    RepeatV2,
}

/// The next action of a trial.
enum TrialAction {
    AskV1,
    AskV2,
    EndsDifferent,
    Ends(Outcome),
}

impl CallResult {
    /// The number of bytes it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Response(reply) => reply.held_bytes(),
            Self::StatusOnly(..) | Self::Failed(_) => 0,
        }
    }
}

impl Trial {
    /// The number of bytes it holds: the responses of v1 and v2, and one repetition of v1.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let v2 = self.v2.as_ref().map_or(0, StoredResponse::held_bytes);
        let answers = self.v1.held_bytes().saturating_add(v2);
        answers.saturating_add(self.repetitions.held_bytes())
    }

    /// Starts a trial. Returns it and the version to call first. With `noise`, v1 gets the request a
    /// second time if that is safe.
    #[must_use]
    pub fn start(
        v1: StoredResponse,
        is_safe: bool,
        noise: bool,
        model: &mut NoiseModel,
    ) -> (Self, Treatment) {
        let stage = match noise && is_safe {
            false => Stage::V2,
            true if model.is_v1_first() => Stage::V1ThenV2,
            true => Stage::V2ThenV1,
        };
        let first = match stage {
            Stage::V1ThenV2 => Treatment::V1,
            _ => Treatment::V2,
        };
        (Self::at(stage, v1, is_safe), first)
    }

    /// Starts a trial in which v2 was called together with v1. Its result goes to
    /// [`handle_result`](Self::handle_result).
    #[must_use]
    pub fn with_v2_asked(v1: StoredResponse, is_safe: bool, noise: bool) -> Self {
        let stage = match noise && is_safe {
            true => Stage::V2ThenV1,
            false => Stage::V2,
        };
        Self::at(stage, v1, is_safe)
    }

    fn at(stage: Stage, v1: StoredResponse, is_safe: bool) -> Self {
        Self {
            stage,
            is_safe,
            v1,
            v2: None,
            repetitions: Repetitions::default(),
            is_counted: false,
        }
    }

    /// Takes the result of the last call.
    pub fn handle_result(
        &mut self,
        answer: CallResult,
        context: &mut TrialContext<'_>,
    ) -> NextStep {
        match self.stage {
            Stage::V1ThenV2 => {
                self.repetitions.add(&self.v1, answer, context);
                self.ask(Stage::V2, Treatment::V2)
            }
            Stage::V2 | Stage::V2ThenV1 => match self.first_of_v2(answer) {
                Err(outcome) => ends(outcome),
                Ok(v2) => {
                    self.v2 = Some(v2);
                    match self.stage {
                        Stage::V2ThenV1 => self.ask(Stage::V1AfterV2, Treatment::V1),
                        _ => self.proceed(context, true),
                    }
                }
            },
            Stage::V1AfterV2 => {
                self.repetitions.add(&self.v1, answer, context);
                self.proceed(context, true)
            }
            Stage::RepeatV1 => {
                let is_answered = self.repetitions.add(&self.v1, answer, context);
                self.proceed(context, is_answered)
            }
            Stage::RepeatV2 => self.different(Some(answer), context),
        }
    }

    fn ask(&mut self, stage: Stage, version: Treatment) -> NextStep {
        self.stage = stage;
        NextStep::Call(version)
    }

    /// Returns v2's response if it can be compared, or else the outcome. A response without its body
    /// can be compared only if its status differs from v1's.
    fn first_of_v2(&self, answer: CallResult) -> Result<StoredResponse, Outcome> {
        match answer {
            CallResult::Response(reply) => Ok(reply),
            CallResult::StatusOnly(status, _) if status != self.v1.status => Ok(StoredResponse {
                status,
                ..self.v1.clone()
            }),
            CallResult::StatusOnly(_, outcome) | CallResult::Failed(outcome) => Err(outcome),
        }
    }

    fn proceed(&mut self, context: &mut TrialContext<'_>, may_ask: bool) -> NextStep {
        match self.weigh(context, may_ask) {
            TrialAction::AskV1 => self.ask(Stage::RepeatV1, Treatment::V1),
            TrialAction::AskV2 => self.ask(Stage::RepeatV2, Treatment::V2),
            TrialAction::EndsDifferent => {
                self.repetitions.teach_the_rest(context);
                self.different(None, context)
            }
            TrialAction::Ends(outcome) => {
                self.repetitions.teach_the_rest(context);
                ends(outcome)
            }
        }
    }

    /// Judges the responses so far. `may_ask` is false if v1 no longer responds.
    fn weigh(&mut self, context: &mut TrialContext<'_>, may_ask: bool) -> TrialAction {
        let Some(v2) = &self.v2 else {
            return TrialAction::Ends(Outcome::NotComparable);
        };
        let (v1, v2) = (self.v1.view(), v2.view());
        // The use of options is counted once for each request.
        let mut pair = match std::mem::replace(&mut self.is_counted, true) {
            true => self.repetitions.compare([&v1, &v2], context),
            false => self.repetitions.compare_counted([&v1, &v2], context),
        };
        let mut is_suspicious = false;
        if self.repetitions.has_news() {
            is_suspicious = self.repetitions.teach(&pair, &v2, context);
            pair = self.repetitions.compare([&v1, &v2], context);
        }
        let compared = match pair {
            PairComparison::Different(compared) => compared,
            PairComparison::Equal => return TrialAction::Ends(Outcome::Equal),
            PairComparison::NotComparable => return TrialAction::Ends(Outcome::NotComparable),
        };
        let repetitions = &self.repetitions;
        let may_ask = may_ask && self.is_safe && context.shadow.recheck;
        if compared.is_only_noise() {
            let mut places = compared.places();
            let is_doubted = is_suspicious
                || places.any(|place| repetitions.is_doubtful(place, context.model))
                || repetitions.count() == 0 && context.model.is_due_to_ask(context.route);
            if may_ask && is_doubted && context.model.take_spare_question(context.now_ms) {
                return TrialAction::AskV1;
            }
            let is_repeatable =
                v1.status() == v2.status() && !context.model.is_shifted(context.route);
            return TrialAction::Ends(match is_repeatable {
                true => Outcome::Noise,
                false => Outcome::Unrepeatable,
            });
        }
        if repetitions.has_other_status() {
            return TrialAction::Ends(Outcome::Unrepeatable);
        }
        if !self.is_safe || !context.shadow.recheck {
            return TrialAction::EndsDifferent;
        }
        if repetitions.are_not_comparable() && !compared.is_uncompared() {
            return TrialAction::Ends(Outcome::Unconfirmed);
        }
        let is_asked_again = repetitions.count() > 0;
        if context
            .model
            .are_steady(&compared.unexplained, repetitions.count())
        {
            return match is_asked_again {
                true => TrialAction::AskV2,
                // The difference was confirmed before. Whether v1 has started to vary is checked while
                // there is room for it.
                false if may_ask && context.model.take_spare_question(context.now_ms) => {
                    TrialAction::AskV1
                }
                false => TrialAction::EndsDifferent,
            };
        }
        if may_ask && context.model.take_question(context.now_ms) {
            return TrialAction::AskV1;
        }
        TrialAction::Ends(match context.model.is_shifted(context.route) {
            true => Outcome::Unrepeatable,
            false => Outcome::Unconfirmed,
        })
    }

    /// Ends as different. v2's second response only shows whether v2 is unstable.
    fn different(&self, second: Option<CallResult>, context: &mut TrialContext<'_>) -> NextStep {
        let Some(first) = &self.v2 else {
            return ends(Outcome::NotComparable);
        };
        let (v1, v2) = (self.v1.view(), first.view());
        let PairComparison::Different(compared) = self.repetitions.compare([&v1, &v2], context)
        else {
            return ends(Outcome::NotComparable);
        };
        if compared.is_only_noise() {
            // Other requests have shown in the meantime that v1 varies there.
            return ends(Outcome::Noise);
        }
        // If no request is repeated, the policy makes every difference count as it is.
        let is_proven = !self.is_safe
            || !context.shadow.recheck
            || context.model.are_proven(&compared.unexplained);
        let mut difference = Difference::new(
            &compared,
            self.repetitions.count() > 0,
            is_proven,
            context.shadow,
            context.model,
        );
        let second = match second {
            Some(CallResult::Response(second)) => Some(second),
            Some(CallResult::StatusOnly(status, _)) => Some(StoredResponse {
                status,
                ..first.clone()
            }),
            Some(CallResult::Failed(_)) | None => None,
        };
        if let Some(second) = second {
            let second = second.view();
            if let PairComparison::Different(changed) =
                self.repetitions.compare([&v2, &second], context)
            {
                let is_other_status = v2.status() != second.status();
                let findings = changed
                    .findings()
                    .filter(|finding| !is_other_status || finding.part == Part::Status);
                difference.add_unstable(findings, context.shadow, context.model);
            }
        }
        NextStep::Done(TrialResult {
            outcome: Outcome::Different,
            difference: Some(difference),
        })
    }
}

fn ends(outcome: Outcome) -> NextStep {
    NextStep::Done(TrialResult {
        outcome,
        difference: None,
    })
}
