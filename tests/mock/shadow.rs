//! Copies, call by call: when they leave, what becomes of their answers, and that nothing is left.

use harness::mock::{HeaderMap, HttpResponse, Stream, Vm};
use proptest::prelude::*;
use serde_json::{Value, json};
use turnout_core::{Configuration, Inbound};

use crate::{configured, gained};

const ACCOUNT: &str = "AC7342e9713fa896e4af00c654c444aada";
/// Of v1 itself: the proxy's own answers have no such time.
const OK: [(&str, &str); 3] = [
    (":status", "200"),
    ("content-type", "application/json"),
    ("x-envoy-upstream-service-time", "1"),
];

fn policy(shadow: &Value) -> String {
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [{ "name": "r", "v1": "a", "v2": "b", "mode": "shadow", "shadow": shadow }],
    });
    Configuration::to_json(&policy.to_string(), Inbound::Strip)
}

/// A VM that copies every request; `changes` are to its `shadow`.
fn copying(changes: &Value) -> Vm {
    let mut shadow =
        json!({ "requests": 100, "methods": ["GET", "HEAD", "POST"], "back_off_ms": 0 });
    for (field, value) in changes.as_object().expect("fields") {
        shadow[field] = value.clone();
    }
    let mut vm = configured(&policy(&shadow));
    vm.drain_log();
    vm
}

fn request(method: &'static str) -> [(&'static str, &'static str); 6] {
    [
        (":method", method),
        (":authority", "flex.example.com"),
        (":path", "/v1/Channels?page=2"),
        ("x-account-sid", ACCOUNT),
        ("x-request-id", "2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd"),
        ("cookie", "a=b"),
    ]
}

/// A whole request that v1 answers with this body.
fn asked(vm: &mut Vm, v1: &str) {
    let stream = vm.request(&request("GET"), true).expect("no trap");
    answered(vm, stream, v1);
}

fn answered(vm: &mut Vm, stream: Stream, v1: &str) {
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, v1.as_bytes(), true)
        .expect("no trap");
    vm.finish(stream).expect("no trap");
}

/// What comes from v2 itself, and not from the proxy in its place.
fn response(status: &str, body: &[u8]) -> HttpResponse {
    let mut headers =
        HeaderMap::received(&[(":status", status), ("content-type", "application/json")]);
    headers.add("x-envoy-upstream-service-time", b"1");
    HttpResponse {
        headers,
        body: body.to_vec(),
        ..HttpResponse::default()
    }
}

fn tokens(vm: &Vm) -> Vec<u32> {
    vm.http_calls().iter().map(|call| call.token).collect()
}

/// Answers the one call that is under way.
fn answer(vm: &mut Vm, response: HttpResponse) {
    let [token] = tokens(vm)[..] else {
        panic!("{:?}", vm.http_calls());
    };
    vm.answer(token, response).expect("no trap");
}

/// What copies gained: `(name without its prefix, count)`.
fn outcomes(vm: &mut Vm) -> Vec<(String, u64)> {
    gained(vm)
        .into_iter()
        .filter_map(|(name, count)| Some((name.strip_prefix("turnout.shadow")?.to_owned(), count)))
        .collect()
}

fn one(outcome: &str) -> Vec<(String, u64)> {
    vec![(format!(".r.{outcome}"), 1), ("_sampled.r".to_owned(), 1)]
}

