//! Suggests options that lead to a different or a more precise explanation.

use turnout_core::explain::{Condition, Part, Pattern, ServeFound, Step, StepFinding};
use turnout_core::guard::GuardAction;
use turnout_core::{Ambiguity, Reason};

use super::{ExplainReport, wording};

/// The maximum number of rollouts without a match for which options are suggested.
const MOST: usize = 5;

/// The suggestions, one sentence each.
pub(super) fn of(report: &ExplainReport<'_>) -> Vec<String> {
    let decision = report.explanation.decision;
    let mut help = Vec::new();
    if let (Some(assumed), Some(rollout)) = (report.assumed, decision.rollout)
        && assumed.name != rollout.name
    {
        help.push(format!(
            "rollout {} comes first and matches this request; change the request so that it does not match to reach {}",
            rollout.name, assumed.name
        ));
    }
    match decision.reason {
        Reason::NoRollout => match report.explanation.ambiguity {
            Some(doubt) => help.push(String::from(doubtful(doubt))),
            None => not_matched(report, &mut help),
        },
        Reason::NoAccount => help.push(String::from(
            "use --account ACCOUNT to place an account where the policy looks for it",
        )),
        Reason::NoRegion => help.extend(missing_region(report)),
        Reason::OutsideRequests => help.extend(missing_id(report)),
        _ => {}
    }
    let guard = report.explanation.guard;
    if guard.is_some_and(|guard| guard.action == GuardAction::Halt) {
        help.push(String::from(
            "while the guard has tripped or holds, this request takes v1 (reason: guard); `turnout watch` shows the state \
             of the guard in a proxy",
        ));
    }
    help
}

/// How to send an unambiguous request.
fn doubtful(doubt: Ambiguity) -> &'static str {
    match doubt {
        Ambiguity::Host => {
            "a host is a name or an address, with or without a port; use --host HOST"
        }
        Ambiguity::Method => "methods are in upper case; use --method METHOD",
        Ambiguity::Path => {
            "another server may interpret this path as one of another rollout; send it without escaped letters \
             and slashes, `;`, `//` and `..`"
        }
    }
}

fn not_matched(report: &ExplainReport<'_>, help: &mut Vec<String>) {
    let tried = &report.explanation.rollouts;
    for tried in tried.iter().take(MOST) {
        let conditions = tried.conditions.as_deref().unwrap_or_default();
        let fails = |condition: &&Condition<'_>| condition.holds == Some(false);
        let changes: Vec<String> = conditions.iter().filter(fails).map(change).collect();
        let name = &tried.rollout.name;
        help.push(format!(
            "rollout {name} would match with {}",
            changes.join(" ")
        ));
    }
    match tried.len().checked_sub(MOST) {
        None | Some(0) => {}
        Some(more) => help.push(format!(
            "{more} more rollouts do not match either; use --rollout NAME to assume a request for one"
        )),
    }
    if tried.is_empty() {
        help.push(String::from("the policy has no rollouts"));
    }
}

/// The option that would make a condition hold.
fn change(condition: &Condition<'_>) -> String {
    let (option, value) = match &condition.part {
        Part::Host { wanted, .. } => ("--host", wanted.first().cloned()),
        Part::Method { wanted, .. } => ("--method", wanted.first().cloned()),
        Part::Path { wanted, .. } => ("--path", wanted.example().map(str::to_owned)),
        Part::Header {
            name,
            wanted: Pattern::Present(false),
            ..
        } => return format!("no header {name}"),
        Part::Header { name, wanted, .. } => {
            let example = wanted.example().unwrap_or_default();
            ("--header", Some(format!("{name}:{example}")))
        }
        Part::Regions { wanted } => ("--region", wanted.first().cloned()),
        // A `match` has no segments.
        Part::In { .. } | Part::NotIn { .. } => ("--account", None),
    };
    format!("{option} {}", quoted(&value.unwrap_or_default()))
}

fn missing_region(report: &ExplainReport<'_>) -> Option<String> {
    let rule = rule_found(report.explanation.decisive_step()?)?;
    let regions = rule.0.iter().find_map(|condition| match &condition.part {
        Part::Regions { wanted } => wanted.first(),
        _ => None,
    });
    Some(format!(
        "use --region {} to set the region; without a region, this rule sends requests to v1",
        quoted(regions?)
    ))
}

fn missing_id(report: &ExplainReport<'_>) -> Option<String> {
    let (_, serve) = rule_found(report.explanation.decisive_step()?)?;
    let Some(ServeFound::V2 {
        requests: Some(requests),
        ..
    }) = serve
    else {
        return None;
    };
    requests.position.is_none().then(|| {
        format!(
            "a request without an id is included only at 100 %; {} of this account's requests take v2: use \
             --request-id ID to see whether one does",
            wording::percent(requests.fraction)
        )
    })
}

fn rule_found<'s>(step: &'s Step<'_>) -> Option<(&'s [Condition<'s>], Option<&'s ServeFound>)> {
    match &step.result.as_ref()?.finding {
        StepFinding::Rule(rule) => Some((&rule.conditions, rule.serve.as_ref())),
        _ => None,
    }
}

/// Quotes a value for a shell.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}
