//! What a worker knows of a rollout's answers: where v1 does not agree with itself, and which findings
//! have been seen twice.

use std::hash::{BuildHasher, RandomState};

use crate::diff::{Finding, Findings, Part, Usage};
use crate::table::Table;

use super::Shadow;
use super::limit::Limit;

/// What a worker knows of a rollout's answers. Bounded, whatever is answered.
#[derive(Debug)]
pub struct Known {
    /// Places where v1 did not agree with itself.
    noisy: Table<u64, Noise>,
    /// Findings that were still there at the second question.
    confirmed: Table<u64, ()>,
    rechecks: Limit,
    /// How often the limit of rechecks may still begin anew.
    fresh_starts: u8,
    /// Whether the next trial with noise asks v1 first.
    v1_first: bool,
    usage: Usage,
    keys: RandomState,
}

/// A place where v1 did not agree with itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    route: Option<usize>,
    /// Of the times that it did not, and those that it did since. At 0 it is forgotten.
    score: u8,
}

impl Noise {
    /// Whether it has been seen often enough not to be a change of the moment.
    pub(super) fn is_established(self) -> bool {
        self.score >= ESTABLISHED
    }
}

/// Each time that v1 does not agree with itself, and each time that it does.
const DISAGREES: u8 = 2;
const AGREES: u8 = 1;
/// From here on nobody is asked again whether it still varies, but by `noise`.
const ESTABLISHED: u8 = 4;
const HIGHEST: u8 = 16;
/// Each lets as many rechecks through as there may be at first.
const FRESH_STARTS: u8 = 32;

/// Rechecks of one worker in a second, beside a first burst: what v1 may be asked on top.
const RECHECKS_PER_SECOND: u32 = 10;
const MOST_KNOWN: usize = 1_024;

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
            fresh_starts: FRESH_STARTS,
            v1_first: true,
            usage: Usage::new(&shadow.compare),
            keys: RandomState::new(),
        }
    }

    /// How often each option of the comparison applied.
    pub fn usage(&mut self) -> &mut Usage {
        &mut self.usage
    }

    /// Whether the next trial with noise asks v1 first: in turns.
    pub(super) fn is_v1_first(&mut self) -> bool {
        self.v1_first = !self.v1_first;
        !self.v1_first
    }

    /// Whether v1 and v2 may be asked once more now; if so, that is counted.
    pub(super) fn may_recheck(&mut self, now_ms: u64) -> bool {
        self.rechecks.take(now_ms)
    }

    /// Whether v1 did not agree with itself there.
    pub(super) fn noise_at(
        &self,
        route: Option<usize>,
        part: Part,
        pointer: &str,
    ) -> Option<&Noise> {
        if self.noisy.is_empty() {
            return None;
        }
        self.noisy.get(&self.place(route, part, pointer))
    }

    /// Whether all of these have been seen twice before.
    pub(super) fn are_confirmed(&self, route: Option<usize>, findings: &Findings<'_>) -> bool {
        let mut known = findings
            .as_slice()
            .iter()
            .map(|found| self.finding(route, found));
        known.all(|finding| self.confirmed.get(&finding).is_some())
    }

    /// These have been seen twice.
    pub(super) fn confirm(&mut self, route: Option<usize>, findings: &Findings<'_>) {
        for finding in findings.as_slice() {
            let finding = self.finding(route, finding);
            if self.confirmed.len() < MOST_KNOWN {
                self.confirmed.insert(finding, ());
            }
        }
    }

    /// What stands for a value outside the proxy.
    pub(super) fn hash(&self, value: &[u8]) -> u64 {
        self.keys.hash_one(value)
    }

    /// v1 has been asked twice, and did not agree with itself at these places of a route.
    pub(super) fn note_noise<'f>(
        &mut self,
        route: Option<usize>,
        changed: impl Iterator<Item = &'f Finding<'f>>,
    ) {
        let mut places: Vec<u64> = changed
            .map(|finding| self.place(route, finding.part, &finding.pointer))
            .collect();
        places.sort_unstable();
        places.dedup();
        let agreed: Vec<u64> = self
            .noisy
            .iter()
            .filter(|(place, noise)| noise.route == route && !places.contains(place))
            .map(|(place, _)| *place)
            .collect();
        for place in agreed {
            if let Some(noise) = self.noisy.get_mut(&place) {
                noise.score = noise.score.saturating_sub(AGREES);
            }
        }
        self.noisy.retain(|_, noise| noise.score > 0);
        for place in places {
            if let Some(noise) = self.noisy.get_mut(&place) {
                let was_new = !noise.is_established();
                noise.score = noise.score.saturating_add(DISAGREES).min(HIGHEST);
                let is_established = was_new && noise.is_established();
                if is_established && self.fresh_starts > 0 {
                    // What was asked for again because this was not known is not any more, and the
                    // next route is as new as this one was.
                    self.fresh_starts = self.fresh_starts.saturating_sub(1);
                    self.rechecks.refill();
                }
            } else if self.noisy.len() < MOST_KNOWN {
                let score = DISAGREES;
                self.noisy.insert(place, Noise { route, score });
            }
        }
    }

    fn place(&self, route: Option<usize>, part: Part, pointer: &str) -> u64 {
        self.keys.hash_one((route, part.as_str(), pointer))
    }

    fn finding(&self, route: Option<usize>, finding: &Finding<'_>) -> u64 {
        let place = self.place(route, finding.part, &finding.pointer);
        self.keys.hash_one((place, finding.kind.as_str()))
    }
}
