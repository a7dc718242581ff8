//! The configurations of the folder `envoy/`, which people copy: each is complete, and what they have in
//! common is the same in all of them. Without the filter, each sends everyone to v1.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use harness::client::Request;
use harness::envoy::{Bootstrap, Envoy, file, files};
use harness::upstream::Upstream;

use crate::scene::{INSIDE, request_of, version};

/// From a line that begins so to before the line that does, both with their indentation (`\n`: an empty
/// line); to the end of the file where there is none.
const COMMON: &[(&str, &str)] = &[
    ("admin:", "static_resources:"),
    ("  listeners:", "          # "),
    (
        "          request_id_extension:",
        "          # The path is matched",
    ),
    ("          # The path is matched", "\n"),
    ("          access_log:", "  clusters:"),
    ("  - name: channels-v1", "  - name: channels-v2"),
    ("# An answer to a call of the filter's own", ""),
];

/// The text of each that starts an Envoy, by name.
fn bootstraps() -> BTreeMap<String, String> {
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
fn what_the_files_have_in_common_is_the_same_in_all_of_them() {
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
        let mut bootstrap = Bootstrap::new(without_filter(&text), &v1, &v2).concurrency(1);
        if text.contains("ads: {}") {
            // Nobody has to be there: nothing is discovered.
            let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
            bootstrap = bootstrap.controlled_by(nowhere, "absent");
        }
        let envoy = Envoy::start(bootstrap).await;
        for request in [
            request_of(INSIDE),
            request_of(INSIDE).header("x-turnout-cluster", "channels-v2"),
            request_of(INSIDE)
                .header("x-turnout-treatment", "v2")
                .header("x-turnout-decision", "chat=v2"),
            Request::get("/other").header("x-turnout-cluster", "nowhere"),
        ] {
            let answer = envoy.client().send(request.clone()).await;
            assert_eq!(answer.status, 200, "{name}: {request:?}");
            assert_eq!(version(&answer), "v1", "{name}: {request:?}");
        }
    }
    assert_eq!(v2.requests(), 0);
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
