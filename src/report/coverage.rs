//! Describes what a verdict leaves out.

use turnout_core::shadow::Outcome;
use turnout_text::{counted, join_first, join_list, thousands};

use crate::labels::label;
use crate::outcomes::{Outcomes, describe_outcome, is_left_out};
use crate::report::Row;
use crate::share::Share;
use crate::totals::DeclaredOptions;
use crate::verdict::Verdict;

/// The most names that a sentence lists.
const MOST_NAMES: usize = 8;

/// Describes which requests are left out, how many are unfinished, and which routes were never seen.
pub(crate) fn describe(
    outcomes: &Outcomes,
    unfinished: u64,
    declared: &DeclaredOptions,
    unseen: &[String],
) -> String {
    let mut sentences = vec![left_out(outcomes)];
    if unfinished > 0 {
        sentences.push(format!(
            "{} not finished yet.",
            counted(unfinished, "shadow request has", "shadow requests have")
        ));
    }
    sentences.push(routes(declared, unseen));
    sentences.join(" ")
}

fn left_out(outcomes: &Outcomes) -> String {
    let (left_out, sampled) = (outcomes.left_out(), outcomes.total());
    if left_out == 0 {
        return format!(
            "The verdict leaves out none of {} sampled requests.",
            thousands(sampled)
        );
    }
    let mut reasons: Vec<_> = Outcome::ALL
        .into_iter()
        .filter(|outcome| is_left_out(*outcome))
        .map(|outcome| (outcomes.get(outcome), outcome))
        .filter(|(count, _)| *count > 0)
        .collect();
    reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let reasons: Vec<_> = reasons
        .iter()
        .map(|(count, outcome)| format!("{} {}", thousands(*count), describe_outcome(*outcome)))
        .collect();
    format!(
        "The verdict leaves out {} of {} sampled requests ({} %): {}.",
        thousands(left_out),
        thousands(sampled),
        Share::of(left_out, sampled).round(),
        join_list(&reasons, "and")
    )
}

fn routes(declared: &DeclaredOptions, unseen: &[String]) -> String {
    if !declared.is_known() {
        return "The declared routes are unknown, because no record has them.".into();
    }
    match (declared.routes.len(), unseen) {
        (0, _) => "No routes are declared, so the report does not distinguish them.".into(),
        (1, []) => "The declared route was seen.".into(),
        (count, []) => format!("All {count} declared routes were seen."),
        (count, unseen) => format!(
            "{} of {count} declared routes had no request: {}.",
            unseen.len(),
            join_first(unseen, MOST_NAMES)
        ),
    }
}

/// Names the routes that had requests, but none that could be compared.
pub(crate) fn never_compared(routes: &[String]) -> Option<String> {
    let names = join_first(routes, MOST_NAMES);
    (!routes.is_empty()).then(|| format!("No request was compared on {names}."))
}

/// Names the segments and routes that are not ready although the rollout as a whole may be.
pub(crate) fn not_ready_rows(
    verdict: Verdict,
    rows: [(&str, &'static str, &[Row]); 2],
) -> Option<String> {
    if verdict == Verdict::NotReady {
        return None;
    }
    let names: Vec<_> = rows
        .iter()
        .flat_map(|(kind, none, rows)| rows.iter().map(move |row| (kind, none, row)))
        .filter(|(_, _, row)| row.numbers.verdict == Verdict::NotReady)
        .map(|(kind, none, row)| format!("the {kind} {}", label(&row.name, none)))
        .collect();
    if names.is_empty() {
        return None;
    }
    Some(format!(
        "On its own, each of these is NOT READY: {}.",
        join_first(&names, MOST_NAMES)
    ))
}
