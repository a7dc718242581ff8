//! Explains what kind of file was given instead of JSON, and how to get JSON.

use crate::error::ImportError;

/// A kind of text: how it is recognized, what it is, and what to do about it.
type TextKind = (fn(&str) -> bool, &'static str, &'static str);

const KINDS: &[TextKind] = &[
    (
        |text| text.starts_with('<'),
        "the file is HTML or XML, not JSON",
        "pass the JSON file as the tool exports it; a web page in its place is often a login page",
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
        "the file is a stream of server-sent events, not JSON",
        "pass the response of the API call that returns all flags at once",
    ),
    (
        is_yaml,
        "the file is YAML, not JSON",
        "convert it with yq --output-format json",
    ),
];

/// Converts serde's error about a text to an error that says what the text is.
pub(crate) fn explain(text: &str, error: &serde_json::Error) -> ImportError {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let is_json = start.starts_with(['{', '[']) && !text.starts_with('\u{feff}');
    match KINDS
        .iter()
        .find(|(is_kind, ..)| !is_json && is_kind(start))
    {
        Some((_, message, help)) => ImportError::new("", *message, *help),
        None if text.starts_with('\u{feff}') => ImportError::new(
            "",
            "the file starts with a byte order mark",
            "save it as UTF-8 without one",
        ),
        None => ImportError::json(error),
    }
}

/// Whether the first line looks like `flags:`, `- chat:` or `key: value`.
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
