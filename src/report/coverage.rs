//! What a verdict does not rest on.

use turnout_core::shadow::Outcome;
use turnout_text::{counted, join_first, join_list, thousands};

use crate::model;
use crate::outcomes::{Outcomes, is_left_out, phrase};
use crate::percent::Share;
use crate::words::shown;
use crate::{judge::Verdict, totals::Declared};

/// Names that a sentence lists.
const MOST_NAMES: usize = 8;

/// What was left out and what was never seen, in a few sentences.
pub(crate) fn sentence(
    outcomes: &Outcomes,
    open: u64,
    declared: &Declared,
    unseen: &[String],
) -> String {
    let mut sentences = vec![left_out(outcomes)];
    if open > 0 {
        sentences.push(format!(
            "{} to an end yet.",
            counted(open, "copy has not come", "copies have not come")
        ));
    }
    sentences.push(routes(declared, unseen));
    sentences.join(" ")
}

fn left_out(outcomes: &Outcomes) -> String {
    let (left_out, sampled) = (outcomes.left_out(), outcomes.total());
    if left_out == 0 {
        return format!("Left out: none of {} sampled requests.", thousands(sampled));
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
        .map(|(count, outcome)| format!("{} {}", thousands(*count), phrase(*outcome)))
        .collect();
    format!(
        "Left out: {} of {} sampled requests ({} %): {}.",
        thousands(left_out),
        thousands(sampled),
        Share::of(left_out, sampled).near(),
        join_list(&reasons, "and")
    )
}

fn routes(declared: &Declared, unseen: &[String]) -> String {
    if !declared.is_known() {
        return "Which routes are declared is not known: no record says.".into();
    }
    match (declared.routes.len(), unseen) {
        (0, _) => "No routes are declared, so they are not told apart.".into(),
        (1, []) => "The one declared route was seen.".into(),
        (count, []) => format!("All {count} declared routes were seen."),
        (count, unseen) => format!(
            "Never seen: {} of {count} declared routes, {}.",
            unseen.len(),
            join_first(unseen, MOST_NAMES)
        ),
    }
}

/// Declared routes of which every request was left out.
pub(crate) fn never_compared(routes: &[String]) -> Option<String> {
    let names = join_first(routes, MOST_NAMES);
    (!routes.is_empty()).then(|| format!("Seen, but never compared: {names}."))
}

/// Segments and routes that are not ready by themselves while all together are not so bad.
pub(crate) fn hidden(
    verdict: Verdict,
    rows: [(&str, &'static str, &[model::Row]); 2],
) -> Option<String> {
    if verdict == Verdict::NotReady {
        return None;
    }
    let names: Vec<_> = rows
        .iter()
        .flat_map(|(what, none, rows)| rows.iter().map(move |row| (what, none, row)))
        .filter(|(_, _, row)| row.tally.verdict == Verdict::NotReady)
        .map(|(what, none, row)| format!("the {what} {}", shown(&row.name, none)))
        .collect();
    if names.is_empty() {
        return None;
    }
    Some(format!(
        "By itself NOT READY: {}.",
        join_first(&names, MOST_NAMES)
    ))
}
