//! `docs/security.md`: each guarantee names tests that exist.

use std::fs;
use std::path::Path;

/// Files and tests that the page names, as `file::test` between backticks.
fn named(page: &str) -> Vec<(&str, &str)> {
    let pieces = page.split('`');
    let inside = pieces.skip(1).step_by(2);
    inside.filter_map(|text| text.split_once(".rs::")).collect()
}

/// Whether a file has a function of that name with the attribute of a test, or in `proptest!`.
fn has_test(file: &str, test: &str) -> bool {
    let lines: Vec<_> = file.lines().map(str::trim).collect();
    let is_it = |line: &&str| {
        let rest = line.strip_prefix("async ").unwrap_or(line);
        rest.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(test))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let Some(at) = lines.iter().position(is_it) else {
        return false;
    };
    let before = lines.iter().take(at).rev();
    let attributes = before.take_while(|line| !line.is_empty() && **line != "}");
    let mut attributes = attributes.copied();
    attributes.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/security.md")).expect("the page");
    let named = named(&page);
    assert!(named.len() > 60, "{} tests are named", named.len());
    for (file, test) in named {
        let path = root.join(format!("{file}.rs"));
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{file}.rs: {error}"));
        assert!(has_test(&text, test), "{file}.rs has no test {test}");
    }
}

#[test]
fn every_guarantee_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/security.md")).expect("the page");
    let (guaranteed, _) = page
        .split_once("## What is not guaranteed")
        .expect("the end");
    let paragraphs: Vec<_> = guaranteed.split("\n\n").collect();
    for (guarantee, tests) in paragraphs.iter().zip(paragraphs.iter().skip(1)) {
        if guarantee.starts_with("**") {
            assert!(tests.starts_with("- `"), "no test follows: {guarantee}");
        }
    }
}
