//! Collects the warnings of a policy.

use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::Problem;
use crate::diagnostics::warning_code::WarningCode;
use crate::diagnostics::{Diagnostic, Diagnostics, Document, LineCursor, Related};
use crate::policy::config_stream::ElidedSpans;

/// The most warnings of one kind that are kept; further ones are only counted.
const KEPT_OF_A_KIND: usize = 1_000;

/// Collects warnings, except the allowed kinds.
pub(super) struct Warnings<'o> {
    allowed: &'o [WarningCode],
    found: Vec<LocatedWarning>,
    /// The number of warnings of each kind, including those that are not kept.
    counts: [usize; WarningCode::ALL.len()],
}

struct LocatedWarning {
    code: WarningCode,
    span: Span,
    pointer: String,
    problem: Problem,
    related: Option<(Span, String)>,
}

impl<'o> Warnings<'o> {
    pub(super) fn new(allowed: &'o [WarningCode]) -> Self {
        Self {
            allowed,
            found: Vec::new(),
            counts: [0; WarningCode::ALL.len()],
        }
    }

    /// Adds a warning: `what` is wrong, and what to do `instead`.
    pub(super) fn push(
        &mut self,
        code: WarningCode,
        (span, at): (Span, &JsonPointer<'_>),
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.push_with(code, (span, at), None, what, instead);
    }

    /// Adds a warning as [`Warnings::push`] does, with a related location.
    pub(super) fn push_with(
        &mut self,
        code: WarningCode,
        (span, at): (Span, &JsonPointer<'_>),
        related: Option<(Span, String)>,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        if self.allowed.contains(&code) {
            return;
        }
        let index = WarningCode::ALL.iter().position(|known| *known == code);
        let Some(count) = index.and_then(|index| self.counts.get_mut(index)) else {
            return;
        };
        *count = count.saturating_add(1);
        if *count <= KEPT_OF_A_KIND {
            self.found.push(LocatedWarning {
                code,
                span,
                pointer: at.to_string(),
                problem: Problem::warning(code, what.into(), instead.into()),
                related,
            });
        }
    }

    /// Adds the warnings to the errors. Warnings do not displace errors, and no kind of warning displaces another.
    pub(super) fn finish(mut self, text: &str, diagnostics: &mut Diagnostics) {
        let total = self
            .counts
            .iter()
            .fold(0, |a: usize, b| a.saturating_add(*b));
        let room = diagnostics.room();
        if self.found.len() > room {
            let kinds = self.counts.iter().filter(|count| **count > 0).count();
            let share = room.checked_div(kinds).unwrap_or(room);
            let mut kept = [0_usize; WarningCode::ALL.len()];
            self.found.retain(|found| {
                let index = WarningCode::ALL
                    .iter()
                    .position(|known| *known == found.code);
                index
                    .and_then(|index| kept.get_mut(index))
                    .is_some_and(|kept| {
                        *kept = kept.saturating_add(1);
                        *kept <= share
                    })
            });
        }
        let omitted = total.saturating_sub(self.found.len());
        diagnostics.warn(located(self.found, text), omitted);
    }
}

/// Computes the line and column of each warning, in one pass over the text.
fn located(mut found: Vec<LocatedWarning>, text: &str) -> Vec<Diagnostic> {
    found.sort_by_key(|found| found.span.start);
    let mut offsets: Vec<usize> = found.iter().map(|found| found.span.start).collect();
    offsets.extend(
        found
            .iter()
            .filter_map(|f| f.related.as_ref().map(|(span, _)| span.start)),
    );
    offsets.sort_unstable();
    offsets.dedup();
    let none = ElidedSpans::default();
    let mut cursor = LineCursor::new(text, &none);
    let places: Vec<_> = offsets
        .iter()
        .map(|offset| cursor.advance_to(*offset))
        .collect();
    let place = |offset| {
        let index = offsets.binary_search(&offset).unwrap_or_default();
        places.get(index).copied().unwrap_or((1, 1))
    };
    let diagnostics = found.into_iter().map(|found| {
        let (line, column) = place(found.span.start);
        let related = found.related.map(|(span, pointer)| {
            let (line, column) = place(span.start);
            Related {
                line,
                column,
                span: span.start..span.end,
                pointer,
            }
        });
        Diagnostic {
            document: Document::Policy,
            line,
            column,
            span: found.span.start..found.span.end,
            pointer: found.pointer,
            problem: found.problem,
            related,
        }
    });
    diagnostics.collect()
}
