//! Changes the policy of the proxies: with `turnout apply` and `turnout halt`, or with a command of the user.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use turnout_live::halted_policy;
use turnout_roll::EffectResult;
use turnout_text::{excerpt, join_first};

use super::Arguments;
use super::plan_of_roll::PlanOfRoll;

/// How long a command may take. A command that takes longer is ended.
const LONGEST: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(20);
/// How long the output of a command that has ended is read.
const LAST_OUTPUT: Duration = Duration::from_secs(1);
/// How much of a message is kept, in characters, and how much output is read, in bytes.
const LONGEST_MESSAGE: usize = 500;
const MOST_OUTPUT: u64 = 16 << 20;
/// The number of proxies or reasons that a sentence names.
const NAMED: usize = 3;

/// How the policy of the proxies is changed.
pub(super) enum PolicyChange {
    /// By this executable, in a folder.
    Turnout {
        executable: PathBuf,
        dir: PathBuf,
        /// The further arguments of every change.
        options: Vec<String>,
        has_admins: bool,
    },
    /// By a shell command.
    Shell(String),
}

impl PolicyChange {
    /// Prepares changes. The error is a sentence.
    pub(super) fn new(arguments: &Arguments) -> Result<Self, String> {
        if let Some(command) = &arguments.apply_with {
            return Ok(Self::Shell(command.clone()));
        }
        let cannot = |error| format!("cannot find the file of this command: {error}");
        let dir = arguments.dir.clone().unwrap_or_default();
        let mut options = vec!["--json".to_owned()];
        for admin in &arguments.admin {
            options.extend(["--admin".to_owned(), admin.clone()]);
        }
        if let Some(who) = &arguments.who {
            options.extend(["--who".to_owned(), who.clone()]);
        }
        Ok(Self::Turnout {
            executable: std::env::current_exe().map_err(cannot)?,
            dir: std::path::absolute(&dir).unwrap_or(dir),
            options,
            has_admins: !arguments.admin.is_empty(),
        })
    }

    /// Applies the policy of a step. If `is_return`, it is applied even if a proxy is not ready.
    pub(super) fn apply(
        &self,
        plan: &PlanOfRoll,
        arguments: &Arguments,
        step: usize,
        is_return: bool,
        why: &str,
    ) -> EffectResult {
        let Some(policy) = plan.policies.get(step) else {
            return EffectResult::Failed("the plan has no such step".into());
        };
        match self {
            Self::Shell(command) => {
                let revision = policy.revision.as_str();
                let shell = shell(command, "apply", &policy.name, revision, why, plan);
                shipped(&run(shell, &policy.policy_text))
            }
            Self::Turnout {
                executable,
                dir,
                options,
                has_admins,
            } => {
                let mut turnout = Command::new(executable);
                turnout.args(["apply", "-", "--why", why, "--dir"]).arg(dir);
                turnout.args(options);
                for root in arguments.account_files.roots() {
                    let root = std::path::absolute(root).unwrap_or_else(|_| root.clone());
                    turnout.arg("--accounts-root").arg(root);
                }
                if is_return && *has_admins {
                    turnout.arg("--unready-ok");
                }
                if !is_return {
                    let forbidden = plan.plan.forbidden.iter();
                    for forbidden in forbidden.filter(|forbidden| step < forbidden.until) {
                        turnout.args(["--forbid", &forbidden.segment]);
                    }
                }
                turnout.current_dir(&plan.policy_folder);
                applied(&run(turnout, &policy.policy_text))
            }
        }
    }

    /// Halts the rollout. `step` is the step whose policy is active.
    pub(super) fn halt(&self, plan: &PlanOfRoll, step: usize, why: &str) -> EffectResult {
        match self {
            Self::Shell(command) => {
                let policy = plan.policies.get(step);
                let halted = policy.and_then(|policy| {
                    let halted = halted_policy(&policy.policy_text, &plan.plan.rollout)?;
                    Some((policy, halted))
                });
                let Some((policy, (text, revision))) = halted else {
                    return EffectResult::Failed("the policy of the step cannot be halted".into());
                };
                let revision = revision.as_str();
                let shell = shell(command, "halt", &policy.name, revision, why, plan);
                shipped(&run(shell, &text))
            }
            Self::Turnout {
                executable,
                dir,
                options,
                ..
            } => {
                let mut turnout = Command::new(executable);
                turnout.args([
                    "halt",
                    "--rollout",
                    &plan.plan.rollout,
                    "--why",
                    why,
                    "--dir",
                ]);
                turnout.arg(dir).args(options);
                applied(&run(turnout, ""))
            }
        }
    }
}

