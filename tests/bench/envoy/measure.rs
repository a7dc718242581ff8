//! Measures all variants and prints the table.

use serde_json::{Value, json};
use support::bench::{machine, rounds, write, write_json};
use support::terminal::show;

use crate::arguments::Settings;
use crate::series::Series;
use crate::testbed::Testbed;
use crate::{plot, report};

pub(crate) async fn measure(settings: &Settings) -> Result<(), String> {
    let mut testbed = Testbed::start(settings).await?;
    let machine = machine::describe(&testbed.envoy_version().await?);
    show(&report::opening(settings, &machine))?;

    let series = rounds::run(&mut testbed, &settings.variants, settings.rounds, settings).await?;

    show(&report::table(&series))?;
    if let Some(file) = &settings.json {
        let document = json!({
            "machine": machine,
            "settings": settings,
            "variants": series.iter().map(to_json).collect::<Vec<_>>(),
            "ratios": report::ratios(&series),
        });
        write_json(file, &document)?;
    }
    if let Some((file, plot)) = settings.svg.as_ref().zip(plot::svg(&series, &machine)) {
        write(file, &plot)?;
    }
    Ok(())
}

fn to_json(series: &Series) -> Value {
    let mut json = series.to_json(series.variant.name);
    json["what"] = json!(series.variant.what);
    json
}
