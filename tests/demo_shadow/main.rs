//! `make demo-shadow`: v2 is asked all that the users ask, in a real Envoy, and no user notices.
//!
//! Ends with 0 when every answer was v1's and the filter has found the mistakes of v2 and nothing
//! else, with 2 when not, and with 1 when it could not run to its end.

mod api;
mod check;
mod counted;
mod records;
mod report;
mod screen;
mod stage;
mod traffic;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::client::Client;
use harness::terminal::show;
use harness::wasm::filter_wasm;

use crate::counted::Counted;
use crate::records::Records;
use crate::stage::Stage;
use crate::traffic::{Answers, Call};

/// A run takes well under a minute; this long means that it hangs.
const TIME_LIMIT: Duration = Duration::from_secs(110);
/// After the last answer: for the copies on their way, and for the summaries of all workers.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

/// What all steps have come to.
#[derive(Default)]
struct Totals {
    requests: usize,
    wrong: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(totals) if totals.wrong == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            anstream::eprintln!("demo-shadow: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<Totals, String> {
    show("Turnout: v2 is asked all that the users ask, in a real Envoy, and no user notices.")?;
    show("Building the filter and starting Envoy ...\n")?;
    // Before the time counts: the first build takes as long as it takes.
    filter_wasm();
    let started = Instant::now();
    let totals = tokio::time::timeout(TIME_LIMIT, steps())
        .await
        .map_err(|_| format!("not done within {} s", TIME_LIMIT.as_secs()))??;
    show(&screen::closing(
        totals.requests,
        totals.wrong,
        started.elapsed(),
    ))?;
    Ok(totals)
}

async fn steps() -> Result<Totals, String> {
    let stage = &Stage::start().await;
    let mut totals = Totals::default();
    show(&screen::opening(stage))?;
    let calls = &traffic::calls();
    let alone = &traffic::ask_alone(&Client::new(stage.v1.address()), calls).await?;

    let meaning = "v1 answers everyone, and no request is copied.";
    show(&screen::heading(stage, 1, "before", meaning))?;
    totals.users(stage, calls, alone).await?;
    totals.wrong(&check::of_silence(&stage.v2.received()))?;

    let meaning = "v1 still answers everyone; each GET is then asked of v2 too.";
    show(&screen::heading(stage, 2, "shadow", meaning))?;
    show(&screen::new_policy(&stage::shadow()))?;
    stage.shadow().await?;
    totals.users(stage, calls, alone).await?;
    let counted = accounted_for(stage, calls.len()).await?;
    show(&screen::counters(&counted))?;
    totals.wrong(&check::of_copies(&stage.v2.received()))?;

    let meaning = "What `turnout report` makes of Envoy's log and its metrics.";
    show(&screen::heading(stage, 3, "the report", meaning))?;
    let (log, records) = summarized(stage, &counted).await?;
    let prometheus = stage.envoy.admin().prometheus().await;
    let report = report::of(&log, &prometheus)?;
    show(report.to_text().trim_end())?;
    show("")?;

    let meaning = "The five have to be found in every request, and nothing else blamed.";
    show(&screen::heading(stage, 4, "is it right?", meaning))?;
    show(&screen::verdicts(&records))?;
    totals.wrong(&check::of_findings(&records))?;
    totals.wrong(&check::of_accounts(calls, &counted, &records))?;
    totals.wrong(&report::wrong(&report))?;
    Ok(totals)
}

impl Totals {
    /// Sends what the users ask, and shows what they and the versions have seen.
    async fn users(
        &mut self,
        stage: &Stage,
        calls: &[Call],
        alone: &Answers,
    ) -> Result<(), String> {
        let before = (stage.v1.requests(), stage.v2.requests());
        let wrong = traffic::send_all(&stage.client, calls, alone).await;
        self.requests += calls.len();
        show(&screen::users(calls.len(), wrong.len()))?;
        settled(stage).await?;
        let (v1, v2) = (
            stage.v1.requests() - before.0,
            stage.v2.requests() - before.1,
        );
        show(&screen::copies(v1.saturating_sub(calls.len() as u64), v2))?;
        self.wrong(&wrong)
    }

    fn wrong(&mut self, wrong: &[String]) -> Result<(), String> {
        self.wrong += wrong.len();
        match wrong.is_empty() {
            true => Ok(()),
            false => show(&screen::disagreements(wrong)),
        }
    }
}

/// Waits until no copy is on its way.
async fn settled(stage: &Stage) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counted = stage.counted().await;
        if counted.in_flight == 0 && counted.ended() == counted.sampled {
            return Ok(());
        }
        pause(deadline, || format!("copies without an end: {counted:?}")).await?;
    }
}

/// What is counted once all requests have come to their ends.
async fn accounted_for(stage: &Stage, requests: usize) -> Result<Counted, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counted = stage.counted().await;
        if counted.accounts_for(requests as u64) {
            return Ok(counted);
        }
        pause(deadline, || {
            format!("{requests} requests, and counted {counted:?}")
        })
        .await?;
    }
}

/// The log, once the summaries of all workers say what the counters say, and what is in it.
async fn summarized(stage: &Stage, counted: &Counted) -> Result<(Vec<String>, Records), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = stage.envoy.settled_log().await;
        let records = Records::of(&log)?;
        if records.outcomes(None) == counted.outcomes {
            return Ok((log, records));
        }
        let said = records.outcomes(None);
        pause(deadline, || {
            format!(
                "the summaries say {said:?}, the counters {:?}",
                counted.outcomes
            )
        })
        .await?;
    }
}

async fn pause(deadline: Instant, complaint: impl FnOnce() -> String) -> Result<(), String> {
    if Instant::now() > deadline {
        return Err(complaint());
    }
    tokio::time::sleep(POLL).await;
    Ok(())
}
