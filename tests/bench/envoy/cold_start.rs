//! Cold start: the time until the first decided request, of an Envoy that starts and of a running one that gets
//! another policy; and the size of the code.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::bench::accounts::sid;
use support::bench::policy::{ACCOUNTS, Policy};
use support::bench::statistics::Spread;
use support::bench::{Upstream, machine, rounds, write_json};
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy, LOGGED_HEADER, file, logged};
use support::render::discovered;
use support::temp_folder::Folder;
use support::terminal::show;
use support::wasm::{filter_wasm, lean_wasm, sdk_nothing_wasm};
use turnout_core::{Configuration, Headers, Time, Treatment, decide};

use crate::arguments::Settings;
use crate::report;
use crate::variants::{self, BASE, Variant, scaled};

/// The variants that are started, the first without a filter, besides Turnout with few and with many accounts.
const STARTED: [&str; 3] = [BASE, "lua", "sdk-nothing"];
/// The time after which a response will not come.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_micros(500);
const SIZES: [u32; 2] = [100, ACCOUNTS];

pub(crate) async fn measure(settings: &Settings) -> Result<(), String> {
    let upstreams = [Upstream::start("v1")?, Upstream::start("v2")?];
    let mut starts = Vec::new();
    for name in STARTED {
        let variant = variants::find(name)?;
        starts.push((variant, Asked::of(ACCOUNTS)?, Vec::new()));
    }
    for accounts in SIZES {
        let policy = Policy {
            accounts,
            ..Policy::of("split")
        };
        let what = if accounts == ACCOUNTS {
            "Turnout, 100,000 accounts"
        } else {
            "Turnout, 100 accounts"
        };
        starts.push((
            scaled("split", what, policy),
            Asked::of(accounts)?,
            Vec::new(),
        ));
    }
    if let Some(variant) = settings.wasm.first() {
        starts.push((*variant, Asked::of(ACCOUNTS)?, Vec::new()));
    }
    let mut version = String::new();
    // The first run is a warm-up that brings the files into memory.
    for round in 0..=settings.rounds {
        for (variant, asked, times) in &mut starts {
            let (took, of) = start(variant, asked, &upstreams).await?;
            version = of;
            if round > 0 {
                times.push(took.as_secs_f64() * 1e3);
            }
        }
        rounds::show_progress(round, settings.rounds)?;
    }
    let mut swaps = Vec::new();
    for accounts in SIZES {
        let policy = Policy {
            accounts,
            ..Policy::of("split")
        };
        swaps.push((accounts, swap(policy, settings.rounds, &upstreams).await?));
    }

    let machine = machine::describe(&version);
    let starts: Vec<_> = starts
        .into_iter()
        .map(|(variant, _, times)| (variant, times))
        .collect();
    let sizes = [
        ("Turnout", filter_wasm()),
        ("Turnout, lean", lean_wasm()),
        ("sdk-nothing", sdk_nothing_wasm()),
    ];
    let mut code = Vec::new();
    for (name, path) in sizes {
        let size = std::fs::metadata(&path).map_err(|error| format!("{name}: {error}"))?;
        code.push((name, size.len()));
    }
    show(&table(&starts, &swaps, &code, &machine))?;
    if let Some(file) = &settings.json {
        let document = json!({
            "machine": machine,
            "rounds": settings.rounds,
            "start_ms": starts.iter().map(|(variant, times)| json!({
                "name": variant.name, "what": variant.what, "ms": times, "ratio": ratio(times, &starts[0].1).to_json(),
            })).collect::<Vec<Value>>(),
            "swap_ms": swaps.iter().map(|(accounts, times)| json!({
                "accounts": accounts, "ms": times,
            })).collect::<Vec<Value>>(),
            "code_bytes": code.iter().map(|(name, bytes)| json!({
                "name": name, "bytes": bytes,
            })).collect::<Vec<Value>>(),
        });
        write_json(file, &document)?;
    }
    Ok(())
}

/// A request that the policy sends to v2, so that its response shows that the filter decided.
struct Asked {
    sid: String,
}

impl Asked {
    fn of(accounts: u32) -> Result<Self, String> {
        let policy = Policy {
            accounts,
            ..Policy::of("split")
        };
        let text = policy.configuration("asked")?;
        let Configuration { plan, inbound, .. } =
            Configuration::from_json(text.as_bytes()).map_err(|problems| problems.to_string())?;
        let is_v2 = |sid: &String| {
            let headers = [
                (":authority", "flex.example.com"),
                (":path", "/v1/Channels"),
                (":method", "GET"),
                ("x-account-sid", sid),
            ];
            let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            let request = plan.request(Headers::new(&headers), inbound, Time::default());
            decide(&plan, &request).treatment == Treatment::V2
        };
        let sid = (0..accounts).map(sid).find(is_v2);
        Ok(Self {
            sid: sid.ok_or_else(|| format!("v2 has none of {accounts} accounts"))?,
        })
    }

