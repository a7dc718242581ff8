//! `turnout pack`: accounts in the form in which proxies read them quickest.

use std::path::{Path, PathBuf};

use clap::Args;
use turnout_core::{FileQuoting, Format};
use turnout_simulate::{Column, ListOptions};

use crate::support::account_file_access::AccountFileOptions;
use crate::support::account_files::{MOST, gather, open};
use crate::support::exit::{Exit, refuse};
use crate::support::policy_file::Policy;
use crate::support::safe_output::SafeText;
use crate::support::safe_output::print_error_line;
use crate::support::text_io;

/// Pack accounts: the base64 of the sorted SIDs, 16 bytes each.
///
/// A proxy reads a hundred thousand packed accounts in some milliseconds, and as a JSON list in a
/// hundred times that. `render` and `apply` pack by themselves what is long; this is for those who
/// make policies by other means.
#[derive(Args)]
#[command(after_help = "Examples:
  turnout pack hvc.csv --column account_sid
  turnout pack --policy policy.json > packed.json")]
pub(crate) struct Arguments {
    /// The accounts: one SID in each line, or CSV.
    #[arg(required_unless_present = "policy", conflicts_with = "policy")]
    file: Option<PathBuf>,
    /// The column of CSV that has the SIDs: its name in the first line, or its number from 1.
    #[arg(long, conflicts_with = "policy")]
    column: Option<String>,
    /// Print this policy instead, with the SIDs of all its segments packed; `-` is standard input.
    #[arg(long)]
    policy: Option<PathBuf>,
    #[command(flatten)]
    account_files: AccountFileOptions,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let packed = match (&arguments.policy, &arguments.file) {
        (Some(policy), _) => {
            let policy = Policy::read(policy, arguments.account_files.access());
            policy.and_then(|policy| policy.packed())
        }
        (None, Some(file)) => accounts(file, arguments),
        (None, None) => Err(refuse("name a file, or a --policy")),
    };
    let written = match packed {
        Ok(packed) => text_io::write(None, &SafeText::json(&packed)),
        Err(exit) => return exit,
    };
    match written {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}

fn accounts(file: &Path, arguments: &Arguments) -> Result<String, Exit> {
    let list = ListOptions {
        column: arguments.column.as_deref().map(Column::parse),
        text: arguments.account_files.access().text,
    };
    let read = open(file).and_then(|opened| gather(opened, file, &list, Format::Sid, MOST));
    let (gathered, bad) = read.map_err(|(what, instead)| refuse(&format!("{what}; {instead}")))?;
    if bad.count > 0 {
        let name = text_io::name_of(file);
        let named = u64::try_from(bad.lines.len()).unwrap_or(u64::MAX);
        for (line, message) in bad.lines {
            print_error_line(&format!("{name} line {line}: {message}"));
        }
        if list.text == FileQuoting::Hidden {
            print_error_line("--show-lines shows the text of lines that are no account");
        }
        let others = match bad.count.saturating_sub(named) {
            0 => String::new(),
            others => format!(", of which {others} are not shown"),
        };
        return Err(refuse(&format!(
            "{name} has {} line(s) that are no account{others}; correct them",
            bad.count
        )));
    }
    let packed = gathered.pack().unwrap_or_default();
    Ok(format!("{packed}\n"))
}
