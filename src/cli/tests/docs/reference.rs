//! The pages of `docs/` list everything that there is: commands, reasons, codes of warnings.

use std::fs;
use std::process::Command;

use serde_json::Value;
use turnout_core::{ErrorCode, Reason, Severity, WarningCode};
use turnout_roll::PlanCode;

use crate::code_blocks::options_exist;
use crate::pages::{documentation, read, root};

#[test]
fn every_command_in_the_text_of_the_pages_exists() {
    let mut failures = Vec::new();
    let mut count = 0;
    for page in documentation() {
        for (number, text) in page.paragraphs() {
            for code in text.split('`').skip(1).step_by(2) {
                let Some(arguments) = code.strip_prefix("turnout ") else {
                    continue;
                };
                let arguments: Vec<&str> = arguments
                    .split(' ')
                    .map(|word| word.trim_matches(['[', ']']))
                    .collect();
                let (names, options) = arguments.split_at(1);
                // `turnout apply|halt --json` is about several commands, `turnout …` about any.
                for name in names.iter().flat_map(|names| names.split('|')) {
                    if name == "…" {
                        continue;
                    }
                    count += 1;
                    if let Err(failure) = options_exist(name, options) {
                        failures.push(format!("{}:{number}: {failure}", page.name));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 50, "only {count} commands");
}

#[test]
fn every_command_is_in_the_table_of_commands() {
    let table = table("docs/reference.md", "| `turnout …` |");
    let output = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .arg("--help")
        .output();
    let help = String::from_utf8(output.expect("the command starts").stdout).expect("UTF-8");
    let (_, commands) = help.split_once("Commands:\n").expect("the commands");
    let (commands, _) = commands.split_once("\n\n").expect("their end");
    for line in commands.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let shown = ["`", " "].map(|end| table.contains(&format!("`{name}{end}")));
        assert!(name == "help" || shown.contains(&true), "{name}");
    }
    for cell in table.lines().filter_map(|line| line.split('|').nth(1)) {
        for command in cell.split('`').skip(1).step_by(2) {
            let words: Vec<&str> = command
                .split(' ')
                .map(|word| word.trim_matches(['[', ']']))
                .collect();
            let (name, options) = words.split_at(1);
            assert_eq!(options_exist(name[0], options), Ok(()), "{command}");
        }
    }
}

#[test]
fn every_reason_of_a_decision_is_listed() {
    let page = read("docs/policy.md");
    for reason in Reason::ALL {
        assert!(page.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn every_code_of_an_error_is_listed() {
    let page = read("docs/reference.md");
    for code in ErrorCode::ALL {
        assert!(
            page.contains(&format!("| `{}` |", code.as_str())),
            "{code:?}"
        );
    }
}

#[test]
fn every_code_of_a_warning_is_listed() {
    let page = read("docs/reference.md");
    for code in WarningCode::ALL {
        assert!(page.contains(&format!("`{}`", code.as_str())), "{code:?}");
    }
}

#[test]
fn every_code_of_a_plan_is_listed() {
    let page = read("docs/roll.md");
    for code in PlanCode::ALL {
        let row = match code.severity() {
            Severity::Error => format!("| `{}` | ", code.as_str()),
            Severity::Warning => format!("| `{}` | warning: ", code.as_str()),
        };
        assert!(page.contains(&row), "{code:?}");
    }
}

#[test]
fn the_shell_line_of_the_reference_finds_the_accounts_of_an_access_log() {
    let page = read("docs/reference.md");
    let (_, command) = page.split_once("`sed -n 's/.*reason").expect("the command");
    let (command, _) = command.split_once('`').expect("its end");
    let command = format!("sed -n 's/.*reason{command}");
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
        .args(["-c", &command])
        .current_dir(folder.path())
        .output();
    let output = output.expect("a shell");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "AC1\nAC2\n",
        "{command}"
    );
}

#[test]
fn every_crate_is_in_the_table_of_the_architecture() {
    let table = table("docs/architecture.md", "| folder | crate |");
    for entry in fs::read_dir(root().join("src")).expect("the folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        assert!(table.contains(&format!("| `src/{name}` |")), "{name}");
    }
}

/// The rows of the table that begins with this heading.
fn table(page: &str, heading: &str) -> String {
    let page = read(page);
    let (_, table) = page.split_once(heading).expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    table.lines().skip(2).collect::<Vec<_>>().join("\n")
}
