//! `turnout roll` on a terminal: a bar for each step, and what it waits for.
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

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use guarded_proxy::GuardedProxy;
use watched::Watched;

/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn terminal() -> (OwnedFd, File) {
    let master =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&master).expect("its other end");
    unlockpt(&master).expect("its other end");
    let name = ptsname(&master, Vec::new()).expect("its name");
    let name = name.into_string().expect("UTF-8");
    let slave = OpenOptions::new().read(true).write(true).open(name);
    let size = Winsize {
        ws_row: 24,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).expect("a size");
    (master, slave.expect("its other end"))
}

#[test]
fn a_terminal_shows_a_bar_for_each_step_and_what_the_roll_waits_for() {
    let watched = Watched::new();
    watched.policy(
        "r",
        r#"{"name": "chat", "v1": "one", "v2": "two", "mode": "split",
            "rules": [{"accounts": 0, "requests": 50}], "guard": {}}"#,
    );
    watched.ends("apply r.json --dir d --wasm f.wasm", 0);
    watched.write(
        "plan.json",
        r#"{"version": 1, "policy": "r.json", "rollout": "chat", "steps": [
            {"name": "canary", "accounts": 1, "bake": {"requests": 8000}},
            {"name": "half", "accounts": 50, "bake": {"requests": 10000, "minutes": 60}},
            {"name": "all", "accounts": 100, "requests": 100}]}"#,
    );
    let proxy = GuardedProxy::watching(watched.filter());
    let (master, slave) = terminal();
    let mut child = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .current_dir(watched.0.path())
        .args(["roll", "plan.json", "--dir", "d", "--interval", "100ms"])
        .args(["--admin", &proxy.address])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(slave.try_clone().expect("a terminal"))
        .stderr(slave)
        .spawn()
        .expect("the command starts");
    let shown = Arc::new(Mutex::new(String::new()));
    let reader = Arc::clone(&shown);
    thread::spawn(move || {
        let mut master = File::from(master);
        let mut bytes = [0; 4_096];
        while let Ok(read @ 1..) = master.read(&mut bytes) {
            let text = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned();
            reader.lock().expect("no panic").push_str(&text);
        }
    });
    let began = Instant::now();
    let wanted = [
        "of 10,000 requests, 0 of 60 min",
        "all proxies run step 2 of 3 (`half`)",
        "HEALTHY: evidence of health 10^",
        "over",
    ];
    loop {
        let text = shown.lock().expect("no panic").clone();
        if wanted.iter().all(|words| text.contains(words)) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{text}");
        thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}
