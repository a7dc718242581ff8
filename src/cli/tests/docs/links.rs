//! Every relative link, anchor and path in the Markdown files leads somewhere.

use std::collections::BTreeMap;

use crate::pages::{Page, all, documentation, root};

/// Folders of the repository whose files the pages name in code spans.
const FOLDERS: &[&str] = &["docs/", "envoy/", "examples/", "src/", "tests/"];

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let pages = all();
    let anchors: BTreeMap<&str, Vec<String>> = pages
        .iter()
        .map(|page| (page.name.as_str(), anchors(page)))
        .collect();
    let mut failures = Vec::new();
    let mut count = 0;
    for page in &pages {
        for (number, link) in links(page) {
            count += 1;
            if let Err(failure) = check(&page.name, &link, &anchors) {
                failures.push(format!("{}:{number}: {link}: {failure}", page.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 40, "only {count} links");
}

/// A path in a code span, such as `src/core` or `tests/core/lint.rs::a_test`. With a `*` its folder must exist.
#[test]
fn every_path_of_the_repository_in_the_text_exists() {
    let mut failures = Vec::new();
    let mut count = 0;
    for page in documentation() {
        for (number, text) in page.paragraphs() {
            for code in text.split('`').skip(1).step_by(2) {
                let path = code.split("::").next().unwrap_or_default();
                let is_path = FOLDERS.iter().any(|folder| path.starts_with(folder));
                if !is_path || path.contains(' ') {
                    continue;
                }
                count += 1;
                let path = path.split('*').next().unwrap_or_default();
                let path = match code.contains('*') {
                    true => path.rsplit_once('/').map_or(path, |(folder, _)| folder),
                    false => path,
                };
                if !root().join(path).exists() {
                    failures.push(format!("{}:{number}: there is no {path}", page.name));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 100, "only {count} paths");
}

#[test]
fn a_link_that_leads_nowhere_is_a_failure() {
    let anchors = BTreeMap::from([
        ("README.md", vec![String::from("see-it")]),
        ("docs/edge.md", vec![String::from("in-a-mesh")]),
    ]);
    for (page, link, leads) in [
        ("README.md", "#see-it", true),
        ("README.md", "#see", false),
        ("README.md", "docs/edge.md#in-a-mesh", true),
        ("docs/edge.md", "../README.md#see-it", true),
        ("docs/edge.md", "README.md", false),
        ("docs/edge.md", "edge.md#see-it", false),
        ("docs/edge.md", "../envoy/policy.json", true),
        ("docs/edge.md", "../envoy/policy.json#name", false),
    ] {
        assert_eq!(
            check(page, link, &anchors).is_ok(),
            leads,
            "{link} in {page}"
        );
    }
}

fn check(page: &str, link: &str, anchors: &BTreeMap<&str, Vec<String>>) -> Result<(), String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => page.to_owned(),
        path => resolve(page, path).ok_or("it leads out of the repository")?,
    };
    if !root().join(&target).exists() {
        return Err(format!("there is no {target}"));
    }
    let known = anchors.get(target.as_str());
    match anchor.is_empty() || known.is_some_and(|known| known.iter().any(|name| name == anchor)) {
        true => Ok(()),
        false => Err(format!("{target} has no heading #{anchor}")),
    }
}

/// The path from the root of the repository.
fn resolve(page: &str, link: &str) -> Option<String> {
    let mut steps: Vec<&str> = page.split('/').collect();
    steps.pop();
    for step in link.split('/').filter(|step| !matches!(*step, "" | ".")) {
        match step {
            ".." => drop(steps.pop()?),
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

/// The targets of links and pictures, without those of other sites.
fn links(page: &Page) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in page.prose() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                links.push((number, target.to_owned()));
            }
        }
    }
    links
}

/// The names that GitHub gives to headings: in lower case, spaces as hyphens, without other punctuation. A
/// heading that repeats an earlier one gets a number.
fn anchors(page: &Page) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, line) in page.prose() {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut unique = name.clone();
        for number in 1.. {
            if !names.contains(&unique) {
                break;
            }
            unique = format!("{name}-{number}");
        }
        names.push(unique);
    }
    names
}
