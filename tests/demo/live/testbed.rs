//! The testbed of the demo, and the command `turnout` that changes the policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::check::ActivePolicy;
use crate::steps::{Action, BEFORE, Policy, STEPS, Step, plan};
use serde_json::{Value, json};
use support::scripted_upstream::{Response, Scripted};
use support::wasm::filter_wasm;
use support::{cli, demo};

/// Lint warnings that the demo accepts: it does not use every segment from the start, and it has no step in
/// mode `shadow`.
const ALLOWED: [&str; 4] = ["--allow", "unused-segment", "--allow", "skipped-mode"];

/// Everything that the demo starts. Dropping it stops all of it.
pub(crate) struct Testbed {
    pub(crate) proxy: demo::Testbed<Scripted>,
    /// How many of a thousand responses of v2 have status 500.
    failing: Arc<AtomicU64>,
    /// The policy that a halt changes.
    last: Policy,
    pub(crate) active_policies: Vec<ActivePolicy>,
}

/// A command that was run.
pub(crate) struct Ran {
    /// As a user would type it.
    pub(crate) typed: String,
    pub(crate) output: String,
    /// Just before the command started.
    pub(crate) started: Instant,
}

impl Testbed {
    pub(crate) async fn start() -> Result<Self, String> {
        let failing = Arc::new(AtomicU64::new(0));
        let v1 = Scripted::start(|_| response("v1"));
        let v2 = Scripted::start({
            let (failing, requests) = (Arc::clone(&failing), AtomicU64::new(0));
            move |_| {
                // The failures are spread evenly and are the same in every run.
                let place = requests.fetch_add(1, Ordering::Relaxed) * 7 % 1_000;
                match place < failing.load(Ordering::Relaxed) {
                    true => response("v2").status(500),
                    false => response("v2"),
                }
            }
        });
        let document = BEFORE.document()?;
        let policy = document.to_string();
        let proxy = demo::Testbed::start(v1, v2, &policy, |bootstrap| bootstrap.expose_decision());
        let mut testbed = Self {
            proxy: proxy.await,
            failing,
            last: BEFORE,
            active_policies: Vec::new(),
        };
        testbed.begin(BEFORE.revision, &document, Instant::now())?;
        Ok(testbed)
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.proxy.admin())
    }

    /// Carries out the action of a step. Returns the command, if the action is one.
    ///
    /// # Errors
    /// When the command fails.
    pub(crate) async fn act(&mut self, step: &Step) -> Result<Option<Ran>, String> {
        let why = ["--who", "demo", "--why", step.title];
        match &step.action {
            Action::FailV2(thousandths) => {
                self.failing.store(*thousandths, Ordering::Relaxed);
                Ok(None)
            }
            Action::Apply(policy) => {
                let document = policy.document()?;
                let name = format!("{}.json", policy.revision);
                // Envoy's own folder is removed however the demo ends.
                let file = self.proxy.envoy.watched().with_file_name(name);
                std::fs::write(&file, document.to_string())
                    .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
                let file = file.display().to_string();
                let filter = filter_wasm().display().to_string();
                let arguments = [&["apply", &file, "--wasm", &filter][..], &ALLOWED, &why].concat();
                let ran = self.change(&arguments).await?;
                self.last = *policy;
                self.begin(policy.revision, &document, ran.started)?;
                Ok(Some(ran))
            }
            Action::Halt => {
                let ran = self.change(&[&["halt"][..], &why].concat()).await?;
                let mut document = self.last.document()?;
                document["halted"] = json!(true);
                let revision = format!("{}-halted", self.last.revision);
                self.begin(&revision, &document, ran.started)?;
                Ok(Some(ran))
            }
            Action::Rollback(revision) => {
                let ran = self
                    .change(&[&["rollback", "--resume"][..], &why].concat())
                    .await?;
                let known = STEPS.iter().find_map(|step| match &step.action {
                    Action::Apply(policy) if policy.revision == *revision => Some(*policy),
                    _ => None,
                });
                let policy = known.ok_or_else(|| format!("no policy {revision}"))?;
                self.last = policy;
                self.begin(revision, &policy.document()?, ran.started)?;
                Ok(Some(ran))
            }
        }
    }

    /// Runs `turnout log`.
    pub(crate) async fn log(&self) -> Result<Ran, String> {
        self.run(&["log"], "log --dir FOLDER").await
    }

    /// Changes the policy and waits until Envoy reports that it is active.
    async fn change(&self, arguments: &[&str]) -> Result<Ran, String> {
        let name = arguments.first().copied().unwrap_or_default();
        let file = arguments.get(1).filter(|_| name == "apply");
        let file = file.and_then(|file| file.rsplit('/').next());
        let file = file.map_or_else(String::new, |file| format!(" {file}"));
        let resume = match arguments.contains(&"--resume") {
            true => " --resume",
            false => "",
        };
        let admin = self.admin();
        let typed = format!("{name}{file}{resume} --dir FOLDER --admin {admin}");
        self.run(&[arguments, &["--admin", &admin]].concat(), &typed)
            .await
    }

    async fn run(&self, arguments: &[&str], typed: &str) -> Result<Ran, String> {
        let folder = self.proxy.envoy.watched().display().to_string();
        let mut all: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        all.extend(["--dir".to_owned(), folder.clone()]);
        let started = Instant::now();
        let run = tokio::task::spawn_blocking(move || {
            cli::run(&all.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let run = run.await.map_err(|error| error.to_string())?;
        let output = [run.output.trim_end(), run.error.trim_end()].join("\n");
        let output = output.trim().replace(&folder, "FOLDER");
        match run.code {
            Some(0) => Ok(Ran {
                typed: format!("turnout {typed}"),
                output,
                started,
            }),
            code => Err(format!("turnout {typed} exited with {code:?}:\n{output}")),
        }
    }

    /// Records that a policy is active from a time on, and the one before no longer is.
    fn begin(&mut self, revision: &str, document: &Value, from: Instant) -> Result<(), String> {
        if let Some(before) = self.active_policies.last_mut() {
            before.until = Some(Instant::now());
        }
        self.active_policies.push(ActivePolicy {
            revision: revision.to_owned(),
            plan: plan(document)?,
            from,
            until: None,
        });
        Ok(())
    }
}

fn response(version: &str) -> Response {
    Response::json(&json!({ "version": version })).header("x-version", version)
}
