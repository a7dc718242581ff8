//! One sampled request after v1 has answered it: whom to ask next, and what to make of the answers.
//!
//! v2 is asked once. Where noise is looked for, v1 is asked a second time, before v2 or after it in
//! turns. Answers that differ are asked for once more, of both, before they count; what was a race
//! with a change of the data is gone by then, and where v1 no longer agrees with itself is known to
//! be noisy from then on.

use std::hash::{BuildHasher, RandomState};

use crate::diff::{self, Comparison, Finding, Findings, Kind, Part, Severity, Usage, ValueType};
use crate::headers::Headers;
use crate::table::Table;
use crate::treatment::Treatment;

use super::limit::Limit;
use super::{Outcome, Shadow};

/// An answer, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Those that are compared, and `content-encoding`.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// All of it.
    pub body: Vec<u8>,
}

/// What became of a question to v1 or v2.
#[derive(Clone, Debug)]
pub enum Answered {
    /// It was answered.
    Reply(Reply),
    /// It was not, and why: `Timeout`, `V2Error` or `TooLarge`.
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

/// What differs between the two answers.
#[derive(Debug)]
pub struct Difference {
    /// The worst of all findings, those that are not kept included.
    pub severity: Severity,
    /// The findings, values replaced by their hashes.
    pub findings: Vec<Noted>,
    /// How many more there were.
    pub omitted: usize,
    /// Whether both were asked once more, and still differ.
    pub rechecked: bool,
}

/// A finding without the values, unless the policy reveals them.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Where: status, header or body.
    pub part: Part,
    /// Where in there, with `*` for what is an index or may be data.
    pub pointer: String,
    /// What differs.
    pub kind: Kind,
    /// How bad that is.
    pub severity: Severity,
    /// What v1 has there, and what v2 has.
    pub sides: [Option<Side>; 2],
}

/// One version's value in a finding.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is.
    pub kind: ValueType,
    /// It, or what stands for it.
    pub shown: Shown,
}

/// What a record says of a value.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A hash that is keyed anew in each worker: equal values have equal hashes, and that is all.
    Hash(u64),
    /// The value, cut short.
    Value(String),
}

/// What a worker knows of a rollout's answers. Bounded, whatever is answered.
#[derive(Debug)]
pub struct Known {
    /// Places where v1 does not agree with itself.
    noisy: Table<u64, ()>,
    /// Findings that were still there at the second question.
    confirmed: Table<u64, ()>,
    rechecks: Limit,
    /// Whether the next trial with noise asks v1 first.
    v1_first: bool,
    usage: Usage,
    keys: RandomState,
}

/// Rechecks of one worker in a second, beside a first burst: what v1 may be asked on top.
const RECHECKS_PER_SECOND: u32 = 10;
/// Findings in one record.
const MOST_NOTED: usize = 32;
const MOST_KNOWN: usize = 1_024;
/// Of a value that the policy reveals, in bytes.
const LONGEST_VALUE: usize = 128;

impl Known {
    /// Nothing yet.
    #[must_use]
    pub fn new(shadow: &Shadow) -> Self {
        // As many as may be under way when the first noise is seen.
        let burst = u32::try_from(shadow.max_in_flight).unwrap_or(u32::MAX);
        Self {
            noisy: Table::default(),
            confirmed: Table::default(),
            rechecks: Limit::new(burst, RECHECKS_PER_SECOND),
            v1_first: true,
            usage: Usage::new(&shadow.compare),
            keys: RandomState::new(),
        }
    }

    /// How often each option of the comparison applied.
    pub fn usage(&mut self) -> &mut Usage {
        &mut self.usage
    }

    fn place(&self, route: Option<usize>, part: Part, pointer: &str) -> u64 {
        self.keys.hash_one((route, part.as_str(), pointer))
    }

    fn finding(&self, route: Option<usize>, finding: &Finding<'_>) -> u64 {
        let place = self.place(route, finding.part, &finding.pointer);
        self.keys.hash_one((place, finding.kind.as_str()))
    }
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
        let stage = match (noise && is_safe, known.v1_first) {
            (false, _) => Stage::V2,
            (true, true) => Stage::V1ThenV2,
            (true, false) => Stage::V2ThenV1,
        };
        if noise && is_safe {
            known.v1_first = !known.v1_first;
        }
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
        }
    }

    /// Takes the answer to the last question.
    pub fn answered(&mut self, answer: Answered, judge: &mut Judge<'_>) -> Next {
        match (self.stage, answer) {
            (Stage::V1ThenV2, answer) => {
                if let Answered::Reply(again) = answer {
                    learn(&self.v1, &again, judge);
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
                    learn(&self.v1, &again, judge);
                }
                self.first_verdict(judge)
            }
            (Stage::RecheckV1, Answered::Reply(again)) => {
                learn(&self.v1, &again, judge);
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
            Err(outcome) => return ends(outcome),
        };
        let is_news = findings.as_slice().iter().any(|finding| {
            let finding = judge.known.finding(judge.route, finding);
            judge.known.confirmed.get(&finding).is_none()
        });
        let is_asked_again = self.is_safe && judge.shadow.recheck && is_news;
        if is_asked_again && judge.known.rechecks.take(judge.now_ms) {
            return self.ask(Stage::RecheckV1, Treatment::V1);
        }
        differs(&findings, false, judge)
    }

    /// v1's second answer against v2's second one.
    fn last_verdict(&self, v2: &Reply, judge: &mut Judge<'_>) -> Next {
        let v1 = self.again.as_ref().unwrap_or(&self.v1).view();
        match compare(&v1, &v2.view(), judge) {
            Ok(findings) => {
                confirm(&findings, judge);
                differs(&findings, true, judge)
            }
            // It was there a moment ago, and is not now.
            Err(Outcome::Equal) => ends(Outcome::Noise),
            Err(outcome) => ends(outcome),
        }
    }

    fn verdict_without_recheck(&self, judge: &mut Judge<'_>) -> Next {
        let Some(v2) = &self.v2 else {
            return ends(Outcome::NotComparable);
        };
        match compare(&self.v1.view(), &v2.view(), judge) {
            Ok(findings) => differs(&findings, false, judge),
            Err(outcome) => ends(outcome),
        }
    }
}