#[test]
fn a_copy_leaves_once_the_user_has_the_answer() {
    let mut vm = copying(&json!({ "strip_headers": ["cookie"] }));
    let stream = vm.request(&request("POST"), false).expect("no trap");
    vm.request_body(&stream, b"some ", false).expect("no trap");
    vm.request_body(&stream, b"words", true).expect("no trap");
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, b"{\"a\":", false)
        .expect("no trap");
    vm.response_body(&stream, b"1}", true).expect("no trap");
    assert!(tokens(&vm).is_empty());
    let exchange = vm.finish(stream).expect("no trap");
    assert_eq!(exchange.header("x-turnout-treatment"), Some("v1"));
    assert_eq!(exchange.header("x-turnout-shadow"), None);

    let [call] = vm.http_calls() else {
        panic!("{:?}", vm.http_calls());
    };
    assert_eq!(
        (call.cluster.as_str(), &call.body[..]),
        ("b", &b"some words"[..])
    );
    let expected = [
        (":method", "POST"),
        (":authority", "flex.example.com"),
        (":path", "/v1/Channels?page=2"),
        ("x-account-sid", ACCOUNT),
        ("x-request-id", "2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd"),
        ("accept-encoding", "identity"),
        ("x-turnout-cluster", "b"),
        ("x-turnout-treatment", "v2"),
        ("x-turnout-decision", "r=v2"),
        ("x-turnout-shadow", "1"),
        ("content-length", "10"),
    ];
    assert_eq!(call.headers, HeaderMap::received(&expected));
    assert_eq!(call.timeout, Some(std::time::Duration::from_secs(1)));

    answer(&mut vm, response("200", b"{ \"a\": 1.0 }"));
    assert_eq!(outcomes(&mut vm), one("equal"));
    assert_eq!(vm.unimplemented().len(), 0);
}

#[test]
fn a_copied_request_makes_these_calls_and_no_more() {
    let mut vm = copying(&json!({}));
    vm.tick().expect("no trap");
    vm.drain_root_calls();
    let stream = vm.request(&request("GET"), true).expect("no trap");
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, b"{}", true).expect("no trap");
    let exchange = vm.finish(stream).expect("no trap");
    assert_eq!(
        exchange.host_calls[9..],
        [
            // The request is sampled.
            "proxy_increment_metric",
            "proxy_get_current_time_nanoseconds",
            // v1's answer.
            "proxy_get_header_map_pairs",
            "proxy_get_buffer_bytes",
            "proxy_get_current_time_nanoseconds",
            // v2 is asked.
            "proxy_http_call",
        ]
    );
    answer(&mut vm, response("200", b"{}"));
    assert_eq!(
        vm.drain_root_calls(),
        [
            "proxy_get_current_time_nanoseconds",
            "proxy_get_header_map_pairs",
            "proxy_get_buffer_bytes",
            "proxy_increment_metric",
            "proxy_record_metric",
            "proxy_record_metric",
        ]
    );
}

#[test]
fn with_the_request_it_leaves_before_v1_has_answered() {
    for v2_first in [true, false] {
        let mut vm = copying(&json!({ "send": "with_request" }));
        let stream = vm.request(&request("POST"), false).expect("no trap");
        assert!(tokens(&vm).is_empty());
        vm.request_body(&stream, b"words", true).expect("no trap");
        assert_eq!(tokens(&vm).len(), 1);
        if v2_first {
            answer(&mut vm, response("200", b"[1]"));
            assert_eq!(outcomes(&mut vm), [("_sampled.r".to_owned(), 1)]);
            answered(&mut vm, stream, "[1]");
            assert_eq!(outcomes(&mut vm), [(".r.equal".to_owned(), 1)]);
        } else {
            answered(&mut vm, stream, "[1]");
            answer(&mut vm, response("200", b"[1]"));
            assert_eq!(outcomes(&mut vm), one("equal"));
        }
        assert!(tokens(&vm).is_empty());
    }
}

