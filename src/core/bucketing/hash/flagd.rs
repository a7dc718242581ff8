//! flagd, its `fractional`: since version 2 `(murmur3(flagKey + targetingKey, 0) · W) >> 32`, W the
//! total of the weights, in when below the variant's weight; before, `abs(murmur3 as i32)` as a
//! part of 2³¹ − 1 in percent, in when below the weight's percentage, both floats of 64 bits.

use super::murmur3::Murmur3;
use super::{AlgorithmVersion, BucketRange, ToolPosition, first_not};

/// Of version 1.
const PLACES: u32 = i32::MAX.unsigned_abs();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flagd {
    start: Murmur3,
    version: AlgorithmVersion,
    total_weight: u32,
}

impl Flagd {
    /// `total_weight` is at least 1.
    pub(crate) fn new(version: AlgorithmVersion, flag_key: &str, total_weight: u32) -> Self {
        Self {
            start: Murmur3::new(0).with(flag_key.as_bytes()),
            version,
            total_weight,
        }
    }
}

impl BucketRange for Flagd {
    fn places(&self) -> u64 {
        match self.version {
            AlgorithmVersion::One => u64::from(PLACES),
            AlgorithmVersion::Two => u64::from(self.total_weight),
        }
    }

    fn parts(&self) -> u32 {
        self.total_weight
    }

    fn bound(&self, parts: u32) -> u64 {
        match self.version {
            AlgorithmVersion::One => {
                let end = percentage(parts, self.total_weight);
                first_not(u64::from(PLACES), |place| bucket(place) < end)
            }
            AlgorithmVersion::Two => u64::from(parts),
        }
    }

    fn place(&self, account: &[u8]) -> Option<u64> {
        let hash = self.start.with(account).finish();
        match self.version {
            // The three hashes that are 100 percent or more are in no variant.
            AlgorithmVersion::One => Some(hash.cast_signed().unsigned_abs())
                .filter(|place| *place < PLACES)
                .map(u64::from),
            AlgorithmVersion::Two => {
                let product = u64::from(hash).saturating_mul(u64::from(self.total_weight));
                Some(product >> 32)
            }
        }
    }

    fn tool_position(&self, place: u64) -> ToolPosition {
        match self.version {
            AlgorithmVersion::One => ToolPosition::Double(bucket(place)),
            AlgorithmVersion::Two => ToolPosition::Whole(place),
        }
    }
}

#[expect(
    clippy::float_arithmetic,
    reason = "flagd's own arithmetic, when a policy is compiled and where a place is shown"
)]
fn bucket(place: u64) -> f64 {
    place as f64 / f64::from(PLACES) * 100.0
}

#[expect(
    clippy::float_arithmetic,
    reason = "flagd's own arithmetic, when a policy is compiled"
)]
fn percentage(weight: u32, total_weight: u32) -> f64 {
    100.0 * f64::from(weight) / f64::from(total_weight)
}
