//! Costs that grow with the policy: memory of a worker, time to load the policy, and CPU per request, by
//! the number of accounts and rollouts.

use serde_json::{Value, json};
use support::bench::policy::{ACCOUNTS, Policy};
use support::bench::statistics::Spread;
use support::bench::{Upstream, machine, rounds, write_json};
use support::client::Request;
use support::envoy::{Bootstrap, Envoy};
use support::temp_folder::Folder;
use support::terminal::show;

use crate::arguments::Settings;
use crate::report;
use crate::series::Series;
use crate::testbed::Testbed;
use crate::variants::{Variant, scaled};

/// The sizes. The first of each kind is the base of the others.
const SIZES: [(&str, Policy); 9] = [
    accounts("10 accounts", 10),
    accounts("1,000 accounts", 1_000),
    accounts("10,000 accounts", 10_000),
    accounts("100,000 accounts", ACCOUNTS),
    accounts("1,000,000 accounts", 1_000_000),
    rollouts("1 rollout", 1),
    rollouts("10 rollouts", 10),
    rollouts("100 rollouts", 100),
    rollouts("1,000 rollouts", 1_000),
];
/// The number of additional workers whose memory is measured.
const MORE_WORKERS: u32 = 2;
/// A difference in bytes that chance can explain.
const NOISE: f64 = 1_048_576.0;
/// Requests before memory is measured, so that everything they need is allocated.
const REQUESTS: usize = 500;

const fn accounts(name: &'static str, accounts: u32) -> (&'static str, Policy) {
    let policy = Policy::of("split");
    (name, Policy { accounts, ..policy })
}

const fn rollouts(name: &'static str, rollouts: u32) -> (&'static str, Policy) {
    let policy = Policy::of("split");
    (name, Policy { rollouts, ..policy })
}

/// The measurements of one size.
struct Size {
    name: &'static str,
    policy: Policy,
    /// Memory of each additional worker, in bytes.
    worker: f64,
    /// Memory of the whole Envoy with one worker.
    whole: f64,
    /// The time that a worker needs to load the policy, in milliseconds.
    load_ms: Spread,
}

pub(crate) async fn measure(settings: &Settings) -> Result<(), String> {
    let upstreams = [Upstream::start("v1")?, Upstream::start("v2")?];
    let variants: Vec<Variant> = SIZES
        .iter()
        .map(|(name, policy)| scaled(name, "", *policy))
        .collect();
    let mut sizes = Vec::new();
    for ((name, policy), variant) in SIZES.into_iter().zip(&variants) {
        let (one, load_ms) = memory(variant, 1, &upstreams).await?;
        let (more, _) = memory(variant, 1 + MORE_WORKERS, &upstreams).await?;
        sizes.push(Size {
            name,
            policy,
            worker: (more - one) / f64::from(MORE_WORKERS),
            whole: one,
            load_ms,
        });
        show(&format!("memory with {name} done"))?;
    }
    let settings = Settings {
        rate: 0,
        variants,
        wasm: Vec::new(),
        json: settings.json.clone(),
        svg: None,
        ..*settings
    };
    let mut testbed = Testbed::start(&settings).await?;
    let machine = machine::describe(&testbed.envoy_version().await?);
    let series = rounds::run(&mut testbed, &settings.variants, settings.rounds, &settings).await?;

    show(&table(&sizes, &series, &machine))?;
    if let Some(file) = &settings.json {
        let all = sizes
            .iter()
            .zip(&series)
            .map(|(size, series)| size.to_json(&sizes, series));
        let document = json!({
            "machine": machine,
            "settings": settings,
            "sizes": all.collect::<Vec<Value>>(),
        });
        write_json(file, &document)?;
    }
    Ok(())
}

