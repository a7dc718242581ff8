//! Blocks of ```` ```console ```` show what the command prints, and blocks of ```` ```sh ```` succeed: each page's are
//! run in their order, in one copy of the folder `tests/walkthrough`, which also has the folders `envoy`, `examples` and
//! `logs`, the fixtures of turnout-report.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::pages::{Page, documentation, root};

/// A command, and the lines that follow it.
struct Step {
    command: String,
    /// The output, which a block of `sh` does not show.
    shown: Option<Vec<String>>,
}

#[test]
fn every_page_shows_what_the_command_prints() {
    let mut count = 0;
    for page in documentation() {
        let steps = steps(&page);
        count += steps.len();
        if !steps.is_empty() {
            run_all(&page.name, steps);
        }
    }
    assert!(count >= 4, "only {count} commands");
}

fn run_all(page: &str, steps: Vec<Step>) {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join("tests/walkthrough"), folder.path());
    for (name, from) in [
        ("envoy", "envoy"),
        ("examples", "examples"),
        ("logs", "src/report/tests/fixtures"),
    ] {
        let to = folder.path().join(name);
        fs::create_dir(&to).expect("a folder");
        copy(&root().join(from), &to);
    }
    for step in steps {
        let (code, printed) = run(&step.command, folder.path());
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let agrees = match &step.shown {
            Some(shown) => agree(shown, &printed),
            None => code == Some(0),
        };
        assert!(
            agrees,
            "{page}: $ {}\nshown:\n{}\nprinted:\n{}",
            step.command,
            step.shown.unwrap_or_default().join("\n"),
            printed.join("\n")
        );
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

fn steps(page: &Page) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in page.blocks() {
        let shows_output = match (block.language.as_str(), &block.not_run) {
            ("console", _) => true,
            ("sh", None) => false,
            _ => continue,
        };
        if !shows_output {
            steps.push(Step {
                command: format!("set -e\n{}", block.text),
                shown: None,
            });
            continue;
        }
        for line in block.text.lines() {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    command: command.to_owned(),
                    shown: Some(Vec::new()),
                }),
                (None, Some(Step { command, .. })) if command.ends_with('\\') => {
                    command.push('\n');
                    command.push_str(line);
                }
                (
                    None,
                    Some(Step {
                        shown: Some(shown), ..
                    }),
                ) => shown.push(line.trim_end().to_owned()),
                (None, _) => assert_eq!(line, "", "{}: output before a command", block.place),
            }
        }
    }
    for shown in steps.iter_mut().filter_map(|step| step.shown.as_mut()) {
        while shown.last().is_some_and(String::is_empty) {
            shown.pop();
        }
    }
    steps
}

/// Standard output and standard error, in the order of their lines.
fn run(command: &str, folder: &Path) -> (Option<i32>, String) {
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
    (output.status.code(), printed)
}

/// A line `…` is any number of lines, and `…` within a line is any text.
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
    let Some((start, rest)) = shown.split_once('…') else {
        return shown == printed;
    };
    let Some(printed) = printed.strip_prefix(start) else {
        return false;
    };
    let starts = printed.char_indices().map(|(at, _)| at);
    let mut starts = starts.chain([printed.len()]);
    starts.any(|at| is_line(rest, printed.get(at..).unwrap_or_default()))
}
