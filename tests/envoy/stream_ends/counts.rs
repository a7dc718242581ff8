//! How each end counts in a guard: each event of the table once in each arm, through the real filter, each time in a
//! rollout of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::envoy::{Bootstrap, Envoy, file};
use support::random::Random;
use support::render::discovered_with;
use support::wasm::Build;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use turnout_core::{Headers, Inbound, Plan, Time, Treatment, decide};

use super::client::Protocol;
use super::ends::{End, ends};
use super::upstreams::Upstreams;
use crate::testbed::strip;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Requests at a time, in each attempt. On a loaded machine, one event can become another, because of another timeout.
const CONCURRENCY: [usize; 3] = [24, 8, 2];
/// Longer than the slowest error takes.
const SETTLE_SECONDS: u64 = 3;
/// Written by `stream_ends.rs`.
const ENDS: &str = include_str!("ends.txt");
/// The header by which a rollout matches the requests of its event.
const EVENT: &str = "x-event";

/// What the lean build logs when a policy has a guard.
const LIMIT: &str = "this build of the filter does not see how gRPC requests end";

const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// An event in one arm.
struct Case {
    end: End,
    protocol: Protocol,
    rollout: String,
    arm: Treatment,
    /// The id of its request, which decides the arm.
    id: String,
}

/// An Envoy with the filter, and the upstreams.
struct Bed {
    envoy: Envoy,
    upstreams: Upstreams,
}

#[tokio::test]
async fn each_end_counts_in_its_arm_with_the_result_of_the_table() {
    let log = count_ends(Build::Whole).await;
    assert!(!log.contains(LIMIT), "{log}");
}

#[tokio::test]
async fn the_lean_build_counts_the_same_without_grpc_and_logs_so() {
    let log = count_ends(Build::Lean).await;
    assert!(log.contains(LIMIT), "{log}");
}

/// Brings about each end over each protocol in both arms, and compares the counters of the guards with the table. Returns
/// Envoy's log.
async fn count_ends(build: Build) -> String {
    let (cases, policy) = cases();
    let mut failures = Vec::new();
    for concurrency in CONCURRENCY {
        let bed = Arc::new(Bed::start(build, &cases, &policy).await);
        failures = bed.bring_about(&cases, concurrency).await;
        if failures.is_empty() {
            bed.check_counters(build, &cases).await;
            return bed.envoy.log();
        }
    }
    panic!("{}", failures.join("\n"));
}

/// A policy with a rollout at half of the requests for each of these names.
fn policy(rollouts: impl Iterator<Item = String>) -> Value {
    let rollout = |name: String| {
        json!({
            "name": name,
            "match": { "headers": { EVENT: { "exact": name } } },
            "v1": "channels-v1",
            "v2": "channels-v2",
            "mode": "split",
            "rules": [{ "accounts": 100, "requests": 50 }],
            "guard": { "settle_seconds": SETTLE_SECONDS },
        })
    };
    let rollouts: Vec<Value> = rollouts.map(rollout).collect();
    json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": rollouts,
    })
}

/// Each event over each protocol in each arm, and the policy.
fn cases() -> (Vec<Arc<Case>>, Value) {
    let mut cases = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for arm in Treatment::ALL {
            for (number, end) in ends().into_iter().enumerate() {
                let protocol_name = format!("{protocol:?}").to_lowercase();
                cases.push(Case {
                    end,
                    protocol,
                    rollout: format!("end-{number}-{protocol_name}-{arm}"),
                    arm,
                    id: String::new(),
                });
            }
        }
    }
    let policy = policy(cases.iter().map(|case| case.rollout.clone()));
    let plan = Plan::from_json(&policy.to_string()).expect("a policy");
    let mut random = Random::new(1);
    let with_id = |case: Case| {
        let id = std::iter::repeat_with(|| format!("{:016x}", random.next()));
        let id = id.take(1_000).find(|id| case.takes_its_arm(&plan, id));
        Arc::new(case.with_id(&id.expect("an id")))
    };
    (cases.into_iter().map(with_id).collect(), policy)
}

