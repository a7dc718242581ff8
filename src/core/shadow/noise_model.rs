//! Learns where v1's responses vary by themselves, from repeated requests to v1.
//!
//! Only requests whose two responses differ are repeated. Suppose that v2 behaves like v1 and that v1
//! varies at a place. Then v1's next response differs from its first in at least half of these
//! requests, because each of v1's responses is as likely as v2's to be the odd one out. If v1 does not
//! vary there, it never differs. A place counts as noisy if v1's next response differs in more than a
//! third of them.

use std::hash::{BuildHasher, RandomState};

use turnout_diff::{Finding, FindingKind, OptionUsage, Part};

use crate::vec_map::VecMap;

use super::ShadowPlan;
use super::token_bucket::TokenBucket;

/// What one worker knows about the responses of a rollout. Its size is bounded.
#[derive(Debug)]
pub struct NoiseModel {
    /// Places where v1 varies.
    noisy: VecMap<PlaceId, Score>,
    /// Places where v2 differs from v1, and how many times in a row v1 repeated its own response there.
    steady: VecMap<PlaceId, u8>,
    /// Places where v2 differs from v1, and in how many requests in a row v1's next response equalled
    /// its first.
    proven: VecMap<PlaceId, u8>,
    /// By route: how many times in a row all repetitions of v1 were alike and differed from the user's
    /// response.
    shifted: VecMap<Option<usize>, u8>,
    questions: TokenBucket,
    /// How many more times the budget of repeated requests may be refilled.
    refills: u8,
    /// The number of trials that have ended as established noise without a repeated request since the
    /// last one that had it.
    unasked: u8,
    /// Whether the next trial with noise calls v1 first.
    v1_first: bool,
    usage: OptionUsage,
    keys: RandomState,
}

/// A hash of a route, a place in its responses, and the aspect in which responses differ there.
pub(super) type PlaceId = u64;

/// How noisy a place is. At 0 it is forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score(u8);

impl Score {
    /// Whether v1 varied too often for it to have been a single change of the data.
    pub(super) const fn is_established(self) -> bool {
        self.0 >= ESTABLISHED
    }
}

/// The aspects in which responses differ at a place. Each has noise of its own: a varying value does
/// not mean that the field may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum DifferenceAspect {
    Presence,
    Type,
    Value,
}

impl DifferenceAspect {
    const fn of(kind: FindingKind) -> Self {
        match kind {
            FindingKind::Missing | FindingKind::Extra => Self::Presence,
            FindingKind::Type => Self::Type,
            FindingKind::Value | FindingKind::Length | FindingKind::Order => Self::Value,
        }
    }
}

/// How much a score rises if v1's next response differs from its first. If not, it falls by
/// `REPEATS`. Together they set the threshold at a third.
const VARIES: u8 = 2;
const REPEATS: u8 = 1;
const ESTABLISHED: u8 = 4;
const HIGHEST: u8 = 16;
/// One in this many trials that end as established noise repeats the request to v1.
const ASKED_AGAIN: u8 = 16;
/// How many times in a row v1's repetitions must be alike and differ from the user's response before v1
/// is considered to treat the filter differently. A random flag does this by chance in one of 64 cases.
const SHIFTED: u8 = 3;
/// How many times v1 must repeat its own response at a place before a difference there counts. A random
/// flag does so in one of 256 cases. More places require more repetitions.
const STEADY: u8 = 8;

/// In how many requests in a row v1 must repeat itself before a difference at a place is proven not to
/// be its noise. Whatever its noise is like, v1 repeats itself in at most half of the requests in which
/// an equal v2 differs, so noise gets this far in one of 128 cases. Each doubling of the number of
/// places requires two more requests, so that all places together stay below one case in twenty.
const PROVEN: u8 = 7;
const PROVEN_FOR_TWICE_THE_PLACES: u32 = 2;

/// The number of repeated requests to v1 per worker and second, in addition to the initial burst.
const QUESTIONS_PER_SECOND: u32 = 10;
/// How often the burst may be refilled. Each newly established place refills it, because places that
/// caused requests before no longer do.
const REFILLS: u8 = 32;
const MOST_PLACES: usize = 1_024;

