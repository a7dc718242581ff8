//! What was done last to the policy of the proxies, from the folder of `turnout apply`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use turnout_live::{Directory, Entry, What};

/// The folder, and what it said last: a policy of megabytes is not read every second.
#[derive(Debug)]
pub(crate) struct History {
    directory: Directory,
    last: Mutex<(Stamp, Option<String>)>,
}

/// When `filter.json` and the history were changed.
type Stamp = [Option<SystemTime>; 2];

impl History {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory,
            last: Mutex::default(),
        }
    }

    /// In one line; `None` where there is no history.
    pub(crate) fn last_change(&self) -> Option<String> {
        let stamp = self.stamp();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != stamp {
            let log = self.directory.log(1).ok();
            let newest = log.and_then(|log| log.rows.into_iter().next());
            *last = (stamp, newest.map(|row| in_words(&row.entry)));
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

fn in_words(entry: &Entry) -> String {
    let to_or_of = match entry.what {
        What::Rollback => "to",
        _ => "of",
    };
    let mut words = format!(
        "{} {to_or_of} {} at {}, {}",
        entry.what, entry.revision, entry.when, entry.outcome
    );
    if let Some(who) = &entry.who {
        words.push_str(&format!(", by {who}"));
    }
    if let Some(why) = &entry.why {
        words.push_str(&format!(": {why}"));
    }
    words
}
