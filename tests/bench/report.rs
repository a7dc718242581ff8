//! What the bench shows.

use harness::bench::rounds;
use harness::bench::statistics::Spread;
use serde_json::{Map, Value, json};

use crate::arguments::Settings;
use crate::policy::{ACCOUNTS, PERCENT};
use crate::series::{Round, Series, find};
use crate::variants::{BASE, LEAST, Variant};

type Figure = fn(&Round) -> f64;

/// What there are ratios of: their names in JSON.
pub(crate) const FIGURES: [(&str, Figure); 3] = [
    ("cpu", |round| round.cpu_us),
    ("p50", |round| round.p50_us),
    ("p99", |round| round.p99_us),
];

pub(crate) fn opening(settings: &Settings, machine: &Value) -> String {
    let Settings {
        rounds,
        seconds,
        rate,
        connections,
        ..
    } = settings;
    format!(
        "What a request costs in Envoy, and what a decision adds.\n\n\
         Each variant has an Envoy of its own with one worker: envoy/cluster-header.yaml without access log,\n\
         with other routes or another filter. Where there is a split, {PERCENT} % go to v2. Turnout has a segment\n\
         of {ACCOUNTS} accounts and three rules; half of the requests are of accounts of the segment. v1, v2\n\
         and the client are processes of their own on the same cores; v1 and v2 answer at once.\n\
         CPU is that of the whole Envoy process per request, while {connections} connections ask as fast as they are\n\
         answered; p50 and p99 are at {rate} requests/s, evenly spaced, from when a request was due. A round\n\
         is one of every variant, each time in another order; ratios are between numbers of the same round,\n\
         (quartiles) of all rounds.\n\n\
         {}\n\
         {rounds} rounds of {times}{seconds} s, and a warm-up\n",
        self::machine(machine),
        times = if *rate == 0 { "" } else { "twice " },
    )
}

/// The machine in a line.
pub(crate) fn machine(machine: &Value) -> String {
    let text = |name: &str| machine[name].as_str().unwrap_or_default();
    format!(
        "{} cores of {}, Linux {}, Envoy {}",
        machine["cores"],
        text("cpu"),
        text("kernel"),
        text("envoy"),
    )
}

pub(crate) fn progress(round: usize, rounds: usize) -> String {
    match round {
        0 => "warm-up done".to_owned(),
        round => format!("round {round} of {rounds} done"),
    }
}

/// Every figure of every variant, and what to know of them.
pub(crate) fn table(series: &[Series]) -> String {
    let [(_, cpu), (_, p50), (_, p99)] = FIGURES;
    let mut text = format!(
        "\n{:<42} {:>7} {:<19} {:>7} {:>7} {:<19} {:>8}\n",
        "", "CPU µs", "to weighted", "p50 µs", "p99 µs", "to weighted", "MiB more"
    );
    let base = find(series, BASE);
    let least = find(series, LEAST);
    for one in series {
        let ratio = |figure| match base {
            Some(base) if !one.spread(figure).median.is_nan() => shown(one.ratio(base, figure)),
            _ => String::new(),
        };
        // Nothing where latency was not measured.
        let microseconds = |figure| match one.spread(figure).median {
            median if median.is_nan() => String::new(),
            median => format!("{median:.0}"),
        };
        let more = least.map(|least| (one.memory_kib as f64 - least.memory_kib as f64) / 1024.0);
        let more = more.map(|more| format!("{more:.1}")).unwrap_or_default();
        text += &format!(
            "  {:<40} {:>7.2} {:<19} {:>7} {:>7} {:<19} {more:>8}\n",
            label(&one.variant),
            one.spread(cpu).median,
            ratio(cpu),
            microseconds(p50),
            microseconds(p99),
            ratio(p99),
        );
    }
    text + &trust(series)
}

/// The ratios of every variant to weighted clusters, for JSON.
pub(crate) fn ratios(series: &[Series]) -> Value {
    let Some(base) = find(series, BASE) else {
        return Value::Null;
    };
    let of = |one: &Series| {
        let ratios = FIGURES.map(|(name, figure)| (name, one.ratio(base, figure).to_json()));
        json!(
            ratios
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>()
        )
    };
    let all = series
        .iter()
        .map(|one| (one.variant.name.to_owned(), of(one)));
    json!({ BASE: all.collect::<Map<_, _>>() })
}

/// A ratio, with the quartiles.
pub(crate) fn shown(ratio: Spread) -> String {
    let Spread {
        median,
        lower,
        upper,
        ..
    } = ratio;
    format!("{median:.3} ({lower:.2}..{upper:.2})")
}

fn label(variant: &Variant) -> String {
    format!("{:<15}{}", variant.name, variant.what)
}

/// What to know before believing any of it.
pub(crate) fn trust(series: &[Series]) -> String {
    let rounds = || series.iter().flat_map(|one| &one.rounds);
    let of = |figure: Figure| Spread::of(rounds().map(figure));
    let (busy, late, others) = (
        of(|round| round.busy),
        of(|round| round.client_late_us),
        of(|round| round.others),
    );
    let late = match late.median.is_nan() {
        true => String::new(),
        false => format!(
            "The client was late to send by {:.0} µs at its 99th percentile ({:.0}..{:.0}); latencies include it.\n",
            late.median, late.least, late.greatest,
        ),
    };
    let shares: Vec<f64> = rounds().map(|round| round.others).collect();
    let repeated = rounds().map(|round| round.repeated).sum();
    format!(
        "\nAll answers were those of v1 or v2 as they should be, and the filter's counters are exact.\n\
         While CPU was measured Envoy had {:.0} % of a core ({:.0}..{:.0}).\n\
         {late}\
         Others had {:.1} % of the machine ({:.1}..{:.1}); {}",
        busy.median,
        busy.least,
        busy.greatest,
        others.median,
        others.least,
        others.greatest,
        rounds::trust(&shares, repeated),
    )
}
