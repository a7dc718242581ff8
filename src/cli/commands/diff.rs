//! `turnout diff`: compares two files as the proxy compares two responses.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use turnout_diff::{
    Comparison, Finding, Findings, Limits, NotComparable, OptionUsage, Options, Response, Severity,
    ValueType, compare,
};
use turnout_text::{escape_bytes_for_terminal, escape_for_terminal};

use crate::support::account_file_access::AccountFileOptions;
use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::{policy_file, text_io};

/// Compare two files as the proxy compares the responses of v1 and v2.
///
/// Compares JSON by its values, and anything else byte by byte. Numbers are compared as exact decimals: 0.1
/// and 0.10 are equal, 0.1 and 0.10000000000000001 differ. The `shadow.compare` of a rollout can ignore parts
/// and set tolerances; see --policy.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the files are equal
  1  the files differ
  2  the files cannot be compared

Example:
  turnout diff v1.json v2.json --policy policy.json --rollout chat-users")]
pub(crate) struct Arguments {
    /// The response body of v1; `-` reads standard input.
    v1: PathBuf,
    /// The response body of v2; `-` reads standard input.
    v2: PathBuf,
    /// Take the options of the comparison (such as what to ignore) from this policy.
    #[arg(long, value_name = "FILE", requires = "rollout")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The rollout whose `shadow.compare` has the options.
    #[arg(long, value_name = "NAME", requires = "policy")]
    rollout: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// These limits are wider than in a proxy, because no request waits for this comparison.
const LIMITS: Limits = Limits {
    depth: 128,
    values: 1 << 24,
    findings: 10_000,
};
/// The number of characters after which a value is cut off.
const LONGEST_SHOWN: usize = 60;

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let [v1, v2] = [&arguments.v1, &arguments.v2].map(|path| text_io::read_bytes(path));
    let (v1, v2) = match (v1, v2) {
        (Ok(v1), Ok(v2)) => (v1, v2),
        (Err(error), _) | (_, Err(error)) => return refuse(&error),
    };
    let mut usage = OptionUsage::new(&options);
    let answer = |body| Response {
        status: 200,
        headers: &[],
        body,
    };
    let compared = compare(
        &answer(&v1),
        &answer(&v2),
        &options,
        &|_, _| false,
        &mut usage,
    );
    let (findings, exit) = match &compared {
        Comparison::Equal => (None, Exit::Done),
        Comparison::Different(findings) => (Some(findings), Exit::No),
        Comparison::NotComparable(why) => {
            let help = match why {
                NotComparable::TooManyPairs => {
                    "set a `key` for the unordered list, or a smaller tolerance"
                }
                _ => "compare smaller, well-formed parts of the files",
            };
            let why = why.as_str().replace('_', " ");
            return refuse(&format!("the files cannot be compared: {why}; {help}"));
        }
    };
    // Equal bytes are not parsed, so it is unknown which options apply.
    let unused: Vec<(&str, &str)> = usage
        .iter()
        .filter(|(_, _, count)| *count == 0 && v1 != v2)
        .map(|(what, path, _)| (what, path.as_str()))
        .collect();
    let report = match arguments.json {
        true => SafeText::json(&format!("{:#}\n", as_json(findings, &unused))),
        false => SafeText::lines(&as_text(findings, &unused)),
    };
    match text_io::write(None, &report) {
        Ok(()) => exit,
        Err(error) => refuse(&error),
    }
}

fn options(arguments: &Arguments) -> Result<Options, Exit> {
    let (Some(policy), Some(rollout)) = (&arguments.policy, &arguments.rollout) else {
        return Ok(Options {
            limits: LIMITS,
            ..Options::default()
        });
    };
    let plan = policy_file::plan(policy, None, arguments.account_files.access())?;
    let found = policy_file::rollout(&plan, policy, rollout)?;
    let Some(shadow) = &found.shadow else {
        return Err(refuse(&format!(
            "{}: the rollout `{rollout}` has no `shadow`; add one, or leave --policy out",
            text_io::name_of(policy)
        )));
    };
    Ok(Options {
        limits: LIMITS,
        ..shadow.compare.clone()
    })
}

