//! Finds the places in the plan of the problems that a step causes in the policy.

use std::ops::Range;

use turnout_core::json::Span;
use turnout_core::{Diagnostic, Problem, WarningCode};
use turnout_text::escape_for_terminal;

use crate::edited_text::{EditedText, Origin};

use super::{Check, key};

impl Check<'_, '_> {
    /// Reports a problem of a step's policy at its place in the plan.
    pub(super) fn report_step_problem(
        &mut self,
        index: usize,
        text: &EditedText,
        diagnostic: &Diagnostic,
    ) {
        let key = key(diagnostic);
        let origin = text.origin_of(&diagnostic.span);
        let place =
            origin.and_then(|(origin, range)| self.place_of(origin, &range, &diagnostic.pointer));
        if let Some(place) = place {
            let (code, sentence, _) = key;
            // A step keeps the rules of the step before it, with their problems.
            if self
                .reported
                .insert((code, sentence, place.pointer.clone()))
            {
                let problem = place.problem(diagnostic);
                self.report(place.span, place.pointer, problem);
            }
            return;
        }
        // A segment is often used only in some of the steps, or only forbidden.
        let is_unused_segment = diagnostic.code() == WarningCode::UnusedSegment.as_str();
        if is_unused_segment && self.is_forbidden(&diagnostic.pointer) {
            return;
        }
        if self.own.contains(&key) {
            self.concerns_a_step.insert(key);
        } else if !is_unused_segment && self.reported.insert(key) {
            self.report_in_step(index, diagnostic);
        }
    }

    /// Whether the plan forbids the segment at a JSON Pointer of the policy.
    fn is_forbidden(&self, pointer: &str) -> bool {
        let name = pointer.strip_prefix("/segments/").unwrap_or_default();
        let mut forbidden = self.plan.forbidden.iter();
        forbidden.any(|forbidden| forbidden.segment == name)
    }

    /// Returns the place in the plan of a part of a step's policy that was inserted from it.
    fn place_of(&self, origin: Origin, range: &Range<usize>, pointer: &str) -> Option<Place> {
        let (step, field) = match origin {
            Origin::Rules(step) => (step, "rules"),
            Origin::Accounts(step) => (step, "accounts"),
            Origin::Requests(step) => (step, "requests"),
        };
        let (span, at) = self.field_span(step, field)?;
        if field != "rules" {
            return Some(Place {
                span,
                pointer: at,
                moved: None,
            });
        }
        let start = span.start;
        let rules = pointer.find("/rules")?.saturating_add("/rules".len());
        let (rules, rest) = pointer.split_at_checked(rules)?;
        Some(Place {
            span: Span {
                start: start.saturating_add(range.start),
                end: start.saturating_add(range.end),
            },
            pointer: format!("{at}{rest}"),
            moved: Some((rules.to_owned(), at)),
        })
    }

    /// Reports a problem of a step's policy that has no place in the plan.
    pub(super) fn report_in_step(&mut self, index: usize, diagnostic: &Diagnostic) {
        let problem = Problem::of_document(
            diagnostic.severity(),
            diagnostic.code(),
            format!(
                "in the policy of this step, at {}: {}",
                escape_for_terminal(&diagnostic.pointer),
                diagnostic.problem
            ),
            diagnostic.problem.help(),
        );
        self.report_at_step(index, problem);
    }
}

/// The place in the plan of a problem in a step's policy.
struct Place {
    span: Span,
    pointer: String,
    /// The pointers of the rules in the policy and in the plan, if the step has rules of its own.
    moved: Option<(String, String)>,
}

impl Place {
    /// Returns the problem with the pointers of the plan in its sentences.
    fn problem(&self, diagnostic: &Diagnostic) -> Problem {
        let problem = &diagnostic.problem;
        let (what, instead) = (problem.to_string(), problem.help());
        let Some((policy, plan)) = &self.moved else {
            return problem.clone();
        };
        let pointer = format!("{policy}/");
        if !what.contains(&pointer) && !instead.contains(&pointer) {
            return problem.clone();
        }
        let moved = |sentence: &str| sentence.replace(&pointer, &format!("{plan}/"));
        let (what, instead) = (moved(&what), moved(&instead));
        Problem::of_document(diagnostic.severity(), diagnostic.code(), what, instead)
    }
}
