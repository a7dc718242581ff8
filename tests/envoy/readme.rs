//! The sample at the beginning of README.md is what a real Envoy writes with the policy above it.

use std::fs;
use std::path::Path;

use support::client::Request;
use turnout_core::{Headers, Inbound, Plan, Time, Treatment, decide};

use crate::testbed::Testbed;

/// Requests of the account in the sample, of which one takes v2; and those with a malformed account.
const REQUESTS: usize = 12;

#[tokio::test]
async fn the_sample_of_the_readme_is_what_envoy_writes() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let between = |start: &str| {
        let (_, rest) = readme.split_once(start).expect("a block");
        rest.split_once("```").expect("its end").0
    };
    let policy = between("```json\n");
    let sample = between("```\n{…");
    let (_, account) = sample.split_once("account=").expect("an account");
    let (account, _) = account.split_once('"').expect("its end");

    let plan = Plan::from_json(policy).expect("a policy");
    let configuration = turnout_core::Configuration::to_json(policy, Inbound::Strip);
    let testbed = Testbed::live(&configuration, |b| b).await;
    let ids = (0..).map(|number| format!("00000000-0000-4000-8000-{number:012}"));
    let takes_v2 = |id: &String| {
        let pairs = [
            (&b":path"[..], &b"/"[..]),
            (b"x-account-sid", account.as_bytes()),
            (b"x-request-id", id.as_bytes()),
        ];
        let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
        decide(&plan, &request).treatment == Treatment::V2
    };
    let (on_v2, on_v1): (Vec<_>, Vec<_>) = ids.take(500).partition(takes_v2);
    let ids = on_v2.iter().take(1).chain(on_v1.iter().take(REQUESTS - 1));
    let of = |account: &str, id: &str| {
        Request::get("/")
            .header("x-account-sid", account)
            .header("x-request-id", id)
    };
    let known = ids.map(|id| of(account, id));
    let requests: Vec<Request> = known.chain((0..REQUESTS).map(|_| of("AC1", "x"))).collect();
    let sent = requests.len();
    testbed.client().send_all(requests, 1).await;

    let lines = testbed.envoy.access_log_lines(sent).await;
    let (logged, metrics) = sample.split_once('\n').expect("lines");
    let parts: Vec<&str> = logged.split('…').collect();
    let shows = |line: &&String| {
        let mut rest = line.as_str();
        parts.iter().all(|part| match rest.split_once(part) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    };
    assert_eq!(
        lines.iter().filter(shows).count(),
        1,
        "{logged}\n{}",
        lines.join("\n")
    );
    let prometheus = testbed.envoy.admin().settled_prometheus().await;
    for metric in metrics.lines().filter(|line| !line.is_empty()) {
        let found = prometheus.lines().any(|line| line == metric);
        let all: Vec<&str> = prometheus
            .lines()
            .filter(|line| line.starts_with("turnout_"))
            .collect();
        assert!(found, "{metric}\n{}", all.join("\n"));
    }
}
