//! What to add to the command to learn more.

use turnout_core::explain::{Condition, Part, Pattern, ServeFound, Step, StepFinding};
use turnout_core::{Ambiguity, Reason};

use super::{Told, wording};

/// Of rollouts that do not match.
const MOST: usize = 5;

/// Sentences, each on its own.
pub(super) fn of(told: &Told<'_>) -> Vec<String> {
    let decision = told.explanation.decision;
    let mut help = Vec::new();
    if let (Some(supposed), Some(rollout)) = (told.supposed, decision.rollout)
        && supposed.name != rollout.name
    {
        help.push(format!(
            "rollout {} comes first and has this request; give one that it does not match to reach {}",
            rollout.name, supposed.name
        ));
    }
    match decision.reason {
        Reason::NoRollout => match told.explanation.doubt {
            Some(doubt) => help.push(String::from(doubtful(doubt))),
            None => not_matched(told, &mut help),
        },
        Reason::NoAccount => help.push(String::from(
            "--account ACCOUNT puts an account where the policy looks for it",
        )),
        Reason::NoRegion => help.extend(missing_region(told)),
        Reason::OutsideRequests => help.extend(missing_id(told)),
        _ => {}
    }
    help
}

/// What to send instead.
fn doubtful(doubt: Ambiguity) -> &'static str {
    match doubt {
        Ambiguity::Host => {
            "a host is a name or an address, with a port or without; --host HOST gives one"
        }
        Ambiguity::Method => "methods are in upper case; --method METHOD gives one",
        Ambiguity::Path => {
            "another server may read this path as one of another rollout; send it without escaped letters and \
             slashes, `;`, `//` and `..`"
        }
    }
}

fn not_matched(told: &Told<'_>, help: &mut Vec<String>) {
    let tried = &told.explanation.rollouts;
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
            "so would {more} more rollouts; --rollout NAME supposes it"
        )),
    }
    if tried.is_empty() {
        help.push(String::from("the policy has no rollouts"));
    }
}

/// The option with which a condition would hold.
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
        // Not of a `match`.
        Part::In { .. } | Part::NotIn { .. } => ("--account", None),
    };
    format!("{option} {}", quoted(&value.unwrap_or_default()))
}

fn missing_region(told: &Told<'_>) -> Option<String> {
    let rule = rule_found(told.explanation.decisive()?)?;
    let regions = rule.0.iter().find_map(|condition| match &condition.part {
        Part::Regions { wanted } => wanted.first(),
        _ => None,
    });
    Some(format!(
        "--region {} says where the proxy is; a proxy that does not say it takes v1 here",
        quoted(regions?)
    ))
}

fn missing_id(told: &Told<'_>) -> Option<String> {
    let (_, serve) = rule_found(told.explanation.decisive()?)?;
    let Some(ServeFound::V2 {
        requests: Some(requests),
        ..
    }) = serve
    else {
        return None;
    };
    requests.position.is_none().then(|| {
        format!(
            "a request without an id stands last of all; {} of this account's requests take v2, and \
             --request-id ID says whether one does",
            wording::percent(requests.fraction)
        )
    })
}

fn rule_found<'s>(step: &'s Step<'_>) -> Option<(&'s [Condition<'s>], Option<&'s ServeFound>)> {
    match &step.answer.as_ref()?.finding {
        StepFinding::Rule(rule) => Some((&rule.conditions, rule.serve.as_ref())),
        _ => None,
    }
}

/// As a shell takes it.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}
