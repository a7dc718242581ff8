//! Header lines that break the grammar of HTTP/1.1: folded over two lines, ended by a bare LF, with spaces in the
//! wrong places. Envoy rejects each of them, or it changes no decision.

use serde_json::json;

use super::{Outcome, send};
use crate::testbed::{INSIDE, OUTSIDE, Testbed, headers_of, policy, strip, traps, turnout_headers};

/// Header lines as sent. `{v}` is the version that the client wants.
const FORGERIES: &[(&str, &str)] = &[
    ("folded", "x-turnout-cluster:\r\n channels-{v}"),
    ("folded by a tab", "x-turnout-treatment:\r\n\t{v}"),
    (
        "folded behind a value",
        "x-turnout-cluster: channels-{v}\r\n , channels-{v}",
    ),
    (
        "in the fold of another",
        "x-a: 1\r\n x-turnout-cluster: channels-{v}",
    ),
    (
        "behind a bare LF",
        "x-a: 1\nx-turnout-cluster: channels-{v}",
    ),
    (
        "behind a bare CR",
        "x-a: 1\rx-turnout-cluster: channels-{v}",
    ),
    (
        "behind LF and CR",
        "x-a: 1\n\rx-turnout-cluster: channels-{v}",
    ),
    (
        "ended by a bare LF",
        "x-turnout-cluster: channels-{v}\nx-a: 1",
    ),
    ("space before the colon", "x-turnout-cluster : channels-{v}"),
    ("tab before the colon", "x-turnout-treatment\t: {v}"),
    ("space before the name", " x-turnout-cluster: channels-{v}"),
    ("NUL in the name", "x-turnout-cluster\0: channels-{v}"),
    ("NUL in the value", "x-turnout-cluster: channels-{v}\0"),
    ("no colon", "x-turnout-cluster channels-{v}"),
    ("no name", ": channels-{v}"),
    ("two colons", "x-turnout-cluster:: channels-{v}"),
    (
        "a letter above ASCII in the name",
        "x-turnout-cluste\u{17f}: channels-{v}",
    ),
    (
        "a hyphen that is none",
        "x\u{2010}turnout\u{2010}cluster: channels-{v}",
    ),
    (
        "named by a folded Connection",
        "connection: keep-alive,\r\n x-turnout-treatment\r\nx-turnout-treatment: {v}",
    ),
    (
        "named by Connection in other case",
        "connection: X-TURNOUT-CLUSTER, x-TURNOUT-decision\r\nx-turnout-cluster: channels-{v}",
    ),
    (
        "named by Connection with what the policy reads",
        "connection: keep-alive, x-request-id\r\nx-turnout-cluster: channels-{v}",
    ),
    (
        "named by Proxy-Connection",
        "proxy-connection: x-turnout-cluster\r\nx-turnout-cluster: channels-{v}",
    ),
    (
        "offered as an upgrade",
        "connection: upgrade\r\nupgrade: x-turnout-cluster\r\nx-turnout-cluster: channels-{v}",
    ),
    (
        "with two lengths",
        "content-length: 0\r\ncontent-length: 1\r\nx-turnout-cluster: channels-{v}",
    ),
    (
        "with a length and chunks",
        "content-length: 5\r\ntransfer-encoding: chunked\r\nx-turnout-cluster: channels-{v}",
    ),
    (
        "with an unknown encoding",
        "transfer-encoding: xchunked\r\nx-turnout-cluster: channels-{v}",
    ),
    ("a thousand times", "{1000}"),
];

fn lines_of(forgery: &str, wanted: &str) -> String {
    let one = format!("x-turnout-cluster: channels-{wanted}");
    match forgery {
        "{1000}" => vec![one; 1_000].join("\r\n"),
        _ => forgery.replace("{v}", wanted),
    }
}

