//! Runs `turnout watch` on a simulated proxy: reports, and hostile responses.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "small numbers, and a test that cannot go on has failed"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

/// The body of each page; `None` closes the connection.
type Pages = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// Serves the pages until the test ends, and returns the address.
fn admin(pages: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let pages: Arc<Pages> = Arc::new(pages);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let pages = Arc::clone(&pages);
            thread::spawn(move || serve(stream, &*pages));
        }
    });
    address
}

fn serve(mut stream: TcpStream, pages: &Pages) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().expect("the other half"));
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let page = head.split(' ').nth(1).unwrap_or_default();
    let Some(body) = pages(page) else {
        return;
    };
    let status = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    // The client may have closed the connection.
    let _ = stream.write_all(status.as_bytes());
    let _ = stream.write_all(&body);
}

const POLICY: &str = r#"{ "version": 1, "revision": "r7", "account": { "from": [ { "header": "x-account-sid" } ], "format": "sid" },
  "rollouts": [ { "name": "chat", "v1": "a", "v2": "b", "mode": "split", "rules": [ { "accounts": 12.5 } ] } ] }"#;

/// A proxy in which v2 gets a quarter of the requests, and half of those fail.
fn well(version: &'static str) -> impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static {
    let looks = AtomicU64::new(1);
    move |page| {
        if page.starts_with("/config_dump") {
            let configuration = format!(r#"{{"inbound":"strip","policy":{POLICY}}}"#);
            let dump = json!({ "configs": [ { "configuration": { "value": configuration } } ] });
            return Some(dump.to_string().into_bytes());
        }
        let look = looks.fetch_add(1, Ordering::SeqCst);
        let number = turnout_core::Revision::from_name("r7")
            .expect("a revision")
            .number();
        let page = format!(
            "extension_config_discovery.http_filter.turnout.version_text: \"{version}\"
extension_config_discovery.http_filter.turnout.update_rejected: 2
server.uptime: {look}
wasmcustom.turnout.revision.turnout: {number}
wasmcustom.turnout.decisions.chat.v1.outside_accounts: {}
wasmcustom.turnout.decisions.chat.v2.rule: {look}
cluster.b.upstream_rq_completed: {}
cluster.b.upstream_rq_5xx: {look}
cluster.b.upstream_rq_timeout: 0
",
            look * 3,
            look * 2
        );
        Some(page.into_bytes())
    }
}

/// A proxy with a guard, whose policy and gauges are these.
fn guarded(
    guard: &'static str,
    gauges: &'static str,
) -> impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static {
    let policy = POLICY.replace(
        r#""accounts": 12.5 } ]"#,
        &format!(r#""requests": 10 }} ]{guard}"#),
    );
    move |page| {
        if page.starts_with("/config_dump") {
            let configuration = format!(r#"{{"inbound":"strip","policy":{policy}}}"#);
            let dump = json!({ "configs": [ { "configuration": { "value": configuration } } ] });
            return Some(dump.to_string().into_bytes());
        }
        let number = turnout_core::Revision::from_name("r7")
            .expect("a revision")
            .number();
        let page = format!(
            "server.uptime: 7
wasmcustom.turnout.revision.turnout: {number}
wasmcustom.turnout.decisions.chat.v1.guard: 40
wasmcustom.turnout.guard.chat.10.v1.all: 900
wasmcustom.turnout.guard.chat.10.v1.errors: 0
wasmcustom.turnout.guard.chat.10.v2.all: 100
wasmcustom.turnout.guard.chat.10.v2.errors: 5
{gauges}"
        );
        Some(page.into_bytes())
    }
}

const GUARD: &str = r#", "guard": {}"#;
const TRIPPED: &str = "wasmcustom.turnout.guard_state.chat: 2
wasmcustom.turnout.guard_evidence_milli.chat: 2301
wasmcustom.turnout.guard_threshold_milli.chat: 2000
";

#[test]
fn a_guard_that_has_tripped_is_shown_with_what_to_do() {
    let tripped = admin(guarded(GUARD, TRIPPED)).to_string();
    let report = unwrapped(&watch(&["--admin", &tripped, "--once"]).stdout);
    for part in [
        "TRIPPED evidence 10^2.3 of 10^2",
        "v2 is worse, so everyone takes v1. When v2 is fixed: turnout rearm --dir FOLDER --rollout chat",
        "v1 none now (0 % of 900) v2 none now (5.0 % of 100) compared at 10 %",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

/// One proxy has tripped, one has an old build, and one has no guard in its policy, but the gauge of an earlier one.
#[test]
fn a_proxy_that_reports_no_state_is_not_armed() {
    let addresses = [
        admin(guarded(GUARD, TRIPPED)),
        admin(guarded(GUARD, "")),
        admin(guarded("", "wasmcustom.turnout.guard_state.chat: 0\n")),
    ];
    let addresses = addresses.map(|address| address.to_string());
    let proxies = addresses.iter().flat_map(|address| ["--admin", address]);
    let proxies: Vec<&str> = proxies.collect();
    let report = unwrapped(&watch(&[&proxies[..], &["--once"]].concat()).stdout);
    for part in [
        "TRIPPED on 1 of 3 proxies STATE UNKNOWN on 1 NO GUARD on 1",
        "guard TRIPPED on 1 of 3 proxies (http",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
    assert!(!report.contains("armed"), "{report}");

    let json = watch(&[&proxies[..], &["--once", "--json"]].concat()).stdout;
    let view: Value = serde_json::from_slice(&json).expect("JSON");
    let of = |pointer: &str| view.pointer(&format!("/rollouts/0/guard{pointer}"));
    for (pointer, expected) in [
        ("/proxies/0/state", json!("tripped")),
        ("/proxies/0/evidence_milli", json!(2301)),
        ("/proxies/0/action", json!("halt")),
        ("/proxies/1/state", json!("not_reported")),
        ("/proxies/1/evidence_milli", json!(null)),
        ("/proxies/2/state", json!("no_guard")),
        ("/proxies/2/action", json!(null)),
        ("/strata/0/requests_millionths", json!(10_000_000)),
        (
            "/strata/0/total/v2",
            json!({ "all": 300, "errors": 15, "slow": 0 }),
        ),
    ] {
        assert_eq!(of(pointer), Some(&expected), "{pointer} of {view}");
    }
}

fn watch(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let all = [&["watch", "--interval", "100ms"], arguments].concat();
    common::turnout(folder.path(), &all, "")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The words of a report, without the places where its lines end.
fn unwrapped(bytes: &[u8]) -> String {
    let text = text(bytes);
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

#[test]
fn the_report_shows_the_progress_of_each_rollout() {
    let address = admin(well("r7")).to_string();
    let ended = watch(&["--admin", &address, "--once"]);
    let report = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{report}");
    for part in [
        "revision r7",
        "2 updates REJECTED",
        "chat   split",
        "12.5 %",
        "25.0 %",
        "v2 50.0 % of",
        "v1: NO CLUSTER a",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn json_is_for_scripts() {
    let address = admin(well("r7")).to_string();
    let ended = watch(&["--admin", &address, "--once", "--json"]);
    let view: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    for (pointer, expected) in [
        ("/proxies/0/responds", json!(true)),
        ("/proxies/0/revision", json!("r7")),
        (
            "/rollouts/0/policies/0/served_accounts_millionths",
            json!(12_500_000),
        ),
        ("/rollouts/0/recent/v2", json!(1)),
        ("/rollouts/0/recent/requests", json!(4)),
        ("/rollouts/0/clusters/1/recent/failed", json!(1)),
        ("/rollouts/0/clusters/0/known", json!(false)),
    ] {
        assert_eq!(
            view.pointer(pointer),
            Some(&expected),
            "{pointer} of {view}"
        );
    }
}

/// The version that Envoy shows may be that of a rejected policy.
#[test]
fn the_gauge_decides_which_revision_is_active() {
    let address = admin(well("r8-refused")).to_string();
    let report = text(&watch(&["--admin", &address, "--once"]).stdout);
    assert!(
        report.contains("revision r7") && !report.contains("r8"),
        "{report}"
    );
}

#[test]
fn watch_exits_with_1_if_a_proxy_does_not_respond() {
    let well = admin(well("r7")).to_string();
    let silent = admin(|_| None).to_string();
    let ended = watch(&["--admin", &silent, "--admin", &well, "--once"]);
    let report = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(1), "{report}");
    assert!(
        report.contains("NO RESPONSE") && report.contains("12.5 %"),
        "{report}"
    );
}

#[test]
fn no_response_reaches_the_terminal_unescaped() {
    let label = "a".repeat(3_000_000);
    let pages: Vec<Vec<u8>> = vec![
        b"\x1b[2J\x1b]0;title\x07<html>".to_vec(),
        vec![0xff; 70_000],
        b"[".repeat(1_000_000),
        // More than the command reads.
        b"x: 1\n".repeat(4_000_000),
        format!("wasmcustom.turnout.decisions.{label}.v1.rule: 1\nwasmcustom.turnout.revision.turnout: 1\n").into_bytes(),
        b"wasmcustom.turnout.revision.turnout: 1\nextension_config_discovery.http_filter.turnout.version_text: \"\x1b[31m\xc2\x9b\"\n".to_vec(),
    ];
    for page in pages {
        let start = text(
            &page
                .iter()
                .take(40)
                .map(|byte| byte & 0x7f)
                .collect::<Vec<_>>(),
        );
        let address = admin(move |_| Some(page.clone())).to_string();
        for form in ["--once", "--json"] {
            let ended = watch(
                &["--admin", &address, "--once", form][..if form == "--once" { 3 } else { 4 }],
            );
            let shown = [text(&ended.stdout), text(&ended.stderr)].concat();
            assert!(
                ended.status.code().is_some_and(|code| code < 2),
                "{start:?}: {ended:?}"
            );
            assert!(
                !shown.contains(|c: char| c.is_control() && c != '\n'),
                "{start:?}: {shown:?}"
            );
        }
    }
}

#[test]
fn a_closed_pipe_ends_watch() {
    let address = admin(well("r7")).to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .args(["watch", "--interval", "100ms", "--admin", &address])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut reader = BufReader::new(child.stdout.take().expect("standard output"));
    let mut lines = String::new();
    for _ in 0..4 {
        reader.read_line(&mut lines).expect("a line");
    }
    drop(reader);
    assert!(lines.contains("chat  split  accounts 12.5 %"), "{lines}");
    let mut error = String::new();
    let mut stderr = child.stderr.take().expect("standard error");
    stderr.read_to_string(&mut error).expect("UTF-8");
    assert_eq!(child.wait().expect("its end").code(), Some(0), "{error}");
    assert_eq!(error, "");
}

#[test]
fn invalid_arguments_are_errors() {
    for arguments in [
        &["--once"][..],
        &["--admin", "https://a:1", "--once"],
        &["--admin", "a:1", "--interval", "0s", "--once"],
        &["--admin", "a:1", "--interval", "soon", "--once"],
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let all = [&["watch"], arguments].concat();
        let ended = common::turnout(folder.path(), &all, "");
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn the_last_change_names_the_policy_that_a_rollback_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &[u8]| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    write("f.wasm", b"\0asm\x01\0\0\0");
    write("r7.json", POLICY.as_bytes());
    write("r8.json", POLICY.replace("r7", "r8").as_bytes());
    let address = admin(well("r7")).to_string();
    let run = |line: &str| {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        common::turnout(folder.path(), &arguments, "")
    };
    let last_change = || {
        let watch = format!("watch --once --json --interval 100ms --dir d --admin {address}");
        let view: Value = serde_json::from_slice(&run(&watch).stdout).expect("JSON");
        let change = view.pointer("/last_change").and_then(Value::as_str);
        change.expect("a change").to_owned()
    };
    for (line, change) in [
        ("apply r7.json --dir d --wasm f.wasm", "apply of r7 at "),
        ("apply r8.json --dir d", "apply of r8 at "),
        ("rollback --dir d", "rollback to r7 at "),
        ("halt --dir d", "halt of r7"),
    ] {
        let ended = run(line);
        assert_eq!(ended.status.code(), Some(0), "{line}: {ended:?}");
        assert!(
            last_change().starts_with(change),
            "{line}: {}",
            last_change()
        );
    }
}
