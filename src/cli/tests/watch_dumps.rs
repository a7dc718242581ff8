//! `turnout watch` finds the policy in any section of a config dump, and recognises addresses that are not an
//! admin endpoint of Envoy.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

#[expect(dead_code, reason = "what else a proxy does, other tests need")]
#[path = "common/admin.rs"]
mod admin;
mod common;

use std::process::Output;

use admin::Admin;
use serde_json::{Value, json};
use turnout_core::Revision;

fn number(revision: &str) -> u64 {
    Revision::from_name(revision).expect("a revision").number()
}

fn configuration(revision: &str) -> String {
    format!(
        r#"{{"inbound":"strip","policy":{{"version":1,"revision":"{revision}",
            "account":{{"from":[{{"header":"x-account-sid"}}],"format":"sid"}},
            "rollouts":[{{"name":"chat","v1":"a","v2":"b","mode":"split","rules":[{{"accounts":12.5}}]}}]}}}}"#
    )
}

fn text(revision: &str) -> Value {
    json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration(revision) })
}

/// The filter as in Envoy's config dump.
fn wasm(configuration: &Value) -> Value {
    json!({
        "name": "envoy.filters.http.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": { "name": "turnout", "configuration": configuration },
        },
    })
}

fn listener(filters: &[Value]) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": { "http_filters": filters, "route_config": { "name": "http" } },
        }] }],
    })
}

