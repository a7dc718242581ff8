//! Which files a policy may name, and which parts of their text are shown. The author of a policy is not trusted
//! with the files of the machine that reads it.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;
use tempfile::TempDir;

use common::turnout;

const FIRST: &str = "AC00000000000000000000000000000001";
const SECRET: &str = "token=hunter2";

fn policy(named: &str, format: &str) -> String {
    let named = Value::from(named);
    format!(
        r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x-user" }}], "format": "{format}" }},
  "segments": {{ "hvc": {{ "accounts_from": {named} }} }},
  "rollouts": [{{ "name": "r", "v1": "a", "v2": "b", "mode": "split", "shadow": {{ "requests": 1 }},
    "rules": [{{ "when": {{ "in": ["hvc"] }} }}] }}] }}"#
    )
}

/// A folder `policies` with a policy that names this file, and next to it a folder with an account and a secret.
fn scene(named: &str) -> TempDir {
    let scene = TempDir::new().expect("a folder");
    let at = |name: &str| scene.path().join(name);
    fs::create_dir_all(at("policies/below")).expect("a folder");
    fs::create_dir(at("outside")).expect("a folder");
    fs::write(at("outside/secret.env"), format!("{FIRST}\n{SECRET}\n")).expect("a secret");
    fs::write(at("policies/below/hvc.txt"), format!("{FIRST}\n")).expect("accounts");
    fs::write(at("policies/policy.json"), policy(named, "sid")).expect("a policy");
    fs::write(
        at("old.json"),
        policy("none", "sid").replace("accounts_from\": \"none\"", "accounts\": []"),
    )
    .expect("a policy");
    fs::write(at("template"), "x: \"@TURNOUT_CONFIGURATION@\"\n").expect("a template");
    fs::write(at("list"), format!("{FIRST}\n")).expect("a list");
    fs::write(at("turnout_filter.wasm"), b"\0asm\x01\0\0\0").expect("a filter");
    scene
}

fn run(folder: &Path, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = turnout(folder, arguments, input);
    let printed = [stdout, stderr].concat();
    (status.code(), String::from_utf8(printed).expect("UTF-8"))
}

/// The commands that read policies.
const COMMANDS: &[&[&str]] = &[
    &["lint", "policies/policy.json"],
    &["lint", "policies/policy.json", "--json"],
    &["lint", "policies/policy.json", "--format", "github"],
    &["lint", "old.json", "--against", "policies/policy.json"],
    &["explain", "policies/policy.json"],
    &["simulate", "policies/policy.json", "--accounts", "list"],
    &[
        "plan",
        "policies/policy.json",
        "old.json",
        "--accounts",
        "list",
    ],
    &[
        "plan",
        "old.json",
        "policies/policy.json",
        "--accounts",
        "list",
    ],
    &["render", "policies/policy.json", "--template", "template"],
    &[
        "apply",
        "policies/policy.json",
        "--dir",
        "live",
        "--wasm",
        "turnout_filter.wasm",
    ],
    &["pack", "--policy", "policies/policy.json"],
    &[
        "diff",
        "list",
        "list",
        "--policy",
        "policies/policy.json",
        "--rollout",
        "r",
    ],
];

#[test]
fn no_command_reads_a_file_outside_the_folder_of_the_policy() {
    let scene = scene("../outside/secret.env");
    for command in COMMANDS {
        let (code, printed) = run(scene.path(), command, "");
        assert_eq!(code, Some(2), "{command:?}: {printed}");
        assert!(!printed.contains("hunter2"), "{command:?}: {printed}");
        assert!(
            printed.contains("`../outside/secret.env` is outside the folder of the policy"),
            "{command:?}: {printed}"
        );
        assert!(
            printed.contains("--accounts-root"),
            "{command:?}: {printed}"
        );
        assert!(
            printed.contains("/segments/hvc/accounts_from"),
            "{command:?}: {printed}"
        );
    }
    assert!(!scene.path().join("live/filter.json").exists());
}

#[test]
fn each_command_reads_a_file_below_a_folder_that_the_command_line_allows() {
    let scene = scene("../outside/accounts");
    fs::write(scene.path().join("outside/accounts"), format!("{FIRST}\n")).expect("accounts");
    fs::create_dir(scene.path().join("live")).expect("a folder");
    for command in COMMANDS {
        let arguments = [*command, &["--accounts-root", "outside"]].concat();
        let (code, printed) = run(scene.path(), &arguments, "");
        assert_eq!(code, Some(0), "{command:?}: {printed}");
        let arguments = [
            *command,
            &["--accounts-root", "list", "--accounts-root", "outside"],
        ];
        let (code, printed) = run(scene.path(), &arguments.concat(), "");
        assert_eq!(code, Some(2), "{command:?}: {printed}");
        assert!(
            printed.contains("--accounts-root list: "),
            "{command:?}: {printed}"
        );
    }
}

