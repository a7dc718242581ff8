//! What in a policy is hardly what was meant, though it may be valid: rules that are never reached,
//! segments that nothing asks for, a step that was skipped.
//!
//! A warning is for a person to judge, and none of them makes a policy refused. Nothing here is
//! asked by the filter.

mod account_sources;
mod allocations;
mod change;
mod code;
mod errors;
mod fall_through;
mod held_bytes;
mod overlaps;
mod partial_plan;
mod rollouts;
mod routes;
mod rules;
mod segment_accounts;
mod two_turnouts;
mod warnings;

use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::Problem;
use crate::diagnostics::{Diagnostics, Document};
use crate::plan::Plan;
use crate::policy::account_files::AccountFiles;
use crate::policy::config_stream::ElidedSpans;
use crate::policy::json::Reader;
use crate::policy::read::{self, expected};

use errors::Errors;
use partial_plan::PartialPlan;
use segment_accounts::AccountClasses;
use turnout_text::join_list;
use warnings::Warnings;

pub use code::Code;
pub use routes::{ProxyRoutes, Route, RouteChange, RoutePath, Target};
pub use two_turnouts::{ChainFilter, TwoTurnouts};

/// What a policy is held against, and what is not to be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The policy that this one takes the place of.
    pub against: Option<&'a Plan>,
    /// What was found in the files that the policy names.
    pub files: Option<&'a AccountFiles>,
    /// The routes of running proxies, and their chains with two Turnout filters.
    pub routes: &'a [ProxyRoutes],
    /// Warnings that are known and meant.
    pub allow: &'a [Code],
}

/// Every error of a policy, as [`Plan::from_json`] finds them, and every warning, in the order of
/// the text.
///
/// A policy with errors has warnings too, as far as it can be read; one that would only follow from
/// an error is not told.
#[must_use]
pub fn lint(text: &[u8], options: &Options<'_>) -> Diagnostics {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return not_utf8(text, error.valid_up_to()),
    };
    let none = AccountFiles::default();
    let files = options.files.unwrap_or(&none);
    let (plan, mut diagnostics) = match Plan::with_files(text, files) {
        Ok(plan) => (Some(plan), Diagnostics::default()),
        Err(diagnostics) => (None, diagnostics),
    };
    if diagnostics.omitted() > 0 {
        // What is wrong is not all known, so neither is what follows from it.
        return diagnostics;
    }
    // Reads the policy again for its places. Its problems are those that are known by now.
    let (rest, cuts) = ElidedSpans::of(text);
    let mut reader = Reader::with_elided_spans(Document::Policy, &rest, cuts);
    let policy = reader
        .root(expected::POLICY)
        .and_then(|root| read::policy(&mut reader, root));
    let mut warnings = Warnings::new(options.allow);
    if let Some(policy) = policy {
        let view = PartialPlan::new(&mut reader, policy, &Errors::new(&diagnostics), files);
        check(&view, options.against, &mut warnings);
        if let Some(plan) = &plan {
            routes::check(&view, plan, options.routes, &mut warnings);
            held_bytes::check(&view, plan, &mut warnings);
            two_turnouts::check(&view, options.routes, &mut warnings);
        }
    }
    warnings.finish(&rest, &reader.into_elided_spans(), &mut diagnostics);
    diagnostics
}

fn check(view: &PartialPlan<'_>, against: Option<&Plan>, warnings: &mut Warnings<'_>) {
    let classes = AccountClasses::new(view);
    account_sources::check(view, warnings);
    segment_accounts::check(view, warnings);
    rules::check(view, &classes, warnings);
    overlaps::check(view, &classes, warnings);
    allocations::check(view, warnings);
    rollouts::check(view, warnings);
    fall_through::check(view, warnings);
    if let Some(old) = against {
        change::check(view, old, warnings);
    }
}

/// How much is held against one another before it is given up: more than any policy that people
/// write, and about a second.
struct Budget(usize);

impl Budget {
    fn new() -> Self {
        Self(10_000_000)
    }

    /// `false` once it is used up.
    fn spend(&mut self, steps: usize) -> bool {
        self.0 = self.0.saturating_sub(steps);
        self.0 > 0
    }
}

fn not_examined(warnings: &mut Warnings<'_>, what: &str, place: (Span, &JsonPointer<'_>)) {
    warnings.push(
        Code::NotExamined,
        place,
        format!("there are too many {what} to hold each against each"),
        "split the policy, or take this part as unchecked",
    );
}

/// What a list in a sentence names at most; more would not help.
const NAMED: usize = 3;

/// Joins at most three words as a sentence does: `a, b and c`; of more words, `a, b, c and others`.
fn listed(words: &[String], conjunction: &str) -> String {
    match words.split_at_checked(NAMED) {
        Some((shown, [_, ..])) => format!("{} {conjunction} others", shown.join(", ")),
        _ => join_list(words, conjunction),
    }
}

/// What bytes are that are not UTF-8, and what to do about it.
#[must_use]
pub fn not_text(bytes: &[u8]) -> (&'static str, &'static str) {
    match bytes {
        [0x1f, 0x8b, ..] => ("the file is compressed by gzip", "decompress it first"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("the text is UTF-16", "save it as UTF-8"),
        _ => ("the text is not UTF-8", "save it as JSON in UTF-8"),
    }
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> Diagnostics {
    let valid = bytes.get(..valid_up_to).unwrap_or_default();
    let valid = std::str::from_utf8(valid).unwrap_or_default();
    let mut reader = Reader::new(Document::Policy, valid);
    let span = Span {
        start: valid_up_to,
        end: valid_up_to,
    };
    let (what, instead) = not_text(bytes);
    let problem = Problem::invalid(what, instead);
    reader.report(span, &JsonPointer::Root, problem.with_code("not-utf8"));
    reader.finish()
}
