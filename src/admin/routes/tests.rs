//! Dumps as Envoy writes them, and as it does not.

use super::*;

fn routes_of(dump: &str) -> Result<Vec<Route>, String> {
    let mut routes = Vec::new();
    for (configuration, number) in read(dump.as_bytes())?.iter().zip(0..) {
        configuration.add_to(&mut routes, number, "p");
    }
    Ok(routes)
}

fn of_route(route: &str) -> Vec<Route> {
    let dump = format!(
        r#"{{"configs": [{{"@type": "x", "bootstrap": {{}}}}, {{"@type": "RoutesConfigDump",
            "static_route_configs": [{{"route_config": {{"name": "http", "virtual_hosts":
            [{{"name": "all", "domains": ["*"], "routes": [{route}]}}]}}, "last_updated": "x"}}]}}]}}"#
    );
    routes_of(&dump).unwrap()
}

#[test]
fn every_field_that_changes_a_request_is_seen() {
    let prefix = |from: &str, to: &str| RouteChange::Prefix {
        from: from.into(),
        to: to.into(),
    };
    let cannot = |field: &str| RouteChange::Undeclarable(field.into());
    for (matched, action, expected) in [
        (
            r#""prefix": "/api/""#,
            r#""prefix_rewrite": "/""#,
            prefix("/api/", "/"),
        ),
        (
            r#""path_separated_prefix": "/api""#,
            r#""prefix_rewrite": "/x""#,
            prefix("/api", "/x"),
        ),
        (
            r#""path": "/a""#,
            r#""prefix_rewrite": "/b""#,
            prefix("/a", "/b"),
        ),
        (
            r#""safe_regex": {}"#,
            r#""prefix_rewrite": "/b""#,
            cannot("prefix_rewrite"),
        ),
        (
            r#""prefix": "/""#,
            r#""regex_rewrite": {"pattern": {}}"#,
            cannot("regex_rewrite"),
        ),
        (
            r#""prefix": "/""#,
            r#""path_rewrite_policy": {}"#,
            cannot("path_rewrite_policy"),
        ),
        (
            r#""prefix": "/""#,
            r#""path_rewrite": "/x""#,
            cannot("path_rewrite"),
        ),
        (
            r#""prefix": "/""#,
            r#""auto_host_rewrite": true"#,
            cannot("auto_host_rewrite"),
        ),
        (
            r#""prefix": "/""#,
            r#""host_rewrite_header": "h""#,
            cannot("host_rewrite_header"),
        ),
        (
            r#""prefix": "/""#,
            r#""host_rewrite_path_regex": {}"#,
            cannot("host_rewrite_path_regex"),
        ),
        (
            r#""prefix": "/""#,
            r#""append_x_forwarded_host": true"#,
            cannot("append_x_forwarded_host"),
        ),
        (
            r#""prefix": "/""#,
            r#""host_rewrite_literal": "h""#,
            RouteChange::Host("h".into()),
        ),
    ] {
        let routes = of_route(&format!(
            r#"{{"match": {{{matched}}}, "route": {{"cluster": "c", "timeout": "0s", {action}}}}}"#
        ));
        assert_eq!(routes[0].changes, [expected], "{action}");
        assert_eq!(routes[0].target, Target::Cluster("c".into()));
    }
    for nothing in [
        r#""auto_host_rewrite": false"#,
        r#""prefix_rewrite": """#,
        r#""retry_policy": {}"#,
    ] {
        let route =
            format!(r#"{{"match": {{"prefix": "/"}}, "route": {{"cluster": "c", {nothing}}}}}"#);
        assert_eq!(of_route(&route)[0].changes, [], "{nothing}");
    }
}

#[test]
fn headers_of_every_level_are_seen() {
    let added = |name: &str, value: &str| {
        format!(
            r#""request_headers_to_add": [{{"header": {{"key": "{name}", "value": "{value}"}}}}]"#
        )
    };
    let removed = |name: &str| format!(r#""request_headers_to_remove": ["{name}"]"#);
    let dump = format!(
        r#"{{"configs": [{{"dynamic_route_configs": [{{"route_config": {{ {}, {},
            "virtual_hosts": [{{ "domains": ["*"], {}, {}, "routes": [{{
              "match": {{"prefix": "/"}}, {},
              "route": {{"weighted_clusters": {{"clusters": [
                 {{"name": "one", "weight": 1, "host_rewrite_literal": "h", {}}},
                 {{"cluster_header": "X-Turnout-Cluster", {}}}]}}}}
            }}]}}]}}}}]}}]}}"#,
        added("a", "1"),
        removed("b"),
        added("c", "100%%"),
        removed("d"),
        added("e", "%DOWNSTREAM_REMOTE_ADDRESS%"),
        added("f", "2"),
        removed("g"),
    );
    let routes = routes_of(&dump).unwrap();
    let header = |name: &str, value: Option<&str>| RouteChange::Header {
        name: name.into(),
        value: value.map(str::to_owned),
    };
    let common = [
        header("b", None),
        header("a", Some("1")),
        header("d", None),
        header("c", Some("100%")),
        RouteChange::Undeclarable("request_headers_to_add: e".into()),
    ];
    let [one, two] = routes.as_slice() else {
        panic!("{routes:?}");
    };
    let own = [header("f", Some("2")), RouteChange::Host("h".into())];
    assert_eq!(one.changes, [common.as_slice(), &own].concat());
    assert_eq!(
        two.changes,
        [common.as_slice(), &[header("g", None)]].concat()
    );
    assert_eq!(two.target, Target::TurnoutCluster);
}

