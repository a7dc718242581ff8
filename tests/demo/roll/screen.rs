//! What the demo prints: at most 100 columns, bold and red only where the terminal supports them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use support::demo::accounts::Segment;
use support::demo::screen;
use support::terminal::{BOLD, PLAIN, RED, thousands};
use turnout_core::Treatment;
use turnout_text::counted;

use crate::acts::Demo;
use crate::check::Decided;
use crate::plan::{Active, EXCESS, Release, SETTLE_SECONDS, STEPS, WORSE_AT};
use crate::roll_command::Record;
use crate::rollback::Rollback;
use crate::testbed::{Testbed, WORKERS};
use crate::traffic::RATE;

/// The addresses, and the plan.
pub(crate) fn opening(testbed: &Testbed) -> String {
    let runs = format!("runs envoy/live-policy.yaml with {WORKERS} workers");
    let [first, second] = testbed.addresses();
    let addresses = screen::addresses([
        ("v1", testbed.first.v1.address(), "a small messaging API"),
        ("v2", testbed.first.v2.address(), "its next version"),
        ("Envoy", first, &runs),
        (
            "Envoy",
            second,
            "the same, with the policy of the same folder",
        ),
    ]);
    let steps = STEPS.iter().map(|step| {
        let bake = match step.bake {
            Some(requests) => format!(r#", "bake": {{ "requests": {requests} }}"#),
            None => String::new(),
        };
        format!(
            r#"      {{ "name": "{}", "accounts": {}, "requests": {}{bake} }}"#,
            step.name, step.accounts, step.requests
        )
    });
    let steps: Vec<String> = steps.collect();
    let last = STEPS.last().map_or("", |step| step.name);
    format!(
        r#"{addresses}
{rate} requests per second go through both Envoys, from {regular} accounts and {hvc} high-visibility customers. The plan:

    "excess_percent": {EXCESS},
    "steps": [
{steps} ],
    "forbid": [ {{ "segment": "hvc", "until": "{last}" }} ],
    "on_regressed": "previous_step"

A step is over when its bake is over and v2 is healthy by the requests of the step. An excess_percent of {EXCESS} and
settle_seconds of {SETTLE_SECONDS} keep the demo short; by default, a step needs some 6,000 requests of v2.
"#,
        rate = thousands(RATE),
        regular = thousands(Segment::Regular.size()),
        hvc = Segment::HighVisibility.size(),
        steps = steps.join(",\n"),
    )
}

/// The title of an act and its meaning.
pub(crate) fn act(number: usize, title: &str, meaning: &str) -> String {
    format!("{BOLD}Act {number} of 2: {title}{PLAIN}\n{meaning}\n")
}

/// The name of the file of a plan.
pub(crate) fn plan_file(release: &Release) -> String {
    format!("{}.plan.json", release.name)
}

/// The command, as a user would type it.
pub(crate) fn typed(release: &Release) -> String {
    let plan = plan_file(release);
    format!("  $ turnout roll {plan} --dir FOLDER --admin ENVOY --admin ENVOY")
}

pub(crate) fn killed() -> String {
    format!("  {BOLD}kill -9{PLAIN}, and the same command again:")
}

/// How much traffic there was.
pub(crate) fn traffic(requests: usize, seconds: f64, lost: usize, received: [u64; 2]) -> String {
    let [v1, v2] = received.map(thousands);
    let (style, lost) = match lost {
        0 => (BOLD, "none lost".to_owned()),
        lost => (RED, format!("{} LOST", thousands(lost))),
    };
    format!(
        "\n  {style}{} requests in {seconds:.0} s ({:.0} per second), {lost}.{PLAIN} v1 responded to {v1}, v2 to {v2}.",
        thousands(requests),
        requests as f64 / seconds
    )
}

/// A table of the steps: what the clients saw, and what the roll says.
pub(crate) fn steps(release: &Release, decided: &[Decided<'_>], records: &[Record]) -> String {
    let mut text = format!(
        "  {:<9} {:>17} {:>9} {:>9} {:>7} {:>17}  {}\n",
        "step", "accounts with v2", "requests", "by v2", "errors", "compared of v2", "verdict"
    );
    for ((index, step), record) in STEPS.iter().enumerate().zip(records) {
        let in_step: Vec<&Decided<'_>> = decided.iter().filter(|one| one.is_in(index)).collect();
        if in_step.is_empty() {
            text += &format!("  {:<9} not reached\n", step.name);
            continue;
        }
        let by_v2 = || {
            in_step
                .iter()
                .filter(|one| one.exchange.is_by(Treatment::V2))
        };
        let seen: HashSet<&str> = by_v2().map(|one| &*one.exchange.sid).collect();
        let segments = [Segment::Regular, Segment::HighVisibility];
        let sids = segments.into_iter().flat_map(Segment::sids);
        let selected = sids.filter(|sid| release.selects(Active::Step(index), sid));
        let errors = in_step.iter().filter(|one| one.exchange.is_error());
        let compared = match step.bake {
            Some(bake) => format!("{} of {}", thousands(record.v2_requests), thousands(bake)),
            None => "-".to_owned(),
        };
        let verdict = match record.verdict.as_str() {
            "" => "-",
            verdict => verdict,
        };
        text += &format!(
            "  {:<9} {:>17} {:>9} {:>9} {:>7} {:>17}  {verdict}\n",
            step.name,
            format!(
                "{} of {}",
                thousands(seen.len()),
                thousands(selected.count())
            ),
            thousands(in_step.len()),
            thousands(by_v2().count()),
            thousands(errors.count()),
            compared,
        );
    }
    text
}

/// What users saw of the v2 that got worse, and how it was rolled back.
pub(crate) fn rollback(rollback: &Rollback) -> String {
    let since = |at: Instant| {
        let time = at.saturating_duration_since(rollback.first_error);
        format!("{:.1} s", time.as_secs_f64())
    };
    let errors = thousands(rollback.errors);
    let judged = rollback.judged_errors.map_or("?".to_owned(), thousands);
    let style = match rollback.failed_after + rollback.elsewhere_after {
        0 => BOLD,
        _ => RED,
    };
    let guarded = match rollback.guarded {
        0 => String::new(),
        guarded => format!(
            "  Meanwhile the guards of the proxies sent {} requests to v1.\n",
            thousands(guarded)
        ),
    };
    format!(
        "  {BOLD}Users saw {errors} errors of v2.{PLAIN} The last one came {} after the first. turnout roll knew of {judged} \
         errors\n  when it found v2 worse. The step {} was active again {} after the first error.\n{guarded}  \
         After the end of the roll: {style}{} requests, v2 responded to {}, {} errors.{PLAIN}\n",
        since(rollback.last_error),
        STEPS[WORSE_AT - 1].name,
        since(rollback.left),
        thousands(rollback.after),
        thousands(rollback.v2_after),
        thousands(rollback.failed_after),
    )
}

/// The result in one line, and what to read next.
pub(crate) fn closing(demo: &Demo, time: Duration) -> String {
    let sent = format!(
        "{} requests in {} s, {} lost",
        thousands(demo.requests),
        time.as_secs(),
        thousands(demo.lost),
    );
    let (style, result) = match demo.wrong {
        0 => (
            BOLD,
            format!(
                "and each took the treatment of the step that was active.\nThe good v2 reached the end of the plan; \
                 the other one was rolled back after {} errors.",
                thousands(demo.errors)
            ),
        ),
        wrong => (
            RED,
            format!(
                "and {} not as expected.",
                counted(wrong as u64, "result is", "results are")
            ),
        ),
    };
    format!("{style}{sent}, {result}{PLAIN}\n\nNext: docs/roll.md explains plans.")
}