/// The item of the list of HTTP filters in `live-policy.yaml`.
fn live_filter() -> String {
    let text = file("live-policy.yaml");
    let (_, rest) = text
        .split_once("          - name: turnout\n")
        .expect("the filter");
    let (filter, _) = rest
        .split_once("          - name: router\n")
        .expect("the router");
    format!("          - name: turnout\n{filter}")
}

impl Bed {
    async fn start(build: Build, cases: &[Arc<Case>], policy: &Value) -> Self {
        let upstreams = Upstreams::start().await;
        let is_within_limit = |case: &&Arc<Case>| case.is_limited() && !case.is_last();
        let tokens = cases.iter().filter(is_within_limit).count();
        let filter = discovered_with(build, &strip(policy));
        let routes = upstreams.routes(&live_filter());
        let bootstrap = Bootstrap::live(routes, filter, &upstreams, &upstreams)
            .replace("max_tokens: 1,", &format!("max_tokens: {tokens},"))
            // Farther from the other timeouts.
            .replace("request_timeout: 1.5s", "request_timeout: 3s");
        let envoy = Envoy::start(upstreams.add_to(bootstrap)).await;
        Self { envoy, upstreams }
    }

    /// Sends the requests. Returns what did not happen.
    async fn bring_about(self: &Arc<Self>, cases: &[Arc<Case>], concurrency: usize) -> Vec<String> {
        let is_last = |case: &Arc<Case>| case.is_last();
        let (last, first) = cases.iter().cloned().partition(is_last);
        self.run_all(first, concurrency).await;
        let ended = self.run_all(last, concurrency).await;
        let found = cases
            .iter()
            .filter_map(|case| case.difference(&ended[&case.id]));
        found.collect()
    }

    /// Sends all requests, and waits until they have ended. Returns what the access log has, by id.
    async fn run_all(
        self: &Arc<Self>,
        cases: Vec<Arc<Case>>,
        concurrency: usize,
    ) -> BTreeMap<String, Value> {
        let (publish, ended) = watch::channel(BTreeMap::new());
        let mut lanes = JoinSet::new();
        let left = Arc::new(Mutex::new(VecDeque::from(cases)));
        for _ in 0..concurrency {
            let (bed, left, ended) = (Arc::clone(self), Arc::clone(&left), ended.clone());
            lanes.spawn(async move {
                let next = || left.lock().expect("the rest").pop_front();
                while let Some(case) = next() {
                    bed.run(&case, ended.clone()).await;
                }
            });
        }
        let mut lanes = std::pin::pin!(lanes.join_all());
        loop {
            tokio::select! {
                _ = &mut lanes => return ended.borrow().clone(),
                () = sleep(POLL) => {}
            }
            let lines = self.envoy.access_log(0).await;
            let id = |line: &Value| line["request_id"].as_str().expect("an id").to_owned();
            publish.send_replace(lines.into_iter().map(|line| (id(&line), line)).collect());
        }
    }

    /// Sends a request, and returns when it has ended.
    async fn run(&self, case: &Case, mut ended: watch::Receiver<BTreeMap<String, Value>>) {
        let Case { end, id, .. } = case;
        let arrived = async {
            while !self.upstreams.has(id) {
                sleep(POLL).await;
            }
        };
        let address = self.envoy.address();
        let run = async {
            let run = end.client.run(address, case.protocol, &end.asked, arrived);
            run.await;
            // The stream may end later than the client.
            std::future::pending::<()>().await;
        };
        let ended = tokio::time::timeout(PATIENCE, ended.wait_for(|ended| ended.contains_key(id)));
        tokio::select! {
            () = run => {}
            ended = ended => {
                let ended = ended.unwrap_or_else(|_| panic!("no end of {}", case.name()));
                ended.expect("a test that runs");
            }
        }
    }

