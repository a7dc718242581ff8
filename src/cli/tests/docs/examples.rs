//! `examples/`: each policy and plan is valid and without a warning, and `examples/README.md` describes it.

use std::fs;
use std::process::Command;

use crate::pages::{read, root};

fn policies() -> Vec<String> {
    let folder = fs::read_dir(root().join("examples")).expect("the folder");
    let names = folder.map(|entry| entry.expect("an entry").file_name().into_string());
    let mut names: Vec<String> = names.map(|name| name.expect("UTF-8")).collect();
    names.retain(|name| name.ends_with(".json"));
    assert!(names.len() >= 6, "only {} policies", names.len());
    names
}

#[test]
fn every_example_lints_clean() {
    for name in policies() {
        let kind = match name.ends_with("-plan.json") {
            true => "roll",
            false => "policy",
        };
        let output = Command::new(env!("CARGO_BIN_EXE_turnout"))
            .args(["lint", "--strict", "--for", kind])
            .arg(root().join("examples").join(&name))
            .output()
            .expect("the command starts");
        assert!(
            output.status.success(),
            "{name}:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn every_example_has_a_line_in_the_readme() {
    let readme = read("examples/README.md");
    for name in policies() {
        assert!(readme.contains(&format!("| [{name}]({name}) |")), "{name}");
    }
}
