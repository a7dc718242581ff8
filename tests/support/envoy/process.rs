//! The Envoy process.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::envoy::bootstrap::{Bootstrap, HotRestart};
use crate::process_output::Lines;
use crate::watchdog::Watchdog;

/// A running Envoy. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    watchdog: Watchdog,
    /// Standard output: the access log.
    pub(super) output: Lines,
    /// Standard error: Envoy's own log.
    pub(super) log: Lines,
}

impl Process {
    pub(super) fn start(
        bootstrap: &Bootstrap,
        configuration: &Path,
        admin: &Path,
        folder: &Path,
    ) -> Self {
        let binary = binary(&bootstrap.version);
        let mut child = Command::new(&binary)
            .arg("--config-path")
            .arg(configuration)
            .arg("--admin-address-path")
            .arg(admin)
            .args(["--concurrency", &bootstrap.concurrency.to_string()])
            .args(["--log-level", bootstrap.log_level])
            .args(["--file-flush-interval-msec", "50"])
            .args(restart(bootstrap))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is meant for the test. The watchdog then stops Envoy.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()));
        Self {
            watchdog: Watchdog::start(child.id(), folder),
            output: Lines::of(child.stdout.take().expect("a pipe")),
            log: Lines::of(child.stderr.take().expect("a pipe")),
            child,
        }
    }

    /// The exit status, if the process has exited.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog first: until the child is waited for, no other process can have its id.
        self.watchdog.stop();
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.output.finish();
        self.log.finish();
    }
}

/// The options for hot restarts.
fn restart(bootstrap: &Bootstrap) -> Vec<String> {
    let Some(HotRestart { base, epoch }) = bootstrap.hot_restart else {
        // Otherwise several processes would share a segment of memory and leave it behind.
        return vec!["--disable-hot-restart".to_owned()];
    };
    // The successor asks for the counters every five seconds, and must ask once more after the last request.
    let arguments = format!(
        "--base-id {base} --restart-epoch {epoch} --drain-time-s 1 --drain-strategy immediate \
         --parent-shutdown-time-s 8"
    );
    arguments.split(' ').map(str::to_owned).collect()
}

/// `ENVOY`, or the binary that `make envoy` has fetched. A missing binary is an error, never a skipped test.
fn binary(version: &str) -> PathBuf {
    if let Some(own) = std::env::var_os("ENVOY").filter(|own| !own.is_empty()) {
        return own.into();
    }
    let binary = super::repository()
        .join(".envoy")
        .join(version)
        .join("envoy");
    assert!(
        binary.is_file(),
        "there is no {}: run `make envoy`, or name an Envoy of your own in ENVOY",
        binary.display()
    );
    binary
}
