//! Runs `turnout judge` on simulated proxies and on files.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod common;
#[path = "common/page_server.rs"]
mod page_server;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::turnout;
use page_server::serve_pages;
use serde_json::{Value, json};
use tempfile::TempDir;

const POLICY: &str = r#"{ "version": 1, "revision": "r7", "account": { "from": [ { "header": "x-account-sid" } ], "format": "sid" },
  "rollouts": [ { "name": "chat", "match": { "path": { "prefix": "/chat" } }, "v1": "a", "v2": "b", "mode": "split",
      "rules": [ { "requests": 10 } ], "guard": {} },
    { "name": "calls", "v1": "a", "v2": "b", "mode": "split", "rules": [ { "requests": 10 } ] } ] }"#;

/// What a simulated proxy reports.
#[derive(Clone)]
struct Page {
    uptime: u64,
    revision: &'static str,
    /// All requests and errors, of v1 and of v2.
    arms: [[u64; 2]; 2],
    /// The state of the guard.
    state: Option<u64>,
    /// The evidence that the guard reports, with a threshold of 2,000.
    evidence_milli: Option<u64>,
    /// The guard in the policy.
    guard: &'static str,
    is_down: bool,
    has_policy: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            uptime: 1_000,
            revision: "r7",
            arms: [[0; 2]; 2],
            state: Some(0),
            evidence_milli: None,
            guard: "{}",
            is_down: false,
            has_policy: true,
        }
    }
}

impl Page {
    fn of(arms: [[u64; 2]; 2]) -> Self {
        Self {
            arms,
            ..Self::default()
        }
    }

    /// The page `/stats`.
    fn stats(&self) -> String {
        let number = turnout_core::Revision::from_name(self.revision)
            .expect("a revision")
            .number();
        let [[v1, v1_errors], [v2, v2_errors]] = self.arms;
        let state = self
            .state
            .map(|state| format!("wasmcustom.turnout.guard_state.chat: {state}\n"));
        let evidence = self.evidence_milli.map(|evidence| {
            format!(
                "wasmcustom.turnout.guard_evidence_milli.chat: {evidence}
wasmcustom.turnout.guard_threshold_milli.chat: 2000\n"
            )
        });
        format!(
            "server.uptime: {}
wasmcustom.turnout.revision.turnout: {number}
wasmcustom.turnout.decisions.chat.v1.outside_requests: {v1}
wasmcustom.turnout.decisions.chat.v2.rule: {v2}
wasmcustom.turnout.guard.chat.10.v1.all: {v1}
wasmcustom.turnout.guard.chat.10.v1.errors: {v1_errors}
wasmcustom.turnout.guard.chat.10.v2.all: {v2}
wasmcustom.turnout.guard.chat.10.v2.errors: {v2_errors}
{}{}",
            self.uptime,
            state.unwrap_or_default(),
            evidence.unwrap_or_default()
        )
    }
}

/// Simulated proxies, and a folder for files.
struct Mesh {
    folder: TempDir,
    /// The address and the page of each.
    proxies: Vec<(String, Arc<Mutex<Page>>)>,
}

