//! Runs `turnout roll` where it must not begin, must not wait for ever, or must not believe a command.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/admin.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod admin;
mod common;
#[path = "common/guarded_proxy.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod guarded_proxy;
#[path = "common/watched.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod watched;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use guarded_proxy::GuardedProxy;
use watched::Watched;

/// How long a roll in a test may take.
const LONGEST: Duration = Duration::from_secs(120);

/// A folder with an applied policy and a plan with the steps canary and half.
fn watched() -> Watched {
    let watched = Watched::new();
    policy(&watched, "r");
    watched.ends("apply r.json --dir d --wasm f.wasm", 0);
    let plan = json!({
        "version": 1, "policy": "r.json", "rollout": "chat",
        "steps": [
            { "name": "canary", "accounts": 1, "bake": { "requests": 8000 } },
            { "name": "half", "accounts": 50, "bake": { "requests": 10000 } },
        ],
    });
    watched.write("plan.json", &plan.to_string());
    watched
}

fn policy(watched: &Watched, revision: &str) {
    watched.policy(
        revision,
        r#"{"name": "chat", "v1": "one", "v2": "two", "mode": "split",
            "rules": [{"accounts": 0, "requests": 50}], "guard": {}}"#,
    );
}

fn start(watched: &Watched, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_turnout"))
        .current_dir(watched.0.path())
        .args(["roll", "plan.json", "--interval", "100ms"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_done() {
        assert!(began.elapsed() < LONGEST, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn state(watched: &Watched, folder: &str) -> Value {
    let text = fs::read(watched.0.path().join(folder).join("state.json"));
    text.map_or(Value::Null, |text| {
        serde_json::from_slice(&text).expect("JSON")
    })
}

#[test]
fn a_second_roll_with_a_state_of_its_own_is_refused() {
    let watched = watched();
    let proxy = GuardedProxy::watching(watched.filter());
    let admin = ["--dir", "d", "--admin", &proxy.address, "--state"];
    let text = fs::read_to_string(watched.0.path().join("plan.json")).expect("a plan");
    watched.write("plan.json", &text.replace("8000", "800000000"));
    let mut first = start(&watched, &[&admin[..], &["one"]].concat());
    wait_until("the first step", || watched.revision().contains("+roll."));
    for state in ["", " --state two", " --state d/roll"] {
        let line = format!("roll plan.json --dir d --admin {}{state}", proxy.address);
        let (_, error, code) = watched.output(&line);
        assert_eq!(code, Some(2), "{error}");
        let expected = format!("process {} is using d/roll; ", first.id());
        assert!(error.contains(&expected), "{error}");
    }
    first.kill().expect("it is killed");
    first.wait().expect("it ends");
    // The same folder, named in both ways.
    let line = format!(
        "roll plan.json --once --dir d --state d/roll --from canary --admin {}",
        proxy.address
    );
    watched.ends(&line, 3);
}

#[test]
fn a_plan_that_has_ended_does_not_begin_again_because_a_file_was_edited() {
    let watched = watched();
    let proxy = GuardedProxy::watching(watched.filter());
    let line = format!(
        "roll plan.json --dir d --interval 100ms --admin {}",
        proxy.address
    );
    watched.ends(&line, 0);
    let last = watched.revision();
    let text = fs::read_to_string(watched.0.path().join("r.json")).expect("a policy");
    watched.write("r.json", &text.replace("\"2\"", "\"3\""));
    let (_, error, code) = watched.output(&line);
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("that has ended (finished)") && error.contains("use --from STEP"),
        "{error}"
    );
    assert_eq!(watched.revision(), last);
    // A person applies the policy of the next release.
    policy(&watched, "r2");
    let text = fs::read_to_string(watched.0.path().join("plan.json")).expect("a plan");
    watched.write("plan.json", &text.replace("r.json", "r2.json"));
    watched.ends("apply r2.json --dir d", 0);
    watched.ends(&format!("{line} --once"), 3);
    assert!(watched.revision().starts_with("r2+roll.canary."));
}

#[test]
fn a_roll_whose_state_is_lost_does_not_go_back_to_the_first_step() {
    let watched = watched();
    let proxy = GuardedProxy::watching(watched.filter());
    let line = format!(
        "roll plan.json --dir d --interval 100ms --admin {}",
        proxy.address
    );
    watched.ends(&line, 0);
    let last = watched.revision();
    fs::remove_dir_all(watched.0.path().join("d/roll")).expect("it is removed");
    let (_, error, code) = watched.output(&line);
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("use --from half to continue there"),
        "{error}"
    );
    assert_eq!(watched.revision(), last);
    watched.ends(&format!("{line} --from half"), 0);
}

#[test]
fn a_command_that_leaves_a_process_behind_is_not_waited_for() {
    let watched = watched();
    let proxy = GuardedProxy::watching(watched.0.path().join("shipped.json"));
    let began = Instant::now();
    let ship =
        "sleep 100 & printf '{\"version_info\": \"%s\"}' \"$TURNOUT_REVISION\" > shipped.json";
    let arguments = [
        "--admin",
        &proxy.address,
        "--state",
        "s",
        "--apply-with",
        ship,
    ];
    let mut roll = start(&watched, &arguments);
    assert_eq!(roll.wait().expect("it ends").code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(90), "{began:?}");
}

#[test]
fn a_halt_that_was_shipped_is_over_when_the_proxies_run_it() {
    let watched = watched();
    let proxy = GuardedProxy::watching(watched.0.path().join("shipped.json"));
    // The halt is shipped, but does not arrive.
    let ship = "test $TURNOUT_ACTION = halt && exec touch halted-$TURNOUT_STEP; \
                printf '{\"version_info\": \"%s\"}' \"$TURNOUT_REVISION\" > shipped.json";
    let arguments = [
        "--admin",
        &proxy.address,
        "--state",
        "s",
        "--apply-with",
        ship,
    ];
    let mut roll = start(&watched, &arguments);
    wait_until("the first step", || {
        !state(&watched, "s")["roll"]["steps"][0]["began"].is_null()
    });
    proxy.make_v2_worse();
    wait_until("a wait", || {
        state(&watched, "s")["roll"]["waits_for"]["code"] == "rolling_back"
    });
    thread::sleep(Duration::from_millis(500));
    assert!(roll.try_wait().expect("a status").is_none());
    watched.write("shipped.json", "{\"version_info\": \"r+halted.chat\"}");
    assert_eq!(roll.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_step_that_a_failed_command_has_shipped_is_observed() {
    let watched = watched();
    let proxy = GuardedProxy::watching(watched.0.path().join("shipped.json"));
    let ship = "printf '{\"version_info\": \"%s\"}' \"$TURNOUT_REVISION\" > shipped.json; exit 1";
    let arguments = [
        "--admin",
        &proxy.address,
        "--state",
        "s",
        "--apply-with",
        ship,
    ];
    let began = Instant::now();
    let mut roll = start(&watched, &arguments);
    assert_eq!(roll.wait().expect("it ends").code(), Some(0));
    // It is not shipped again after a pause.
    assert!(began.elapsed() < Duration::from_secs(15), "{began:?}");
}

#[test]
fn the_message_of_an_apply_that_failed_shows_nothing_of_the_policy() {
    let watched = watched();
    let line = "roll plan.json --dir d --admin http://127.0.0.1:1 --once --json";
    let text = watched.ends(line, 3);
    assert!(
        text.contains("could not be applied, and is tried again: cannot read the routes of"),
        "{text}"
    );
    assert!(!text.contains("-->") && !text.contains("warning"), "{text}");
}
