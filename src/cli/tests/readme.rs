//! What the README shows of the command is what the command prints: each ```` ```console ```` block is run,
//! in a copy of the folder `tests/walkthrough`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command, and the lines that follow it.
struct Step {
    command: String,
    shown: Vec<String>,
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join("tests/walkthrough"), folder.path());
    let steps = steps(&fs::read_to_string(root().join("README.md")).expect("the README"));
    assert!(steps.len() >= 4, "only {} commands", steps.len());
    for step in steps {
        let printed = run(&step.command, folder.path());
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert!(
            agree(&step.shown, &printed),
            "$ {}\nREADME:\n{}\nprinted:\n{}",
            step.command,
            step.shown.join("\n"),
            printed.join("\n")
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let blocks = readme.split("```console\n").skip(1);
    for block in blocks.map(|block| block.split("```").next().unwrap_or_default()) {
        for line in block.lines() {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    command: command.to_owned(),
                    shown: Vec::new(),
                }),
                (None, Some(step)) => step.shown.push(line.trim_end().to_owned()),
                (None, None) => assert_eq!(line, "", "output before the first command"),
            }
        }
    }
    for step in &mut steps {
        while step.shown.last().is_some_and(String::is_empty) {
            step.shown.pop();
        }
    }
    steps
}

/// What a person sees: both outputs, in their order.
fn run(command: &str, folder: &Path) -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_turnout")).parent();
    let path = binaries.expect("a folder").display().to_string();
    let path = format!("{path}:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .expect("a shell");
    let mut printed = String::from_utf8(output.stdout).expect("UTF-8");
    printed.truncate(printed.trim_end().len());
    printed
}

/// A line `…` stands for any number of lines, and `…` at a line's end for the rest of it.
fn agree(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=printed.len()).any(|skip| agree(rest, printed.get(skip..).unwrap_or_default()))
        }
        Some((line, rest)) => match printed.split_first() {
            Some((found, others)) => is_line(line, found) && agree(rest, others),
            None => false,
        },
    }
}

fn is_line(shown: &str, printed: &str) -> bool {
    match shown.strip_suffix('…') {
        Some(start) => printed.starts_with(start),
        None => printed == shown,
    }
}