impl Mesh {
    fn of<const N: usize>(pages: [Page; N]) -> Self {
        let proxies = pages.into_iter().map(|page| {
            let page = Arc::new(Mutex::new(page));
            let shared = Arc::clone(&page);
            let address = serve_pages(move |path| {
                let page = shared.lock().expect("no panic").clone();
                match path {
                    _ if page.is_down => (503, String::new()),
                    _ if path.starts_with("/stats") => (200, page.stats()),
                    _ if path.starts_with("/config_dump") && page.has_policy => {
                        let policy = POLICY.replace("r7", page.revision);
                        let guard = format!(r#""guard": {}"#, page.guard);
                        let policy = policy.replace(r#""guard": {}"#, &guard);
                        let configuration = format!(r#"{{"inbound":"strip","policy":{policy}}}"#);
                        let dump =
                            json!({ "configs": [ { "configuration": { "value": configuration } } ] });
                        (200, dump.to_string())
                    }
                    _ => (404, String::new()),
                }
            });
            (address, page)
        });
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            proxies: proxies.collect(),
        }
    }

    fn change(&self, proxy: usize, change: impl FnOnce(&mut Page)) {
        change(&mut self.proxies[proxy].1.lock().expect("no panic"));
    }

    /// Judges all proxies.
    fn judge(&self, options: &str) -> Run {
        let proxies = self.proxies.iter();
        let admins: Vec<String> = proxies
            .map(|(address, _)| format!("--admin {address}"))
            .collect();
        judge(
            self.folder.path(),
            &format!("{} {options}", admins.join(" ")),
        )
    }
}

/// A run of `turnout judge`.
struct Run {
    code: Option<i32>,
    output: String,
    errors: String,
}

impl Run {
    /// Checks the exit code and the verdict of the first rollout of JSON, and returns the rollout.
    #[track_caller]
    fn is(&self, code: i32, verdict: &str) -> Value {
        assert_eq!(self.code, Some(code), "{}{}", self.output, self.errors);
        let json: Value = serde_json::from_str(&self.output).expect("JSON");
        assert_eq!(json["rollouts"][0]["verdict"], verdict, "{json:#}");
        json["rollouts"][0].clone()
    }

    /// Checks that the run was refused with this error.
    #[track_caller]
    fn is_refused(&self, error: &str) {
        assert_eq!(self.code, Some(2), "{}{}", self.output, self.errors);
        assert!(self.errors.contains(error), "{}", self.errors);
        assert_eq!(self.output, "");
    }
}

fn judge(folder: &Path, line: &str) -> Run {
    let arguments = ["judge"].into_iter().chain(line.split_whitespace());
    let output = turnout(folder, &arguments.collect::<Vec<_>>(), "");
    Run {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).expect("UTF-8"),
        errors: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Judges these lines of counts.
fn judge_counts(lines: &str, options: &str) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    write("counts.jsonl", lines);
    write("policy.json", POLICY);
    judge(folder.path(), &format!("--counts counts.jsonl {options}"))
}

fn lines(rollout: &str, arms: [[u64; 2]; 2]) -> String {
    let arms = ["v1", "v2"].into_iter().zip(arms);
    let lines = arms.map(|(arm, [all, errors])| {
        format!(
            r#"{{"rollout":"{rollout}","requests":10,"arm":"{arm}","all":{all},"errors":{errors}}}"#
        )
    });
    lines.map(|line| line + "\n").collect()
}

/// The codes of the reasons.
fn reasons(rollout: &Value) -> Vec<&str> {
    let reasons = rollout["reasons"].as_array().expect("reasons").iter();
    reasons
        .filter_map(|reason| reason["code"].as_str())
        .collect()
}

const HEALTHY: [[u64; 2]; 2] = [[900_000, 900], [100_000, 100]];
const REGRESSED: [[u64; 2]; 2] = [[9_000, 9], [1_000, 100]];
const FEW: [[u64; 2]; 2] = [[90, 0], [10, 0]];

#[test]
fn three_proxies_are_judged_like_the_sum_of_their_counters() {
    let arms = [
        [[40_123, 13], [4_531, 2]],
        [[9_871, 11], [1_099, 0]],
        [[77_003, 71], [8_404, 9]],
    ];
    let mesh = Mesh::of(arms.map(Page::of));
    let by_admin = mesh.judge("--json").is(3, "not_enough_data");
    let sum = [0, 1].map(|arm: usize| {
        [0, 1].map(|what: usize| arms.iter().map(|arms| arms[arm][what]).sum::<u64>())
    });
    let by_counts = judge_counts(&lines("chat", sum), "--policy policy.json --json");
    let by_counts = by_counts.is(3, "not_enough_data");
    for (index, (_, page)) in mesh.proxies.iter().enumerate() {
        let text = page.lock().expect("no panic").stats();
        fs::write(mesh.folder.path().join(format!("{index}.txt")), text).expect("a file");
    }
    let line = "--metrics 0.txt --metrics 1.txt --metrics 2.txt --json";
    let by_metrics = judge(mesh.folder.path(), line).is(3, "not_enough_data");
    for name in [
        "log_evidence",
        "log_threshold",
        "ratio",
        "ratio_low",
        "ratio_high",
        "health_evidence",
        "strata",
        "reasons",
    ] {
        assert!(!by_admin[name].is_null(), "{name}");
        assert_eq!(
            by_admin[name].to_string(),
            by_counts[name].to_string(),
            "{name}"
        );
        assert_eq!(
            by_admin[name].to_string(),
            by_metrics[name].to_string(),
            "{name}"
        );
    }
    let needed = |rollout: &Value| rollout["needed"]["v2_requests"].clone();
    assert_eq!(needed(&by_admin), needed(&by_counts));
}

#[test]
fn each_verdict_has_an_exit_code() {
    for (arms, code, verdict) in [
        (HEALTHY, 0, "healthy"),
        (REGRESSED, 1, "regressed"),
        (FEW, 3, "not_enough_data"),
        // The arms are swapped: v2 gets 90 % of the requests.
        ([HEALTHY[1], HEALTHY[0]], 4, "invalid"),
    ] {
        judge_counts(&lines("chat", arms), "--json").is(code, verdict);
        let text = judge_counts(&lines("chat", arms), "");
        assert_eq!(text.code, Some(code));
        let title = format!("chat: {}", verdict.replace('_', " ").to_uppercase());
        assert!(text.output.starts_with(&title), "{}", text.output);
    }
    let swapped = [HEALTHY[1], HEALTHY[0]];
    for (all, code) in [
        (vec![HEALTHY, HEALTHY], 0),
        (vec![HEALTHY, FEW], 3),
        (vec![FEW, swapped, HEALTHY], 4),
        (vec![FEW, swapped, REGRESSED], 1),
    ] {
        let all = all.into_iter().enumerate();
        let all: String = all
            .map(|(index, arms)| lines(&format!("r{index}"), arms))
            .collect();
        assert_eq!(judge_counts(&all, "").code, Some(code), "{all}");
        let only = judge_counts(&all, "--rollout r0 --json");
        let json: Value = serde_json::from_str(&only.output).expect("JSON");
        assert_eq!(json["rollouts"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn nothing_that_is_missing_is_healthy() {
    let three = || {
        Mesh::of([1, 2, 3].map(|n: u64| Page::of(HEALTHY.map(|arm| arm.map(|count| count / n)))))
    };
    three().judge("--json").is(0, "healthy");
    let mesh = three();
    let fewer = mesh.judge("--json --proxies 4").is(3, "not_enough_data");
    assert_eq!(reasons(&fewer), ["too_few_proxies"]);
    type Change = fn(&mut Page);
    let changes: [(Change, i32, &str, &str); 6] = [
        (
            |page| page.is_down = true,
            3,
            "not_enough_data",
            "missing_proxies",
        ),
        (
            |page| page.revision = "r8",
            4,
            "invalid",
            "different_revisions",
        ),
        (
            |page| page.state = None,
            3,
            "not_enough_data",
            "no_guard_state",
        ),
        (
            |page| page.state = Some(1),
            3,
            "not_enough_data",
            "guard_holding",
        ),
        (|page| page.state = Some(2), 1, "regressed", "guard_tripped"),
        (|page| page.state = Some(3), 4, "invalid", "guard_invalid"),
    ];
    for (change, code, verdict, reason) in changes {
        mesh.change(1, change);
        let found = mesh.judge("--json").is(code, verdict);
        assert_eq!(reasons(&found)[0], reason);
        mesh.change(1, |page| {
            *page = Page::of(HEALTHY.map(|arm| arm.map(|count| count / 2)));
        });
    }
    for proxy in 0..3 {
        mesh.change(proxy, |page| *page = Page::default());
    }
    let idle = mesh.judge("--json").is(3, "not_enough_data");
    assert_eq!(reasons(&idle), ["nothing_compared"]);
    for proxy in 0..3 {
        mesh.change(proxy, |page| page.is_down = true);
    }
    let down = mesh.judge("--json");
    assert_eq!(down.code, Some(3));
    assert!(
        down.errors
            .contains("NOT ENOUGH DATA: no proxy could be read"),
        "{}",
        down.errors
    );
    fs::write(mesh.folder.path().join("policy.json"), POLICY).expect("a policy");
    let down = mesh
        .judge("--policy policy.json --json")
        .is(3, "not_enough_data");
    assert_eq!(reasons(&down)[0], "no_proxy");
}

#[test]
fn a_policy_of_a_file_has_to_be_the_one_that_proxies_run() {
    let mesh = Mesh::of([Page::of(HEALTHY)]);
    mesh.change(0, |page| page.has_policy = false);
    mesh.judge("").is_refused("pass the policy with --policy");
    let write = |text: &str| {
        fs::write(mesh.folder.path().join("policy.json"), text).expect("a policy");
    };
    write(POLICY);
    mesh.judge("--policy policy.json --json").is(0, "healthy");
    write(&POLICY.replace("r7", "r8"));
    let other = mesh.judge("--policy policy.json --json").is(4, "invalid");
    assert_eq!(reasons(&other), ["other_revision"]);
}

/// The counts of all strata and arms together.
fn compared(rollout: &Value) -> u64 {
    let strata = rollout["strata"].as_array().expect("strata").iter();
    let arms = strata.flat_map(|stratum| [&stratum["v1"]["all"], &stratum["v2"]["all"]]);
    arms.filter_map(Value::as_u64).sum()
}

#[test]
fn a_restart_loses_nothing_that_was_read_and_doubles_nothing() {
    let mesh = Mesh::of([Page::of([[90, 1], [10, 0]]), Page::of([[80, 0], [8, 0]])]);
    let judge = || compared(&mesh.judge("--state s.json --json").is(3, "not_enough_data"));
    assert_eq!(judge(), 188);
    assert_eq!(judge(), 188);
    mesh.change(0, |page| page.arms = [[180, 1], [20, 0]]);
    assert_eq!(judge(), 288);
    // It restarts, and counts less than before.
    mesh.change(0, |page| {
        *page = Page {
            uptime: 3,
            ..Page::of([[9, 0], [1, 0]])
        };
    });
    assert_eq!(judge(), 298);
    // It restarts, and has counted more than before: only the uptime shows it.
    mesh.change(0, |page| {
        *page = Page {
            uptime: 1,
            ..Page::of([[18, 0], [2, 0]])
        };
    });
    assert_eq!(judge(), 318);
    // A proxy that is missing keeps its counts.
    mesh.change(1, |page| page.is_down = true);
    assert_eq!(judge(), 318);
    mesh.change(1, |page| {
        page.is_down = false;
        page.arms = [[81, 0], [9, 0]];
    });
    assert_eq!(judge(), 320);
    // Without the state, only what the proxies have now.
    assert_eq!(
        compared(&mesh.judge("--json").is(3, "not_enough_data")),
        110
    );
}

#[test]
fn from_now_counts_only_what_comes_later() {
    let mesh = Mesh::of([Page::of(REGRESSED), Page::of([[1, 0], [1, 0]])]);
    mesh.judge("--json").is(1, "regressed");
    let baseline = mesh
        .judge("--state s.json --from-now --json")
        .is(3, "not_enough_data");
    assert_eq!(compared(&baseline), 0);
    mesh.change(0, |page| {
        page.arms = [[9_090, 9], [1_010, 100]];
        page.uptime = 1_010;
    });
    let later = mesh.judge("--state s.json --json").is(3, "not_enough_data");
    assert_eq!(compared(&later), 100);
    judge(mesh.folder.path(), "--admin 127.0.0.1:1 --from-now").is_refused("--state");
}

/// The counters continue when a guard is re-armed, so they include requests of an earlier v2 that was worse.
#[test]
fn counts_from_before_a_rearm_are_not_a_regression() {
    let mesh = Mesh::of([Page::of(REGRESSED), Page::of(FEW)]);
    let set = |state, evidence_milli| {
        mesh.change(0, |page| {
            page.state = Some(state);
            page.evidence_milli = Some(evidence_milli);
        });
    };
    set(2, 60_000);
    mesh.judge("--json").is(1, "regressed");
    set(1, 0);
    mesh.judge("--json").is(1, "regressed");
    set(0, 0);
    let rearmed = mesh.judge("--json").is(4, "invalid");
    assert_eq!(reasons(&rearmed), ["rearmed"]);
    let text = rearmed["reasons"][0]["text"].as_str().expect("a text");
    assert!(text.contains("--state FILE --from-now"), "{text}");
    // The same with a saved page.
    let page = mesh.proxies[0].1.lock().expect("no panic").stats();
    fs::write(mesh.folder.path().join("page.txt"), page).expect("a file");
    fs::write(mesh.folder.path().join("policy.json"), POLICY).expect("a file");
    let saved = "--metrics page.txt --policy policy.json --json";
    let saved = judge(mesh.folder.path(), saved).is(4, "invalid");
    assert_eq!(reasons(&saved), ["rearmed"]);
    // A page in two files counts once.
    fs::copy(
        mesh.folder.path().join("page.txt"),
        mesh.folder.path().join("copy.txt"),
    )
    .expect("a file");
    let twice = "--metrics page.txt --metrics copy.txt --json";
    let twice = judge(mesh.folder.path(), twice).is(1, "regressed");
    assert_eq!(reasons(&twice), ["strong_evidence", "missing_proxies"]);
    assert_eq!(twice["strata"][0]["v2"]["all"], REGRESSED[1][0]);
    // What the reason proposes.
    let state = "--state state.json --json";
    mesh.judge(&format!("{state} --from-now"))
        .is(3, "not_enough_data");
    let arms = [0, 1]
        .map(|arm: usize| [0, 1].map(|what: usize| REGRESSED[arm][what] + HEALTHY[arm][what]));
    mesh.change(0, |page| page.arms = arms);
    mesh.judge(state).is(0, "healthy");
}

#[test]
fn a_state_with_counts_of_an_earlier_definition_is_invalid_until_it_starts_over() {
    let mesh = Mesh::of([Page::of(HEALTHY)]);
    let state = "--state state.json --json";
    mesh.judge(state).is(0, "healthy");
    // Another revision in which the rollout is the same.
    mesh.change(0, |page| page.revision = "r8");
    mesh.judge(state).is(0, "healthy");
    mesh.change(0, |page| page.guard = r#"{ "settle_seconds": 21 }"#);
    for _ in 0..2 {
        let changed = mesh.judge(state).is(4, "invalid");
        assert_eq!(reasons(&changed), ["changed"]);
    }
    mesh.judge(&format!("{state} --from-now"))
        .is(3, "not_enough_data");
    mesh.change(0, |page| {
        page.arms = HEALTHY.map(|arm| arm.map(|count| 2 * count));
    });
    mesh.judge(state).is(0, "healthy");
}

#[test]
fn counts_do_not_say_how_long_the_missing_requests_take() {
    let needed = judge_counts(&lines("chat", FEW), "--json").is(3, "not_enough_data");
    assert!(needed["needed"]["v2_requests"].as_u64() > Some(6_000));
    assert_eq!(needed["needed"]["seconds"], Value::Null);
    let text = judge_counts(&lines("chat", FEW), "").output;
    assert!(text.contains("if the rates stay what they are\n"), "{text}");
}

#[test]
fn a_damaged_state_is_an_error_and_stays() {
    let mesh = Mesh::of([Page::of(FEW)]);
    let path = mesh.folder.path().join("s.json");
    for (damaged, what) in [
        ("", "it is empty"),
        ("{", "EOF"),
        (
            r#"{"version":9,"since":"proxies_started","proxies":{}}"#,
            "expected version 1, found 9",
        ),
        (
            r#"{"version":1,"since":"\u001b[2J","proxies":{}}"#,
            r"\u{1b}[2J",
        ),
    ] {
        fs::write(&path, damaged).expect("a file");
        let run = mesh.judge("--state s.json");
        run.is_refused("s.json is not a state file of `turnout judge`");
        run.is_refused(what);
        assert_eq!(fs::read_to_string(&path).expect("the file"), damaged);
    }
    mesh.judge("--state -")
        .is_refused("write the name of a file");
    mesh.judge("--state none/s.json")
        .is_refused("cannot write none/s.json");
}

#[test]
fn rollouts_without_a_guard_are_refused() {
    let with_policy = |options: &str| {
        judge_counts(
            &lines("chat", FEW),
            &format!("--policy policy.json {options}"),
        )
    };
    with_policy("--rollout chta").is_refused("did you mean `chat`?");
    with_policy("--rollout calls").is_refused("the rollout `calls` has no guard");
    judge_counts(&lines("chat", FEW), "--rollout chta")
        .is_refused("there are no counts of a rollout `chta`; did you mean `chat`?");
    judge_counts(&lines("calls", FEW), "--policy policy.json")
        .is_refused("counts.jsonl:1: `rollout`: the policy has no guarded rollout `calls`");
    let folder = tempfile::tempdir().expect("a folder");
    let unguarded = POLICY.replace(r#", "guard": {}"#, "");
    fs::write(folder.path().join("policy.json"), unguarded).expect("a policy");
    fs::write(folder.path().join("m.txt"), "up 1\n").expect("a file");
    judge(folder.path(), "--metrics m.txt --policy policy.json")
        .is_refused("no rollout of the policy has a guard");
    judge(folder.path(), "--metrics m.txt").is_refused("found no counts of a guard");
}

#[test]
fn an_error_in_a_file_has_its_line() {
    let line = lines("chat", FEW)
        .lines()
        .next()
        .expect("a line")
        .to_owned();
    let bad = format!(
        "{line}\n{}\n",
        line.replace("\"errors\":0", "\"errors\":91")
    );
    judge_counts(&bad, "")
        .is_refused("turnout: counts.jsonl:2: `errors` is 91, but `all` is only 90");
    judge_counts("", "").is_refused("counts.jsonl: the file has no counts");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("m.txt"),
        "up 1\nturnout_guard_state{rollout=\"chat\"} x\n",
    )
    .expect("a file");
    judge(folder.path(), "--metrics m.txt")
        .is_refused("turnout: m.txt:2: `turnout_guard_state`: expected a whole number");
    judge(folder.path(), "--metrics m.txt --metrics m.txt").is_refused("is named twice");
    judge(folder.path(), "--counts none").is_refused("cannot read none");
}

#[test]
fn the_counts_have_one_source() {
    let folder = tempfile::tempdir().expect("a folder");
    judge(folder.path(), "").is_refused("--admin");
    judge(folder.path(), "--counts a --metrics b").is_refused("cannot be used with");
    judge(folder.path(), "--counts a --state s.json").is_refused("cannot be used with");
    judge(folder.path(), "--admin 127.0.0.1").is_refused("the port is missing");
    judge(folder.path(), "--admin 127.0.0.1:1 --admin localhost:1")
        .is_refused("are the same address");
    for excess in ["0", "-1", "x", "101"] {
        judge(folder.path(), &format!("--counts a --excess={excess}"))
            .is_refused("expected a percentage above 0");
    }
}