/// The memory of an Envoy with so many workers, and the time that each worker needed to load the policy.
async fn memory(
    variant: &Variant,
    workers: u32,
    [v1, v2]: &[Upstream; 2],
) -> Result<(f64, Spread), String> {
    let folder = Folder::new();
    let text = variant.configuration(folder.path())?;
    let bootstrap = Bootstrap::new(text, v1.address(), v2.address()).concurrency(workers);
    let envoy = Envoy::start(bootstrap).await;
    let client = envoy.client();
    for _ in 0..REQUESTS {
        let response = client.try_send(Request::get("/v1/Channels")).await?;
        if response.status != 200 {
            return Err(format!("{}: status {}", variant.name, response.status));
        }
    }
    let log = envoy.settled_log().await;
    let took = log.iter().filter_map(|line| {
        let (_, rest) = line.split_once("configuration accepted: ")?;
        let (_, took) = rest.rsplit_once(", in ")?;
        took.trim().strip_suffix(" ms")?.parse().ok()
    });
    // The first time is the one of the main thread, which serves no requests.
    let took: Vec<f64> = took.skip(1).collect();
    if took.is_empty() {
        return Err(format!("{}: the log has no load time", variant.name));
    }
    let bytes = machine::memory_kib(envoy.id())? as f64 * 1024.0;
    Ok((bytes, Spread::of(took.into_iter())))
}

impl Size {
    /// The base of the comparison.
    fn base<T>(&self, all: &[Self], of: impl Fn(usize) -> T) -> T {
        let is_base = |other: &Self| other.is_of_accounts() == self.is_of_accounts();
        of(all.iter().position(is_base).unwrap_or_default())
    }

    fn is_of_accounts(&self) -> bool {
        self.name.ends_with("accounts")
    }

    /// Bytes for each additional account or rollout, in a worker and in the whole Envoy with one worker.
    /// `None` if chance can explain the difference.
    fn each(&self, all: &[Self]) -> [Option<f64>; 2] {
        let base = self.base(all, |place| &all[place]);
        let of = |size: &Self| match self.is_of_accounts() {
            true => size.policy.accounts,
            false => size.policy.rollouts,
        };
        let more = f64::from(of(self)) - f64::from(of(base));
        [self.worker - base.worker, self.whole - base.whole]
            .map(|own| (own > NOISE).then(|| own / more))
    }

    fn to_json(&self, all: &[Self], series: &Series) -> Value {
        let [worker, whole] = self.each(all);
        json!({
            "name": self.name,
            "accounts": self.policy.accounts,
            "rollouts": self.policy.rollouts,
            "worker_bytes": self.worker,
            "whole_bytes": self.whole,
            "bytes_each_worker": worker,
            "bytes_each_whole": whole,
            "load_ms": self.load_ms.to_json(),
            "rounds": series.rounds,
        })
    }
}

fn table(sizes: &[Size], series: &[Series], machine: &Value) -> String {
    let mut text = format!(
        "\nCosts that grow with the policy, for Turnout in mode split. The memory of a worker is what each of {MORE_WORKERS}\n\
         additional workers adds. The whole is Envoy with one worker; its main thread also has a VM and the\n\
         configuration. `each` is per account, or rollout, beyond those of the first line.\n\n\
         {}\n\n\
         {:<20} {:>11} {:>9} {:>11} {:>9} {:>8} {:>8}  to the first\n",
        report::machine(machine),
        "",
        "worker MiB",
        "B each",
        "whole MiB",
        "B each",
        "load ms",
        "CPU µs",
    );
    for (size, one) in sizes.iter().zip(series) {
        let each = |place: usize| {
            let each = size.each(sizes)[place];
            each.map(|each| format!("{each:.1}")).unwrap_or_default()
        };
        let base = size.base(sizes, |place| &series[place]);
        let ratio = one.ratio(base, |round| round.cpu_us);
        text += &format!(
            "{:<20} {:>11.2} {:>9} {:>11.1} {:>9} {:>8.1} {:>8.2}  {}\n",
            size.name,
            size.worker / 1_048_576.0,
            each(0),
            size.whole / 1_048_576.0,
            each(1),
            size.load_ms.median,
            one.spread(|round| round.cpu_us).median,
            report::shown(ratio),
        );
    }
    text + &report::trust(series)
}
