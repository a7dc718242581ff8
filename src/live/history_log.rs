//! Lists the history.

use crate::directory::{Directory, Filter, FolderState};
use crate::error::{Error, shown};
use crate::history_entry::HistoryEntry;

/// The entries of the history, and what is wrong with its files.
#[derive(Debug)]
pub struct HistoryLog {
    /// Newest first.
    pub rows: Vec<LogRow>,
    /// What is wrong with `filter.json`, if no command wrote it.
    pub filter: Option<String>,
    /// The files of the history that cannot be read, and why.
    pub damaged: Vec<(String, String)>,
}

/// One entry.
#[derive(Debug)]
pub struct LogRow {
    /// The entry.
    pub entry: HistoryEntry,
    /// Whether `filter.json` is from this entry.
    pub is_in_place: bool,
}

impl Directory {
    /// Reads the `most` newest entries. It needs no lock, because each write is atomic.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn log(&self, most: usize) -> Result<HistoryLog, Error> {
        self.check()?;
        let state = FolderState::read(self, false)?;
        let (in_place, filter) = match &state.filter {
            Filter::Ours(entry) => (Some(entry.sequence), None),
            Filter::Foreign(_) => (
                None,
                Some("was written by something else; no entry has its policy".to_owned()),
            ),
            Filter::Damaged(why) => (None, Some(format!("is damaged: {why}"))),
            Filter::Missing => (None, Some("does not exist".to_owned())),
        };
        let mut log = HistoryLog {
            rows: Vec::new(),
            filter,
            damaged: Vec::new(),
        };
        for sequence in state.history.sequences().iter().rev().take(most) {
            match state.history.entry(*sequence) {
                Ok(entry) => log.rows.push(LogRow {
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
                .push((shown(path), "it does not belong to the history".into()));
        }
        Ok(log)
    }
}
