//! `turnout report`: gives a verdict on v2 from the records of shadow requests.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use turnout_admin::AdminClient;
use turnout_report::{ErrorBudget, RECORDS_HIDDEN, Report, Totals};

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::text_io::{self, is_dash};

/// How long a proxy may take to send its counters.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum size of a proxy's counters, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Report whether v2 is ready, from the records of shadow requests.
///
/// Reads Envoy's log, extracted records and Prometheus text. Prints for each rollout what was compared, what
/// differed, and a verdict: READY, NOT READY or NOT ENOUGH DATA. READY means that the one-sided 95 % upper
/// bound of the percentage of failed requests is at most --allow. A request failed if the responses differ, or
/// if v2 did not respond. A comparison is uncertain if v1 differs from itself: READY counts it as failed, NOT
/// READY does not.
///
/// Clients choose parts of an access log, so they could write text that looks like a record. A log line
/// therefore counts only if it begins like a line of Envoy's Wasm logger, in Envoy's default format or in
/// Istio's, and was not written to standard output. Other lines that look like records are reported and not
/// counted. --own-log also reads other formats.
///
/// Pass each record once, and one dump of counters per proxy, each in its own file. Decompress logs first.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  every rollout is READY
  1  a rollout is not READY
  2  there is nothing to report on, or the input has an error

Examples:
  turnout report envoy.log --admin http://127.0.0.1:9901
  kubectl logs deploy/edge | turnout report - --allow 0.05 --html report.html")]
pub(crate) struct Arguments {
    /// Logs and dumps of counters; `-` reads standard input.
    #[arg(required_unless_present = "admin")]
    files: Vec<PathBuf>,
    /// The admin address of a proxy, to read its counters. May be repeated.
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// Also read records in other log formats, bare records, and records on standard output. Use this only for
    /// files without access log lines, because a client can write records into those.
    #[arg(long)]
    own_log: bool,
    /// The percentage of requests that may fail.
    #[arg(long, value_name = "PERCENT", default_value = "0.1")]
    allow: ErrorBudget,
    /// Report only this rollout. Default: all rollouts.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    /// Also write an HTML page to this file, which is replaced atomically. `-` prints the page instead of text.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match report(arguments) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::No,
        Err(error) => refuse(&error),
    }
}

/// Prints the report; `true` if every rollout is ready.
fn report(arguments: &Arguments) -> Result<bool, String> {
    let html_is_printed = arguments.html.as_deref().is_some_and(is_dash);
    if html_is_printed && arguments.json {
        return Err(
            "--json and --html - both print to standard output; write the page to a file".into(),
        );
    }
    text_io::check_inputs(&arguments.files)?;
    check_proxies(&arguments.admin)?;
    let mut totals = Totals::default();
    for file in &arguments.files {
        read_file(&mut totals, file, arguments.own_log)
            .map_err(|error| format!("cannot read {}: {error}", text_io::name_of(file)))?;
    }
    for address in &arguments.admin {
        ask(&mut totals, address)?;
    }
    if totals.is_empty() {
        return Err(nothing(&totals));
    }
    let report = Report::new(&totals, arguments.allow, arguments.rollout.as_deref())
        .map_err(|error| error.to_string())?;
    if let Some(page) = &arguments.html {
        text_io::write(Some(page), &SafeText::lines(&report.to_html()))?;
    }
    if arguments.json {
        text_io::write(None, &SafeText::json(&report.to_json()))?;
    } else if !html_is_printed {
        text_io::write(None, &SafeText::lines(&report.to_text()))?;
    }
    Ok(report.is_ready())
}

fn read_file(totals: &mut Totals, path: &Path, is_own_log: bool) -> io::Result<()> {
    let mut read = |name: &str, input: &mut dyn BufRead| match is_own_log {
        true => totals.read_own_log(name, input),
        false => totals.read(name, input),
    };
    if is_dash(path) {
        return read("standard input", &mut io::stdin().lock());
    }
    // The report escapes the name when it prints it. A name that is not UTF-8 is escaped here.
    let name = path
        .to_str()
        .map_or_else(|| text_io::name_of(path), str::to_owned);
    read(&name, &mut BufReader::new(File::open(path)?))
}

/// Reads the counters of a proxy.
fn ask(totals: &mut Totals, address: &str) -> Result<(), String> {
    let admin = AdminClient::new(base_of(address), TIMEOUT)?.with_max_bytes(MOST_BYTES);
    let page = admin.open("/stats/prometheus?filter=turnout")?;
    totals
        .read(admin.address(), BufReader::new(page))
        .map_err(|error| admin.describe_stats_error(&error))
}

/// Checks that each proxy is named once: its counters would be added twice.
fn check_proxies(addresses: &[String]) -> Result<(), String> {
    for (index, address) in addresses.iter().enumerate() {
        let mut earlier = addresses.iter().take(index);
        if earlier.any(|other| base_of(other) == base_of(address)) {
            return Err(format!(
                "--admin {address} names a proxy a second time; name each proxy once"
            ));
        }
    }
    Ok(())
}

/// Removes the path of the counters from an address, which people may copy with it.
fn base_of(address: &str) -> &str {
    let base = address.trim_end_matches('/');
    base.strip_suffix("/stats/prometheus").unwrap_or(base)
}

/// Explains why there is nothing to report on, and what to do.
fn nothing(totals: &Totals) -> String {
    let inputs = totals.inputs();
    if inputs.iter().any(|input| input.unlabelled > 0) {
        let note = totals.ambiguous_counter_note();
        return note.unwrap_or_else(|| {
            "the counters have no rollout label; copy the stats_tags of envoy/*.yaml into your Envoy's \
             configuration"
                .into()
        });
    }
    if let Some(sentence) = totals.native_histograms_note() {
        return sentence;
    }
    let names: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
    let names = names.join(", ");
    if inputs.iter().any(|input| input.counters > 0) {
        return format!(
            "found no shadow records in {names}, only other Turnout counters; configure `shadow` for a rollout \
             of the policy"
        );
    }
    let notes = totals.untrusted_lines().notes();
    if !notes.is_empty() {
        return format!(
            "found no valid shadow record or counter in {names}. {}",
            notes.join(" ")
        );
    }
    let damaged = inputs.iter().any(|input| input.unreadable > 0);
    let damaged = if damaged { ", only damaged lines" } else { "" };
    format!(
        "found no shadow record or counter in {names}{damaged}; pass an Envoy log that has lines with \
         {{\"turnout\":…}}, or a proxy's admin address with --admin. {RECORDS_HIDDEN}"
    )
}
