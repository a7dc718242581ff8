//! Reads the account files that a policy names: `"accounts_from": "hvc.csv"`.

use std::fs::{self, File as OsFile};
use std::io::{Read, Seek};
use std::path::Path;

use turnout_core::{
    AccountFile, AccountFileReference, AccountFiles, AccountListBuilder, FileQuoting, Format,
    ParsedPolicy,
};
use turnout_simulate::{AccountListSummary, Column, ListOptions, read_accounts};
use turnout_text::escape_for_terminal;

use crate::support::account_file_access::{Access, Refusal, Roots};
use crate::support::safe_output::print_error_line;
use crate::support::text_io::name_of;

/// The maximum number of malformed lines per file that are listed; further ones are only counted.
const NAMED: usize = 1_000;
/// The maximum number of accounts in all files of a policy; packed they take 85 MB.
pub(crate) const MOST: usize = 4_000_000;

/// The contents of a policy's account files.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) files: AccountFiles,
    pub(crate) bad_lines: Vec<BadLine>,
    /// The number of malformed lines that are not listed.
    pub(crate) omitted: u64,
    /// The number of accounts in all files.
    accounts: usize,
    /// Whether messages quote the files.
    text: FileQuoting,
}

/// A line that is not an account.
pub(crate) struct BadLine {
    pub(crate) file: String,
    pub(crate) line: u64,
    /// What is wrong, and what is expected.
    pub(crate) message: String,
}

/// Reads the account files that a policy names. An error in a file becomes an error of the policy, at the place
/// that names the file, when the policy is compiled. The returned error is the sentence to print.
pub(crate) fn read(
    path: &Path,
    policy: &ParsedPolicy<'_>,
    access: Access<'_>,
) -> Result<Found, String> {
    let mut found = Found {
        text: access.text,
        ..Found::default()
    };
    let roots = Roots::of(path, access)?;
    let (format, named) = policy.account_files();
    let Some(format) = format else {
        return Ok(found);
    };
    for from in named {
        let file = roots.shown_base.join(&from.file);
        let read = opened(&roots, &file, &from)
            .and_then(|opened| read_one(opened, &file, &from, format, &mut found));
        let read = read.unwrap_or_else(|(what, instead)| AccountFile::unusable(what, instead));
        found.files.insert(from.segment, read);
    }
    Ok(found)
}

/// Opens a file that a policy names. The error is what is wrong, and what to do.
fn opened(
    roots: &Roots,
    path: &Path,
    from: &AccountFileReference,
) -> Result<OsFile, (String, String)> {
    roots.open(&from.file).map_err(|refusal| match refusal {
        Refusal::Outside => (
            format!(
                "`{}` is outside the folder of the policy, by its path or by a link",
                escape_for_terminal(&from.file)
            ),
            "move the file into that folder, or pass its folder with --accounts-root".into(),
        ),
        Refusal::NoFile { is_folder } => no_file(path, not_a_file(is_folder)),
        Refusal::Io(error) => no_file(path, &error.to_string()),
    })
}

fn no_file(path: &Path, why: &str) -> (String, String) {
    let instead = "write the path of a file, relative to the folder of the policy";
    let what = format!("cannot read `{}`: {why}", name_of(path));
    (what, instead.to_owned())
}

fn not_a_file(is_folder: bool) -> &'static str {
    match is_folder {
        true => "it is a folder",
        false => "it is not a regular file",
    }
}

/// Reads one file. The error is what is wrong, and what to do.
fn read_one(
    file: OsFile,
    path: &Path,
    from: &AccountFileReference,
    format: Format,
    found: &mut Found,
) -> Result<AccountFile, (String, String)> {
    let name = name_of(path);
    let list = ListOptions {
        column: from.column.as_deref().map(Column::parse),
        text: found.text,
    };
    // All accounts are in memory at once.
    let left = MOST.saturating_sub(found.accounts);
    let (gathered, bad) = gather(file, path, &list, format, left)?;
    found.accounts = found.accounts.saturating_add(gathered.len());
    let count = bad.count;
    let named = u64::try_from(bad.lines.len()).unwrap_or(u64::MAX);
    found.omitted = found.omitted.saturating_add(count.saturating_sub(named));
    let lines = bad.lines.into_iter().map(|(line, message)| BadLine {
        file: name.clone(),
        line,
        message,
    });
    found.bad_lines.extend(lines);
    match count {
        0 => Ok(gathered.into_file(&name, found.text)),
        1 => Err((
            format!("`{name}` has a malformed line"),
            "correct that line; it is listed below".into(),
        )),
        count => Err((
            format!("`{name}` has {count} malformed lines"),
            "correct these lines; they are listed below".into(),
        )),
    }
}

/// Whether a message about a line omits the line's text. A message about a missing column has no text to omit.
pub(crate) fn hides_text(message: &str) -> bool {
    message.starts_with("not an account")
}

/// Malformed lines: how many, and those that are listed.
pub(crate) struct Bad {
    pub(crate) count: u64,
    pub(crate) lines: Vec<(u64, String)>,
}

/// Opens a file that the command line names. The error is what is wrong, and what to do.
pub(crate) fn open(path: &Path) -> Result<OsFile, (String, String)> {
    let there = fs::metadata(path).map_err(|error| no_file(path, &error.to_string()))?;
    if !there.is_file() {
        return Err(no_file(path, not_a_file(there.is_dir())));
    }
    OsFile::open(path).map_err(|error| no_file(path, &error.to_string()))
}

