//! `make demo-live`: the policy of a running Envoy, changed step by step under steady traffic, halted,
//! and taken back; watched live.
//!
//! Ends with 0 when no request was lost and each was answered as a policy in force said, with 2 when not,
//! and with 1 when it could not run to its end.

mod check;
mod screen;
mod stage;
mod steps;
mod traffic;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::cli;
use harness::terminal::{BOLD, PLAIN, show};
use harness::wasm::filter_wasm;
use turnout_watch::Watch;

use crate::check::{Totals, check};
use crate::screen::Screen;
use crate::stage::Stage;
use crate::steps::{Action, STEPS, Step};
use crate::traffic::Traffic;

/// A run takes some 40 seconds; this long means that it hangs.
const TIME_LIMIT: Duration = Duration::from_secs(110);
/// How long each step is watched.
const STEP: Duration = Duration::from_millis(3_600);
const FRAME: Duration = Duration::from_millis(200);
const INTERVAL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(totals) if totals.wrong.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            anstream::eprintln!("demo-live: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<Totals, String> {
    show("Turnout: the policy of a running Envoy, changed under traffic, halted and taken back.")?;
    show("Building the filter and the command, and starting Envoy ...\n")?;
    // Before the time counts: the first build takes as long as it takes.
    filter_wasm();
    let _: cli::Run = cli::run(&["--version"]);
    tokio::time::timeout(TIME_LIMIT, rollout())
        .await
        .map_err(|_| format!("not done within {} s", TIME_LIMIT.as_secs()))?
}

async fn rollout() -> Result<Totals, String> {
    let started = Instant::now();
    let mut stage = Stage::start().await?;
    Screen::opening(&stage)?;
    let mut screen = Screen::new();
    let watch = Watch::start(&[stage.admin()], INTERVAL)?;
    let traffic = Traffic::start(&stage.envoy.client());
    for (number, step) in (1..).zip(&STEPS) {
        run(&mut stage, &mut screen, &watch, &traffic, (number, step)).await?;
    }
    drop(watch);
    let asked = traffic.finish().await;
    let log = stage.log().await?;
    show(&format!("\n$ {}\n{}\n", log.typed, log.said))?;
    let totals = check(&asked, &stage.reigns);
    show(&screen::closing(&totals, started.elapsed().as_secs()))?;
    Ok(totals)
}

async fn run(
    stage: &mut Stage,
    screen: &mut Screen,
    watch: &Watch,
    traffic: &Traffic,
    (number, step): (usize, &Step),
) -> Result<(), String> {
    screen.step(number, step)?;
    screen.draw(watch)?;
    let ran = stage.act(step).await?;
    if let Some(ran) = &ran {
        screen.ran(ran)?;
    }
    let until = Instant::now() + STEP;
    while Instant::now() < until {
        tokio::time::sleep(FRAME).await;
        screen.draw(watch)?;
    }
    let mut summary = format!("  {number}. {}", step.title);
    if let (Action::Halt, Some(ran)) = (&step.action, &ran) {
        let last = traffic.last_of_v2().ok_or("v2 has answered nobody")?;
        let time = last.saturating_duration_since(ran.started).as_micros();
        let words = format!("{} ms until the last answer of v2", time.div_ceil(1_000));
        screen.say(&format!(
            "  {BOLD}{words}{PLAIN}, from before the command was started"
        ))?;
        summary = format!("{summary}: {words}");
    }
    screen.end_step(watch, summary)
}
