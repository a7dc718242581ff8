//! Hashes: by which rule a rollout's accounts are put on a line, so that a percentage takes the first
//! of them. It is Turnout's own, or that of the tool that drew them before: then everyone stays
//! where they are.
//!
//! A tool's line has a number of places, and percentages divide it into parts. What the tool computes
//! in floats is computed here once, as a bound on the places, when a policy is compiled; a decision
//! hashes the account and compares two integers. `tests/corpus/hashes` fixes the formulas.

mod flagd;
mod fnv1a;
mod growthbook;
mod launchdarkly;
mod murmur3;
mod split;
mod tool_position;
mod unleash;

pub(crate) use flagd::Flagd;
pub(crate) use growthbook::{Comparison, GrowthBook, Namespace};
pub(crate) use launchdarkly::LaunchDarkly;
pub(crate) use split::{Split, Traffic};
pub use tool_position::ToolPosition;
pub(crate) use unleash::Unleash;

use std::fmt;

use turnout_text::format_millionths;

use crate::bucketing::percentage::HUNDRED_PERCENT;
use crate::bucketing::{Fraction, Position, Salt};

/// By which rule a rollout's accounts are put on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash {
    scheme: BucketingScheme,
    v2: V2End,
}

/// At which end of a tool's list of variations, and so of its line, v2 stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum V2End {
    First,
    Last,
}

/// Of a tool's formula, where it has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlgorithmVersion {
    One,
    Two,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BucketingScheme {
    Turnout(Salt),
    Split(Split),
    Unleash(Unleash),
    LaunchDarkly(LaunchDarkly),
    GrowthBook(GrowthBook),
    Flagd(Flagd),
}

/// The line of a tool.
trait BucketRange {
    /// Into how many parts percentages divide it.
    fn parts(&self) -> u32;
    /// How many places it has; one for each part unless the tool is finer.
    fn places(&self) -> u64 {
        self.parts().into()
    }
    /// How many of the first places these first parts have; all places for all parts.
    fn bound(&self, parts: u32) -> u64 {
        parts.into()
    }
    /// Where an account stands, from 0; `None` where the tool draws it never.
    fn place(&self, account: &[u8]) -> Option<u64>;
    /// How the tool shows the place.
    fn tool_position(&self, place: u64) -> ToolPosition;
}

/// A percentage that is no whole number of a line's parts. Its `Display` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentageTooFine {
    /// Whose line it is.
    pub hash: &'static str,
    /// How many parts there are.
    pub parts: u32,
    /// The percentage, in millionths.
    pub millionths: u32,
    /// The next percentage below that is a whole number of parts, in millionths.
    pub below: u32,
    /// The next percentage above that is, in millionths.
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
            "`{}` divides accounts into {} parts, and {} % is no whole number of them",
            self.hash,
            self.parts,
            format_millionths(self.millionths)
        )
    }
}

impl Hash {
    pub(crate) fn new(draw: BucketingScheme, v2: V2End) -> Self {
        Self { scheme: draw, v2 }
    }

    /// Turnout's own.
    #[must_use]
    pub fn turnout(salt: Salt) -> Self {
        Self::new(BucketingScheme::Turnout(salt), V2End::First)
    }

    /// The word for it in a policy.
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

    /// Where an account stands, counted from v2's end of the line.
    #[must_use]
    pub fn position(&self, account: &[u8]) -> Position {
        match self.line() {
            Err(salt) => salt.account(account),
            Ok(line) => self.position_on(line, account),
        }
    }

    /// The part of the line that a percentage takes, in millionths of a percent. None takes nobody,
    /// and a hundred percent takes everyone, also whom the tool draws never.
    ///
    /// # Errors
    /// The line is not divided as finely.
    pub fn fraction(&self, millionths: u32) -> Result<Fraction, PercentageTooFine> {
        match self.line() {
            Err(_) => Ok(Fraction::from_millionths(millionths).unwrap_or(Fraction::ALL)),
            Ok(line) => {
                let parts = parts_of(self.name(), line.parts(), millionths)?;
                Ok(self.of_parts(line, parts))
            }
        }
    }