#[test]
fn what_a_route_asks_for_and_what_is_no_route_of_ours() {
    let routes = of_route(
        r#"{"match": {"prefix": "/a", "headers": [{"name": "x-turnout-treatment", "string_match": {"exact": "v2"}}]},
            "route": {"cluster": "two"}},
           {"match": {"prefix": "/", "headers": [{"name": "X-Turnout-Cluster", "present_match": true}]},
            "route": {"cluster_header": "x-turnout-cluster"}},
           {"match": {"prefix": "/r"}, "redirect": {"path_redirect": "/x"}},
           {"match": {"prefix": "/d"}, "direct_response": {"status": 200}},
           {"name": "last", "match": {"prefix": "/", "headers": [{"name": "x"}], "runtime_fraction": {}},
            "route": {"cluster_specifier_plugin": "p"}}"#,
    );
    let [treated, header, redirect, answer, last] = routes.as_slice() else {
        panic!("{routes:?}");
    };
    assert_eq!(
        (treated.treatment.as_deref(), treated.asks_turnout),
        (Some("v2"), true)
    );
    assert_eq!(
        (&header.target, header.asks_turnout),
        (&Target::TurnoutCluster, true)
    );
    assert!(header.cluster.is_none() && !header.asks_more);
    assert_eq!(
        (&redirect.target, &answer.target),
        (&Target::Proxy, &Target::Proxy)
    );
    assert_eq!(answer.path, RoutePath::Prefix("/d".into()));
    assert_eq!((&last.target, last.asks_more), (&Target::Unknown, true));
    assert_eq!(
        last.name,
        "route 5 (last) of the virtual host all of http at p"
    );
    assert!(routes.iter().all(|route| route.virtual_host == 0));
}

#[test]
fn scoped_routes_are_read_and_virtual_hosts_kept_apart() {
    let configuration = r#"{"virtual_hosts": [
        {"domains": ["a"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]},
        {"domains": ["b"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]}]}"#;
    let dump = format!(
        r#"{{"configs": [{{"inline_scoped_route_configs": [{{"scoped_route_configs":
            [{{"route_configuration": {configuration}}}]}}]}},
            {{"static_route_configs": [{{"route_config": {configuration}}}, {{}}]}}]}}"#
    );
    let routes = routes_of(&dump).unwrap();
    let mut hosts: Vec<usize> = routes.iter().map(|route| route.virtual_host).collect();
    assert_eq!(hosts.len(), 4);
    hosts.dedup();
    assert_eq!(hosts.len(), 4);
    let configurations: Vec<usize> = routes.iter().map(|route| route.configuration).collect();
    assert_eq!(configurations, [0, 0, 1, 1]);
}

#[test]
fn how_a_path_is_compared_and_what_no_list_of_routes_says_is_seen() {
    let routes = of_route(
        r#"{"match": {"path_separated_prefix": "/a"}, "route": {"cluster": "c"}},
           {"match": {"prefix": "/A", "case_sensitive": false}, "route": {"cluster": "c"}}"#,
    );
    assert_eq!(routes[0].path, RoutePath::Segments("/a".into()));
    assert!(!routes[0].ignores_case && routes[1].ignores_case);
    let dump = r#"{"configs": [{"static_route_configs": [{"route_config": {"name": "http",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "matcher": {"matcher_tree": {}}}]}}]}]}"#;
    let routes = routes_of(dump).unwrap();
    assert_eq!(
        routes[0].name,
        "the matcher of the virtual host all of http at p"
    );
    assert_eq!(
        (&routes[0].target, &routes[0].path),
        (&Target::Unknown, &RoutePath::Unknown)
    );
}

#[test]
fn garbage_is_a_sentence() {
    for dump in [
        "",
        "[]",
        "{}",
        "\u{1b}[2J",
        r#"{"configs": 7}"#,
        r#"{"configs": [{"static_route_configs": 7}]}"#,
    ] {
        let error = routes_of(dump).unwrap_err();
        assert!(
            error.starts_with("its configuration dump is malformed"),
            "{error}"
        );
        assert!(!error.contains('\u{1b}'), "{error}");
    }
    assert_eq!(routes_of(r#"{"configs": []}"#), Ok(Vec::new()));
}
