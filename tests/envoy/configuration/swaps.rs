//! A hundred policy changes under a steady load: good and bad policies, broken files, halts and rollbacks. No
//! request is lost, and each is decided by a policy that was active.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::cli;
use support::envoy::{Bootstrap, Envoy, Swap, file};
use support::locust::{Load, Response};
use support::render::discovered;
use support::temp_folder::Folder;
use support::upstream::Upstream;
use turnout_core::{Headers, Inbound, Plan, Time, decide};

use crate::testbed::{policy, strip, traps};

const ROUNDS: usize = 10;
/// The number of users, with 10 requests per second each.
const USERS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_changes_under_load_lose_no_request() {
    let mut testbed = Testbed::start().await;
    let load = Load::start(testbed.envoy.address(), USERS);
    testbed.wait_for_requests(200).await;
    for round in 0..ROUNDS {
        testbed.round(round).await;
    }
    // Lets some requests run under the last policy.
    testbed.wait_for_requests(testbed.requests() + 200).await;
    let (responses, summary) = load.finish();

    assert_eq!((testbed.changes, testbed.refusals), (100, 50));
    let mut by_revision: BTreeMap<&str, usize> = BTreeMap::new();
    for response in &responses {
        testbed.check(response);
        let revision = response.revision.as_deref().unwrap_or_default();
        *by_revision.entry(revision).or_default() += 1;
    }
    println!(
        "{summary}\n{} requests by revision: {by_revision:?}",
        responses.len()
    );
    assert!(summary.contains("0(0.00%)"), "{summary}");
    assert!(by_revision.len() > 2 * ROUNDS, "{by_revision:?}");
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

/// A policy, and when it was active.
struct ActivePolicy {
    plan: Plan,
    /// Seconds since 1970: just before the policy was applied, and when its successor was certainly
    /// active.
    from: f64,
    until: f64,
}

struct Testbed {
    envoy: Envoy,
    v1: Upstream,
    v2: Upstream,
    folder: Folder,
    active_policies: Vec<ActivePolicy>,
    changes: usize,
    refusals: usize,
}

impl Testbed {
    async fn start() -> Self {
        let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
        let first = named("first", &json!({}));
        let bootstrap = Bootstrap::live(
            file("live-policy.yaml"),
            discovered(&strip(&first)),
            &v1,
            &v2,
        );
        let envoy = Envoy::start(bootstrap.expose_decision()).await;
        let mut testbed = Self {
            envoy,
            v1,
            v2,
            folder: Folder::new(),
            active_policies: Vec::new(),
            changes: 0,
            refusals: 0,
        };
        testbed.begin(&first, now());
        testbed
    }

    /// Ten changes, five of which are rejected.
    async fn round(&mut self, round: usize) {
        let halves = json!({ "rules": [{ "accounts": (round * 37) % 101 }] });
        let good = named(&format!("r{round}-split"), &halves);
        let mut on = named(&format!("r{round}-on"), &json!({ "mode": "on" }));
        if round.is_multiple_of(5) {
            // A policy of ten megabytes.
            let accounts: Vec<String> = (0..300_000).map(|n| format!("AC{n:032x}")).collect();
            on["segments"] = json!({ "large": { "accounts": accounts } });
        }

        self.apply(&good).await;
        self.refused_by_lint(&named("bad", &json!({ "mode": "onn" })));
        self.apply(&on).await;
        self.refused_by_envoy(&discovered(&strip(&named(
            &format!("bad-{round}"),
            &json!({ "mode": round }),
        ))))
        .await;
        self.halt(&on).await;
        let whole = discovered(&strip(&on));
        self.refused_by_envoy(&whole[..whole.len() / 2]).await;
        self.resume(&on).await;
        self.refused_by_envoy(&wrong_type(round)).await;
        self.rollback(&good).await;
        let ten_megabytes = json!({ "resources": "x".repeat(10 << 20) }).to_string();
        self.refused_by_envoy(&ten_megabytes).await;
    }
}

/// The commands, and changes of the file without the command.
impl Testbed {
    async fn apply(&mut self, policy: &Value) {
        let file = self.folder.replace_file("policy.json", &policy.to_string());
        let from = now();
        self.command(&["apply", &file.display().to_string()]);
        self.begin(policy, from);
    }

    async fn halt(&mut self, policy: &Value) {
        let from = now();
        self.command(&["halt"]);
        let mut halted = policy.clone();
        let revision = policy["revision"].as_str().expect("a revision");
        halted["revision"] = json!(format!("{revision}-halted"));
        halted["halted"] = json!(true);
        self.begin(&halted, from);
    }

    async fn resume(&mut self, policy: &Value) {
        let from = now();
        self.command(&["resume"]);
        self.begin(policy, from);
    }

    async fn rollback(&mut self, policy: &Value) {
        let from = now();
        self.command(&["rollback"]);
        self.begin(policy, from);
    }

    /// Runs a command, which must report that Envoy accepted the policy.
    fn command(&mut self, arguments: &[&str]) {
        let folder = self.envoy.watched().display().to_string();
        let admin = format!("http://{}", self.envoy.admin().address());
        let where_to = ["--dir", &folder, "--admin", &admin, "--timeout", "60"];
        let output = cli::run(&[arguments, &where_to].concat());
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
        assert!(
            output.output.contains(": accepted\n"),
            "{arguments:?}: {output:?}"
        );
        self.changes += 1;
    }

    /// A command must report an error, and nothing reaches Envoy.
    fn refused_by_lint(&mut self, policy: &Value) {
        let file = self.folder.replace_file("policy.json", &policy.to_string());
        let (file, folder) = (file.display().to_string(), self.envoy.watched());
        let before = read(&folder.join("filter.json"));
        let output = cli::run(&["apply", &file, "--dir", &folder.display().to_string()]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.error.contains("unknown mode `onn`"), "{output:?}");
        assert_eq!(read(&folder.join("filter.json")), before);
        self.changes += 1;
        self.refusals += 1;
    }

    /// Replaces the file by hand. The command must then restore its own.
    async fn refused_by_envoy(&mut self, file: &str) {
        assert_eq!(self.envoy.swap_filter(file).await, Swap::Rejected);
        self.changes += 1;
        self.refusals += 1;
    }

    /// From now on this policy may decide, and soon no other one does.
    fn begin(&mut self, policy: &Value, from: f64) {
        let confirmed = now();
        if let Some(before) = self.active_policies.last_mut() {
            before.until = confirmed;
        }
        self.active_policies.push(ActivePolicy {
            plan: Plan::from_json(&policy.to_string()).expect("a valid policy"),
            from,
            until: f64::INFINITY,
        });
    }

    /// Checks that the request got a response, from a policy that was active meanwhile and from the treatment that
    /// this policy decides.
    fn check(&self, response: &Response) {
        assert_eq!(
            (response.status, &response.error),
            (200, &None),
            "{response:?}"
        );
        let revision = response.revision.as_deref().expect("a revision");
        let of_that_name =
            |active_policy: &&ActivePolicy| active_policy.plan.revision().as_str() == revision;
        let mut active_policies = self.active_policies.iter().filter(of_that_name);
        let at_that_time = |active_policy: &ActivePolicy| {
            active_policy.from <= response.ended && response.began <= active_policy.until
        };
        let active_policy = active_policies.find(|active_policy| at_that_time(active_policy));
        let active_policy = active_policy.unwrap_or_else(|| panic!("was not active: {response:?}"));
        let headers = [
            (&b":path"[..], &b"/v1/Channels"[..]),
            (b"x-account-sid", response.account.as_bytes()),
        ];
        let at = Time::from_seconds(0);
        let request = active_policy
            .plan
            .request(Headers::new(&headers), Inbound::Strip, at);
        let served = decide(&active_policy.plan, &request).served().as_str();
        assert_eq!(response.version.as_deref(), Some(served), "{response:?}");
    }

    fn requests(&self) -> u64 {
        self.v1.requests() + self.v2.requests()
    }

    async fn wait_for_requests(&self, requests: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.requests() < requests {
            assert!(Instant::now() < deadline, "the load does not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn named(revision: &str, changes: &Value) -> Value {
    let mut policy = policy(changes);
    policy["revision"] = json!(revision);
    policy
}

/// JSON that is not a filter.
fn wrong_type(round: usize) -> String {
    let other = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    let resource = match round % 3 {
        0 => json!(5),
        1 => json!({ "@type": other, "name": "turnout" }),
        _ => json!({ "name": ["turnout"] }),
    };
    json!({ "version_info": 1, "resources": [resource] }).to_string()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).expect("the filter's file")
}

/// In seconds since 1970, as Python's `time.time()`.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock after 1970").as_secs_f64()
}