    /// The least that takes a position: where an account that stands there enters.
    #[must_use]
    pub fn smallest_including(&self, position: Position) -> Fraction {
        let Ok(line) = self.line() else {
            return Fraction::smallest_including(position);
        };
        let misses = |parts: u64| {
            let fraction = u32::try_from(parts).map(|parts| self.of_parts(line, parts));
            fraction.is_ok_and(|fraction| !fraction.includes(position))
        };
        let enters = first_not(line.parts().into(), misses);
        u32::try_from(enters).map_or(Fraction::ALL, |parts| self.of_parts(line, parts))
    }

    /// How the tool itself shows a position.
    #[must_use]
    pub fn tool_position(&self, position: Position) -> ToolPosition {
        match self.line() {
            Err(_) => ToolPosition::Whole(position.0),
            Ok(_) if position == Position::LAST => ToolPosition::Never,
            Ok(line) => line.tool_position(self.distance_from_v2_end(line, position.0)),
        }
    }

    fn position_on(&self, line: &dyn BucketRange, account: &[u8]) -> Position {
        line.place(account).map_or(Position::LAST, |place| {
            Position(self.distance_from_v2_end(line, place))
        })
    }

    fn of_parts(&self, line: &dyn BucketRange, parts: u32) -> Fraction {
        let all = line.parts();
        if parts == 0 {
            return Fraction::NONE;
        }
        if parts >= all {
            return Fraction::ALL;
        }
        let bound = match self.v2 {
            V2End::First => line.bound(parts),
            // What v1's parts leave.
            V2End::Last => {
                let v1 = line.bound(all.saturating_sub(parts));
                line.places().saturating_sub(v1)
            }
        };
        Fraction::below(millionths_of(all, parts), bound)
    }

    /// A place counted from v2's end of the line, or back.
    fn distance_from_v2_end(&self, line: &dyn BucketRange, place: u64) -> u64 {
        match self.v2 {
            V2End::First => place,
            V2End::Last => line.places().saturating_sub(place).saturating_sub(1),
        }
    }

    fn line(&self) -> Result<&dyn BucketRange, &Salt> {
        Ok(match &self.scheme {
            BucketingScheme::Turnout(salt) => return Err(salt),
            BucketingScheme::Split(line) => line,
            BucketingScheme::Unleash(line) => line,
            BucketingScheme::LaunchDarkly(line) => line,
            BucketingScheme::GrowthBook(line) => line,
            BucketingScheme::Flagd(line) => line,
        })
    }
}

/// A percentage as a number of parts of `all`. Some number of parts is no decimal (one of three):
/// then the percentage is the one next to it, 33.333333.
pub(crate) fn parts_of(
    hash: &'static str,
    all: u32,
    millionths: u32,
) -> Result<u32, PercentageTooFine> {
    let product = u64::from(all).saturating_mul(u64::from(millionths));
    let below = product
        .checked_div(HUNDRED_PERCENT.into())
        .unwrap_or_default();
    let below = u32::try_from(below).unwrap_or(all);
    let above = below.saturating_add(1).min(all);
    [below, above]
        .into_iter()
        .find(|parts| millionths_of(all, *parts) == millionths)
        .ok_or(PercentageTooFine {
            hash,
            parts: all,
            millionths,
            below: millionths_of(all, below),
            above: millionths_of(all, above),
        })
}

/// Rounded to the nearest.
fn millionths_of(all: u32, parts: u32) -> u32 {
    let product = u64::from(parts).saturating_mul(u64::from(HUNDRED_PERCENT));
    let rounded = product.saturating_add(u64::from(all / 2));
    let millionths = rounded.checked_div(u64::from(all)).unwrap_or_default();
    u32::try_from(millionths).unwrap_or(HUNDRED_PERCENT)
}

/// The first number below `end` for which something holds no longer, that held until then; `end`
/// when it always holds.
fn first_not(end: u64, holds: impl Fn(u64) -> bool) -> u64 {
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
