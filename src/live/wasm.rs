//! Whether a file may be the filter.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::files;

/// Whether a file may be the filter: who applies from where it is not gives no `wasm` here.
///
/// # Errors
/// What is wrong with it.
pub fn check_wasm(path: &str) -> Result<(), Error> {
    use std::io::Read;
    const MAGIC: [u8; 4] = *b"\0asm";
    let not = |why: String| Error::NotWasm {
        path: PathBuf::from(path),
        why,
    };
    let mut head = [0; 4];
    let mut file = files::open(Path::new(path)).map_err(|error| not(error.to_string()))?;
    let read = file.read_exact(&mut head);
    match read {
        Ok(()) if head == MAGIC => Ok(()),
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(not(error.to_string()))
        }
        _ => Err(not("it does not begin as a wasm does".into())),
    }
}
