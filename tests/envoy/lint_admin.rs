//! `turnout lint --admin` and `turnout apply --admin` against a real Envoy: they find routes that change a request
//! after the filter, however the configuration expresses them, and two Turnout filters in one
//! chain.

use serde_json::{Value, json};
use support::cli;
use support::envoy::{Bootstrap, Envoy};
use support::render::rendered;
use support::temp_folder::Folder;
use support::upstream::Upstream;

use crate::neighbours::{filter, named};
use crate::testbed::{Testbed, policy, strip};

const ROUTE: &str = "route: { cluster_header: x-turnout-cluster }";

struct Proxy {
    envoy: Envoy,
    folder: Folder,
    _upstreams: [Upstream; 2],
}

impl Proxy {
    /// An Envoy with this addition to its route.
    async fn with(action: &str, route: &str) -> Self {
        let upstreams = [Upstream::start("v1"), Upstream::start("v2")];
        let text = rendered("cluster-header.yaml", &strip(&policy(&json!({}))));
        assert!(text.contains(ROUTE), "{text}");
        let rewritten = format!("route: {{ cluster_header: x-turnout-cluster{action} }}{route}");
        let text = text.replace(ROUTE, &rewritten);
        let bootstrap = Bootstrap::new(text, &upstreams[0], &upstreams[1]);
        Self {
            envoy: Envoy::start(bootstrap).await,
            folder: Folder::new(),
            _upstreams: upstreams,
        }
    }

    /// The warnings of a policy with this `shadow`, and their help.
    fn lint(&self, shadow: &Value) -> Vec<(String, String)> {
        let rollout = json!({ "mode": "shadow", "shadow": shadow });
        let file = self
            .folder
            .replace_file("policy.json", &policy(&rollout).to_string());
        let admin = self.envoy.admin().address().to_string();
        let file = file.display().to_string();
        let run = cli::run(&["lint", &file, "--json", "--admin", &admin]);
        let json: Value =
            serde_json::from_str(&run.output).unwrap_or_else(|e| panic!("{e}: {run:?}"));
        assert_eq!(json["errors"], 0, "{json}");
        let found = json["diagnostics"].as_array().expect("diagnostics");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = found
            .iter()
            .map(|found| (text(&found["code"]), text(&found["help"])));
        found.collect()
    }
}

#[tokio::test]
async fn a_rewriting_route_causes_a_warning_until_the_policy_declares_it() {
    let plain = json!({ "requests": 5 });
    for (action, route, declared) in [
        (
            ", prefix_rewrite: /inner/",
            "",
            // A path of the rollout.
            json!({ "prefix": { "from": "/v1/Channels", "to": "/inner/v1/Channels" } }),
        ),
        (
            ", host_rewrite_literal: v1.internal",
            "",
            json!({ "host": "v1.internal" }),
        ),
        (
            "",
            "\n                request_headers_to_add: [{ header: { key: X-Added, value: added } }]\
             \n                request_headers_to_remove: [x-removed]",
            json!({ "headers": { "x-added": "added", "x-removed": null } }),
        ),
    ] {
        let proxy = Proxy::with(action, route).await;
        let found = proxy.lint(&plain);
        let [(code, help)] = found.as_slice() else {
            panic!("{action}{route}: {found:?}");
        };
        assert_eq!(code, "rewritten-request");
        // Following the help ends the warning.
        let (_, said) = help.split_once("\"rewrite\": ").expect(help);
        let said = said.trim_end_matches(" in its `shadow`");
        let said: Value = serde_json::from_str(said).unwrap_or_else(|e| panic!("{e}: {help}"));
        assert_eq!(said, declared);
        let mut shadow = plain.clone();
        shadow["rewrite"] = said;
        assert_eq!(proxy.lint(&shadow), [], "{action}{route}");
    }
    let proxy = Proxy::with(", auto_host_rewrite: true", "").await;
    let found = proxy.lint(&plain);
    assert!(
        matches!(found.as_slice(), [(code, help)] if code == "rewritten-request"
            && help.starts_with("auto_host_rewrite cannot be declared")),
        "{found:?}"
    );
    let proxy = Proxy::with("", "").await;
    assert_eq!(proxy.lint(&plain), []);
    // Declared, but no route does it.
    let shadow = json!({ "requests": 5, "rewrite": { "host": "v1.internal" } });
    assert_eq!(proxy.lint(&shadow).len(), 1);
}

/// The warnings of a policy about the filters of a proxy.
fn two_turnouts(testbed: &Testbed) -> Vec<String> {
    let folder = Folder::new();
    let file = folder.replace_file(
        "policy.json",
        &named("r3", "third", "/v1/Calls").to_string(),
    );
    let admin = testbed.envoy.admin().address().to_string();
    let file = file.display().to_string();
    let run = cli::run(&["lint", &file, "--json", "--admin", &admin]);
    let json: Value = serde_json::from_str(&run.output).unwrap_or_else(|e| panic!("{e}: {run:?}"));
    let found = json["diagnostics"].as_array().expect("diagnostics").iter();
    let found = found.filter(|found| found["code"] == "two-turnouts");
    found.map(|found| found["message"].to_string()).collect()
}

#[tokio::test]
async fn two_filters_in_one_chain_are_found_in_the_dump_of_a_proxy() {
    let earlier = filter("edge.first", &named("r1", "first", "/v1/Channels"));
    let later = strip(&named("r2", "second", "/v1/Calls"));
    let disabled = earlier.replace("\n  typed_config:", "\n  disabled: true\n  typed_config:");
    let filters = "HTTP filters of one chain are Turnout, 1 (edge.first) and ";
    for (before, is_warned) in [(earlier.as_str(), true), (&disabled, false), ("", false)] {
        // Two filters in the configuration itself, and the second one discovered.
        let add = |b: Bootstrap| b.filter_before(before);
        for testbed in [
            Testbed::of("cluster-header.yaml", &later, add).await,
            Testbed::live(&later, add).await,
        ] {
            let found = two_turnouts(&testbed);
            assert_eq!(found.len(), usize::from(is_warned), "{before}: {found:?}");
            assert!(
                found.iter().all(|found| found.contains(filters)
                    && found.contains(" (turnout), in the listener ")),
                "{found:?}"
            );
        }
    }
}