/// An Envoy whose filter runs this revision, with these sections of the config dump. For a section that it does
/// not have, it responds like Envoy 1.40.
fn envoy(revision: Option<&str>, parts: &[(&'static str, Value)]) -> Admin {
    let counters = match revision {
        Some(revision) => format!(
            "server.uptime: 7\nwasmcustom.turnout.revision.turnout: {}\n\
             wasmcustom.turnout.decisions.chat.v2.rule: 3\n",
            number(revision)
        ),
        None => "server.uptime: 7\n".to_owned(),
    };
    let parts = parts.to_vec();
    Admin::serving(move |page| match page.split_once("/config_dump") {
        None if page.starts_with("/stats") => (200, counters.clone()),
        None => (404, "not an admin endpoint".into()),
        Some((_, query)) => {
            let wanted = query.strip_prefix("?resource=");
            let asked = |(part, _): &&(&str, Value)| wanted.is_none_or(|wanted| wanted == *part);
            let found: Vec<Value> = parts
                .iter()
                .filter(asked)
                .map(|(_, value)| value.clone())
                .collect();
            match (found.is_empty(), wanted) {
                (true, Some(part)) => (404, format!("{part} not found in config dump")),
                _ => (200, json!({ "configs": found }).to_string()),
            }
        }
    })
}

fn watch(admin: &str, form: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let line = ["watch", "--interval", "100ms", "--once", "--admin", admin];
    let form: &[&str] = if form.is_empty() { &[] } else { &[form] };
    common::turnout(folder.path(), &[&line, form].concat(), "")
}

fn view(admin: &Admin) -> Value {
    let ended = watch(&admin.address, "--json");
    serde_json::from_slice(&ended.stdout).expect("JSON")
}

/// The report in one line.
fn report(admin: &Admin) -> (String, Option<i32>) {
    let ended = watch(&admin.address, "");
    let report = String::from_utf8(ended.stdout).expect("UTF-8");
    let words: Vec<&str> = report.split_whitespace().collect();
    (words.join(" "), ended.status.code())
}

#[track_caller]
fn shows(admin: &Admin, revision: &str) {
    let view = view(admin);
    let at = |pointer| view.pointer(pointer);
    assert_eq!(at("/proxies/0/note"), Some(&Value::Null), "{view}");
    assert_eq!(at("/proxies/0/revision"), Some(&json!(revision)), "{view}");
    let accounts = "/rollouts/0/policies/0/served_accounts_millionths";
    assert_eq!(at(accounts), Some(&json!(12_500_000)), "{view}");
    let (report, code) = report(admin);
    assert_eq!(code, Some(0), "{report}");
    let printed = report.replace(&admin.address, "");
    assert!(
        !printed.contains("404") && !printed.contains('!'),
        "{report}"
    );
}

#[test]
fn the_policy_is_read_from_every_part_that_may_have_it() {
    let filter = || wasm(&text("r7"));
    let structured: Value = serde_json::from_str(&configuration("r7")).expect("JSON");
    let structured =
        json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": structured });
    let bytes = json!({
        "@type": "type.googleapis.com/google.protobuf.BytesValue",
        "value": base64(configuration("r7").as_bytes()),
    });
    let matched = json!({
        "name": "composite",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            "extension_config": { "name": "composite", "typed_config": {} },
            "xds_matcher": { "on_no_match": { "action": { "typed_config": { "typed_config": filter() } } } },
        },
    });
    let typed_struct = json!({
        "name": "turnout",
        "typed_config": {
            "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
            "type_url": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "value": { "config": { "configuration": text("r7") } },
        },
    });
    let mut disabled = filter();
    disabled["disabled"] = json!(true);
    let by_default = json!({ "name": "turnout", "config_discovery": { "default_config": filter()["typed_config"] } });
    for filter in [
        filter(),
        wasm(&structured),
        wasm(&bytes),
        matched,
        typed_struct,
        disabled,
        by_default,
    ] {
        let inside = listener(&[json!({ "name": "cors" }), filter.clone()]);
        for part in [
            ("static_listeners", json!({ "listener": inside })),
            (
                "dynamic_listeners",
                json!({ "name": "in", "active_state": { "listener": inside } }),
            ),
            ("ecds_filters", json!({ "ecds_filter": filter })),
            // A section that is not requested by name.
            (
                "dynamic_active_clusters",
                json!({ "cluster": { "http_filters": [filter] } }),
            ),
        ] {
            shows(&envoy(Some("r7"), &[part]), "r7");
        }
    }
}

#[test]
fn the_active_policy_is_distinguished_from_rejected_and_pending_ones() {
    let of = |revision: &str| listener(&[wasm(&text(revision))]);
    let warming = json!({
        "active_state": { "listener": of("r7") },
        "warming_state": { "listener": of("r8") },
        "draining_state": { "listener": of("r6") },
        "error_state": { "failed_configuration": of("r9") },
    });
    shows(&envoy(Some("r7"), &[("dynamic_listeners", warming)]), "r7");
}

#[test]
fn of_several_policies_watch_names_the_one_that_it_shows() {
    let of = |revision: &str| json!({ "listener": listener(&[wasm(&text(revision))]) });
    let several = [
        ("static_listeners", of("r7")),
        ("dynamic_listeners", json!({ "active_state": of("r8") })),
        ("ecds_filters", json!({ "ecds_filter": wasm(&text("r9")) })),
    ];
    let view = view(&envoy(Some("r8"), &several));
    assert_eq!(view.pointer("/proxies/0/revision"), Some(&json!("r8")));
    let note = view
        .pointer("/proxies/0/note")
        .and_then(Value::as_str)
        .unwrap_or_default();
    for part in ["r7", "r8", "r9"] {
        assert!(note.contains(part), "{note}");
    }
    // The same policy in two listeners counts once.
    let same = [
        ("static_listeners", of("r7")),
        ("dynamic_listeners", json!({ "active_state": of("r7") })),
    ];
    shows(&envoy(Some("r7"), &same), "r7");
}

#[test]
fn an_unreadable_configuration_is_reported_and_the_counters_are_shown() {
    for (status, body, part) in [
        (403, "not allowed", "admin.allow_paths"),
        (404, "", "its policy is not in its configuration dump"),
        (500, "", "it responded with 500"),
        (200, "<html>", "is malformed"),
        (200, "{\"configs\": [", "is malformed"),
    ] {
        let counters = format!(
            "server.uptime: 7\nwasmcustom.turnout.revision.turnout: {}\n\
            wasmcustom.turnout.decisions.chat.v2.rule: 3\n",
            number("r7")
        );
        let admin = Admin::serving(move |page| match page.starts_with("/stats") {
            true => (200, counters.clone()),
            false => (status, body.to_owned()),
        });
        let (report, code) = report(&admin);
        assert_eq!(code, Some(0), "{report}");
        assert!(
            report.contains(part) && report.contains("chat"),
            "{part}: {report}"
        );
        assert!(!report.contains("cannot read the stats"), "{report}");
    }
}

#[test]
fn a_filter_without_counters_is_not_reported_as_absent() {
    let configured = json!({ "listener": listener(&[wasm(&text("r7"))]) });
    let (report, _) = report(&envoy(None, &[("static_listeners", configured)]));
    assert!(
        report.contains("r7") && report.contains("stats_matcher"),
        "{report}"
    );
    let empty = json!({ "listener": listener(&[]) });
    let (report, _) = self::report(&envoy(None, &[("static_listeners", empty)]));
    assert!(report.contains("it has no Turnout filter"), "{report}");
}

#[test]
fn an_address_that_is_not_an_admin_endpoint_is_reported() {
    for (status, body) in [
        (404, "no such page"),
        (403, "RBAC: access denied"),
        (503, "upstream connect error"),
        (301, ""),
        (200, "<html>"),
        (200, ""),
        (200, "{\"version\": \"2\", \"state\": \"ok\"}"),
        (200, "requests_total: 7\nuptime: 3\n"),
    ] {
        let admin = Admin::serving(move |_| (status, body.to_owned()));
        let sentence = format!("{} is not an Envoy admin endpoint", admin.address);
        let (report, code) = report(&admin);
        assert_eq!(code, Some(1), "{report}");
        assert!(
            report.contains(&sentence) && report.contains("127.0.0.1:9901"),
            "{report}"
        );
        assert!(!report.contains("NO RESPONSE"), "{report}");
        let view = view(&admin);
        assert_eq!(view.pointer("/proxies/0/responds"), Some(&json!(false)));
        let error = view.pointer("/proxies/0/error").and_then(Value::as_str);
        assert!(
            error.is_some_and(|error| error.contains(&sentence)),
            "{view}"
        );
    }
}

/// Envoy can be configured to omit its own counters.
#[test]
fn an_envoy_without_counters_is_still_recognised() {
    let info = r#"{"version": "1", "state": "LIVE", "command_line_options": {}}"#;
    let admin = Admin::serving(move |page| match page {
        "/server_info" => (200, info.to_owned()),
        page if page.starts_with("/stats") => (200, String::new()),
        _ => (404, String::new()),
    });
    assert_eq!(
        view(&admin).pointer("/proxies/0/responds"),
        Some(&json!(true))
    );
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32, place: u32| {
        let index = usize::try_from((bits >> (18 - 6 * place)) & 63).expect("six bits");
        char::from(*LETTERS.get(index).expect("a letter"))
    };
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        text.extend(
            (0..=three.len()).map(|place| letter(bits, u32::try_from(place).expect("small"))),
        );
        text.extend((three.len()..3).map(|_| '='));
    }
    text
}
