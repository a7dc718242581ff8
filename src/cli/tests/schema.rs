//! Runs `turnout schema`.

use std::fs;
use std::process::Command;

#[test]
fn the_schema_is_written_to_the_output_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
        let command = command.current_dir(folder.path()).arg("schema");
        command.args(arguments).output().expect("the command runs")
    };
    let printed = run(&[]);
    assert!(printed.status.success());
    let written = run(&["--output", "policy.schema.json"]);
    assert!(written.status.success() && written.stdout.is_empty());
    let file = fs::read(folder.path().join("policy.schema.json")).expect("the file");
    assert_eq!(file, printed.stdout);
    let schema: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    assert_eq!(schema["title"], "Turnout policy");

    let of_plans = run(&["--for", "roll"]);
    let of_plans: serde_json::Value = serde_json::from_slice(&of_plans.stdout).expect("JSON");
    assert_eq!(of_plans["title"], "Turnout plan of a roll");

    let refused = run(&["--output", "no/such/folder.json"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_pipe_or_link_as_the_output_is_written_to_and_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "mkfifo pipe; ln -s file link; touch file
        cat pipe > copy & \"$0\" schema --output pipe; wait
        \"$0\" schema --output link
        test -p pipe && test -L link && cmp copy file && test -s file";
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", script, env!("CARGO_BIN_EXE_turnout")]);
    let output = shell.current_dir(folder.path()).output().expect("a shell");
    assert!(output.status.success(), "{output:?}");
}
