//! Which files a policy may name, and what of their text is shown: whoever writes a policy is not trusted with the
//! files of the machine that reads it.
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

/// A folder `policies` with a policy that names this file, and outside of it a folder of secrets, which has
/// an account and a secret.
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
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8(said).expect("UTF-8"))
}

/// Each command that reads policies.
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
fn no_command_reads_a_file_outside_of_the_folder_of_the_policy() {
    let scene = scene("../outside/secret.env");
    for command in COMMANDS {
        let (code, said) = run(scene.path(), command, "");
        assert_eq!(code, Some(2), "{command:?}: {said}");
        assert!(!said.contains("hunter2"), "{command:?}: {said}");
        assert!(
            said.contains("`../outside/secret.env` is outside the folder of the policy"),
            "{command:?}: {said}"
        );
        assert!(said.contains("--accounts-root"), "{command:?}: {said}");
        assert!(
            said.contains("/segments/hvc/accounts_from"),
            "{command:?}: {said}"
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
        let (code, said) = run(scene.path(), &arguments, "");
        assert_eq!(code, Some(0), "{command:?}: {said}");
        let arguments = [
            *command,
            &["--accounts-root", "list", "--accounts-root", "outside"],
        ];
        let (code, said) = run(scene.path(), &arguments.concat(), "");
        assert_eq!(code, Some(2), "{command:?}: {said}");
        assert!(
            said.contains("--accounts-root list: "),
            "{command:?}: {said}"
        );
    }
}

/// The answer is the same whether the file is there or not.
#[test]
fn nothing_says_whether_a_file_outside_exists() {
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
        let answer = |named: &str| {
            fs::write(at("policies/policy.json"), policy(named, "opaque")).expect("a policy");
            let (code, said) = run(
                scene.path(),
                &["lint", "policies/policy.json", "--json"],
                "",
            );
            assert_eq!(code, Some(2), "{named}: {said}");
            assert!(said.contains("is outside the folder"), "{named}: {said}");
            let mut said: Value = serde_json::from_str(&said).expect("JSON");
            let message = said["diagnostics"][0]["message"].take();
            let message = message.as_str().expect("a message").replace(named, "NAMED");
            (message, said)
        };
        assert_eq!(answer(there), answer(absent), "{there}");
    }
}

#[test]
fn a_name_that_stays_inside_is_read_whatever_its_form() {
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
            let (code, said) = run(scene.path(), &["lint", path], "");
            assert_eq!(code, Some(0), "{named}: {said}");
        }
        let (code, said) = run(&at("policies"), &["lint", "policy.json"], "");
        assert_eq!(code, Some(0), "{named}: {said}");
        // Of a policy that comes in, the folder is this one.
        let (code, said) = run(&at("policies"), &["lint", "-"], &policy(named, "sid"));
        assert_eq!(code, Some(0), "{named}: {said}");
    }
    // The folder by the name that the command line has for it.
    fs::write(at("policies/policy.json"), policy(&by_alias, "sid")).expect("a policy");
    let (code, said) = run(scene.path(), &["lint", "alias/policy.json"], "");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(
        &at("policies/below"),
        &["lint", "-"],
        &policy("../policy.json", "sid"),
    );
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is outside the folder"), "{said}");
}

/// Kubernetes replaces a mounted folder as a whole: its files are links by way of `..data`.
#[test]
fn a_mounted_config_map_is_read_by_its_links() {
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
        let (code, said) = run(mount.path(), &["lint", path], "");
        assert_eq!(code, Some(0), "{path}: {said}");
    }
    let (code, said) = run(
        Path::new("/"),
        &["lint", &at("policy.json").display().to_string()],
        "",
    );
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_is_no_file_is_refused_at_once() {
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
    for (named, told) in [
        ("pipe", "it is not a regular file"),
        ("socket", "it is not a regular file"),
        ("below", "it is a folder"),
        (".", "it is a folder"),
        ("loop", "too many links"),
        ("none", "No such file"),
        ("below/hvc.txt/none", "Not a directory"),
    ] {
        fs::write(at("policies/policy.json"), policy(named, "sid")).expect("a policy");
        let (code, said) = run(scene.path(), &["lint", "policies/policy.json"], "");
        assert_eq!(code, Some(2), "{named}: {said}");
        assert!(said.contains(told), "{named}: {said}");
    }
}

#[test]
fn the_text_of_a_bad_line_is_shown_only_where_it_is_asked_for() {
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
        let (_, said) = run(scene.path(), command, "");
        assert!(!said.contains("hunter"), "{command:?}: {said}");
        assert!(
            said.contains("not an account SID: 34 characters expected, found 13"),
            "{command:?}: {said}"
        );
        let arguments = [command, &["--show-lines"]].concat();
        let (_, said) = run(scene.path(), &arguments, "");
        assert!(said.contains(SECRET), "{command:?}: {said}");
    }
}

/// Names of columns are text of the file as well, and an opaque account may be anything.
#[test]
fn no_other_text_of_a_file_of_accounts_is_shown() {
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
            let (_, said) = run(scene.path(), &arguments, "");
            assert!(
                !said.contains("hunter2") && !said.contains("hunter3"),
                "{text}: {said}"
            );
        }
    }
}
