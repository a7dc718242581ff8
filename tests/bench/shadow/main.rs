//! `make bench-shadow`: how much a shadow request costs the request that the user waits for.
//!
//! Each variant has an Envoy of its own, and they differ only in what sends shadow requests. v1, v2 and the
//! client are processes of their own. No number makes it fail. It exits with 1 when a response was wrong or
//! lost, or when the shadow requests and the filter's counters do not add up.

mod arguments;
mod report;
mod response_body;
mod testbed;
mod traffic;
mod upstream;
mod variants;

use std::process::ExitCode;

use serde_json::json;
use support::bench::{self, machine, open_loop, rounds, write_json};
use support::terminal::show;

use crate::arguments::{Arguments, Settings};
use crate::testbed::Testbed;
use crate::traffic::Traffic;

fn main() -> ExitCode {
    let ended = match arguments::read(std::env::args().skip(1)) {
        Ok(Arguments::Upstream(version)) => upstream::serve(&version),
        Ok(Arguments::Load { job, query }) => open_loop::run(&job, Traffic::new(&query)),
        Ok(Arguments::Measure(settings)) => tokio::runtime::Runtime::new()
            .map_err(|error| format!("no runtime: {error}"))
            .and_then(|runtime| runtime.block_on(measure(&settings))),
        Ok(Arguments::Help) => show(arguments::HELP),
        Err(error) => Err(error),
    };
    bench::exit_code("bench-shadow", ended)
}

async fn measure(settings: &Settings) -> Result<(), String> {
    let mut testbed = Testbed::start(settings).await?;
    let machine = machine::describe(&testbed.envoy_version().await?);
    show(&report::opening(settings, &machine))?;

    let series = rounds::run(&mut testbed, &settings.variants, settings.rounds, settings).await?;

    show(&report::tables(&series))?;
    if let Some(file) = &settings.json {
        let document = json!({
            "machine": machine,
            "settings": settings,
            "variants": series.iter().map(|one| one.to_json(one.variant.name)).collect::<Vec<_>>(),
            "ratios": report::ratios(&series),
        });
        write_json(file, &document)?;
    }
    Ok(())
}
