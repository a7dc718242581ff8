//! The words of an explanation, for text and JSON.

use turnout_core::explain::{Explanation, GuardFound, GuardUse, Part, Pattern, SourceName};
use turnout_core::guard::GuardAction;
use turnout_core::{Decision, Fraction, Mode, Treatment};
use turnout_text::{excerpt_bytes_for_terminal, format_millionths};

/// The number of characters after which a value is cut off.
const LONGEST_SHOWN: usize = 120;

/// Why a credential counts as absent.
pub(super) const API_KEY: &str = "an API key, which names no account";

/// A value of the request, escaped and on one line.
pub(super) fn shown(value: &[u8]) -> String {
    excerpt_bytes_for_terminal(value, LONGEST_SHOWN)
}

pub(super) fn source(name: &SourceName<'_>) -> String {
    match name {
        SourceName::Header(name) => format!("header {name}"),
        SourceName::BasicAuth => String::from("user name of Basic authentication"),
        SourceName::Path(template) => format!("path {template}"),
    }
}

pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off",
        Mode::Dark => "dark",
        Mode::Shadow => "shadow",
        Mode::Split => "split",
        Mode::On => "on",
    }
}

pub(super) fn percent(fraction: Fraction) -> String {
    format!("{fraction} %")
}

/// The number of a rule, from 1.
pub(super) fn rule(index: usize) -> usize {
    index.saturating_add(1)
}

/// `v2 by rule 1 of rollout chat (reason: rule)`
pub(super) fn decision(explanation: &Explanation<'_>) -> String {
    let decision = &explanation.decision;
    let Decision {
        treatment, reason, ..
    } = decision;
    let by = match (decision.rollout, decision.rule) {
        (None, _) => match explanation.ambiguity {
            Some(doubt) => format!(
                ": no rollout matches a request with an ambiguous {}",
                doubt.as_str()
            ),
            None => String::from(": no rollout matches"),
        },
        (Some(rollout), None) => format!(" in rollout {}", rollout.name),
        (Some(rollout), Some(index)) => {
            format!(" by rule {} of rollout {}", rule(index), rollout.name)
        }
    };
    format!("{treatment}{by} (reason: {reason})")
}

/// Which cluster serves the request.
pub(super) fn served(decision: &Decision<'_>) -> String {
    let Some(rollout) = decision.rollout else {
        return String::from("Turnout does not change the route of the request");
    };
    let served = decision.served();
    let mut answer = format!("served by {served}, cluster {}", rollout.cluster(served));
    if matches!(rollout.mode, Mode::Dark | Mode::Shadow) {
        answer.push_str(&format!(
            ": in the mode {}, the decision is only recorded",
            mode(rollout.mode)
        ));
    }
    answer
}

/// What a guard does when v2 is worse, as in the policy.
pub(super) const fn action(action: GuardAction) -> &'static str {
    match action {
        GuardAction::Halt => "halt",
        GuardAction::Report => "report",
    }
}

/// Whether a guard compares the request.
pub(super) fn guard(found: &GuardFound) -> String {
    let (requests, arm) = match found.usage {
        GuardUse::NoId => {
            return String::from(
                "the guard does not compare this request, because it has no request id",
            );
        }
        GuardUse::NotRandom => {
            return String::from(
                "the guard does not compare this request, because its treatment is not random",
            );
        }
        GuardUse::Counts {
            requests,
            arm,
            is_compared: true,
        } => (requests, arm),
        GuardUse::Counts {
            arm: Treatment::V1, ..
        } => {
            return String::from(
                "the guard does not compare this request, because its `limit` tests only v2",
            );
        }
        GuardUse::Counts { .. } => {
            return String::from(
                "the guard counts this request for its `limit`, and does not compare it with v1",
            );
        }
    };
    let of_arm = match arm {
        Treatment::V1 => Fraction::ALL
            .millionths()
            .saturating_sub(requests.millionths()),
        Treatment::V2 => requests.millionths(),
    };
    format!(
        "the guard compares this request: it is among the {} % of the requests of its stratum that take {arm}",
        format_millionths(of_arm)
    )
}

/// What a condition requires, and what the request has.
pub(super) fn condition(part: &Part<'_>, region: Option<&str>) -> (String, String) {
    match part {
        Part::Host { wanted, found } => {
            let found = match found {
                [] => String::from("no host"),
                found => shown(found),
            };
            (format!("host {}", one_of(wanted)), found)
        }
        Part::Path { wanted, found } => (format!("path {}", pattern(wanted)), shown(found)),
        Part::Method { wanted, found } => (format!("method {}", one_of(wanted)), shown(found)),
        Part::Header {
            name,
            wanted,
            found,
        } => {
            let values: Vec<String> = found.iter().map(|value| shown(value)).collect();
            let found = match values.is_empty() {
                true => String::from("absent"),
                false => values.join(", "),
            };
            (format!("header {name} {}", pattern(wanted)), found)
        }
        Part::In { wanted, found } => (format!("in {}", one_of(wanted)), in_those(wanted, found)),
        Part::NotIn { wanted, found } => (
            format!("not in {}", one_of(wanted)),
            in_those(wanted, found),
        ),
        Part::Regions { wanted } => {
            let found = region.map_or_else(
                || String::from("the region of the proxy is unknown"),
                |region| shown(region.as_bytes()),
            );
            (format!("region {}", one_of(wanted)), found)
        }
    }
}

fn in_those(wanted: &[&str], found: &[&str]) -> String {
    match (wanted, found) {
        ([_], []) => String::from("not in it"),
        (_, []) => String::from("in none of them"),
        (_, found) => format!("in {}", found.join(", ")),
    }
}

fn pattern(wanted: &Pattern<'_>) -> String {
    match wanted {
        Pattern::Exact(text) => format!("is {text}"),
        Pattern::Prefix(text) => format!("begins with {text}"),
        Pattern::Template(text) => format!("matches {text}"),
        Pattern::Present(true) => String::from("is present"),
        Pattern::Present(false) => String::from("is absent"),
    }
}

fn one_of(wanted: &[impl AsRef<str>]) -> String {
    let wanted: Vec<&str> = wanted.iter().map(AsRef::as_ref).collect();
    wanted.join(" or ")
}
