//! All rounds of all variants.

use std::path::Path;

use harness::bench::machine;
use harness::bench::rounds::order;
use harness::terminal::show;
use serde_json::json;

use crate::arguments::Settings;
use crate::series::Series;
use crate::stage::Stage;
use crate::{plot, report};

pub(crate) async fn measure(settings: &Settings) -> Result<(), String> {
    let mut stage = Stage::start(settings).await?;
    let machine = machine::describe(&stage.envoy_version().await?);
    show(&report::opening(settings, &machine))?;

    let series = rounds(&mut stage, settings).await?;

    show(&report::table(&series))?;
    if let Some(file) = &settings.json {
        let document = json!({
            "machine": machine,
            "settings": settings,
            "variants": series.iter().map(Series::to_json).collect::<Vec<_>>(),
            "ratios": report::ratios(&series),
        });
        write(file, &format!("{document:#}\n"))?;
    }
    if let Some((file, plot)) = settings.svg.as_ref().zip(plot::svg(&series, &machine)) {
        write(file, &plot)?;
    }
    Ok(())
}

/// All rounds, and that all was answered and counted.
pub(crate) async fn rounds(stage: &mut Stage, settings: &Settings) -> Result<Vec<Series>, String> {
    let mut series: Vec<Series> = settings.variants.iter().map(Series::new).collect();
    for round in 0..=settings.rounds {
        for place in order(round, series.len()) {
            let measured = stage.quiet_round(place, settings).await?;
            // The first is a warm-up.
            if round > 0 {
                series[place].rounds.push(measured);
            }
        }
        // What is wrong is wrong at once; what is lost may be lost later.
        if round == 0 || round == settings.rounds {
            stage.check().await?;
        }
        show(&report::progress(round, settings.rounds))?;
    }
    for (place, series) in series.iter_mut().enumerate() {
        series.memory_kib = stage.memory_kib(place)?;
    }
    Ok(series)
}

pub(crate) fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
