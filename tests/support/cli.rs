//! The `turnout` command, as a person runs it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::wasm;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit code; `None` if the process was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub error: String,
}

/// The command. The first call in a process builds it from the current sources.
///
/// Panics with the output of cargo if the build fails.
#[must_use]
pub fn turnout() -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(BUILT.get_or_init(build));
    // Proxy variables of the environment must not redirect requests to an admin address.
    command.env("http_proxy", "http://127.0.0.1:1");
    command.stdin(Stdio::null());
    command
}

/// Runs the command to its end.
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
    // With the features of the whole workspace, as `cargo test` builds it, and in the profile of
    // the caller.
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
