//! Buckets: where an account or a request stands, and which part of them a percentage takes.
//!
//! The formulas are a contract that other implementations rely on; `tests/corpus/buckets.csv` fixes
//! them. Everything is integers: a position is 64 bits of XXH3, a fraction is a bound on it, so
//! raising a percentage only ever adds.

pub(crate) mod hash;
pub(crate) mod percentage;

use std::fmt;

use turnout_text::format_millionths;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use self::percentage::HUNDRED_PERCENT;

/// A place on the line from 0 to 2⁶⁴ − 1 on which accounts, or requests, are spread evenly. Of
/// accounts that another tool draws, it is a place on that tool's shorter line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Position {
    /// What every fraction but nothing at all includes.
    pub const FIRST: Self = Self(0);

    /// Where something without an id stands: last, so that only the whole line includes it.
    pub const LAST: Self = Self(u64::MAX);
}

/// The draws of a rollout, each seeded on its own by the rollout's salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt {
    accounts: u64,
    requests: u64,
    shadow: u64,
    noise: u64,
}

impl Salt {
    /// `salt` is the rollout's `salt`, else its name.
    #[must_use]
    pub fn new(salt: &str) -> Self {
        let seed = |draw: &str| xxh3_64([salt, draw].concat().as_bytes());
        Self {
            accounts: seed("/accounts"),
            requests: seed("/requests"),
            shadow: seed("/shadow"),
            noise: seed("/noise"),
        }
    }

    /// Where an account stands, by its bytes: for a SID the 34 ASCII bytes.
    #[must_use]
    pub fn account(&self, account: &[u8]) -> Position {
        Position(xxh3_64_with_seed(account, self.accounts))
    }

    /// Where a request stands, by its `x-request-id`.
    #[must_use]
    pub fn request(&self, id: &[u8]) -> Position {
        Position(xxh3_64_with_seed(id, self.requests))
    }

    /// Where a request stands among those to copy, by its `x-request-id`.
    #[must_use]
    pub fn shadow(&self, id: &[u8]) -> Position {
        Position(xxh3_64_with_seed(id, self.shadow))
    }

    /// Where a copied request stands among those that v1 is asked twice, by its `x-request-id`.
    #[must_use]
    pub fn noise(&self, id: &[u8]) -> Position {
        Position(xxh3_64_with_seed(id, self.noise))
    }
}

/// The part of a line that a percentage takes: the positions below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    millionths: u32,
    /// ⌊p · 2⁶⁴ / 10⁸⌋, p in millionths of a percent. A hundred percent is 2⁶⁴, hence 128 bits. A
    /// line that another tool draws on is shorter, and says itself where the bound is.
    bound: u128,
}

impl Fraction {
    /// All of the line.
    pub const ALL: Self = Self {
        millionths: HUNDRED_PERCENT,
        bound: 1 << 64,
    };

    /// None of it.
    pub const NONE: Self = Self {
        millionths: 0,
        bound: 0,
    };

    /// The positions below a bound, for a percentage in millionths.
    pub(crate) fn below(millionths: u32, bound: u64) -> Self {
        Self {
            millionths,
            bound: u128::from(bound),
        }
    }

    /// From millionths of a percent, 0 to 10⁸; `None` above.
    #[must_use]
    pub fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths > HUNDRED_PERCENT {
            return None;
        }
        let bound = (u128::from(millionths) << 64).checked_div(u128::from(HUNDRED_PERCENT))?;
        Some(Self { millionths, bound })
    }

    /// From the literal of a percentage, `12.5`; `None` when it is not one of 0 to 100 with at most
    /// six decimals.
    #[must_use]
    pub fn from_percentage(literal: &str) -> Option<Self> {
        percentage::millionths(literal)
            .ok()
            .and_then(Self::from_millionths)
    }

    /// In millionths of a percent; `Display` writes the percentage, `12.5`.
    #[must_use]
    pub fn millionths(&self) -> u32 {
        self.millionths
    }

    /// The smallest percentage that includes a position. By halving, with the very test that decides,
    /// so that the two cannot differ.
    #[must_use]
    pub fn smallest_including(position: Position) -> Self {
        let (mut outside, mut inside) = (Self::NONE, Self::ALL);
        while let Some(between) = Self::between(outside, inside) {
            if between.includes(position) {
                inside = between;
            } else {
                outside = between;
            }
        }
        inside
    }

    /// `None` where the two are neighbours.
    fn between(low: Self, high: Self) -> Option<Self> {
        let middle = low.millionths.midpoint(high.millionths);
        let is_new = middle != low.millionths && middle != high.millionths;
        is_new.then(|| Self::from_millionths(middle)).flatten()
    }

    /// Whether the position is in this part.
    #[must_use]
    pub fn includes(&self, position: Position) -> bool {
        u128::from(position.0) < self.bound
    }
}

/// As the policy writes it: `12.5`.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_millionths(self.millionths))
    }
}