#[test]
fn every_end_has_an_outcome() {
    let overloaded = || HttpResponse {
        headers: HeaderMap::received(&[(":status", "503"), ("x-envoy-overloaded", "true")]),
        ..HttpResponse::default()
    };
    let local = |status: &str| HttpResponse {
        headers: HeaderMap::received(&[(":status", status)]),
        ..HttpResponse::default()
    };
    for (v2, outcome) in [
        (response("200", b"{}"), "equal"),
        (response("200", &[b' '; 65_537]), "too_large"),
        (response("200", b"{\"a\":1,\"a\":1}"), "not_comparable"),
        // The proxy's own words: nobody answered.
        (local("504"), "timeout"),
        (local("503"), "v2_error"),
        (overloaded(), "dropped_busy"),
    ] {
        let mut vm = copying(&json!({ "recheck": false }));
        asked(&mut vm, "{}");
        answer(&mut vm, v2);
        assert_eq!(outcomes(&mut vm), one(outcome));
    }
    // v2's own words are answers.
    for status in ["504", "503", "500"] {
        let mut vm = copying(&json!({ "recheck": false }));
        asked(&mut vm, "{}");
        answer(&mut vm, response(status, b"{}"));
        assert_eq!(outcomes(&mut vm), one("different"));
    }
    let mut vm = copying(&json!({}));
    asked(&mut vm, "{}");
    let [token] = tokens(&vm)[..] else { panic!() };
    vm.reset_call(token).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("v2_error"));

    vm.remove_cluster("b");
    asked(&mut vm, "{}");
    assert_eq!(outcomes(&mut vm), one("v2_error"));
}

#[test]
fn what_v1_answers_may_not_be_worth_a_copy() {
    let answers: [(&[(&str, &str)], &str); 5] = [
        (&[(":status", "429")], "skipped_v1_busy"),
        (&[(":status", "503")], "skipped_v1_busy"),
        (
            &[(":status", "200"), ("content-type", "text/event-stream")],
            "not_comparable",
        ),
        (
            &[
                (":status", "200"),
                ("content-type", "application/grpc+proto"),
            ],
            "not_comparable",
        ),
        (&[(":status", "200")], "too_large"),
    ];
    for (headers, outcome) in answers {
        let mut vm = copying(&json!({ "max_body_bytes": 10 }));
        let stream = vm.request(&request("GET"), true).expect("no trap");
        vm.response(&stream, headers, false).expect("no trap");
        vm.response_body(&stream, b"six   ", false)
            .expect("no trap");
        vm.response_body(&stream, b"five ", true).expect("no trap");
        vm.finish(stream).expect("no trap");
        assert!(tokens(&vm).is_empty());
        assert_eq!(outcomes(&mut vm), one(outcome));
    }
}

#[test]
fn a_request_that_is_not_whole_is_not_copied() {
    let mut vm = copying(&json!({}));
    // The user leaves: before the body's end, before the answer, within the answer.
    let stream = vm.request(&request("POST"), false).expect("no trap");
    vm.request_body(&stream, b"half", false).expect("no trap");
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_aborted"));
    let stream = vm.request(&request("GET"), true).expect("no trap");
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, b"{", false).expect("no trap");
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_aborted"));
    // v1 has heard enough.
    let stream = vm.request(&request("POST"), false).expect("no trap");
    vm.response(&stream, &[(":status", "413")], true)
        .expect("no trap");
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_early_answer"));
    assert!(tokens(&vm).is_empty());
}

#[test]
fn a_place_is_held_until_the_call_is_over() {
    let mut vm = copying(&json!({ "max_in_flight": 1, "send": "with_request" }));
    let stream = vm.request(&request("GET"), true).expect("no trap");
    assert_eq!(tokens(&vm).len(), 1);
    // It has its outcome, but its call is under way.
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_aborted"));
    asked(&mut vm, "{}");
    assert_eq!(outcomes(&mut vm), one("dropped_busy"));
    answer(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), []);
    asked(&mut vm, "{}");
    answer(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), one("equal"));
}

#[test]
fn a_swap_ends_the_copies_under_way_and_counts_them() {
    let mut vm = copying(&json!({}));
    for _ in 0..5 {
        asked(&mut vm, "{}");
    }
    let open = vm.request(&request("GET"), true).expect("no trap");
    let next = policy(&json!({ "requests": 100 }));
    assert!(vm.configure(next.as_bytes()).expect("no trap"));
    // The one that is open goes on under the policy that it began with.
    assert_eq!(outcomes(&mut vm), [("_sampled.r".to_owned(), 6)]);
    answered(&mut vm, open, "{}");
    let swapped = vec![(".r.skipped_swap".to_owned(), 6)];
    assert_eq!(outcomes(&mut vm), swapped);
    assert_eq!(vm.timers(), 1, "a plugin that is gone ticks no more");
    assert!(tokens(&vm).is_empty());
    asked(&mut vm, "{}");
    answer(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), one("equal"));
}

