//! The bucketing of flagd's `fractional`.
//!
//! Version 2 is `(murmur3(flagKey + targetingKey, 0) · W) >> 32` with W the sum of the weights; an account is
//! included if the result is below the variant's weight. Version 1 is `abs(murmur3 as i32) / (2³¹ − 1) · 100`
//! in 64-bit floats; an account is included if the result is below the weight's percentage.

use super::murmur3::Murmur3;
use super::{AlgorithmVersion, BucketRange, ToolPosition, partition_point};

/// The number of positions in version 1.
const POSITIONS: u32 = i32::MAX.unsigned_abs();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flagd {
    start: Murmur3,
    version: AlgorithmVersion,
    total_weight: u32,
}

impl Flagd {
    /// Creates the hash of a flag. `total_weight` must be at least 1.
    pub(crate) fn new(version: AlgorithmVersion, flag_key: &str, total_weight: u32) -> Self {
        Self {
            start: Murmur3::new(0).with(flag_key.as_bytes()),
            version,
            total_weight,
        }
    }
}

impl BucketRange for Flagd {
    fn position_count(&self) -> u64 {
        match self.version {
            AlgorithmVersion::One => u64::from(POSITIONS),
            AlgorithmVersion::Two => u64::from(self.total_weight),
        }
    }

    fn bucket_count(&self) -> u32 {
        self.total_weight
    }

    fn bound(&self, buckets: u32) -> u64 {
        match self.version {
            AlgorithmVersion::One => {
                let end = percentage(buckets, self.total_weight);
                partition_point(u64::from(POSITIONS), |position| bucket(position) < end)
            }
            AlgorithmVersion::Two => u64::from(buckets),
        }
    }

    fn position(&self, account: &[u8]) -> Option<u64> {
        let hash = self.start.with(account).finish();
        match self.version {
            // Three hashes are 100 % or more, and flagd assigns no variant to them.
            AlgorithmVersion::One => Some(hash.cast_signed().unsigned_abs())
                .filter(|position| *position < POSITIONS)
                .map(u64::from),
            AlgorithmVersion::Two => {
                let product = u64::from(hash).saturating_mul(u64::from(self.total_weight));
                Some(product >> 32)
            }
        }
    }

    fn tool_position(&self, position: u64) -> ToolPosition {
        match self.version {
            AlgorithmVersion::One => ToolPosition::Double(bucket(position)),
            AlgorithmVersion::Two => ToolPosition::Whole(position),
        }
    }
}

#[expect(
    clippy::float_arithmetic,
    reason = "flagd's own arithmetic, when a policy is compiled and where a position is shown"
)]
fn bucket(position: u64) -> f64 {
    position as f64 / f64::from(POSITIONS) * 100.0
}

#[expect(
    clippy::float_arithmetic,
    reason = "flagd's own arithmetic, when a policy is compiled"
)]
fn percentage(weight: u32, total_weight: u32) -> f64 {
    100.0 * f64::from(weight) / f64::from(total_weight)
}
