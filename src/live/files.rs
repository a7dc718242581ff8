//! Files that are whole at every moment: written beside their place, and renamed into it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::failpoint;
use crate::folder::{self, Folder, Links};

/// What is begun and not yet in its place. Whoever dies meanwhile leaves it, and the next one who
/// has the lock removes it.
const BESIDE: &str = ".turnout-";
const BESIDE_END: &str = ".tmp";

/// What is read at most: a policy of 64 MiB, in a string of JSON.
const LARGEST: u64 = 512 << 20;

/// Reads a file that is no link; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    read_at_most(path, LARGEST)
}

/// As [`read`], of a file that has to be this small, in bytes.
pub(crate) fn read_at_most(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let read = || {
        let file = folder::open_file(path)?;
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

/// Puts a file in its place, in a folder that may be a link to one or not. Its mode is that of the one before:
/// Envoy may run as another user.
pub(crate) fn replace(path: &Path, links: Links, bytes: &[u8]) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default();
    let process = std::process::id();
    let beside = format!("{BESIDE}{process}-{}{BESIDE_END}", name.to_string_lossy());
    let beside = OsStr::new(&beside);
    let written = Folder::open(path.parent().unwrap_or(Path::new("")), links).and_then(|folder| {
        let written = write(&folder, beside, name, bytes);
        if written.is_err() && failpoint::is_alive() {
            // The first error is the one to report.
            let _ = folder.remove(beside);
        }
        written
    });
    written.map_err(|error| Error::cannot("write", path, error))
}

fn write(folder: &Folder, beside: &OsStr, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
    failpoint::step()?;
    // What lies there already is not written to: it may be a link to somewhere else.
    let mut file = folder.create_new(beside)?;
    if let Some(permissions) = folder.permissions(name).or_else(readable) {
        file.set_permissions(permissions)?;
    }
    failpoint::step()?;
    file.write_all(bytes)?;
    // Else a machine that loses its power may come back with the name and without the text.
    file.sync_all()?;
    failpoint::step()?;
    folder.rename(beside, name)?;
    // The text is whole in either case.
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

/// Removes what others have begun and did not live to finish. To be called with the lock held.
pub(crate) fn remove_unfinished(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let names_one =
        |path: &PathBuf| is_unfinished(&path.file_name().unwrap_or_default().to_string_lossy());
    let paths = entries.flatten().map(|entry| entry.path());
    for path in paths.filter(names_one) {
        // Who cannot remove it cannot write either, and is told so there.
        let _ = fs::remove_file(path);
    }
}

pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(BESIDE) && name.ends_with(BESIDE_END)
}
