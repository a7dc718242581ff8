//! The command.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::{FILTER, LIST, module, trimmed};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_turnout-trim"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the command starts")
}

/// A folder with a list and a module.
fn folder(list: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("list.txt"), list).expect("the list");
    fs::write(folder.path().join("in.wasm"), module(FILTER)).expect("the module");
    folder
}

const ARGUMENTS: [&str; 5] = ["--list", "list.txt", "--output", "new/out.wasm", "in.wasm"];

/// Runs the command, and returns its exit code, standard output and standard error.
fn trim(folder: &Path) -> (Option<i32>, String, String) {
    let output = run(folder, &ARGUMENTS);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (out, errors) = (text(output.stdout), text(output.stderr));
    (output.status.code(), out, errors)
}

#[test]
fn the_output_is_written_and_summarized() {
    let folder = folder(LIST);
    let (input, expected) = (module(FILTER), trimmed(&module(FILTER), LIST).wasm);
    let summary = format!(
        "turnout-trim: 3 exports kept, 2 dropped; {} -> {} bytes\n",
        input.len(),
        expected.len()
    );
    // The second run replaces nothing, and the third replaces what is not the same.
    for previous in [None, None, Some("other")] {
        if let Some(previous) = previous {
            fs::write(folder.path().join("new/out.wasm"), previous).expect("another output");
        }
        let run = trim(folder.path());
        assert_eq!(run, (Some(0), summary.clone(), String::new()));
        let written = fs::read(folder.path().join("new/out.wasm")).expect("the output");
        assert_eq!(written, expected);
        let files = fs::read_dir(folder.path().join("new")).expect("its folder");
        assert_eq!(files.count(), 1);
    }
}

#[test]
fn an_output_with_the_same_bytes_is_not_touched() {
    let folder = folder(LIST);
    let modified = || {
        assert_eq!(trim(folder.path()).0, Some(0));
        let output = fs::metadata(folder.path().join("new/out.wasm")).expect("the output");
        output.modified().expect("its time")
    };
    assert_eq!(modified(), modified());
}

#[test]
fn an_error_leaves_the_output_as_it_was() {
    let unfit = LIST.replace("on_request", "on_requests");
    let expected = "turnout-trim: list.txt:4: the module does not export `on_requests`, which is to be kept; did you \
                    mean `on_request`?\n\
                    turnout-trim: in.wasm: the module exports `on_request`, which the list does not name; add `keep \
                    on_request` or `drop on_request` to the list\n";
    let malformed = "turnout-trim: list.txt:1: expected `keep NAME`, `keep NAME from OTHER` or `drop NAME`, found `x`\n";
    for (list, expected) in [(unfit.as_str(), expected), ("x", malformed)] {
        let folder = folder(list);
        let output = folder.path().join("new/out.wasm");
        let refused = (Some(2), String::new(), expected.to_owned());
        assert_eq!(trim(folder.path()), refused);
        assert!(!output.exists());
        fs::create_dir(folder.path().join("new")).expect("a folder");
        fs::write(&output, "old").expect("an output");
        assert_eq!(trim(folder.path()), refused);
        assert_eq!(fs::read(&output).expect("the output"), b"old");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = folder(LIST);
    fs::create_dir_all(folder.path().join("new/out.wasm")).expect("a folder");
    let error = "turnout-trim: cannot write new/out.wasm: it is not a file\n";
    assert_eq!(
        trim(folder.path()),
        (Some(2), String::new(), error.to_owned())
    );
    fs::write(folder.path().join("in.wasm"), "text").expect("no module");
    let (code, _, errors) = trim(folder.path());
    assert_eq!(code, Some(2));
    let beginning = "turnout-trim: in.wasm: expected a valid WebAssembly module: ";
    assert!(errors.starts_with(beginning), "{errors}");
    fs::remove_file(folder.path().join("list.txt")).expect("removed");
    let (code, _, errors) = trim(folder.path());
    assert_eq!(code, Some(2));
    let beginning = "turnout-trim: cannot read list.txt: ";
    assert!(errors.starts_with(beginning), "{errors}");
}

#[test]
fn a_usage_error_has_the_exit_code_2() {
    let folder = folder(LIST);
    assert_eq!(run(folder.path(), &[]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["--help"]).status.code(), Some(0));
}
