//! A lock, so that only one command at a time uses a folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use turnout_text::escape_for_terminal;

use crate::error::Error;

/// How long to wait for the lock. A change takes milliseconds, or a second on a slow disk.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
/// The longest name of a holder that is read, in bytes.
const LONGEST_NAME: u64 = 200;

/// A held lock. It is released when dropped, or when the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock. `command` is the name that a waiting command shows if it gives up.
    pub(crate) fn take(path: &Path, command: &str, patience: Duration) -> Result<Self, Error> {
        let cannot = |error| Error::cannot("lock", path, error);
        let mut file = open(path).map_err(cannot)?;
        let deadline = Instant::now().checked_add(patience);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Some file systems have no locks. Each write is still atomic there.
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
        // The name is only for the error messages of other commands.
        let _ = file
            .set_len(0)
            .and_then(|()| write!(file, "turnout {command}, process {process}"));
        Ok(Self { _file: file })
    }
}

/// Opens the lock file. A link is an error, because another file would be truncated through it.
fn open(path: &Path) -> io::Result<File> {
    const NO_FILE: &str = "it is not a file; remove it";
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other(NO_FILE));
    }
    // A file of another user can be locked without writing to it.
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
    if hard_links(&there) > 1 {
        return Err(io::Error::other(
            "it is a hard link, so writing to it would overwrite another file; remove it",
        ));
    }
    Ok(file)
}

/// Opens the file for writing, and creates it if necessary; or for reading. A link is not followed.
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

/// Returns the number of hard links to a file.
#[cfg(unix)]
fn hard_links(there: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(there)
}

#[cfg(not(unix))]
fn hard_links(_there: &fs::Metadata) -> u64 {
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
