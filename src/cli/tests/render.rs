//! Runs `turnout render` with a template.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/rendered.rs"]
mod rendered;

use std::fs;

use common::turnout;
use rendered::{POLICY, RENDER, folder_with, stderr};

#[test]
fn fills_in_a_template() {
    let folder = folder_with(POLICY);
    let output = turnout(folder.path(), &RENDER, "");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.starts_with("wasm: \"f.wasm\"\nvalue: \"{\\\"inbound\\\":\\\"strip\\\""),
        "{text}"
    );
    assert!(text.ends_with("\" # here\n"), "{text}");
}

#[test]
fn reads_standard_input_and_sets_the_plugin_options() {
    let folder = folder_with("");
    let arguments = [
        "render",
        "-",
        "--template",
        "template.yaml",
        "--wasm",
        "f",
        "--wasm-elsewhere",
        "--inbound",
        "trust",
    ];
    let output = turnout(folder.path(), &arguments, POLICY);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("\\\"inbound\\\":\\\"trust\\\""), "{text}");
}

#[test]
fn a_bad_policy_is_shown_and_replaces_nothing() {
    let folder = folder_with(&POLICY.replace("split", "spilt"));
    let before = "what was there before";
    fs::write(folder.path().join("envoy.yaml"), before).expect("a file");
    let output = turnout(
        folder.path(),
        &[&RENDER[..], &["--output", "envoy.yaml"]].concat(),
        "",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert_eq!(
        stderr(&output),
        r#"error: unknown mode `spilt`
 --> policy.json:4:61
  |
4 |   "rollouts": [{ "name": "r", "v1": "a", "v2": "b", "mode": "spilt" }]
  |                                                             ^^^^^^^ at /rollouts/0/mode
  |
  = help: did you mean `split`?

policy.json: 1 problem(s)
"#
    );
    let after = fs::read_to_string(folder.path().join("envoy.yaml")).expect("the file");
    assert_eq!(after, before);
}

#[test]
fn the_output_is_replaced_atomically_and_no_temporary_file_is_left() {
    let folder = folder_with(POLICY);
    let output = turnout(
        folder.path(),
        &[&RENDER[..], &["--output", "envoy.yaml"]].concat(),
        "",
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let entries = fs::read_dir(folder.path()).expect("the folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["envoy.yaml", "policy.json", "template.yaml"]);
}

#[test]
fn a_missing_file_or_an_invalid_template_is_an_error() {
    let folder = folder_with(POLICY);
    for (arguments, sentence) in [
        (
            vec!["render", "none.json", "--template", "template.yaml"],
            "turnout: cannot read none.json: ",
        ),
        (
            vec!["render", "policy.json", "--template", "none.yaml"],
            "turnout: cannot read none.yaml: ",
        ),
        (
            vec!["render", "policy.json", "--template", "template.yaml"],
            "turnout: template.yaml: the template has a placeholder for the path of the .wasm",
        ),
        (
            vec!["render", "policy.json", "--template", "policy.json"],
            "turnout: policy.json: the template has no placeholder for the configuration",
        ),
        (
            [&RENDER[..], &["--output", "no/such/folder.yaml"]].concat(),
            "turnout: cannot write no/such/folder.yaml: ",
        ),
    ] {
        let output = turnout(folder.path(), &arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).starts_with(sentence), "{}", stderr(&output));
    }
}
