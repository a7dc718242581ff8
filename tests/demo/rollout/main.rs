//! `make demo`: a rollout from v1 to v2, by account, in a real Envoy.
//!
//! Exits with 0 when every request took the treatment that the policy decides, with 2 when one did
//! not, and with 1 when the demo could not finish.

mod check;
mod screen;
mod steps;
mod swap_under_traffic;
mod testbed;
mod traffic;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use support::demo;
use support::terminal::show;
use support::wasm::filter_wasm;
use turnout_core::Plan;

use crate::check::{Exchange, Totals, compare};
use crate::steps::{BEFORE, ROLLOUT, Step};
use crate::testbed::Testbed;
use crate::traffic::Call;

#[tokio::main]
async fn main() -> ExitCode {
    let title = "Turnout: a rollout from v1 to v2, by account, in a real Envoy.";
    let build = || drop(filter_wasm());
    let totals = demo::run(title, build, rollout()).await;
    demo::exit_code("demo", totals.map(|totals| totals.wrong))
}

async fn rollout() -> Result<Totals, String> {
    let started = Instant::now();
    let testbed = &testbed::start(&BEFORE).await?;
    let calls = Arc::new(traffic::calls());
    show(&screen::opening(testbed, calls.len()))?;
    let mut totals = Totals::default();
    let mut before = &BEFORE;
    for (number, step) in (1..).zip(&ROLLOUT) {
        show(&screen::heading(testbed, number, step, before))?;
        if number == ROLLOUT.len() {
            swap_under_traffic(testbed, before, step, &calls, &mut totals).await?;
        } else {
            testbed::swap(testbed, step).await?;
        }
        send_and_compare(testbed, step, &calls, &mut totals).await?;
        before = step;
    }
    show(&screen::closing(&totals, started.elapsed()))?;
    Ok(totals)
}

/// Sends the requests of a step and shows how v1 and v2 were chosen.
async fn send_and_compare(
    testbed: &Testbed,
    step: &Step,
    calls: &Arc<Vec<Call>>,
    totals: &mut Totals,
) -> Result<(), String> {
    let plan = step.plan()?;
    let counted_before = testbed::counts(testbed).await;
    let outcomes = traffic::send_all(&testbed.client, calls).await;
    let counted = testbed::counts_since(testbed, &counted_before).await;

    let plans = [&plan];
    let comparison = compare(calls.iter().zip(&outcomes).map(|(call, outcome)| Exchange {
        call,
        outcome,
        plans: &plans,
    }));
    show(&screen::table(&comparison))?;
    match step.title {
        "dark" => show(&screen::would_take_v2(&comparison.counts, &counted))?,
        "split" => show(&screen::split(&comparison))?,
        _ => {}
    }
    show(&screen::counters(&counted))?;
    show_errors(&totals.add(comparison, &counted))
}

/// Replaces the policy while requests keep coming, and shows how long that took.
async fn swap_under_traffic(
    testbed: &Testbed,
    before: &Step,
    step: &Step,
    calls: &Arc<Vec<Call>>,
    totals: &mut Totals,
) -> Result<(), String> {
    let plans: [Plan; 2] = [before.plan()?, step.plan()?];
    let counted_before = testbed::counts(testbed).await;
    let swapped = swap_under_traffic::swap(testbed, step, calls).await?;
    let counted = testbed::counts_since(testbed, &counted_before).await;

    let both = plans.each_ref();
    let comparison = compare(swapped.exchanges(&both));
    show(&screen::swapped(swapped.last_of_v2(), &comparison))?;
    show_errors(&totals.add(comparison, &counted))
}

fn show_errors(errors: &[String]) -> Result<(), String> {
    match errors.is_empty() {
        true => Ok(()),
        false => show(&demo::screen::errors("Expected and actual differ:", errors)),
    }
}
