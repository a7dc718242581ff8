//! What a comparison may cost.

/// What a comparison may cost. Beyond it two bodies are not comparable, never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lists and objects within each other. More than 128 is taken as 128.
    pub depth: usize,
    /// Values in one body, each list, object, string, number and so on counted. More than 2²⁴ is
    /// taken as 2²⁴.
    pub values: usize,
    /// Findings that are kept; the others are counted.
    pub findings: usize,
}

/// More steps than this nobody takes, however many values there may be.
const MOST_STEPS: usize = 1 << 22;

impl Limits {
    /// Values that may be looked at, beyond those of one comparison, to find out which elements of
    /// lists belong together. What is long counts as several.
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
