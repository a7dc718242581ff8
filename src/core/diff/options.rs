//! What a comparison is told about the answers.

use super::amount::Amount;
use super::pattern::Pattern;

/// What is compared, what is not, and what counts as equal.
#[derive(Clone, Debug)]
pub struct Options {
    /// The headers to compare, in lower case.
    pub headers: Vec<String>,
    /// Places that are not compared, with all that is below them: whatever stands there, or nothing.
    pub ignore: Vec<Pattern>,
    /// Lists whose order has no meaning. The first entry that names a list has it.
    pub unordered: Vec<Unordered>,
    /// Numbers that need not be quite equal. The first entry that names a number has it.
    pub tolerance: Vec<Tolerance>,
    /// Objects whose keys are data, so that each is `*` in a folded pointer.
    pub maps: Vec<Pattern>,
    /// What a comparison may cost.
    pub limits: Limits,
}

impl Default for Options {
    /// The status, `content-type` and the body, with no exceptions.
    fn default() -> Self {
        Self {
            headers: vec!["content-type".to_owned()],
            ignore: Vec::new(),
            unordered: Vec::new(),
            tolerance: Vec::new(),
            maps: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// A list whose order has no meaning.
#[derive(Clone, Debug)]
pub struct Unordered {
    /// Where it is.
    pub path: Pattern,
    /// The way from an element to the value that tells it from the others, with no `*` in it
    /// ([`Pattern::parse_key`]); without one, elements are told apart by all that they hold.
    pub key: Option<Pattern>,
}

/// A number that need not be quite equal.
#[derive(Clone, Debug)]
pub struct Tolerance {
    /// Where it is.
    pub path: Pattern,
    /// How far the two may be apart.
    pub allowed: Allowed,
}

/// How far two numbers may be apart and still count as equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// By this much.
    Absolute(Amount),
    /// By this part of the larger of the two: 0.01 is one percent.
    Relative(Amount),
}

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
