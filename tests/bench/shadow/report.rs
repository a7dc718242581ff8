//! The report of the bench.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use support::bench::rounds;
use support::bench::statistics::Spread;

use crate::arguments::Settings;
use crate::testbed::{Round, Series};
use crate::variants::{Copies, MIRROR, NO_COPIES, NOTHING, V2, Variant, WELL};

type Figure = fn(&Series, usize) -> f64;

/// The figures: name, unit, and value in a round.
const FIGURES: [(&str, &str, Figure); 4] = [
    ("p50", "µs", |series, round| series.rounds[round].p50_us),
    ("p99", "µs", |series, round| series.rounds[round].p99_us),
    ("CPU", "µs", |series, round| series.rounds[round].cpu_us),
    ("memory", "MiB", |series, _| {
        series.memory_kib as f64 / 1024.0
    }),
];

/// The variants that others are compared with, if they are measured.
const BASES: [(&str, &str); 4] = [
    (NOTHING, "to nothing"),
    (MIRROR, "to the mirror"),
    (NO_COPIES, "to ours-0"),
    (WELL, "to v2-well"),
];

const NOTES: &str = "\
Each variant has its own Envoy with one worker: envoy/cluster-header.yaml without access log. v1, v2
and the client are separate processes on the same cores. v1 and v2 respond at once with 2 KB, so a
user waits only for the proxy and the ratios are the worst case; behind a slower service they are
closer to 1. The client sends evenly spaced requests, never a burst, and latency counts from when a
request was due. A round runs every variant once, in an order that changes. Ratios compare numbers of
the same round. CPU is the CPU time of the whole Envoy process per primary request, including its
shadow request. The responses of v1 and v2 are equal byte by byte, except in ours-100-parsed, where
their keys have another order. The mirror compares nothing; ours compares every response and sends
the same shadow requests as the mirror. nothing-again shows the effect of chance.
";

const NOTES_OF_FAULTS: &str = "\
The variants v2-… send a shadow request for every request, after_answer, each to its own v2: a process
that responds as v1 does (v2-well), refuses connections, never responds, responds after 30 s, closes
the connection within the body, responds with 100 MB, or with bytes that are not HTTP. Every sampled
request has an outcome, and none is in flight, before the next variant runs; CPU counts up to the last
outcome. The outcomes include the requests that warm the connections as fast as they can, which causes
dropped_busy in v2-well. Envoy reads 256 KiB of 100 MB and closes the connection. v2 runs on the same
cores, so the report shows how much of the machine it takes. At other rates shadow requests and
primary requests compete differently.
";
/// The share of the machine, in percent, above which v2 distorts the numbers.
const MAX_V2_SHARE: f64 = 10.0;

pub(crate) fn opening(settings: &Settings, machine: &Value) -> String {
    let Settings {
        rate,
        seconds,
        rounds,
        connections,
        ..
    } = settings;
    let text = |name: &str| machine[name].as_str().unwrap_or_default().to_owned();
    format!(
        "The cost of a shadow request for the request that the user waits for.\n\n{NOTES}{faults}\n\
         {cores} cores of {cpu}, Linux {kernel}, Envoy {envoy}\n\
         {rate} requests/s on {connections} connections, {seconds} s a round, {rounds} rounds and a warm-up\n",
        faults = if settings.has_faults() {
            NOTES_OF_FAULTS
        } else {
            ""
        },
        cores = machine["cores"],
        cpu = text("cpu"),
        kernel = text("kernel"),
        envoy = text("envoy"),
    )
}

