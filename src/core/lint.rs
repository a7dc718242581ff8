//! Finds what is valid in a policy but probably not intended: unreachable rules, unused segments, skipped modes.
//!
//! A warning needs a person's judgement, and no warning makes a proxy reject a policy. The filter does not use this
//! module.

mod account_sources;
mod allocations;
mod change;
mod errors;
mod fall_through;
mod guards;
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

/// What a policy is compared with, and which warnings are suppressed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The policy that this one replaces.
    pub against: Option<&'a Plan>,
    /// The contents of the files that the policy names.
    pub files: Option<&'a AccountFiles>,
    /// The routes of running proxies, and their filter chains that have two Turnout filters.
    pub routes: &'a [ProxyRoutes],
    /// The warnings to suppress.
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
    /// A policy with errors also has warnings, as far as it can be read. A warning that only follows from an error
    /// is omitted.
    #[must_use]
    pub fn lint(&self, options: &Options<'_>) -> LintReport {
        let none = AccountFiles::default();
        let files = options.files.unwrap_or(&none);
        let (plan, mut diagnostics) = match self.compile(files) {
            Ok(plan) => (Some(plan), Diagnostics::default()),
            Err(diagnostics) => (None, diagnostics),
        };
        // If some errors were omitted, the warnings that only follow from them are unknown.
        if diagnostics.omitted() == 0
            && let Some(document) = self.document.clone()
        {
            // This reader only provides locations. Its problems are in the diagnostics already.
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
    guards::check(view, warnings);
    if let Some(old) = against {
        change::check(view, old, warnings);
    }
}

/// Limits the comparisons of one check. The limit is more than any policy that people write needs, and takes about a
/// second.
struct Budget(usize);

impl Budget {
    fn new() -> Self {
        Self(10_000_000)
    }

    /// Spends some steps; returns `false` once the budget is used up.
    fn spend(&mut self, steps: usize) -> bool {
        self.0 = self.0.saturating_sub(steps);
        self.0 > 0
    }
}

fn not_examined(warnings: &mut Warnings<'_>, what: &str, place: (Span, &JsonPointer<'_>)) {
    warnings.push(
        WarningCode::NotExamined,
        place,
        format!("there are too many {what} to compare"),
        "split the policy, or treat this part as not checked",
    );
}

/// The most items that a list in a sentence has; more would not help.
const NAMED: usize = 3;

/// Joins at most three words as a sentence does: `a, b and c`; of more words, `a, b, c and others`.
fn listed(words: &[String], conjunction: &str) -> String {
    match words.split_at_checked(NAMED) {
        Some((shown, [_, ..])) => format!("{} {conjunction} others", shown.join(", ")),
        _ => join_list(words, conjunction),
    }
}
