//! One sampled request after v1 has answered it: whom to ask next, and what to make of the answers.
//!
//! v2 is asked once. Where noise is looked for, v1 is asked a second time, before v2 or after it in
//! turns. Answers that differ are asked for once more, of both, before they count; what was a race
//! with a change of the data is gone by then, and where v1 no longer agrees with itself is taken for
//! noisy: until it agrees with itself again, so that one change of the data hides nothing for long.

use std::cell::Cell;

use crate::diff::{Comparison, Findings, Part, Severity, Usage};
use crate::treatment::Treatment;

use super::reply::{self, View};
use super::{Difference, Known, Outcome, Reply, Shadow};

/// What became of a question to v1 or v2.
#[derive(Clone, Debug)]
pub enum Answered {
    /// It was answered.
    Reply(Reply),
    /// It was not, and why: `Timeout`, `V2Error`, `TooLarge` or `DroppedBusy`.
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
    pub shadow: &'k Shadow,
    /// What the worker knows of the rollout.
    pub known: &'k mut Known,
    /// The request's route; noise is known by route.
    pub route: Option<usize>,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Trial {
    stage: Stage,
    is_safe: bool,
    v1: Reply,
    v2: Option<Reply>,
    /// v1's second answer, to a recheck.
    again: Option<Reply>,
    /// Whether v1's answer has been compared with another of its own.
    is_v1_compared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    V2,
    V1ThenV2,
    V2ThenV1,
    V1AfterV2,
    RecheckV1,
    RecheckV2,
}

impl Trial {
    /// A trial, and whom it asks first. `noise` asks v1 a second time, where that is safe.
    #[must_use]
    pub fn start(v1: Reply, is_safe: bool, noise: bool, known: &mut Known) -> (Self, Treatment) {
        let stage = match noise && is_safe {
            false => Stage::V2,
            true if known.is_v1_first() => Stage::V1ThenV2,
            true => Stage::V2ThenV1,
        };
        let first = match stage {
            Stage::V1ThenV2 => Treatment::V1,
            _ => Treatment::V2,
        };
        (Self::at(stage, v1, is_safe), first)
    }

