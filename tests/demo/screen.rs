//! What the demo shows: at most 100 columns, in bold and red only where that is shown.

use std::time::Duration;

use harness::terminal::{BOLD, PLAIN, RED, WIDTH, thousands};
use turnout_core::Reason;

use crate::compare::{Comparison, Counts, Row, Totals};
use crate::stage::Stage;
use crate::steps::{ROLLOUT, Step};
use crate::under_traffic::CLIENTS;
use harness::accounts::Segment;

/// How many disagreements are shown of each comparison.
const SHOWN: usize = 5;

/// What runs where, and how to read the rest.
pub(crate) fn opening(stage: &Stage, requests: usize) -> String {
    let [regular, big, hvc] = Segment::ALL.map(|segment| thousands(segment.size()));
    let addresses = [
        ("v1", stage.v1.address(), "a small messaging API"),
        ("v2", stage.v2.address(), "its next version"),
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
    format!(
        "{addresses}
There are {regular} regular accounts, {big} of big customers and {hvc} of high-visibility customers (hvc).
Each step is a new policy, put into the running Envoy, and then {requests} requests.

Expected is what the policy says, computed for each request from its account and its request id.
Seen is the version that answered. Every single request is compared, not only the sums. An account
is on v2 when at least one of its requests is.
",
        requests = thousands(requests),
    )
}

/// Title, meaning, and what changes in the policy.
pub(crate) fn heading(stage: &Stage, number: usize, step: &Step, before: &Step) -> String {
    let left = format!("Step {number} of {}: {}", ROLLOUT.len(), step.title);
    let right = format!("admin page {}", stage.admin_page());
    let gap = WIDTH.saturating_sub(left.len() + right.len());
    let changes: String = step
        .changes(before)
        .iter()
        .map(|change| format!("\n    {change}"))
        .collect();
    format!(
        "{BOLD}{left}{:gap$}{right}{PLAIN}\n{}\n\n  New in the policy:{changes}\n",
        "", step.meaning
    )
}

/// Segment by segment, expected beside seen.
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
        "seen",
        "requests",
        "expected",
        "seen"
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
        accounts_seen,
        requests,
        expected,
        seen,
    ] = [
        row.accounts.len(),
        row.accounts_expected.len(),
        row.accounts_seen.len(),
        row.requests,
        row.requests_expected,
        row.requests_seen,
    ]
    .map(thousands);
    let flag = match row.differs {
        true => format!("  {RED}differs{PLAIN}"),
        false => String::new(),
    };
    format!(
        "  {title:<14}{accounts:>10}{accounts_expected:>13}{accounts_seen:>8}\
         {requests:>16}{expected:>13}{seen:>8}{flag}\n"
    )
}

/// How a percentage of the accounts and one of the requests come together.
pub(crate) fn drawn(comparison: &Comparison<'_>) -> String {
    let regular = &comparison.rows[Segment::Regular as usize];
    format!(
        "  The policy draws {} of the {} regular accounts, and one request in ten of these accounts.\n  \
         Each sends {} requests in a step, so in this one not all of the drawn accounts get to v2.\n",
        thousands(regular.accounts_drawn.len()),
        thousands(regular.accounts.len()),
        Segment::Regular.requests_each(),
    )
}

/// What the filter has recorded and not done.
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

/// What the filter has counted, with the reasons in words.
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
        Reason::Rule => "the rule draws the account, and this request of it",
        Reason::OutsideAccounts => "the rule does not draw the account",
        Reason::OutsideRequests => "the rule draws the account, but not this request of it",
        Reason::Default => "no rule is for the account",
        // A request of the demo is never decided for another reason.
        _ => "unexpected here",
    }
}

/// What became of those that kept sending, and how long the swap took: said only when it was seen.
pub(crate) fn swapped(last_of_v2: Option<Duration>, comparison: &Comparison<'_>) -> String {
    let failed = match comparison.failed {
        0 => "none".to_owned(),
        failed => thousands(failed),
    };
    let mut text = format!(
        "  {CLIENTS} clients kept sending meanwhile: {} requests, {failed} failed.",
        thousands(comparison.requests())
    );
    if let Some(time) = last_of_v2.filter(|_| comparison.agrees()) {
        let milliseconds = time.as_micros().div_ceil(1_000);
        text += &format!(
            " The last answer of v2 came\n  {BOLD}{milliseconds} ms after the policy file was \
             replaced{PLAIN}; from then on everyone was back on v1."
        );
    }
    text + "\n"
}

/// The first of what is wrong.
pub(crate) fn disagreements(all: &[String]) -> String {
    let shown: String = all
        .iter()
        .take(SHOWN)
        .map(|one| format!("    {one}\n"))
        .collect();
    let more = match all.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("    and {} more\n", thousands(more)),
    };
    format!("  {RED}Seen and expected disagree:{PLAIN}\n{shown}{more}")
}

/// The result in one line, and where to go from here.
pub(crate) fn closing(totals: &Totals, time: Duration) -> String {
    let requests = format!(
        "{} requests in {} s",
        thousands(totals.requests),
        time.as_secs()
    );
    let (style, result) = match totals.wrong {
        0 => (
            BOLD,
            "every one where the policy says; none failed.".to_owned(),
        ),
        wrong => (
            RED,
            format!(
                "{} disagreements with the policy; {} requests failed.",
                thousands(wrong),
                thousands(totals.failed)
            ),
        ),
    };
    format!(
        "{style}{requests}, {result}{PLAIN}

Next: docs/install.md puts the filter into your own Envoy; the folder envoy/ has the configuration
that ran here and others to copy, and envoy/policy.json is the policy to start from."
    )
}
