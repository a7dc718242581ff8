//! Hostile text in every input of every command: no terminal and no CI system gets it unescaped.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test that cannot go on has failed"
)]

mod common;
#[path = "escaping/contents.rs"]
mod contents;
#[path = "escaping/inputs.rs"]
mod inputs;
#[path = "escaping/mutations.rs"]
mod mutations;
#[path = "escaping/responses.rs"]
mod responses;
#[path = "escaping/run.rs"]
mod run;
#[path = "escaping/table.rs"]
mod table;

use std::fs;

use common::turnout;
use run::{Case, check, check_all};

/// Terminal control characters, invisible characters, and what a CI system reads as a command inside a line.
const WITHIN: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}[31m\u{8}\u{7f}\u{9b}31m\u{85}\r\u{202e}\u{2066}\u{200f}\u{61c}\u{ad}\u{34f}\
\u{115f}\u{1160}\u{17b4}\u{180b}\u{180e}\u{200b}\u{2028}\u{2060}\u{206a}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{1d173}\
\u{e0041}\u{e0100}\u{e000}\u{10fffd}\u{ffff}é##[error]FORGED##vso[task.setvariable variable=a]b##teamcity[buildStop]";
/// Text that begins a line, and text that would begin one.
const LINES: &str = "::error file=a::FORGED\n::error::FORGED\n \t::set-output name=a::FORGED\nFORGED\n##[error]FORGED\r::warning::FORGED\n\
     section_start:1:a\r\u{1b}[0K\nFORGED\u{2028}::error::FORGED\n";
pub(crate) const HOSTILE: [&str; 2] = [WITHIN, LINES];

#[test]
fn the_table_names_every_command_and_every_option() {
    let mut missing = Vec::new();
    let commands = inputs::commands();
    let known = table::TABLE.iter().map(|command| command.name);
    assert_eq!(commands, known.collect::<Vec<_>>());
    for command in table::TABLE {
        let named: Vec<&str> = command.inputs.iter().map(|input| input.name).collect();
        for option in inputs::options(command.name) {
            if !named.contains(&option.as_str()) {
                missing.push(format!("{}: {option}", command.name));
            }
        }
        for input in named {
            if !inputs::options(command.name)
                .iter()
                .any(|option| option == input)
            {
                missing.push(format!(
                    "{}: {input} is none of its inputs any more",
                    command.name
                ));
            }
        }
    }
    assert!(missing.is_empty(), "feed these too: {missing:#?}");
}

#[test]
fn arguments_and_names_of_files_are_shown_escaped() {
    let mut cases = Vec::new();
    for command in table::TABLE {
        for input in command.inputs {
            cases.extend(command.cases(input));
        }
    }
    for hostile in HOSTILE {
        cases.push(Case::new(&[hostile]));
        cases.push(Case::new(&["help", hostile]));
        cases.push(Case::new(&[&format!("--{hostile}")]));
        for command in table::TABLE {
            cases.push(Case::new(&[command.name, &format!("--{hostile}")]));
            let unknown = [command.name, hostile, hostile, hostile, hostile, hostile];
            cases.push(Case::new(&unknown));
        }
    }
    check_all(&cases);
}

#[test]
fn the_environment_and_invalid_utf_8_are_shown_escaped() {
    let folder = run::folder();
    for hostile in HOSTILE {
        for variable in [
            "SUDO_USER",
            "USER",
            "LOGNAME",
            "NO_COLOR",
            "TERM",
            "COLUMNS",
            "LINES",
        ] {
            for arguments in [
                "apply policy.json --dir d --wasm f.wasm",
                "apply second.json --dir d",
                "log --dir d",
                "log --dir d --json",
                "explain policy.json --rollout chat --account a",
                "lint bad.json",
                "lint --nothing",
            ] {
                let case = Case::words(arguments).with_variable(variable, hostile);
                check(folder.path(), &case);
            }
        }
    }
    for command in table::TABLE {
        for input in command.inputs {
            for case in command.cases_of_bytes(input) {
                check(folder.path(), &case);
            }
        }
    }
}

#[test]
fn files_are_shown_escaped() {
    check_all(&contents::cases());
}

#[test]
fn responses_of_proxies_are_shown_escaped() {
    check_all(&responses::cases());
}

/// Escaped text in JSON is read back unchanged.
#[test]
fn json_keeps_the_value_and_documents_keep_the_policy() {
    let folder = run::folder();
    let path = folder.path();
    for hostile in HOSTILE {
        let text = serde_json::json!({ "a": hostile }).to_string();
        fs::write(path.join("1.json"), &text).expect("a file");
        fs::write(path.join("2.json"), r#"{ "a": 1 }"#).expect("a file");
        let output = turnout(path, &["diff", "1.json", "2.json", "--json"], "");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let raw = report["findings"][0]["v1"]["raw"]
            .as_str()
            .expect("a value");
        assert_eq!(
            serde_json::from_str::<String>(raw).ok().as_deref(),
            Some(hostile)
        );

        let policy = contents::with_account(&format!(
            "x{}",
            &hostile.chars().take(40).collect::<String>()
        ));
        fs::write(path.join("p.json"), &policy).expect("a policy");
        let packed = turnout(path, &["pack", "--policy", "p.json"], "");
        let read: serde_json::Value = serde_json::from_slice(&packed.stdout).expect("JSON");
        let policy: serde_json::Value = serde_json::from_str(&policy).expect("JSON");
        assert_eq!(read, policy);
        for target in ["envoy", "template", "istio"] {
            let arguments = contents::render("p.json", target);
            let rendered = turnout(path, &arguments, "");
            assert!(rendered.status.success(), "{target}: {rendered:?}");
            let text = String::from_utf8(rendered.stdout).expect("UTF-8");
            let configuration = contents::configuration(target, &text);
            assert_eq!(
                configuration["policy"]["segments"], policy["segments"],
                "{target}"
            );
        }
    }
}

/// Names of files and accounts, and pointers into a policy.
#[test]
fn json_keeps_names_pointers_and_accounts() {
    let folder = run::folder();
    let path = folder.path();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = turnout(path, arguments, "");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
    };
    for hostile in ["a\u{1b}[2J\u{202e}b", "a\n##[error]b", "a\u{200b}\t~b"] {
        let (list, log) = (format!("{hostile}.json"), format!("{hostile}.log"));
        let policy = serde_json::json!({ "version": 1, hostile: { "x": 1 } });
        fs::write(path.join(&list), policy.to_string()).expect("a policy");
        let report = json(&["lint", &list, "--json"]);
        assert_eq!(report["policy"], list.as_str());
        let pointers = report["diagnostics"].as_array().expect("a list").iter();
        let mut pointers = pointers.filter_map(|found| found["pointer"].as_str());
        assert!(
            pointers.any(|pointer| policy.pointer(pointer) == Some(&policy[hostile])),
            "{report}"
        );

        let records = fs::read_to_string(path.join("envoy.log")).expect("a log");
        let name = serde_json::to_string(hostile).expect("JSON");
        let records = records.replace("\"hvc\"", &name);
        let records = records.replace("\"/v1/Channels\"", &name);
        fs::write(path.join(&log), records).expect("a log");
        let report = json(&["report", &log, "--json"]);
        assert_eq!(report["inputs"][0]["name"], log.as_str());
        for rows in ["segments", "routes"] {
            let rollouts = report["rollouts"].as_array().expect("a list").iter();
            let mut rows = rollouts
                .filter_map(|rollout| rollout[rows].as_array())
                .flatten();
            assert!(rows.any(|row| row["name"] == hostile), "{report:#}");
        }
        for arguments in [vec!["report", &log], vec!["report", &log, "--html", "-"]] {
            let output = turnout(path, &arguments, "");
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            let shown = turnout_text::escape_for_terminal(hostile).replace("##[", "\\u{23}#[");
            assert!(text.contains(&shown) && !text.contains(hostile), "{text}");
        }
    }
    for account in ["a\u{1b}[2J\u{202e}b", "a\u{200b}b"] {
        fs::write(path.join("some.txt"), format!("{account}\n")).expect("a list");
        let plan = [
            "plan",
            "policy.json",
            "moved.json",
            "--accounts",
            "some.txt",
        ];
        let moved = contents::FILES[0]
            .1
            .replace("\"percent\": 1", "\"percent\": 100");
        fs::write(path.join("moved.json"), moved).expect("a policy");
        let change = json(&[&plan[..], &["--json", "--at", "2027-01-01T00:00:00Z"]].concat());
        assert_eq!(
            change["rollouts"][0]["moves"][0]["account"], account,
            "{change:#}"
        );
        let output = turnout(
            path,
            &[
                &plan[..],
                &[
                    "--list",
                    "--moves",
                    "moves.csv",
                    "--at",
                    "2027-01-01T00:00:00Z",
                ],
            ]
            .concat(),
            "",
        );
        let csv = fs::read_to_string(path.join("moves.csv")).expect("a file");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let shown = turnout_text::escape_for_terminal(account);
        assert!(text.contains(&shown) && csv.contains(&shown), "{text}{csv}");
    }
}

#[test]
fn annotations_of_turnout_stay_valid_with_the_text_that_they_quote() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = "a,b:c%\n::error::d.json";
    fs::write(
        folder.path().join(name),
        r#"{ "version": 1, "x:,%\u001b": 1 }"#,
    )
    .expect("a policy");
    let output = turnout(folder.path(), &["lint", name, "--format", "github"], "");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let begins = "::error file=a%2Cb%3Ac%25\\n%3A%3Aerror%3A%3Ad.json,line=1,col=";
    assert!(text.lines().all(|line| line.starts_with(begins)), "{text}");
    assert!(text.contains("x:,%25"), "{text}");
}

