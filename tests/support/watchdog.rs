//! Kills a process of a test that is killed itself.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A test that is killed, or stopped by Ctrl-C, drops nothing. A watchdog then kills the process and removes its folder:
/// the input of the watchdog ends with this process.
#[derive(Debug)]
pub struct Watchdog(Child);

impl Watchdog {
    /// Watches over a process.
    #[must_use]
    pub fn start(process: u32, folder: &Path) -> Self {
        let child = Command::new("sh")
            .args([
                "-c",
                "read -r _ || { kill -KILL \"$1\"; rm -rf -- \"$2\"; }",
                "sh",
            ])
            .arg(process.to_string())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Otherwise Ctrl-C would stop it too.
            .process_group(0)
            .spawn();
        Self(child.expect("a shell"))
    }

    /// Ends the watch, before the process ends and another process can have its id.
    pub fn stop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
