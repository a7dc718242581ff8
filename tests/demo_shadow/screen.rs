//! What the demo shows: at most 100 columns, in bold and red only where that is shown.

use std::time::Duration;

use harness::terminal::{BOLD, PLAIN, RED, WIDTH, thousands};
use serde_json::Value;

use crate::api::{MISTAKES, NOISE, ROUTES};
use crate::check::Verdict;
use crate::counted::{Counted, in_words};
use crate::records::Records;
use crate::stage::Stage;
use crate::traffic::SEGMENTS;

/// How many steps there are.
pub(crate) const STEPS: usize = 4;
/// How much is shown of what is wrong: so many, each in so many characters.
const SHOWN: usize = 5;
const LONGEST: usize = 600;

/// What runs where, and what there is to find.
pub(crate) fn opening(stage: &Stage) -> String {
    let addresses = [
        ("v1", stage.v1.address(), "a small messaging API"),
        ("v2", stage.v2.address(), "its next version, with mistakes"),
        (
            "Envoy",
            stage.envoy.address(),
            "runs envoy/live-policy.yaml",
        ),
        (
            "admin page",
            stage.envoy.admin().address(),
            "try /stats?filter=turnout",
        ),
    ]
    .map(|(name, address, what)| format!("  {name:<11} http://{address}   {what}\n"))
    .concat();
    let routes: String = ROUTES
        .iter()
        .map(|route| {
            let mistake = MISTAKES.iter().find(|mistake| mistake.route == *route);
            let what = mistake.map_or("the same", |mistake| mistake.what);
            format!("    {route:<27}{what}\n")
        })
        .collect();
    let [at, token] = NOISE;
    format!(
        "{addresses}
What is different in v2, and what nobody tells the filter:

{routes}
Both versions put a timestamp ({at}) and a random token ({token}) into each answer:
noise, which is to be told from the five mistakes. And v2 breaks its JSON into lines, v1 does not.
"
    )
}

/// Title and meaning.
pub(crate) fn heading(stage: &Stage, number: usize, title: &str, meaning: &str) -> String {
    let left = format!("Step {number} of {STEPS}: {title}");
    let right = format!("admin page http://{}", stage.envoy.admin().address());
    let gap = WIDTH.saturating_sub(left.len() + right.len());
    format!("{BOLD}{left}{:gap$}{right}{PLAIN}\n{meaning}\n", "")
}

/// What makes copies.
pub(crate) fn new_policy(shadow: &Value) -> String {
    let fields: String = shadow
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "routes")
        .map(|(name, value)| format!("      \"{name}\": {value},\n"))
        .collect();
    format!(
        "  New in the policy:\n    \"mode\": \"shadow\",\n    \"shadow\": {{\n{fields}      \
         \"routes\": [ the six above ] }}\n"
    )
}

/// What became of the users' requests.
pub(crate) fn users(requests: usize, wrong: usize) -> String {
    let accounts: usize = SEGMENTS.iter().map(|(_, size)| size).sum();
    let segments: Vec<String> = SEGMENTS
        .iter()
        .map(|(name, size)| match *name {
            "-" => format!("{size} in no segment"),
            name => format!("{size} in {name}"),
        })
        .collect();
    let requests = thousands(requests);
    let result = match wrong {
        0 => "Every answer is v1's: byte for byte what v1 answers when it is asked directly,\n  but for \
              the two noisy fields."
            .to_owned(),
        wrong => format!("{RED}{} answers are not v1's.{PLAIN}", thousands(wrong)),
    };
    format!(
        "  {requests} requests of {accounts} accounts ({}).\n  {result}",
        segments.join(", ")
    )
}

/// What reached the versions beside the users' requests.
pub(crate) fn copies(to_v1: u64, to_v2: u64) -> String {
    match (to_v1, to_v2) {
        (_, 0) => "  v2 was asked nothing.\n".to_owned(),
        _ => format!(
            "  v2 was asked {} times, by copies that no user waits for. v1 was asked {} times more, \
             to\n  learn what is noise, and whether a difference stays.\n",
            thousands(to_v2),
            thousands(to_v1)
        ),
    }
}

/// What the filter has counted.
pub(crate) fn counters(counted: &Counted) -> String {
    let line = |count: u64, name: &str, words: &str| {
        format!("    {:>8}   {name:<18}{words}\n", thousands(count))
    };
    let outcomes = counted.outcomes.iter();
    let outcomes: String = outcomes
        .map(|(outcome, count)| line(*count, outcome, in_words(outcome)))
        .collect();
    format!(
        "  Counted by the filter:\n{}{outcomes}{}{}",
        line(
            counted.sampled,
            "sampled",
            "each ends in exactly one of these:"
        ),
        line(counted.ended(), "", "in sum"),
        line(
            counted.in_flight,
            "in flight",
            "of which the end is not known"
        )
    )
}

/// What the filter has made of the five, and of the noise.
pub(crate) fn verdicts(records: &Records) -> String {
    let mut text = String::new();
    for mistake in &MISTAKES {
        let verdict = Verdict::of(mistake, records);
        let (style, found) = match verdict.is_right() {
            true => (BOLD, "found    "),
            false => (RED, "NOT FOUND"),
        };
        let [part, pointer, kind] = mistake.finding;
        let place = [part, pointer, kind].join(" ").replace("  ", " ");
        text += &format!(
            "  {style}{found}{PLAIN}  {:<26}{place:<33} in {} of {} requests\n",
            mistake.route,
            thousands(verdict.found),
            thousands(verdict.compared)
        );
    }
    text
}

/// The first of what is wrong.
pub(crate) fn disagreements(all: &[String]) -> String {
    let shown = all.iter().take(SHOWN).map(|one| {
        let one: String = one.chars().take(LONGEST).collect();
        format!("    {one}\n")
    });
    let shown: String = shown.collect();
    let more = match all.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("    and {} more\n", thousands(more)),
    };
    format!("  {RED}This is not as it has to be:{PLAIN}\n{shown}{more}")
}

/// The result in one line, and where to go from here.
pub(crate) fn closing(requests: usize, wrong: usize, time: Duration) -> String {
    let requests = format!("{} requests in {} s", thousands(requests), time.as_secs());
    let (style, result) = match wrong {
        0 => (
            BOLD,
            "all answered by v1. Five mistakes of v2 found, no noise blamed.".to_owned(),
        ),
        wrong => (
            RED,
            format!("{} things are not as they have to be.", thousands(wrong)),
        ),
    };
    format!(
        "{style}{requests}, {result}{PLAIN}

Next: docs/shadow.md says how a policy asks for shadow requests. `make demo` shows what
comes after: moving the accounts to v2."
    )
}
