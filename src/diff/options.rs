//! What a comparison is told about the answers.

use crate::decimal::Margin;
use crate::limits::Limits;
use crate::pattern::Pattern;

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
    pub allowed: Margin,
}
