//! Every block of code in the documentation is checked: a block of a kind that no check knows fails.
//!
//! Blocks of ```` ```console ```` are run in `readme.rs`; the sample of an access log and of metrics is
//! compared with what a real Envoy writes in `tests/envoy/readme.rs`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use turnout_core::{Logged, Plan};

struct Block {
    /// The file and the line of its first fence.
    place: String,
    language: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a file of the repository")
}

/// The READMEs, and the pages of `docs`.
fn pages() -> BTreeMap<String, String> {
    let mut names = vec![String::from("README.md"), String::from("src/cli/README.md")];
    if let Ok(entries) = fs::read_dir(root().join("docs")) {
        for entry in entries {
            let name = entry.expect("an entry").file_name().into_string();
            names.push(format!("docs/{}", name.expect("a name in UTF-8")));
        }
    }
    names.retain(|name| name.ends_with(".md"));
    names
        .into_iter()
        .map(|name| (name.clone(), read(&name)))
        .collect()
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (name, text) in pages() {
        let mut open: Option<Block> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, &mut open) {
                (Some(language), None) => {
                    open = Some(Block {
                        place: format!("{name}:{number}"),
                        language: language.trim().to_owned(),
                        text: String::new(),
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block of code has no end");
    }
    blocks
}

fn turnout(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command
        .args(arguments)
        .output()
        .expect("the command starts")
}

fn help_of(arguments: &[&str]) -> Result<String, String> {
    let output = turnout(&[arguments, &["--help"]].concat());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    match output.status.success() {
        true => Ok(text),
        false => Err(format!("no command `turnout {}`", arguments.join(" "))),
    }
}

#[test]
fn every_block_of_code_in_the_documentation_is_checked() {
    let blocks = blocks();
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
        ("", "make no-such-target\n"),
        ("", "turnout no-such-command\n"),
        ("", "turnout lint policy.json --no-such-option\n"),
        ("", "turnout lint policy.json | sh\n"),
        ("", "rollout=chat\n"),
        (
            "",
            "account position = xxh3_64(account, seed = xxh3_64(salt + \"/others\"))\n",
        ),
    ] {
        let block = Block {
            place: String::new(),
            language: language.to_owned(),
            text: text.to_owned(),
        };
        assert!(check(&block).is_err(), "{language} {text}");
    }
    let elsewhere = Block {
        place: String::from("docs/page.md:1"),
        language: String::from("console"),
        text: String::from("$ turnout lint\n"),
    };
    assert!(check(&elsewhere).is_err(), "nothing runs it");
}

fn check(block: &Block) -> Result<(), String> {
    let text = block.text.as_str();
    let first = text.lines().next().unwrap_or_default();
    match block.language.as_str() {
        // `readme.rs` runs those of this file.
        "console" if block.place.starts_with("README.md:") => Ok(()),
        "json" => json(text),
        "" if text.contains("┌───") => Ok(()),
        "" if first.starts_with("{…") => sample(text),
        "" if first.starts_with("rollout=") => entry(first),
        "" if text.contains("xxh3_64(") => buckets(text),
        "" => commands(text),
        other => Err(format!(
            "no test checks a block of `{other}`; add one to tests/docs.rs"
        )),
    }
}

/// A policy, or fields of a rollout or of its shadow.
fn json(text: &str) -> Result<(), String> {
    let rollout = |fields: &str| {
        format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x-a" }}], "format": "sid" }},
                "rollouts": [{{ "name": "r", "v1": "a", "v2": "b", {fields} }}] }}"#
        )
    };
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

/// Of the policy before it; the rest of it is compared in a real Envoy.
fn sample(text: &str) -> Result<(), String> {
    let readme = read("README.md");
    let (_, policy) = readme.split_once("```json\n").expect("a policy");
    let (policy, _) = policy.split_once("```").expect("its end");
    let plan = Plan::from_json(policy).map_err(|problems| problems.to_string())?;
    let (_, entry) = text
        .split_once("\"turnout\":\"")
        .ok_or("no field `turnout`")?;
    let (entry, _) = entry.split_once('"').ok_or("the field has no end")?;
    let logged = Logged::parse(entry.as_bytes()).ok_or("no entry")?;
    match logged.revision == plan.revision().as_str().as_bytes() {
        true => Ok(()),
        false => Err(format!("the revision of the policy is {}", plan.revision())),
    }
}

