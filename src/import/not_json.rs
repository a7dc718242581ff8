//! Texts that are no JSON: what each is, and how it becomes JSON.

use crate::node::Unreadable;

/// Whether a text is of a kind, what the kind is, and what to do about it.
type Kind = (fn(&str) -> bool, &'static str, &'static str);

/// What a text is by how it begins.
const KINDS: &[Kind] = &[
    (
        |text| text.starts_with('<'),
        "this is a page or a file of HTML or XML",
        "give the JSON as the tool exports it; a page in its place is often that of a login",
    ),
    (
        |text| {
            let mut lines = text.lines();
            let is_event = |line: &str| {
                ["event:", "data:", "id:", "retry:"]
                    .iter()
                    .any(|field| line.starts_with(field))
            };
            lines.next().is_some_and(is_event) && text.contains("data:")
        },
        "this is a stream of events",
        "give the answer of the call that has all flags at once",
    ),
    (
        is_yaml,
        "this is YAML",
        "convert it: yq --output-format json",
    ),
];

/// What is wrong with a text that serde cannot read.
pub(crate) fn explained(text: &str, error: &serde_json::Error) -> Unreadable {
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let is_json = begin.starts_with(['{', '[']) && !text.starts_with('\u{feff}');
    match KINDS.iter().find(|(is, ..)| !is_json && is(begin)) {
        Some((_, what, help)) => Unreadable::new("", *what, *help),
        None if text.starts_with('\u{feff}') => Unreadable::new(
            "",
            "the file begins with a byte order mark",
            "save it as UTF-8 without one",
        ),
        None => Unreadable::json(error),
    }
}

/// A first line such as `flags:`, `- chat:` or `key: value`.
fn is_yaml(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = lines.next() else {
        return false;
    };
    let key = line.trim_start_matches("- ");
    line.starts_with("---")
        || (key.contains(": ") || key.ends_with(':')) && !key.starts_with(['"', '{'])
}
