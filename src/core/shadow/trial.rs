//! One sampled request after v1 has answered it: whom to ask next, and what to make of the answers.
//!
//! v2 is asked once. Answers that differ count as different only if v1, asked the same request again,
//! repeats its own answer: until then the difference may be v1's own noise. At a place that is new v1 is
//! asked several times, because a value that varies now and then may well come twice. Then v2 is
//! asked again too. What it answers this time takes nothing back: a v2 that disagrees with itself is
//! unstable, which is a finding of its own.
//!
//! `docs/shadow.md` has the table of all cases.

use turnout_diff::Part;

use crate::decision::Treatment;

use super::comparison::Pair;
use super::repetitions::Repetitions;
use super::{Difference, NoiseModel, Outcome, Reply, ShadowPlan};

/// What became of a question to v1 or v2.
#[derive(Clone, Debug)]
pub enum Answered {
    /// It was answered.
    Reply(Reply),
    /// It was answered with this status, and a body that cannot be kept: `TooLarge`.
    Unread(u16, Outcome),
    /// It was not answered, and why: `Timeout`, `V2Error` or `DroppedBusy`.
    Not(Outcome),
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Ask this version (again).
    Ask(Treatment),
    /// Nothing: this is how it ends.
    Done(Verdict),
}

/// How a trial ends.
#[derive(Debug)]
pub struct Verdict {
    /// Its outcome.
    pub outcome: Outcome,
    /// What differs, where something does.
    pub difference: Option<Difference>,
}

/// What a trial is judged by.
pub struct Judge<'k> {
    /// The rollout's options.
    pub shadow: &'k ShadowPlan,
    /// What the worker knows about the rollout's answers.
    pub model: &'k mut NoiseModel,
    /// The request's route; noise is known by route.
    pub route: Option<usize>,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// One sampled request, from v1's answer to the outcome.
#[derive(Debug)]
pub struct Trial {
    stage: Stage,
    is_safe: bool,
    v1: Reply,
    v2: Option<Reply>,
    repetitions: Repetitions,
    /// Whether the options of the comparison that were of use are counted.
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

/// What a trial does next.
enum Move {
    AskV1,
    AskV2,
    EndsDifferent,
    Ends(Outcome),
}

impl Answered {
    /// The bytes that it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Reply(reply) => reply.held_bytes(),
            Self::Unread(..) | Self::Not(_) => 0,
        }
    }
}