    fn request(&self) -> Request {
        Request::get("/v1/Channels")
            .header("host", "flex.example.com")
            .header("x-account-sid", &self.sid)
    }
}

/// The time from the start of the process to the first decided response, and Envoy's version.
async fn start(
    variant: &Variant,
    asked: &Asked,
    [v1, v2]: &[Upstream; 2],
) -> Result<(Duration, String), String> {
    let folder = Folder::new();
    let text = variant.configuration(folder.path())?;
    let address = free()?;
    let bootstrap = Bootstrap::new(text, v1.address(), v2.address())
        .concurrency(1)
        .listen_on(address.port());
    let (start, deadline) = (Instant::now(), Instant::now() + PATIENCE);
    let envoy = tokio::spawn(Envoy::start(bootstrap));
    let client = Client::new(address);
    let took = loop {
        if let Ok(response) = client.try_send(asked.request()).await {
            let is_decided = variant.kind() != variants::Kind::Turnout
                || response
                    .headers
                    .get("x-version")
                    .is_some_and(|version| version == "v2");
            match response.status {
                200 if is_decided => break start.elapsed(),
                200 => return Err(format!("{}: a response was not decided", variant.name)),
                _ => {}
            }
        }
        if Instant::now() > deadline {
            return Err(format!("{}: no response", variant.name));
        }
        tokio::time::sleep(POLL).await;
    };
    let envoy = envoy.await.map_err(|error| error.to_string())?;
    Ok((took, envoy.version().await?))
}

/// A free port.
fn free() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))
}

/// The time, in milliseconds, from the rename of the filter's file to the first response under the new
/// policy.
async fn swap(policy: Policy, swaps: usize, [v1, v2]: &[Upstream; 2]) -> Result<Vec<f64>, String> {
    let first = discovered(&policy.configuration("r0")?);
    let text = file("live-policy.yaml");
    let bootstrap = Bootstrap::live(text, first, v1.address(), v2.address());
    let envoy = Envoy::start(bootstrap.expose_decision().concurrency(1)).await;
    let client = envoy.client();
    let mut all = Vec::new();
    for number in 1..=swaps {
        let revision = format!("r{number}");
        let filter = discovered(&policy.configuration(&revision)?);
        let written = envoy.watched().join(".filter.json.new");
        let error = |error: std::io::Error| format!("cannot write the filter's file: {error}");
        std::fs::write(&written, filter).map_err(error)?;
        let (start, deadline) = (Instant::now(), Instant::now() + PATIENCE);
        std::fs::rename(&written, envoy.watched().join("filter.json")).map_err(error)?;
        loop {
            let response = client.try_send(Request::get("/v1/Channels")).await?;
            if response.status != 200 {
                return Err(format!("status {} at a swap", response.status));
            }
            let decided = response
                .headers
                .get(LOGGED_HEADER)
                .map(|entry| logged(entry.as_bytes()));
            if decided.is_some_and(|decided| decided["revision"] == revision) {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("revision {revision} never decides"));
            }
            tokio::time::sleep(POLL).await;
        }
        all.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(all)
}

fn ratio(times: &[f64], base: &[f64]) -> Spread {
    Spread::of(times.iter().zip(base).map(|(own, base)| own / base))
}

fn table(
    starts: &[(Variant, Vec<f64>)],
    swaps: &[(u32, Vec<f64>)],
    code: &[(&str, u64)],
    machine: &Value,
) -> String {
    let mut text = format!(
        "\nTime until the first decided request; one worker, medians of {} (quartiles).\n\n{}\n\n\
         from the start of the Envoy process             ms  to {BASE}\n",
        starts.first().map_or(0, |(_, times)| times.len()),
        report::machine(machine),
    );
    let base = starts.first().map_or(&[][..], |(_, times)| times);
    for (variant, times) in starts {
        text += &format!(
            "  {:<40} {:>7.1}  {}\n",
            format!("{:<14}{}", variant.name, variant.what),
            Spread::of(times.iter().copied()).median,
            report::shown(ratio(times, base)),
        );
    }
    text += "\nfrom the rename of filter.json, with loaded code\n";
    for (accounts, times) in swaps {
        let Spread {
            median,
            lower,
            upper,
            ..
        } = Spread::of(times.iter().copied());
        text += &format!(
            "  {:<40} {median:>7.1}  ({lower:.1}..{upper:.1})\n",
            format!("{accounts} accounts")
        );
    }
    text += "\nthe code\n";
    for (name, bytes) in code {
        text += &format!("  {name:<40} {bytes:>7}  bytes\n");
    }
    text.truncate(text.trim_end().len());
    text
}
