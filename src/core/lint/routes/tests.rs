//! Tests rollouts with routes that change their requests.

use super::*;
use crate::lint::{Options, lint};

fn policy(mode: &str, rewrite: &str) -> String {
    format!(
        r#"{{"version": 1, "account": {{"from": [{{"header": "a"}}], "format": "sid"}},
             "rollouts": [{{"name": "r", "v1": "one", "v2": "two", "mode": "{mode}",
               "match": {{"hosts": ["api.example.com"], "path": {{"prefix": "/api/"}}}},
               "rules": [{{"accounts": 5}}], "shadow": {{"requests": 5{rewrite}}}}}]}}"#
    )
}

fn found(policy: &str, routes: &[Route]) -> Vec<(String, String)> {
    let proxies = [ProxyRoutes {
        proxy: "p".into(),
        routes: routes.to_vec(),
        ..ProxyRoutes::default()
    }];
    let options = Options {
        routes: &proxies,
        ..Options::default()
    };
    let diagnostics = lint(policy.as_bytes(), &options);
    let found = diagnostics.as_slice().iter();
    let text = |d: &crate::Diagnostic| {
        (
            d.code().to_owned(),
            format!("{}; {}", d.problem, d.problem.help()),
        )
    };
    found.map(text).collect()
}

fn route(prefix: &str, target: Target, changes: &[RouteChange]) -> Route {
    Route {
        name: "route 1 of `all`".into(),
        domains: vec!["*".into()],
        path: RoutePath::Prefix(prefix.into()),
        target,
        changes: changes.to_vec(),
        ..Route::default()
    }
}

fn prefix(from: &str, to: &str) -> RouteChange {
    RouteChange::Prefix {
        from: from.into(),
        to: to.into(),
    }
}

#[test]
fn a_route_that_rewrites_is_warned_of_until_it_is_declared() {
    let header = |name: &str, value: Option<&str>| RouteChange::Header {
        name: name.into(),
        value: value.map(str::to_owned),
    };
    for (changes, declaration) in [
        (
            vec![prefix("/api/", "/")],
            r#""prefix": { "from": "/api/", "to": "/" }"#,
        ),
        // The warning about a wider route names the paths of the rollout.
        (
            vec![prefix("/", "/x/")],
            r#""prefix": { "from": "/api/", "to": "/x/api/" }"#,
        ),
        (
            vec![RouteChange::Host("v1.internal".into())],
            r#""host": "v1.internal""#,
        ),
        (
            vec![header("X-Added", Some("a\"b")), header("x-gone", None)],
            r#""headers": { "x-added": "a\"b", "x-gone": null }"#,
        ),
        (
            vec![
                prefix("/api/", "/"),
                RouteChange::Host("h".into()),
                header("x", Some("1")),
            ],
            r#""prefix": { "from": "/api/", "to": "/" }, "host": "h", "headers": { "x": "1" }"#,
        ),
    ] {
        let routes = [route("/", Target::TurnoutCluster, &changes)];
        let warnings = found(&policy("shadow", ""), &routes);
        let [(code, text)] = warnings.as_slice() else {
            panic!("{warnings:?}");
        };
        assert_eq!(code, "rewritten-request");
        let wanted = format!("write \"rewrite\": {{ {declaration} }} in its `shadow`");
        assert!(text.contains(&wanted), "{text}");
        // The declaration that the warning names removes the warning.
        let declared = policy("shadow", &format!(", \"rewrite\": {{ {declaration} }}"));
        assert_eq!(found(&declared, &routes), [], "{declared}");
        // A declared change that no route makes is a warning.
        let plain = [route("/", Target::TurnoutCluster, &[])];
        let warnings = found(&declared, &plain);
        assert!(
            matches!(warnings.as_slice(), [(code, text)] if code == "rewritten-request"
                && text.contains("does not make the changes that `rewrite` declares; remove `rewrite`")),
            "{warnings:?}"
        );
    }
}

