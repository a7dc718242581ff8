//! README.md. What its sample of an access log shows is compared with a real Envoy in `tests/envoy/readme.rs`.

use turnout_core::{AccessLogEntry, Plan};

use crate::pages::{documentation, read};

#[test]
fn the_readme_has_at_most_150_lines() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 150, "{lines} lines");
}

#[test]
fn the_policy_of_the_readme_is_valid_and_has_at_most_ten_lines() {
    let policy = policy();
    assert!(policy.lines().count() <= 10);
    if let Err(problems) = Plan::from_json(&policy) {
        panic!("{problems}");
    }
}

#[test]
fn the_sample_of_the_readme_has_the_revision_of_its_policy() {
    let readme = read("README.md");
    let plan = Plan::from_json(&policy()).expect("a valid policy");
    let (_, entry) = readme.split_once("\"turnout\":\"").expect("a sample");
    let (entry, _) = entry.split_once('"').expect("its end");
    let logged = AccessLogEntry::parse(entry.as_bytes()).expect("an entry");
    assert_eq!(
        String::from_utf8_lossy(logged.revision),
        plan.revision().as_str()
    );
}

#[test]
fn the_readme_links_every_page_of_docs() {
    let readme = read("README.md");
    for page in documentation() {
        if page.name.starts_with("docs/") {
            let link = format!("]({})", page.name);
            assert!(readme.contains(&link), "{} is not linked", page.name);
        }
    }
}

fn policy() -> String {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("```json\n").expect("a policy");
    let (policy, _) = rest.split_once("```").expect("its end");
    policy.to_owned()
}
