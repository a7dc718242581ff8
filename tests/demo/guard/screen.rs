//! What the demo prints: at most 100 columns, bold and red only where the terminal supports them.

use std::time::{Duration, Instant};

use support::demo::screen;
use support::terminal::{BOLD, PLAIN, RED, thousands};
use turnout_core::Treatment;
use turnout_text::counted;

use crate::check::{Arm, Counts};
use crate::steps::{Demo, Ended, Trip};
use crate::testbed::{PERCENT, SETTLE, State, Testbed, WORKERS};
use crate::traffic::{ACCOUNTS, LARGEST};

/// The number of steps.
const STEPS: usize = 5;

/// The addresses, and the policy.
pub(crate) fn opening(testbed: &Testbed) -> String {
    let proxy = &testbed.proxy;
    let runs = format!("runs envoy/live-policy.yaml with {WORKERS} workers");
    let addresses = screen::addresses([
        ("v1", proxy.v1.address(), "a small messaging API"),
        ("v2", proxy.v2.address(), "its next version"),
        ("Envoy", proxy.envoy.address(), &runs),
        ("admin", proxy.admin(), "try /stats?filter=guard"),
    ]);
    let accounts = thousands(ACCOUNTS);
    let settle = SETTLE.as_secs();
    format!(
        "{addresses}
v2 gets {PERCENT} % of the requests of all {accounts} accounts. The other {percent} % stay on v1, and are what the guard
compares v2 with. One account, the largest customer, sends a third of the requests. The policy has:

    \"rules\": [{{ \"accounts\": 100, \"requests\": {PERCENT} }}],
    \"guard\": {{ \"settle_seconds\": {settle}, \"accounts\": {{}} }}

The guard waits until an error is settle_seconds old before it counts for good, because slow failures come
later than fast ones. {settle} s keep the demo short; the default is 20 s.
",
        percent = 100 - PERCENT,
    )
}

/// The title of a step and its meaning.
pub(crate) fn heading(testbed: &Testbed, number: usize, title: &str, meaning: &str) -> String {
    let heading = screen::heading(number, STEPS, title, testbed.proxy.admin());
    format!("{heading}{meaning}\n")
}

/// A command and its output.
pub(crate) fn ran(typed: &str, output: &str) -> String {
    let output: String = output.lines().map(|line| format!("    {line}\n")).collect();
    format!("  $ {typed}\n{output}")
}

/// The counts of a step without errors.
pub(crate) fn healthy(counts: &Counts) -> String {
    let v1 = in_words("v1", counts.v1);
    let v2 = in_words("v2", counts.v2);
    format!("  The guard is armed: {v1}, {v2}.\n")
}

/// When the guard tripped, and what users saw.
pub(crate) fn tripped(trip: &Trip, tripped: Instant) -> String {
    let errors = thousands(trip.errors);
    let requests = thousands(trip.requests);
    let last = seconds(trip.last_error - trip.first_error);
    let tripped = seconds(tripped.saturating_duration_since(trip.first_error));
    format!(
        "  {BOLD}Users saw {errors} errors in {requests} requests.{PLAIN} The last one came {last} after the first: then the \
         guard sent\n  everyone to v1 while it waited for slow failures. It tripped {tripped} after the first error.\n  {}\n",
        after(trip, "")
    )
}

/// How many errors the account saw, and that nobody else noticed.
pub(crate) fn ejected(trip: &Trip, ended: &Ended) -> String {
    let exchanges = &ended.exchanges;
    let errors = thousands(trip.errors);
    let requests = thousands(trip.requests);
    let last = seconds(trip.last_error - trip.first_error);
    let others = || exchanges.iter().filter(|one| one.account != LARGEST);
    let v2 = others()
        .filter(|one| one.by() == Some(Treatment::V2))
        .count();
    let failed = others().filter(|one| one.is_error()).count();
    // The guard logs each change of its state.
    let armed = match ended.log.is_empty() {
        true => "The guard stayed armed.".to_owned(),
        false => format!("{RED}The guard did not stay armed.{PLAIN}"),
    };
    format!(
        "  {BOLD}The account saw {errors} errors in {requests} requests.{PLAIN} The last one came {last} after the first. Each of the\n  \
         {WORKERS} workers tests single accounts by itself, so each must see some errors.\n  {}\n  \
         All others: {} requests, v2 still responded to {} of them, {} errors. {armed}\n",
        after(trip, " of the account"),
        thousands(others().count()),
        thousands(v2),
        thousands(failed),
    )
}