#[test]
fn what_cannot_be_declared_and_what_changes_nothing() {
    let regex = RouteChange::Undeclarable("regex_rewrite".into());
    let routes = [route("/", Target::TurnoutCluster, &[regex])];
    let warnings = found(&policy("shadow", ""), &routes);
    assert!(
        warnings[0].1.contains("regex_rewrite cannot be declared"),
        "{warnings:?}"
    );
    let own = RouteChange::Header {
        name: "x-turnout-cluster".into(),
        value: None,
    };
    let same = [route("/", Target::TurnoutCluster, &[prefix("/", "/"), own])];
    assert_eq!(found(&policy("shadow", ""), &same), []);
}

#[test]
fn only_routes_of_the_rollout_count() {
    let rewrite = [prefix("/", "/x/")];
    let one = || Target::Cluster("one".into());
    let served = route("/", Target::TurnoutCluster, &[]);
    let elsewhere = |mut route: Route| {
        route.domains = vec!["other.example.com".into()];
        route
    };
    let with = |domain: &str| Route {
        domains: vec![domain.into()],
        virtual_host: 1,
        ..route("/", one(), &rewrite)
    };
    for (other, count) in [
        // A later route of the virtual host gets no request of the rollout.
        (route("/", one(), &rewrite), 0),
        (elsewhere(with("x")), 0),
        (with("*.example.com"), 1),
        (with("api.example.com:8080"), 1),
        (with("api.*"), 1),
        (with("example.com"), 0),
        (
            Route {
                virtual_host: 1,
                ..route("/other", one(), &rewrite)
            },
            0,
        ),
        (
            Route {
                virtual_host: 1,
                ..route("/api/v1", one(), &[prefix("/api/v1", "/")])
            },
            1,
        ),
        (
            Route {
                virtual_host: 1,
                ..route("/", Target::Cluster("three".into()), &rewrite)
            },
            0,
        ),
        (
            Route {
                virtual_host: 1,
                asks_turnout: true,
                treatment: Some("v1".into()),
                ..route("/", Target::Unknown, &rewrite)
            },
            1,
        ),
    ] {
        let routes = [served.clone(), other];
        assert_eq!(
            found(&policy("shadow", ""), &routes).len(),
            count,
            "{routes:?}"
        );
    }
}

#[test]
fn a_rollout_without_a_route_is_warned_of() {
    let fallback = route("/", Target::Cluster("one".into()), &[]);
    let other = route("/", Target::Cluster("three".into()), &[]);
    let treated = Route {
        asks_turnout: true,
        treatment: Some("v2".into()),
        ..route("/", Target::Cluster("three".into()), &[])
    };
    let code = |mode: &str, routes: &[Route]| {
        let found = found(&policy(mode, ""), routes);
        found
            .into_iter()
            .map(|(code, text)| (code, text.contains("to v2;")))
            .collect::<Vec<_>>()
    };
    let unrouted = |to_v2| [("unrouted-rollout".to_owned(), to_v2)];
    assert_eq!(code("shadow", &[]), unrouted(false));
    assert_eq!(code("shadow", &[other]), unrouted(false));
    assert_eq!(code("shadow", std::slice::from_ref(&fallback)), []);
    assert_eq!(
        code("split", std::slice::from_ref(&fallback)),
        unrouted(true)
    );
    assert_eq!(code("split", &[treated, fallback]), []);
    assert_eq!(code("off", &[]), []);
}