/// The error is the same whether the file exists or not.
#[test]
fn no_error_reveals_whether_a_file_outside_exists() {
    let scene = scene("unused");
    let at = |name: &str| scene.path().join(name);
    let outside = at("outside").display().to_string();
    symlink("../outside/secret.env", at("policies/ALIAS")).expect("a link");
    symlink("../outside/none", at("policies/DANGLING")).expect("a link");
    symlink("../outside", at("policies/folder")).expect("a link");
    for (there, absent) in [
        ("../outside/secret.env", "../outside/none"),
        ("../outside", "../none"),
        (
            "../outside/../policies/below/hvc.txt",
            "../none/../policies/below/hvc.txt",
        ),
        ("/etc/passwd", "/etc/no-such-file"),
        ("/proc/self/environ", "/proc/self/no-such-file"),
        ("/dev/null", "/dev/none"),
        ("ALIAS", "DANGLING"),
        ("folder/secret.env", "folder/none"),
        ("below/../../outside/secret.env", "below/../../outside/none"),
        (&format!("{outside}/secret.env"), &format!("{outside}/none")),
        ("..", "../.."),
    ] {
        let error_of = |named: &str| {
            fs::write(at("policies/policy.json"), policy(named, "opaque")).expect("a policy");
            let (code, printed) = run(
                scene.path(),
                &["lint", "policies/policy.json", "--json"],
                "",
            );
            assert_eq!(code, Some(2), "{named}: {printed}");
            assert!(
                printed.contains("is outside the folder"),
                "{named}: {printed}"
            );
            let mut printed: Value = serde_json::from_str(&printed).expect("JSON");
            let message = printed["diagnostics"][0]["message"].take();
            let message = message.as_str().expect("a message").replace(named, "NAMED");
            (message, printed)
        };
        assert_eq!(error_of(there), error_of(absent), "{there}");
    }
}

#[test]
fn any_path_that_stays_inside_is_read() {
    let scene = scene("unused");
    let at = |name: &str| scene.path().join(name);
    symlink("below/hvc.txt", at("policies/ALIAS")).expect("a link");
    symlink(at("policies/below"), at("policies/absolute")).expect("a link");
    symlink("policies", at("alias")).expect("a link");
    let absolute = at("policies/below/hvc.txt").display().to_string();
    let by_alias = at("alias/below/hvc.txt").display().to_string();
    for named in [
        "below/hvc.txt",
        "./below//hvc.txt",
        "below/../below/hvc.txt",
        "../policies/below/hvc.txt",
        "ALIAS",
        "absolute/hvc.txt",
        &absolute,
    ] {
        fs::write(at("policies/policy.json"), policy(named, "sid")).expect("a policy");
        for path in ["policies/policy.json", "alias/policy.json"] {
            let (code, printed) = run(scene.path(), &["lint", path], "");
            assert_eq!(code, Some(0), "{named}: {printed}");
        }
        let (code, printed) = run(&at("policies"), &["lint", "policy.json"], "");
        assert_eq!(code, Some(0), "{named}: {printed}");
        // For a policy on standard input, the folder is the current one.
        let (code, printed) = run(&at("policies"), &["lint", "-"], &policy(named, "sid"));
        assert_eq!(code, Some(0), "{named}: {printed}");
    }
    // The folder as named on the command line.
    fs::write(at("policies/policy.json"), policy(&by_alias, "sid")).expect("a policy");
    let (code, printed) = run(scene.path(), &["lint", "alias/policy.json"], "");
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = run(
        &at("policies/below"),
        &["lint", "-"],
        &policy("../policy.json", "sid"),
    );
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("is outside the folder"), "{printed}");
}

