//! `make bench`: what a request costs in a real Envoy, beside what one would take instead of a filter.
//!
//! One Envoy with one worker per variant, all from one configuration; the upstreams and the client are
//! processes of their own. No number fails it. It ends with 1 when an answer was wrong or lost, or when
//! the filter's counters do not add up.

mod arguments;
mod closed;
mod cold;
mod measure;
mod plot;
mod policy;
mod report;
mod scale;
mod series;
mod stage;
mod traffic;
mod upstream;
mod variants;

use std::process::ExitCode;

use harness::bench::load;
use harness::terminal::show;

use crate::arguments::{Arguments, Section, Settings};

fn main() -> ExitCode {
    let ended = match arguments::read(std::env::args().skip(1)) {
        Ok(Arguments::Upstream(version)) => upstream::serve(&version),
        Ok(Arguments::Open { job, traffic }) => load::run(&job, traffic),
        Ok(Arguments::Closed(job)) => closed::run(&job),
        Ok(Arguments::Measure(section, settings)) => tokio::runtime::Runtime::new()
            .map_err(|error| format!("no runtime: {error}"))
            .and_then(|runtime| runtime.block_on(measure(section, &settings))),
        Ok(Arguments::Help) => show(arguments::HELP),
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(section: Section, settings: &Settings) -> Result<(), String> {
    match section {
        Section::Requests => measure::measure(settings).await,
        Section::Scale => scale::measure(settings).await,
        Section::Cold => cold::measure(settings).await,
    }
}