/// Reads at most `most` accounts of a file, and its malformed lines. The path is for messages. The error is what
/// is wrong, and what to do.
pub(crate) fn gather(
    mut file: OsFile,
    path: &Path,
    list: &ListOptions,
    format: Format,
    most: usize,
) -> Result<(AccountListBuilder, Bad), (String, String)> {
    let name = name_of(path);
    let mut gathered = AccountListBuilder::new(format);
    let mut is_too_long = false;
    let read = read_accounts(&file, list, format, NAMED, &mut |line, account| {
        is_too_long = gathered.len() >= most;
        if !is_too_long {
            gathered.push(line, account);
        }
    });
    let read = read.map_err(|error| {
        let what = format!("cannot read `{name}`: {error}");
        (what, "correct the file, or name another one".to_owned())
    })?;
    if is_too_long {
        return Err((
            format!(
                "`{name}` has more than {most} accounts, the number that is left of the maximum"
            ),
            format!("list fewer accounts: all files of a policy together may have at most {MOST}"),
        ));
    }
    if gathered.is_empty() && read.malformed.count == 0 {
        return Err((
            format!("`{name}` has no account"),
            "write \"accounts\": [] if the segment should be empty".into(),
        ));
    }
    if gathered.is_empty() && read.malformed.count > 1 {
        return Err(no_account_at_all(&mut file, path, list, format, &read));
    }
    let lines = read.malformed.first.into_iter();
    let bad = Bad {
        count: read.malformed.count,
        lines: lines.map(|bad| (bad.line, bad.why)).collect(),
    };
    Ok((gathered, bad))
}

/// The error for a file without any account. It is the wrong file or has the wrong column, so this is one error
/// rather than one per line.
fn no_account_at_all(
    file: &mut OsFile,
    path: &Path,
    list: &ListOptions,
    format: Format,
    read: &AccountListSummary,
) -> (String, String) {
    let count = read.malformed.count;
    let of_column = match &list.column {
        Some(Column::Name(name)) => format!(" in the column `{name}`"),
        Some(Column::Number(number)) => format!(" in column {number}"),
        None => String::new(),
    };
    let first = read.malformed.first.first();
    let first = first.map_or(String::new(), |bad| {
        format!("; line {}: {}", bad.line, bad.why)
    });
    let what = format!(
        "`{}` has no account{of_column}: all {count} lines are malformed{first}",
        name_of(path)
    );
    let instead = match columns_with_accounts(file, format, list.text).as_slice() {
        [] => "write one account per line, or name the column that has the accounts".into(),
        columns => format!(
            "name the column that has accounts: {}",
            columns.join(" or ")
        ),
    };
    (what, instead)
}

/// Finds the columns that have accounts at the beginning of a file. Returns their names if the file's text may be
/// shown, and their numbers otherwise. Returns none for opaque accounts, because any text is one.
pub(crate) fn columns_with_accounts(
    file: &mut OsFile,
    format: Format,
    text: FileQuoting,
) -> Vec<String> {
    const BEGINNING: u64 = 65_536;
    const MOST_COLUMNS: usize = 32;
    if format == Format::Opaque {
        return Vec::new();
    }
    let column = |number| {
        file.rewind().ok()?;
        let list = ListOptions {
            column: Some(Column::Number(number)),
            text,
        };
        let beginning = Read::by_ref(file).take(BEGINNING);
        let read = read_accounts(beginning, &list, format, 0, &mut |_, _| {}).ok()?;
        let name = match read.header.filter(|_| text == FileQuoting::Shown) {
            Some(name) => format!("`{name}`"),
            None => number.to_string(),
        };
        (read.accounts > 0).then_some(name)
    };
    (1..=MOST_COLUMNS).filter_map(column).collect()
}

impl Found {
    /// Prints the malformed lines, and how to see their text.
    pub(crate) fn print_bad_lines(&self) {
        // A wrong column makes every line malformed in the same way, so equal messages share one line.
        let mut grouped: Vec<(&BadLine, Vec<u64>)> = Vec::new();
        for bad in &self.bad_lines {
            let is_same =
                |first: &BadLine| (&first.file, &first.message) == (&bad.file, &bad.message);
            match grouped.iter_mut().find(|(first, _)| is_same(first)) {
                Some((_, lines)) => lines.push(bad.line),
                None => grouped.push((bad, vec![bad.line])),
            }
        }
        for (BadLine { file, message, .. }, lines) in grouped {
            let first: Vec<String> = lines.iter().take(3).map(u64::to_string).collect();
            let first = first.join(", ");
            let place = match lines.len() {
                1 => format!("line {first}"),
                2..=3 => format!("lines {first}"),
                count => format!("lines {first} and {} more", count.saturating_sub(3)),
            };
            print_error_line(&format!("{file} {place}: {message}"));
        }
        if self.omitted > 0 {
            print_error_line(&format!("and {} more malformed lines", self.omitted));
        }
        let mut messages = self.bad_lines.iter().map(|bad| bad.message.as_str());
        if self.text == FileQuoting::Hidden && messages.any(hides_text) {
            print_error_line("use --show-lines to show the text of the malformed lines");
        }
    }
}
