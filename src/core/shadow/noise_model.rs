//! Where v1's answers vary by themselves, learned by asking v1 the same request again.
//!
//! Only requests whose two answers differ are asked again. If v2 answers like v1, and v1 varies at a
//! place, then v1's next answer differs from its first in at least half of these requests: each of
//! v1's answers is as likely as v2's to be the odd one out. If v1 does not vary there, it never
//! does. A place counts as noisy where v1's next answer differs in more than a third of them.

use std::hash::{BuildHasher, RandomState};

use turnout_diff::{Finding, FindingKind, OptionUsage, Part};

use crate::vec_map::VecMap;

use super::ShadowPlan;
use super::limit::Limit;

/// What one worker knows about a rollout's answers. Its size is bounded, whatever is answered.
#[derive(Debug)]
pub struct NoiseModel {
    /// Places where v1 varies.
    noisy: VecMap<PlaceId, Score>,
    /// Places where v2 differs from v1, and how often in a row v1 repeated its own answer there.
    steady: VecMap<PlaceId, u8>,
    /// Places where v2 differs from v1, and in how many requests in a row v1's next answer was its first.
    proven: VecMap<PlaceId, u8>,
    /// By route: how often in a row v1 answered every repetition alike, and other than the user.
    shifted: VecMap<Option<usize>, u8>,
    questions: Limit,
    /// How often the limit of questions may still be refilled.
    refills: u8,
    /// Trials that ended as noise of established places, since one of them was asked again.
    unasked: u8,
    /// Whether the next trial with noise asks v1 first.
    v1_first: bool,
    usage: OptionUsage,
    keys: RandomState,
}

/// A hash of a route, a place in its answers, and the way in which answers differ there.
pub(super) type PlaceId = u64;

/// How noisy a place is. At 0 it is forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score(u8);

impl Score {
    /// Whether v1 varied often enough that this was no change of the data at that moment.
    pub(super) const fn is_established(self) -> bool {
        self.0 >= ESTABLISHED
    }
}

/// The ways in which answers differ at a place. Each is noise of its own: a value that varies says
/// nothing about whether the field may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Presence,
    Type,
    Value,
}

impl Way {
    const fn of(kind: FindingKind) -> Self {
        match kind {
            FindingKind::Missing | FindingKind::Extra => Self::Presence,
            FindingKind::Type => Self::Type,
            FindingKind::Value | FindingKind::Length | FindingKind::Order => Self::Value,
        }
    }
}

/// v1's next answer differs from its first, or does not: together, a third is the limit.
const VARIES: u8 = 2;
const REPEATS: u8 = 1;
const ESTABLISHED: u8 = 4;
const HIGHEST: u8 = 16;
/// Of the trials that end as noise of established places, v1 is asked again in one of so many.
const ASKED_AGAIN: u8 = 16;
/// So often in a row v1 has answered every repetition otherwise than the user, and all of them alike:
/// by chance that happens to a random flag in one of 64 cases.
const SHIFTED: u8 = 3;
/// v1 has to repeat its own answer so often at a place before a difference there counts: a random
/// flag does so in one of 256 cases. Further places that differ ask for more.
const STEADY: u8 = 8;

/// In so many requests in a row v1 has to repeat itself before a difference at a place is proven to be none
/// of v1's noise. Whatever v1's noise is like, v1 repeats itself in at most half of the requests in which
/// an equal v2 differs; so noise gets that far in one of 128 cases. Each doubling of the places asks for
/// two more, so that all places together stay below one case of twenty.
const PROVEN: u8 = 7;
const PROVEN_FOR_TWICE_THE_PLACES: u32 = 2;

/// Questions to v1 of one worker in a second, in addition to a first burst.
const QUESTIONS_PER_SECOND: u32 = 10;
/// Each newly established place refills the burst: what was asked because of it is not asked again.
const REFILLS: u8 = 32;
const MOST_PLACES: usize = 1_024;

impl NoiseModel {
    /// The model of a worker that has seen no answers.
    #[must_use]
    pub fn new(shadow: &ShadowPlan) -> Self {
        // One for each trial that may be under way where everything is new, and as many that are spare.
        let burst = u32::try_from(shadow.max_in_flight).unwrap_or(u32::MAX);
        let burst = burst.saturating_mul(2);
        Self {
            noisy: VecMap::default(),
            steady: VecMap::default(),
            proven: VecMap::default(),
            shifted: VecMap::default(),
            questions: Limit::new(burst, QUESTIONS_PER_SECOND),
            refills: REFILLS,
            unasked: 0,
            v1_first: true,
            usage: OptionUsage::new(&shadow.compare),
            keys: RandomState::new(),
        }
    }

