//! Reads accounts from lines or a CSV column, in bounded memory.

use std::fmt;
use std::io::{self, Read};

use serde::Serialize;

use turnout_core::{FileQuoting, Format};
use turnout_text::{counted, nearest};

use crate::bad_lines::BadLines;
use crate::csv::{CsvReader, Field};
use crate::line_chunks::{Chunk, Chunks, LONGEST_LINE};
use crate::wording::{self, excerpt, wanted};

/// A column of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By its number, from 1.
    Number(usize),
    /// By its name in the first line.
    Name(String),
}

impl Column {
    /// Parses a column: a positive number, or else a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(number) if number > 0 => Self::Number(number),
            _ => Self::Name(text.to_owned()),
        }
    }
}

/// The options for reading a list of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// The CSV column that has the accounts; `None` if each line is an account.
    pub column: Option<Column>,
    /// Whether messages quote lines.
    pub text: FileQuoting,
}

/// The counts of lines and accounts of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountListSummary {
    /// Lines, or records of CSV.
    pub lines: u64,
    /// Lines with an account.
    pub accounts: u64,
    /// Blank lines.
    pub blank: u64,
    /// Lines without a valid account.
    pub malformed: BadLines,
    /// The first line, if it was treated as a header; empty if its text is hidden.
    pub header: Option<String>,
}

/// Why a list of accounts cannot be read.
#[derive(Debug)]
pub enum AccountListError {
    /// The input cannot be read.
    Io(io::Error),
    /// The first line has no column of this name.
    NoColumn {
        /// The name of the missing column.
        wanted: String,
        /// The names in the first line.
        known: Vec<String>,
        /// Whether the message lists the names.
        text: FileQuoting,
    },
}

impl fmt::Display for AccountListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NoColumn {
                wanted,
                known,
                text: FileQuoting::Hidden,
            } => {
                let wanted = excerpt(wanted.as_bytes());
                let names = counted(
                    u64::try_from(known.len()).unwrap_or(u64::MAX),
                    "name",
                    "names",
                );
                write!(
                    f,
                    "the first line has no column `{wanted}` among its {names}; write a name exactly as in the file, \
                     or a number; use --show-lines to show the names"
                )
            }
            Self::NoColumn { wanted, known, .. } => {
                let wanted_shown = excerpt(wanted.as_bytes());
                write!(f, "the first line has no column `{wanted_shown}`; ")?;
                match nearest(wanted, known) {
                    Some(near) => write!(f, "did you mean `{near}`?"),
                    None => write!(f, "write one of {}, or its number", known.join(", ")),
                }
            }
        }
    }
}

impl std::error::Error for AccountListError {}

impl From<io::Error> for AccountListError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads the accounts of a file that a policy names for a segment, and passes each with its line number to
/// `take`. Counts the malformed lines, and lists the first `named` of them.
///
/// # Errors
/// If the input cannot be read, or does not have the column.
pub fn read_accounts(
    input: impl Read,
    options: &ListOptions,
    format: Format,
    named: usize,
    take: &mut dyn FnMut(u64, &[u8]),
) -> Result<AccountListSummary, AccountListError> {
    let accounts = Accounts {
        options,
        wanted: wanted(format),
        malformed: &|found| wording::malformed(format, found, options.text),
        // A policy is UTF-8, so its accounts are.
        is_account: &|found| format.is_account(found) && std::str::from_utf8(found).is_ok(),
        // A mistyped account in the first line is not treated as a header.
        is_header: &|found| !found.iter().any(u8::is_ascii_digit),
    };
    accounts.read_with_lines(input, BadLines::naming(named), take)
}

/// Reads accounts, and counts malformed lines. The first line may be a header.
pub(crate) struct Accounts<'a> {
    pub(crate) options: &'a ListOptions,
    /// The expected form of an account.
    pub(crate) wanted: &'a str,
    /// Describes why a text is not an account.
    pub(crate) malformed: &'a dyn Fn(&[u8]) -> String,
    pub(crate) is_account: &'a dyn Fn(&[u8]) -> bool,
    /// Whether a first line that is not an account may be a header.
    pub(crate) is_header: &'a dyn Fn(&[u8]) -> bool,
}

