//! What the judge requires, beyond the settings of the guard.

use turnout_core::Fraction;

/// The default of [`Criteria::excess`], in millionths of a percent: 0.1 %.
const DEFAULT_EXCESS: u32 = 100_000;

/// What the judge requires, beyond the settings of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criteria {
    /// The percentage of v2's requests by which v2 may at most fail more often than the guard's ratio allows.
    pub excess: Fraction,
    /// The expected number of proxies, if it is known.
    pub proxies: Option<usize>,
    /// The number of the revision that all proxies are expected to have, if it is known.
    pub revision_number: Option<u64>,
}

impl Default for Criteria {
    fn default() -> Self {
        Self {
            excess: Fraction::from_millionths(DEFAULT_EXCESS).unwrap_or(Fraction::NONE),
            proxies: None,
            revision_number: None,
        }
    }
}
