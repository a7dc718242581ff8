//! The testbed of the demo: two upstreams that break on demand, an Envoy with a guarded rollout, and its metrics.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::scripted_upstream::{Received, Response, Scripted};
use support::{cli, demo};

use crate::check::Counts;
use crate::traffic::sid;

/// The name of the rollout.
pub(crate) const ROLLOUT: &str = "chat-messages";
/// The percentage of the requests that v2 gets.
pub(crate) const PERCENT: u32 = 5;
/// The number of workers of Envoy.
pub(crate) const WORKERS: u32 = 4;
/// How long the guard waits for slow failures. Longer than v1 takes to fail in the last step.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);
/// How long v1 takes to fail in the last step.
pub(crate) const V1_FAILS_AFTER: Duration = Duration::from_millis(250);

/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// The state of a guard, as its gauge has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Armed,
    Holding,
    Tripped,
    Invalid,
}

/// Everything that the demo starts. Dropping it stops all of it.
pub(crate) struct Testbed {
    pub(crate) proxy: demo::Testbed<Scripted>,
}

impl Testbed {
    pub(crate) async fn start() -> Self {
        let v1 = Scripted::start(|_| ok("v1"));
        let v2 = Scripted::start(|_| ok("v2"));
        let policy = policy().to_string();
        let proxy = demo::Testbed::start(v1, v2, &policy, |bootstrap| {
            let bootstrap = bootstrap.concurrency(WORKERS).expose_decision();
            bootstrap.keep_request_ids()
        });
        Self { proxy: proxy.await }
    }

    /// Both versions work from now on.
    pub(crate) fn heal(&self) {
        self.proxy.v1.respond_with(|_| ok("v1"));
        self.proxy.v2.respond_with(|_| ok("v2"));
    }

    /// v2 fails for each message with media from now on.
    pub(crate) fn break_media(&self) {
        self.break_v2(|received| {
            let body = &received.body;
            body.windows(7).any(|part| part == b"\"media\"")
        });
    }

    /// v2 fails for each request of one account from now on.
    pub(crate) fn break_account(&self, account: u64) {
        let sid = sid(account);
        self.break_v2(move |received| received.header("x-account-sid") == Some(&sid));
    }

    fn break_v2(&self, is_broken: impl Fn(&Received) -> bool + Send + Sync + 'static) {
        self.proxy
            .v2
            .respond_with(move |received| match is_broken(received) {
                true => ok("v2").status(500),
                false => ok("v2"),
            });
    }

    /// Both versions fail for each request from now on: v2 at once, v1 later.
    pub(crate) fn break_both(&self) {
        let v1 = ok("v1").status(500).after(V1_FAILS_AFTER);
        self.proxy.v1.respond_with(move |_| v1.clone());
        self.proxy.v2.respond_with(|_| ok("v2").status(500));
    }

    /// Re-arms the guard, and waits until it is armed. Returns the command as a user would type it, and its output.
    ///
    /// # Errors
    /// When the command fails.
    pub(crate) async fn rearm(&self, why: &str) -> Result<(String, String), String> {
        let folder = self.proxy.envoy.watched().display().to_string();
        let admin = format!("http://{}", self.proxy.admin());
        let typed = format!("turnout rearm --rollout {ROLLOUT} --dir FOLDER --admin {admin}");
        let arguments = [
            "rearm",
            "--rollout",
            ROLLOUT,
            "--dir",
            &folder,
            "--admin",
            &admin,
            "--who",
            "demo",
            "--why",
            why,
        ];
        let arguments = arguments.map(str::to_owned);
        let run =
            tokio::task::spawn_blocking(move || cli::run(&arguments.each_ref().map(|it| &it[..])));
        let run = run.await.map_err(|error| error.to_string())?;
        if run.code != Some(0) {
            let output = [run.output, run.error].concat();
            return Err(format!("{typed} exited with {:?}:\n{output}", run.code));
        }
        let output = run.output.replace(&folder, "FOLDER");
        self.wait_for(State::Armed).await?;
        Ok((typed, output))
    }

    /// Waits until the guard has a state. Returns when that was seen.
    ///
    /// # Errors
    /// When the guard does not get there.
    pub(crate) async fn wait_for(&self, state: State) -> Result<Instant, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let current = self.state().await?;
            if current == state {
                return Ok(Instant::now());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "the guard is {current:?}, and does not become {state:?}"
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) async fn state(&self) -> Result<State, String> {
        let name = format!("wasmcustom.turnout.guard_state.{ROLLOUT}");
        let stats = self.proxy.envoy.admin().stats(&format!("^{name}$")).await;
        match stats.get(&name) {
            Some(0) => Ok(State::Armed),
            Some(1) => Ok(State::Holding),
            Some(2) => Ok(State::Tripped),
            Some(3) => Ok(State::Invalid),
            other => Err(format!("the gauge {name} is {other:?}")),
        }
    }

    /// The guard's counters of settled requests.
    pub(crate) async fn counts(&self) -> Counts {
        let admin = self.proxy.envoy.admin();
        Counts::of(&admin.stats(r"^wasmcustom\.turnout\.guard\.").await)
    }

    /// What the guard has counted since `before`, once it has settled so many requests.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn settled(&self, before: Counts, requests: u64) -> Result<Counts, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = self.counts().await.since(before);
            if counts.v1.all + counts.v2.all >= requests {
                return Ok(counts);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{requests} requests, but the guard counted {counts:?}"
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The sentences of the guard in Envoy's log so far.
    pub(crate) async fn log(&self) -> Vec<String> {
        const BEGIN: &str = "guard of rollout";
        let lines = self.proxy.envoy.settled_log().await;
        let of_guard = lines
            .iter()
            .filter(|line| line.contains("turnout: guard of"));
        let sentence = |line: &String| {
            let begin = line.find(BEGIN).unwrap_or_default();
            line[begin..].to_owned()
        };
        of_guard.map(sentence).collect()
    }
}

/// The rollout's `guard`. Single accounts are tested too.
fn guard() -> Value {
    json!({ "settle_seconds": SETTLE.as_secs(), "accounts": {} })
}

fn policy() -> Value {
    json!({
        "version": 1,
        "revision": "demo",
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [{
            "name": ROLLOUT,
            "match": { "path": { "prefix": "/v1/" } },
            "v1": "channels-v1",
            "v2": "channels-v2",
            "mode": "split",
            "rules": [{ "accounts": 100, "requests": PERCENT }],
            "guard": guard(),
        }],
    })
}

fn ok(version: &str) -> Response {
    Response::json(&json!({ "version": version })).header("x-version", version)
}

impl Counts {
    /// Picks the counters of the rollout out of Envoy's statistics.
    pub(crate) fn of(stats: &BTreeMap<String, u64>) -> Self {
        let of = |arm: &str, kind: &str| {
            let name = format!("wasmcustom.turnout.guard.{ROLLOUT}.{PERCENT}.{arm}.{kind}");
            stats.get(&name).copied().unwrap_or_default()
        };
        let arm = |arm: &str| crate::check::Arm {
            all: of(arm, "all"),
            errors: of(arm, "errors"),
        };
        Self {
            v1: arm("v1"),
            v2: arm("v2"),
        }
    }
}