fn ends(outcome: Outcome) -> Next {
    Next::Done(Verdict {
        outcome,
        difference: None,
    })
}

fn differs(findings: &Findings<'_>, rechecked: bool, judge: &Judge<'_>) -> Next {
    // Each element of an array may differ in the same way: said once.
    let mut noted: Vec<Noted> = Vec::new();
    let mut omitted = findings.omitted();
    for finding in findings.as_slice() {
        let is_said = |one: &Noted| {
            (one.part, one.kind, &one.pointer) == (finding.part, finding.kind, &finding.pointer)
        };
        if noted.iter().any(is_said) {
            continue;
        }
        if noted.len() < MOST_NOTED {
            noted.push(note(finding, judge));
        } else {
            omitted = omitted.saturating_add(1);
        }
    }
    Next::Done(Verdict {
        outcome: Outcome::Different,
        difference: Some(Difference {
            severity: findings.severity().unwrap_or(Severity::Changed),
            findings: noted,
            omitted,
            rechecked,
        }),
    })
}

/// The findings, or the outcome where there are none.
fn compare<'a>(
    v1: &'a View<'a>,
    v2: &'a View<'a>,
    judge: &mut Judge<'_>,
) -> Result<Findings<'a>, Outcome> {
    let mut usage = std::mem::replace(&mut judge.known.usage, Usage::new(&judge.shadow.compare));
    let known = &*judge.known;
    let is_noisy = |part: Part, pointer: &str| {
        !known.noisy.is_empty()
            && known
                .noisy
                .get(&known.place(judge.route, part, pointer))
                .is_some()
    };
    let compared = compare_with(v1, v2, judge.shadow, &is_noisy, &mut usage);
    judge.known.usage = usage;
    match compared {
        Comparison::Equal => Err(Outcome::Equal),
        Comparison::NotComparable(_) => Err(Outcome::NotComparable),
        Comparison::Different(findings) if findings.is_only_noise() => Err(Outcome::Noise),
        Comparison::Different(findings) => Ok(findings),
    }
}

/// Where v1 does not agree with itself, its values say nothing about v2.
fn learn(v1: &Reply, again: &Reply, judge: &mut Judge<'_>) {
    if v1.status != again.status {
        // A failure of the moment, from which nothing can be learned.
        return;
    }
    let mut unused = Usage::new(&judge.shadow.compare);
    let (v1, again) = (v1.view(), again.view());
    let compared = compare_with(&v1, &again, judge.shadow, &|_, _| false, &mut unused);
    if let Comparison::Different(findings) = compared {
        for finding in findings.as_slice() {
            let place = judge
                .known
                .place(judge.route, finding.part, &finding.pointer);
            if finding.severity == Severity::Changed && judge.known.noisy.len() < MOST_KNOWN {
                judge.known.noisy.insert(place, ());
            }
        }
    }
}

fn confirm(findings: &Findings<'_>, judge: &mut Judge<'_>) {
    for finding in findings.as_slice() {
        let finding = judge.known.finding(judge.route, finding);
        if judge.known.confirmed.len() < MOST_KNOWN {
            judge.known.confirmed.insert(finding, ());
        }
    }
}

fn compare_with<'a>(
    v1: &'a View<'a>,
    v2: &'a View<'a>,
    shadow: &Shadow,
    is_noisy: &dyn Fn(Part, &str) -> bool,
    usage: &mut Usage,
) -> Comparison<'a> {
    diff::compare(&v1.answer(), &v2.answer(), &shadow.compare, is_noisy, usage)
}

/// A reply as the differ takes it.
struct View<'a> {
    status: u16,
    headers: Vec<(&'a [u8], &'a [u8])>,
    body: &'a [u8],
}

impl Reply {
    fn view(&self) -> View<'_> {
        let headers = self.headers.iter();
        View {
            status: self.status,
            headers: headers.map(|(name, value)| (&**name, &**value)).collect(),
            body: &self.body,
        }
    }
}

impl View<'_> {
    fn answer(&self) -> diff::Answer<'_> {
        diff::Answer {
            status: self.status,
            headers: Headers::new(&self.headers),
            body: self.body,
        }
    }
}

fn note(finding: &Finding<'_>, judge: &Judge<'_>) -> Noted {
    let reveals = finding.part == Part::Status
        || finding.part == Part::Body && judge.shadow.reveals(&finding.exact);
    let side = |value: &Option<diff::Value<'_>>| {
        value.as_ref().map(|value| Side {
            kind: value.kind,
            shown: if reveals {
                let short = value.raw.get(..LONGEST_VALUE).unwrap_or(&value.raw);
                Shown::Value(String::from_utf8_lossy(short).into_owned())
            } else {
                Shown::Hash(judge.known.keys.hash_one(&value.raw))
            },
        })
    };
    Noted {
        part: finding.part,
        pointer: finding.pointer.clone(),
        kind: finding.kind,
        severity: finding.severity,
        sides: [side(&finding.v1), side(&finding.v2)],
    }
}
