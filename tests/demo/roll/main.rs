//! `make demo-roll`: `turnout roll` moves a rollout over two Envoys through four steps, and takes the next v2 back when it
//! gets worse at the third.
//!
//! Exits with 0 when both acts ended as they must and all numbers are those of the plan, of the clients, of the upstreams
//! and of the counters, with 2 when not, and with 1 when the demo could not finish.

mod acts;
mod check;
mod counts;
mod plan;
mod roll_command;
mod rollback;
mod screen;
mod testbed;
mod traffic;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use support::terminal::show;
use support::wasm::filter_wasm;
use support::{cli, demo};

use crate::acts::Demo;

/// Twice what a run takes on a machine of two cores.
const TIME_LIMIT: Duration = Duration::from_secs(170);

#[tokio::main]
async fn main() -> ExitCode {
    let title = "Turnout: a rollout moves through its steps in two Envoys, and is rolled back when v2 gets worse.";
    let build = || {
        drop(filter_wasm());
        let _: cli::Run = cli::run(&["--version"]);
    };
    let wrong = demo::run_within(TIME_LIMIT, title, build, acts()).await;
    demo::exit_code("demo-roll", wrong)
}

/// Runs both acts. Returns how many results were not as expected.
async fn acts() -> Result<usize, String> {
    let started = Instant::now();
    let mut demo = Demo::start().await?;
    demo.healthy().await?;
    demo.regressed().await?;
    show(&screen::closing(&demo, started.elapsed()))?;
    Ok(demo.wrong)
}
