//! Limits on the cost of a comparison.

/// Limits on the cost of a comparison. Bodies that exceed one are not comparable, never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest nesting depth of lists and objects. The maximum is 128.
    pub depth: usize,
    /// The largest number of values in one body, counting every list, object, string, number and so on.
    /// The maximum is 2²⁴.
    pub values: usize,
    /// The number of findings to keep. The others are only counted.
    pub findings: usize,
}

/// The upper bound on pairing steps, however many values there may be.
const MOST_STEPS: usize = 1 << 22;

impl Limits {
    /// How many values pairing may visit, in addition to the comparison itself. A long value counts as
    /// several.
    pub(crate) fn steps(&self) -> usize {
        self.values.saturating_mul(4).min(MOST_STEPS)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            values: 65_536,
            findings: 32,
        }
    }
}
