//! Runs `turnout judge --prometheus`. `make test-prometheus` runs it on a real Prometheus.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod common;
#[path = "common/page_server.rs"]
mod page_server;

use std::fs;

use common::turnout;
use page_server::serve_pages;
use serde_json::{Value, json};

/// The start of a window of an hour, in seconds since 1970.
const START: u64 = 1_795_832_282;

struct Run {
    code: Option<i32>,
    output: String,
    error: String,
}

fn run(arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [&["judge"], arguments].concat();
    let run = turnout(folder.path(), &arguments, "");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run {
        code: run.status.code(),
        output: text(&run.stdout),
        error: text(&run.stderr),
    }
}

fn refused(arguments: &[&str]) -> String {
    let run = run(arguments);
    assert_eq!(
        (run.code, run.output.as_str()),
        (Some(2), ""),
        "{arguments:?}: {}",
        run.error
    );
    run.error
}

/// The response to a query of the command, for one proxy whose process has started in the window.
fn page(path: &str, warnings: &[&str]) -> (u16, String) {
    let now = START + 3_600;
    let series = |name: &str, labels: &[(&str, &str)], value: u64| {
        let mut metric = json!({ "__name__": name, "instance": "proxy-1", "job": "envoy" });
        for (label, value) in labels {
            metric[label] = json!(value);
        }
        match path.contains("ms%5D") {
            true => json!({ "metric": metric, "values": [[now - 5, value.to_string()]] }),
            false => json!({ "metric": metric, "value": [now, value.to_string()] }),
        }
    };
    let guard = |event: &str, arm: &str, value: u64| {
        let labels = [("rollout", "chat"), ("stratum", "10"), ("treatment", arm)];
        series(&format!("turnout_guard_{event}"), &labels, value)
    };
    let is_of_last_span = path.contains(&format!("time={now}.000"));
    let result = if path.contains("query=up") {
        json!([series("up", &[], 1)])
    } else if path.contains("query=time") {
        json!([now, now.to_string()])
    } else if is_of_last_span {
        json!([
            series("envoy_server_uptime", &[], 1_000),
            series("turnout_revision", &[("plugin", "turnout")], 7),
            series("turnout_guard_state", &[("rollout", "chat")], 0),
            guard("all", "v1", 180_000),
            guard("all", "v2", 20_000),
            guard("errors", "v1", 180),
            guard("errors", "v2", 16),
        ])
    } else {
        json!([])
    };
    let kind = match (path.contains("query=time"), path.contains("ms%5D")) {
        (true, _) => "scalar",
        (_, true) => "matrix",
        (_, false) => "vector",
    };
    let data = json!({ "resultType": kind, "result": result });
    (
        200,
        json!({ "status": "success", "data": data, "warnings": warnings }).to_string(),
    )
}

#[test]
fn a_proxy_in_prometheus_is_judged_as_its_counts_are() {
    let url = format!("http://{}/prometheus", serve_pages(|path| page(path, &[])));
    let run = run(&["--prometheus", &url, "--since", "1h", "--json"]);
    assert_eq!(run.code, Some(0), "{} {}", run.output, run.error);
    let document: Value = serde_json::from_str(&run.output).expect("JSON");
    let rollout = document.pointer("/rollouts/0").expect("a rollout");
    let at = |pointer: &str| rollout.pointer(pointer).cloned();
    assert_eq!(at("/verdict"), Some(json!("healthy")));
    assert_eq!(
        at("/strata/0/v1"),
        Some(json!({ "all": 180_000, "errors": 180, "slow": 0 }))
    );
    assert_eq!(at("/proxies/0/proxy"), Some(json!("proxy-1")));
}

#[test]
fn a_warning_of_prometheus_is_never_healthy() {
    let url = format!(
        "http://{}",
        serve_pages(|path| page(path, &["a store is unreachable"]))
    );
    let run = run(&["--prometheus", &url, "--since", "1h"]);
    assert_eq!(run.code, Some(3), "{} {}", run.output, run.error);
    assert!(
        run.output.contains("a store is unreachable"),
        "{}",
        run.output
    );
}

#[test]
fn a_wrong_option_is_refused_with_what_to_write() {
    let url = "http://127.0.0.1:9";
    for (arguments, expected) in [
        (
            &["--prometheus", "prometheus:9090"][..],
            "begins with http://",
        ),
        (
            &["--prometheus", url, "--since", "yesterday"],
            "expected a duration",
        ),
        (
            &["--prometheus", url, "--match", "job=envoy"],
            "in double quotes",
        ),
        (
            &["--prometheus", url, "--state", "s.json"],
            "cannot be used with",
        ),
        (
            &["--prometheus", url, "--admin", url],
            "cannot be used with",
        ),
        (
            &["--prometheus", url, "--prometheus-token", "/no/such/token"],
            "cannot read the token",
        ),
        (&["--admin", url, "--since", "1h"], "--prometheus"),
        (&["--admin", url, "--match", r#"job="a""#], "--prometheus"),
    ] {
        let error = refused(arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn a_token_is_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    fs::write(&token, "s3cret\n").expect("a file");
    let token = token.display().to_string();
    let url = format!(
        "http://{}",
        serve_pages(|_| (401, "who is s3cret?".to_owned()))
    );
    let error = refused(&["--prometheus", &url, "--prometheus-token", &token]);
    assert!(error.contains("does not accept the token"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
    let error = refused(&["--prometheus", &url]);
    assert!(
        error.contains("give a token with --prometheus-token FILE"),
        "{error}"
    );
}
