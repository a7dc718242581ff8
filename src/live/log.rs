//! The history, as people read it.

use crate::directory::{Directory, Filter, State};
use crate::entry::Entry;
use crate::error::{Error, shown};

/// The entries of a folder, newest first, and what does not fit.
#[derive(Debug)]
pub struct Log {
    /// Newest first.
    pub rows: Vec<Row>,
    /// What is wrong with `filter.json`, if no entry wrote it.
    pub filter: Option<String>,
    /// Files of the history that cannot be read, and why.
    pub damaged: Vec<(String, String)>,
}

/// One entry.
#[derive(Debug)]
pub struct Row {
    /// The entry.
    pub entry: Entry,
    /// `filter.json` is what it wrote.
    pub is_in_place: bool,
}

impl Directory {
    /// Reads the history; of many entries the newest ones. Needs no lock: each file is whole.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn log(&self, most: usize) -> Result<Log, Error> {
        self.check()?;
        let state = State::read(self, false)?;
        let (in_place, filter) = match &state.filter {
            Filter::Ours(entry) => (Some(entry.sequence), None),
            Filter::Foreign(_) => (
                None,
                Some("was written by other hands; no entry is what it holds".to_owned()),
            ),
            Filter::Damaged(why) => (None, Some(format!("is damaged: {why}"))),
            Filter::Missing => (None, Some("is not there".to_owned())),
        };
        let mut log = Log {
            rows: Vec::new(),
            filter,
            damaged: Vec::new(),
        };
        for sequence in state.history.sequences().iter().rev().take(most) {
            match state.history.entry(*sequence) {
                Ok(entry) => log.rows.push(Row {
                    is_in_place: in_place == Some(*sequence),
                    entry,
                }),
                Err(why) => {
                    let path = state.history.entry_path(*sequence);
                    log.damaged.push((shown(&path), why));
                }
            }
        }
        for path in state.history.foreign() {
            log.damaged
                .push((shown(path), "it is none of the history's".into()));
        }
        Ok(log)
    }
}
