//! What the demo prints: at most 100 columns, bold and red only where the terminal supports them.

use std::time::Duration;

use support::demo::accounts::Segment;
use support::demo::screen;
use support::terminal::{BOLD, PLAIN, RED, thousands};
use turnout_core::Reason;

use crate::check::{Comparison, Counts, Row, Totals};
use crate::steps::{ROLLOUT, Step};
use crate::swap_under_traffic::CLIENTS;
use crate::testbed::Testbed;

/// The addresses, and how to read the rest.
pub(crate) fn opening(testbed: &Testbed, requests: usize) -> String {
    let [regular, big, hvc] = Segment::ALL.map(|segment| thousands(segment.size()));
    let addresses = screen::addresses([
        ("v1", testbed.v1.address(), "a small messaging API"),
        ("v2", testbed.v2.address(), "its next version"),
        (
            "Envoy",
            testbed.envoy.address(),
            "runs envoy/live-policy.yaml",
        ),
        ("admin", testbed.admin(), "try /stats?filter=turnout"),
    ]);
    format!(
        "{addresses}
There are {regular} regular accounts, {big} accounts of big customers and {hvc} of high-visibility
customers (hvc). Each step gives the running Envoy a new policy and then sends {requests} requests.

\"expected\" is the decision of the policy, computed for each request from its account and its request
id. \"actual\" is who responded. The demo compares every single request, not only the sums. An account
counts as on v2 when v2 serves at least one of its requests.
",
        requests = thousands(requests),
    )
}

/// The title, what it means, and what changes in the policy.
pub(crate) fn heading(testbed: &Testbed, number: usize, step: &Step, before: &Step) -> String {
    let heading = screen::heading(number, ROLLOUT.len(), step.title, testbed.admin());
    let changes: String = step
        .changes(before)
        .iter()
        .map(|change| format!("\n    {change}"))
        .collect();
    format!(
        "{heading}{}\n\n  New in the policy:{changes}\n",
        step.meaning
    )
}

/// Expected and actual numbers, a line for each segment.
pub(crate) fn table(comparison: &Comparison<'_>) -> String {
    let mut text = format!(
        "  {:<14}{:>10}{:>21}{:>16}{:>21}\n  {:<14}{:>10}{:>13}{:>8}{:>16}{:>13}{:>8}\n",
        "",
        "",
        "accounts on v2",
        "",
        "requests on v2",
        "segment",
        "accounts",
        "expected",
        "actual",
        "requests",
        "expected",
        "actual"
    );
    for (segment, row) in Segment::ALL.iter().zip(&comparison.rows) {
        text += &line(segment.title(), row);
    }
    text
}

fn line(title: &str, row: &Row<'_>) -> String {
    let [
        accounts,
        accounts_expected,
        accounts_actual,
        requests,
        expected,
        seen,
    ] = [
        row.accounts.len(),
        row.accounts_expected.len(),
        row.accounts_actual.len(),
        row.requests,
        row.requests_expected,
        row.requests_actual,
    ]
    .map(thousands);
    let flag = match row.differs {
        true => format!("  {RED}differs{PLAIN}"),
        false => String::new(),
    };
    format!(
        "  {title:<14}{accounts:>10}{accounts_expected:>13}{accounts_actual:>8}\
         {requests:>16}{expected:>13}{seen:>8}{flag}\n"
    )
}

/// How the percentage of accounts and the percentage of requests combine.
pub(crate) fn split(comparison: &Comparison<'_>) -> String {
    let regular = &comparison.rows[Segment::Regular as usize];
    format!(
        "  The rule selects {} of the {} regular accounts, and one request in ten of each of them. An account\n  \
         sends only {} requests in this step, so some selected accounts do not reach v2 in it.\n",
        thousands(regular.accounts_selected.len()),
        thousands(regular.accounts.len()),
        Segment::Regular.requests_each(),
    )
}

/// How many decisions were v2 while v1 served everyone.
pub(crate) fn would_take_v2(expected: &Counts, seen: &Counts) -> String {
    let v2 = |counts: &Counts| {
        let of_v2 = counts.iter().filter(|(name, _)| name.contains(".v2."));
        thousands(of_v2.map(|(_, count)| *count).sum::<u64>())
    };
    format!(
        "  Requests that would take v2: expected {}, recorded by the filter {}.\n",
        v2(expected),
        v2(seen)
    )
}

/// The counters of the filter, with a sentence for each reason.
pub(crate) fn counters(seen: &Counts) -> String {
    let mut text = String::from("  Counted by the filter:\n");
    for reason in Reason::ALL {
        for version in reason.treatments() {
            let name = format!(".{version}.{reason}");
            let counts = seen.iter().filter(|(counter, _)| counter.ends_with(&name));
            let count: u64 = counts.map(|(_, count)| *count).sum();
            if count > 0 {
                let (count, words) = (thousands(count), in_words(reason));
                text += &format!(
                    "    {version}{count:>10}   {:<18}{words}\n",
                    reason.as_str()
                );
            }
        }
    }
    text
}

const fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Off => "the rollout is off",
        Reason::On => "the rollout is on",
        Reason::Rule => "the rule selects the account and this request",
        Reason::OutsideAccounts => "the rule does not select the account",
        Reason::OutsideRequests => "the rule selects the account but not this request",
        Reason::Default => "no rule matches the account",
        // The demo sends no request that is decided for another reason.
        _ => "unexpected here",
    }
}

/// The result of the clients that kept sending, and how long the swap took if every request was right.
pub(crate) fn swapped(last_of_v2: Option<Duration>, comparison: &Comparison<'_>) -> String {
    let failed = match comparison.failed {
        0 => "none".to_owned(),
        failed => thousands(failed),
    };
    let mut text = format!(
        "  Meanwhile {CLIENTS} clients kept sending: {} requests, {failed} failed.",
        thousands(comparison.requests())
    );
    if let Some(time) = last_of_v2.filter(|_| comparison.is_as_expected()) {
        let milliseconds = time.as_micros().div_ceil(1_000);
        text += &format!(
            " The last response of v2 came\n  {BOLD}{milliseconds} ms after the policy file was \
             replaced{PLAIN}. From then on v1 served everyone."
        );
    }
    text + "\n"
}

/// The result in one line, and what to read next.
pub(crate) fn closing(totals: &Totals, time: Duration) -> String {
    let requests = format!(
        "{} requests in {} s",
        thousands(totals.requests),
        time.as_secs()
    );
    let (style, result) = match totals.wrong {
        0 => (
            BOLD,
            "every one as the policy decides, none failed.".to_owned(),
        ),
        wrong => (
            RED,
            format!(
                "{} differences from the policy, {} requests failed.",
                thousands(wrong),
                thousands(totals.failed)
            ),
        ),
    };
    format!(
        "{style}{requests}, {result}{PLAIN}

Next: docs/install.md shows how to add the filter to your own Envoy. The folder envoy/ has the
configuration of this demo and others to copy. Start with the policy envoy/policy.json."
    )
}
