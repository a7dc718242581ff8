//! `turnout plan`: whom a change of the policy moves, before it is made.

use std::path::PathBuf;

use clap::Args;
use turnout_core::Time;
use turnout_simulate::{Change, Forbidden, MovedRequests, Version};

use crate::support::account_file_access::AccountFileOptions;
use crate::support::bulk_input::{self, LogArguments};
use crate::support::change_limits::check_segments;
use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::safe_output::print_error_line;
use crate::support::time_arg::{now, parse_time};
use crate::support::{policy_file, text_io};

/// Show whom a change of the policy moves, before it is made.
///
/// Compares two policies, or one at two moments, for every account of a list: who newly takes v2, who
/// goes back to v1, and who gets another share of requests. An account is on v2 when at least one of
/// its requests may be answered by v2; in the modes off, dark and shadow nobody is. Rollouts and
/// segments are matched by name.
///
/// Ends with 1 if the change does what is forbidden by --forbid or --max-new.
#[derive(Args)]
#[command(after_help = "Examples:
  turnout plan policy.json new.json --accounts accounts.txt --forbid hvc --max-new 5000
  turnout plan policy.json policy.json --accounts accounts.txt \\
    --at 2026-12-01T09:00:00Z --at-new 2026-12-02T09:00:00Z --list")]
pub(crate) struct Arguments {
    /// The policy as it is; `-` is standard input.
    old: PathBuf,
    /// The policy as it will be.
    new: PathBuf,
    /// The accounts, one in each line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    accounts: PathBuf,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The column of accounts in CSV: its name in the first line, or its number from 1.
    #[arg(long, value_name = "NAME|NUMBER")]
    column: Option<String>,
    /// An access log of Envoy: which of its requests move, and how many that is in a day.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    reading: LogArguments,
    /// The moment, as in 2026-12-01T09:00:00Z; now unless given.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Time>,
    /// Another moment for the new policy.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at_new: Option<Time>,
    /// The region of the proxy; unknown unless given.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// A segment of which no account is to move, to v2 or back. All its accounts are looked at, also
    /// those that the list does not have. May be given more than once.
    #[arg(long, value_name = "SEGMENT")]
    forbid: Vec<String>,
    /// How many accounts may newly take v2.
    #[arg(long, value_name = "NUMBER")]
    max_new: Option<u64>,
    /// Name every account that moves.
    #[arg(long)]
    list: bool,
    /// Write every account that moves to a CSV file; it is replaced as a whole.
    #[arg(long, value_name = "FILE")]
    moves: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match planned(arguments) {
        Ok((text, refused)) => {
            let exit = match refused.is_empty() {
                true => Exit::Done,
                false => Exit::No,
            };
            let printed = text_io::print(&text, exit);
            // Last, where a person looks first.
            for refused in refused {
                print_error_line(&format!("turnout: {refused}"));
            }
            printed
        }
        Err(exit) => exit,
    }
}

/// The answer, and what the change does though it is forbidden.
fn planned(arguments: &Arguments) -> Result<(SafeText, Vec<String>), Exit> {
    let inputs = [&arguments.old, &arguments.new, &arguments.accounts];
    let inputs = inputs.into_iter().chain(&arguments.log);
    text_io::check_inputs(inputs).map_err(|error| refuse(&error))?;
    if arguments.moves.as_deref().is_some_and(text_io::is_dash) {
        return Err(refuse(
            "--moves - prints beside the answer; write to a file, or give --list",
        ));
    }
    if let Some(path) = &arguments.moves
        && path.metadata().is_ok_and(|found| !found.is_file())
    {
        let path = text_io::name_of(path);
        return Err(refuse(&format!(
            "--moves {path}: that is no file, and would be replaced; name a file"
        )));
    }
    if let Some(path) = &arguments.moves
        && let Ok(moves) = path.canonicalize()
    {
        let inputs = [&arguments.old, &arguments.new, &arguments.accounts];
        let mut inputs = inputs.into_iter().chain(&arguments.log);
        if inputs.any(|input| input.canonicalize().is_ok_and(|input| input == moves)) {
            return Err(refuse(&format!(
                "--moves {}: that is read too, and would be replaced; name another file",
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
    let old = Version { plan: &old, at };
    let new = Version {
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
    Ok((text, change.refused))
}

fn change(arguments: &Arguments, old: Version<'_>, new: Version<'_>) -> Result<Change, Exit> {
    let path = &arguments.accounts;
    let list = bulk_input::list_options(
        arguments.column.as_ref(),
        arguments.account_files.access().text,
    );
    let forbidden = Forbidden {
        segments: arguments.forbid.clone(),
        max_new: arguments.max_new,
    };
    // Bad arguments are told before anything long is read.
    let replay = arguments.reading.replay()?;
    let change = Change::between(old, new, &list, &forbidden, bulk_input::open(path)?);
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
