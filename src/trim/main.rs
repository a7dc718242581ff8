//! The `turnout-trim` command: a step of building the filter.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use turnout_trim::trim_file;

/// Removes the exports of a Wasm module that a list does not keep, and what only they reach.
///
/// The exit code is 0 if the output is complete, and 2 if an argument, the list or the module has an error;
/// then the output stays as it was.
#[derive(Parser)]
#[command(name = "turnout-trim", version)]
struct Arguments {
    /// List of all exports, with `keep NAME`, `keep NAME from OTHER` or `drop NAME` on each line.
    #[arg(long, value_name = "LIST")]
    list: PathBuf,
    /// File to write; its folder is created.
    #[arg(long, value_name = "OUT")]
    output: PathBuf,
    /// Module to trim.
    #[arg(value_name = "IN")]
    module: PathBuf,
}

const BAD_INPUT: u8 = 2;

#[expect(
    clippy::disallowed_methods,
    reason = "the library escapes what it quotes"
)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match trim_file(&arguments.list, &arguments.module, &arguments.output) {
        Ok(summary) => {
            // A closed stdout is no failure: the output file is complete.
            let _ = writeln!(io::stdout(), "turnout-trim: {summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            for line in error.to_string().lines() {
                let _ = writeln!(io::stderr(), "turnout-trim: {line}");
            }
            ExitCode::from(BAD_INPUT)
        }
    }
}
