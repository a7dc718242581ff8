//! The bucketing of GrowthBook.
//!
//! Version 2 is `fnv1a32(decimal(fnv1a32(seed + key))) % 10000 / 10000`, and version 1 is
//! `fnv1a32(key + seed) % 1000 / 1000`. A rollout (a rule that forces a value for a coverage) includes results up
//! to and including the coverage. An experiment includes a half-open range. A namespace hashes the account
//! separately first, and accounts outside of its range are never bucketed.

use super::fnv1a::Fnv1a;
use super::{AlgorithmVersion, BucketRange, ToolPosition};
use crate::bucketing::percentage::HUNDRED_PERCENT;

/// The number of buckets in version 1.
const THOUSAND: u32 = 1_000;
/// The number of buckets in version 2.
const TEN_THOUSAND: u32 = 10_000;

/// A GrowthBook rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrowthBook {
    hash: Seeded,
    comparison: Comparison,
    /// The position at which v2's range begins.
    start: u32,
    namespace: Option<Namespace>,
}

/// How a rule compares a position with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Includes positions up to and including the bound.
    Rollout,
    /// Includes positions below the bound.
    Experiment,
}

/// A namespace: a range of accounts by a hash of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Always version 1.
    hash: Seeded,
    from: u32,
    to: u32,
}

/// A hash of either version with its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seeded {
    One(Box<[u8]>),
    Two(Fnv1a),
}

impl GrowthBook {
    /// The number of buckets of a version, which is also the number of its positions.
    pub(crate) fn bucket_count_of(version: AlgorithmVersion) -> u32 {
        match version {
            AlgorithmVersion::One => THOUSAND,
            AlgorithmVersion::Two => TEN_THOUSAND,
        }
    }

    /// Creates the hash of a rule. `start` is a position, below 1,000 in version 1 and below 10,000 in version 2.
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
    /// Creates a namespace. `from` and `to` are in millionths of a percent.
    pub(crate) fn new(id: &str, from: u32, to: u32) -> Self {
        Self {
            hash: Seeded::new(AlgorithmVersion::One, &["__", id].concat()),
            from: first_position_from(from),
            to: first_position_from(to),
        }
    }

    fn contains(&self, account: &[u8]) -> bool {
        (self.from..self.to).contains(&self.hash.position(account))
    }
}

/// Returns the first position in version 1 that is not below a percentage.
fn first_position_from(millionths: u32) -> u32 {
    let product = u64::from(millionths).saturating_mul(u64::from(THOUSAND));
    let position = product.div_ceil(u64::from(HUNDRED_PERCENT));
    u32::try_from(position).unwrap_or(u32::MAX)
}

impl Seeded {
    fn new(version: AlgorithmVersion, seed: &str) -> Self {
        match version {
            AlgorithmVersion::One => Self::One(seed.as_bytes().into()),
            AlgorithmVersion::Two => Self::Two(Fnv1a::EMPTY.with(seed.as_bytes())),
        }
    }

    fn bucket_count(&self) -> u32 {
        match self {
            Self::One(_) => THOUSAND,
            Self::Two(_) => TEN_THOUSAND,
        }
    }

    fn position(&self, account: &[u8]) -> u32 {
        match self {
            Self::One(seed) => {
                let hash = Fnv1a::EMPTY.with(account).with(seed).finish();
                hash % THOUSAND
            }
            Self::Two(start) => {
                let inner = start.with(account).finish();
                let hash = Fnv1a::EMPTY.with_decimal(inner).finish();
                hash % TEN_THOUSAND
            }
        }
    }
}

impl BucketRange for GrowthBook {
    fn bucket_count(&self) -> u32 {
        self.hash.bucket_count()
    }

    /// A coverage includes one position more than a range of the same length. In GrowthBook's older SDKs a
    /// coverage of 0 includes the first position; here 0 includes nobody.
    fn bound(&self, buckets: u32) -> u64 {
        let more = match self.comparison {
            Comparison::Rollout => 1,
            Comparison::Experiment => 0,
        };
        u64::from(buckets)
            .saturating_add(more)
            .min(self.position_count())
    }

    fn position(&self, account: &[u8]) -> Option<u64> {
        let is_bucketed = self.namespace.as_ref().is_none_or(|n| n.contains(account));
        is_bucketed.then(|| rotate(self.hash.position(account), self.bucket_count(), self.start))
    }

    fn tool_position(&self, position: u64) -> ToolPosition {
        let buckets = self.bucket_count();
        let position = u32::try_from(position).unwrap_or_default();
        let back = buckets.saturating_sub(self.start);
        ToolPosition::Decimal(rotate(position, buckets, back), buckets.ilog10())
    }
}

/// Rotates a position, so that `start` becomes 0.
fn rotate(position: u32, buckets: u32, start: u32) -> u64 {
    let position = u64::from(position).saturating_add(u64::from(buckets.saturating_sub(start)));
    position.checked_rem(u64::from(buckets)).unwrap_or_default()
}