fn as_text(findings: Option<&Findings<'_>>, unused: &[(&str, &str)]) -> String {
    let mut report = String::new();
    let Some(findings) = findings else {
        report.push_str("equal\n");
        return report + &notes(unused);
    };
    for finding in findings.as_slice() {
        let pointer = match finding.exact.as_str() {
            "" => String::from("(whole body)"),
            pointer => escape_for_terminal(pointer),
        };
        report.push_str(&format!(
            "{:<9} {:<8} {pointer}: {} → {}\n",
            finding.severity.as_str(),
            finding.kind.as_str(),
            shown(&finding.v1),
            shown(&finding.v2),
        ));
    }
    if findings.omitted() > 0 {
        report.push_str(&format!("and {} more\n", findings.omitted()));
    }
    let worst = findings.severity().map_or("", Severity::as_str);
    let found = findings.as_slice().len().saturating_add(findings.omitted());
    report.push_str(&format!(
        "different: {found} finding(s), highest severity {worst}\n"
    ));
    report + &notes(unused)
}

fn notes(unused: &[(&str, &str)]) -> String {
    unused
        .iter()
        .map(|(what, path)| {
            let path = escape_for_terminal(path);
            format!("note: {what} {path} matches nothing in these files\n")
        })
        .collect()
}

fn shown(value: &Option<turnout_diff::Value<'_>>) -> String {
    let Some(value) = value else {
        return String::from("(nothing)");
    };
    // One more character, of at most four bytes, shows whether the value is longer.
    let looked_at = LONGEST_SHOWN.saturating_add(1).saturating_mul(4);
    let beginning: Vec<u8> = match value.kind {
        ValueType::Array | ValueType::Object => compact(&value.raw).take(looked_at).collect(),
        _ => value.raw.iter().copied().take(looked_at).collect(),
    };
    let mut shown = String::new();
    for (index, c) in one_by_one(&beginning).enumerate() {
        if index == LONGEST_SHOWN {
            shown.push('…');
            break;
        }
        shown.push_str(&escape_bytes_for_terminal(c));
    }
    shown
}

/// Collapses the white space between two tokens of JSON into one blank. White space in strings stays.
fn compact(json: &[u8]) -> impl Iterator<Item = u8> {
    let (mut is_in_string, mut is_escaped, mut is_after_blank) = (false, false, false);
    json.iter().filter_map(move |byte| {
        if !is_in_string && byte.is_ascii_whitespace() {
            let is_first = !is_after_blank;
            is_after_blank = true;
            return is_first.then_some(b' ');
        }
        is_after_blank = false;
        is_in_string ^= *byte == b'"' && !is_escaped;
        is_escaped = is_in_string && *byte == b'\\' && !is_escaped;
        Some(*byte)
    })
}

/// Iterates over the characters of a text, and over single bytes where it is not UTF-8.
fn one_by_one(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let characters = chunk.valid().split_inclusive(|_| true).map(str::as_bytes);
        characters.chain(chunk.invalid().chunks(1))
    })
}

fn as_json(findings: Option<&Findings<'_>>, unused: &[(&str, &str)]) -> Value {
    let list = findings.map_or(&[][..], Findings::as_slice);
    json!({
        "equal": findings.is_none(),
        "severity": findings.and_then(Findings::severity).map(Severity::as_str),
        "findings": list.iter().map(finding_as_json).collect::<Vec<_>>(),
        "omitted": findings.map_or(0, Findings::omitted),
        "unused": unused,
    })
}

fn finding_as_json(finding: &Finding<'_>) -> Value {
    let [v1, v2] = [&finding.v1, &finding.v2].map(|value| {
        value.as_ref().map(|value| {
            let raw = String::from_utf8_lossy(&value.raw);
            json!({ "type": value.kind.as_str(), "raw": raw })
        })
    });
    json!({
        "part": finding.part.as_str(),
        "pointer": finding.exact,
        "folded": finding.pointer,
        "kind": finding.kind.as_str(),
        "severity": finding.severity.as_str(),
        "v1": v1,
        "v2": v2,
    })
}
