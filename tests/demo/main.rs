//! `make demo`: a rollout from v1 to v2, by account, in a real Envoy.
//!
//! Ends with 0 when every request took the version that the policy says, with 2 when one did not,
//! and with 1 when it could not run to its end.

mod compare;
mod screen;
mod stage;
mod steps;
mod traffic;
mod under_traffic;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::terminal::show;
use harness::wasm::filter_wasm;
use turnout_core::Plan;

use crate::compare::{Exchange, Totals, compare};
use crate::stage::Stage;
use crate::steps::{BEFORE, ROLLOUT, Step};
use crate::traffic::Call;

/// A run takes well under a minute; this long means that it hangs.
const TIME_LIMIT: Duration = Duration::from_secs(110);

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(totals) if totals.wrong == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            anstream::eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<Totals, String> {
    show("Turnout: a rollout from v1 to v2, by account, in a real Envoy.")?;
    show("Building the filter and starting Envoy ...\n")?;
    // Before the time counts: the first build takes as long as it takes.
    filter_wasm();
    let started = Instant::now();
    let totals = tokio::time::timeout(TIME_LIMIT, rollout())
        .await
        .map_err(|_| format!("not done within {} s", TIME_LIMIT.as_secs()))??;
    show(&screen::closing(&totals, started.elapsed()))?;
    Ok(totals)
}

async fn rollout() -> Result<Totals, String> {
    let stage = &Stage::start(&BEFORE).await?;
    let calls = Arc::new(traffic::calls());
    show(&screen::opening(stage, calls.len()))?;
    let mut totals = Totals::default();
    let mut before = &BEFORE;
    for (number, step) in (1..).zip(&ROLLOUT) {
        show(&screen::heading(stage, number, step, before))?;
        if number == ROLLOUT.len() {
            swap_under_traffic(stage, before, step, &calls, &mut totals).await?;
        } else {
            stage.swap(step).await?;
        }
        send_and_compare(stage, step, &calls, &mut totals).await?;
        before = step;
    }
    Ok(totals)
}

/// Sends a step's requests and shows what became of them.
async fn send_and_compare(
    stage: &Stage,
    step: &Step,
    calls: &Arc<Vec<Call>>,
    totals: &mut Totals,
) -> Result<(), String> {
    let plan = step.plan()?;
    let counted_before = stage.counts().await;
    let outcomes = traffic::send_all(&stage.client, calls).await;
    let counted = stage.counts_since(&counted_before).await;

    let plans = [&plan];
    let comparison = compare(calls.iter().zip(&outcomes).map(|(call, outcome)| Exchange {
        call,
        outcome,
        plans: &plans,
    }));
    show(&screen::table(&comparison))?;
    match step.title {
        "dark" => show(&screen::would_take_v2(&comparison.counts, &counted))?,
        "split" => show(&screen::drawn(&comparison))?,
        _ => {}
    }
    show(&screen::counters(&counted))?;
    report(totals.add(comparison, &counted))
}

/// Swaps to a step while requests keep coming, and shows how fast that was.
async fn swap_under_traffic(
    stage: &Stage,
    before: &Step,
    step: &Step,
    calls: &Arc<Vec<Call>>,
    totals: &mut Totals,
) -> Result<(), String> {
    let plans: [Plan; 2] = [before.plan()?, step.plan()?];
    let counted_before = stage.counts().await;
    let swapped = under_traffic::swap(stage, step, calls).await?;
    let counted = stage.counts_since(&counted_before).await;

    let both = plans.each_ref();
    let comparison = compare(swapped.exchanges(&both));
    show(&screen::swapped(swapped.last_of_v2(), &comparison))?;
    report(totals.add(comparison, &counted))
}

fn report(wrong: Vec<String>) -> Result<(), String> {
    match wrong.is_empty() {
        true => Ok(()),
        false => show(&screen::disagreements(&wrong)),
    }
}
