//! Compares the index with a linear scan of all rollouts.

use proptest::prelude::*;

use super::*;
use crate::plan::path_match::{PathTemplate, TemplateUse};
use crate::plan::request_match::{HeaderMatch, HeaderTest};
use crate::policy::time::Time;
use crate::proxy::decision_header::Inbound;
use crate::request::Request;
use crate::request::headers::Headers;

const HOSTS: &[&str] = &["a", "a.b", "a.bc", "b", "[::1]", "a-b", "a\u{e9}"];
const METHODS: [&str; 2] = ["GET", "POST"];

/// A host out of a few, so that rollouts share hosts.
fn host() -> impl Strategy<Value = String> {
    prop::sample::select(HOSTS).prop_map(str::to_owned)
}

/// A path of a few segments, so that prefixes nest and differ in one character.
fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(&["a", "ab", "b", "", "*", "a.b", "a-b", "\u{e9}"][..]);
    let segments = prop::collection::vec(segment, 1..5);
    segments.prop_map(|segments| format!("/{}", segments.join("/")))
}

fn path_match() -> impl Strategy<Value = PathMatch> {
    (path(), 0..4_u8).prop_map(|(path, kind)| {
        let template = |text: &str| PathTemplate::parse(text, TemplateUse::Match);
        let parsed = match kind {
            0 => return PathMatch::Exact(path),
            1 => return PathMatch::Prefix(path),
            2 => template(&path),
            _ => template(&format!("{}/**", path.trim_end_matches('/'))),
        };
        parsed.map_or(PathMatch::Prefix(path), PathMatch::Template)
    })
}

fn request_match() -> impl Strategy<Value = RequestMatch> {
    let header = || HeaderMatch {
        name: "x-beta".to_owned(),
        test: HeaderTest::Present(true),
    };
    let methods = prop::sample::subsequence(&METHODS[..], 0..2);
    (
        prop::collection::vec(host(), 0..4),
        prop::option::weighted(0.9, path_match()),
        methods,
        prop::bool::weighted(0.2),
    )
        .prop_map(move |(hosts, path, methods, beta)| RequestMatch {
            hosts,
            path,
            methods: methods.into_iter().map(str::to_owned).collect(),
            headers: beta.then(header).into_iter().collect(),
        })
}

/// A host and a path to look up: most resemble those of some `match`, some are arbitrary bytes.
fn lookup() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let anything = || prop::collection::vec(any::<u8>(), 0..12);
    let host = (host(), any::<bool>()).prop_map(|(host, upper)| match upper {
        true => host.to_ascii_uppercase().into_bytes(),
        false => host.into_bytes(),
    });
    let near = (path(), anything()).prop_map(|(path, rest)| [path.into_bytes(), rest].concat());
    let path = prop_oneof![
        4 => path().prop_map(String::into_bytes),
        2 => near,
        1 => anything(),
    ];
    (prop_oneof![6 => host, 1 => anything()], path)
}

fn check(matches: &[RequestMatch], (host, path): &(Vec<u8>, Vec<u8>), method: &str, beta: bool) {
    let beta_header = [(&b"x-beta"[..], &b"1"[..])];
    let headers = Headers::new(if beta { &beta_header } else { &[] });
    let mut request = Request::new(headers, Inbound::Strip, Time::default());
    (request.host, request.path) = (host, path);
    request.method = method.as_bytes();
    let index = RolloutIndex::new(matches);
    let found = index.find_first(host, path, |rollout| {
        matches[rollout].holds_without_host(&request)
    });
    let expected = matches.iter().position(|matches| matches.holds(&request));
    assert_eq!(found, expected, "{host:?} {path:?} of {matches:#?}");
}

proptest! {
    #[test]
    fn the_index_finds_what_a_linear_scan_finds(
        matches in prop::collection::vec(request_match(), 0..30),
        lookups in prop::collection::vec(lookup(), 1..20),
        method in prop::sample::select(&METHODS[..]),
        beta: bool,
    ) {
        for lookup in &lookups {
            check(&matches, lookup, method, beta);
        }
    }
}

fn prefix(text: &str) -> RequestMatch {
    RequestMatch {
        path: Some(PathMatch::Prefix(text.to_owned())),
        ..RequestMatch::default()
    }
}

/// Returns the rollout of a path, and the number of rollouts that were evaluated to find it.
fn find_and_count(matches: &[RequestMatch], path: &str) -> (Option<usize>, usize) {
    let evaluated = std::cell::Cell::new(0);
    let found = RolloutIndex::new(matches).find_first(b"a", path.as_bytes(), |rollout| {
        evaluated.set(usize::saturating_add(evaluated.get(), 1));
        matches[rollout].path_holds(path.as_bytes())
    });
    (found, evaluated.get())
}

#[test]
fn few_of_many_rollouts_are_evaluated() {
    let mut matches: Vec<_> = (0..1_000)
        .map(|n| prefix(&format!("/v1/{n:03}/")))
        .collect();
    assert_eq!(find_and_count(&matches, "/v1/700/a"), (Some(700), 1));
    assert_eq!(find_and_count(&matches, "/v1/"), (None, 0));
    matches.push(prefix("/v1"));
    assert_eq!(find_and_count(&matches, "/v1/700/a"), (Some(700), 1));
    assert_eq!(find_and_count(&matches, "/v1/a"), (Some(1_000), 1));
}

#[test]
fn with_nested_prefixes_the_first_rollout_is_evaluated_first() {
    // Narrow prefixes first, as in a useful policy, and then the reverse order.
    let lengths = 1..=1_000;
    let nested = lengths.map(|length| prefix(&format!("/{}", "a".repeat(length))));
    let mut matches: Vec<_> = nested.rev().collect();
    let path = format!("/{}", "a".repeat(2_000));
    assert_eq!(find_and_count(&matches, &path), (Some(0), 1));
    assert_eq!(find_and_count(&matches, "/aab"), (Some(998), 1));
    matches.reverse();
    assert_eq!(find_and_count(&matches, &path), (Some(0), 1_000));
}

#[test]
fn the_index_does_not_copy_prefixes_for_each_host() {
    let hosts: Vec<String> = (0..1_000).map(|host| format!("h{host}")).collect();
    let one = |rollout: usize| RequestMatch {
        hosts: hosts.clone(),
        ..prefix(&format!("/{}/{rollout}", "a".repeat(1_000)))
    };
    let matches: Vec<RequestMatch> = (0..100).map(one).collect();
    let index = RolloutIndex::new(&matches);
    let nodes = index.by_host.iter().map(|(_, group)| group.nodes.len());
    assert_eq!(nodes.sum::<usize>(), 100_000);
    assert!(size_of::<PrefixNode>() <= 16);
}
