//! Routes that rewrite the path and the host: the access log of the files in `envoy/` has the values that the filter
//! read, so `simulate` decides as this Envoy did.

use std::num::NonZeroUsize;

use serde_json::json;
use support::client::Request;
use support::envoy::parsed;
use turnout_core::Plan;
use turnout_simulate::{LogFields, Replay, TrafficReport};

use crate::testbed::{INSIDE, OUTSIDE, Testbed, policy, strip};

const ROUTE: &str = "                route: { cluster_header: x-turnout-cluster }\n";
const PATHS: [&str; 3] = ["/api/v1/x?a=b", "/api/v1/y/z", "/other"];

#[tokio::test]
async fn the_access_log_has_the_path_and_the_host_that_the_filter_read() {
    let policy = policy(&json!({
        "match": { "hosts": ["flex.example.com"], "path": { "prefix": "/api/v1/" } },
        "rules": [{ "accounts": 50 }],
    }));
    let configuration = strip(&policy);
    for (name, rewrite) in [
        (
            "a prefix and a host",
            "prefix_rewrite: /v1, host_rewrite_literal: internal",
        ),
        (
            "a path by its pattern",
            r#"regex_rewrite: { pattern: { regex: "^/api/(.*)$" }, substitution: "/new/\\1" }"#,
        ),
        ("a host by a header", "host_rewrite_header: x-to"),
        ("nothing", "timeout: 15s"),
    ] {
        for file in ["live-policy.yaml", "behind-the-edge.yaml"] {
            let rewritten = ROUTE.replace(" }\n", &format!(", {rewrite} }}\n"));
            let testbed =
                Testbed::discovering_with(file, &configuration, |b| b.replace(ROUTE, &rewritten));
            let testbed = testbed.await;
            let requests = requests();
            let sent = requests.len();
            testbed.client().send_all(requests, 4).await;
            let lines = testbed.envoy.access_log_lines(sent).await;
            for line in &lines {
                let line = parsed(line);
                let path = line["path"].as_str().expect("a path");
                assert!(PATHS.contains(&path), "{file}, {name}: {line}");
                assert_eq!(
                    line["authority"], "flex.example.com",
                    "{file}, {name}: {line}"
                );
            }
            let plan = Plan::from_json(&policy.to_string()).expect("a policy");
            let replay = Replay {
                fields: LogFields::default(),
                format: None,
                threads: NonZeroUsize::MIN,
            };
            let now = support::corpus::now();
            let text = lines.join("\n");
            let traffic = TrafficReport::of(&plan, now, &replay, text.as_bytes());
            let traffic = traffic.expect("the log is read");
            assert_eq!(traffic.contradictions, [], "{file}, {name}");
            let recorded = traffic.rollouts[0]
                .recorded
                .expect("the log has the decision");
            let count = sent as u64 / 3 * 2;
            assert_eq!(
                (recorded.same, traffic.rollouts[0].total.v2),
                (count, count / 2),
                "{file}, {name}"
            );
        }
    }
}

/// Half of the requests are of an account on v2. Some clients send headers that Envoy itself sets.
fn requests() -> Vec<Request> {
    let mut requests = Vec::new();
    for account in [INSIDE, OUTSIDE] {
        for path in PATHS {
            let request = Request::get(path)
                .header("host", "flex.example.com")
                .header("x-to", "internal.example.com")
                .header("x-account-sid", account);
            requests.push(request.clone());
            requests.push(
                request
                    .header("x-envoy-original-path", "/forged")
                    .header("x-envoy-original-host", "forged.example.com"),
            );
        }
    }
    requests
}
