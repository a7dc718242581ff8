//! Reads accounts: one in each line, or a column of CSV, in bounded memory.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use csv_core::{ReadFieldResult, Reader};
use serde::Serialize;

use turnout_core::{FileQuoting, Format};
use turnout_text::{counted, nearest};

use crate::chunks::{Chunk, Chunks, LONGEST_LINE};
use crate::unreadable::Unreadable;
use crate::words::{self, excerpt, wanted};

/// A column of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By its place, from 1.
    Number(usize),
    /// By its name in the first line.
    Name(String),
}

impl Column {
    /// A number is a place, anything else a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(number) if number > 0 => Self::Number(number),
            _ => Self::Name(text.to_owned()),
        }
    }
}

/// How a list of accounts is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// The column of CSV that has the accounts; else each line is one.
    pub column: Option<Column>,
    /// Whether messages quote its lines.
    pub text: FileQuoting,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountsRead {
    /// Lines, or records of CSV.
    pub lines: u64,
    /// Those that hold an account.
    pub accounts: u64,
    /// Lines with nothing in them.
    pub blank: u64,
    /// Lines that hold no account.
    pub malformed: Unreadable,
    /// What the first line says, where it was taken as a header; empty where its text is hidden.
    pub header: Option<String>,
}

/// Why accounts could not be read.
#[derive(Debug)]
pub enum BadAccounts {
    /// The input failed.
    Io(io::Error),
    /// The first line has no column of this name.
    NoColumn {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: Vec<String>,
        /// Whether the message names what there is.
        text: FileQuoting,
    },
}

impl fmt::Display for BadAccounts {
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
                    "the first line has no column `{wanted}` among its {names}; write a name as it is there, or a \
                     number; --show-lines shows the names"
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

impl std::error::Error for BadAccounts {}

impl From<io::Error> for BadAccounts {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a file has that a policy names for the accounts of a segment: each account with its line. Every
/// line that is none is counted, and `named` of them are named.
///
/// # Errors
/// When the input fails, or has no such column.
pub fn read_accounts(
    input: impl Read,
    options: &ListOptions,
    format: Format,
    named: usize,
    take: &mut dyn FnMut(u64, &[u8]),
) -> Result<AccountsRead, BadAccounts> {
    let accounts = Accounts {
        options,
        wanted: wanted(format),
        malformed: &|found| words::malformed(format, found, options.text),
        // What is not UTF-8 cannot stand in a policy.
        is_account: &|found| format.is_account(found) && std::str::from_utf8(found).is_ok(),
        // A first account that is mistyped is not taken for a header.
        is_header: &|found| !found.iter().any(u8::is_ascii_digit),
    };
    accounts.read_with_lines(input, Unreadable::naming(named), take)
}

/// Hands over each account. What is no account is counted; in the first line it may be a header.
pub(crate) struct Accounts<'a> {
    pub(crate) options: &'a ListOptions,
    /// What an account has to be, and whether these bytes are one.
    pub(crate) wanted: &'a str,
    /// That these bytes are not one, and why.
    pub(crate) malformed: &'a dyn Fn(&[u8]) -> String,
    pub(crate) is_account: &'a dyn Fn(&[u8]) -> bool,
    /// Whether a first line that is no account may be a header.
    pub(crate) is_header: &'a dyn Fn(&[u8]) -> bool,
}

impl Accounts<'_> {
    pub(crate) fn read(
        &self,
        input: impl Read,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<AccountsRead, BadAccounts> {
        self.read_with_lines(input, Unreadable::default(), &mut |_, account| {
            take(account);
        })
    }

    fn read_with_lines(
        &self,
        input: impl Read,
        malformed: Unreadable,
        take: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<AccountsRead, BadAccounts> {
        let mut read = AccountsRead {
            malformed,
            ..AccountsRead::default()
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
        read: &mut AccountsRead,
        take: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), BadAccounts> {
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

    /// One line or record; `None` is one that is far too long.
    fn record(
        &self,
        number: u64,
        found: Option<&[u8]>,
        read: &mut AccountsRead,
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
                let hint = if comma { ", or name a --column" } else { "" };
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
        read: &mut AccountsRead,
        take: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), BadAccounts> {
        let mut csv = Csv::new(input);
        let place = match column {
            Column::Number(number) => number.saturating_sub(1),
            Column::Name(name) => {
                let known = csv.names()?;
                let Some(place) = known.iter().position(|known| known == name) else {
                    let known = known.iter().filter(|name| !name.is_empty());
                    return Err(BadAccounts::NoColumn {
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

/// Bytes of a field that are kept: no account is longer, and few names of columns.
const LONGEST_FIELD: usize = 512;
/// Names of columns that are looked at.
const MOST_COLUMNS: usize = 4_096;

struct Csv<R: Read> {
    input: BufReader<R>,
    reader: Reader,
    field: [u8; LONGEST_FIELD],
}

struct Record {
    line: u64,
    field: Field,
}

enum Field {
    Absent,
    TooLong,
    /// It has so many bytes.
    Is(usize),
}

/// How a field ended.
struct Ended {
    length: Option<usize>,
    record_ends: bool,
}

impl<R: Read> Csv<R> {
    fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 16, input),
            reader: Reader::new(),
            field: [0; LONGEST_FIELD],
        }
    }

    /// The fields of the next record.
    fn names(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        while let Some(ended) = self.read_field()? {
            let name = ended.length.and_then(|length| self.field.get(..length));
            let name = String::from_utf8_lossy(name.unwrap_or_default());
            if names.len() < MOST_COLUMNS {
                names.push(name.trim().trim_start_matches('\u{feff}').to_owned());
            }
            if ended.record_ends {
                break;
            }
        }
        Ok(names)
    }

    /// The next record; its field in this place is kept. Lines with nothing are none.
    fn next(&mut self, wanted: usize) -> io::Result<Option<Record>> {
        let mut kept = [0; LONGEST_FIELD];
        let mut field = Field::Absent;
        let mut place = 0_usize;
        loop {
            let Some(ended) = self.read_field()? else {
                return Ok(None);
            };
            // The reader is behind the end of a record's line.
            let line = self
                .reader
                .line()
                .saturating_sub(u64::from(ended.record_ends))
                .max(1);
            if place == wanted {
                field = ended.length.map_or(Field::TooLong, Field::Is);
                kept = self.field;
            }
            place = place.saturating_add(1);
            if ended.record_ends {
                self.field = kept;
                return Ok(Some(Record { line, field }));
            }
        }
    }

    /// `None` at the end of the input.
    fn read_field(&mut self) -> io::Result<Option<Ended>> {
        let mut length = 0_usize;
        let mut too_long = false;
        loop {
            let input = match self.input.fill_buf() {
                Ok(input) => input,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let output = self.field.get_mut(length..).unwrap_or_default();
            let (result, used, written) = self.reader.read_field(input, output);
            self.input.consume(used);
            length = length.saturating_add(written);
            match result {
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => {
                    too_long = true;
                    length = 0;
                }
                ReadFieldResult::Field { record_end } => {
                    return Ok(Some(Ended {
                        length: (!too_long).then_some(length),
                        record_ends: record_end,
                    }));
                }
                ReadFieldResult::End => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, column: Option<&str>) -> (Vec<String>, AccountsRead) {
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
        assert!(second.why.ends_with(", or name a --column"), "{second:?}");
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
                "the first line has no column `acount` among its 2 names; write a name as it is there, or a \
                 number; --show-lines shows the names",
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
