//! Restricts the files that a policy may name in `accounts_from`, and opens them.
//!
//! The author of a policy is not trusted with the files of the machine that lints it. So a policy may only name
//! files below its own folder, or below a folder that the command line allows. Nothing outside these folders is
//! accessed, so that no error reveals whether a file exists.

use std::ffi::OsString;
use std::fs::{self, File, FileType};
use std::io;
use std::path::{Component, Path, PathBuf};

use clap::Args;
use turnout_core::FileQuoting;

use crate::support::text_io::{is_dash, name_of};

/// The number of symbolic links that Linux follows in one path.
const MOST_LINKS: usize = 40;

/// The arguments for reading account files.
#[derive(Args)]
pub(crate) struct AccountFileOptions {
    #[command(flatten)]
    roots: RootOptions,
    #[command(flatten)]
    lines: LineOptions,
}

/// The `--accounts-root` argument.
#[derive(Args)]
pub(crate) struct RootOptions {
    /// Also allow account files below this folder. May be repeated. Default: only files below the policy's own
    /// folder.
    #[arg(long = "accounts-root", value_name = "DIR")]
    roots: Vec<PathBuf>,
}

/// The `--show-lines` argument.
#[derive(Args, Default)]
pub(crate) struct LineOptions {
    /// Show the text of lines that are not accounts. Default: show only line numbers and errors.
    #[arg(long)]
    show_lines: bool,
}

/// How account files are read.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    /// Allowed folders in addition to the policy's own.
    roots: &'a [PathBuf],
    /// Whether messages quote lines of the files.
    pub(crate) text: FileQuoting,
}

impl AccountFileOptions {
    pub(crate) fn access(&self) -> Access<'_> {
        self.roots.access(&self.lines)
    }

    /// The folders of `--accounts-root`.
    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots.roots
    }
}

impl RootOptions {
    pub(crate) fn access(&self, lines: &LineOptions) -> Access<'_> {
        Access {
            roots: &self.roots,
            text: lines.text(),
        }
    }
}

impl LineOptions {
    /// Whether messages quote lines of the files.
    pub(crate) fn text(&self) -> FileQuoting {
        match self.show_lines {
            true => FileQuoting::Shown,
            false => FileQuoting::Hidden,
        }
    }
}

/// The folders whose files a policy may name.
pub(crate) struct Roots {
    /// The folder that relative paths start from, without links.
    base: PathBuf,
    list: Vec<Root>,
    /// The same folder, as messages show it.
    pub(crate) shown_base: PathBuf,
}

struct Root {
    /// An absolute path that may have links.
    given: PathBuf,
    /// The path without links.
    canonical: PathBuf,
    /// Whether files in subfolders are allowed too.
    is_deep: bool,
}

/// Why a file was not opened.
pub(crate) enum Refusal {
    /// The path is not below an allowed folder.
    Outside,
    /// The path exists, and is a folder, a device, a pipe or a socket.
    NoFile {
        is_folder: bool,
    },
    Io(io::Error),
}

impl Refusal {
    fn no_file(kind: FileType) -> Self {
        Self::NoFile {
            is_folder: kind.is_dir(),
        }
    }
}

/// A path to a file, without links.
struct Resolved<'r> {
    root: &'r Root,
    /// The components after the root.
    parts: Vec<OsString>,
}

impl Roots {
    /// The folders for the policy in this file. The error is the sentence to print.
    pub(crate) fn of(policy: &Path, access: Access<'_>) -> Result<Self, String> {
        let (shown_base, own) = Root::of_policy(policy)
            .map_err(|error| format!("cannot read the folder of {}: {error}", name_of(policy)))?;
        let base = own.canonical.clone();
        let mut list = vec![own];
        for given in access.roots {
            let root = Root::new(given, true);
            let root = root.and_then(|root| match root.canonical.is_dir() {
                true => Ok(root),
                false => Err(io::Error::from(io::ErrorKind::NotADirectory)),
            });
            list.push(root.map_err(|error| {
                let given = name_of(given);
                format!("--accounts-root {given}: {error}; give an existing folder")
            })?);
        }
        Ok(Self {
            base,
            list,
            shown_base,
        })
    }

    /// Opens a file that a policy names.
    pub(crate) fn open(&self, named: &str) -> Result<File, Refusal> {
        let Resolved { root, parts } = self.resolve(Path::new(named))?;
        let file = open_without_links(&root.canonical, &parts).map_err(Refusal::Io)?;
        // The file may have been replaced since `resolve` checked it.
        let kind = file.metadata().map_err(Refusal::Io)?.file_type();
        match kind.is_file() {
            true => Ok(file),
            false => Err(Refusal::no_file(kind)),
        }
    }

