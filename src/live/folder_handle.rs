//! An open folder. Creating, renaming and removing files uses the open folder, even if its path is replaced with a
//! link meanwhile.

use std::fs::{File, Permissions};
use std::io;
use std::path::Path;

/// Whether a link to a folder is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Followed,
    Refused,
}

#[cfg(unix)]
pub(crate) use unix::FolderHandle;

#[cfg(not(unix))]
pub(crate) use other::FolderHandle;

/// Opens a regular file for reading. A link or a pipe is an error.
#[cfg(unix)]
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    let flags = OFlags::RDONLY | unix::CAREFUL;
    let file = openat(CWD, path, flags, Mode::empty()).map_err(|error| {
        match error == rustix::io::Errno::LOOP {
            true => io::Error::other("it is a link; replace it with the file"),
            false => io::Error::from(error),
        }
    })?;
    checked(File::from(file))
}

/// Opens a file for reading.
#[cfg(not(unix))]
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    checked(File::open(path)?)
}

fn checked(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a file")),
    }
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, openat, renameat, statat, unlinkat};

    use super::{File, Links, Path, Permissions, io};

    /// Refuses links, and does not wait for the writer of a pipe.
    pub(super) const CAREFUL: OFlags = OFlags::NOFOLLOW
        .union(OFlags::NONBLOCK)
        .union(OFlags::NOCTTY)
        .union(OFlags::CLOEXEC);

    #[derive(Debug)]
    pub(crate) struct FolderHandle(OwnedFd);

    impl FolderHandle {
        pub(crate) fn open(path: &Path, links: Links) -> io::Result<Self> {
            let path = match path.as_os_str().is_empty() {
                true => Path::new("."),
                false => path,
            };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let flags = match links {
                Links::Followed => flags,
                Links::Refused => flags | OFlags::NOFOLLOW,
            };
            Ok(Self(open(path, flags, Mode::empty())?))
        }

        /// Creates a file. It is an error if the file exists.
        pub(crate) fn create_new(&self, name: &OsStr) -> io::Result<File> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | CAREFUL;
            Ok(File::from(openat(&self.0, name, flags, Mode::from(0o666))?))
        }

        /// Returns the permissions of an existing regular file.
        #[cfg_attr(
            target_os = "linux",
            expect(clippy::useless_conversion, reason = "other systems have another type")
        )]
        pub(crate) fn permissions(&self, name: &OsStr) -> Option<Permissions> {
            let there = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            let is_file = FileType::from_raw_mode(there.st_mode) == FileType::RegularFile;
            let mode = Mode::from_raw_mode(there.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
            is_file.then(|| Permissions::from_mode(u32::from(mode.as_raw_mode())))
        }

        pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            Ok(renameat(&self.0, from, &self.0, to)?)
        }

        pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
            Ok(unlinkat(&self.0, name, AtFlags::empty())?)
        }

        /// Waits until the folder is on disk, on file systems that support it.
        pub(crate) fn sync(&self) {
            let _ = rustix::fs::fsync(&self.0);
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::ffi::OsStr;
    use std::fs;
    use std::path::PathBuf;

    use super::{File, Links, Path, Permissions, io};

    #[derive(Debug)]
    pub(crate) struct FolderHandle(PathBuf);

    impl FolderHandle {
        pub(crate) fn open(path: &Path, links: Links) -> io::Result<Self> {
            let there = fs::symlink_metadata(path)?;
            match links == Links::Refused && there.is_symlink() {
                true => Err(io::Error::other("it is a link")),
                false => Ok(Self(path.to_owned())),
            }
        }

        pub(crate) fn create_new(&self, name: &OsStr) -> io::Result<File> {
            File::create_new(self.0.join(name))
        }

        pub(crate) fn permissions(&self, name: &OsStr) -> Option<Permissions> {
            let there = fs::symlink_metadata(self.0.join(name)).ok()?;
            there.is_file().then(|| there.permissions())
        }

        pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            fs::rename(self.0.join(from), self.0.join(to))
        }

        pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
            fs::remove_file(self.0.join(name))
        }

        pub(crate) fn sync(&self) {}
    }
}
