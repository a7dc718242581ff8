//! Runs a script of `examples/` in a folder of its own, with stubs of the programs that it calls.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The folder `examples` of the repository.
pub(crate) fn examples() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    folder.canonicalize().expect("the examples")
}

/// A folder in which a script runs, and the script's environment.
pub(crate) struct Script {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            environment: Vec::new(),
        }
    }

    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Replaces a program by lines of a shell, which run in the script's own folder.
    pub(crate) fn stub(&mut self, program: &str, lines: &str) {
        let file = self.folder.path().join("bin").join(program);
        fs::create_dir_all(self.folder.path().join("bin")).expect("a folder");
        fs::write(&file, format!("#!/bin/sh\n{lines}\n")).expect("a stub");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// Runs a program with this standard input.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str], input: &str) -> Output {
        let stubs = self.folder.path().join("bin").display().to_string();
        let command = Path::new(env!("CARGO_BIN_EXE_turnout")).parent();
        let command = command.expect("a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", format!("{stubs}:{command}:{path}"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("standard input");
        // A program that stops early does not read it.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        child.wait_with_output().expect("the program ends")
    }

    /// A file that a stub has written.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect(name)
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}