    /// Compares the settled counts of all guards with the table.
    async fn check_counters(&self, build: Build, cases: &[Arc<Case>]) {
        // What must not count would have settled by then, too.
        sleep(Duration::from_secs(SETTLE_SECONDS + 2)).await;
        let requests: u64 = cases.iter().map(|case| case.counts(build)[0]).sum();
        let deadline = Instant::now() + PATIENCE;
        let mut found = self.counters().await;
        let all = |found: &BTreeMap<String, u64>| -> u64 {
            let all = found.iter().filter(|(name, _)| name.ends_with(".all"));
            all.map(|(_, count)| count).sum()
        };
        while all(&found) < requests && Instant::now() < deadline {
            sleep(POLL).await;
            found = self.counters().await;
        }
        let mut failures = Vec::new();
        for case in cases {
            for arm in Treatment::ALL {
                let expected = match arm == case.arm {
                    true => case.counts(build),
                    false => [0, 0],
                };
                let counter = |kind| found[&format!("{}.50.{arm}.{kind}", case.rollout)];
                let found = ["all", "errors"].map(counter);
                if found != expected {
                    let name = case.name();
                    failures.push(format!("{name}: {arm} has {found:?}, not {expected:?}"));
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert_eq!(found.len(), 4 * cases.len(), "{found:?}");
    }

    /// The settled counts of all guards, by the name after `turnout.guard.`.
    async fn counters(&self) -> BTreeMap<String, u64> {
        const PREFIX: &str = "wasmcustom.turnout.guard.";
        let stats = self
            .envoy
            .admin()
            .stats(r"^wasmcustom\.turnout\.guard\.")
            .await;
        let short = |(name, count): (String, u64)| (name[PREFIX.len()..].to_owned(), count);
        stats.into_iter().map(short).collect()
    }
}

impl Case {
    /// Whether a request with this id takes the treatment of the arm.
    fn takes_its_arm(&self, plan: &Plan, id: &str) -> bool {
        let headers = [
            (":path", "/"),
            ("x-account-sid", ACCOUNT),
            ("x-request-id", id),
            (EVENT, self.rollout.as_str()),
        ];
        let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let request = plan.request(Headers::new(&headers), Inbound::Strip, Time::default());
        decide(plan, &request).treatment == self.arm
    }

    fn with_id(mut self, id: &str) -> Self {
        let end = self.end.with(("x-account-sid", ACCOUNT));
        self.end = end.with((EVENT, &self.rollout)).with(("x-request-id", id));
        self.id = id.to_owned();
        self
    }

    fn name(&self) -> String {
        format!(
            "{} over {:?} in {}",
            self.end.event, self.protocol, self.arm
        )
    }

    fn is_limited(&self) -> bool {
        self.end.asked.path == "/limited"
    }

    /// Whether it needs a rate limit that others have used up.
    fn is_last(&self) -> bool {
        self.end.event.ends_with("rate limit is reached")
    }

    /// The code, the details and the result in the table.
    fn row(&self) -> [&'static str; 3] {
        let version = match self.protocol {
            Protocol::Http1 => "1.1",
            Protocol::Http2 => "2",
        };
        for line in ENDS.lines() {
            let row: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [event, versions, code, _, details, _, result] = row[..] else {
                panic!("{line}")
            };
            if event == self.end.event && versions.split(", ").any(|known| known == version) {
                return [code, details, result];
            }
        }
        panic!("no row: {}", self.name())
    }

    /// Returns the line of the access log if the request had another end than in the table, or if its treatment was not
    /// random.
    fn difference(&self, line: &Value) -> Option<String> {
        let [code, details, result] = self.row();
        let code = code.parse().unwrap_or(0);
        let decision = match (result, self.arm) {
            ("not seen", _) => [Value::Null, Value::Null],
            (_, Treatment::V1) => [json!("v1"), json!("outside_requests")],
            (_, Treatment::V2) => [json!("v2"), json!("rule")],
        };
        let is_event = line["code"].as_u64().unwrap_or(0) == code && line["details"] == details;
        let is_random = [&line["treatment"], &line["reason"]] == [&decision[0], &decision[1]];
        (!is_event || !is_random).then(|| format!("{}: {line}", self.name()))
    }

    /// The number of requests and of errors in its arm.
    fn counts(&self, build: Build) -> [u64; 2] {
        let [_, _, result] = self.row();
        if build == Build::Lean && self.end.asked.is_grpc() {
            return [0, 0];
        }
        match result {
            "Error" => [1, 1],
            "Success" | "ClientLeft" => [1, 0],
            "NotForwarded" | "not seen" => [0, 0],
            _ => panic!("{result}"),
        }
    }
}