fn after(trip: &Trip, of: &str) -> String {
    let style = match trip.failed_after + trip.v2_after {
        0 => BOLD,
        _ => RED,
    };
    format!(
        "Since then: {style}{} requests{of}, v2 responded to {}, {} errors.{PLAIN}",
        thousands(trip.after),
        thousands(trip.v2_after),
        thousands(trip.failed_after)
    )
}

/// The errors of both arms while both versions failed.
pub(crate) fn outage(ended: &Ended, healed: Instant, state: State) -> String {
    let exchanges = &ended.exchanges;
    let errors = exchanges.iter().filter(|one| one.is_error());
    let began = exchanges.iter().map(|one| one.sent).min().unwrap_or(healed);
    let lasted = seconds(healed.saturating_duration_since(began));
    let after = exchanges.iter().filter(|one| one.sent > healed);
    let of_v2 = after.clone().filter(|one| one.by() == Some(Treatment::V2));
    let with_reason = |reason| {
        let all = exchanges.iter().filter(|one| one.reason() == reason);
        all.count()
    };
    let ejected = match with_reason("guard_account") {
        0 => "No account was ejected.".to_owned(),
        ejected => format!(
            "{RED}Accounts were ejected: {} requests.{PLAIN}",
            thousands(ejected)
        ),
    };
    // A guard that trips stays tripped.
    let tripped = match state {
        State::Armed => format!("{BOLD}, and nothing tripped.{PLAIN}"),
        state => format!("{RED}, and the guard is {state:?}.{PLAIN}"),
    };
    let held = match with_reason("guard") {
        0 => String::new(),
        held => format!(
            "  v2 failed first, so the guard sent {} requests to v1 until it knew that v1 fails too.\n",
            thousands(held)
        ),
    };
    format!(
        "  {BOLD}{} errors in {lasted}{PLAIN}{tripped} The guard counted, with the time after the outage:\n  \
         {}, {}.\n{held}  \
         After the outage: {} requests, v2 responded to {} of them. {ejected}\n",
        thousands(errors.count()),
        in_words("v1", ended.counts.v1),
        in_words("v2", ended.counts.v2),
        thousands(after.count()),
        thousands(of_v2.count()),
    )
}

/// The sentences of the guard in Envoy's log.
pub(crate) fn log(sentences: &[String]) -> String {
    let wrapped: String = sentences
        .iter()
        .map(|sentence| screen::wrap(sentence) + "\n")
        .collect();
    format!("  In Envoy's log, with all requests since the guard was armed:\n{wrapped}")
}

/// The result in one line, and what to read next.
pub(crate) fn closing(demo: &Demo, time: Duration) -> String {
    let sent = format!(
        "{} requests in {} s",
        thousands(demo.requests),
        time.as_secs()
    );
    let (style, result) = match demo.wrong {
        0 => (
            BOLD,
            format!(
                "and the guard counted all that it compared. After {} errors of v2 everyone was\non v1; one account \
                 was ejected alone; when both failed, nothing tripped.",
                thousands(demo.errors_until_held)
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
    format!("{style}{sent}, {result}{PLAIN}\n\nNext: docs/guard.md explains guards.")
}

fn in_words(version: &str, arm: Arm) -> String {
    let (errors, all) = (thousands(arm.errors), thousands(arm.all));
    format!("{version} has {errors} errors in {all} requests")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
