//! `make bench-shadow`: what a copy of each request to v2 costs the request that the user waits for.
//!
//! One Envoy per variant, all alike but for what copies; v1, v2 and the client are processes of
//! their own. No number fails it. It ends with 1 when an answer was wrong or lost, or when the
//! copies and the filter's counters do not add up.

mod arguments;
mod document;
mod report;
mod round;
mod series;
mod traffic;
mod upstream;
mod variants;

use std::path::Path;
use std::process::ExitCode;

use harness::bench::{load, machine, rounds};
use harness::terminal::show;
use serde_json::json;

use crate::arguments::{Arguments, Settings};
use crate::round::Stage;
use crate::series::Series;
use crate::traffic::Traffic;

fn main() -> ExitCode {
    let ended = match arguments::read(std::env::args().skip(1)) {
        Ok(Arguments::Upstream(version)) => upstream::serve(&version),
        Ok(Arguments::Load { job, query }) => load::run(&job, Traffic::new(&query)),
        Ok(Arguments::Measure(settings)) => tokio::runtime::Runtime::new()
            .map_err(|error| format!("no runtime: {error}"))
            .and_then(|runtime| runtime.block_on(measure(&settings))),
        Ok(Arguments::Help) => show(arguments::HELP),
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("bench-shadow: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(settings: &Settings) -> Result<(), String> {
    let mut stage = Stage::start(settings).await?;
    let machine = machine::describe(&stage.envoy_version().await?);
    show(&report::opening(settings, &machine))?;

    let count = settings.variants.len();
    let mut series: Vec<Series> = settings.variants.iter().map(Series::new).collect();
    for round in 0..=settings.rounds {
        for place in rounds::order(round, count) {
            let measured = stage.quiet_round(place, settings).await?;
            // The first is a warm-up.
            if round > 0 {
                series[place].rounds.push(measured);
            }
        }
        show(&report::progress(round, settings.rounds))?;
    }
    for (place, series) in series.iter_mut().enumerate() {
        series.memory_kib = stage.memory_kib(place)?;
    }

    show(&report::tables(&series))?;
    if let Some(file) = &settings.json {
        let document = json!({
            "machine": machine,
            "settings": settings,
            "variants": series.iter().map(Series::to_json).collect::<Vec<_>>(),
            "ratios": report::ratios(&series),
        });
        write(file, &format!("{document:#}\n"))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
