//! `make bench-live`: what changing the policy of a running Envoy takes.
//!
//! No number fails it. It ends with 1 when an answer was wrong or lost.

mod halts;
mod pauses;
mod spread;

use std::process::ExitCode;

use harness::terminal::show;

const HELP: &str = "bench-live [--only SECTION]\n\nSections: halts, pauses";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments.as_slice() {
        [] => match halts::measure().await {
            Ok(()) => pauses::measure().await,
            failed => failed,
        },
        ["--only", "halts"] => halts::measure().await,
        ["--only", "pauses"] => pauses::measure().await,
        _ => Err(HELP.to_owned()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = show(&format!("bench-live: {error}"));
            ExitCode::FAILURE
        }
    }
}
