//! Warnings that `turnout apply` and `turnout lint` derive from the admin endpoint of a proxy.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/admin.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod admin;
#[path = "common/applied.rs"]
mod applied;
mod common;
#[path = "common/watched.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod watched;

use std::fs;

use serde_json::{Value, json};

use admin::Admin;
use applied::{rollout, watched};

/// The routes of a proxy, as Envoy dumps them.
const REWRITES: &str = r#"{"configs": [{"static_route_configs": [{"route_config": {"name": "http", "virtual_hosts": [
    {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"},
     "route": {"cluster_header": "x-turnout-cluster", "host_rewrite_literal": "v1.internal"}}]}]}}]}]}"#;

#[test]
fn apply_and_lint_warn_about_routes_that_change_requests_after_the_filter() {
    let watched = watched();
    let admin = Admin::with_routes(watched.filter(), REWRITES);
    watched.policy("plain", &rollout(5, r#", "shadow": {"requests": 5}"#));
    let declared = r#", "shadow": {"requests": 5, "rewrite": {"host": "v1.internal"}}"#;
    watched.policy("declared", &rollout(5, declared));
    let (_, error, code) = watched.output(&format!("lint plain.json --admin {}", admin.address));
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("warning[rewritten-request]"), "{error}");
    assert!(
        error.contains(r#"write "rewrite": { "host": "v1.internal" } in its `shadow`"#),
        "{error}"
    );
    watched.ends(
        &format!("lint plain.json --strict --admin {}", admin.address),
        1,
    );
    let allowed = "lint plain.json --strict --allow rewritten-request --admin";
    watched.ends(&format!("{allowed} {}", admin.address), 0);
    watched.ends(
        &format!("lint declared.json --strict --admin {}", admin.address),
        0,
    );

    let (_, error, code) = watched.output(&format!(
        "apply plain.json --dir d --strict --admin {}",
        admin.address
    ));
    assert_eq!(
        (code, watched.revision().as_str()),
        (Some(1), "five"),
        "{error}"
    );
    let (_, error, code) = watched.output(&format!(
        "apply plain.json --dir d --admin {}",
        admin.address
    ));
    assert_eq!(
        (code, watched.revision().as_str()),
        (Some(0), "plain"),
        "{error}"
    );
    assert!(error.contains("warning[rewritten-request]"), "{error}");
    let line = format!(
        "apply declared.json --dir d --strict --admin {}",
        admin.address
    );
    watched.ends(&line, 0);
}

#[test]
fn a_proxy_whose_routes_cannot_be_read_is_named() {
    let watched = watched();
    let other = Admin::serving(|_| (200, "\u{1b}[2J<html>".into()));
    for (address, words) in [
        (
            "127.0.0.1:1",
            "cannot read the routes of http://127.0.0.1:1: the connection was refused",
        ),
        (&other.address, "its configuration dump is malformed"),
        (
            "127.0.0.1",
            "the port is missing; write http://127.0.0.1:9901",
        ),
        (
            "http://127.0.0.1:9901/stats",
            "an admin address has no path, found `/stats`",
        ),
    ] {
        let (output, error, code) = watched.output(&format!("lint five.json --admin {address}"));
        assert_eq!((code, output.as_str()), (Some(2), ""), "{error}");
        assert!(
            error.contains(words) && !error.contains('\u{1b}'),
            "{error}"
        );
    }
    // apply reports an invalid address once.
    let (_, error, code) = watched.output("apply all.json --dir d --admin 127.0.0.1");
    assert_eq!(
        (code, error.matches("the port is missing").count()),
        (Some(2), 1),
        "{error}"
    );
    // A proxy without a route for the rollout.
    let bare = Admin::with_routes(watched.filter(), r#"{"configs": []}"#);
    let (_, error, code) = watched.output(&format!("lint five.json --admin {}", bare.address));
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("warning[unrouted-rollout]"), "{error}");
}

/// Two filters in one chain, as in a config dump, with terminal control characters in their names.
const TWO_TURNOUTS: &str = r#"{"configs": [{"static_listeners": [{"listener": {"name": "\u001b[2J",
    "filter_chains": [{"filters": [{"typed_config": {"http_filters": [TURNOUT, TURNOUT]}}]}]}}]}]}"#;

