//! Trims a file.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use turnout_text::{escape_bytes_for_terminal, thousands};

use crate::export_list::{ExportList, ListError};
use crate::problem::Problem;
use crate::trim::{TrimError, trim};

/// What trimming has changed. `Display` is one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of exports that are left.
    pub kept: usize,
    /// The number of exports that are gone.
    pub dropped: usize,
    /// The size before, in bytes.
    pub size_before: usize,
    /// The size after, in bytes.
    pub size_after: usize,
}

/// Why no file was written. `Display` writes each problem on a line of its own.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// An error of the operating system.
    Io {
        /// The operation: `read`, `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The list has problems.
    List {
        /// The file with the list.
        list: PathBuf,
        /// The problems.
        error: ListError,
    },
    /// The module cannot be trimmed.
    Trim {
        /// The file with the list.
        list: PathBuf,
        /// The file with the module.
        module: PathBuf,
        /// The problems.
        error: TrimError,
    },
}

/// Trims the module of one file into another file, whose folder is created.
///
/// The output is replaced atomically, and not touched if it has the same bytes already, so processes may do this
/// at the same time. In case of an error it stays as it is.
pub fn trim_file(list: &Path, module: &Path, output: &Path) -> Result<Summary, FileError> {
    let io_error = |doing, path: &Path| {
        let path = path.to_owned();
        move |error| FileError::Io { doing, path, error }
    };
    let text = fs::read_to_string(list).map_err(io_error("read", list))?;
    let wasm = fs::read(module).map_err(io_error("read", module))?;
    let exports = ExportList::parse(&text).map_err(|error| FileError::List {
        list: list.to_owned(),
        error,
    })?;
    let trimmed = trim(&wasm, &exports).map_err(|error| FileError::Trim {
        list: list.to_owned(),
        module: module.to_owned(),
        error,
    })?;
    replace(output, &trimmed.wasm).map_err(io_error("write", output))?;
    Ok(Summary {
        kept: trimmed.kept,
        dropped: trimmed.dropped,
        size_before: wasm.len(),
        size_after: trimmed.wasm.len(),
    })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A rename would put a file in the place of a device or a pipe.
    match fs::metadata(path) {
        Ok(existing) if !existing.is_file() => return Err(io::Error::other("it is not a file")),
        Ok(_) if fs::read(path)? == bytes => return Ok(()),
        Ok(_) => {}
        Err(_) => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
        }
    }
    // The target of a link is replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |number: usize| thousands(u64::try_from(number).unwrap_or(u64::MAX));
        write!(
            f,
            "{} exports kept, {} dropped; {} -> {} bytes",
            show(self.kept),
            show(self.dropped),
            show(self.size_before),
            show(self.size_after)
        )
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, error } => write!(f, "cannot {doing} {}: {error}", shown(path)),
            Self::List { list, error } => write_placed(f, &error.problems, list, list),
            Self::Trim {
                module,
                error: error @ TrimError::NotAModule(_),
                ..
            } => write!(f, "{}: {error}", shown(module)),
            Self::Trim {
                list,
                module,
                error: TrimError::Unfit(problems),
            } => write_placed(f, problems, list, module),
        }
    }
}

/// Writes each problem after its place: the file and line of the list, or the module.
fn write_placed(
    f: &mut fmt::Formatter<'_>,
    problems: &[Problem],
    list: &Path,
    module: &Path,
) -> fmt::Result {
    for (index, problem) in problems.iter().enumerate() {
        if index > 0 {
            f.write_str("\n")?;
        }
        match problem.line {
            Some(line) => write!(f, "{}:{line}: {}", shown(list), problem.message)?,
            None => write!(f, "{}: {}", shown(module), problem.message)?,
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    escape_bytes_for_terminal(path.as_os_str().as_encoded_bytes())
}

impl std::error::Error for FileError {}
