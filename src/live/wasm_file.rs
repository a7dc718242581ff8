//! Checks the file of the filter.

use std::path::{Path, PathBuf};

use crate::atomic_file;
use crate::error::Error;

/// Checks that a file begins as a WebAssembly module does.
///
/// # Errors
/// If it does not, or cannot be read.
pub fn check_wasm(path: &str) -> Result<(), Error> {
    use std::io::Read;
    const MAGIC: [u8; 4] = *b"\0asm";
    let not = |why: String| Error::NotWasm {
        path: PathBuf::from(path),
        why,
    };
    let mut head = [0; 4];
    let mut file = atomic_file::open(Path::new(path)).map_err(|error| not(error.to_string()))?;
    let read = file.read_exact(&mut head);
    match read {
        Ok(()) if head == MAGIC => Ok(()),
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(not(error.to_string()))
        }
        _ => Err(not("it does not begin as a WebAssembly module does".into())),
    }
}
