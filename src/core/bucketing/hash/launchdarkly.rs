//! The bucketing of LaunchDarkly.
//!
//! It divides the first 15 hex digits of `sha1("flagKey.salt.key")`, or in an experiment of `sha1("seed.key")`,
//! by 0xFFFFFFFFFFFFFFF. An account is included if the result is below the variation's weight, which is in
//! thousandths of a percent.
//!
//! LaunchDarkly's SDK for Go computes both in 32-bit floats. This module does so too, but only to find the
//! first position that is not below a weight: rounding is monotonic, so positions are in the order of their
//! floats.

use std::fmt;

use sha1_smol::Sha1;

use super::{BucketRange, ToolPosition, partition_point};

/// The sum of the weights of a rollout.
const WEIGHT_SUM: u32 = 100_000;
/// The number of values of 15 hex digits.
const POSITIONS: u64 = 1 << 60;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LaunchDarkly {
    /// The hash of the text before the account.
    start: Sha1,
}

impl LaunchDarkly {
    /// Creates the hash of a flag's rollout.
    pub(crate) fn for_flag(flag_key: &str, salt: &str) -> Self {
        Self::with_prefix(&[flag_key, ".", salt, "."].concat())
    }

    /// Creates the hash of an experiment.
    pub(crate) fn for_experiment(seed: i64) -> Self {
        Self::with_prefix(&format!("{seed}."))
    }

    fn with_prefix(prefix: &str) -> Self {
        let mut start = Sha1::new();
        start.update(prefix.as_bytes());
        Self { start }
    }
}

impl BucketRange for LaunchDarkly {
    fn position_count(&self) -> u64 {
        POSITIONS
    }

    fn bucket_count(&self) -> u32 {
        WEIGHT_SUM
    }

    /// LaunchDarkly assigns the few accounts whose result rounds up to 1 to the last variation, even if its
    /// weight is 0. Here a weight of 0 includes nobody.
    fn bound(&self, buckets: u32) -> u64 {
        let weight = weight(buckets);
        partition_point(POSITIONS, |position| bucket(position) < weight)
    }

    fn position(&self, account: &[u8]) -> Option<u64> {
        let mut hash = self.start.clone();
        hash.update(account);
        let digest = hash.digest().bytes();
        let digits = digest.first_chunk::<8>()?;
        // Sixteen digits, without the last one.
        Some(u64::from_be_bytes(*digits) >> 4)
    }

    fn tool_position(&self, position: u64) -> ToolPosition {
        ToolPosition::Single(bucket(position))
    }
}

#[expect(
    clippy::float_arithmetic,
    reason = "LaunchDarkly's own arithmetic, when a policy is compiled and where a position is shown"
)]
fn bucket(position: u64) -> f32 {
    position as f32 / 0xFFF_FFFF_FFFF_FFFF_u64 as f32
}

#[expect(
    clippy::float_arithmetic,
    reason = "LaunchDarkly's own arithmetic, when a policy is compiled"
)]
fn weight(buckets: u32) -> f32 {
    buckets as f32 / 100_000.0
}

impl fmt::Debug for LaunchDarkly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchDarkly").finish_non_exhaustive()
    }
}
