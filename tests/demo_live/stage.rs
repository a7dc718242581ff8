//! What the demo runs on: two upstreams, an Envoy that watches a folder, and the command that changes
//! what is in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use harness::cli;
use harness::envoy::{Bootstrap, Envoy, file};
use harness::render::discovered;
use harness::scripted::{Answer, Scripted};
use harness::wasm::filter_wasm;
use serde_json::{Value, json};
use turnout_core::{Configuration, Inbound};

use crate::check::Reign;
use crate::steps::{Action, BEFORE, Policy, STEPS, Step, plan};

/// What lint warns of, and is meant: segments that are not asked for yet, and no step with copies.
const ALLOWED: [&str; 4] = ["--allow", "unused-segment", "--allow", "skipped-mode"];

/// Everything that runs. Dropped, nothing is left behind.
pub(crate) struct Stage {
    // Before the upstreams, that it does not miss them.
    pub(crate) envoy: Envoy,
    pub(crate) v1: Scripted,
    pub(crate) v2: Scripted,
    /// How many of a thousand answers of v2 are 500.
    failing: Arc<AtomicU64>,
    /// The policy that a halt is of.
    last: Policy,
    pub(crate) reigns: Vec<Reign>,
}

/// A command that was run: as it is typed, and what it said.
pub(crate) struct Ran {
    pub(crate) typed: String,
    pub(crate) said: String,
    /// When it was about to be started.
    pub(crate) started: Instant,
}

impl Stage {
    pub(crate) async fn start() -> Result<Self, String> {
        let failing = Arc::new(AtomicU64::new(0));
        let v1 = Scripted::start(|_| answer("v1"));
        let v2 = Scripted::start({
            let (failing, asked) = (Arc::clone(&failing), AtomicU64::new(0));
            move |_| {
                // Spread evenly, the same in every run.
                let place = asked.fetch_add(1, Ordering::Relaxed) * 7 % 1_000;
                match place < failing.load(Ordering::Relaxed) {
                    true => answer("v2").status(500),
                    false => answer("v2"),
                }
            }
        });
        let document = BEFORE.document()?;
        let configuration = Configuration::to_json(&document.to_string(), Inbound::Strip);
        let filter = discovered(&configuration);
        let bootstrap = Bootstrap::live(file("live-policy.yaml"), filter, &v1, &v2);
        let mut stage = Self {
            envoy: Envoy::start(bootstrap.tell_decision()).await,
            v1,
            v2,
            failing,
            last: BEFORE,
            reigns: Vec::new(),
        };
        stage.begin(BEFORE.revision, &document, Instant::now())?;
        Ok(stage)
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.envoy.admin().address())
    }

    /// Does what a step says; a command is shown, and has to succeed.
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
                // In Envoy's own folder, which is removed however the demo ends.
                let file = self.envoy.watched().with_file_name(name);
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

    /// What `turnout log` says.
    pub(crate) async fn log(&self) -> Result<Ran, String> {
        self.run(&["log"], "log --dir FOLDER").await
    }

    /// Changes the policy, and waits until Envoy says that it runs it.
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
        let folder = self.envoy.watched().display().to_string();
        let mut all: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        all.extend(["--dir".to_owned(), folder.clone()]);
        let started = Instant::now();
        let run = tokio::task::spawn_blocking(move || {
            cli::run(&all.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let run = run.await.map_err(|error| error.to_string())?;
        let said = [run.output.trim_end(), run.error.trim_end()].join("\n");
        let said = said.trim().replace(&folder, "FOLDER");
        match run.code {
            Some(0) => Ok(Ran {
                typed: format!("turnout {typed}"),
                said,
                started,
            }),
            code => Err(format!("turnout {typed} ended with {code:?}:\n{said}")),
        }
    }

    /// A policy was put in force, from when its command was started; the one before is in force no more.
    fn begin(&mut self, revision: &str, document: &Value, from: Instant) -> Result<(), String> {
        if let Some(before) = self.reigns.last_mut() {
            before.until = Some(Instant::now());
        }
        self.reigns.push(Reign {
            revision: revision.to_owned(),
            plan: plan(document)?,
            from,
            until: None,
        });
        Ok(())
    }
}

fn answer(version: &str) -> Answer {
    Answer::json(&json!({ "version": version })).header("x-version", version)
}
