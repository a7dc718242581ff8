//! The options of a comparison.

use crate::decimal::Margin;
use crate::limits::Limits;
use crate::pattern::Pattern;

/// What is compared, what is ignored, and what counts as equal.
#[derive(Clone, Debug)]
pub struct Options {
    /// The headers to compare, in lower case.
    pub headers: Vec<String>,
    /// Places to ignore, with everything below them, present or not.
    pub ignore: Vec<Pattern>,
    /// Lists whose order is irrelevant. If several entries match a list, the first one applies.
    pub unordered: Vec<Unordered>,
    /// Numbers that may differ slightly. If several entries match a number, the first one applies.
    pub tolerance: Vec<Tolerance>,
    /// Objects whose keys are data. Each key becomes `*` in a folded pointer.
    pub maps: Vec<Pattern>,
    /// Limits on the cost of a comparison.
    pub limits: Limits,
}

impl Default for Options {
    /// Compares the status, `content-type` and the body, without exceptions.
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

/// A list whose order is irrelevant.
#[derive(Clone, Debug)]
pub struct Unordered {
    /// The place of the list.
    pub path: Pattern,
    /// The path from an element to the value that identifies it, without `*` ([`Pattern::parse_key`]).
    /// If absent, elements are matched by their whole value.
    pub key: Option<Pattern>,
}

/// A number that may differ slightly.
#[derive(Clone, Debug)]
pub struct Tolerance {
    /// The place of the number.
    pub path: Pattern,
    /// The largest allowed distance.
    pub allowed: Margin,
}