#[test]
fn what_is_sampled_and_black_holed_takes_bounded_memory() {
    let mut vm = copying(&json!({ "max_in_flight": 16 }));
    let body = vec![b'x'; 60_000];
    let round = |vm: &mut Vm| {
        for _ in 0..2_000 {
            let stream = vm.request(&request("POST"), false).expect("no trap");
            vm.request_body(&stream, &body, true).expect("no trap");
            vm.response(&stream, &OK, false).expect("no trap");
            vm.response_body(&stream, &body, true).expect("no trap");
            vm.finish(stream).expect("no trap");
        }
        assert_eq!(tokens(vm).len(), 16);
        for token in tokens(vm) {
            vm.reset_call(token).expect("no trap");
        }
    };
    let memory: Vec<usize> = (0..6)
        .map(|_| {
            round(&mut vm);
            vm.memory_bytes()
        })
        .collect();
    assert!(memory[5] < 8 << 20, "{memory:?}");
    // What is given back may lie scattered at first.
    assert_eq!(memory[5], memory[2], "{memory:?}");
    let counted = outcomes(&mut vm);
    let count = |name: &str| {
        counted
            .iter()
            .find(|(n, _)| n == name)
            .map_or(0, |(_, c)| *c)
    };
    assert_eq!(count(".r.v2_error"), 96);
    assert_eq!(count(".r.dropped_busy"), 11_904);
    assert_eq!(count("_sampled.r"), 12_000);
}

