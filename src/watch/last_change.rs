//! Describes the last change of the policy, from the history in the folder of `turnout apply`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use turnout_live::{Action, Directory, HistoryEntry};

/// The folder, with the last description. It is read again only when it has changed.
#[derive(Debug)]
pub(crate) struct LastChange {
    directory: Directory,
    last: Mutex<(Stamp, Option<String>)>,
}

/// The modification times of `filter.json` and of the history.
type Stamp = [Option<SystemTime>; 2];

impl LastChange {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory,
            last: Mutex::default(),
        }
    }

    /// Describes the last change in one line, or returns `None` if there is no history.
    pub(crate) fn describe(&self) -> Option<String> {
        let stamp = self.stamp();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != stamp {
            let log = self.directory.log(1).ok();
            let newest = log.and_then(|log| log.rows.into_iter().next());
            *last = (stamp, newest.map(|row| describe_entry(&row.entry)));
        }
        last.1.clone()
    }

    fn stamp(&self) -> Stamp {
        let filter = self.directory.filter();
        let history = filter.with_file_name("history");
        let changed = |path: PathBuf| path.metadata().and_then(|there| there.modified()).ok();
        [changed(filter), changed(history)]
    }
}

fn describe_entry(entry: &HistoryEntry) -> String {
    let to_or_of = match entry.action {
        Action::Rollback => "to",
        _ => "of",
    };
    let mut words = format!(
        "{} {to_or_of} {} at {}, {}",
        entry.action, entry.revision, entry.when, entry.outcome
    );
    if let Some(who) = &entry.who {
        words.push_str(&format!(", by {who}"));
    }
    if let Some(why) = &entry.why {
        words.push_str(&format!(": {why}"));
    }
    words
}
