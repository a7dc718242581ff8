//! `make demo-guard`: v2 gets worse in a real Envoy, and the guard sends everyone back to v1, or one account, or nobody.
//!
//! Exits with 0 when the guard did what it must and its counters are those of the requests that were sent, with 2 when
//! not, and with 1 when the demo could not finish.

mod check;
mod screen;
mod steps;
mod testbed;
mod traffic;

use std::process::ExitCode;
use std::time::Instant;

use support::terminal::show;
use support::wasm::filter_wasm;
use support::{cli, demo};

use crate::steps::Demo;

#[tokio::main]
async fn main() -> ExitCode {
    let title = "Turnout: v2 gets worse in a real Envoy, and a guard sends its users back to v1.";
    let build = || {
        drop(filter_wasm());
        let _: cli::Run = cli::run(&["--version"]);
    };
    let wrong = demo::run(title, build, steps()).await;
    demo::exit_code("demo-guard", wrong)
}

/// Runs all steps. Returns how many results were not as expected.
async fn steps() -> Result<usize, String> {
    let started = Instant::now();
    let mut demo = Demo::start().await?;
    demo.healthy().await?;
    demo.one_kind_of_request().await?;
    demo.repaired().await?;
    demo.one_account().await?;
    demo.both_versions().await?;
    show(&screen::closing(&demo, started.elapsed()))?;
    Ok(demo.wrong)
}
