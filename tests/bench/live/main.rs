//! `make bench-live`: how long it takes to change the policy of a running Envoy.
//!
//! No number makes it fail. It exits with 1 when a response was wrong or lost.

mod durations;
mod halts;
mod pauses;

use std::process::ExitCode;

use support::bench;

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
    bench::exit_code("bench-live", ended)
}
