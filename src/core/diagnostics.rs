//! What is wrong with a policy, and where: every problem of a text, each with its place.

pub(crate) mod error_code;
pub(crate) mod location;
pub(crate) mod malformed_account;
pub(crate) mod problem;
pub(crate) mod warning_code;

use std::fmt;
use std::ops::Range;

use turnout_text::escape_for_terminal;

use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Problem, Severity};
use crate::policy::config_stream::ElidedSpans;

/// How many diagnostics of one text are kept; further ones are only counted.
const MAX_KEPT: usize = 1_000;

/// The text that a diagnostic points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The policy, as its author wrote it.
    Policy,
    /// The plugin's configuration: the envelope around the policy.
    Configuration,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "policy",
            Self::Configuration => "configuration",
        })
    }
}

/// One problem and its place. Its `Display` is the whole sentence, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The text that the place is in.
    pub document: Document,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// JSON Pointer (RFC 6901) of the value; empty for the whole document. Its names are not escaped for a terminal.
    pub pointer: String,
    /// What is wrong, and what to write instead.
    pub problem: Problem,
    /// What it is about besides: the earlier rule that leaves this one nothing.
    pub related: Option<Related>,
}

/// Another place of the same text that a diagnostic speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// JSON Pointer (RFC 6901) of the value. Its names are not escaped for a terminal.
    pub pointer: String,
}

impl Diagnostic {
    /// Whether it makes a policy unusable.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.problem.severity()
    }

    /// The kind of problem in a word that stays the same: `unknown-field`.
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

/// Every problem of a text, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
    /// Of the omitted ones.
    omitted_warnings: usize,
}

impl Diagnostics {
    /// The problems in the order of the text, at most a thousand.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.list
    }

    /// How many more there were than are kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// How many there are of a severity, those that are not kept included.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let kept = self.list.iter().filter(|d| d.severity() == severity);
        let omitted = match severity {
            Severity::Warning => self.omitted_warnings,
            Severity::Error => self.omitted.saturating_sub(self.omitted_warnings),
        };
        kept.count().saturating_add(omitted)
    }

    /// How many more warnings than are given here can be kept.
    pub(crate) fn room(&self) -> usize {
        MAX_KEPT.saturating_sub(self.list.len())
    }

    /// Adds warnings, and how many there were besides, in the order of the text.
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

    pub(crate) fn is_empty(&self) -> bool {
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

/// Problems while they are being found, in the order of the text.
#[derive(Clone, Default)]
pub(crate) struct Problems {
    found: Vec<(Span, String, Problem)>,
    omitted: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, span: Span, path: &JsonPointer<'_>, problem: Problem) {
        if self.found.len() < MAX_KEPT {
            // In the order of the text; problems are mostly found in it, so little moves.
            let place = self
                .found
                .partition_point(|(other, _, _)| other.start <= span.start);
            self.found.insert(place, (span, path.to_string(), problem));
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    /// Gives each problem its place in the text of which this is the rest, in one pass over it.
    pub(crate) fn locate(self, document: Document, text: &str, cuts: &ElidedSpans) -> Diagnostics {
        let mut cursor = LineCursor::new(text, cuts);
        let list = self
            .found
            .into_iter()
            .map(|(span, pointer, problem)| {
                let (line, column) = cursor.advance_to(span.start);
                Diagnostic {
                    document,
                    line,
                    column,
                    span: cuts.place(span.start)..cuts.place(span.end),
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

/// Counts lines and columns while it moves forward through a text, of which something may have been
/// taken out before.
pub(crate) struct LineCursor<'a> {
    rest: std::str::CharIndices<'a>,
    cuts: &'a ElidedSpans,
    line: usize,
    /// Where the line begins.
    start: usize,
    column: usize,
}

impl<'a> LineCursor<'a> {
    pub(crate) fn new(text: &'a str, cuts: &'a ElidedSpans) -> Self {
        Self {
            rest: text.char_indices(),
            cuts,
            line: 1,
            start: 0,
            column: 1,
        }
    }

    /// The line and the column of an offset, which is not before the last one.
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
        let taken_out = self.cuts.between(self.start, offset);
        (self.line, self.column.saturating_add(taken_out))
    }
}
