//! Lines that could not be used: all are counted, the first few are named.

use serde::Serialize;

/// Lines that are named.
const NAMED: usize = 5;

/// What could not be used of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// How many lines.
    pub count: u64,
    /// The first few.
    pub first: Vec<BadLine>,
    /// So many more are named than a few.
    #[serde(skip)]
    more: usize,
}

/// A line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BadLine {
    /// From 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl Unreadable {
    /// With so many lines named; at least a few.
    pub(crate) fn naming(most: usize) -> Self {
        Self {
            more: most.saturating_sub(NAMED),
            ..Self::default()
        }
    }

    const fn named(&self) -> usize {
        NAMED.saturating_add(self.more)
    }

    /// The sentence is made only for a line that is named.
    pub(crate) fn add(&mut self, line: u64, why: impl FnOnce() -> String) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < self.named() {
            self.first.push(BadLine { line, why: why() });
        } else if self.first.last().is_some_and(|last| line < last.line) {
            self.first.push(BadLine { line, why: why() });
            self.first.sort();
            self.first.truncate(self.named());
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first.extend(other.first);
        self.first.sort();
        self.first.truncate(self.named());
    }
}
