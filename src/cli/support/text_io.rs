//! Reads and writes text files, standard input and standard output.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use turnout_core::invalid_utf8;
use turnout_text::escape_bytes_for_terminal;

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::{self, SafeText};

/// The maximum size of an input, in bytes; 100,000 accounts take 4 MiB.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads a file as UTF-8; `-` reads standard input. The error is the sentence to print.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let bytes = read_bytes(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let name = name_of(path);
        match invalid_utf8(error.as_bytes()) {
            ("the text is not UTF-8", _) => {
                format!("cannot read {name}: it is not UTF-8 at byte {place}")
            }
            (what, instead) => format!("cannot read {name}: {what}; {instead}"),
        }
    })
}

/// Reads the bytes of a file; `-` reads standard input. The error is the sentence to print.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = match is_dash(path) {
        true => at_most(io::stdin().lock()),
        false => File::open(path).and_then(at_most),
    };
    let bytes = bytes.map_err(|error| format!("cannot read {}: {error}", name_of(path)))?;
    bytes.ok_or_else(|| {
        format!(
            "cannot read {}: it is larger than 64 MiB; use a smaller file",
            name_of(path)
        )
    })
}

/// Reads to the end; `None` if the input is larger than [`LARGEST`].
fn at_most(source: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = source
        .take(LARGEST.saturating_add(1))
        .read_to_end(&mut bytes)?;
    let is_whole = u64::try_from(read).is_ok_and(|read| read <= LARGEST);
    Ok(is_whole.then_some(bytes))
}

/// The name of a file in a sentence.
pub(crate) fn name_of(path: &Path) -> String {
    match is_dash(path) {
        true => String::from("standard input"),
        false => escape_bytes_for_terminal(path.as_os_str().as_encoded_bytes()),
    }
}

/// The name of a file in JSON, where it is not escaped. Bytes that are not UTF-8 are replaced.
pub(crate) fn exact_name_of(path: &Path) -> String {
    match is_dash(path) {
        true => name_of(path),
        false => path.to_string_lossy().into_owned(),
    }
}

/// Writes to standard output, or replaces a file atomically: it has its old contents until the new ones are
/// complete.
pub(crate) fn write(path: Option<&Path>, text: &SafeText) -> Result<(), String> {
    let Some(path) = path.filter(|path| !is_dash(path)) else {
        return match safe_output::print(text) {
            // The reader has closed standard output.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| format!("cannot write to standard output: {error}")),
        };
    };
    replace(path, text.as_str()).map_err(|error| format!("cannot write {}: {error}", name_of(path)))
}

/// Prints to standard output, and returns this exit code if that succeeds.
pub(crate) fn print(text: &SafeText, exit: Exit) -> Exit {
    match write(None, text) {
        Ok(()) => exit,
        Err(error) => refuse(&error),
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Something else than a file, such as /dev/null or a pipe, is written to rather than replaced.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return File::options()
            .write(true)
            .open(path)?
            .write_all(text.as_bytes());
    }
    // The target of a link is replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let written = File::create_new(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Whether a path is `-`, which is standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Checks that at most one input is standard input.
pub(crate) fn check_inputs<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), String> {
    match paths.into_iter().filter(|path| is_dash(path)).count() {
        0 | 1 => Ok(()),
        _ => Err("standard input can be read only once; use `-` for one input".into()),
    }
}