#[test]
fn apply_and_lint_warn_about_two_filters_in_one_chain() {
    let watched = watched();
    let text = fs::read(watched.filter()).expect("filter.json");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    let typed_config = file.pointer("/resources/0/typed_config");
    let filter = json!({ "name": "\u{202e}edge", "typed_config": typed_config });
    let dump = TWO_TURNOUTS.replace("TURNOUT", &filter.to_string());
    let admin = Admin::with_routes(watched.filter(), dump.leak());
    for line in ["lint five.json", "apply all.json --dir d"] {
        let (output, error, code) = watched.output(&format!("{line} --admin {}", admin.address));
        assert_eq!(code, Some(0), "{error}");
        assert!(error.contains("warning[two-turnouts]"), "{error}");
        assert!(
            error.contains(
                "1 (\\u{202e}edge, plugin turnout) and 2 (\\u{202e}edge, plugin turnout)"
            ),
            "{error}"
        );
        let printed = [output, error].concat();
        assert!(!printed.contains(['\u{1b}', '\u{202e}']), "{printed}");
    }
    let allowed = "lint five.json --strict --allow two-turnouts --allow unrouted-rollout --admin";
    watched.ends(&format!("{allowed} {}", admin.address), 0);
}

/// Envoy keeps the series of each until it restarts.
#[test]
fn a_new_rollout_after_a_hundred_removed_ones_causes_a_warning() {
    let watched = watched();
    let rollout = |name: &str| {
        format!(
            r#"{{"name": "{name}", "v1": "one", "v2": "two", "mode": "off", "match": {{"path": {{"prefix": "/{name}"}}}}}}"#
        )
    };
    let rollouts: Vec<String> = (0..100)
        .map(|number| rollout(&format!("r-{number}")))
        .collect();
    watched.policy("many", &rollouts.join(","));
    watched.policy("few", &rollouts[..99].join(","));
    watched.policy("next", &rollout("next"));
    let warned = |line: &str| {
        let (_, error, code) = watched.output(line);
        assert_eq!(code, Some(0), "{line}: {error}");
        let warnings: Vec<&str> = error
            .lines()
            .filter(|line| line.contains("series"))
            .collect();
        warnings.join("\n")
    };
    assert_eq!(warned("apply many.json --dir d"), "");
    // Without a new rollout there is no warning, whatever the number of removed ones.
    assert_eq!(warned("apply few.json --dir d"), "");
    assert_eq!(
        warned("apply next.json --dir d"),
        "turnout: warning: the history has 101 rollouts that this policy does not have, and a proxy that ran them \
         keeps their metric series; only a restart of the proxy frees them. Keep the name of a rollout that continues"
    );
    watched.policy("later", &rollout("later"));
    let stats: String = (0..100)
        .map(|number| {
            format!(
                "wasmcustom.turnout.decisions.r-{number}.v1.rule: 0\nwasmcustom.turnout.shadow_sampled.r-{number}: 0\n"
            )
        })
        .collect();
    let proxy = Admin::serving(move |page| match page {
        page if page.starts_with("/stats") => (200, stats.clone()),
        _ => (200, r#"{"configs": []}"#.into()),
    });
    let address = &proxy.address;
    let warning = format!(
        "turnout: warning: http://{address} keeps 200 metric series of 100 rollouts that this policy does not have; only \
         a restart of the proxy frees them. Keep the name of a rollout that continues"
    );
    let (_, error, _) = watched.output(&format!(
        "apply later.json --dir d --unready-ok --timeout 0.1 --admin {address}"
    ));
    assert!(error.contains(&warning), "{error}");
    let (_, error, _) = watched.output(&format!(
        "lint later.json --against next.json --admin {address}"
    ));
    assert!(error.contains(&warning), "{error}");
}
