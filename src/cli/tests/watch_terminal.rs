//! `turnout watch` on a terminal that closes, shrinks or is not read, and how signals end it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The time within which the command has to end.
const LONGEST: Duration = Duration::from_secs(5);

/// A command that is killed at the end of the test.
struct Watching {
    child: Child,
    master: Option<OwnedFd>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminal() -> (OwnedFd, File) {
    let master =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&master).expect("its other end");
    unlockpt(&master).expect("its other end");
    let name = ptsname(&master, Vec::new()).expect("its name");
    let name = name.into_string().expect("UTF-8");
    let slave = OpenOptions::new().read(true).write(true).open(name);
    (master, slave.expect("its other end"))
}

/// `turnout watch` on its controlling terminal (`setsid --ctty`), or on one that sends it no SIGHUP.
fn watch(is_its_own: bool) -> Watching {
    let (master, slave) = terminal();
    tcsetwinsize(
        &master,
        Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
    .expect("a size");
    let turnout = env!("CARGO_BIN_EXE_turnout");
    let mut command = match is_its_own {
        true => Command::new("setsid"),
        false => Command::new(turnout),
    };
    if is_its_own {
        command.args(["--ctty", turnout]);
    }
    let child = command
        .args(["watch", "--admin", "http://127.0.0.1:1"])
        .stdin(slave.try_clone().expect("a copy"))
        .stdout(slave.try_clone().expect("a copy"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    thread::sleep(Duration::from_millis(700));
    let master = Some(master);
    Watching { child, master }
}

impl Watching {
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("a signal");
    }

    fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it runs on");
    }
}

#[test]
fn watch_ends_when_its_terminal_closes() {
    for is_its_own in [true, false] {
        let mut watching = watch(is_its_own);
        assert_eq!(watching.child.try_wait().expect("a status"), None);
        watching.master = None;
        assert_eq!(watching.ended().signal(), Some(1), "{is_its_own}");
    }
}

#[test]
fn signals_end_watch_like_any_command() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut watching = watch(true);
        watching.signal(signal);
        assert_eq!(watching.ended().signal(), Some(signal.as_raw()));
    }
}

#[test]
fn watch_continues_on_a_terminal_of_one_cell() {
    let mut watching = watch(true);
    let size = Winsize {
        ws_row: 1,
        ws_col: 1,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(watching.master.as_ref().expect("a terminal"), size).expect("a size");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(watching.child.try_wait().expect("a status"), None);
    watching.signal(Signal::TERM);
    assert_eq!(watching.ended().signal(), Some(15));
}

/// The command notices it between two polls.
#[test]
fn watch_ends_when_its_output_pipe_closes() {
    for format in [&[][..], &["--json"]] {
        let child = Command::new(env!("CARGO_BIN_EXE_turnout"))
            .args(["watch", "--admin", "http://127.0.0.1:1", "--interval", "2s"])
            .args(format)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut watching = Watching {
            child,
            master: None,
        };
        drop(watching.child.stdout.take());
        assert_eq!(watching.ended().code(), Some(0), "{format:?}");
    }
}
