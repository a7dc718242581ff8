//! What a text is that is not JSON: other formats, and what JSON does not have, by their names.

use serde::de::IgnoredAny;

use crate::request::account::Sid;

/// What stands in the place of JSON, and what to write instead; `at` is where a reader of JSON
/// stopped. `None` when it is JSON with a mistake in it.
pub(super) fn recognise(text: &str, at: usize) -> Option<(&'static str, &'static str)> {
    let before = text.get(..at).unwrap_or_default();
    let rest = text.get(at..).unwrap_or_default().trim_start();
    let whole = text.trim_start();
    if text.contains('\0') {
        return Some(("the text is UTF-16, or no text", "save it as UTF-8"));
    }
    if rest.starts_with("<<<<<<<") {
        return Some((
            "a conflict of a merge begins here",
            "resolve it, and remove its marks",
        ));
    }
    if whole.starts_with('<') {
        return Some(("this is HTML or XML", "give the policy itself, as JSON"));
    }
    if let Some(other) = other_format(whole) {
        return Some(other);
    }
    let is_comment = ["//", "/*", "#"].iter().any(|mark| rest.starts_with(mark));
    if is_comment {
        return Some((
            "a comment begins here, and JSON has none",
            "remove each comment",
        ));
    }
    if rest.starts_with('\'') {
        return Some((
            "a text in single quotes begins here; this is JSON5, or no JSON",
            "write \" in the place of each '",
        ));
    }
    if rest.starts_with(['}', ']']) && before.trim_end().ends_with(',') {
        return Some((
            "a comma before this bracket has nothing after it",
            "remove the comma",
        ));
    }
    if rest.starts_with(['\u{201c}', '\u{201d}']) {
        return Some((
            "a typographic quotation mark stands here",
            "write \" in its place",
        ));
    }
    if serde_json::from_str::<IgnoredAny>(before).is_ok() {
        return Some((
            "the policy ends before this",
            "remove what follows, or give one policy in each file",
        ));
    }
    let name = rest.find(|c: char| !(c.is_alphanumeric() || "_$-".contains(c)));
    let after = name.and_then(|end| rest.get(end..));
    if let Some(other) = other_value(rest.get(..name.unwrap_or(rest.len())).unwrap_or_default()) {
        return Some(other);
    }
    let is_name = name != Some(0) && after.is_some_and(|after| after.trim_start().starts_with(':'));
    is_name.then_some((
        "a name without quotes begins here; this is JSON5 or YAML, not JSON",
        "write each name in double quotes",
    ))
}

/// Values of other languages.
fn other_value(word: &str) -> Option<(&'static str, &'static str)> {
    match word {
        "NaN" => Some(("`NaN` is no value of JSON", "write a number")),
        "True" => Some(("`True` is no value of JSON", "write true")),
        "False" => Some(("`False` is no value of JSON", "write false")),
        "None" => Some(("`None` is no value of JSON", "write null")),
        _ => None,
    }
}

/// Formats whose first line that says anything is no JSON.
fn other_format(text: &str) -> Option<(&'static str, &'static str)> {
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_word = |text: &str| {
        let text = text.trim();
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || "_-.$\"'".contains(c);
        !text.is_empty() && text.chars().all(is_of_word)
    };
    let table = line
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let table = table.map(|name| name.trim_matches(['[', ']']));
    let is_name = |name: &str| {
        is_word(name) && !name.starts_with(|c: char| "\"-.".contains(c) || c.is_ascii_digit())
    };
    let is_table = table.is_some_and(is_name);
    let has_key = |mark| line.split_once(mark).is_some_and(|(key, _)| is_word(key));
    let is_list = line.starts_with("- ") && !line.starts_with("- -");
    if line == "---" || line.starts_with("%YAML") || is_list || has_key(':') {
        return Some((
            "this is YAML, and a policy is JSON",
            "convert it to JSON, for example with `yq -o json`",
        ));
    }
    if is_table || has_key('=') {
        return Some(("this is TOML, and a policy is JSON", "convert it to JSON"));
    }
    if Sid::parse(line.as_bytes()).is_some() {
        return Some((
            "this is a list of accounts, and a policy is JSON",
            "give the policy; a list of accounts goes with `accounts_from` or --accounts",
        ));
    }
    let is_row = line.split([',', ';', '\t']).count() > 1 && !line.contains(['{', '[', '/']);
    is_row.then_some((
        "this is CSV, and a policy is JSON",
        "give the policy; a list of accounts goes with `accounts_from` or --accounts",
    ))
}
