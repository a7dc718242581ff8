//! `turnout watch` of a real Envoy: it shows what Envoy does.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::cli;
use support::envoy::Swap;

use crate::testbed::{Testbed, policy, request_of, strip};

/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `turnout watch --json`.
pub(crate) struct Watching {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watching {
    pub(crate) fn start(testbed: &Testbed) -> Self {
        let mut command = cli::turnout();
        let admin = testbed.envoy.admin().address().to_string();
        command.args(["watch", "--json", "--interval", "100ms", "--admin", &admin]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a command");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    /// The next view that satisfies a condition.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("a line");
            let view: Value = serde_json::from_str(&line).expect("JSON");
            if is_so(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "{what} does not come:\n{line}");
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn at<'a>(view: &'a Value, pointer: &str) -> &'a Value {
    view.pointer(pointer).unwrap_or(&Value::Null)
}

fn named(revision: &str, changes: &Value) -> Value {
    let mut policy = policy(changes);
    policy["revision"] = json!(revision);
    policy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_shows_what_envoy_does() {
    let quarter = named("first", &json!({ "rules": [{ "accounts": 25 }] }));
    let testbed = Testbed::live(&strip(&quarter), |bootstrap| bootstrap).await;
    let mut watching = Watching::start(&testbed);
    let accounts = "/rollouts/0/policies/0/served_accounts_millionths";
    let view = watching
        .until("the policy", |view| at(view, accounts) == 25_000_000)
        .await;
    assert_eq!(at(&view, "/proxies/0/revision"), "first");
    assert_eq!(at(&view, "/rollouts/0/since/requests"), 0, "{view}");

    let client = testbed.client();
    for number in 0..200 {
        let request = request_of(&format!("AC{number:032x}"));
        assert_eq!(client.send(request).await.status, 200);
    }
    let (v1, v2) = testbed.reached();
    let since = "/rollouts/0/since/requests";
    let view = watching
        .until("every request", |view| at(view, since) == 200)
        .await;
    assert_eq!(at(&view, "/rollouts/0/since/v1"), v1, "{view}");
    assert_eq!(at(&view, "/rollouts/0/since/v2"), v2, "{view}");
    assert!(v1 > 0 && v2 > 0);
    for (cluster, requests) in [(0, v1), (1, v2)] {
        let completed = format!("/rollouts/0/clusters/{cluster}/since/completed");
        assert_eq!(at(&view, &completed), requests, "{view}");
    }

    // The view shows the rejection, and the active policy stays.
    let refused = named("refused", &json!({ "mode": "onn" }));
    assert_eq!(testbed.swap(&strip(&refused)).await, Swap::Rejected);
    let view = watching
        .until("the refusal", |view| at(view, "/proxies/0/rejected") == 1)
        .await;
    assert_eq!(at(&view, "/proxies/0/rejected_while_watched"), 1);
    assert_eq!(at(&view, "/proxies/0/revision"), "first");
    assert_eq!(at(&view, accounts), 25_000_000);

    let mut halted = named("halted", &json!({ "mode": "on" }));
    halted["halted"] = json!(true);
    testbed.swap_policy(&halted).await;
    let view = watching
        .until("the halt", |view| {
            at(view, "/rollouts/0/policies/0/halted") == true
        })
        .await;
    assert_eq!(at(&view, accounts), 0);
    assert_eq!(at(&view, "/proxies/0/revision"), "halted");
}

/// A watch that starts after a rejection finds the rejected policy in Envoy's dump.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_policy_is_not_shown_as_active() {
    let testbed = Testbed::live(
        &strip(&named("good", &json!({ "mode": "on" }))),
        |bootstrap| bootstrap,
    )
    .await;
    let refused = named("refused", &json!({ "mode": "onn" }));
    assert_eq!(testbed.swap(&strip(&refused)).await, Swap::Rejected);
    let mut watching = Watching::start(&testbed);
    let view = watching
        .until("a view", |view| at(view, "/proxies/0/rejected") == 1)
        .await;
    assert_eq!(at(&view, "/proxies/0/revision"), "good", "{view}");
    assert_eq!(at(&view, "/rollouts/0/policies"), &json!([]));
    let note = at(&view, "/proxies/0/note").as_str().unwrap_or_default();
    assert!(note.contains("invalid policy"), "{view}");

    testbed
        .swap_policy(&named("next", &json!({ "mode": "on" })))
        .await;
    let view = watching
        .until("the next policy", |view| {
            at(view, "/proxies/0/revision") == "next"
        })
        .await;
    assert_eq!(at(&view, "/proxies/0/note"), &Value::Null);
}

/// The filter and its policy are in the bootstrap, and Envoy discovers nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_of_a_static_configuration_is_read() {
    let quarter = named("static", &json!({ "rules": [{ "accounts": 25 }] }));
    let testbed = Testbed::of("cluster-header.yaml", &strip(&quarter), |bootstrap| {
        bootstrap
    })
    .await;
    let mut watching = Watching::start(&testbed);
    let view = watching
        .until("a response", |view| at(view, "/proxies/0/responds") == true)
        .await;
    assert_eq!(at(&view, "/proxies/0/note"), &Value::Null, "{view}");
    assert_eq!(at(&view, "/proxies/0/error"), &Value::Null, "{view}");
    assert_eq!(at(&view, "/proxies/0/revision"), "static", "{view}");
    let accounts = "/rollouts/0/policies/0/served_accounts_millionths";
    assert_eq!(at(&view, accounts), 25_000_000, "{view}");

    let admin = testbed.envoy.admin().address().to_string();
    let once = ["watch", "--once", "--interval", "100ms", "--admin", &admin];
    let report = cli::turnout().args(once).output().expect("a command");
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("revision static"), "{report}");
    let said = report.replace(&admin, "");
    assert!(!said.contains("404") && !said.contains('!'), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_for_requests_is_not_an_admin_endpoint() {
    let policy = strip(&policy(&json!({})));
    let testbed = Testbed::of("cluster-header.yaml", &policy, |bootstrap| bootstrap).await;
    let address = testbed.envoy.address().to_string();
    let once = [
        "watch",
        "--once",
        "--interval",
        "100ms",
        "--admin",
        &address,
    ];
    let ended = cli::turnout().args(once).output().expect("a command");
    let report = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{report}");
    let sentence = format!("{address} is not an Envoy admin endpoint");
    let words: Vec<&str> = report.split_whitespace().collect();
    assert!(words.join(" ").contains(&sentence), "{report}");
}
