//! Bucketing functions: map each account to a position. A rollout uses Turnout's own function or that of the
//! tool that bucketed its accounts before, so that nobody is moved by the migration.
//!
//! A tool hashes an account to a *position* in its range, and percentages divide the range into *buckets*.
//! Where the tool compares floats, the comparison is converted to an integer bound once, when the policy is
//! compiled; a decision hashes the account and compares two integers. `tests/corpus/hashes` fixes the formulas.

mod flagd;
mod fnv1a;
mod growthbook;
mod launchdarkly;
mod murmur3;
mod split;
mod tool_position;
mod unleash;
mod whole_buckets;

pub(crate) use flagd::Flagd;
pub(crate) use growthbook::{Comparison, GrowthBook, Namespace};
pub(crate) use launchdarkly::LaunchDarkly;
pub(crate) use split::{Split, Traffic};
pub use tool_position::ToolPosition;
pub(crate) use unleash::Unleash;
pub use whole_buckets::PercentageTooFine;
pub(crate) use whole_buckets::whole_buckets;

use whole_buckets::to_millionths;

use crate::bucketing::{Fraction, Position, Salt};

/// Hash used to bucket the accounts of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash {
    scheme: BucketingScheme,
    v2: V2End,
}

/// The end of the tool's list of variations, and so of its range, at which v2 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum V2End {
    First,
    Last,
}

/// The version of a tool's formula, if it has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlgorithmVersion {
    One,
    Two,
}

/// The formula: Turnout's own or another tool's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BucketingScheme {
    Turnout(Salt),
    Split(Split),
    Unleash(Unleash),
    LaunchDarkly(LaunchDarkly),
    GrowthBook(GrowthBook),
    Flagd(Flagd),
}

/// The range of positions of a tool, divided into buckets of equal size.
trait BucketRange {
    /// The number of buckets. A percentage must be a whole number of them.
    fn bucket_count(&self) -> u32;
    /// The number of positions. It equals the number of buckets unless the tool's hash is finer.
    fn position_count(&self) -> u64 {
        self.bucket_count().into()
    }
    /// The number of positions in the first `buckets` buckets.
    fn bound(&self, buckets: u32) -> u64 {
        buckets.into()
    }
    /// The position of an account, from 0; `None` if the tool never buckets it.
    fn position(&self, account: &[u8]) -> Option<u64>;
    /// The number that the tool itself shows for a position.
    fn tool_position(&self, position: u64) -> ToolPosition;
}

impl Hash {
    pub(crate) fn new(scheme: BucketingScheme, v2: V2End) -> Self {
        Self { scheme, v2 }
    }

    /// Turnout's own hash.
    #[must_use]
    pub fn turnout(salt: Salt) -> Self {
        Self::new(BucketingScheme::Turnout(salt), V2End::First)
    }

    /// The name in a policy.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.scheme {
            BucketingScheme::Turnout(_) => "turnout",
            BucketingScheme::Split(_) => "split",
            BucketingScheme::Unleash(_) => "unleash",
            BucketingScheme::LaunchDarkly(_) => "launchdarkly",
            BucketingScheme::GrowthBook(_) => "growthbook",
            BucketingScheme::Flagd(_) => "flagd",
        }
    }

    /// Returns the position of an account, counted from v2's end of the range.
    #[must_use]
    pub fn position(&self, account: &[u8]) -> Position {
        match self.tool_range() {
            Err(salt) => salt.account(account),
            Ok(range) => self.position_in(range, account),
        }
    }

    /// Converts a percentage in millionths to a range of positions. 0 % includes nobody, and 100 % includes
    /// everyone, even accounts that the tool never buckets.
    ///
    /// # Errors
    /// If the percentage is not a whole number of the tool's buckets.
    pub fn fraction(&self, millionths: u32) -> Result<Fraction, PercentageTooFine> {
        match self.tool_range() {
            Err(_) => Ok(Fraction::from_millionths(millionths).unwrap_or(Fraction::ALL)),
            Ok(range) => {
                let buckets = whole_buckets(self.name(), range.bucket_count(), millionths)?;
                Ok(self.fraction_of_buckets(range, buckets))
            }
        }
    }

    /// Returns the smallest percentage that includes a position.
    #[must_use]
    pub fn smallest_including(&self, position: Position) -> Fraction {
        let Ok(range) = self.tool_range() else {
            return Fraction::smallest_including(position);
        };
        let excludes = |buckets: u64| {
            let buckets = u32::try_from(buckets);
            let fraction = buckets.map(|buckets| self.fraction_of_buckets(range, buckets));
            fraction.is_ok_and(|fraction| !fraction.includes(position))
        };
        let buckets = partition_point(range.bucket_count().into(), excludes);
        u32::try_from(buckets).map_or(Fraction::ALL, |buckets| {
            self.fraction_of_buckets(range, buckets)
        })
    }

    /// Returns the number that the tool itself shows for a position.
    #[must_use]
    pub fn tool_position(&self, position: Position) -> ToolPosition {
        match self.tool_range() {
            Err(_) => ToolPosition::Whole(position.0),
            Ok(_) if position == Position::LAST => ToolPosition::Never,
            Ok(range) => range.tool_position(self.distance_from_v2_end(range, position.0)),
        }
    }

    fn position_in(&self, range: &dyn BucketRange, account: &[u8]) -> Position {
        let position = range.position(account);
        position.map_or(Position::LAST, |position| {
            Position(self.distance_from_v2_end(range, position))
        })
    }

    fn fraction_of_buckets(&self, range: &dyn BucketRange, buckets: u32) -> Fraction {
        let all = range.bucket_count();
        if buckets == 0 {
            return Fraction::NONE;
        }
        if buckets >= all {
            return Fraction::ALL;
        }
        let bound = match self.v2 {
            V2End::First => range.bound(buckets),
            // The positions that v1's buckets leave.
            V2End::Last => {
                let v1 = range.bound(all.saturating_sub(buckets));
                range.position_count().saturating_sub(v1)
            }
        };
        Fraction::with_bound(to_millionths(all, buckets), bound)
    }

    /// Converts between a position in the tool's order and one counted from v2's end, in either direction.
    fn distance_from_v2_end(&self, range: &dyn BucketRange, position: u64) -> u64 {
        match self.v2 {
            V2End::First => position,
            V2End::Last => range
                .position_count()
                .saturating_sub(position)
                .saturating_sub(1),
        }
    }

    /// Returns the range of another tool, or the salt of Turnout's own hash as an error.
    fn tool_range(&self) -> Result<&dyn BucketRange, &Salt> {
        Ok(match &self.scheme {
            BucketingScheme::Turnout(salt) => return Err(salt),
            BucketingScheme::Split(range) => range,
            BucketingScheme::Unleash(range) => range,
            BucketingScheme::LaunchDarkly(range) => range,
            BucketingScheme::GrowthBook(range) => range,
            BucketingScheme::Flagd(range) => range,
        })
    }
}

/// Returns the first number below `end` for which `holds` is false, by binary search; `end` if it is true for all.
/// `holds` must not become true again after it was false.
fn partition_point(end: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    low
}
