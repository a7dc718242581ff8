//! `make demo-live`: changes the policy of a running Envoy step by step under steady traffic, halts it and
//! rolls it back, with `turnout watch` on the screen.
//!
//! Exits with 0 when no request was lost and each took the treatment that an active policy decided, with 2
//! when not, and with 1 when the demo could not finish.

mod check;
mod screen;
mod steps;
mod testbed;
mod traffic;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use support::terminal::{BOLD, PLAIN, show};
use support::wasm::filter_wasm;
use support::{cli, demo};
use turnout_watch::Watch;

use crate::check::{Totals, check};
use crate::screen::Screen;
use crate::steps::{Action, STEPS, Step};
use crate::testbed::Testbed;
use crate::traffic::Traffic;

/// How long the screen shows each step.
const STEP: Duration = Duration::from_millis(3_600);
const FRAME: Duration = Duration::from_millis(200);
const INTERVAL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let title =
        "Turnout: the policy of a running Envoy is changed under traffic, halted and rolled back.";
    let build = || {
        drop(filter_wasm());
        let _: cli::Run = cli::run(&["--version"]);
    };
    let totals = demo::run(title, build, rollout()).await;
    demo::exit_code("demo-live", totals.map(|totals| totals.wrong.len()))
}

async fn rollout() -> Result<Totals, String> {
    let started = Instant::now();
    let mut testbed = Testbed::start().await?;
    Screen::opening(&testbed)?;
    let mut screen = Screen::new();
    let watch = Watch::start(&[testbed.admin()], INTERVAL)?;
    let traffic = Traffic::start(&testbed.proxy.envoy.client());
    for (number, step) in (1..).zip(&STEPS) {
        run(&mut testbed, &mut screen, &watch, &traffic, (number, step)).await?;
    }
    drop(watch);
    let exchanges = traffic.finish().await;
    let log = testbed.log().await?;
    show(&format!("\n$ {}\n{}\n", log.typed, log.output))?;
    let totals = check(&exchanges, &testbed.active_policies);
    show(&screen::closing(&totals, started.elapsed().as_secs()))?;
    Ok(totals)
}

async fn run(
    testbed: &mut Testbed,
    screen: &mut Screen,
    watch: &Watch,
    traffic: &Traffic,
    (number, step): (usize, &Step),
) -> Result<(), String> {
    screen.step(number, step)?;
    screen.draw(watch)?;
    let ran = testbed.act(step).await?;
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
        let last = traffic.last_of_v2().ok_or("v2 has served nobody")?;
        let time = last.saturating_duration_since(ran.started).as_micros();
        let words = format!("{} ms until the last response of v2", time.div_ceil(1_000));
        screen.say(&format!(
            "  {BOLD}{words}{PLAIN}, counted from the start of the command"
        ))?;
        summary = format!("{summary}: {words}");
    }
    screen.end_step(watch, summary)
}
