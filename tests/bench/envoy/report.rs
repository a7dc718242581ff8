//! The report of the bench.

use serde_json::{Map, Value, json};
use support::bench::policy::{ACCOUNTS, PERCENT};
use support::bench::rounds;
use support::bench::statistics::Spread;

use crate::arguments::Settings;
use crate::series::{Round, Series, find};
use crate::variants::{BASE, GUARDED, LEAST, OF_FILE, UNGUARDED, Variant};

type Figure = fn(&Round) -> f64;

/// The figures with ratios, by their names in JSON.
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
        "The cost of a request in Envoy, and what a decision adds to it.\n\n\
         Each variant has its own Envoy with one worker: envoy/cluster-header.yaml without access log, with\n\
         other routes or another filter. Variants with a split send {PERCENT} % to v2. Turnout has a segment of\n\
         {ACCOUNTS} accounts and three rules; half of the requests are for accounts of the segment. v1, v2 and\n\
         the client are separate processes on the same cores; v1 and v2 respond at once.\n\
         CPU is the CPU time of the whole Envoy process per request, while {connections} connections send as fast\n\
         as they get responses. p50 and p99 are latencies at {rate} evenly spaced requests/s, counted from when a\n\
         request was due. A round runs every variant once, in an order that changes. Ratios compare numbers of\n\
         the same round; quartiles over all rounds are in parentheses.\n\n\
         {}\n\
         {rounds} rounds of {times}{seconds} s, and a warm-up\n",
        self::machine(machine),
        times = if *rate == 0 { "" } else { "twice " },
    )
}

/// The machine on one line.
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

/// The figures of all variants.
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
        // Latency was not measured in every section.
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
    text + &to_others(series) + &trust(series)
}

/// The ratio of the guarded variant to the same without a guard, and the ratios to the build of `--wasm`.
fn to_others(series: &[Series]) -> String {
    let of_file = OF_FILE.into_iter();
    let of_file = of_file.flat_map(|(of_file, names)| names.map(|name| (name, of_file)));
    let pairs = [(GUARDED, UNGUARDED)].into_iter().chain(of_file);
    let mut text = String::new();
    for (name, to) in pairs {
        let Some((one, to)) = find(series, name).zip(find(series, to)) else {
            continue;
        };
        // Latency is not measured with `--rate 0`.
        let figures = FIGURES.into_iter();
        let measured = figures.filter(|(_, of)| !one.spread(*of).median.is_nan());
        let ratios: Vec<String> = measured
            .map(|(figure, of)| format!("{figure} {}", shown(one.ratio(to, of))))
            .collect();
        let ratios = ratios.join(", ");
        let names = [one, to].map(|series| series.variant.name).join(" to ");
        text += &format!("\n{names}: {ratios}");
    }
    match text.is_empty() {
        true => text,
        false => text + "\n",
    }
}

/// The ratios of all variants to weighted clusters, and of the guarded variant to the same without a guard, for JSON.
/// Null if neither was measured.
pub(crate) fn ratios(series: &[Series]) -> Value {
    let guarded: Vec<&Series> = find(series, GUARDED).into_iter().collect();
    let mut all = Map::new();
    for (base, variants) in [(BASE, series.iter().collect()), (UNGUARDED, guarded)] {
        if let Some(base_series) = find(series, base) {
            all.insert(base.to_owned(), ratios_to(base_series, &variants));
        }
    }
    match all.is_empty() {
        true => Value::Null,
        false => all.into(),
    }
}

fn ratios_to(base: &Series, variants: &[&Series]) -> Value {
    let of = |one: &Series| {
        let ratios = FIGURES.map(|(name, figure)| (name, one.ratio(base, figure).to_json()));
        json!(
            ratios
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>()
        )
    };
    let all = variants.iter();
    let all = all.map(|one| (one.variant.name.to_owned(), of(one)));
    all.collect::<Map<_, _>>().into()
}

/// A ratio with its quartiles.
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

/// How far the numbers can be trusted.
pub(crate) fn trust(series: &[Series]) -> String {
    let busy = series.iter().flat_map(|one| &one.rounds);
    let busy = Spread::of(busy.map(|round| round.busy));
    format!(
        "\nAll responses came from the expected upstream, and the filter's counters are exact.\n\
         While CPU was measured Envoy took {:.0} % of a core ({:.0}..{:.0}).\n\
         {}",
        busy.median,
        busy.least,
        busy.greatest,
        rounds::trust(series, |round| round.client_late_us),
    )
}
