//! Runs the command with hostile input, and checks every byte of its output.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use tempfile::TempDir;
use turnout_text::is_visible;

use crate::contents;
use crate::responses::Responses;

/// One run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Names and contents of files that are written first.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Commands that run first, in the same folder.
    pub(crate) before: Vec<String>,
    /// The admin endpoint whose address replaces `ADMIN` in the arguments.
    pub(crate) admin: Option<Responses>,
    pub(crate) input: Vec<u8>,
}

impl Case {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(OsString::from).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn words(line: &str) -> Self {
        Self::new(&line.split(' ').collect::<Vec<_>>())
    }

    pub(crate) fn and(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(crate) fn with_file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    pub(crate) fn after(mut self, line: &str) -> Self {
        self.before.push(line.to_owned());
        self
    }

    pub(crate) fn with_admin(mut self, responses: Responses) -> Self {
        self.admin = Some(responses);
        self
    }
}

/// A folder with a valid file of each kind.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in contents::FILES {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    folder
}

/// Runs all cases, each in a folder of its own.
pub(crate) fn check_all(cases: &[Case]) {
    assert!(!cases.is_empty());
    let faults = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for worker in 0..workers {
            let faults = &faults;
            scope.spawn(move || {
                for case in cases.iter().skip(worker).step_by(workers) {
                    let found = fault(folder().path(), case);
                    faults.lock().expect("no panic").extend(found);
                }
            });
        }
    });
    let faults = faults.into_inner().expect("no panic");
    let some = faults.iter().take(10).cloned().collect::<Vec<_>>();
    assert!(
        faults.is_empty(),
        "{} of {} runs:\n{}",
        faults.len(),
        cases.len(),
        some.join("\n")
    );
}

#[track_caller]
pub(crate) fn check(folder: &Path, case: &Case) {
    if let Some(fault) = fault(folder, case) {
        panic!("{fault}");
    }
}

/// The part of the output that a terminal or a CI system would execute.
fn fault(folder: &Path, case: &Case) -> Option<String> {
    for (name, content) in &case.files {
        let path = folder.join(name);
        // The system may not allow such a name.
        let parent = path.parent().map(fs::create_dir_all);
        let _ = (parent, fs::write(&path, content));
    }
    let admin = case.admin.as_ref().map(|responses| responses.serve(folder));
    let address = |argument: &OsString| match (argument.to_str(), &admin) {
        (Some(text), Some(admin)) => text.replace("ADMIN", admin).into(),
        _ => argument.clone(),
    };
    for line in &case.before {
        let words = line
            .split(' ')
            .map(OsString::from)
            .map(|word| address(&word));
        let _ = run(folder, &words.collect::<Vec<_>>(), case);
    }
    let arguments: Vec<OsString> = case.arguments.iter().map(address).collect();
    let (output, error) = run(folder, &arguments, case);
    let streams = [("standard output", output), ("standard error", error)];
    let found = streams.into_iter().find_map(|(name, bytes)| {
        let what = executed(&arguments, &bytes)?;
        Some(format!("{name}: {what}"))
    });
    found.map(|found| {
        let files: Vec<_> = case
            .files
            .iter()
            .map(|(name, content)| (name, String::from_utf8_lossy(content)))
            .collect();
        format!(
            "{arguments:?} {:?} {files:?} {:?}\n  {found}\n",
            case.variables, case.admin
        )
    })
}

fn run(folder: &Path, arguments: &[OsString], case: &Case) -> (Vec<u8>, Vec<u8>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .current_dir(folder)
        .args(arguments)
        .envs(case.variables.iter().map(|(name, value)| (name, value)))
        .env("http_proxy", "http://127.0.0.1:1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("standard input");
    // A command that does not read has ended.
    let _ = stdin.write_all(&case.input);
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let code = output.status.code();
    let judges = arguments.first().is_some_and(|name| name == "judge");
    let highest = if judges { 4 } else { 2 };
    assert!(
        code.is_some_and(|code| (0..=highest).contains(&code)),
        "{arguments:?}: {code:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    (output.stdout, output.stderr)
}

fn executed(arguments: &[OsString], bytes: &[u8]) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some(format!(
            "bytes that are no text: {:?}",
            String::from_utf8_lossy(bytes)
        ));
    };
    let command = arguments
        .first()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    // Between the columns of `bucket`, in scripts, and in files that keep the layout of their author.
    let has_tabs = matches!(
        command,
        "bucket" | "completions" | "man" | "pack" | "render"
    );
    let has_commands = command == "lint" && arguments.iter().any(|word| word == "github");
    let is_own_script = matches!(command, "completions" | "man");
    let raw = |c: char| !is_visible(c) && c != '\n' && !(has_tabs && c == '\t');
    if let Some(place) = text.find(raw) {
        let c = text.get(place..).and_then(|text| text.chars().next());
        return Some(format!("raw {c:?} in {text:?}"));
    }
    for line in text.lines() {
        let begins = line.trim_start();
        // After the second `::`, an annotation of turnout has the message.
        let properties = ["::error ", "::warning "]
            .iter()
            .find_map(|level| line.strip_prefix(level)?.split_once("::"));
        let is_own = has_commands
            && properties.is_some_and(|(properties, _)| {
                let names = properties
                    .split(',')
                    .filter_map(|pair| pair.split_once('='));
                let names: Vec<&str> = names.map(|(name, _)| name).collect();
                let ours = [
                    &["file", "line", "col", "title"][..],
                    &["line", "col", "title"],
                    &["file", "line", "title"],
                ];
                ours.contains(&names.as_slice())
            });
        // `-->` is the arrow of a snippet.
        let is_arrow = begins.starts_with(":::");
        let is_command = begins.starts_with("::") && !is_arrow && !is_own && !is_own_script;
        let is_forged = begins.starts_with("FORGED");
        let is_within = ["##[", "##vso[", "##teamcity["]
            .iter()
            .any(|mark| line.contains(mark));
        if is_command || is_forged || is_within {
            return Some(format!("a command in the line {line:?}"));
        }
    }
    None
}
