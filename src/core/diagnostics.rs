//! The errors and warnings of a policy or another document, each with its location.

pub(crate) mod error_code;
pub(crate) mod location;
pub(crate) mod malformed_account;
pub(crate) mod problem;
pub(crate) mod warning_code;

use std::fmt;
use std::ops::Range;

use turnout_text::escape_for_terminal;

use crate::diagnostics::location::Span;
use crate::diagnostics::problem::{Problem, Severity};
use crate::policy::config_stream::ElidedSpans;

/// The most diagnostics of one text that are kept; further ones are only counted.
const MAX_KEPT: usize = 1_000;

/// The text that a diagnostic points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The policy, as its author wrote it.
    Policy,
    /// The plugin's configuration: the envelope around the policy.
    Configuration,
    /// The plan of a roll.
    RollPlan,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "policy",
            Self::Configuration => "configuration",
            Self::RollPlan => "plan",
        })
    }
}

/// A problem and its location. Its `Display` is the whole message, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The text that the location refers to.
    pub document: Document,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The byte range in the text.
    pub span: Range<usize>,
    /// The JSON Pointer (RFC 6901) of the value; empty for the whole document. Its names are not escaped for a
    /// terminal.
    pub pointer: String,
    /// What is wrong, and what to write instead.
    pub problem: Problem,
    /// A related location, for example the earlier rule that makes this one unreachable.
    pub related: Option<Related>,
}

/// Another location in the same text to which a diagnostic refers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The byte range in the text.
    pub span: Range<usize>,
    /// The JSON Pointer (RFC 6901) of the value. Its names are not escaped for a terminal.
    pub pointer: String,
}

impl Diagnostic {
    /// Returns the severity of the problem.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.problem.severity()
    }

    /// Returns the code of the problem, for example `unknown-field`. It stays the same when a message is reworded.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} line {}, column {}",
            self.document, self.line, self.column
        )?;
        if !self.pointer.is_empty() {
            write!(f, ", at {}", escape_for_terminal(&self.pointer))?;
        }
        write!(f, ": {}; {}", self.problem, self.problem.help())
    }
}

/// The problems of a text, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
    /// The number of omitted problems that are warnings.
    omitted_warnings: usize,
}

impl Diagnostics {
    /// Returns the problems in the order of the text, at most a thousand.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Returns the number of problems that were counted but not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Returns the number of problems with a severity, including those that were not kept.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let kept = self.list.iter().filter(|d| d.severity() == severity);
        let omitted = match severity {
            Severity::Warning => self.omitted_warnings,
            Severity::Error => self.omitted.saturating_sub(self.omitted_warnings),
        };
        kept.count().saturating_add(omitted)
    }

    /// Returns the number of problems that can still be kept.
    pub(crate) fn room(&self) -> usize {
        MAX_KEPT.saturating_sub(self.list.len())
    }

    /// Adds warnings, and the number of further ones that were not kept. The order of the text is preserved.
    pub(crate) fn warn(&mut self, warnings: Vec<Diagnostic>, omitted: usize) {
        self.list.extend(warnings);
        self.list.sort_by_key(|diagnostic| diagnostic.span.start);
        self.omitted = self.omitted.saturating_add(omitted);
        self.omitted_warnings = self.omitted_warnings.saturating_add(omitted);
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.list.extend(other.list);
        self.omitted = self.omitted.saturating_add(other.omitted);
    }

    /// Removes the kept problems for which a function returns false.
    pub fn retain(&mut self, is_kept: impl FnMut(&Diagnostic) -> bool) {
        self.list.retain(is_kept);
    }

    /// Whether there is no problem.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        if self.omitted > 0 {
            write!(f, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Collects problems in the order of the text.
#[derive(Clone, Default)]
pub(crate) struct Problems {
    found: Vec<(Span, String, Problem)>,
    omitted: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, span: Span, pointer: String, problem: Problem) {
        if self.found.len() < MAX_KEPT {
            // Problems are mostly found in the order of the text, so few have to move.
            let place = self
                .found
                .partition_point(|(other, _, _)| other.start <= span.start);
            self.found.insert(place, (span, pointer, problem));
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    /// Computes the location of each problem in the original text, in one pass. `text` is what remains of it
    /// without the elided spans.
    pub(crate) fn locate(
        self,
        document: Document,
        text: &str,
        elided_spans: &ElidedSpans,
    ) -> Diagnostics {
        let mut cursor = LineCursor::new(text, elided_spans);
        let list = self
            .found
            .into_iter()
            .map(|(span, pointer, problem)| {
                let (line, column) = cursor.advance_to(span.start);
                Diagnostic {
                    document,
                    line,
                    column,
                    span: elided_spans.original_offset(span.start)
                        ..elided_spans.original_offset(span.end),
                    pointer,
                    problem,
                    related: None,
                }
            })
            .collect();
        Diagnostics {
            list,
            omitted: self.omitted,
            omitted_warnings: 0,
        }
    }
}

/// Counts lines and columns while it moves forward through a text from which spans may have been removed.
pub(crate) struct LineCursor<'a> {
    rest: std::str::CharIndices<'a>,
    elided_spans: &'a ElidedSpans,
    line: usize,
    /// The offset at which the current line begins.
    start: usize,
    column: usize,
}

impl<'a> LineCursor<'a> {
    pub(crate) fn new(text: &'a str, elided_spans: &'a ElidedSpans) -> Self {
        Self {
            rest: text.char_indices(),
            elided_spans,
            line: 1,
            start: 0,
            column: 1,
        }
    }

    /// Returns the line and the column of an offset, which must not be before the last one.
    pub(crate) fn advance_to(&mut self, offset: usize) -> (usize, usize) {
        while self.rest.offset() < offset {
            match self.rest.next() {
                Some((_, '\n')) => {
                    self.line = self.line.saturating_add(1);
                    self.start = self.rest.offset();
                    self.column = 1;
                }
                Some(_) => self.column = self.column.saturating_add(1),
                None => break,
            }
        }
        let removed = self.elided_spans.removed_between(self.start, offset);
        (self.line, self.column.saturating_add(removed))
    }
}
