//! Help, completions and the manual.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::{Command, Output};

fn turnout(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.args(arguments).output().expect("the command runs")
}

fn stdout(arguments: &[&str]) -> String {
    let output = turnout(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Every command, as the help lists them.
fn commands() -> Vec<String> {
    let help = stdout(&["--help"]);
    let list = help
        .split("Commands:\n")
        .nth(1)
        .expect("a list of commands");
    let list = list.split("\n\n").next().expect("its lines");
    let names: Vec<String> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 5, "{help}");
    names
}

#[test]
fn every_command_has_an_example() {
    for name in commands() {
        let help = stdout(&[&name, "--help"]);
        let example = help.split("Example").nth(1).unwrap_or_default();
        assert!(example.contains(&format!("turnout {name}")), "{help}");
    }
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    assert_eq!(stdout(&["man", "--dir", path]), "");
    let pages = fs::read_dir(folder.path()).expect("the folder").count();
    let commands = commands();
    assert_eq!(pages, commands.len() + 1);
    for name in commands {
        let page = folder.path().join(format!("turnout-{name}.1"));
        let page = fs::read_to_string(page).expect("a page");
        assert!(page.contains(&format!(".TH turnout-{name} 1")), "{page}");
        assert!(page.contains("Example"), "{page}");
    }
    let page = stdout(&["man"]);
    assert!(page.contains(".TH turnout 1"), "{page}");
    let nowhere = turnout(&["man", "--dir", "no/such/folder"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&["completions", shell]);
        for name in commands() {
            assert!(script.contains(&name), "{shell}: {name}");
        }
    }
    assert_eq!(turnout(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn bad_arguments_exit_with_2_and_a_suggestion() {
    let output = turnout(&["dif"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("diff"), "{error}");
}