    /// A trial in which v2 was asked while v1 was: the answer is told by [`answered`](Self::answered).
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
            again: None,
            is_v1_compared: false,
        }
    }

    /// Takes the answer to the last question.
    pub fn answered(&mut self, answer: Answered, judge: &mut Judge<'_>) -> Next {
        match (self.stage, answer) {
            (Stage::V1ThenV2, answer) => {
                if let Answered::Reply(again) = answer {
                    self.learn(&again, judge);
                }
                self.ask(Stage::V2, Treatment::V2)
            }
            (Stage::V2 | Stage::V2ThenV1, Answered::Not(outcome)) => ends(outcome),
            (Stage::V2, Answered::Reply(v2)) => {
                self.v2 = Some(v2);
                self.first_verdict(judge)
            }
            (Stage::V2ThenV1, Answered::Reply(v2)) => {
                self.v2 = Some(v2);
                self.ask(Stage::V1AfterV2, Treatment::V1)
            }
            (Stage::V1AfterV2, answer) => {
                if let Answered::Reply(again) = answer {
                    self.learn(&again, judge);
                }
                self.first_verdict(judge)
            }
            (Stage::RecheckV1, Answered::Reply(again)) => {
                self.learn(&again, judge);
                self.again = Some(again);
                self.ask(Stage::RecheckV2, Treatment::V2)
            }
            (Stage::RecheckV2, Answered::Reply(v2)) => self.last_verdict(&v2, judge),
            // Nobody to ask once more: what was seen counts.
            (Stage::RecheckV1 | Stage::RecheckV2, Answered::Not(_)) => {
                self.verdict_without_recheck(judge)
            }
        }
    }

    /// Where v1 does not agree with itself, its values say nothing about v2.
    fn learn(&mut self, again: &Reply, judge: &mut Judge<'_>) {
        if self.v1.status != again.status {
            // A failure of the moment, from which nothing can be learned.
            return;
        }
        let mut unused = Usage::new(&judge.shadow.compare);
        let (v1, again) = (self.v1.view(), again.view());
        let compared = reply::compare(&v1, &again, judge.shadow, &|_, _| false, &mut unused);
        let found = match &compared {
            Comparison::Equal => &[][..],
            Comparison::Different(findings) => findings.as_slice(),
            Comparison::NotComparable(_) => return,
        };
        let changed = found
            .iter()
            .filter(|finding| finding.severity == Severity::Changed);
        judge.known.note_noise(judge.route, changed);
        self.is_v1_compared = true;
    }

    fn ask(&mut self, stage: Stage, version: Treatment) -> Next {
        self.stage = stage;
        Next::Ask(version)
    }

    fn first_verdict(&mut self, judge: &mut Judge<'_>) -> Next {
        let Some(v2) = &self.v2 else {
            return ends(Outcome::NotComparable);
        };
        let (v1, v2) = (self.v1.view(), v2.view());
        let findings = match compare(&v1, &v2, judge) {
            Ok(findings) => findings,
            Err(settled) => {
                let is_doubted = settled.is_young && !self.is_v1_compared;
                let is_asked_again = self.is_safe && judge.shadow.recheck && is_doubted;
                if is_asked_again && judge.known.may_recheck(judge.now_ms) {
                    return self.ask(Stage::RecheckV1, Treatment::V1);
                }
                return ends(settled.outcome);
            }
        };
        let is_news = !judge.known.are_confirmed(judge.route, &findings);
        let is_asked_again = self.is_safe && judge.shadow.recheck && is_news;
        if is_asked_again && judge.known.may_recheck(judge.now_ms) {
            return self.ask(Stage::RecheckV1, Treatment::V1);
        }
        differs(&findings, false, judge)
    }

    /// v1's second answer against v2's second one.
    fn last_verdict(&self, v2: &Reply, judge: &mut Judge<'_>) -> Next {
        let v1 = self.again.as_ref().unwrap_or(&self.v1).view();
        match compare(&v1, &v2.view(), judge) {
            Ok(findings) => {
                judge.known.confirm(judge.route, &findings);
                differs(&findings, true, judge)
            }
            // It was there a moment ago, and is not now.
            Err(settled) if settled.outcome == Outcome::Equal => ends(Outcome::Noise),
            Err(settled) => ends(settled.outcome),
        }
    }

    fn verdict_without_recheck(&self, judge: &mut Judge<'_>) -> Next {
        let Some(v2) = &self.v2 else {
            return ends(Outcome::NotComparable);
        };
        match compare(&self.v1.view(), &v2.view(), judge) {
            Ok(findings) => differs(&findings, false, judge),
            Err(settled) => ends(settled.outcome),
        }
    }
}

fn ends(outcome: Outcome) -> Next {
    Next::Done(Verdict {
        outcome,
        difference: None,
    })
}

/// An outcome without a difference.
struct Settled {
    outcome: Outcome,
    /// It is noise of a place that may not be noisy.
    is_young: bool,
}

impl From<Outcome> for Settled {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            is_young: false,
        }
    }
}

/// The findings, or the outcome where there are none.
fn compare<'a>(
    v1: &'a View<'a>,
    v2: &'a View<'a>,
    judge: &mut Judge<'_>,
) -> Result<Findings<'a>, Settled> {
    let unused = Usage::new(&judge.shadow.compare);
    let mut usage = std::mem::replace(judge.known.usage(), unused);
    let known = &*judge.known;
    let is_young = Cell::new(false);
    let is_noisy = |part: Part, pointer: &str| {
        let noise = known.noise_at(judge.route, part, pointer);
        is_young.set(is_young.get() || noise.is_some_and(|noise| !noise.is_established()));
        noise.is_some()
    };
    let compared = reply::compare(v1, v2, judge.shadow, &is_noisy, &mut usage);
    *judge.known.usage() = usage;
    match compared {
        Comparison::Equal => Err(Outcome::Equal.into()),
        Comparison::NotComparable(_) => Err(Outcome::NotComparable.into()),
        Comparison::Different(findings) if findings.is_only_noise() => Err(Settled {
            outcome: Outcome::Noise,
            is_young: is_young.get(),
        }),
        Comparison::Different(findings) => Ok(findings),
    }
}

fn differs(findings: &Findings<'_>, rechecked: bool, judge: &Judge<'_>) -> Next {
    Next::Done(Verdict {
        outcome: Outcome::Different,
        difference: Some(Difference::new(
            findings,
            rechecked,
            judge.shadow,
            judge.known,
        )),
    })
}
