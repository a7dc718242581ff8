//! Recognises texts that are not JSON: other formats, and syntax that JSON does not have.

use serde::de::IgnoredAny;

use crate::request::account_id::Sid;

/// Recognises what a text contains instead of JSON; returns that, and what to write instead.
///
/// `at` is where the JSON parser stopped. Returns `None` if the text is JSON with a mistake in it.
pub(super) fn recognise(text: &str, at: usize) -> Option<(&'static str, &'static str)> {
    let before = text.get(..at).unwrap_or_default();
    let rest = text.get(at..).unwrap_or_default().trim_start();
    let whole = text.trim_start();
    if text.contains('\0') {
        return Some(("the text is UTF-16 or binary", "save it as UTF-8"));
    }
    if rest.starts_with("<<<<<<<") {
        return Some((
            "a merge conflict begins here",
            "resolve it and remove its markers",
        ));
    }
    if whole.starts_with('<') {
        return Some(("this is HTML or XML", "write the policy itself, as JSON"));
    }
    if let Some(other) = other_format(whole) {
        return Some(other);
    }
    let is_comment = ["//", "/*", "#"].iter().any(|mark| rest.starts_with(mark));
    if is_comment {
        return Some((
            "a comment begins here, but JSON has no comments",
            "remove all comments",
        ));
    }
    if rest.starts_with('\'') {
        return Some((
            "a string in single quotes begins here, but JSON uses double quotes",
            "write \" instead of each '",
        ));
    }
    if rest.starts_with(['}', ']']) && before.trim_end().ends_with(',') {
        return Some((
            "there is a trailing comma before this bracket",
            "remove the comma",
        ));
    }
    if rest.starts_with(['\u{201c}', '\u{201d}']) {
        return Some(("this is a typographic quotation mark", "write \" instead"));
    }
    if serde_json::from_str::<IgnoredAny>(before).is_ok() {
        return Some((
            "the policy ends before this",
            "remove what follows, or write one policy per file",
        ));
    }
    let name = rest.find(|c: char| !(c.is_alphanumeric() || "_$-".contains(c)));
    let after = name.and_then(|end| rest.get(end..));
    if let Some(other) = other_value(rest.get(..name.unwrap_or(rest.len())).unwrap_or_default()) {
        return Some(other);
    }
    let is_name = name != Some(0) && after.is_some_and(|after| after.trim_start().starts_with(':'));
    is_name.then_some((
        "a name without quotes begins here, as in JSON5 or YAML",
        "write each name in double quotes",
    ))
}

/// Recognises values of other languages.
fn other_value(word: &str) -> Option<(&'static str, &'static str)> {
    match word {
        "NaN" => Some(("`NaN` is not a JSON value", "write a number")),
        "True" => Some(("`True` is not a JSON value", "write true")),
        "False" => Some(("`False` is not a JSON value", "write false")),
        "None" => Some(("`None` is not a JSON value", "write null")),
        _ => None,
    }
}

/// Recognises another format by its first line that is neither empty nor a comment.
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
            "this is YAML, but a policy is JSON",
            "convert it to JSON, for example with `yq -o json`",
        ));
    }
    if is_table || has_key('=') {
        return Some(("this is TOML, but a policy is JSON", "convert it to JSON"));
    }
    if Sid::parse(line.as_bytes()).is_some() {
        return Some((
            "this is a list of accounts, but a policy is JSON",
            "write a policy; a list of accounts belongs in `accounts_from` or --accounts",
        ));
    }
    let is_row = line.split([',', ';', '\t']).count() > 1 && !line.contains(['{', '[', '/']);
    is_row.then_some((
        "this is CSV, but a policy is JSON",
        "write a policy; a list of accounts belongs in `accounts_from` or --accounts",
    ))
}
