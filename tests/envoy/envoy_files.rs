//! The configurations of the folder `envoy/`, which people copy: each is complete, and their common parts are
//! identical. Without the filter, each sends everyone to v1.

mod edge_limits;
mod warnings;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use support::client::Request;
use support::envoy::{Bootstrap, Envoy, file, files};
use support::upstream::Upstream;

use crate::testbed::{INSIDE, request_of, turnout_headers, version};

/// The part from a line with this beginning up to a line with that one, both including the indentation (`
/// `: an
/// empty line), or up to the end of the file.
const COMMON: &[(&str, &str)] = &[
    ("admin:", "static_resources:"),
    ("  listeners:", "          # "),
    (
        "          request_id_extension:",
        "          # The path is matched",
    ),
    ("          # The path is matched", "\n"),
    ("          # A request holds a place", "\n"),
    (
        "          - name: strip-turnout-trailers",
        "                - remove_on_match: { key_matcher: { prefix: x_turnout_ } }",
    ),
    ("          access_log:", "  clusters:"),
    ("  - name: channels-v1", "  - name: channels-v2"),
    ("  - name: channels-v1-shadow", "\n"),
    ("# Envoy buffers the whole response", ""),
];

/// The texts of the files that start an Envoy, by name.
pub(crate) fn bootstraps() -> BTreeMap<String, String> {
    let texts = files(".yaml").into_iter().map(|name| {
        let text = file(&name);
        (name, text)
    });
    texts
        .filter(|(_, text)| text.contains("\nstatic_resources:"))
        .collect()
}

fn block<'t>(text: &'t str, (first, behind): (&str, &str)) -> &'t str {
    let begins = |text: &str, line: &str| {
        if text.starts_with(line) {
            return Some(0);
        }
        text.find(&format!("\n{line}")).map(|place| place + 1)
    };
    let start = begins(text, first).unwrap_or_else(|| panic!("no {first:?} in\n{text}"));
    let text = &text[start..];
    let body = text.find('\n').map_or(text.len(), |place| place + 1);
    match behind {
        "" => text,
        _ => begins(&text[body..], behind).map_or(text, |end| &text[..body + end]),
    }
}

#[test]
fn common_parts_of_the_files_are_identical() {
    let all = bootstraps();
    assert!(all.len() >= 6, "{:?}", all.keys());
    let first = &all["cluster-header.yaml"];
    for common in COMMON {
        let expected = block(first, *common);
        assert!(expected.lines().count() > 2, "{common:?}: {expected}");
        for (name, text) in &all {
            assert_eq!(block(text, *common), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn without_the_filter_everyone_is_on_v1() {
    let [v1, v2] = ["v1", "v2"].map(Upstream::start);
    for (name, text) in bootstraps() {
        let bootstrap = unfiltered(&text, &v1, &v2);
        let envoy = Envoy::start(bootstrap).await;
        for request in [
            request_of(INSIDE),
            request_of(INSIDE).header("x-turnout-cluster", "channels-v2"),
            request_of(INSIDE)
                .header("x-turnout-treatment", "v2")
                .header("x-turnout-decision", "chat=v2"),
            Request::get("/other").header("x-turnout-cluster", "nowhere"),
        ] {
            let response = envoy.client().send(request.clone()).await;
            assert_eq!(response.status, 200, "{name}: {request:?}");
            assert_eq!(version(&response), "v1", "{name}: {request:?}");
        }
    }
    assert_eq!(v2.requests(), 0);
}

/// Some upstreams read `x_turnout_treatment` as `x-turnout-treatment`. At the edge no header name may have an
/// underscore; behind it, headers that look like ours do not pass.
#[tokio::test]
async fn without_the_filter_no_spelling_of_our_headers_reaches_an_upstream() {
    const FORGED: [&str; 6] = [
        "x_turnout_treatment",
        "x_turnout-cluster",
        "x-turnout_decision",
        "X_TURNOUT_SHADOW",
        "x-turnout_anything",
        "x-turnout-cluster",
    ];
    const HONEST: [&str; 3] = ["x_other", "x_turnouts", "x-turnout"];
    let [v1, v2] = ["v1", "v2"].map(Upstream::start);
    for (name, text) in bootstraps() {
        let mut bootstrap = unfiltered(&text, &v1, &v2);
        if name != "behind-the-edge.yaml" {
            let envoy = Envoy::start(bootstrap.clone()).await;
            for header in ["x_turnout_treatment", "x_other"] {
                let request = request_of(INSIDE).header(header, "v2");
                let response = envoy.client().send(request).await;
                assert_eq!(response.status, 400, "{name}: {header}");
            }
            bootstrap = bootstrap.allow_underscores();
        }
        let envoy = Envoy::start(bootstrap).await;
        let names = FORGED.iter().chain(&HONEST);
        let request = names.fold(request_of(INSIDE), |request, name| {
            request.header(name, "v2")
        });
        let response = envoy.client().send(request).await;
        assert_eq!(version(&response), "v1", "{name}");
        let reached = response.json();
        assert_eq!(turnout_headers(&reached), [], "{name}");
        for header in HONEST {
            assert!(
                reached.to_string().contains(&format!("\"{header}\"")),
                "{name}: {header}"
            );
        }
    }
}

/// The file without its filter, ready to start.
pub(crate) fn unfiltered(
    text: &str,
    v1: impl Into<SocketAddr>,
    v2: impl Into<SocketAddr>,
) -> Bootstrap {
    let bootstrap = Bootstrap::new(without_filter(text), v1, v2).concurrency(1);
    if text.contains("ads: {}") {
        // The control plane may be absent, because nothing is discovered.
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        return bootstrap.controlled_by(nowhere, "absent");
    }
    bootstrap
}

/// The file without its filter.
fn without_filter(text: &str) -> String {
    let filter = block(
        text,
        ("          - name: turnout", "          - name: router"),
    );
    assert!(filter.contains("turnout") && !filter.contains("router"));
    text.replacen(filter, "", 1)
}
