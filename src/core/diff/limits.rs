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

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            values: 65_536,
            findings: 32,
        }
    }
}