impl Trial {
    /// The bytes that it holds: v1's answer, v2's, and one that v1 gave again.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let v2 = self.v2.as_ref().map_or(0, Reply::held_bytes);
        let answers = self.v1.held_bytes().saturating_add(v2);
        answers.saturating_add(self.repetitions.held_bytes())
    }

    /// Starts a trial, and says whom it asks first. `noise` asks v1 a second time, where that is safe.
    #[must_use]
    pub fn start(
        v1: Reply,
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

    /// Starts a trial in which v2 was asked while v1 was: its answer comes by
    /// [`answered`](Self::answered).
    #[must_use]
    pub fn with_v2_asked(v1: Reply, is_safe: bool, noise: bool) -> Self {
        let stage = match noise && is_safe {
            true => Stage::V2ThenV1,
            false => Stage::V2,
        };
        Self::at(stage, v1, is_safe)
    }

    fn at(stage: Stage, v1: Reply, is_safe: bool) -> Self {
        Self {
            stage,
            is_safe,
            v1,
            v2: None,
            repetitions: Repetitions::default(),
            is_counted: false,
        }
    }

    /// Takes the answer to the last question.
    pub fn answered(&mut self, answer: Answered, judge: &mut Judge<'_>) -> Next {
        match self.stage {
            Stage::V1ThenV2 => {
                self.repetitions.add(&self.v1, answer, judge);
                self.ask(Stage::V2, Treatment::V2)
            }
            Stage::V2 | Stage::V2ThenV1 => match self.first_of_v2(answer) {
                Err(outcome) => ends(outcome),
                Ok(v2) => {
                    self.v2 = Some(v2);
                    match self.stage {
                        Stage::V2ThenV1 => self.ask(Stage::V1AfterV2, Treatment::V1),
                        _ => self.proceed(judge, true),
                    }
                }
            },
            Stage::V1AfterV2 => {
                self.repetitions.add(&self.v1, answer, judge);
                self.proceed(judge, true)
            }
            Stage::RepeatV1 => {
                let is_answered = self.repetitions.add(&self.v1, answer, judge);
                self.proceed(judge, is_answered)
            }
            Stage::RepeatV2 => self.different(Some(answer), judge),
        }
    }

    fn ask(&mut self, stage: Stage, version: Treatment) -> Next {
        self.stage = stage;
        Next::Ask(version)
    }

    /// v2's answer as far as it can be compared, or why it cannot. A body that cannot be kept says
    /// nothing; a status that differs says enough.
    fn first_of_v2(&self, answer: Answered) -> Result<Reply, Outcome> {
        match answer {
            Answered::Reply(reply) => Ok(reply),
            Answered::Unread(status, _) if status != self.v1.status => Ok(Reply {
                status,
                ..self.v1.clone()
            }),
            Answered::Unread(_, outcome) | Answered::Not(outcome) => Err(outcome),
        }
    }

    fn proceed(&mut self, judge: &mut Judge<'_>, may_ask: bool) -> Next {
        match self.weigh(judge, may_ask) {
            Move::AskV1 => self.ask(Stage::RepeatV1, Treatment::V1),
            Move::AskV2 => self.ask(Stage::RepeatV2, Treatment::V2),
            Move::EndsDifferent => {
                self.repetitions.teach_the_rest(judge);
                self.different(None, judge)
            }
            Move::Ends(outcome) => {
                self.repetitions.teach_the_rest(judge);
                ends(outcome)
            }
        }
    }

    /// What the answers so far say. `may_ask` is false where v1 does not answer any more.
    fn weigh(&mut self, judge: &mut Judge<'_>, may_ask: bool) -> Move {
        let Some(v2) = &self.v2 else {
            return Move::Ends(Outcome::NotComparable);
        };
        let (v1, v2) = (self.v1.view(), v2.view());
        // Each request counts once in how often the options were of use.
        let mut pair = match std::mem::replace(&mut self.is_counted, true) {
            true => self.repetitions.compare([&v1, &v2], judge),
            false => self.repetitions.compare_counted([&v1, &v2], judge),
        };
        let mut is_suspicious = false;
        if self.repetitions.has_news() {
            is_suspicious = self.repetitions.teach(&pair, &v2, judge);
            pair = self.repetitions.compare([&v1, &v2], judge);
        }
        let compared = match pair {
            Pair::Different(compared) => compared,
            Pair::Equal => return Move::Ends(Outcome::Equal),
            Pair::NotComparable => return Move::Ends(Outcome::NotComparable),
        };
        let repetitions = &self.repetitions;
        let may_ask = may_ask && self.is_safe && judge.shadow.recheck;
        if compared.is_only_noise() {
            let mut places = compared.places();
            let is_doubted = is_suspicious
                || places.any(|place| repetitions.is_doubtful(place, judge.model))
                || repetitions.count() == 0 && judge.model.is_due_to_ask(judge.route);
            if may_ask && is_doubted && judge.model.take_spare_question(judge.now_ms) {
                return Move::AskV1;
            }
            let is_repeatable = v1.status() == v2.status() && !judge.model.is_shifted(judge.route);
            return Move::Ends(match is_repeatable {
                true => Outcome::Noise,
                false => Outcome::Unrepeatable,
            });
        }
        if repetitions.has_other_status() {
            return Move::Ends(Outcome::Unrepeatable);
        }
        if !self.is_safe || !judge.shadow.recheck {
            return Move::EndsDifferent;
        }
        if repetitions.are_not_comparable() && !compared.is_uncompared() {
            return Move::Ends(Outcome::Unconfirmed);
        }
        let is_asked_again = repetitions.count() > 0;
        if judge
            .model
            .are_steady(&compared.standing, repetitions.count())
        {
            return match is_asked_again {
                true => Move::AskV2,
                // It was confirmed before. That v1 has not begun to vary is asked as often as there
                // is room for it.
                false if may_ask && judge.model.take_spare_question(judge.now_ms) => Move::AskV1,
                false => Move::EndsDifferent,
            };
        }
        if may_ask && judge.model.take_question(judge.now_ms) {
            return Move::AskV1;
        }
        Move::Ends(match judge.model.is_shifted(judge.route) {
            true => Outcome::Unrepeatable,
            false => Outcome::Unconfirmed,
        })
    }

    /// The difference stands. What v2 answers the second time only says whether it is unstable.
    fn different(&self, second: Option<Answered>, judge: &mut Judge<'_>) -> Next {
        let Some(first) = &self.v2 else {
            return ends(Outcome::NotComparable);
        };
        let (v1, v2) = (self.v1.view(), first.view());
        let Pair::Different(compared) = self.repetitions.compare([&v1, &v2], judge) else {
            return ends(Outcome::NotComparable);
        };
        if compared.is_only_noise() {
            // Other requests have shown meanwhile that v1 varies there.
            return ends(Outcome::Noise);
        }
        // Where nobody is asked again, the policy says that a difference counts as it is.
        let is_proven =
            !self.is_safe || !judge.shadow.recheck || judge.model.are_proven(&compared.standing);
        let mut difference = Difference::new(
            &compared,
            self.repetitions.count() > 0,
            is_proven,
            judge.shadow,
            judge.model,
        );
        let second = match second {
            Some(Answered::Reply(second)) => Some(second),
            Some(Answered::Unread(status, _)) => Some(Reply {
                status,
                ..first.clone()
            }),
            Some(Answered::Not(_)) | None => None,
        };
        if let Some(second) = second {
            let second = second.view();
            if let Pair::Different(changed) = self.repetitions.compare([&v2, &second], judge) {
                let is_other_status = v2.status() != second.status();
                let findings = changed
                    .findings()
                    .filter(|finding| !is_other_status || finding.part == Part::Status);
                difference.add_unstable(findings, judge.shadow, judge.model);
            }
        }
        Next::Done(Verdict {
            outcome: Outcome::Different,
            difference: Some(difference),
        })
    }
}

fn ends(outcome: Outcome) -> Next {
    Next::Done(Verdict {
        outcome,
        difference: None,
    })
}
