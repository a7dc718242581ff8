//! A folder in which a long-running command keeps its state, so that it continues after a kill.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::atomic_file;
use crate::error::Error;
use crate::folder_handle::Links;
use crate::folder_lock::Lock;

const LOCK: &str = "lock";

/// A folder with files that are replaced atomically, and a lock. It is not the folder that Envoy watches, but it may be
/// in that folder: Envoy reacts only to `filter.json`.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// Returns the folder with this path, which does not have to exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder if necessary, and locks it until the lock is dropped or the process ends. Removes what a
    /// killed command left unfinished. `command` is the name that other commands show.
    ///
    /// # Errors
    /// If another command has the lock, and on errors of the operating system.
    pub fn lock(&self, command: &str) -> Result<Lock, Error> {
        fs::create_dir_all(&self.path)
            .map_err(|error| Error::cannot("create", &self.path, error))?;
        let lock = Lock::take(&self.path.join(LOCK), command, Duration::ZERO);
        let lock = lock.map_err(|error| match error {
            Error::Locked { holder } => Error::InUse {
                holder,
                folder: self.path.clone(),
            },
            error => error,
        })?;
        atomic_file::remove_unfinished(&self.path);
        Ok(lock)
    }

    /// Reads a file, or returns `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read, is not a file, or is larger than `most` bytes.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        atomic_file::read_at_most(&self.path.join(name), most)
    }

    /// Replaces a file: it has its old contents until the new ones are complete.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        atomic_file::replace(&self.path.join(name), Links::Refused, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_process_that_has_the_first() {
        let parent = tempfile::tempdir().unwrap();
        let folder = StateFolder::new(parent.path().join("roll"));
        let lock = folder.lock("roll").unwrap();
        let error = folder.lock("roll").unwrap_err().to_string();
        let process = std::process::id();
        let expected = format!(
            "turnout roll, process {process} is using {}; wait until it ends, or end that process, then try again",
            folder.path().display()
        );
        assert_eq!(error, expected);
        drop(lock);
        assert!(folder.lock("roll").is_ok());
    }

    #[test]
    fn a_file_is_replaced_and_read_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = StateFolder::new(parent.path().join("roll"));
        assert!(matches!(folder.read("state.json", 10), Ok(None)));
        let _lock = folder.lock("roll").unwrap();
        fs::write(folder.path().join(".turnout-1-state.json.tmp"), "").unwrap();
        drop(_lock);
        let _lock = folder.lock("roll").unwrap();
        folder.replace("state.json", b"{}").unwrap();
        assert_eq!(folder.read("state.json", 10).unwrap(), Some(b"{}".to_vec()));
        assert!(folder.read("state.json", 1).is_err());
        let names = fs::read_dir(folder.path()).unwrap().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        names.sort();
        assert_eq!(names, ["lock", "state.json"]);
    }
}