impl Accounts<'_> {
    pub(crate) fn read(
        &self,
        input: impl Read,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<AccountListSummary, AccountListError> {
        self.read_with_lines(input, BadLines::default(), &mut |_, account| {
            take(account);
        })
    }

    fn read_with_lines(
        &self,
        input: impl Read,
        malformed: BadLines,
        take: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<AccountListSummary, AccountListError> {
        let mut read = AccountListSummary {
            malformed,
            ..AccountListSummary::default()
        };
        match &self.options.column {
            Some(column) => self.columns(input, column, &mut read, take)?,
            None => self.lines(input, &mut read, take)?,
        }
        Ok(read)
    }

    fn lines(
        &self,
        input: impl Read,
        read: &mut AccountListSummary,
        take: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), AccountListError> {
        let mut chunks = Chunks::new(input);
        let mut chunk = Chunk::default();
        while chunks.next(&mut chunk)? {
            if let Some(line) = chunk.skipped {
                self.record(line, None, read, take);
            }
            for (number, line) in chunk.lines() {
                let line = (line.len() <= LONGEST_LINE).then(|| line.trim_ascii());
                self.record(number, line, read, take);
            }
        }
        Ok(())
    }

    /// Takes the account of one line or record; `None` if it is far too long.
    fn record(
        &self,
        number: u64,
        found: Option<&[u8]>,
        read: &mut AccountListSummary,
        take: &mut dyn FnMut(u64, &[u8]),
    ) {
        let is_first = read.lines == 0;
        read.lines = read.lines.saturating_add(1);
        match found {
            Some(b"") => read.blank = read.blank.saturating_add(1),
            Some(account) if (self.is_account)(account) => {
                read.accounts = read.accounts.saturating_add(1);
                take(number, account);
            }
            Some(header) if is_first && (self.is_header)(header) => {
                read.header = Some(match self.options.text {
                    FileQuoting::Hidden => String::new(),
                    FileQuoting::Shown => excerpt(header),
                });
            }
            Some(other) => read.malformed.add(number, || {
                let comma = self.options.column.is_none() && other.contains(&b',');
                let hint = if comma { ", or use --column" } else { "" };
                format!("{}; write {}{hint}", (self.malformed)(other), self.wanted)
            }),
            None => {
                let why = || format!("far too long for an account: write {}", self.wanted);
                read.malformed.add(number, why);
            }
        }
    }

    fn columns(
        &self,
        input: impl Read,
        column: &Column,
        read: &mut AccountListSummary,
        take: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), AccountListError> {
        let mut csv = CsvReader::new(input);
        let place = match column {
            Column::Number(number) => number.saturating_sub(1),
            Column::Name(name) => {
                let known = csv.names()?;
                let Some(place) = known.iter().position(|known| known == name) else {
                    let known = known.iter().filter(|name| !name.is_empty());
                    return Err(AccountListError::NoColumn {
                        wanted: name.clone(),
                        known: known.map(|name| excerpt(name.as_bytes())).collect(),
                        text: self.options.text,
                    });
                };
                read.lines = 1;
                read.header = Some(excerpt(name.as_bytes()));
                place
            }
        };
        while let Some(record) = csv.next(place)? {
            match record.field {
                Field::Absent => {
                    read.lines = read.lines.saturating_add(1);
                    read.malformed.add(record.line, || {
                        format!("there is no column {}", place.saturating_add(1))
                    });
                }
                Field::TooLong => self.record(record.line, None, read, take),
                Field::Is(length) => {
                    let text = csv.field.get(..length).unwrap_or_default();
                    self.record(record.line, Some(text.trim_ascii()), read, take);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, column: Option<&str>) -> (Vec<String>, AccountListSummary) {
        let options = ListOptions {
            column: column.map(Column::parse),
            text: FileQuoting::Shown,
        };
        let accounts = Accounts {
            options: &options,
            wanted: "A and a digit",
            malformed: &|found| format!("`{}` is another", excerpt(found)),
            is_account: &|found| matches!(found, [b'A', b'0'..=b'9']),
            is_header: &|_| true,
        };
        let mut seen = Vec::new();
        let mut take = |account: &[u8]| seen.push(String::from_utf8(account.to_vec()).unwrap());
        let read = accounts.read(text.as_bytes(), &mut take).unwrap();
        (seen, read)
    }

    #[test]
    fn one_in_each_line() {
        let (seen, read) = read("account\nA1\r\n\n A2 \nB1\nA3,x\n", None);
        assert_eq!(seen, ["A1", "A2"]);
        assert_eq!((read.lines, read.accounts, read.blank), (6, 2, 1));
        assert_eq!(read.header.as_deref(), Some("account"));
        assert_eq!(read.malformed.count, 2);
        let [first, second] = read.malformed.first.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!((first.line, second.line), (5, 6));
        assert_eq!(first.why, "`B1` is another; write A and a digit");
        assert!(second.why.ends_with(", or use --column"), "{second:?}");
    }

    #[test]
    fn a_column_by_number_or_name() {
        let text = "id,\"the account\",n\n1,A1,x\n2,\"A2\",\"a \"\"b\"\"\nc\"\n3,B,x\n4\n5,A3";
        for column in ["2", "the account"] {
            let (seen, read) = read(text, Some(column));
            assert_eq!(seen, ["A1", "A2", "A3"]);
            assert_eq!(read.header.as_deref(), Some("the account"));
            assert_eq!((read.lines, read.accounts), (6, 3));
            let lines: Vec<u64> = read.malformed.first.iter().map(|bad| bad.line).collect();
            assert_eq!(lines, [5, 6], "{read:?}");
            assert_eq!(read.malformed.first[1].why, "there is no column 2");
        }
    }

    #[test]
    fn a_quotation_without_end_takes_no_memory() {
        let text = format!("A1,x\n\"{}", "A2\n".repeat(1 << 20));
        let (seen, read) = read(&text, Some("1"));
        assert_eq!(seen, ["A1"]);
        assert_eq!((read.lines, read.malformed.count), (2, 1));
    }

    #[test]
    fn a_column_that_is_not_there() {
        for (text, sentence) in [
            (
                FileQuoting::Shown,
                "the first line has no column `acount`; did you mean `account`?",
            ),
            (
                FileQuoting::Hidden,
                "the first line has no column `acount` among its 2 names; write a name exactly as in \
                 the file, or a number; use --show-lines to show the names",
            ),
        ] {
            let options = ListOptions {
                column: Some(Column::parse("acount")),
                text,
            };
            let accounts = Accounts {
                options: &options,
                wanted: "",
                malformed: &|_| String::new(),
                is_account: &|_| true,
                is_header: &|_| true,
            };
            let error = accounts.read(&b"id,account\n"[..], &mut |_| {});
            assert_eq!(error.unwrap_err().to_string(), sentence);
        }
    }
}
