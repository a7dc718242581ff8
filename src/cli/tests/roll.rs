//! Runs `turnout roll` with simulated proxies: to the end, back, from cron, with a command of the user, and after kills.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

#[path = "common/admin.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod admin;
mod common;
#[path = "common/guarded_proxy.rs"]
mod guarded_proxy;
#[path = "common/watched.rs"]
mod watched;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use guarded_proxy::GuardedProxy;
use watched::Watched;

/// How long a roll in a test may take.
const LONGEST: Duration = Duration::from_secs(120);

/// A folder with the policy `r`, applied, the plan `plan.json` with the steps canary, half and all, and a proxy.
fn watched() -> (Watched, GuardedProxy) {
    let watched = Watched::new();
    watched.policy(
        "r",
        r#"{"name": "chat", "v1": "one", "v2": "two", "mode": "split",
            "rules": [{"accounts": 0, "requests": 50}], "guard": {}}"#,
    );
    watched.ends("apply r.json --dir d --wasm f.wasm", 0);
    plan(&watched, &json!({}));
    let proxy = GuardedProxy::watching(watched.filter());
    (watched, proxy)
}

fn plan(watched: &Watched, more: &Value) {
    let mut plan = json!({
        "version": 1, "policy": "r.json", "rollout": "chat",
        "steps": [
            { "name": "canary", "accounts": 1, "bake": { "requests": 8000 } },
            { "name": "half", "accounts": 50, "bake": { "requests": 10000 } },
            { "name": "all", "accounts": 100, "requests": 100 },
        ],
    });
    let more = more.as_object().expect("fields").clone();
    plan.as_object_mut().expect("fields").extend(more);
    watched.write("plan.json", &plan.to_string());
}

fn line(proxy: &GuardedProxy) -> String {
    format!(
        "roll plan.json --dir d --admin {} --interval 100ms",
        proxy.address
    )
}

/// Starts a roll that runs by itself.
fn start(watched: &Watched, line: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_turnout"))
        .current_dir(watched.0.path())
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

fn events(output: &str) -> Vec<Value> {
    let lines = output.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// A webhook that keeps what it receives.
fn webhook() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let received = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&received);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let header = line.to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let text = body["text"].as_str().expect("a text").to_owned();
            shared.lock().expect("no panic").push(text);
            let mut stream = stream;
            let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.write_all(response).expect("written");
        }
    });
    (url, received)
}

fn steps_of_log(watched: &Watched) -> Vec<Value> {
    let log = watched.json("log --dir d", 0);
    log["roll"]["steps"].as_array().expect("steps").clone()
}

/// Whether all proxies have run a step, by the state in a folder.
fn has_begun(watched: &Watched, folder: &str, step: usize) -> bool {
    let text = fs::read(watched.0.path().join(folder).join("state.json"));
    let state: Value = text.map_or(Value::Null, |text| {
        serde_json::from_slice(&text).expect("JSON")
    });
    !state["roll"]["steps"][step]["began"].is_null()
}

fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_done() {
        assert!(began.elapsed() < LONGEST, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_good_v2_reaches_the_last_step_and_the_log_has_each_verdict() {
    let (watched, proxy) = watched();
    let output = watched.ends(&format!("{} --json --who me", line(&proxy)), 0);
    let events = events(&output);
    let codes: Vec<_> = events.iter().map(|event| event["event"].as_str()).collect();
    assert_eq!(codes.first(), Some(&Some("started")), "{output}");
    assert_eq!(codes.last(), Some(&Some("finished")), "{output}");
    let applied = codes.iter().filter(|code| **code == Some("applying"));
    assert_eq!(applied.count(), 3, "{output}");
    assert!(watched.revision().contains("+roll.all."));

    let log = watched.json("log --dir d", 0);
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 4);
    let why = entries[1]["why"].as_str().expect("a reason");
    assert!(
        why.starts_with("roll: step 2 of 3 (`half`); step 1 of 3 (`canary`) was HEALTHY after "),
        "{why}"
    );
    assert!(
        why.contains("evidence of health 10^2.") && entries[1]["who"] == "me",
        "{why}"
    );
    let roll = &log["roll"];
    assert_eq!(
        (&roll["rollout"], &roll["phase"]["outcome"]),
        (&json!("chat"), &json!("finished"))
    );
    let verdicts: Vec<_> = roll["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["judgment"]["verdict"].as_str())
        .collect();
    assert_eq!(verdicts, [Some("healthy"), Some("healthy"), None]);
    let text = watched.ends("log --dir d", 0);
    assert!(
        text.contains("roll of chat, begun ") && text.contains(": finished ("),
        "{text}"
    );

    // The same command has nothing left to do.
    let (output, error, code) = watched.output(&line(&proxy));
    assert_eq!((output.as_str(), code), ("", Some(0)));
    assert_eq!(
        error,
        "turnout: the plan is finished; to begin again, use --from STEP\n"
    );
}

#[test]
fn a_worse_v2_is_halted_or_taken_to_the_step_before() {
    for (action, ends_with) in [("halt", "+halted.chat"), ("previous_step", "+roll.canary.")] {
        let (watched, proxy) = watched();
        plan(&watched, &json!({ "on_regressed": action }));
        let mut roll = start(&watched, &line(&proxy));
        wait_until("the second step", || has_begun(&watched, "d/roll", 1));
        proxy.make_v2_worse();
        assert_eq!(roll.wait().expect("it ends").code(), Some(1));
        assert!(
            watched.revision().contains(ends_with),
            "{}",
            watched.revision()
        );
        let steps = steps_of_log(&watched);
        assert_eq!(steps[1]["judgment"]["verdict"], "regressed");
        let log = watched.json("log --dir d", 0);
        let why = log["entries"][0]["why"].as_str().expect("a reason");
        assert!(
            why.starts_with("roll: v2 is worse in step 2 of 3 (`half`): "),
            "{why}"
        );
        let (_, error, code) = watched.output(&line(&proxy));
        assert_eq!(code, Some(1));
        assert!(error.contains("to begin again, use --from STEP"), "{error}");
    }
}

#[test]
fn a_roll_that_is_killed_at_any_moment_continues_where_it_was() {
    let (watched, proxy) = watched();
    let mut kills = 0_u64;
    let began = Instant::now();
    let mut seen = Vec::new();
    loop {
        assert!(began.elapsed() < LONGEST, "it does not end");
        let mut roll = start(&watched, &line(&proxy));
        thread::sleep(Duration::from_millis(60 + kills * 37 % 400));
        if let Some(status) = roll.try_wait().expect("a status") {
            assert_eq!(status.code(), Some(0));
            break;
        }
        roll.kill().expect("it is killed");
        roll.wait().expect("it ends");
        kills += 1;
        let revision = watched.revision();
        if seen.last() != Some(&revision) {
            seen.push(revision);
        }
    }
    assert!(kills >= 3, "{kills}");
    // Each step was active once, in its order.
    let log = watched.json("log --dir d", 0);
    let entries = log["entries"].as_array().expect("entries");
    let revisions: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| entry["revision"].as_str())
        .collect();
    assert_eq!(revisions.len(), 4, "{log}");
    for (revision, part) in revisions.iter().skip(1).zip(["canary", "half", "all"]) {
        assert!(revision.expect("a revision").contains(part), "{log}");
    }
    for step in &steps_of_log(&watched)[..2] {
        assert_eq!(step["judgment"]["verdict"], "healthy");
    }
}

#[test]
fn a_second_roll_in_the_folder_is_refused_and_names_the_process_of_the_first() {
    let (watched, proxy) = watched();
    let other = GuardedProxy::watching(watched.filter());
    let slow = format!(
        "roll plan.json --dir d --admin {} --interval 60s",
        other.address
    );
    let mut first = start(&watched, &slow);
    wait_until("the first step", || watched.revision().contains("+roll."));
    let (_, error, code) = watched.output(&line(&proxy));
    assert_eq!(code, Some(2));
    let expected = format!(
        "turnout: turnout roll, process {} is using d/roll; ",
        first.id()
    );
    assert!(error.contains(&expected), "{error}");
    first.kill().expect("it is killed");
    first.wait().expect("it ends");
    watched.ends(&line(&proxy), 0);
}

#[test]
fn with_once_cron_reaches_the_end() {
    let (watched, proxy) = watched();
    let line = format!("{} --once", line(&proxy));
    let mut runs = 0;
    loop {
        let (output, error, code) = watched.output(&line);
        runs += 1;
        match code {
            Some(0) => break,
            Some(3) => assert!(runs < 60, "{output}{error}"),
            _ => panic!("{output}{error}"),
        }
    }
    assert!(runs > 6, "{runs}");
    assert!(watched.revision().contains("+roll.all."));
}

#[test]
fn a_command_of_the_user_ships_the_policies_and_the_halt() {
    let (watched, _) = watched();
    // The command writes the policy where the proxies read it, as something like git would.
    let ship = "#!/bin/sh\nset -e\necho \"$TURNOUT_ACTION $TURNOUT_STEP $TURNOUT_ROLLOUT $TURNOUT_WHY\" >> shipped.txt\n\
                cat > policy.json\nprintf '{\"version_info\": \"%s\"}' \"$TURNOUT_REVISION\" > next.json\n\
                mv next.json shipped.json\n";
    watched.write("ship.sh", ship);
    let proxy = GuardedProxy::watching(watched.0.path().join("shipped.json"));
    let line = format!(
        "roll plan.json --apply-with ./ship.sh --state s --admin {} --interval 100ms",
        proxy.address
    );
    let chmod = Command::new("chmod")
        .arg("+x")
        .arg(watched.0.path().join("ship.sh"))
        .status();
    assert!(chmod.expect("chmod").success());
    let mut roll = start(&watched, &line);
    let shipped = || fs::read_to_string(watched.0.path().join("shipped.txt")).unwrap_or_default();
    wait_until("the second step", || has_begun(&watched, "s", 1));
    proxy.make_v2_worse();
    assert_eq!(roll.wait().expect("it ends").code(), Some(1));
    assert!(
        shipped().contains("halt half chat roll: v2 is worse"),
        "{}",
        shipped()
    );
    assert_eq!(shipped().lines().count(), 3, "{}", shipped());
    let policy = fs::read(watched.0.path().join("policy.json")).expect("a policy");
    let policy: Value = serde_json::from_slice(&policy).expect("JSON");
    assert_eq!(policy["rollouts"][0]["halted"], true);
    // The folder of the proxies was not touched.
    assert_eq!(watched.revision(), "r");
}

#[test]
fn a_person_who_halts_is_waited_for() {
    let (watched, proxy) = watched();
    let mut roll = start(&watched, &line(&proxy));
    wait_until("the first step", || {
        watched.revision().contains("+roll.canary.")
    });
    watched.ends("halt --dir d --rollout chat --why lunch", 0);
    wait_until("a wait", || {
        watched.json("log --dir d", 0)["roll"]["waits_for"]["code"] == "halted"
    });
    let entries = |watched: &Watched| {
        watched.json("log --dir d", 0)["entries"]
            .as_array()
            .map(Vec::len)
    };
    let before = entries(&watched);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(entries(&watched), before);
    watched.ends("resume --dir d --rollout chat", 0);
    assert_eq!(roll.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_signal_ends_the_roll_between_two_looks() {
    let (watched, proxy) = watched();
    for signal in ["INT", "TERM"] {
        let line = line(&proxy).replace("100ms", "60s");
        let roll = Command::new(env!("CARGO_BIN_EXE_turnout"))
            .current_dir(watched.0.path())
            .args(line.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let id = roll.id().to_string();
        wait_until("the first step", || {
            watched.json("log --dir d", 0)["roll"] != Value::Null
        });
        thread::sleep(Duration::from_millis(500));
        let killed = Command::new("kill")
            .args([&format!("-{signal}"), &id])
            .status();
        assert!(killed.expect("kill").success());
        let output = roll.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(3));
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            error,
            "turnout: interrupted; the same command continues the plan where it is\n"
        );
    }
}

#[test]
fn another_plan_does_not_take_over_a_roll_that_is_under_way() {
    let (watched, proxy) = watched();
    watched.ends(&format!("{} --once", line(&proxy)), 3);
    let text = fs::read_to_string(watched.0.path().join("plan.json")).expect("a plan");
    // How long a step bakes may change.
    watched.write("plan.json", &text.replace("8000", "9000"));
    watched.ends(&format!("{} --once", line(&proxy)), 3);
    watched.write(
        "plan.json",
        &text.replace("\"accounts\":50", "\"accounts\":40"),
    );
    let (_, error, code) = watched.output(&line(&proxy));
    assert_eq!(code, Some(2));
    assert_eq!(
        error,
        "turnout: the plan or its policy has other steps than the roll of `chat` that is under way; use --from STEP to \
         continue with the new steps\n"
    );
    let (_, error, code) = watched.output(&format!("{} --from hlf", line(&proxy)));
    assert_eq!(code, Some(2));
    assert_eq!(
        error,
        "turnout: --from hlf: the plan has no such step; did you mean `half`?\n"
    );
    watched.ends(&format!("{} --from half", line(&proxy)), 0);
}

#[test]
fn a_plan_is_checked_and_its_schedule_is_printed_without_a_change() {
    let (watched, proxy) = watched();
    assert_eq!(watched.ends("roll plan.json --check", 0), "");
    watched.write("bad.json", "{}");
    watched.ends("roll bad.json --check", 2);
    let line = format!(
        "roll plan.json --dry-run --interval 1s --admin {}",
        proxy.address
    );
    let text = watched.ends(&line, 0);
    assert!(
        text.contains("rollout chat: ") && text.contains("all steps: "),
        "{text}"
    );
    let schedule = watched.json(&line, 0);
    assert_eq!(schedule["steps"].as_array().map(Vec::len), Some(3));
    assert_eq!(watched.revision(), "r");
    assert!(!watched.0.path().join("d/roll").exists());
}

#[test]
fn a_step_that_every_proxy_refuses_is_tried_again() {
    let (watched, proxy) = watched();
    proxy.refuse("+roll.half.");
    let mut roll = start(&watched, &line(&proxy));
    wait_until("a retry", || {
        watched.json("log --dir d", 0)["roll"]["waits_for"]["code"] == "retry"
    });
    assert!(
        watched.revision().contains("+roll.canary."),
        "{}",
        watched.revision()
    );
    roll.kill().expect("it is killed");
    roll.wait().expect("it ends");
}

#[test]
fn what_happens_is_posted_to_webhooks_and_a_dead_one_delays_nothing() {
    let (watched, proxy) = watched();
    let (url, received) = webhook();
    plan(&watched, &json!({ "notify": [url] }));
    let line = format!("{} --notify http://127.0.0.1:1/secret", line(&proxy));
    let began = Instant::now();
    let (_, error, code) = watched.output(&line);
    assert_eq!(code, Some(0), "{error}");
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    assert!(!error.contains("secret"), "{error}");
    assert!(error.contains("could not deliver"), "{error}");
    let texts = received.lock().expect("no panic").clone();
    assert_eq!(texts.len(), 5, "{texts:?}");
    let first = "turnout roll, chat: rollout `chat` begins its plan: canary, half, all";
    assert_eq!(texts.first().map(String::as_str), Some(first));
    assert_eq!(
        texts.last().map(String::as_str),
        Some("turnout roll, chat: all proxies run step 3 of 3 (`all`)")
    );
}

#[test]
fn a_rearmed_guard_does_not_make_a_step_another_policy() {
    let (watched, proxy) = watched();
    watched.ends("rearm --dir d --rollout chat", 0);
    watched.ends(&line(&proxy), 0);
    let revision = watched.revision();
    assert!(
        revision.contains("+roll.all.") && revision.ends_with("+rearmed.chat.1"),
        "{revision}"
    );
}