#[tokio::test]
async fn forged_headers_that_break_the_grammar_are_rejected_or_change_nothing() {
    let configuration = strip(&policy(&json!({})));
    let testbed = Testbed::of("cluster-header.yaml", &configuration, |b| {
        b.without_native_strip().concurrency(1)
    })
    .await;
    let mut decided = 0;
    let mut refused = 0;
    for (what, forgery) in FORGERIES {
        for (account, served, wanted) in [(OUTSIDE, "v1", "v2"), (INSIDE, "v2", "v1")] {
            let before = testbed.reached();
            let outcome = send_lines(&testbed, account, &lines_of(forgery, wanted)).await;
            if outcome.is_refused() {
                refused += 1;
                assert_eq!(testbed.reached(), before, "{what}");
            } else {
                decided += 1;
                let reached = outcome.reached();
                assert_eq!(reached["version"], served, "{what}: {reached}");
                assert_eq!(turnout_headers(reached), headers_of(served), "{what}");
            }
        }
    }
    println!("{decided} decided, {refused} refused");
    // Envoy joins folded lines and accepts a bare LF; it rejects most of the others.
    assert!(decided >= 10 && refused >= 20, "{decided}, {refused}");
    let next = send_lines(&testbed, INSIDE, "x-a: 1").await;
    assert_eq!(next.reached()["version"], "v2");
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

#[tokio::test]
async fn a_padded_or_folded_account_is_the_same_account_or_malformed() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| {
        b.concurrency(1)
    })
    .await;
    // White space around a header's value is not part of it.
    for (what, value) in [
        ("padded", format!("   {INSIDE}   ")),
        ("padded by tabs", format!("\t{INSIDE}\t ")),
        ("not padded at all", INSIDE.to_owned()),
    ] {
        let outcome = send_account(&testbed, &value).await;
        assert_eq!(outcome.reached()["version"], "v2", "{what}");
    }
    for (what, value) in [
        ("a space that HTTP does not know", format!("\u{a0}{INSIDE}")),
        ("a space of no width", format!("{INSIDE}\u{200b}")),
        ("a comma behind it", format!("{INSIDE},")),
        ("a comma before it", format!(",{INSIDE}")),
        ("in quotes", format!("\"{INSIDE}\"")),
        ("with a parameter", format!("{INSIDE};q=1")),
        ("escaped", INSIDE.replacen("AC", "%41C", 1)),
        ("digits that are none", INSIDE.replacen('7', "\u{ff17}", 1)),
        ("a fold inside", INSIDE.replacen("73", "7\r\n 3", 1)),
        (
            "a second one in the fold",
            format!("{OUTSIDE}\r\n {INSIDE}"),
        ),
        ("NUL behind it", format!("{INSIDE}\0")),
        ("DEL behind it", format!("{INSIDE}\x7f")),
    ] {
        let outcome = send_account(&testbed, &value).await;
        if !outcome.is_refused() {
            assert_eq!(outcome.reached()["version"], "v1", "{what}: {outcome:?}");
        }
    }
    // A fold alone may be read as a space before the value.
    let folded = send_account(&testbed, &format!("\r\n {INSIDE}")).await;
    assert!(
        folded.is_refused() || folded.reached()["version"] == "v2",
        "{folded:?}"
    );
    let decisions = testbed.decisions().await;
    let of_others = |(name, count): &(&String, &u64)| {
        **count > 0 && !["chat.v2.rule", "chat.v1.malformed_account"].contains(&name.as_str())
    };
    assert_eq!(decisions.iter().find(of_others), None, "{decisions:?}");
}

async fn send_lines(testbed: &Testbed, account: &str, lines: &str) -> Outcome {
    let request = format!(
        "GET /v1/Channels HTTP/1.1\r\nhost: a\r\nx-account-sid: {account}\r\nx-b: 1\r\n{lines}\r\n\r\n"
    );
    send(testbed, request.as_bytes()).await
}

async fn send_account(testbed: &Testbed, value: &str) -> Outcome {
    let request = format!("GET /v1/Channels HTTP/1.1\r\nhost: a\r\nx-account-sid:{value}\r\n\r\n");
    send(testbed, request.as_bytes()).await
}
