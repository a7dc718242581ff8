//! Against the plain way: ask one rollout after the other.

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

/// From few texts, so that hosts are shared and have others inside them.
fn host() -> impl Strategy<Value = String> {
    prop::sample::select(HOSTS).prop_map(str::to_owned)
}

/// One inside the other, and beside each other.
fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(&["a", "ab", "b", "", "*", "a.b", "a-b", "\u{e9}"][..]);
    let parts = prop::collection::vec(part, 1..5);
    parts.prop_map(|parts| format!("/{}", parts.join("/")))
}

fn path_match() -> impl Strategy<Value = PathMatch> {
    (path(), 0..4_u8).prop_map(|(path, kind)| {
        let template = |text: &str| PathTemplate::parse(text, TemplateUse::Match);
        let made = match kind {
            0 => return PathMatch::Exact(path),
            1 => return PathMatch::Prefix(path),
            2 => template(&path),
            _ => template(&format!("{}/**", path.trim_end_matches('/'))),
        };
        made.map_or(PathMatch::Prefix(path), PathMatch::Template)
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

/// What is asked for: most is near to what some `match` says, some is anything.
fn asked() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
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
    let found = index.first(host, path, |rollout| {
        matches[rollout].holds_on_its_hosts(&request)
    });
    let plain = matches.iter().position(|matches| matches.holds(&request));
    assert_eq!(found, plain, "{host:?} {path:?} of {matches:#?}");
}

proptest! {
    #[test]
    fn the_index_finds_what_asking_all_finds(
        matches in prop::collection::vec(request_match(), 0..30),
        asked in prop::collection::vec(asked(), 1..20),
        method in prop::sample::select(&METHODS[..]),
        beta: bool,
    ) {
        for asked in &asked {
            check(&matches, asked, method, beta);
        }
    }
}

fn prefix(text: &str) -> RequestMatch {
    RequestMatch {
        path: Some(PathMatch::Prefix(text.to_owned())),
        ..RequestMatch::default()
    }
}

/// How many rollouts are asked for a path until one holds, of those that hold for any path.
fn asked_for(matches: &[RequestMatch], path: &str) -> (Option<usize>, usize) {
    let asked = std::cell::Cell::new(0);
    let found = RolloutIndex::new(matches).first(b"a", path.as_bytes(), |rollout| {
        asked.set(usize::saturating_add(asked.get(), 1));
        matches[rollout].path_holds(path.as_bytes())
    });
    (found, asked.get())
}

#[test]
fn few_are_asked_of_many() {
    let mut matches: Vec<_> = (0..1_000)
        .map(|n| prefix(&format!("/v1/{n:03}/")))
        .collect();
    assert_eq!(asked_for(&matches, "/v1/700/a"), (Some(700), 1));
    assert_eq!(asked_for(&matches, "/v1/"), (None, 0));
    matches.push(prefix("/v1"));
    assert_eq!(asked_for(&matches, "/v1/700/a"), (Some(700), 1));
    assert_eq!(asked_for(&matches, "/v1/a"), (Some(1_000), 1));
}

#[test]
fn one_inside_the_other_the_first_is_found_at_once() {
    // The narrow one first, as policies are written that mean something by it; and the other way.
    let lengths = 1..=1_000;
    let nested = lengths.map(|length| prefix(&format!("/{}", "a".repeat(length))));
    let mut matches: Vec<_> = nested.rev().collect();
    let path = format!("/{}", "a".repeat(2_000));
    assert_eq!(asked_for(&matches, &path), (Some(0), 1));
    assert_eq!(asked_for(&matches, "/aab"), (Some(998), 1));
    matches.reverse();
    assert_eq!(asked_for(&matches, &path), (Some(0), 1_000));
}

#[test]
fn many_hosts_of_many_rollouts_take_no_more_room_than_their_names() {
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
