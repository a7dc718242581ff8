//! Reads account lists and access logs of any size, for `simulate` and `plan`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use clap::{Args, ValueEnum};
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use turnout_core::{FileQuoting, Format, Plan};
use turnout_simulate::{
    AccountListSummary, BadLines, Column, ListOptions, LogFields, LogFormat, LogSummary, Replay,
};

use crate::support::account_files::{self, columns_with_accounts, hides_text};
use crate::support::exit::{Exit, refuse};
use crate::support::safe_output;
use crate::support::safe_output::print_error_line;
use crate::support::text_io;

/// The maximum number of threads. Each uses memory of its own, and one reading thread cannot feed more.
const MOST_THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// The arguments for reading an access log.
#[derive(Args)]
pub(crate) struct LogArguments {
    /// The format of the log. Default: detected for each line.
    #[arg(long, value_enum, requires = "log")]
    format: Option<FormatWord>,
    /// Maps a field of a JSON log to a property of the request, such as `account=sid` or `header:x-beta=beta`.
    /// Properties: account, method, host, path, request_id, start_time, treatment, reason, rollout, revision.
    /// May be repeated.
    #[arg(long = "field", value_name = "NAME=FIELD", requires = "log")]
    fields: Vec<String>,
    /// The number of threads that read the log, from 1 to 256. Default: the number of CPU cores.
    #[arg(long, value_name = "NUMBER", requires = "log", value_parser = threads)]
    threads: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatWord {
    /// One JSON object per line.
    Json,
    /// Envoy's default text format, or Istio's.
    Text,
}

impl LogArguments {
    pub(crate) fn replay(&self) -> Result<Replay, Exit> {
        let mut fields = LogFields::default();
        for field in &self.fields {
            let known = fields.map(field);
            known.map_err(|error| refuse(&format!("--field {field}: {error}")))?;
        }
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(Replay {
            fields,
            format: self.format.map(|word| match word {
                FormatWord::Json => LogFormat::Json,
                FormatWord::Text => LogFormat::Text,
            }),
            threads: self.threads.unwrap_or_else(cores).min(MOST_THREADS),
        })
    }
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| *number <= MOST_THREADS);
    number.ok_or_else(|| format!("expected a number from 1 to {MOST_THREADS}"))
}

/// Opens a file that may be long. Shows a progress bar on a terminal, and decompresses gzip.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, Exit> {
    let opened = if text_io::is_dash(path) {
        Ok(input(io::stdin(), None))
    } else {
        File::open(path).and_then(|file| {
            let size = file.metadata()?.len();
            Ok(input(file, Some(size)))
        })
    };
    opened
        .and_then(|input| input)
        .map_err(|error| refuse(&cannot_read(path, &error)))
}

fn input(read: impl Read + 'static, size: Option<u64>) -> io::Result<Box<dyn Read>> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    let read = bar(size).wrap_read(read);
    let mut read = BufReader::with_capacity(1 << 16, read);
    Ok(if read.fill_buf()?.starts_with(GZIP) {
        Box::new(MultiGzDecoder::new(read))
    } else {
        Box::new(read)
    })
}

/// The progress bar on standard error, if that is a terminal. It disappears at the end of the input.
fn bar(size: Option<u64>) -> ProgressBar {
    if !safe_output::is_error_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size.filter(|size| *size > 0) {
        Some(size) => (
            ProgressBar::new(size),
            "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{bytes}, {bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
    .with_finish(indicatif::ProgressFinish::AndClear)
}

pub(crate) fn cannot_read(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot read {}: {error}", text_io::name_of(path))
}

/// Warns if a rule has `regions` and no region is set.
pub(crate) fn warn_missing_region(plans: &[&Plan]) {
    if plans.iter().any(|plan| plan.needs_region()) {
        print_error_line(
            "turnout: a rule has `regions`, and its accounts take v1 because --region is not set; set --region",
        );
    }
}

/// Prints the malformed lines of an account list. A list without any account is an error.
pub(crate) fn report_account_lines(
    path: &Path,
    read: &AccountListSummary,
    list: &ListOptions,
) -> Result<(), Exit> {
    let name = text_io::name_of(path);
    // With a named column, the first line is known to be a header.
    if let Some(header) = &read.header
        && !matches!(list.column, Some(Column::Name(_)))
    {
        let header = match list.text {
            FileQuoting::Hidden => "the first line",
            FileQuoting::Shown => &format!("`{header}`"),
        };
        print_error_line(&format!(
            "turnout: {name}:1: {header} is not an account; treated as a header"
        ));
    }
    if read.accounts > 0 {
        print_unreadable(&name, &read.malformed);
        let mut first = read.malformed.first.iter();
        if list.text == FileQuoting::Hidden && first.any(|bad| hides_text(&bad.why)) {
            print_error_line("turnout: use --show-lines to show the text of the malformed lines");
        }
        return Ok(());
    }
    // It is the wrong file or column, so this is one problem rather than one per line.
    if let Some(bad) = read.malformed.first.first() {
        print_error_line(&format!("turnout: {name}:{}: {}", bad.line, bad.why));
    }
    let opened = account_files::open(path)
        .ok()
        .filter(|_| !text_io::is_dash(path));
    let columns = opened.map_or_else(Vec::new, |mut file| {
        columns_with_accounts(&mut file, Format::Sid, list.text)
    });
    Err(refuse(&match (read.malformed.count, &read.header) {
        (0, None) => format!("{name} has no accounts: it is empty; write one account per line"),
        (count, _) => format!(
            "{name} has no accounts: all {} lines are malformed; {}",
            count.saturating_add(u64::from(read.header.is_some())),
            match columns.as_slice() {
                [] => String::from("write one account per line, or name their --column"),
                columns => format!(
                    "name the --column of the accounts: {}",
                    columns.join(" or ")
                ),
            }
        ),
    }))
}

/// Prints the unreadable lines of a log. A log without any request is an error.
pub(crate) fn report_log_lines(path: &Path, log: &LogSummary) -> Result<(), Exit> {
    let name = text_io::name_of(path);
    print_unreadable(&name, &log.unreadable);
    if log.requests > 0 {
        return Ok(());
    }
    let others = log.not_requests;
    if others.count() > 0 && log.unreadable.count == 0 {
        return Err(refuse(&format!(
            "{name} has no requests: its lines are {}; pass the access log of a proxy, or map its fields with \
             --field",
            others.to_text()
        )));
    }
    Err(refuse(&match log.unreadable.count {
        0 => format!("{name} has no requests: it is empty"),
        count => format!(
            "{name} has no requests: all {count} lines are unreadable; use JSON lines or Envoy's default text \
             format"
        ),
    }))
}

fn print_unreadable(name: &str, bad: &BadLines) {
    for line in &bad.first {
        print_error_line(&format!("turnout: {name}:{}: {}", line.line, line.why));
    }
    let named = u64::try_from(bad.first.len()).unwrap_or(u64::MAX);
    let more = bad.count.saturating_sub(named);
    if more > 0 {
        print_error_line(&format!(
            "turnout: {name}: and {more} more unreadable lines"
        ));
    }
}

/// The options for reading a list of accounts.
pub(crate) fn list_options(column: Option<&String>, text: FileQuoting) -> ListOptions {
    ListOptions {
        column: column.map(|column| Column::parse(column)),
        text,
    }
}
