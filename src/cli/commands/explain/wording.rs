//! How the pieces of an explanation are called, in text and in JSON alike.

use turnout_core::explain::{Explanation, Part, Pattern, SourceName};
use turnout_core::{Decision, Fraction, Mode};
use turnout_text::excerpt_bytes_for_terminal;

/// Of a value, in characters.
const LONGEST_SHOWN: usize = 120;

/// Why a credential that is there counts as absent.
pub(super) const API_KEY: &str = "an API key, which names no account";

/// Returns the beginning of a value of the request, escaped for a terminal.
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

/// From 1, as people count.
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
        (None, _) => match explanation.doubt {
            Some(doubt) => format!(
                ": no rollout has a request whose {} is in doubt",
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

/// What answers the user.
pub(super) fn served(decision: &Decision<'_>) -> String {
    let Some(rollout) = decision.rollout else {
        return String::from("Turnout leaves the request to its route");
    };
    let served = decision.served();
    let mut answer = format!("answered by {served}, cluster {}", rollout.cluster(served));
    if matches!(rollout.mode, Mode::Dark | Mode::Shadow) {
        answer.push_str(&format!(
            ": the mode is {}, so what is decided is only recorded",
            mode(rollout.mode)
        ));
    }
    answer
}

/// What a condition wants, and what was found.
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
                true => String::from("not there"),
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
                || String::from("the region of the proxy is not known"),
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
        Pattern::Template(text) => format!("is like {text}"),
        Pattern::Present(true) => String::from("is there"),
        Pattern::Present(false) => String::from("is not there"),
    }
}

fn one_of(wanted: &[impl AsRef<str>]) -> String {
    let wanted: Vec<&str> = wanted.iter().map(AsRef::as_ref).collect();
    wanted.join(" or ")
}
