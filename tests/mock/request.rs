//! One request, call by call.

use support::mock::{Action, Level, Vm};
use support::wasm::{Build, filter_wasm};
use turnout_core::{Configuration, EmittedHeaders, Inbound, Proxy};

use crate::{configured, gained};

const ACCOUNT: &str = "AC7342e9713fa896e4af00c654c444aada";

const POLICY: &str = r#"{
        "version": 1,
        "account": {"from": [{"header": "x-account-sid"}], "format": "sid"},
        "rollouts": [
            {"name": "r", "match": {"path": {"prefix": "/r"}}, "v1": "a", "v2": "b", "mode": "split",
             "rules": [{}]}
        ]
    }"#;

fn policy(proxy: impl Into<Proxy>) -> Vm {
    configured(&Configuration::to_json(POLICY, proxy))
}

fn request(path: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        (":method", "GET"),
        (":authority", "flex.example.com"),
        (":path", path),
        ("x-account-sid", ACCOUNT),
        ("x-request-id", "2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd"),
    ]
}

#[test]
fn a_decided_request_makes_exactly_these_calls() {
    let exchange = policy(Inbound::Strip)
        .exchange(&request("/r"))
        .expect("no trap");
    assert_eq!(exchange.action, Action::Continue);
    assert_eq!(
        exchange.host_calls,
        [
            "proxy_get_header_map_pairs",
            "proxy_add_header_map_value",
            "proxy_add_header_map_value",
            "proxy_add_header_map_value",
            "proxy_set_property",
        ]
    );
    assert_eq!(exchange.logged()["account"], ACCOUNT);
}

#[test]
fn a_disabled_header_costs_no_call() {
    const ALL: [&str; 3] = [
        "x-turnout-cluster",
        "x-turnout-treatment",
        "x-turnout-decision",
    ];
    for words in [
        &["cluster"][..],
        &["treatment"],
        &["cluster", "decision"],
        &["treatment", "decision"],
    ] {
        let headers = EmittedHeaders::from_words(words.iter().copied()).expect("headers");
        for inbound in [Inbound::Strip, Inbound::Trust] {
            let proxy = Proxy {
                inbound,
                headers,
                ..Proxy::default()
            };
            if !proxy.passes_on() {
                let text = Configuration::to_json(POLICY, proxy);
                let mut vm = Vm::start(&filter_wasm());
                assert!(
                    !vm.configure(text.as_bytes()).expect("no trap"),
                    "{words:?}"
                );
                continue;
            }
            let mut vm = policy(proxy);
            // Headers of the client or of the hop before.
            let mut sent = request("/r");
            sent.extend(ALL.map(|name| (name, "other=v2")));
            let exchange = vm.exchange(&sent).expect("no trap");
            let calls = exchange.host_calls.iter();
            let is_add = |call: &&&str| **call == "proxy_add_header_map_value";
            assert_eq!(calls.filter(is_add).count(), words.len());
            let written = |name: &&str| exchange.header(name).is_some();
            let there: Vec<&str> = ALL.into_iter().filter(|name| written(name)).collect();
            let expected = words.iter().map(|word| format!("x-turnout-{word}"));
            assert_eq!(there, expected.collect::<Vec<_>>(), "{inbound:?}");
            assert_ne!(exchange.header("x-turnout-cluster"), Some("other=v2"));
        }
    }
}

#[test]
fn a_request_without_a_rollout_is_unchanged() {
    let exchange = policy(Inbound::Strip)
        .exchange(&request("/other"))
        .expect("no trap");
    assert_eq!(exchange.header_changes, 0);
}

/// CGI, WSGI and others read both names as one.
#[test]
fn an_account_header_spelled_with_underscores_is_malformed_and_never_absent() {
    let mut vm = policy(Inbound::Strip);
    for name in ["x_account_sid", "x-account_sid"] {
        for alone in [true, false] {
            let mut headers = request("/r");
            match alone {
                true => headers[3].0 = name,
                false => headers.push((name, "ACf0f19c557067cbbe80c46d1fb6dfbdb0")),
            }
            let exchange = vm.exchange(&headers).expect("no trap");
            assert_eq!(exchange.logged()["reason"], "malformed_account", "{name}");
            assert_eq!(exchange.header("x-turnout-treatment"), Some("v1"), "{name}");
        }
    }
}

#[test]
fn forged_headers_are_removed_and_the_route_is_chosen_again() {
    let mut headers = request("/other");
    headers.extend([
        ("x-turnout-cluster", "b"),
        ("x-turnout-cluster", "b"),
        ("X-Turnout-Anything", "1"),
        ("x_turnout_treatment", "v2"),
    ]);
    let exchange = policy(Inbound::Strip).exchange(&headers).expect("no trap");
    let left: Vec<_> = exchange
        .headers
        .entries()
        .iter()
        .map(|(name, _)| &name[..])
        .collect();
    let honest: Vec<_> = headers
        .iter()
        .take(5)
        .map(|(name, _)| name.as_bytes())
        .collect();
    assert_eq!(left, honest);
    assert!(exchange.header_changes > 0);
}

