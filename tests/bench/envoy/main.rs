//! `make bench`: the cost of a request in a real Envoy, compared with the alternatives to a filter.
//!
//! Each variant has an Envoy with one worker, all from one configuration. The upstreams and the client are
//! processes of their own. No number makes it fail. It exits with 1 when a response was wrong or lost, or
//! when the filter's counters do not add up.

mod arguments;
mod closed_loop;
mod cold_start;
mod measure;
mod plot;
mod report;
mod scaling;
mod series;
mod testbed;
mod traffic;
mod upstream;
mod variants;

use std::process::ExitCode;

use support::bench::{self, open_loop};
use support::terminal::show;

use crate::arguments::{Arguments, Section, Settings};

fn main() -> ExitCode {
    let ended = match arguments::read(std::env::args().skip(1)) {
        Ok(Arguments::Upstream(version)) => upstream::serve(&version),
        Ok(Arguments::Open { job, traffic }) => open_loop::run(&job, traffic),
        Ok(Arguments::Closed(job)) => closed_loop::run(&job),
        Ok(Arguments::Measure(section, settings)) => tokio::runtime::Runtime::new()
            .map_err(|error| format!("no runtime: {error}"))
            .and_then(|runtime| runtime.block_on(measure(section, &settings))),
        Ok(Arguments::Help) => show(arguments::HELP),
        Err(error) => Err(error),
    };
    bench::exit_code("bench", ended)
}

async fn measure(section: Section, settings: &Settings) -> Result<(), String> {
    match section {
        Section::Requests => measure::measure(settings).await,
        Section::Scale => scaling::measure(settings).await,
        Section::Cold => cold_start::measure(settings).await,
    }
}
