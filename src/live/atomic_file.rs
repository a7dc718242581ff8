//! Replaces files atomically: writes a temporary file in the same folder, then renames it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::failpoint;
use crate::folder_handle::{self, FolderHandle, Links};

/// The prefix of temporary files. If a command is killed, the next one removes its file.
const TEMPORARY_PREFIX: &str = ".turnout-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// The largest file that is read: a policy of 64 MiB in a JSON string.
const LARGEST: u64 = 512 << 20;

/// Reads a file, or returns `None` if there is none. A link is an error.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    read_at_most(path, LARGEST)
}

/// Same as [`read`], with another limit in bytes.
pub(crate) fn read_at_most(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let read = || {
        let file = folder_handle::open_file(path)?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        if length <= most {
            bytes.reserve(usize::try_from(length).unwrap_or_default());
            file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match length.max(read) <= most {
            true => Ok(bytes),
            false => {
                let larger = format!("it is larger than {} MiB", most >> 20);
                Err(io::Error::other(larger))
            }
        }
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::cannot("read", path, error)),
    }
}

/// Opens a regular file for reading. The check comes first, because opening a pipe waits for its writer.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a file")),
    }
}

/// Replaces a file. `links` says whether a link to its folder is followed. The new file keeps the mode of the
/// old one, because Envoy may run as another user.
pub(crate) fn replace(path: &Path, links: Links, bytes: &[u8]) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default();
    let process = std::process::id();
    let temporary = format!(
        "{TEMPORARY_PREFIX}{process}-{}{TEMPORARY_SUFFIX}",
        name.to_string_lossy()
    );
    let temporary = OsStr::new(&temporary);
    let written =
        FolderHandle::open(path.parent().unwrap_or(Path::new("")), links).and_then(|folder| {
            let written = write(&folder, temporary, name, bytes);
            if written.is_err() && failpoint::is_alive() {
                // The first error is the one to report.
                let _ = folder.remove(temporary);
            }
            written
        });
    written.map_err(|error| Error::cannot("write", path, error))
}

fn write(folder: &FolderHandle, temporary: &OsStr, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
    failpoint::step()?;
    // An existing file is not opened: it may be a link to another file.
    let mut file = folder.create_new(temporary)?;
    if let Some(permissions) = folder.permissions(name).or_else(readable) {
        file.set_permissions(permissions)?;
    }
    failpoint::step()?;
    file.write_all(bytes)?;
    // Otherwise, after a power failure the file may exist without its contents.
    file.sync_all()?;
    failpoint::step()?;
    folder.rename(temporary, name)?;
    // The contents are complete in either case.
    folder.sync();
    Ok(())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "not every system has modes")]
fn readable() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable() -> Option<fs::Permissions> {
    None
}

/// Removes the temporary files of killed commands. The caller holds the lock.
pub(crate) fn remove_unfinished(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let names_one =
        |path: &PathBuf| is_unfinished(&path.file_name().unwrap_or_default().to_string_lossy());
    let paths = entries.flatten().map(|entry| entry.path());
    for path in paths.filter(names_one) {
        // If this fails, writing will fail too, with an error message.
        let _ = fs::remove_file(path);
    }
}

pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX)
}