#[test]
fn what_is_due_is_written_at_a_tick_and_sent_to_the_collector() {
    let configuration =
        policy(&json!({ "requests": 100, "recheck": false, "summary_seconds": 10 }));
    let configuration =
        configuration.replacen("\"version\":1", "\"version\":1,\"collector\":\"c\"", 1);
    let mut vm = configured(&configuration);
    vm.drain_log();
    let start = 1_800_000_000_000_000_000;
    vm.set_time(start);
    vm.tick().expect("no trap");
    asked(&mut vm, r#"{"name": "Alice"}"#);
    answer(&mut vm, response("200", br#"{"name": "Bob"}"#));
    let log = vm.drain_log();
    let [(_, line)] = &log[..] else {
        panic!("{log:?}")
    };
    let record: Value =
        serde_json::from_str(line.strip_prefix("turnout: ").expect("a record")).expect("JSON");
    assert_eq!(record["turnout"], "difference");
    assert_eq!(record["findings"][0]["pointer"], "/name");
    assert!(!line.contains("Alice") && !line.contains("Bob"), "{line}");

    vm.set_time(start + 9_000_000_000);
    vm.tick().expect("no trap");
    assert_eq!(vm.drain_log(), []);
    let [call] = vm.http_calls() else {
        panic!("{:?}", vm.http_calls())
    };
    assert_eq!(
        (call.cluster.as_str(), call.headers.get(":path")),
        ("c", Some(&b"/v1/logs"[..]))
    );
    let export: Value = serde_json::from_slice(&call.body).expect("JSON");
    let records = &export["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    assert_eq!(records.as_array().map(Vec::len), Some(1));
    assert_eq!(records[0]["severityText"], "WARN");
    answer(&mut vm, response("200", b"{}"));

    vm.set_time(start + 10_000_000_000);
    vm.tick().expect("no trap");
    let kinds: Vec<String> = vm
        .drain_log()
        .into_iter()
        .map(|(_, line)| line.chars().take(30).collect())
        .collect();
    assert_eq!(
        kinds,
        [
            r#"turnout: {"turnout":"summary","#,
            r#"turnout: {"turnout":"options","#
        ]
    );
    let [token] = tokens(&vm)[..] else {
        panic!("{:?}", vm.http_calls())
    };
    vm.reset_call(token).expect("no trap");
    let gains = gained(&mut vm);
    let count = |name: &str| gains.iter().find(|(n, _)| n == name).map_or(0, |(_, c)| *c);
    assert_eq!(count("turnout.records.logged"), 3);
    assert_eq!(count("turnout.records.exported"), 1);
    assert_eq!(count("turnout.records.lost"), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever v1 and v2 answer, there is an outcome, and no trap.
    #[test]
    fn answers_of_any_kind_end_a_copy(
        v1 in prop::collection::vec(any::<u8>(), 0..200),
        v2 in prop::collection::vec(any::<u8>(), 0..200),
        headers in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..20)), 0..5),
        status in "[0-9a-z]{0,6}",
    ) {
        thread_local! {
            static VM: std::cell::RefCell<Vm> = std::cell::RefCell::new(copying(&json!({ "recheck": false })));
        }
        VM.with_borrow_mut(|vm| {
            let stream = vm.request(&request("GET"), true).expect("no trap");
            let mut of_v1 = headers.clone();
            of_v1.push((b":status".to_vec(), b"200".to_vec()));
            vm.response(&stream, &of_v1, false).expect("no trap");
            vm.response_body(&stream, &v1, true).expect("no trap");
            vm.finish(stream).expect("no trap");
            let mut of_v2 = response(&status, &v2);
            for (name, value) in &headers {
                of_v2.headers.add(name, value);
            }
            let open = tokens(vm);
            for token in open {
                vm.answer(token, of_v2.clone()).expect("no trap");
            }
            let ended = outcomes(vm).into_iter().filter(|(name, _)| name.starts_with(".r."));
            assert_eq!(ended.map(|(_, count)| count).sum::<u64>(), 1);
        });
    }
}

#[test]
fn copies_may_have_clusters_of_their_own() {
    let mut vm = copying(&json!({ "v1": "c", "v2": "d" }));
    asked(&mut vm, "[1]");
    let mut asked = Vec::new();
    while let [call] = vm.http_calls() {
        let named = call.headers.get("x-turnout-cluster").expect("a cluster");
        assert_eq!(named, call.cluster.as_bytes());
        asked.push(call.cluster.clone());
        answer(&mut vm, response("200", b"[2]"));
    }
    // v2, and v1 for the recheck; what v1 says then is what v2 said.
    assert_eq!(asked, ["d", "c", "d"]);
}

#[test]
fn a_v2_that_fails_is_asked_now_and_then() {
    let mut vm = copying(&json!({ "back_off_ms": 100 }));
    let start = 1_800_000_000_000_000_000;
    vm.set_time(start);
    let fail = |vm: &mut Vm| {
        asked(vm, "{}");
        for token in tokens(vm) {
            vm.reset_call(token).expect("no trap");
        }
    };
    for _ in 0..7 {
        fail(&mut vm);
    }
    // What v1 answers says nothing of v2.
    let stream = vm.request(&request("GET"), true).expect("no trap");
    let events = [(":status", "200"), ("content-type", "text/event-stream")];
    vm.response(&stream, &events, true).expect("no trap");
    vm.finish(stream).expect("no trap");
    for _ in 0..13 {
        fail(&mut vm);
    }
    let expected = [
        (".r.dropped_busy", 12),
        (".r.not_comparable", 1),
        (".r.v2_error", 8),
        ("_sampled.r", 21),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(outcomes(&mut vm), expected);
    // After a while one asks, and nobody beside it.
    vm.set_time(start + 100_000_000);
    asked(&mut vm, "{}");
    asked(&mut vm, "{}");
    assert_eq!(tokens(&vm).len(), 1);
    answer(&mut vm, response("200", b"{}"));
    // It is well again.
    for _ in 0..3 {
        asked(&mut vm, "{}");
    }
    assert_eq!(tokens(&vm).len(), 3);
}
