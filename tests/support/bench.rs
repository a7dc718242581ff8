//! What the benches with a real Envoy share: client and upstream processes, rounds, statistics, and
//! measurements of the machine.

pub mod accounts;
pub mod arguments;
pub mod machine;
pub mod open_loop;
pub mod policy;
mod process;
pub mod request;
pub mod rounds;
pub mod series;
pub mod statistics;
#[cfg(test)]
mod tests;
mod upstream;

pub use process::{Client, finish, wait_for_start};
pub use upstream::{Upstream, report_requests, serve};

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

/// Writes all numbers as JSON to a file.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(file: &Path, document: &Value) -> Result<(), String> {
    write(file, &format!("{document:#}\n"))
}

/// Writes a text to a file.
///
/// # Errors
/// When the file cannot be written.
pub fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// The exit code of a bench: 1, and the error on standard error, when a response was wrong or lost.
#[must_use]
pub fn exit_code(bench: &str, result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{bench}: {error}");
            ExitCode::FAILURE
        }
    }
}
