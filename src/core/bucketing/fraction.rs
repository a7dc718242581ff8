//! A percentage of accounts or requests, as a range of positions.

use std::fmt;

use turnout_text::format_millionths;

use super::Position;
use super::percentage::{self, HUNDRED_PERCENT};

/// A percentage, as the range of positions below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction {
    millionths: u32,
    /// ⌊p · 2⁶⁴ / 10⁸⌋, with p in millionths of a percent. 100 % is 2⁶⁴, hence 128 bits. Another tool's range is
    /// smaller, and its [`Hash`](super::hash::Hash) computes the bound.
    bound: u128,
}

impl Fraction {
    /// 100 %.
    pub const ALL: Self = Self {
        millionths: HUNDRED_PERCENT,
        bound: 1 << 64,
    };

    /// 0 %.
    pub const NONE: Self = Self {
        millionths: 0,
        bound: 0,
    };

    /// Creates a fraction with a given bound, for a percentage in millionths.
    pub(crate) fn with_bound(millionths: u32, bound: u64) -> Self {
        Self {
            millionths,
            bound: u128::from(bound),
        }
    }

    /// Creates a fraction from millionths of a percent, 0 to 10⁸; `None` above.
    #[must_use]
    pub fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths > HUNDRED_PERCENT {
            return None;
        }
        let bound = (u128::from(millionths) << 64).checked_div(u128::from(HUNDRED_PERCENT))?;
        Some(Self { millionths, bound })
    }

    /// Parses a percentage such as `12.5`; `None` if it is not between 0 and 100 with at most six decimals.
    #[must_use]
    pub fn from_percentage(literal: &str) -> Option<Self> {
        percentage::millionths(literal)
            .ok()
            .and_then(Self::from_millionths)
    }

    /// The percentage in millionths of a percent. `Display` writes it as `12.5`.
    #[must_use]
    pub fn millionths(&self) -> u32 {
        self.millionths
    }

    /// Returns the smallest percentage that includes a position: a binary search that calls
    /// [`includes`](Self::includes), so that it cannot disagree with decisions.
    #[must_use]
    pub fn smallest_including(position: Position) -> Self {
        let (mut outside, mut inside) = (Self::NONE, Self::ALL);
        while let Some(middle) = Self::midpoint(outside, inside) {
            if middle.includes(position) {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    }

    /// Returns the middle of two percentages; `None` if they are adjacent.
    fn midpoint(low: Self, high: Self) -> Option<Self> {
        let middle = low.millionths.midpoint(high.millionths);
        let is_new = middle != low.millionths && middle != high.millionths;
        is_new.then(|| Self::from_millionths(middle)).flatten()
    }

    /// Whether a position is below the bound.
    #[must_use]
    pub fn includes(&self, position: Position) -> bool {
        u128::from(position.0) < self.bound
    }
}

/// The percentage as in the policy: `12.5`.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_millionths(self.millionths))
    }
}