    /// Resolves a path as the system does, and stops where it leaves the allowed folders. Their parent folders
    /// are known to exist, so nothing outside is accessed.
    fn resolve(&self, named: &Path) -> Result<Resolved<'_>, Refusal> {
        let mut current = self.base.clone();
        let mut left = self.parts_of(named);
        let mut links = 0_usize;
        let mut kind = None;
        while let Some(part) = left.pop() {
            let part = match part {
                Part::Root => {
                    current = PathBuf::from("/");
                    continue;
                }
                Part::Parent => {
                    current.pop();
                    continue;
                }
                Part::Foreign => return Err(Refusal::Outside),
                Part::Name(name) => name,
            };
            let next = current.join(&part);
            if self.root_of(&next).is_none() {
                if !self.is_above(&next) {
                    return Err(Refusal::Outside);
                }
                current = next;
                continue;
            }
            let found = fs::symlink_metadata(&next)
                .map_err(Refusal::Io)?
                .file_type();
            if found.is_symlink() {
                links = links.saturating_add(1);
                if links > MOST_LINKS {
                    return Err(Refusal::Io(io::Error::other("too many links")));
                }
                let target = fs::read_link(&next).map_err(Refusal::Io)?;
                left.extend(self.parts_of(&target));
                continue;
            }
            kind = Some(found);
            current = next;
        }
        let Some(root) = self.root_of(&current) else {
            return match self.list.iter().any(|root| root.canonical == current) {
                true => Err(Refusal::NoFile { is_folder: true }),
                false => Err(Refusal::Outside),
            };
        };
        // A path that ends with `..` resolves to a folder, whose kind was not read.
        if let Some(kind) = kind.filter(|kind| !kind.is_file()) {
            return Err(Refusal::no_file(kind));
        }
        let parts = current
            .strip_prefix(&root.canonical)
            .map_err(|_| Refusal::Outside)?;
        Ok(Resolved {
            root,
            parts: parts.iter().map(OsString::from).collect(),
        })
    }

    /// The components of a path in reverse order. The given name of an allowed folder is resolved first.
    fn parts_of(&self, path: &Path) -> Vec<Part> {
        let given = self.list.iter().find_map(|root| {
            let rest = path.strip_prefix(&root.given).ok()?;
            Some(root.canonical.join(rest))
        });
        let path = given.unwrap_or_else(|| path.to_owned());
        let parts = path.components().rev().filter_map(|part| match part {
            Component::CurDir => None,
            Component::RootDir => Some(Part::Root),
            Component::ParentDir => Some(Part::Parent),
            Component::Normal(name) => Some(Part::Name(name.to_owned())),
            Component::Prefix(_) => Some(Part::Foreign),
        });
        parts.collect()
    }

    /// The allowed folder that contains a path.
    fn root_of(&self, path: &Path) -> Option<&Root> {
        self.list.iter().find(|root| root.has(path))
    }

    /// Whether a path is an allowed folder or a parent of one.
    fn is_above(&self, path: &Path) -> bool {
        let mut roots = self.list.iter();
        roots.any(|root| root.canonical.starts_with(path))
    }
}

/// A component of a path.
enum Part {
    Root,
    Parent,
    Name(OsString),
    /// A drive prefix, which no allowed folder has.
    Foreign,
}

impl Root {
    fn new(given: &Path, is_deep: bool) -> io::Result<Self> {
        Ok(Self {
            given: std::path::absolute(given)?,
            canonical: fs::canonicalize(given)?,
            is_deep,
        })
    }

    /// The folder of a policy: as messages show it, and resolved. For a policy from standard input, it is the
    /// current folder.
    fn of_policy(policy: &Path) -> io::Result<(PathBuf, Self)> {
        let folder = policy.parent().filter(|_| !is_dash(policy));
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let root = Self::new(folder.unwrap_or(Path::new(".")), true)?;
        // A shell passes a pipe by such a path.
        let is_handed_over = ["/dev", "/proc"].map(|system| root.canonical.starts_with(system));
        let (shown, mut root) = match is_handed_over.contains(&true) {
            true => (None, Self::new(Path::new("."), true)?),
            false => (folder, root),
        };
        // Every file is below the root of the file system, so it allows only its direct children.
        root.is_deep = root.canonical.parent().is_some();
        Ok((shown.unwrap_or(Path::new("")).to_owned(), root))
    }

    fn has(&self, path: &Path) -> bool {
        match self.is_deep {
            true => path != self.canonical && path.starts_with(&self.canonical),
            false => path.parent() == Some(&self.canonical),
        }
    }
}

/// Opens a file below a folder without following links: the path had none when it was resolved.
#[cfg(unix)]
fn open_without_links(folder: &Path, parts: &[OsString]) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open, openat};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const TO_PASS: OFlags = OFlags::PATH;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const TO_PASS: OFlags = OFlags::RDONLY;
    let to_pass = TO_PASS | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // Opening must not block on a pipe without a writer. The caller checks that it is a regular file.
    let to_read = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut at = open(folder, to_pass, Mode::empty())?;
    let Some((name, folders)) = parts.split_last() else {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    };
    for folder in folders {
        at = openat(&at, folder, to_pass | OFlags::NOFOLLOW, Mode::empty())?;
    }
    let file = openat(&at, name, to_read | OFlags::NOFOLLOW, Mode::empty())?;
    Ok(File::from(file))
}

/// Opens a file below a folder.
#[cfg(not(unix))]
fn open_without_links(folder: &Path, parts: &[OsString]) -> io::Result<File> {
    File::open(
        parts
            .iter()
            .fold(folder.to_owned(), |path, part| path.join(part)),
    )
}
