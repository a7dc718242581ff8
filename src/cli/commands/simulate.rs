//! `turnout simulate`: evaluates a policy for many accounts, or for the requests of an access log.

mod injection;

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use turnout_core::{Plan, Time};
use turnout_simulate::{AccountReport, TrafficReport};

use self::injection::InjectionArguments;
use crate::support::account_file_access::AccountFileOptions;
use crate::support::bulk_input::{self, LogArguments};
use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::safe_output::print_error_line;
use crate::support::time_arg::{now, parse_time};
use crate::support::{policy_file, text_io};

/// Count the accounts, or the requests of an access log, that would take v2.
///
/// With --accounts, reads one account per line, or a CSV column, and evaluates the policy for each account.
/// The numbers are exact, not sampled. An account that is listed twice counts twice; `turnout plan` finds
/// duplicates.
///
/// With --log, reads an access log of Envoy or Istio, as JSON lines or in the default text format, optionally
/// compressed with gzip. Decides each request again, with this policy and as of a single time, and counts the
/// decisions. Removes what Docker, CRI or a log collector wraps around a line. Warns of fields that the policy
/// needs but the log omits, and of requests whose recorded decision contradicts this one.
///
/// Counts the lines that cannot be read, and prints the first few. Memory does not grow with the input.
///
/// With --inject, simulates the guard of a rollout instead: v2 fails as often as you set, and the command counts the
/// errors, requests and accounts that the guard lets through before it trips, with the code of the proxy. The requests
/// are those of the log at their own times, or of random accounts of the list, which is kept in memory.
#[derive(Args)]
#[command(
    group = ArgGroup::new("input").required(true).args(["accounts", "log"]),
    after_help = "Examples:
  turnout simulate policy.json --accounts accounts.csv --column account_sid
  turnout simulate policy.json --accounts accounts.txt --at 2026-12-01T09:00:00Z
  kubectl logs deploy/edge | turnout simulate policy.json --log -
  turnout simulate policy.json --inject v1:errors=0.1% --inject v2:errors=5% --accounts accounts.txt --rate 50"
)]
pub(crate) struct Arguments {
    /// The policy; `-` reads standard input.
    policy: PathBuf,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The accounts, one per line; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// The CSV column that has the accounts: its name in the first line, or its number from 1.
    #[arg(long, value_name = "NAME|NUMBER", requires = "accounts")]
    column: Option<String>,
    /// An access log of Envoy; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    reading: LogArguments,
    /// The time at which the policy is evaluated, such as 2026-12-01T09:00:00Z. Default: now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Time>,
    /// The region of the proxy. Default: unknown.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Show only this rollout. Default: all rollouts; with --inject, the only rollout with a guard.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    injection: InjectionArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match simulated(arguments) {
        Ok(text) => text_io::print(&text, Exit::Done),
        Err(exit) => exit,
    }
}

fn simulated(arguments: &Arguments) -> Result<SafeText, Exit> {
    let inputs = [
        Some(&arguments.policy),
        arguments.accounts.as_ref(),
        arguments.log.as_ref(),
    ];
    text_io::check_inputs(inputs.into_iter().flatten()).map_err(|error| refuse(&error))?;
    let region = arguments.region.as_deref();
    let plan = policy_file::plan(&arguments.policy, region, arguments.account_files.access())?;
    if let Some(name) = &arguments.rollout {
        policy_file::rollout(&plan, &arguments.policy, name)?;
    }
    bulk_input::warn_missing_region(&[&plan]);
    if arguments.injection.is_given() {
        return injection::report(arguments, &plan);
    }
    match (&arguments.accounts, &arguments.log) {
        (Some(_), _) => account_report(arguments, &plan),
        (None, _) => traffic_report(arguments, &plan),
    }
}

fn account_report(arguments: &Arguments, plan: &Plan) -> Result<SafeText, Exit> {
    let Some(path) = &arguments.accounts else {
        return Err(refuse("give --accounts or --log"));
    };
    let list = bulk_input::list_options(
        arguments.column.as_ref(),
        arguments.account_files.access().text,
    );
    let at = arguments.at.unwrap_or_else(now);
    let report = AccountReport::of(plan, at, &list, bulk_input::open(path)?);
    let mut report = report.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
    bulk_input::report_account_lines(path, &report.accounts, &list)?;
    if let Some(wanted) = &arguments.rollout {
        report.rollouts.retain(|rollout| rollout.rollout == *wanted);
    }
    Ok(match arguments.json {
        true => SafeText::json_of(&report),
        false => SafeText::lines(&report.to_text()),
    })
}

fn traffic_report(arguments: &Arguments, plan: &Plan) -> Result<SafeText, Exit> {
    let Some(path) = &arguments.log else {
        return Err(refuse("give --accounts or --log"));
    };
    let at = arguments.at.unwrap_or_else(now);
    let replay = arguments.reading.replay()?;
    let traffic = TrafficReport::of(plan, at, &replay, bulk_input::open(path)?);
    let mut traffic = traffic.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
    bulk_input::report_log_lines(path, &traffic.log)?;
    for missing in &traffic.missing_fields {
        print_error_line(&format!("turnout: warning: {}", missing.warning));
    }
    for contradiction in &traffic.contradictions {
        print_error_line(&format!("turnout: warning: {}", contradiction.warning));
    }
    if let Some(wanted) = &arguments.rollout {
        traffic
            .rollouts
            .retain(|rollout| rollout.rollout == *wanted);
    }
    Ok(match arguments.json {
        true => SafeText::json_of(&traffic),
        false => SafeText::lines(&traffic.to_text()),
    })
}