/// The order is Envoy's: the name, `*suffix`, `prefix*`, `*`; the longer of two of the same kind.
#[test]
fn a_request_is_of_the_virtual_host_whose_domain_says_most() {
    let closer = [
        "api.example.com",
        "*.example.com",
        "*.com",
        "api.example.*",
        "api.*",
        "*",
    ];
    let with = |number: usize, domain: &str, target: Target, changes: &[RouteChange]| Route {
        virtual_host: number,
        domains: vec![domain.into()],
        ..route("/", target, changes)
    };
    let rewrite = [prefix("/", "/x/")];
    for (place, close) in closer.iter().enumerate() {
        for far in closer.iter().skip(place + 1) {
            for is_first in [true, false] {
                // If the closer one serves the rollout, the other one does not matter.
                let good = with(0, close, Target::TurnoutCluster, &[]);
                let bad = with(1, far, Target::TurnoutCluster, &rewrite);
                let mut routes = [good, bad];
                if !is_first {
                    routes.reverse();
                }
                assert_eq!(found(&policy("shadow", ""), &routes), [], "{close} {far}");
                // If the closer one does not serve it, the other one does not help.
                let none = with(0, close, Target::Cluster("three".into()), &[]);
                let other = with(1, far, Target::TurnoutCluster, &[]);
                let mut routes = [none, other];
                if !is_first {
                    routes.reverse();
                }
                let found = found(&policy("split", ""), &routes);
                assert_eq!(found.len(), 1, "{close} {far}: {found:?}");
                assert_eq!(found[0].0, "unrouted-rollout");
            }
        }
    }
    // The virtual hosts of another listener are separate.
    let http = with(0, "api.example.com", Target::TurnoutCluster, &[]);
    let mut other = with(1, "*", Target::TurnoutCluster, &rewrite);
    other.configuration = 1;
    assert_eq!(found(&policy("shadow", ""), &[http, other]).len(), 1);
    // A star matches at least one character.
    let star = with(0, "*api.example.com", Target::TurnoutCluster, &[]);
    assert_eq!(found(&policy("split", ""), &[star]).len(), 1);
}

#[test]
fn a_path_is_compared_as_the_route_compares_it() {
    let with = |path: RoutePath, ignores_case: bool| Route {
        path,
        ignores_case,
        ..route("/", Target::TurnoutCluster, &[])
    };
    let segments = |path: &str| RoutePath::Segments(path.into());
    let begin = |path: &str| RoutePath::Prefix(path.into());
    for (path, ignores_case, is_served) in [
        (segments("/api"), false, true),
        (segments("/api/v1"), false, true),
        (segments("/ap"), false, false),
        (segments("/API"), false, false),
        (segments("/API"), true, true),
        (begin("/ap"), false, true),
        (begin("/API/"), false, false),
        (begin("/API/"), true, true),
        (RoutePath::Exact("/API/x".into()), true, true),
        (RoutePath::Exact("/apix".into()), true, false),
    ] {
        let route = with(path, ignores_case);
        let found = found(&policy("split", ""), std::slice::from_ref(&route));
        assert_eq!(found.is_empty(), is_served, "{route:?}");
    }
}

#[test]
fn what_the_proxy_answers_reaches_no_version_and_what_cannot_be_read_is_no_proof() {
    let served = route("/", Target::TurnoutCluster, &[]);
    let closed = route("/api/", Target::Proxy, &[]);
    let split = policy("split", "");
    assert_eq!(found(&split, &[closed.clone(), served.clone()]).len(), 1);
    assert_eq!(found(&split, &[served, closed.clone()]), []);
    let partly = Route {
        asks_more: true,
        ..closed
    };
    assert_eq!(
        found(&split, &[partly, route("/", Target::TurnoutCluster, &[])]),
        []
    );
    // A plugin, another header, or a matcher may lead anywhere.
    let fallback = route("/", Target::Cluster("one".into()), &[]);
    let unknown = Route {
        path: RoutePath::Unknown,
        ..route("/", Target::Unknown, &[])
    };
    assert_eq!(found(&split, &[unknown, fallback]), []);
}

#[test]
fn a_hostile_name_is_escaped() {
    let mut hostile = route(
        "/",
        Target::TurnoutCluster,
        &[RouteChange::Host("\u{1b}[2J".into())],
    );
    hostile.name = "\u{202e}route".into();
    for (_, text) in found(&policy("shadow", ""), &[hostile]) {
        assert!(text.chars().all(turnout_text::is_visible), "{text:?}");
    }
}