fn entry(line: &str) -> Result<(), String> {
    let keys: Vec<&str> = line
        .split(' ')
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .collect();
    let known = ["rollout", "treatment", "reason", "revision", "account"];
    match Logged::parse(line.as_bytes()) {
        Some(_) if keys == known => Ok(()),
        _ => Err(format!("{line} is not what the filter writes")),
    }
}

/// By the implementation that made the vectors.
fn buckets(text: &str) -> Result<(), String> {
    let vectors = read("tests/corpus/make_buckets.py");
    for salt in text.split('"').skip(1).step_by(2) {
        if !vectors.contains(salt) {
            return Err(format!("the vectors have no {salt}"));
        }
    }
    Ok(())
}

/// Lines of a shell: each is `make`, `turnout`, or Envoy.
fn commands(text: &str) -> Result<(), String> {
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().filter(|line| !line.trim().is_empty()) {
        let line = line.split(" #").next().unwrap_or_default();
        let mut words = line.split_whitespace().peekable();
        while words.peek().is_some_and(|word| is_assignment(word)) {
            words.next();
        }
        let words: Vec<&str> = words.collect();
        match words.as_slice() {
            ["make", rest @ ..] => make(rest)?,
            ["turnout" | "target/release/turnout", rest @ ..] => turnout_line(rest)?,
            ["envoy", "-c", "envoy.yaml"] => {}
            _ => return Err(format!("no test checks `{line}`; add one to tests/docs.rs")),
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

/// Its command and options are there; what it writes goes to a file, or to `kubectl apply`.
fn turnout_line(words: &[&str]) -> Result<(), String> {
    let line = words.join(" ");
    let (line, rest) = match line.split_once('|') {
        Some((line, rest)) => (line.to_owned(), rest.trim().to_owned()),
        None => (line.clone(), String::new()),
    };
    if !(rest.is_empty() || rest.starts_with("kubectl apply ")) {
        return Err(format!("no test checks `{rest}`"));
    }
    let name = line.split(' ').next().unwrap_or_default();
    let help = help_of(&[name])?;
    for option in line.split(' ').filter(|word| word.starts_with("--")) {
        let known = help.split(|c: char| c.is_whitespace() || c == ',' || c == '=');
        if !known.into_iter().any(|word| word == option) {
            return Err(format!("`turnout {name}` has no option {option}"));
        }
    }
    Ok(())
}

#[test]
fn every_command_of_the_table_is_there() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("| `turnout …` |").expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    let cells = table
        .lines()
        .skip(2)
        .filter_map(|line| line.split('|').nth(1));
    let mut count = 0;
    for cell in cells {
        for command in cell.split('`').skip(1).step_by(2) {
            let words: Vec<&str> = command.split(' ').collect();
            // Choices stand in brackets.
            let words: Vec<&str> = words
                .iter()
                .map(|word| word.trim_matches(['[', ']']))
                .collect();
            assert_eq!(turnout_line(&words), Ok(()), "{command}");
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} commands");
}

#[test]
fn the_accounts_of_an_access_log_are_found_as_the_readme_says() {
    let readme = read("README.md");
    let (_, command) = readme
        .split_once("Where no list of accounts is at hand: `")
        .expect("the command");
    let (command, _) = command.split_once('`').expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    let line = |account: &str| {
        let entry = format!("rollout=chat treatment=v2 reason=rule revision=1{account}");
        format!(
            "{}\n",
            serde_json::json!({ "path": "/x?account=AC9", "turnout": entry, "upstream_host": Value::Null })
        )
    };
    let log = [" account=AC2", " account=AC1", "", " account=AC2"]
        .map(line)
        .concat();
    fs::write(folder.path().join("envoy.log"), log).expect("a log");
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder.path())
        .output();
    let output = output.expect("a shell");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "AC1\nAC2\n",
        "{command}"
    );
}
