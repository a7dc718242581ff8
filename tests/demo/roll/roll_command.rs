//! Runs `turnout`, prints what `turnout roll` prints while it runs, and reads the state that it keeps.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::cli;
use support::demo::screen::wrap;
use support::terminal::show;

const POLL: Duration = Duration::from_millis(20);

/// What the roll keeps of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) revision: String,
    /// The last verdict; empty without one.
    pub(crate) verdict: String,
    /// The compared requests of v2 that the verdict is about.
    pub(crate) v2_requests: u64,
    /// The natural logarithm of the evidence that v2 is worse.
    pub(crate) log_evidence: f64,
}

/// A roll that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) at: Instant,
    /// In the order of the steps.
    pub(crate) records: Vec<Record>,
}

/// A running `turnout roll`. Dropping it kills the process.
pub(crate) struct Roll {
    child: Child,
    lines: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
}

impl Roll {
    pub(crate) fn start(arguments: &[String]) -> Result<Self, String> {
        let mut child = cli::turnout()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start turnout: {error}"))?;
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().map(|pipe| read(pipe, sender.clone()));
        let stderr = child.stderr.take().map(|pipe| read(pipe, sender));
        Ok(Self {
            child,
            lines,
            readers: stdout.into_iter().chain(stderr).collect(),
        })
    }

    /// Prints its lines until it ends, or until a line satisfies a condition. Returns its exit code if it has ended.
    pub(crate) async fn follow(
        &mut self,
        until: impl Fn(&str) -> bool,
    ) -> Result<Option<Option<i32>>, String> {
        loop {
            match self.lines.try_recv() {
                Ok(line) => {
                    show(&wrap(&line))?;
                    if until(&line) {
                        return Ok(None);
                    }
                }
                Err(TryRecvError::Empty) => tokio::time::sleep(POLL).await,
                // Both pipes are closed.
                Err(TryRecvError::Disconnected) => break,
            }
        }
        let ended = self.child.wait().map_err(|error| error.to_string())?;
        Ok(Some(ended.code()))
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Roll {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

fn read(pipe: impl Read + Send + 'static, lines: Sender<String>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if lines.send(line).is_err() {
                return;
            }
        }
    })
}

/// Runs another command to its end. Returns its output.
pub(crate) async fn run(arguments: Vec<String>) -> Result<String, String> {
    let typed = arguments.join(" ");
    let run = tokio::task::spawn_blocking(move || {
        cli::run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let run = run.await.map_err(|error| error.to_string())?;
    let output = [run.output.trim_end(), run.error.trim_end()].join("\n");
    match run.code {
        Some(0) => Ok(output.trim().to_owned()),
        code => Err(format!("turnout {typed} exited with {code:?}:\n{output}")),
    }
}

/// The records of all steps in the state of a roll.
pub(crate) fn records(folder: &Path) -> Result<Vec<Record>, String> {
    let file = folder.join("roll/state.json");
    let text = fs::read_to_string(&file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let state: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let steps = state.pointer("/roll/steps").and_then(Value::as_array);
    let steps = steps.ok_or("the state has no steps")?;
    let records = steps.iter().map(|step| {
        let at = |pointer: &str| step.pointer(pointer).cloned().unwrap_or_default();
        let text = |pointer: &str| at(pointer).as_str().unwrap_or_default().to_owned();
        Record {
            name: text("/name"),
            revision: text("/revision"),
            verdict: text("/judgment/verdict"),
            v2_requests: at("/judgment/v2_requests").as_u64().unwrap_or_default(),
            log_evidence: at("/judgment/log_evidence").as_f64().unwrap_or_default(),
        }
    });
    Ok(records.collect())
}
