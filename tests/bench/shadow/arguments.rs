//! The command line of the bench.

use std::path::PathBuf;

use serde::Serialize;
use support::bench::arguments::{Options, positive};
use support::bench::open_loop::Job;

use crate::variants::{self, V2, Variant};

pub(crate) const HELP: &str = "\
bench-shadow [--rate N] [--seconds N] [--rounds N] [--connections N]
             [--variants A,B,… | --faults] [--json FILE]

  --rate         evenly spaced primary requests per second (default 613; 307 with a failing v2)
  --seconds      time per variant and round (default 3)
  --rounds       number of rounds, after a warm-up (default 16)
  --connections  number of client connections, which stay open (default 16)
  --variants     variants to measure: nothing nothing-again mirror filter ours-0 ours-5 ours-100-after
                 ours-100-with ours-100-parsed, and those of --faults; default: all but `filter`
  --faults       measure nothing, and shadow requests to a v2 that works (v2-well) or fails:
                 v2-refuses v2-silent v2-late v2-cuts v2-long v2-garbage
  --json         write all numbers to this file";

/// Primes. Otherwise all requests could fall on the same point between two ticks of the kernel.
const RATE: u32 = 613;
/// A response of 100 MB costs hundreds of times as much as a normal one. At the higher rate the machine would
/// be busy with generating them.
const RATE_OF_FAULTS: u32 = 307;

/// The role of this process.
pub(crate) enum Arguments {
    Measure(Settings),
    Upstream(String),
    Load { job: Job, query: String },
    Help,
}

/// How to measure.
#[derive(Serialize)]
pub(crate) struct Settings {
    pub(crate) rate: u32,
    pub(crate) seconds: u32,
    pub(crate) rounds: usize,
    pub(crate) connections: u32,
    #[serde(skip)]
    pub(crate) variants: Vec<Variant>,
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
}

impl Settings {
    /// Whether the v2 of some variants fails. Then all variants are measured in another way.
    pub(crate) fn has_faults(&self) -> bool {
        self.variants.iter().any(|one| one.v2 != V2::Shared)
    }
}

pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let arguments: Vec<String> = arguments.collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream", version] => Ok(Arguments::Upstream((*version).to_owned())),
        ["load", query, target, rate, requests, connections] => Ok(Arguments::Load {
            job: Job::read([target, rate, requests, connections])?,
            query: (*query).to_owned(),
        }),
        ["help" | "--help" | "-h"] => Ok(Arguments::Help),
        options => settings(options).map(Arguments::Measure),
    }
}

fn settings(options: &[&str]) -> Result<Settings, String> {
    let mut settings = Settings {
        rate: 0,
        seconds: 3,
        rounds: 16,
        connections: 16,
        variants: variants::usual(),
        json: None,
    };
    let mut options = Options::new(options, HELP);
    while let Some(name) = options.next_name() {
        if name == "--faults" {
            settings.variants = variants::faults();
            continue;
        }
        let value = options.value(name)?;
        match name {
            "--rate" => settings.rate = positive(name, value)?,
            "--seconds" => settings.seconds = positive(name, value)?,
            "--rounds" => settings.rounds = positive(name, value)?,
            "--connections" => settings.connections = positive(name, value)?,
            "--variants" => settings.variants = variants::named(value)?,
            "--json" => settings.json = Some(value.into()),
            _ => return Err(options.unknown(name)),
        }
    }
    if settings.rate == 0 {
        settings.rate = match settings.has_faults() {
            true => RATE_OF_FAULTS,
            false => RATE,
        };
    }
    Ok(settings)
}
