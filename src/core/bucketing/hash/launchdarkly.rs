//! LaunchDarkly: the first 15 hex digits of `sha1("flagKey.salt.key")`, or in an experiment of
//! `sha1("seed.key")`, as a part of 0xFFFFFFFFFFFFFFF; in when below the variation's weight, which
//! is given in thousandths of a percent.
//!
//! Its SDK for Go computes the part and the weight in floats of 32 bits, which round. So do we, but
//! only to find the first place that is not below a weight: the order of places is that of their
//! floats, since rounding never turns two around.

use std::fmt;

use sha1_smol::Sha1;

use super::{BucketRange, ToolPosition, first_not};

/// In LaunchDarkly's words the weights of a rollout add up to this.
const PARTS: u32 = 100_000;
/// Fifteen hex digits.
const PLACES: u64 = 1 << 60;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LaunchDarkly {
    start: Sha1,
}

impl LaunchDarkly {
    pub(crate) fn of_flag(flag_key: &str, salt: &str) -> Self {
        Self::starting(&[flag_key, ".", salt, "."].concat())
    }

    pub(crate) fn of_experiment(seed: i64) -> Self {
        Self::starting(&format!("{seed}."))
    }

    fn starting(prefix: &str) -> Self {
        let mut start = Sha1::new();
        start.update(prefix.as_bytes());
        Self { start }
    }
}

impl BucketRange for LaunchDarkly {
    fn places(&self) -> u64 {
        PLACES
    }

    fn parts(&self) -> u32 {
        PARTS
    }

    /// LaunchDarkly puts the few accounts whose part rounds up to 1 in the last variation, even one
    /// of weight 0. Here that is so for each weight but 0, which takes nobody.
    fn bound(&self, parts: u32) -> u64 {
        let weight = weight(parts);
        first_not(PLACES, |place| part(place) < weight)
    }

    fn place(&self, account: &[u8]) -> Option<u64> {
        let mut hash = self.start.clone();
        hash.update(account);
        let digest = hash.digest().bytes();
        let digits = digest.first_chunk::<8>()?;
        // Sixteen digits without their last.
        Some(u64::from_be_bytes(*digits) >> 4)
    }

    fn tool_position(&self, place: u64) -> ToolPosition {
        ToolPosition::Single(part(place))
    }
}

#[expect(
    clippy::float_arithmetic,
    reason = "LaunchDarkly's own arithmetic, when a policy is compiled and where a place is shown"
)]
fn part(place: u64) -> f32 {
    place as f32 / 0xFFF_FFFF_FFFF_FFFF_u64 as f32
}

#[expect(
    clippy::float_arithmetic,
    reason = "LaunchDarkly's own arithmetic, when a policy is compiled"
)]
fn weight(parts: u32) -> f32 {
    parts as f32 / 100_000.0
}

impl fmt::Debug for LaunchDarkly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchDarkly").finish_non_exhaustive()
    }
}
