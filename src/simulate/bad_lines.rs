//! Counts lines that cannot be used, and keeps the first few.

use serde::Serialize;

/// The number of lines that are kept by default.
const NAMED: usize = 5;

/// The lines of an input that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BadLines {
    /// The number of lines.
    pub count: u64,
    /// The first few lines.
    pub first: Vec<BadLine>,
    /// How many more lines than [`NAMED`] are kept.
    #[serde(skip)]
    more: usize,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BadLine {
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl BadLines {
    /// Keeps this many lines, but at least [`NAMED`].
    pub(crate) fn naming(most: usize) -> Self {
        Self {
            more: most.saturating_sub(NAMED),
            ..Self::default()
        }
    }

    const fn named(&self) -> usize {
        NAMED.saturating_add(self.more)
    }

    /// Counts a line. `why` is called only if the line is kept.
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
