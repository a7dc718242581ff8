//! `make demo-shadow`: v2 gets a shadow request for every request in a real Envoy, and no user notices.
//!
//! Exits with 0 when every response was v1's and the filter found exactly the mistakes of v2, with 2 when
//! not, and with 1 when the demo could not finish.

mod check;
mod counters;
mod messaging_api;
mod records;
mod report;
mod screen;
mod testbed;
mod traffic;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use support::client::Client;
use support::demo;
use support::terminal::show;
use support::wasm::filter_wasm;

use crate::counters::Counters;
use crate::records::Records;
use crate::testbed::Testbed;
use crate::traffic::{Call, Responses};

/// How long to wait after the last response, for shadow requests in flight and the summaries of all workers.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

/// The sums over all steps.
#[derive(Default)]
struct Totals {
    requests: usize,
    wrong: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let title =
        "Turnout: v2 gets a shadow request for every request in a real Envoy, and no user notices.";
    let build = || drop(filter_wasm());
    let totals = demo::run(title, build, steps()).await;
    demo::exit_code("demo-shadow", totals.map(|totals| totals.wrong))
}

async fn steps() -> Result<Totals, String> {
    let started = Instant::now();
    let testbed = &testbed::start().await;
    let mut totals = Totals::default();
    show(&screen::opening(testbed))?;
    let calls = &traffic::calls();
    let direct = &traffic::send_directly(&Client::new(testbed.v1.address()), calls).await?;

    let meaning = "v1 serves everyone, and there are no shadow requests.";
    show(&screen::heading(testbed, 1, "before", meaning))?;
    totals.users(testbed, calls, direct).await?;
    totals.wrong(&check::no_requests(&testbed.v2.received()))?;

    let meaning = "v1 still serves everyone. v2 also gets a shadow request for each GET.";
    show(&screen::heading(testbed, 2, "shadow", meaning))?;
    show(&screen::new_policy(&testbed::shadow()))?;
    testbed::start_shadowing(testbed).await?;
    totals.users(testbed, calls, direct).await?;
    let counters = accounted_for(testbed, calls.len()).await?;
    show(&screen::counters(&counters))?;
    totals.wrong(&check::shadow_requests(&testbed.v2.received()))?;

    let meaning = "The output of `turnout report` for Envoy's log and metrics.";
    show(&screen::heading(testbed, 3, "the report", meaning))?;
    let (log, records) = summarized(testbed, &counters).await?;
    let prometheus = testbed.envoy.admin().prometheus().await;
    let report = report::of(&log, &prometheus)?;
    show(report.to_text().trim_end())?;
    show("")?;

    let meaning =
        "The filter must find the five mistakes in every request, and report nothing else.";
    show(&screen::heading(
        testbed,
        4,
        "is the report right?",
        meaning,
    ))?;
    show(&screen::mistakes(&records))?;
    totals.wrong(&check::findings(&records))?;
    totals.wrong(&check::counts(calls, &counters, &records))?;
    totals.wrong(&report::wrong(&report))?;
    show(&screen::closing(
        totals.requests,
        totals.wrong,
        started.elapsed(),
    ))?;
    Ok(totals)
}

impl Totals {
    /// Sends the requests of the users, and shows the result and how often v1 and v2 were asked.
    async fn users(
        &mut self,
        testbed: &Testbed,
        calls: &[Call],
        direct: &Responses,
    ) -> Result<(), String> {
        let before = (testbed.v1.requests(), testbed.v2.requests());
        let wrong = traffic::send_all(&testbed.client, calls, direct).await;
        self.requests += calls.len();
        show(&screen::users(calls.len(), wrong.len()))?;
        settled(testbed).await?;
        let (v1, v2) = (
            testbed.v1.requests() - before.0,
            testbed.v2.requests() - before.1,
        );
        show(&screen::shadow_requests(
            v1.saturating_sub(calls.len() as u64),
            v2,
        ))?;
        self.wrong(&wrong)
    }

    fn wrong(&mut self, wrong: &[String]) -> Result<(), String> {
        self.wrong += wrong.len();
        match wrong.is_empty() {
            true => Ok(()),
            false => show(&demo::screen::errors("This is not as expected:", wrong)),
        }
    }
}

/// Waits until no shadow request is in flight.
async fn settled(testbed: &Testbed) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counters = Counters::read(testbed).await;
        if counters.in_flight == 0 && counters.ended() == counters.sampled {
            return Ok(());
        }
        pause(deadline, || {
            format!("shadow requests that do not end: {counters:?}")
        })
        .await?;
    }
}

/// The counters, once every request has an outcome.
async fn accounted_for(testbed: &Testbed, requests: usize) -> Result<Counters, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counters = Counters::read(testbed).await;
        if counters.accounts_for(requests as u64) {
            return Ok(counters);
        }
        pause(deadline, || {
            format!("{requests} requests, but the counters are {counters:?}")
        })
        .await?;
    }
}

/// The log and its records, once the summaries of all workers have the same numbers as the counters.
async fn summarized(
    testbed: &Testbed,
    counters: &Counters,
) -> Result<(Vec<String>, Records), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = testbed.envoy.settled_log().await;
        let records = Records::of(&log)?;
        if records.outcomes(None) == counters.outcomes {
            return Ok((log, records));
        }
        let summed = records.outcomes(None);
        pause(deadline, || {
            format!(
                "the summaries have {summed:?}, the counters {:?}",
                counters.outcomes
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