/// The figures of all variants, the outcomes of the shadow requests, and the targets.
pub(crate) fn tables(series: &[Series]) -> String {
    let mut text = String::new();
    let bases: Vec<(&Series, &str)> = BASES
        .into_iter()
        .filter_map(|(base, to)| Some((find(series, base)?, to)))
        .collect();
    for (name, unit, figure) in FIGURES {
        let title = match name {
            "CPU" => format!("CPU per request, {unit}"),
            "memory" => format!("memory at the end, {unit}"),
            name => format!("{name} of the primary requests, {unit}"),
        };
        text += &format!("\n{title:<43}");
        for (_, to) in &bases {
            text += &format!(" {to:<18}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        for one in series {
            let value = spread(one, one, |a, _, round| figure(a, round));
            text += &format!("  {:<34}{:>7.1}", label(&one.variant), value.median);
            for (base, _) in &bases {
                text += &format!(" {:<18}", shown(ratio(one, base, figure)));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
    }
    text + &shadow_requests(series)
        + &targets(series)
        + &v2_shares(series)
        + "\n"
        + &rounds::trust(series, |round| round.client_late_us)
}

/// The ratios of all variants to those they are compared with, for JSON.
pub(crate) fn ratios(series: &[Series]) -> Value {
    let to = |one: &Series, other: &str| -> Option<Value> {
        let other = find(series, other)?;
        let ratios = FIGURES.into_iter().filter_map(|(name, _, figure)| {
            Some((name.to_owned(), ratio(one, other, figure)?.to_json()))
        });
        let ratios: Map<String, Value> = ratios.collect();
        (!ratios.is_empty()).then_some(Value::Object(ratios))
    };
    let mut all = Map::new();
    for one in series {
        let ratios = BASES.map(|(base, _)| (base.to_owned(), json!(to(one, base))));
        let ratios = Map::from_iter(ratios);
        all.insert(one.variant.name.to_owned(), Value::Object(ratios));
    }
    Value::Object(all)
}

fn find<'a>(series: &'a [Series], name: &str) -> Option<&'a Series> {
    series.iter().find(|one| one.variant.name == name)
}

/// The ratio of one to the other in the same rounds; `None` for the same variant.
fn ratio(one: &Series, other: &Series, figure: Figure) -> Option<Spread> {
    let itself = one.variant.name == other.variant.name;
    (!itself).then(|| {
        spread(one, other, |a, b, round| {
            figure(a, round) / figure(b, round)
        })
    })
}

fn spread(a: &Series, b: &Series, figure: impl Fn(&Series, &Series, usize) -> f64) -> Spread {
    let rounds = a.rounds.len().min(b.rounds.len());
    Spread::of((0..rounds).map(|round| figure(a, b, round)))
}

fn shown(ratio: Option<Spread>) -> String {
    let Some(ratio) = ratio else {
        return String::new();
    };
    let Spread {
        median,
        least,
        greatest,
        ..
    } = ratio;
    match least == greatest {
        true => format!("{median:.2}"),
        false => format!("{median:.2} ({least:.2}..{greatest:.2})"),
    }
}

fn label(variant: &Variant) -> String {
    let what = match variant.copies {
        Copies::Nothing if variant.name == NOTHING => "no filter",
        Copies::Nothing => "the same again",
        Copies::Mirror => "100 %, Envoy's own",
        Copies::Filter => "mode dark",
        Copies::Ours { percent: 0, .. } => "0 %",
        Copies::Ours { percent: 5, .. } => "5 %, after_answer",
        Copies::Ours { send, .. } => send,
    };
    format!("{:<16}{what}", variant.name)
}

/// The number of shadow requests, and their outcomes.
fn shadow_requests(series: &[Series]) -> String {
    let mut text =
        String::from("\nshadow requests that reached v2, of the requests that v1 served\n");
    for one in series {
        let sum = |count: fn(&Round) -> u64| one.rounds.iter().map(count).sum::<u64>();
        let mut outcomes = BTreeMap::<&str, u64>::new();
        for (name, count) in one.rounds.iter().flat_map(|round| &round.outcomes) {
            *outcomes.entry(name).or_default() += count;
        }
        let outcomes: Vec<String> = outcomes
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        text += &format!(
            "  {:<16}{:>10} of {:<10}{}\n",
            one.variant.name,
            sum(|round| round.shadow_requests),
            sum(|round| round.primaries),
            outcomes.join(", ")
        );
    }
    text
}

/// Whether the targets are met. A missed one does not fail the bench.
fn targets(series: &[Series]) -> String {
    let mut text = String::from("\ntargets\n");
    let at_100 = [(0, 1.10), (1, 1.05), (2, 1.20)];
    let at_5 = [(0, 1.05), (1, 1.05)];
    let at_fault = [(1, 1.10)];
    for one in series {
        // The target at 5 % is relative to no filter. The ratio to 0 % shows the cost of shadowing alone.
        let (bases, targets): (&[&str], &[(usize, f64)]) = match one.variant.copies {
            _ if one.variant.fault().is_some() => (&[WELL], &at_fault),
            Copies::Ours { percent: 100, .. } => (&[MIRROR], &at_100),
            Copies::Ours { percent: 5, .. } => (&[NOTHING, NO_COPIES], &at_5),
            _ => continue,
        };
        for base in bases.iter().filter_map(|base| find(series, base)) {
            for (place, target) in targets {
                let (name, _, figure) = FIGURES[*place];
                let Some(Spread { median, .. }) = ratio(one, base, figure) else {
                    continue;
                };
                let met = if median <= *target { "met" } else { "MISSED" };
                text += &format!(
                    "  {:<16}{name:<4}{median:.2} x {:<9}at most {target:.2}   {met}\n",
                    one.variant.name, base.variant.name
                );
            }
        }
    }
    text
}

/// How much of the machine each v2 of a variant took, and whether that distorts the numbers.
fn v2_shares(series: &[Series]) -> String {
    let own = series.iter().filter(|one| one.variant.v2 != V2::Shared);
    let lines = own.map(|one| {
        let Spread { median, .. } = Spread::of(one.rounds.iter().map(|round| round.v2_share));
        let name = one.variant.name;
        match median > MAX_V2_SHARE {
            true => format!(
                "  {name:<16}{median:>4.1} %   DISTORTED: the proxy and the client waited for cores\n"
            ),
            false => format!("  {name:<16}{median:>4.1} %\n"),
        }
    });
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\nshare of the machine that the v2 of a variant took\n{lines}"),
    }
}