    /// The bytes that it holds; bounded, whatever is answered.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        [
            self.noisy.held_bytes(),
            self.steady.held_bytes(),
            self.proven.held_bytes(),
            self.shifted.held_bytes(),
        ]
        .into_iter()
        .fold(size_of::<Self>(), usize::saturating_add)
    }

    /// How often each option of the comparison applied.
    pub fn usage(&mut self) -> &mut OptionUsage {
        &mut self.usage
    }

    /// Whether the next trial with noise asks v1 first: every second one does.
    pub(super) fn is_v1_first(&mut self) -> bool {
        self.v1_first = !self.v1_first;
        !self.v1_first
    }

    /// Takes one of the questions to v1 that are allowed now, if there is one.
    pub(super) fn take_question(&mut self, now_ms: u64) -> bool {
        self.questions.take(now_ms)
    }

    /// Takes a question as long as half of a burst is left for places that are new.
    pub(super) fn take_spare_question(&mut self, now_ms: u64) -> bool {
        self.questions.take_spare(now_ms)
    }

    /// Whether a trial that ends as noise of established places asks v1 whether it still varies.
    pub(super) fn is_due_to_ask(&mut self, route: Option<usize>) -> bool {
        if self.may_be_shifted(route) {
            return true;
        }
        self.unasked = self.unasked.saturating_add(1);
        let is_due = self.unasked >= ASKED_AGAIN;
        if is_due {
            self.unasked = 0;
        }
        is_due
    }

    /// How noisy a place is, if it is.
    pub(super) fn noise(&self, place: PlaceId) -> Option<Score> {
        self.noisy.get(&place).copied()
    }

    /// Whether nothing is known to vary, so that nobody need compute places.
    pub(super) fn is_quiet(&self) -> bool {
        self.noisy.is_empty()
    }

    /// Whether v1 repeated its own answer at all these places often enough for a difference to count,
    /// or did so `repeats` times in this trial.
    pub(super) fn are_steady(&self, places: &[PlaceId], repeats: u8) -> bool {
        let more = places.len().checked_ilog2().unwrap_or(0);
        let needed = STEADY.saturating_add(u8::try_from(more).unwrap_or(u8::MAX));
        repeats >= needed
            || places
                .iter()
                .all(|place| self.steady.get(place).is_some_and(|times| *times >= needed))
    }

    /// Whether v1 repeated itself at all these places in so many requests that their difference is none of
    /// its noise.
    pub(super) fn are_proven(&self, places: &[PlaceId]) -> bool {
        let known = self.steady.len().max(self.noisy.len());
        let doublings = known.checked_ilog2().unwrap_or(0);
        let more = doublings.saturating_mul(PROVEN_FOR_TWICE_THE_PLACES);
        let needed = PROVEN.saturating_add(u8::try_from(more).unwrap_or(u8::MAX));
        places
            .iter()
            .all(|place| self.proven.get(place).is_some_and(|times| *times >= needed))
    }

    /// Learns from an answer that v1 gave to a repeated request: it varied at some places, and at
    /// others, where v2 differs, it repeated itself. `is_first` says whether it is the first repetition
    /// of that request: only these are independent of each other.
    pub(super) fn learn(&mut self, varied: &[PlaceId], repeated: &[PlaceId], is_first: bool) {
        for place in repeated {
            if let Some(Score(score)) = self.noisy.get_mut(place) {
                *score = score.saturating_sub(REPEATS);
            }
            add_one(&mut self.steady, *place);
            if is_first {
                add_one(&mut self.proven, *place);
            }
        }
        self.noisy.retain(|_, Score(score)| *score > 0);
        for place in varied {
            self.steady.remove(place);
            self.proven.remove(place);
            if let Some(score) = self.noisy.get_mut(place) {
                let was_established = score.is_established();
                score.0 = score.0.saturating_add(VARIES).min(HIGHEST);
                if !was_established && score.is_established() && self.refills > 0 {
                    self.refills = self.refills.saturating_sub(1);
                    self.questions.refill();
                }
            } else if self.noisy.len() < MOST_PLACES {
                self.noisy.insert(*place, Score(VARIES));
            }
        }
    }

    /// v1 answered two repetitions alike, and otherwise than the user.
    pub(super) fn note_shift(&mut self, route: Option<usize>) {
        let times = self.shifted.get(&route).copied().unwrap_or(0);
        self.shifted.insert(route, times.saturating_add(1));
    }

    /// v1 repeated the user's answer, or varied among its repetitions.
    pub(super) fn note_no_shift(&mut self, route: Option<usize>) {
        self.shifted.remove(&route);
    }

    /// Whether v1 answers the requests of a route otherwise when it is asked by the filter.
    pub(super) fn is_shifted(&self, route: Option<usize>) -> bool {
        self.shifted
            .get(&route)
            .is_some_and(|times| *times >= SHIFTED)
    }

    /// Whether another question may show that v1 answers the requests of a route otherwise when it is
    /// asked by the filter.
    fn may_be_shifted(&self, route: Option<usize>) -> bool {
        self.shifted.get(&route).is_some() && !self.is_shifted(route)
    }

    /// What a finding is known by.
    pub(super) fn place(&self, route: Option<usize>, finding: &Finding<'_>) -> PlaceId {
        self.place_of(route, finding.part, &finding.pointer, Way::of(finding.kind))
    }

    /// A value, by its place.
    pub(super) fn value_at(&self, route: Option<usize>, part: Part, pointer: &str) -> PlaceId {
        self.place_of(route, part, pointer, Way::Value)
    }

    /// The status of a route's answers.
    pub(super) fn status(&self, route: Option<usize>) -> PlaceId {
        self.value_at(route, Part::Status, "")
    }

    fn place_of(&self, route: Option<usize>, part: Part, pointer: &str, way: Way) -> PlaceId {
        self.keys.hash_one((route, part.as_str(), pointer, way))
    }

    /// What stands for a value outside the proxy.
    pub(super) fn hash(&self, value: &[u8]) -> u64 {
        self.keys.hash_one(value)
    }
}

fn add_one(counts: &mut VecMap<PlaceId, u8>, place: PlaceId) {
    if let Some(times) = counts.get_mut(&place) {
        *times = times.saturating_add(1);
    } else if counts.len() < MOST_PLACES {
        counts.insert(place, 1);
    }
}