fn shell(
    command: &str,
    action: &str,
    step: &str,
    revision: &str,
    why: &str,
    plan: &PlanOfRoll,
) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]);
    shell.env("TURNOUT_ACTION", action);
    shell.env("TURNOUT_STEP", step);
    shell.env("TURNOUT_ROLLOUT", &plan.plan.rollout);
    shell.env("TURNOUT_REVISION", revision);
    shell.env("TURNOUT_WHY", why);
    shell
}

/// Runs a command with this standard input, in a process group of its own. The error is a sentence.
fn run(mut command: Command, input: &str) -> Result<Output, String> {
    // Ctrl-C ends this command between two looks, and not the one that it runs.
    command.process_group(0);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run the command: {error}"))?;
    let (stdin, input) = (child.stdin.take(), input.to_owned());
    // A command that does not read its input is not waited for.
    thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
    let stdout = child.stdout.take().map(CapturedOutput::of);
    let stderr = child.stderr.take().map(CapturedOutput::of);
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < LONGEST => thread::sleep(POLL),
            Ok(None) => {
                end_group(&child);
                let _ = child.wait();
                let minutes = LONGEST.as_secs() / 60;
                return Err(format!(
                    "the command took longer than {minutes} min, and was ended"
                ));
            }
            Err(error) => return Err(format!("cannot wait for the command: {error}")),
        }
    };
    let read =
        |output: Option<CapturedOutput>| output.map(CapturedOutput::finish).unwrap_or_default();
    Ok(Output {
        status,
        stdout: read(stdout),
        stderr: read(stderr),
    })
}

/// Ends a command and everything that it has started: a push that hangs must not succeed after a rollback.
fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// What a command prints, while it runs.
struct CapturedOutput {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
}

impl CapturedOutput {
    fn of(source: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut source = source.take(MOST_OUTPUT);
            let mut part = [0; 8_192];
            while let Ok(read @ 1..) = source.read(&mut part) {
                let mut bytes = shared.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend(part.iter().take(read));
            }
        });
        Self { bytes, reader }
    }

    /// Returns what the command has printed. What it leaves in the background may keep the output open, and is not
    /// waited for.
    fn finish(self) -> Vec<u8> {
        let began = Instant::now();
        while !self.reader.is_finished() && began.elapsed() < LAST_OUTPUT {
            thread::sleep(POLL);
        }
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *bytes)
    }
}

/// The result of a command of the user.
fn shipped(output: &Result<Output, String>) -> EffectResult {
    match output {
        Ok(output) if output.status.success() => EffectResult::Shipped,
        Ok(output) => EffectResult::Failed(message(output)),
        Err(why) => EffectResult::Failed(why.clone()),
    }
}

/// The result of `turnout apply` or `turnout halt`.
fn applied(output: &Result<Output, String>) -> EffectResult {
    let output = match output {
        Ok(output) => output,
        Err(why) => return EffectResult::Failed(why.clone()),
    };
    if output.status.success() {
        return EffectResult::Done;
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let texts = |field: &str| -> Vec<String> {
        let texts = report.get(field).and_then(Value::as_array);
        let texts = texts.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let reasons = || match texts("reasons") {
        reasons if reasons.is_empty() => "Envoy's log has the reason".to_owned(),
        reasons => join_first(&reasons, NAMED),
    };
    let others = || join_first(&texts("not_confirmed"), NAMED);
    let is_restored = report.get("restored").is_some_and(Value::is_string);
    match report.get("outcome").and_then(Value::as_str) {
        Some("rejected") if is_restored => {
            EffectResult::Refused(format!("every proxy refused it: {}", reasons()))
        }
        Some("rejected" | "partially_applied") => {
            EffectResult::PartlyRefused(format!("{} refused it: {}", others(), reasons()))
        }
        Some("unconfirmed") => EffectResult::Unconfirmed(format!("not confirmed by {}", others())),
        Some("forbidden") => EffectResult::Failed(join_first(&texts("violations"), NAMED)),
        _ => EffectResult::Failed(sentences(output)),
    }
}

/// The sentences that `turnout apply` or `turnout halt` has printed. They are posted to webhooks, so the excerpts of the
/// policy in its warnings are left out: they may show accounts.
fn sentences(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let starting_with = |prefix: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        lines.map(str::to_owned).collect()
    };
    let mut sentences = starting_with("turnout: ");
    if sentences.is_empty() {
        sentences = starting_with("error: ");
    }
    match sentences.is_empty() {
        true => format!("it ended with {}", output.status),
        false => excerpt(&sentences.join("; "), LONGEST_MESSAGE).into_owned(),
    }
}

/// What a command of the user that failed has printed.
fn message(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix("turnout: ").unwrap_or(line))
        .collect();
    let lines = lines.join("; ");
    match lines.is_empty() {
        true => format!("it ended with {}", output.status),
        false => excerpt(&lines, LONGEST_MESSAGE).into_owned(),
    }
}
