//! The `turnout` command, as a person runs it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::wasm;

/// What a run of the command came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit code; `None` where it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub error: String,
}

/// The command, built by the first call in this process from the sources as they are.
///
/// Panics with what cargo said when the build fails.
#[must_use]
pub fn turnout() -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(BUILT.get_or_init(build));
    // An admin address is asked directly, whatever the environment says.
    command.env("http_proxy", "http://127.0.0.1:1");
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
#[must_use]
pub fn run(arguments: &[&str]) -> Run {
    let ended = turnout().args(arguments).output();
    let ended = ended.expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Run {
        code: ended.status.code(),
        output: text(ended.stdout),
        error: text(ended.stderr),
    }
}

fn build() -> PathBuf {
    // With the features that all members together ask for, as `cargo test` has built it, and by the
    // profile of whoever asks.
    let (profile, folder) = match cfg!(debug_assertions) {
        true => ("dev", "debug"),
        false => ("release", "release"),
    };
    wasm::cargo_build(&[
        "--workspace",
        "--exclude",
        "turnout-filter",
        "--bin",
        "turnout",
        "--profile",
        profile,
    ]);
    let binary = wasm::target_directory().join(folder).join("turnout");
    assert!(binary.is_file(), "cargo built no {}", binary.display());
    binary
}
