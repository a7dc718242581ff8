//! One command at a time changes a folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use turnout_core::visible;

use crate::error::Error;

/// A change takes some milliseconds, or a second where the disk is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
/// Of what a holder says of itself.
const LONGEST_NAME: u64 = 200;

/// Held until it is dropped. A process that dies drops it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for whoever has it. `command` is what the next one is told who waits for this one.
    pub(crate) fn take(path: &Path, command: &str, patience: Duration) -> Result<Self, Error> {
        let cannot = |error| Error::cannot("lock", path, error);
        let mut file = open(path).map_err(cannot)?;
        let deadline = Instant::now().checked_add(patience);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // There are file systems without locks. What is written is whole there too.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    break;
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
                return Err(Error::Locked {
                    holder: holder(&mut file),
                });
            }
            thread::sleep(POLL);
        }
        let process = std::process::id();
        // Only so that others can say who it is.
        let _ = file
            .set_len(0)
            .and_then(|()| write!(file, "turnout {command}, process {process}"));
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    // A link would have another file emptied, by whoever may write there.
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("it is not a file; remove it"));
    }
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    // One that another user made can be locked all the same.
    options.open(path).or_else(|error| {
        let is_refused = error.kind() == io::ErrorKind::PermissionDenied;
        match is_refused {
            true => File::open(path),
            false => Err(error),
        }
    })
}

fn holder(file: &mut File) -> String {
    let mut name = String::new();
    let _ = file
        .rewind()
        .and_then(|()| file.take(LONGEST_NAME).read_to_string(&mut name));
    match name.trim() {
        "" => String::from("another process"),
        name => visible(name),
    }
}
