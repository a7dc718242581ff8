//! What the README shows is what the code takes.

use std::fs;
use std::path::Path;

use turnout_core::{Plan, Reason};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    fs::read_to_string(path).expect("the README")
}

#[test]
fn its_policy_is_valid_and_short() {
    let readme = readme();
    let (_, rest) = readme.split_once("```json\n").expect("a policy");
    let (policy, _) = rest.split_once("```").expect("the end of the policy");
    assert!(policy.lines().count() <= 10);
    if let Err(problems) = Plan::from_json(policy) {
        panic!("{problems}");
    }
}

#[test]
fn it_names_every_reason() {
    let readme = readme();
    for reason in Reason::ALL {
        assert!(readme.contains(&format!("`{reason}`")), "{reason}");
    }
}
