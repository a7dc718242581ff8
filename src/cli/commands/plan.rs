//! `turnout plan`: shows which accounts a policy change moves, before it is applied.

use std::path::PathBuf;

use clap::Args;
use turnout_core::Time;
use turnout_simulate::{Change, ChangeLimits, MovedRequests, PolicyAt};

use crate::support::account_file_access::AccountFileOptions;
use crate::support::bulk_input::{self, LogArguments};
use crate::support::change_limits::check_segments;
use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::safe_output::print_error_line;
use crate::support::time_arg::{now, parse_time};
use crate::support::{policy_file, text_io};

/// Show which accounts a policy change moves, before it is applied.
///
/// Compares two policies, or one policy at two times, for every account of a list: which accounts move to v2,
/// which go back to v1, and which stay on v2 with a different percentage of their requests. An account is on
/// v2 if v2 may serve at least one of its requests; in the modes off, dark and shadow no account is. Rollouts
/// and segments are matched by name.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the change respects --forbid and --max-new
  1  the change violates --forbid or --max-new
  2  a policy, an option or another input has an error

Examples:
  turnout plan policy.json new.json --accounts accounts.txt --forbid hvc --max-new 5000
  turnout plan policy.json policy.json --accounts accounts.txt \\
    --at 2026-12-01T09:00:00Z --at-new 2026-12-02T09:00:00Z --list")]
pub(crate) struct Arguments {
    /// The policy before the change; `-` reads standard input.
    old: PathBuf,
    /// The policy after the change.
    new: PathBuf,
    /// The accounts, one per line; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    accounts: PathBuf,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The CSV column that has the accounts: its name in the first line, or its number from 1.
    #[arg(long, value_name = "NAME|NUMBER")]
    column: Option<String>,
    /// An access log of Envoy: also count which of its requests move, in total and per day.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    reading: LogArguments,
    /// The time at which the policies are evaluated, such as 2026-12-01T09:00:00Z. Default: now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Time>,
    /// The time at which the new policy is evaluated. Default: the value of --at.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at_new: Option<Time>,
    /// The region of the proxy. Default: unknown.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Fail if an account of this segment moves, to v2 or back. Checks all accounts of the segment, including
    /// those that are not in the list. May be repeated.
    #[arg(long, value_name = "SEGMENT")]
    forbid: Vec<String>,
    /// Fail if more accounts than this move to v2.
    #[arg(long, value_name = "NUMBER")]
    max_new: Option<u64>,
    /// List every account that moves.
    #[arg(long)]
    list: bool,
    /// Write every account that moves to this CSV file, which is replaced atomically.
    #[arg(long, value_name = "FILE")]
    moves: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match planned(arguments) {
        Ok((text, violations)) => {
            let exit = match violations.is_empty() {
                true => Exit::Done,
                false => Exit::No,
            };
            let printed = text_io::print(&text, exit);
            // They come last, where a person looks first.
            for violation in violations {
                print_error_line(&format!("turnout: {violation}"));
            }
            printed
        }
        Err(exit) => exit,
    }
}

/// The report, and the limits that the change violates, as sentences.
fn planned(arguments: &Arguments) -> Result<(SafeText, Vec<String>), Exit> {
    let inputs = [&arguments.old, &arguments.new, &arguments.accounts];
    let inputs = inputs.into_iter().chain(&arguments.log);
    text_io::check_inputs(inputs).map_err(|error| refuse(&error))?;
    if arguments.moves.as_deref().is_some_and(text_io::is_dash) {
        return Err(refuse(
            "--moves - would mix CSV with the report; write to a file, or use --list",
        ));
    }
    if let Some(path) = &arguments.moves
        && path.metadata().is_ok_and(|found| !found.is_file())
    {
        let path = text_io::name_of(path);
        return Err(refuse(&format!(
            "--moves {path}: this is not a regular file, and it would be replaced; name a file"
        )));
    }
    if let Some(path) = &arguments.moves
        && let Ok(moves) = path.canonicalize()
    {
        let inputs = [&arguments.old, &arguments.new, &arguments.accounts];
        let mut inputs = inputs.into_iter().chain(&arguments.log);
        if inputs.any(|input| input.canonicalize().is_ok_and(|input| input == moves)) {
            return Err(refuse(&format!(
                "--moves {}: this is also an input, and it would be replaced; name another file",
                text_io::name_of(path)
            )));
        }
    }
    let region = arguments.region.as_deref();
    let old = policy_file::plan(&arguments.old, region, arguments.account_files.access())?;
    let new = policy_file::plan(&arguments.new, region, arguments.account_files.access())?;
    check_segments(&arguments.forbid, [&old, &new])?;
    bulk_input::warn_missing_region(&[&old, &new]);
    let at = arguments.at.unwrap_or_else(now);
    let old = PolicyAt { plan: &old, at };
    let new = PolicyAt {
        plan: &new,
        at: arguments.at_new.unwrap_or(at),
    };
    let change = change(arguments, old, new)?;
    if let Some(path) = &arguments.moves {
        text_io::write(Some(path), &SafeText::document(&change.to_csv()))
            .map_err(|error| refuse(&error))?;
    }
    let text = match arguments.json {
        true => SafeText::json_of(&change),
        false => SafeText::lines(&change.to_text(arguments.list)),
    };
    Ok((text, change.violations))
}

fn change(arguments: &Arguments, old: PolicyAt<'_>, new: PolicyAt<'_>) -> Result<Change, Exit> {
    let path = &arguments.accounts;
    let list = bulk_input::list_options(
        arguments.column.as_ref(),
        arguments.account_files.access().text,
    );
    let limits = ChangeLimits {
        forbidden_segments: arguments.forbid.clone(),
        max_new: arguments.max_new,
    };
    // Invalid arguments are reported before anything long is read.
    let replay = arguments.reading.replay()?;
    let change = Change::between(old, new, &list, &limits, bulk_input::open(path)?);
    let mut change = change.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
    bulk_input::report_account_lines(path, &change.read, &list)?;
    if let Some(path) = &arguments.log {
        let requests = MovedRequests::between(old, new, &replay, bulk_input::open(path)?);
        let requests = requests.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
        bulk_input::report_log_lines(path, &requests.log)?;
        change.add_requests(requests);
    }
    Ok(change)
}
