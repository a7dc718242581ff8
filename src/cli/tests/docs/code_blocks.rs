//! Every block of code in the documentation is checked; a block of a kind without a check is a failure.
//!
//! - `console`: run, with its output compared, in `console_blocks.rs`.
//! - `sh`: run there too, unless the comment `<!-- not run here: REASON -->` is above it. Then each line is
//!   checked: `turnout` accepts its options and values, the Makefile has its target.
//! - `json`: a valid policy or plan of a roll, or fields of one that complete it to a valid one.
//! - without a language: pictures, the README's sample of a log, the samples of `reference.md`, and what `turnout watch`
//!   shows of a guard.

use std::process::{Command, Output};

use turnout_core::{AccessLogEntry, Configuration, Plan};
use turnout_roll::RollPlan;

use crate::guard_page::watched;
use crate::pages::{Block, documentation, read};

/// Programs besides `turnout` and `make` that a block which is not run may call.
const OTHER_PROGRAMS: &[&str] = &[
    "cargo", "curl", "docker", "envoy", "git", "kubectl", "npm", "python3", "rustup",
];

#[test]
fn every_block_of_code_in_the_documentation_is_checked() {
    let blocks: Vec<Block> = documentation()
        .iter()
        .flat_map(|page| page.blocks())
        .collect();
    assert!(blocks.len() >= 15, "only {} blocks", blocks.len());
    let failures: Vec<String> = blocks
        .iter()
        .filter_map(|block| {
            let failure = check(block).err()?;
            Some(format!("{}: {failure}", block.place))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_block_that_no_check_knows_is_a_failure() {
    for (language, text) in [
        ("", "something new\n"),
        ("yaml", "a: b\n"),
        ("json", "{ \"a\": 1 }\n"),
        ("json", "{ \"version\": 1 }\n"),
        ("json", "{ \"version\": 1, \"steps\": [] }\n"),
        ("json", "\"quiet\": [ { \"from\": \"25:00\" } ]\n"),
        ("sh", "make no-such-target\n"),
        ("sh", "turnout no-such-command\n"),
        ("sh", "turnout lint policy.json --no-such-option\n"),
        ("sh", "turnout explain policy.json --at noon\n"),
        ("sh", "turnout lint policy.json | sh\n"),
        ("", "rollout=chat\n"),
        ("", "  guard     armed\n"),
        (
            "",
            "account position = xxh3_64(account, seed = xxh3_64(salt + \"/others\"))\n",
        ),
    ] {
        let block = Block {
            place: String::from("docs/page.md:1"),
            language: language.to_owned(),
            text: text.to_owned(),
            not_run: Some(String::from("a test")),
        };
        assert!(check(&block).is_err(), "{language} {text}");
    }
}

fn check(block: &Block) -> Result<(), String> {
    let text = block.text.as_str();
    let first = text.lines().next().unwrap_or_default();
    match (block.language.as_str(), &block.not_run) {
        ("console", None) | ("sh", None) => Ok(()),
        ("sh", Some(reason)) if reason.len() < 10 => Err(String::from("it has no reason")),
        ("sh", Some(_)) => commands(text),
        (_, Some(_)) => Err(String::from("nothing runs such a block anyway")),
        ("json", None) => json(text),
        ("", None) if text.contains("┌───") => Ok(()),
        // Compared with what a real Envoy writes, in `tests/envoy/readme.rs`.
        ("", None) if block.place.starts_with("README.md:") && first.starts_with("{…") => Ok(()),
        ("", None) if first.starts_with("rollout=") => entry(first),
        ("", None) if first.starts_with("  guard  ") => watched(text),
        ("", None) if text.contains("xxh3_64(") => buckets(text),
        (other, None) => Err(format!(
            "no test checks a block of `{other}`; add one to code_blocks.rs"
        )),
    }
}

/// A policy, fields of a rollout or of its shadow, the configuration of a plugin, or a plan of a roll or its fields.
fn json(text: &str) -> Result<(), String> {
    let is_field_of_a_plan = ["\"forbid\"", "\"quiet\""]
        .iter()
        .any(|name| text.starts_with(name));
    if is_field_of_a_plan {
        return json(&format!(
            r#"{{ "version": 1, "policy": "p", "rollout": "r", {text},
                "steps": [{{ "name": "a", "accounts": 1, "bake": {{ "requests": 9 }} }}, {{ "name": "all", "accounts": 9 }}] }}"#
        ));
    }
    if text.contains("\"steps\"") {
        let plan = RollPlan::parse(text);
        return plan.map(drop).map_err(|problems| problems.to_string());
    }
    let rollout = |fields: &str| {
        format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x-a" }}], "format": "sid" }},
                "rollouts": [{{ "name": "r", "v1": "a", "v2": "b", {fields} }}] }}"#
        )
    };
    if text.contains("\"policy\"") {
        let plan = Configuration::from_json(text.as_bytes());
        return plan.map(drop).map_err(|problems| problems.to_string());
    }
    let candidates = match text.contains("\"rollouts\"") {
        true => vec![text.to_owned()],
        false => vec![
            rollout(text),
            rollout(&format!(r#""mode": "split", {text}"#)),
            rollout(&format!(
                r#""mode": "shadow", "shadow": {{ "requests": 1, {text} }}"#
            )),
            rollout(&format!(r#""mode": "shadow", "shadow": {text}"#)),
        ],
    };
    let plans = candidates
        .iter()
        .map(|candidate| Plan::from_json(candidate));
    let mut problems = Vec::new();
    for plan in plans {
        match plan {
            Ok(_) => return Ok(()),
            Err(found) => problems.push(found.to_string()),
        }
    }
    Err(format!(
        "no valid policy, and no part of one:\n{}",
        problems.join("\n")
    ))
}

/// The fields of the access log that the filter writes.
fn entry(line: &str) -> Result<(), String> {
    let keys: Vec<&str> = line
        .split(' ')
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .collect();
    let known = ["rollout", "treatment", "reason", "revision", "account"];
    match AccessLogEntry::parse(line.as_bytes()) {
        Some(_) if keys == known => Ok(()),
        _ => Err(format!("{line} is not what the filter writes")),
    }
}

/// Checks the block with the implementation that generated the vectors.
fn buckets(text: &str) -> Result<(), String> {
    let vectors = read("tests/corpus/make_buckets.py");
    for salt in text.split('"').skip(1).step_by(2) {
        if !vectors.contains(salt) {
            return Err(format!("the vectors have no {salt}"));
        }
    }
    Ok(())
}

/// Lines of a shell that no test runs.
fn commands(text: &str) -> Result<(), String> {
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().filter(|line| !line.trim().is_empty()) {
        let line = line.split(" #").next().unwrap_or_default();
        let words: Vec<&str> = line
            .split_whitespace()
            .skip_while(|word| is_assignment(word))
            .collect();
        match words.as_slice() {
            [] => {}
            ["make", rest @ ..] => make(rest)?,
            ["turnout" | "target/release/turnout", rest @ ..] => turnout_line(rest)?,
            [program, ..] if OTHER_PROGRAMS.contains(program) => {}
            _ => {
                return Err(format!(
                    "no test checks `{line}`; add one to code_blocks.rs"
                ));
            }
        }
    }
    Ok(())
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    })
}

fn make(words: &[&str]) -> Result<(), String> {
    let makefile = read("Makefile");
    for target in words.iter().filter(|word| !is_assignment(word)) {
        let rule = format!("{target}:");
        if !makefile.lines().any(|line| line.starts_with(&rule)) {
            return Err(format!("the Makefile has no target `{target}`"));
        }
    }
    Ok(())
}

/// The command accepts these options and values; what it writes goes to a file, or to `kubectl apply`.
fn turnout_line(words: &[&str]) -> Result<(), String> {
    let line = words.join(" ");
    let (line, rest) = line.split_once('|').unwrap_or((&line, ""));
    let rest = rest.trim();
    if !(rest.is_empty() || rest.starts_with("kubectl apply ")) {
        return Err(format!("no test checks `{rest}`"));
    }
    let line = line.split('>').next().unwrap_or_default();
    // `--help` behind all others: an error of any option before it comes first.
    let output = turnout(&[line, " --help"].concat())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// By a shell, which reads quotes.
fn turnout(line: &str) -> Result<Output, String> {
    let line = format!("'{}' {line}", env!("CARGO_BIN_EXE_turnout"));
    let output = Command::new("sh").args(["-c", &line]).output();
    output.map_err(|error| error.to_string())
}

/// Whether the command of this name is there and its help lists these options.
pub(crate) fn options_exist(name: &str, words: &[&str]) -> Result<(), String> {
    let output = turnout(&format!("{name} --help"))?;
    if !output.status.success() {
        return Err(format!("no command `turnout {name}`"));
    }
    let help = String::from_utf8_lossy(&output.stdout);
    for option in words.iter().filter(|word| word.starts_with("--")) {
        let known = help.split(|c: char| c.is_whitespace() || c == ',' || c == '=');
        if !known.into_iter().any(|word| word == *option) {
            return Err(format!("`turnout {name}` has no option {option}"));
        }
    }
    Ok(())
}
