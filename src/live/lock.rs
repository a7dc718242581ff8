//! One command at a time changes a folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use turnout_text::escape_for_terminal;

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

/// What is there is opened only where it is a file of its own: through a link another file would be emptied, by
/// whoever may write there.
fn open(path: &Path) -> io::Result<File> {
    const NO_FILE: &str = "it is not a file; remove it";
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other(NO_FILE));
    }
    // One that another user made can be locked all the same.
    let file = open_to(path, true).or_else(|error| {
        let is_refused = error.kind() == io::ErrorKind::PermissionDenied;
        match is_refused {
            true => open_to(path, false),
            false => Err(error),
        }
    })?;
    let there = file.metadata()?;
    if !there.is_file() {
        return Err(io::Error::other(NO_FILE));
    }
    if names(&there) > 1 {
        return Err(io::Error::other(
            "it is a hard link, so another file would be overwritten with it; remove it",
        ));
    }
    Ok(file)
}

/// Opens it to write, and makes it if there is none, or to read. A link that came just now is not followed.
#[cfg(unix)]
fn open_to(path: &Path, write: bool) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = match write {
        true => OFlags::RDWR | OFlags::CREATE,
        false => OFlags::RDONLY,
    };
    Ok(File::from(open(path, flags | careful, Mode::from(0o666))?))
}

#[cfg(not(unix))]
fn open_to(path: &Path, write: bool) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(write).create(write).open(path)
}

/// How many names a file has.
#[cfg(unix)]
fn names(there: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(there)
}

#[cfg(not(unix))]
fn names(_there: &fs::Metadata) -> u64 {
    1
}

fn holder(file: &mut File) -> String {
    let mut name = String::new();
    let _ = file
        .rewind()
        .and_then(|()| file.take(LONGEST_NAME).read_to_string(&mut name));
    match name.trim() {
        "" => String::from("another process"),
        name => escape_for_terminal(name),
    }
}