impl NoiseModel {
    /// Creates the model of a worker that has seen no responses.
    #[must_use]
    pub fn new(shadow: &ShadowPlan) -> Self {
        // The burst has one request for each trial that may be in flight while everything is new, and
        // as many in reserve.
        let burst = u32::try_from(shadow.max_in_flight).unwrap_or(u32::MAX);
        let burst = burst.saturating_mul(2);
        Self {
            noisy: VecMap::default(),
            steady: VecMap::default(),
            proven: VecMap::default(),
            shifted: VecMap::default(),
            questions: TokenBucket::new(burst, QUESTIONS_PER_SECOND),
            refills: REFILLS,
            unasked: 0,
            v1_first: true,
            usage: OptionUsage::new(&shadow.compare),
            keys: RandomState::new(),
        }
    }

    /// The number of bytes it holds, which is bounded.
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

    /// Whether the next trial with noise calls v1 first. Every second one does.
    pub(super) fn is_v1_first(&mut self) -> bool {
        self.v1_first = !self.v1_first;
        !self.v1_first
    }

    /// Takes one of the repeated requests that are allowed now, if there is one.
    pub(super) fn take_question(&mut self, now_ms: u64) -> bool {
        self.questions.take(now_ms)
    }

    /// Takes a repeated request if more than half of the burst is left for new places.
    pub(super) fn take_spare_question(&mut self, now_ms: u64) -> bool {
        self.questions.take_spare(now_ms)
    }

    /// Whether a trial that ends as established noise should check whether v1 still varies.
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

    /// Returns the score of a noisy place.
    pub(super) fn noise(&self, place: PlaceId) -> Option<Score> {
        self.noisy.get(&place).copied()
    }

    /// Whether no place is known to vary, so that places need not be computed.
    pub(super) fn is_quiet(&self) -> bool {
        self.noisy.is_empty()
    }

    /// Whether v1 repeated its own response at all these places often enough for a difference to count,
    /// either so far or `repeats` times in this trial.
    pub(super) fn are_steady(&self, places: &[PlaceId], repeats: u8) -> bool {
        let more = places.len().checked_ilog2().unwrap_or(0);
        let needed = STEADY.saturating_add(u8::try_from(more).unwrap_or(u8::MAX));
        repeats >= needed
            || places
                .iter()
                .all(|place| self.steady.get(place).is_some_and(|times| *times >= needed))
    }

    /// Whether v1 repeated itself at all these places in so many requests that their difference is not
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

    /// Learns from v1's response to a repeated request: it varied at some places, and repeated itself
    /// at others, where v2 differs. `is_first` marks the first repetition of a request; only first
    /// repetitions are independent of each other.
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

    /// Notes that two repetitions of v1 were alike and differed from the user's response.
    pub(super) fn note_shift(&mut self, route: Option<usize>) {
        let times = self.shifted.get(&route).copied().unwrap_or(0);
        self.shifted.insert(route, times.saturating_add(1));
    }

    /// Notes that v1 repeated the user's response, or varied between its repetitions.
    pub(super) fn note_no_shift(&mut self, route: Option<usize>) {
        self.shifted.remove(&route);
    }

    /// Whether v1 responds to the filter differently than to users on this route.
    pub(super) fn is_shifted(&self, route: Option<usize>) -> bool {
        self.shifted
            .get(&route)
            .is_some_and(|times| *times >= SHIFTED)
    }

    /// Whether one more repeated request may show that v1 responds to the filter differently on this
    /// route.
    fn may_be_shifted(&self, route: Option<usize>) -> bool {
        self.shifted.get(&route).is_some() && !self.is_shifted(route)
    }

    /// Returns the id of a finding's place.
    pub(super) fn place(&self, route: Option<usize>, finding: &Finding<'_>) -> PlaceId {
        self.place_of(
            route,
            finding.part,
            &finding.pointer,
            DifferenceAspect::of(finding.kind),
        )
    }

    /// Returns the id of a value's place.
    pub(super) fn value_at(&self, route: Option<usize>, part: Part, pointer: &str) -> PlaceId {
        self.place_of(route, part, pointer, DifferenceAspect::Value)
    }

    /// Returns the id of the status of a route's responses.
    pub(super) fn status(&self, route: Option<usize>) -> PlaceId {
        self.value_at(route, Part::Status, "")
    }

    fn place_of(
        &self,
        route: Option<usize>,
        part: Part,
        pointer: &str,
        aspect: DifferenceAspect,
    ) -> PlaceId {
        self.keys.hash_one((route, part.as_str(), pointer, aspect))
    }

    /// Returns the hash that replaces a value outside the proxy.
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
