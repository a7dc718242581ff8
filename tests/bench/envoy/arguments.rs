//! The command line of the bench.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use support::bench::arguments::{Options, number, positive};
use support::bench::open_loop;

use crate::closed_loop;
use crate::traffic::Traffic;
use crate::variants::{self, Variant};

pub(crate) const HELP: &str = "\
bench [--scale | --cold] [--rounds N] [--seconds S] [--rate N] [--connections N] [--only A,B,…]
      [--wasm FILE] [--json FILE] [--svg FILE]

  --scale        measure memory, loading time and CPU by the number of accounts and rollouts
  --cold         measure the time until the first decided request

  --rounds       number of rounds, after a warm-up (default 10)
  --seconds      time per variant and round, for CPU and again for latency (default 1.5)
  --rate         evenly spaced requests per second for the latency (default 1009; 0 skips it)
  --connections  number of client connections, which stay open (default 16)
  --only         variants to measure; default: single weighted sticky lua nothing sdk-nothing off dark
                 shadow-0 split split-requests split-guarded split-lean off-least split-least; others:
                 off-lean weighted-again weighted-bare weighted-log split-log no-callback
  --wasm         another build of the filter to measure in modes split and off; also prints the ratios of the
                 current build to it
  --json         write all numbers to this file
  --svg          write the plot to this file";

/// A prime. Otherwise all requests could fall on the same point between two ticks of the kernel.
const RATE: u32 = 1_009;
const SECONDS: f64 = 1.5;

/// The role of this process.
pub(crate) enum Arguments {
    Measure(Section, Settings),
    Upstream(String),
    Open {
        job: open_loop::Job,
        traffic: Traffic,
    },
    Closed(closed_loop::Job),
    Help,
}

/// What to measure.
#[derive(Clone, Copy)]
pub(crate) enum Section {
    Requests,
    Scale,
    Cold,
}

/// How to measure.
#[derive(Serialize)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) rate: u32,
    pub(crate) connections: u32,
    #[serde(skip)]
    pub(crate) variants: Vec<Variant>,
    #[serde(skip)]
    pub(crate) wasm: Vec<Variant>,
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
    #[serde(skip)]
    pub(crate) svg: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let arguments: Vec<String> = arguments.collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream", version] => Ok(Arguments::Upstream((*version).to_owned())),
        ["open", seed, segment, target, rate, requests, connections] => Ok(Arguments::Open {
            job: open_loop::Job::read([target, rate, requests, connections])?,
            traffic: traffic(seed, segment)?,
        }),
        ["closed", seed, segment, target, milliseconds, connections] => {
            Ok(Arguments::Closed(closed_loop::Job {
                target: number("closed", target)?,
                traffic: traffic(seed, segment)?,
                milliseconds: number("closed", milliseconds)?,
                connections: number("closed", connections)?,
            }))
        }
        ["help" | "--help" | "-h"] => Ok(Arguments::Help),
        options => {
            settings(options).map(|(section, settings)| Arguments::Measure(section, settings))
        }
    }
}

fn traffic(seed: &str, segment: &str) -> Result<Traffic, String> {
    Ok(Traffic {
        seed: number("seed", seed)?,
        segment: number("segment", segment)?,
    })
}

fn settings(options: &[&str]) -> Result<(Section, Settings), String> {
    let mut section = Section::Requests;
    let mut settings = Settings {
        rounds: 10,
        seconds: SECONDS,
        rate: RATE,
        connections: 16,
        variants: variants::usual(),
        wasm: Vec::new(),
        json: None,
        svg: None,
    };
    let mut options = Options::new(options, HELP);
    while let Some(name) = options.next_name() {
        match name {
            "--scale" => {
                section = Section::Scale;
                continue;
            }
            "--cold" => {
                section = Section::Cold;
                continue;
            }
            _ => {}
        }
        let value = options.value(name)?;
        match name {
            "--rounds" => settings.rounds = positive(name, value)?,
            "--seconds" => settings.seconds = positive(name, value)?,
            "--rate" => settings.rate = number(name, value)?,
            "--connections" => settings.connections = positive(name, value)?,
            "--only" => settings.variants = variants::named(value)?,
            "--wasm" => settings.wasm = variants::of_file(value).into(),
            "--json" => settings.json = Some(value.into()),
            "--svg" => settings.svg = Some(value.into()),
            _ => return Err(options.unknown(name)),
        }
    }
    if !(0.1..=600.0).contains(&settings.seconds) {
        return Err("--seconds: expected a number from 0.1 to 600".to_owned());
    }
    settings.variants.extend(&settings.wasm);
    let has_base = settings
        .variants
        .iter()
        .any(|one| one.name == variants::BASE);
    if settings.svg.is_some() && !has_base {
        return Err(format!(
            "--svg needs the variant {} in --only",
            variants::BASE
        ));
    }
    Ok((section, settings))
}
