//! GrowthBook: version 2, `fnv1a32(decimal(fnv1a32(seed + key))) % 10000 / 10000`, and version 1,
//! `fnv1a32(key + seed) % 1000 / 1000`.
//!
//! A rollout (a rule that forces a value for a coverage) takes whom this does not put above the
//! coverage; an experiment whom it puts in a range, of which the end is not part. A namespace is a
//! draw of its own before: who is outside of its range is never drawn.

use super::fnv1a::Fnv1a;
use super::{AlgorithmVersion, BucketRange, ToolPosition};
use crate::bucketing::percentage::HUNDRED_PERCENT;

/// Of version 1.
const THOUSAND: u32 = 1_000;
/// Of version 2.
const TEN_THOUSAND: u32 = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrowthBook {
    hash: Seeded,
    comparison: Comparison,
    /// Where v2's range begins, as a place.
    start: u32,
    namespace: Option<Namespace>,
}

/// How a rule compares what is drawn with its percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Not above.
    Rollout,
    /// Below.
    Experiment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Always of version 1.
    hash: Seeded,
    from: u32,
    to: u32,
}

/// A version's hash with its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seeded {
    One(Box<[u8]>),
    Two(Fnv1a),
}

impl GrowthBook {
    /// Into how many parts percentages divide the line of a version; as many as it has places.
    pub(crate) fn parts_of(version: AlgorithmVersion) -> u32 {
        match version {
            AlgorithmVersion::One => THOUSAND,
            AlgorithmVersion::Two => TEN_THOUSAND,
        }
    }

    /// `start` is a place: below 1,000 in version 1, and below 10,000 in version 2.
    pub(crate) fn new(
        version: AlgorithmVersion,
        seed: &str,
        comparison: Comparison,
        start: u32,
        namespace: Option<Namespace>,
    ) -> Self {
        Self {
            hash: Seeded::new(version, seed),
            comparison,
            start,
            namespace,
        }
    }
}

impl Namespace {
    /// The range in millionths of a percent.
    pub(crate) fn new(id: &str, from: u32, to: u32) -> Self {
        Self {
            hash: Seeded::new(AlgorithmVersion::One, &["__", id].concat()),
            from: first_place_from(from),
            to: first_place_from(to),
        }
    }

    fn has(&self, account: &[u8]) -> bool {
        (self.from..self.to).contains(&self.hash.place(account))
    }
}

/// The first place of version 1 that is not below a percentage.
fn first_place_from(millionths: u32) -> u32 {
    let product = u64::from(millionths).saturating_mul(u64::from(THOUSAND));
    let place = product.div_ceil(u64::from(HUNDRED_PERCENT));
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl Seeded {
    fn new(version: AlgorithmVersion, seed: &str) -> Self {
        match version {
            AlgorithmVersion::One => Self::One(seed.as_bytes().into()),
            AlgorithmVersion::Two => Self::Two(Fnv1a::NOTHING.with(seed.as_bytes())),
        }
    }

    fn parts(&self) -> u32 {
        match self {
            Self::One(_) => THOUSAND,
            Self::Two(_) => TEN_THOUSAND,
        }
    }

    fn place(&self, account: &[u8]) -> u32 {
        match self {
            Self::One(seed) => {
                let hash = Fnv1a::NOTHING.with(account).with(seed).finish();
                hash % THOUSAND
            }
            Self::Two(start) => {
                let inner = start.with(account).finish();
                let hash = Fnv1a::NOTHING.with_decimal(inner).finish();
                hash % TEN_THOUSAND
            }
        }
    }
}

impl BucketRange for GrowthBook {
    fn parts(&self) -> u32 {
        self.hash.parts()
    }

    /// A coverage takes one place more than a range of its length; where GrowthBook's older SDKs let
    /// a coverage of 0 take the first place, here 0 takes nobody.
    fn bound(&self, parts: u32) -> u64 {
        let more = match self.comparison {
            Comparison::Rollout => 1,
            Comparison::Experiment => 0,
        };
        u64::from(parts).saturating_add(more).min(self.places())
    }

    fn place(&self, account: &[u8]) -> Option<u64> {
        let is_drawn = self.namespace.as_ref().is_none_or(|n| n.has(account));
        is_drawn.then(|| turned(self.hash.place(account), self.parts(), self.start))
    }

    fn tool_position(&self, place: u64) -> ToolPosition {
        let parts = self.parts();
        let place = u32::try_from(place).unwrap_or_default();
        let back = parts.saturating_sub(self.start);
        ToolPosition::Decimal(turned(place, parts, back), parts.ilog10())
    }
}

/// A place of a line that begins anew at `start`.
fn turned(place: u32, parts: u32, start: u32) -> u64 {
    let place = u64::from(place).saturating_add(u64::from(parts.saturating_sub(start)));
    place.checked_rem(u64::from(parts)).unwrap_or_default()
}
