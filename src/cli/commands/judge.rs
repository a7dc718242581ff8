//! `turnout judge`: judges over all proxies whether v2 is worse than v1.

mod judged;
mod observe;
mod state_file;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use turnout_core::Fraction;
use turnout_judge::{Criteria, Judgment, Verdict, judge, to_json, to_text};

use crate::support::account_file_access::AccountFileOptions;
use crate::support::exit::{Exit, refuse};
use crate::support::prometheus_options::PrometheusOptions;
use crate::support::safe_output::SafeText;
use crate::support::text_io;

/// Judge over all proxies whether v2 is worse than v1.
///
/// Adds up what the guards of all proxies have counted, and gives each rollout a verdict. REGRESSED: v2 fails more
/// often than the guard of the policy allows. HEALTHY: v2 fails at most as often as that, plus --excess. Each of these
/// two is wrong with a probability of at most the guard's `alpha`, however often the command runs. NOT ENOUGH DATA: the counts show
/// neither, or a proxy is missing. INVALID: the counts cannot be compared, for example because the proxies run
/// different policies.
///
/// The counts are read from proxies (--admin), from a Prometheus server that scrapes them (--prometheus), from saved
/// pages of their stats (--metrics), or from lines of JSON that you write (--counts). Counters of a proxy begin at 0
/// when it restarts. With --state, what earlier runs have read still counts; with --prometheus, all that was scraped
/// counts.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  every rollout is HEALTHY
  1  a rollout is REGRESSED
  2  there is nothing to judge, or the input has an error
  3  a rollout has NOT ENOUGH DATA, and none is REGRESSED or INVALID
  4  a rollout is INVALID, and none is REGRESSED

Examples:
  turnout judge --admin http://10.0.0.7:9901 --admin http://10.0.0.8:9901
  turnout judge --admin http://10.0.0.7:9901 --state /var/lib/turnout/judge.json --from-now
  turnout judge --prometheus http://prometheus:9090 --since 2h --match 'job=\"envoy\"' --policy policy.json
  turnout judge --counts counts.jsonl --policy policy.json --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    prometheus: PrometheusOptions,
    /// The policy with the guards. Default: with --admin, the active policy of the proxies; otherwise, each rollout
    /// has the guard `{}`.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// Judge only this rollout. May be repeated. Default: every rollout with a guard.
    #[arg(long, value_name = "NAME")]
    rollout: Vec<String>,
    /// The percentage of v2's requests by which v2 may fail more often than the guard's ratio allows and still be
    /// HEALTHY. With a smaller one, HEALTHY takes more requests.
    #[arg(long, value_name = "PERCENT", default_value = "0.1", value_parser = excess)]
    excess: Fraction,
    /// The expected number of proxies: with fewer, the verdict is NOT ENOUGH DATA.
    #[arg(long, value_name = "NUMBER", conflicts_with = "counts")]
    proxies: Option<NonZeroUsize>,
    /// A file that keeps what was read, so that a restart of a proxy loses only what it counted after the last run.
    /// It is created if it does not exist.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["counts", "prometheus"])]
    state: Option<PathBuf>,
    /// Forget what the state file has, and count from now on.
    #[arg(long, requires = "state")]
    from_now: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Where the counts are from.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The admin address of a proxy. May be repeated.
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// The address of a Prometheus server, or of a server with the same HTTP API, with the path before /api/v1.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Prometheus text, or the page /stats, of one proxy. May be repeated, with one file for each proxy. `-` reads
    /// standard input.
    #[arg(long, value_name = "FILE")]
    metrics: Vec<PathBuf>,
    /// JSON lines such as `{"rollout":"chat","requests":10,"arm":"v2","all":5000,"errors":3,"slow":0}`. `-` reads
    /// standard input.
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
}

fn excess(text: &str) -> Result<Fraction, String> {
    let excess = Fraction::from_percentage(text);
    excess
        .filter(|excess| excess.millionths() > 0)
        .ok_or_else(|| {
            "expected a percentage above 0 and at most 100 with at most six decimals, such as 0.1"
                .into()
        })
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match judgments(arguments) {
        Ok(judgments) => {
            let text = match arguments.json {
                true => SafeText::json(&to_json(&judgments)),
                false => SafeText::lines(&to_text(&judgments)),
            };
            text_io::print(&text, exit(&judgments))
        }
        Err(exit) => exit,
    }
}

/// Reads the counts and judges them. Prints the error if there is nothing to judge.
fn judgments(arguments: &Arguments) -> Result<Vec<Judgment>, Exit> {
    let access = arguments.account_files.access();
    let policy = arguments.policy.as_deref();
    let policy = policy
        .map(|path| observe::read_policy(path, access))
        .transpose()?;
    let observed = observe::observe(arguments, policy)?;
    let rollouts =
        judged::rollouts(&arguments.rollout, &observed).map_err(|error| refuse(&error))?;
    let criteria = Criteria {
        excess: arguments.excess,
        proxies: arguments.proxies.map(NonZeroUsize::get),
        revision_number: observed.revision_number,
    };
    let rollouts = rollouts.iter();
    let judgments = rollouts.map(|rollout| judge(rollout, &observed.observation, &criteria));
    Ok(judgments.collect())
}

/// The exit code for the worst verdict.
fn exit(judgments: &[Judgment]) -> Exit {
    let has = |verdict| {
        let mut judgments = judgments.iter();
        judgments.any(|judgment| judgment.verdict == verdict)
    };
    match () {
        () if has(Verdict::Regressed) => Exit::No,
        () if has(Verdict::Invalid) => Exit::Invalid,
        () if has(Verdict::NotEnoughData) || judgments.is_empty() => Exit::NotEnoughData,
        () => Exit::Done,
    }
}
