//! The list of a module's exports: which are kept, renamed or dropped.

use std::collections::BTreeMap;
use std::fmt;

use turnout_text::{escape_for_terminal, excerpt_for_terminal};

use crate::problem::{Problem, write_lines};

/// The number of characters of a malformed line that an error quotes.
const QUOTED: usize = 80;

/// The exports of a module, each with what becomes of it.
///
/// A list has one entry on a line. Empty lines, and text from a `#` at the beginning of a word, are ignored.
///
/// ```text
/// keep NAME             exported as it is
/// keep NAME from OTHER  the function that the module exports as OTHER is exported as NAME, in place of the
///                       module's own NAME if it has one
/// drop NAME             not exported
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportList {
    pub(crate) entries: Vec<Entry>,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) action: Action,
}

/// What becomes of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Keep,
    /// Export the function of this other name instead.
    KeepFrom(String),
    Drop,
}

/// The problems of a text that is not a valid list, in the order of their lines: all problems in the order of their lines. `Display` writes each on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListError {
    /// The problems; there is at least one.
    pub problems: Vec<Problem>,
}

impl ExportList {
    /// Reads a list.
    pub fn parse(text: &str) -> Result<Self, ListError> {
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        let mut lines_of_names = BTreeMap::new();
        for (text, line) in text.lines().zip(1..) {
            match parse_line(text) {
                Ok(None) => {}
                Ok(Some((name, action))) => {
                    let entry = Entry { line, name, action };
                    for name in entry.names() {
                        match lines_of_names.get(name) {
                            None => {
                                lines_of_names.insert(name.to_owned(), line);
                            }
                            Some(first) => problems.push(listed_twice(name, line, *first)),
                        }
                    }
                    entries.push(entry);
                }
                Err(Malformed) => problems.push(malformed(text, line)),
            }
        }
        match problems.is_empty() {
            true => Ok(Self { entries }),
            false => Err(ListError { problems }),
        }
    }

    /// The names that a trimmed module exports, in the order of the list.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        let is_kept = |entry: &&Entry| entry.action != Action::Drop;
        self.entries
            .iter()
            .filter(is_kept)
            .map(|entry| entry.name.as_str())
    }

    /// Whether a line contains this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        let mut names = self.entries.iter().flat_map(Entry::names);
        names.any(|listed| listed == name)
    }
}

impl Entry {
    /// The names on the line.
    fn names(&self) -> impl Iterator<Item = &str> {
        let other = match &self.action {
            Action::KeepFrom(other) => Some(other.as_str()),
            Action::Keep | Action::Drop => None,
        };
        [self.name.as_str()].into_iter().chain(other)
    }
}

/// The line is no entry.
struct Malformed;

fn parse_line(text: &str) -> Result<Option<(String, Action)>, Malformed> {
    let words = text.split_whitespace();
    let words: Vec<&str> = words.take_while(|word| !word.starts_with('#')).collect();
    let (name, action) = match words.as_slice() {
        [] => return Ok(None),
        ["keep", name] => (name, Action::Keep),
        ["keep", name, "from", other] => (name, Action::KeepFrom((*other).to_owned())),
        ["drop", name] => (name, Action::Drop),
        _ => return Err(Malformed),
    };
    Ok(Some(((*name).to_owned(), action)))
}

fn malformed(text: &str, line: usize) -> Problem {
    let found = excerpt_for_terminal(text.trim(), QUOTED);
    let message =
        format!("expected `keep NAME`, `keep NAME from OTHER` or `drop NAME`, found `{found}`");
    Problem::on_line(line, message)
}

fn listed_twice(name: &str, line: usize, first: usize) -> Problem {
    let name = escape_for_terminal(name);
    let message = match line == first {
        true => format!("`{name}` is on both sides of `from`; write `keep {name}`"),
        false => format!("`{name}` is already on line {first}; keep only one of the two lines"),
    };
    Problem::on_line(line, message)
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lines(&self.problems, f)
    }
}

impl std::error::Error for ListError {}
