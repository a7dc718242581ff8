//! What the demo prints: at most 100 columns, bold and red only where the terminal supports them.

use std::time::Duration;

use serde_json::Value;
use support::demo::screen;
use support::terminal::{BOLD, PLAIN, RED, thousands};

use crate::check::MistakeResult;
use crate::counters::{Counters, in_words};
use crate::messaging_api::{MISTAKES, NOISE, ROUTES};
use crate::records::Records;
use crate::testbed::Testbed;
use crate::traffic::SEGMENTS;

/// The number of steps.
pub(crate) const STEPS: usize = 4;

/// The addresses, and the mistakes that the filter must find.
pub(crate) fn opening(testbed: &Testbed) -> String {
    let addresses = screen::addresses([
        ("v1", testbed.v1.address(), "a small messaging API"),
        (
            "v2",
            testbed.v2.address(),
            "its next version, with mistakes",
        ),
        (
            "Envoy",
            testbed.envoy.address(),
            "runs envoy/live-policy.yaml",
        ),
        ("admin", testbed.admin(), "try /stats?filter=turnout"),
    ]);
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
The mistakes of v2, which the filter does not know:

{routes}
Both v1 and v2 put a timestamp ({at}) and a random token ({token}) into each response. This
is noise, which the filter must separate from the five mistakes. v2 also formats its JSON differently.
"
    )
}

/// The title and its meaning.
pub(crate) fn heading(testbed: &Testbed, number: usize, title: &str, meaning: &str) -> String {
    let heading = screen::heading(number, STEPS, title, testbed.admin());
    format!("{heading}{meaning}\n")
}

/// The fields that start shadowing.
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
         \"routes\": [ the six routes above ] }}\n"
    )
}

/// The result of the users' requests.
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
        0 => "Every response is v1's: byte for byte the response of v1 without a proxy, except\n  for the \
              two noisy fields."
            .to_owned(),
        wrong => format!("{RED}{} responses are not v1's.{PLAIN}", thousands(wrong)),
    };
    format!(
        "  {requests} requests of {accounts} accounts ({}).\n  {result}",
        segments.join(", ")
    )
}

/// How many requests beyond those of the users reached v1 and v2.
pub(crate) fn shadow_requests(to_v1: u64, to_v2: u64) -> String {
    match (to_v1, to_v2) {
        (_, 0) => "  v2 got no requests.\n".to_owned(),
        _ => format!(
            "  v2 got {} shadow requests, which no user waits for. v1 got {} more requests, to find \
             out\n  what is noise and whether a difference persists.\n",
            thousands(to_v2),
            thousands(to_v1)
        ),
    }
}

/// What the filter has counters.
pub(crate) fn counters(counters: &Counters) -> String {
    let line = |count: u64, name: &str, words: &str| {
        format!("    {:>8}   {name:<18}{words}\n", thousands(count))
    };
    let outcomes = counters.outcomes.iter();
    let outcomes: String = outcomes
        .map(|(outcome, count)| line(*count, outcome, in_words(outcome)))
        .collect();
    format!(
        "  Counters by the filter:\n{}{outcomes}{}{}",
        line(
            counters.sampled,
            "sampled",
            "each has exactly one of these outcomes:"
        ),
        line(counters.ended(), "", "total"),
        line(counters.in_flight, "in flight", "without an outcome yet")
    )
}

/// Whether the filter found each of the five mistakes.
pub(crate) fn mistakes(records: &Records) -> String {
    let mut text = String::new();
    for mistake in &MISTAKES {
        let result = MistakeResult::of(mistake, records);
        let (style, found) = match result.is_right() {
            true => (BOLD, "found    "),
            false => (RED, "NOT FOUND"),
        };
        let [part, pointer, kind] = mistake.finding;
        let place = [part, pointer, kind].join(" ").replace("  ", " ");
        text += &format!(
            "  {style}{found}{PLAIN}  {:<26}{place:<33} in {} of {} requests\n",
            mistake.route,
            thousands(result.found),
            thousands(result.compared)
        );
    }
    text
}

/// The result in one line, and what to read next.
pub(crate) fn closing(requests: usize, wrong: usize, time: Duration) -> String {
    let requests = format!("{} requests in {} s", thousands(requests), time.as_secs());
    let (style, result) = match wrong {
        0 => (
            BOLD,
            "all served by v1. The filter found the five mistakes of v2 and reported no noise."
                .to_owned(),
        ),
        wrong => (
            RED,
            format!("{} results are not as expected.", thousands(wrong)),
        ),
    };
    format!(
        "{style}{requests}, {result}{PLAIN}

Next: docs/shadow.md explains shadow mode. `make demo` shows the step after it: moving the accounts
to v2."
    )
}