/// We never send trailers, so a trusted hop has no reason to either.
#[test]
fn forged_trailers_are_removed_in_every_spelling_and_others_stay() {
    let forged = [
        "x-turnout-cluster",
        "X-Turnout-Cluster",
        "x-turnout-treatment",
        "x-turnout-treatment",
        "x-turnout-decision",
        "x-turnout-shadow",
        "x-turnout-anything",
        "x-turnout-",
        "x_turnout_treatment",
        "X_Turnout-cluster",
        "x-turnout_decision",
    ];
    let honest = ["x-sum", "x-turnout", "x-turnouts-cluster", "grpc-status"];
    let trailers: Vec<_> = forged
        .iter()
        .zip(honest.iter().cycle())
        .flat_map(|(forged, honest)| [(*forged, "v2"), (*honest, "5")])
        .collect();
    for build in [Build::Whole, Build::Lean] {
        for inbound in [Inbound::Strip, Inbound::Trust] {
            for path in ["/r", "/other"] {
                let mut vm = Vm::start(&build.artifact());
                crate::accept(&mut vm, &Configuration::to_json(POLICY, inbound));
                let stream = vm.request(&request(path), false).expect("no trap");
                let action = vm.request_trailers(&stream, &trailers).expect("no trap");
                assert_eq!(action, Action::Continue);
                let exchange = vm.finish(stream).expect("no trap");
                let names = exchange.trailers.entries().iter().map(|(name, _)| name);
                let names: Vec<_> = names.map(|name| name.escape_ascii().to_string()).collect();
                let expected = honest.iter().cycle().take(forged.len());
                let expected: Vec<_> = expected.map(|name| (*name).to_owned()).collect();
                assert_eq!(names, expected, "{build:?} {inbound:?} {path}");
            }
        }
    }
}

#[test]
fn trailers_without_a_forged_one_are_read_once_and_not_changed() {
    for build in [Build::Whole, Build::Lean] {
        let mut vm = Vm::start(&build.artifact());
        crate::accept(&mut vm, &Configuration::to_json(POLICY, Inbound::Strip));
        let stream = vm.request(&request("/r"), false).expect("no trap");
        let action = vm.request_trailers(&stream, &[("x-sum", "5")]);
        assert_eq!(action.expect("no trap"), Action::Continue);
        let exchange = vm.finish(stream).expect("no trap");
        let (_, of_trailers) = exchange.host_calls.split_at(5);
        assert_eq!(of_trailers, ["proxy_get_header_map_pairs"]);
    }
}

#[test]
fn behind_a_trusted_hop_its_decisions_stay_and_its_routing_does_not() {
    let mut vm = policy(Inbound::Trust);
    let of_the_hop_before = [
        ("x-turnout-cluster", "b"),
        ("x-turnout-treatment", "v2"),
        ("x-turnout-decision", "other=v2"),
        ("x-turnout-decision", "r=v1"),
        ("x-turnout-shadow", "1"),
    ];
    let with = |path| [request(path), of_the_hop_before.to_vec()].concat();

    let exchange = vm.exchange(&with("/r")).expect("no trap");
    assert_eq!(exchange.header_values("x-turnout-cluster"), ["a"]);
    assert_eq!(exchange.header_values("x-turnout-treatment"), ["v1"]);
    assert_eq!(
        exchange.header_values("x-turnout-decision"),
        ["other=v2,r=v1"]
    );
    assert_eq!(exchange.header_values("x-turnout-shadow"), ["1"]);

    let exchange = vm.exchange(&with("/other")).expect("no trap");
    assert_eq!(exchange.header("x-turnout-cluster"), None);
    assert_eq!(exchange.header("x-turnout-treatment"), None);
    assert_eq!(
        exchange.header_values("x-turnout-decision"),
        ["other=v2", "r=v1"]
    );
    assert!(exchange.header_changes > 0);
}

#[test]
fn no_request_writes_a_line_to_the_log() {
    let mut vm = policy(Inbound::Strip);
    vm.set_log_level(Level::Trace);
    vm.drain_log();
    for account in [ACCOUNT, "", "AC", "\0"] {
        let mut headers = request("/r");
        headers[3].1 = account;
        vm.exchange(&headers).expect("no trap");
    }
    assert_eq!(vm.log(), []);
    assert_eq!(
        gained(&mut vm),
        [
            ("turnout.decisions.r.v1.malformed_account".to_owned(), 3),
            ("turnout.decisions.r.v2.rule".to_owned(), 1),
        ]
    );
}