/// Kubernetes replaces a mounted folder atomically: its files are links through `..data`.
#[test]
fn a_mounted_config_map_is_read_through_its_links() {
    let mount = TempDir::new().expect("a folder");
    let at = |name: &str| mount.path().join(name);
    fs::create_dir(at("..2026_11_28_07_00_00.1")).expect("a folder");
    symlink("..2026_11_28_07_00_00.1", at("..data")).expect("a link");
    fs::write(at("..data/policy.json"), policy("accounts.txt", "sid")).expect("a policy");
    fs::write(at("..data/accounts.txt"), format!("{FIRST}\n")).expect("accounts");
    for name in ["policy.json", "accounts.txt"] {
        symlink(format!("..data/{name}"), at(name)).expect("a link");
    }
    for path in ["policy.json", "..data/policy.json"] {
        let (code, printed) = run(mount.path(), &["lint", path], "");
        assert_eq!(code, Some(0), "{path}: {printed}");
    }
    let (code, printed) = run(
        Path::new("/"),
        &["lint", &at("policy.json").display().to_string()],
        "",
    );
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn a_path_that_is_not_a_file_is_an_error_at_once() {
    let scene = scene("unused");
    let at = |name: &str| scene.path().join(name);
    mknodat(
        CWD,
        at("policies/pipe"),
        FileType::Fifo,
        Mode::from(0o600),
        0,
    )
    .expect("a pipe");
    symlink("loop", at("policies/loop")).expect("a link");
    let _socket = std::os::unix::net::UnixListener::bind(at("policies/socket")).expect("a socket");
    for (named, error) in [
        ("pipe", "it is not a regular file"),
        ("socket", "it is not a regular file"),
        ("below", "it is a folder"),
        (".", "it is a folder"),
        ("loop", "too many links"),
        ("none", "No such file"),
        ("below/hvc.txt/none", "Not a directory"),
    ] {
        fs::write(at("policies/policy.json"), policy(named, "sid")).expect("a policy");
        let (code, printed) = run(scene.path(), &["lint", "policies/policy.json"], "");
        assert_eq!(code, Some(2), "{named}: {printed}");
        assert!(printed.contains(error), "{named}: {printed}");
    }
}

#[test]
fn the_text_of_a_bad_line_is_shown_only_with_show_lines() {
    let scene = scene("below/hvc.txt");
    let at = |name: &str| scene.path().join(name);
    fs::write(at("policies/below/hvc.txt"), format!("{FIRST}\n{SECRET}\n")).expect("accounts");
    fs::copy(at("policies/below/hvc.txt"), at("list")).expect("a list");
    let of_files: Vec<&[&str]> = COMMANDS.to_vec();
    let of_lists: [&[&str]; 4] = [
        &["simulate", "old.json", "--accounts", "list"],
        &["simulate", "old.json", "--accounts", "list", "--json"],
        &[
            "plan",
            "old.json",
            "old.json",
            "--accounts",
            "list",
            "--json",
        ],
        &["pack", "list"],
    ];
    for command in of_files.into_iter().chain(of_lists) {
        let (_, printed) = run(scene.path(), command, "");
        assert!(!printed.contains("hunter"), "{command:?}: {printed}");
        assert!(
            printed.contains("not an account SID: 34 characters expected, found 13"),
            "{command:?}: {printed}"
        );
        let arguments = [command, &["--show-lines"]].concat();
        let (_, printed) = run(scene.path(), &arguments, "");
        assert!(printed.contains(SECRET), "{command:?}: {printed}");
    }
}

/// Column names are text of the file too, and an opaque account may be any text.
#[test]
fn no_other_text_of_an_account_file_is_shown() {
    let scene = scene("unused");
    let at = |name: &str| scene.path().join(name);
    let file = at("policies/below/hvc.txt");
    let column = r#"{ "file": "below/hvc.txt", "column": "sid" }"#;
    let two_segments = policy("below/hvc.txt", "opaque")
        .replace(
            r#""segments": {"#,
            r#""segments": { "other": { "accounts_from": "below/hvc.txt" },"#,
        )
        .replace(
            r#""rules": ["#,
            r#""rules": [{ "when": { "in": ["other"] }, "accounts": 5 }, "#,
        );
    for (policy, text) in [
        (
            policy("FILE", "sid").replace(r#""FILE""#, column),
            format!("{SECRET},b\n1,2\n"),
        ),
        (policy("below/hvc.txt", "sid"), format!("{SECRET}\n")),
        (
            policy("below/hvc.txt", "sid"),
            format!("{SECRET}\nhunter3\nhunter4\n"),
        ),
        (
            policy("FILE", "sid").replace(r#""FILE""#, &column.replace("sid", "hunter")),
            format!("hunter,token=hunter2\nx,{FIRST}\ny,{FIRST}\n"),
        ),
        (
            policy("below/hvc.txt", "opaque"),
            format!("{SECRET}\n").repeat(9),
        ),
        (two_segments, format!("{SECRET}\n")),
    ] {
        fs::write(at("policies/policy.json"), policy).expect("a policy");
        fs::write(&file, &text).expect("accounts");
        for form in ["text", "json", "github"] {
            let arguments = ["lint", "policies/policy.json", "--format", form];
            let (_, printed) = run(scene.path(), &arguments, "");
            assert!(
                !printed.contains("hunter2") && !printed.contains("hunter3"),
                "{text}: {printed}"
            );
        }
    }
}