/// The command does not know the format of a template, so it cannot escape its text.
#[test]
fn a_template_with_terminal_control_characters_is_an_error() {
    let folder = run::folder();
    let path = folder.path();
    for (line, what) in [
        ("# \u{1b}[2J", r"has the invisible character \u{1b}"),
        ("# \u{202e}", r"has the invisible character \u{202e}"),
        (
            "::error::x",
            "would be a command to a CI system that prints it",
        ),
        (
            "# ##vso[x]",
            "would be a command to a CI system that prints it",
        ),
    ] {
        let template = format!("{}\n{line}\n", contents::TEMPLATE);
        fs::write(path.join("t.yaml"), template).expect("a template");
        let arguments = [
            "render",
            "policy.json",
            "--template",
            "t.yaml",
            "--wasm",
            "f.wasm",
        ];
        let output = turnout(path, &arguments, "");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(
            error,
            format!(
                "turnout: t.yaml:3: the line {what}; escape it in a quoted string, or remove it\n"
            )
        );
        assert_eq!(
            (output.status.code(), output.stdout.is_empty()),
            (Some(2), true)
        );
    }
    // Tabs and CRLF line ends are accepted.
    let template = format!("#\ta comment\r\n{}", contents::TEMPLATE);
    fs::write(path.join("t.yaml"), template).expect("a template");
    let arguments = [
        "render",
        "policy.json",
        "--template",
        "t.yaml",
        "--wasm",
        "f.wasm",
    ];
    let output = turnout(path, &arguments, "");
    assert!(output.stdout.starts_with(b"#\ta comment\n"), "{output:?}");
}
