//! Converts a percentage to a whole number of another tool's buckets.

use std::fmt;

use turnout_text::format_millionths;

use crate::bucketing::percentage::HUNDRED_PERCENT;

/// Error for a percentage that is not a whole number of a tool's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentageTooFine {
    /// The name of the hash in a policy.
    pub hash: &'static str,
    /// The number of buckets of the tool.
    pub bucket_count: u32,
    /// The percentage, in millionths.
    pub millionths: u32,
    /// The next lower percentage that is a whole number of buckets, in millionths.
    pub below: u32,
    /// The next higher percentage that is, in millionths.
    pub above: u32,
}

impl PercentageTooFine {
    /// What to write instead, as an imperative.
    #[must_use]
    pub fn help(&self) -> String {
        format!(
            "write {} or {}",
            format_millionths(self.below),
            format_millionths(self.above)
        )
    }
}

impl fmt::Display for PercentageTooFine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` divides accounts into {} buckets, and {} % is not a whole number of them",
            self.hash,
            self.bucket_count,
            format_millionths(self.millionths)
        )
    }
}

/// Converts a percentage to a number of buckets. If a number of buckets is not an exact decimal (one of three),
/// its percentage is the nearest one, 33.333333.
pub(crate) fn whole_buckets(
    hash: &'static str,
    bucket_count: u32,
    millionths: u32,
) -> Result<u32, PercentageTooFine> {
    let product = u64::from(bucket_count).saturating_mul(u64::from(millionths));
    let below = product
        .checked_div(HUNDRED_PERCENT.into())
        .unwrap_or_default();
    let below = u32::try_from(below).unwrap_or(bucket_count);
    let above = below.saturating_add(1).min(bucket_count);
    [below, above]
        .into_iter()
        .find(|buckets| to_millionths(bucket_count, *buckets) == millionths)
        .ok_or(PercentageTooFine {
            hash,
            bucket_count,
            millionths,
            below: to_millionths(bucket_count, below),
            above: to_millionths(bucket_count, above),
        })
}

/// Returns the percentage of a number of buckets, rounded to the nearest millionth.
pub(super) fn to_millionths(bucket_count: u32, buckets: u32) -> u32 {
    let product = u64::from(buckets).saturating_mul(u64::from(HUNDRED_PERCENT));
    let rounded = product.saturating_add(u64::from(bucket_count / 2));
    let millionths = rounded
        .checked_div(u64::from(bucket_count))
        .unwrap_or_default();
    u32::try_from(millionths).unwrap_or(HUNDRED_PERCENT)
}
