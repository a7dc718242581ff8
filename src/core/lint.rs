//! What in a policy is hardly what was meant, though it may be valid: rules that are never reached,
//! segments that nothing asks for, a step that was skipped.
//!
//! A warning is for a person to judge, and none of them makes a policy refused. Nothing here is
//! asked by the filter.

mod account_sources;
mod allocations;
mod change;
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

use crate::diagnostics::Diagnostics;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::Plan;
use crate::policy::account_files::AccountFiles;
use crate::policy::parsed_policy::ParsedPolicy;

use errors::Errors;
use partial_plan::PartialPlan;
use segment_accounts::AccountClasses;
use turnout_text::join_list;
use warnings::Warnings;

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
    pub allow: &'a [WarningCode],
}

/// What lint found in a policy.
#[derive(Debug)]
pub struct LintReport {
    /// Every error and every warning, in the order of the text.
    pub diagnostics: Diagnostics,
    /// The compiled policy; `None` if it has errors.
    pub plan: Option<Plan>,
}

/// Parses and lints a policy. See [`ParsedPolicy::lint`].
#[must_use]
pub fn lint(text: &[u8], options: &Options<'_>) -> Diagnostics {
    ParsedPolicy::from_bytes(text).lint(options).diagnostics
}

impl ParsedPolicy<'_> {
    /// Finds every error of the policy, as [`ParsedPolicy::compile`] does, and every warning.
    ///
    /// A policy with errors has warnings too, as far as it can be read. A warning that would only follow from
    /// an error is left out.
    #[must_use]
    pub fn lint(&self, options: &Options<'_>) -> LintReport {
        let none = AccountFiles::default();
        let files = options.files.unwrap_or(&none);
        let (plan, mut diagnostics) = match self.compile(files) {
            Ok(plan) => (Some(plan), Diagnostics::default()),
            Err(diagnostics) => (None, diagnostics),
        };
        // If not all errors are known, neither are the warnings that only follow from one.
        if diagnostics.omitted() == 0
            && let Some(document) = self.document.clone()
        {
            // Only places are taken from this reader: its problems are in the diagnostics already.
            let mut reader = self.reader.clone();
            let errors = Errors::new(&diagnostics);
            let view = PartialPlan::new(&mut reader, document, &errors, files);
            let mut warnings = Warnings::new(options.allow);
            check(&view, options.against, &mut warnings);
            if let Some(plan) = &plan {
                routes::check(&view, plan, options.routes, &mut warnings);
                held_bytes::check(&view, plan, &mut warnings);
                two_turnouts::check(&view, options.routes, &mut warnings);
            }
            warnings.finish(self.reader.document(), &mut diagnostics);
        }
        LintReport { diagnostics, plan }
    }
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
        WarningCode::NotExamined,
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
