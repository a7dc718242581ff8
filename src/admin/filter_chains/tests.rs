//! Dumps with two Turnout filters in one chain, and dumps that only look so.

use super::*;
use serde_json::json;

const TYPES: &str = "type.googleapis.com";

fn policy() -> Value {
    json!({ "inbound": "strip", "policy": { "version": 1, "revision": "r",
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" }, "rollouts": [] } })
}

fn any(kind: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    json!({ "@type": format!("{TYPES}/google.protobuf.{kind}"), "value": value })
}

fn as_text() -> Value {
    any("StringValue", json!(policy().to_string()))
}

fn wasm_of(plugin: &str, configuration: &Value) -> Value {
    json!({ "@type": format!("{TYPES}{WASM}"),
        "config": { "name": plugin, "configuration": configuration } })
}

/// A filter with Turnout's configuration as a text.
fn turnout(name: &str) -> Value {
    json!({ "name": name, "typed_config": wasm_of(name, &as_text()) })
}

fn discovered(name: &str) -> Value {
    json!({ "name": name, "config_discovery": { "config_source": {} } })
}

fn disabled(mut filter: Value) -> Value {
    filter["disabled"] = json!(true);
    filter
}

fn router() -> Value {
    json!({ "name": "router", "typed_config": { "@type": format!("{TYPES}/envoy.Router") } })
}

fn chain(filters: &[Value]) -> Value {
    json!({ "filters": [{ "name": "tcp" }, { "name": "hcm", "typed_config": { "http_filters": filters } }] })
}

fn static_dump(listeners: &[Value], others: &[Value]) -> String {
    let listeners: Vec<_> = listeners.iter().map(|l| json!({ "listener": l })).collect();
    let listeners = json!({ "static_listeners": listeners });
    let configs = [&[listeners], others].concat();
    json!({ "configs": configs }).to_string()
}

/// The names and places of the pairs in one chain of the listener `http`.
fn pairs_beside(filters: &[Value], others: &[Value]) -> Vec<(usize, String, usize, String)> {
    let listener = json!({ "name": "http", "filter_chains": [chain(filters)] });
    let found = two_turnouts(static_dump(&[listener], others).as_bytes());
    assert!(found.iter().all(|two| two.listener == "http"));
    let pair = |two: TwoTurnouts| {
        let TwoTurnouts { earlier, later, .. } = two;
        (earlier.place, earlier.name, later.place, later.name)
    };
    found.into_iter().map(pair).collect()
}

fn pairs(filters: &[Value]) -> Vec<(usize, String, usize, String)> {
    pairs_beside(filters, &[])
}

fn pair(earlier: (usize, &str), later: (usize, &str)) -> (usize, String, usize, String) {
    (earlier.0, earlier.1.into(), later.0, later.1.into())
}

#[test]
fn two_filters_in_one_chain_are_found_however_their_configuration_is_written() {
    let encoded = STANDARD.encode(policy().to_string());
    let typed_struct = |kind: &str| {
        json!({ "@type": format!("{TYPES}{kind}"), "type_url": format!("{TYPES}{WASM}"),
            "value": { "config": { "name": "b", "configuration": as_text() } } })
    };
    for typed_config in [
        wasm_of("b", &as_text()),
        wasm_of("b", &any("Struct", policy())),
        wasm_of("b", &any("BytesValue", json!(encoded))),
        typed_struct(TYPED_STRUCT[0]),
        typed_struct(TYPED_STRUCT[1]),
    ] {
        let other = json!({ "name": "b", "typed_config": typed_config });
        let chain = [turnout("a"), json!({ "name": "cors" }), other, router()];
        assert_eq!(pairs(&chain), [pair((1, "a"), (3, "b"))], "{typed_config}");
    }
    // Of one name, and of three each with the one before.
    let same = [turnout("a"), turnout("a"), router()];
    assert_eq!(pairs(&same), [pair((1, "a"), (2, "a"))]);
    let three = [turnout("a"), turnout("b"), turnout("c")];
    let expected = [pair((1, "a"), (2, "b")), pair((2, "b"), (3, "c"))];
    assert_eq!(pairs(&three), expected);
}

#[test]
fn a_discovered_filter_is_what_the_dump_says_that_was_discovered() {
    let given = |filter: &Value| json!({ "ecds_filters": [{ "version_info": "r", "ecds_filter": filter }] });
    let named = |name: &str| {
        let mut filter = turnout(name);
        filter["@type"] = json!(format!("{TYPES}/envoy.config.core.v3.TypedExtensionConfig"));
        filter
    };
    let other = |name: &str| json!({ "name": name, "typed_config": wasm_of("x", &any("StringValue", json!("allow"))) });
    let chain = [turnout("a"), discovered("b"), router()];
    let found = [pair((1, "a"), (2, "b"))];
    assert_eq!(pairs_beside(&chain, &[given(&named("b"))]), found);
    // The dump says nothing of it, or that it is another filter.
    assert_eq!(pairs_beside(&chain, &[]), []);
    assert_eq!(pairs_beside(&chain, &[given(&named("c"))]), []);
    assert_eq!(pairs_beside(&chain, &[given(&other("b"))]), []);
    // Two sources give two filters of this name.
    for both in [[named("b"), other("b")], [other("b"), named("b")]] {
        assert_eq!(pairs_beside(&chain, &both.map(|one| given(&one))), []);
    }
    // The default is in use until one is delivered.
    let mut by_default = discovered("b");
    by_default["config_discovery"]["default_config"] = wasm_of("b", &as_text());
    let chain = [turnout("a"), by_default, router()];
    assert_eq!(pairs(&chain), found);
    assert_eq!(pairs_beside(&chain, &[given(&other("b"))]), []);
    let both = [discovered("b"), discovered("b"), router()];
    let expected = [pair((1, "b"), (2, "b"))];
    assert_eq!(pairs_beside(&both, &[given(&named("b"))]), expected);
}

#[test]
fn a_filter_that_is_disabled_does_not_count() {
    assert_eq!(pairs(&[disabled(turnout("a")), turnout("b")]), []);
    assert_eq!(pairs(&[turnout("a"), disabled(turnout("b"))]), []);
    assert_eq!(pairs(&["a", "b", "c"].map(turnout).map(disabled)), []);
    let around = [turnout("a"), disabled(turnout("b")), turnout("c")];
    assert_eq!(pairs(&around), [pair((1, "a"), (3, "c"))]);
    let mut enabled = turnout("a");
    enabled["disabled"] = json!(false);
    assert_eq!(pairs(&[enabled, turnout("b")]).len(), 1);
    // A route takes one of them out of the chain.
    let routes = |name: &str, disabled: bool| {
        let config = json!({ "@type": "FilterConfig", "disabled": disabled });
        json!({ "dynamic_route_configs": [{ "route_config": { "virtual_hosts": [{ "routes": [
            { "typed_per_filter_config": { name: config } }] }] } }] })
    };
    let chain = [turnout("a"), turnout("b")];
    for name in ["a", "b"] {
        assert_eq!(pairs_beside(&chain, &[routes(name, true)]), []);
        assert_eq!(pairs_beside(&chain, &[routes(name, false)]).len(), 1);
    }
    assert_eq!(pairs_beside(&chain, &[routes("c", true)]).len(), 1);
}

#[test]
fn one_filter_in_each_of_two_chains_or_listeners_is_fine() {
    let one = chain(&[turnout("turnout"), router()]);
    let listener = json!({ "name": "a", "filter_chains": [one, one], "default_filter_chain": one });
    assert_eq!(
        two_turnouts(static_dump(&[listener.clone(), listener], &[]).as_bytes()),
        []
    );
}

#[test]
fn every_chain_of_every_listener_in_use_is_looked_at() {
    let (one, two) = (chain(&[turnout("a")]), chain(&[turnout("a"), turnout("b")]));
    let address = json!({ "socket_address": { "address": "0.0.0.0", "port_value": 443 } });
    for (listener, name) in [
        (json!({ "name": "n", "filter_chains": [one, two] }), "n"),
        (
            json!({ "address": address, "default_filter_chain": two }),
            "0.0.0.0:443",
        ),
        (json!({ "filter_chains": [two] }), "number 1"),
    ] {
        let found = two_turnouts(static_dump(std::slice::from_ref(&listener), &[]).as_bytes());
        assert!(
            matches!(found.as_slice(), [two] if two.listener == name),
            "{found:?}"
        );
        for (state, is_used) in [
            ("active_state", true),
            ("warming_state", false),
            ("draining_state", false),
        ] {
            let dynamic =
                json!({ "dynamic_listeners": [{ "name": "n", state: { "listener": listener } }] });
            let found = two_turnouts(json!({ "configs": [dynamic] }).to_string().as_bytes());
            assert_eq!(found.len(), usize::from(is_used), "{state}");
        }
    }
}

#[test]
fn what_is_not_turnout_or_not_shown_is_passed_over() {
    let text = |text: &str| any("StringValue", json!(text));
    let mut lua = turnout("b");
    lua["typed_config"]["@type"] =
        json!(format!("{TYPES}/envoy.extensions.filters.http.lua.v3.Lua"));
    let wasm =
        |configuration: Value| json!({ "name": "b", "typed_config": wasm_of("b", &configuration) });
    let composite = json!({ "name": "b", "typed_config": {
        "@type": format!("{TYPES}/envoy.extensions.common.matching.v3.ExtensionWithMatcher"),
        "extension_config": turnout("b") } });
    for other in [
        lua,
        composite,
        wasm(text("allow")),
        wasm(text("{\"policy\": {\"version\": 7}}")),
        wasm(text("")),
        wasm(any("BytesValue", json!("***"))),
        wasm(any("Struct", json!({ "rules": [] }))),
        wasm(any("Struct", json!(7))),
        wasm(json!("{}")),
        wasm(Value::Null),
        json!({ "name": "b" }),
        json!({ "name": 7, "typed_config": "x" }),
        json!("b"),
        Value::Null,
    ] {
        assert_eq!(pairs(&[turnout("a"), other.clone()]), [], "{other}");
    }
}

#[test]
fn garbage_has_no_chains() {
    let deep = format!(
        r#"{{"configs": [{{"static_listeners": {}"#,
        "[".repeat(100_000)
    );
    for dump in [
        "",
        "[]",
        "7",
        "{}",
        "\u{1b}[2J",
        r#"{"configs": 7}"#,
        r#"{"configs": [7]}"#,
        r#"{"configs": [{"static_listeners": 7, "dynamic_listeners": {}, "ecds_filters": "x"}]}"#,
        r#"{"configs": [{"static_listeners": [7, {"listener": 7}, {"listener": {"filter_chains": {}}}]}]}"#,
        r#"{"configs": [{"dynamic_listeners": [{"active_state": {"listener": {"filter_chains": [{"filters": [7]}]}}}]}]}"#,
        &deep,
    ] {
        assert_eq!(two_turnouts(dump.as_bytes()), [], "{dump:.60}");
    }
}
