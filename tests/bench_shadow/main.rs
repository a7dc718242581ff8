//! `make bench-shadow`: what a copy of each request to v2 costs the request that the user waits for.
//!
//! One Envoy per variant, all alike but for what copies; v1, v2 and the client are processes of
//! their own. No number fails it. It ends with 1 when an answer was wrong or lost, or when the
//! copies and the filter's counters do not add up.

mod arguments;
mod document;
mod load;
mod machine;
mod report;
mod round;
mod statistics;
mod upstream;
mod variants;

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::arguments::{Arguments, Settings};
use crate::report::show;
use crate::round::Stage;
use crate::statistics::Series;

fn main() -> ExitCode {
    let ended = match arguments::read(std::env::args().skip(1)) {
        Ok(Arguments::Upstream(version)) => upstream::serve(&version),
        Ok(Arguments::Load(job)) => load::run(&job),
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
        for place in order(round, count) {
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

/// The order of one round, so that whatever drifts hits all variants alike. It is a Williams design:
/// over as many rounds as there are variants, each stands at every place once, and, where their
/// number is even, right behind every other once. The next rounds go backwards.
fn order(round: usize, count: usize) -> Vec<usize> {
    let zigzag = |place: usize| match place % 2 {
        0 => place / 2,
        _ => count - place.div_ceil(2),
    };
    let mut order: Vec<usize> = (0..count)
        .map(|place| (zigzag(place) + round) % count)
        .collect();
    if (round / count) % 2 == 1 {
        order.reverse();
    }
    order
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
