//! The cost of a request as a number of wasm instructions of the whole filter: all that it executes from the creation
//! of the request's context to its end, without the proxy's own work in host functions. The policy and the requests
//! are those of `make bench`. A file next to this one has the numbers, so a change in cost is visible.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-tests --test mock instruction_count` rewrites the file.

use serde_json::{Value, json};
use support::bench::policy::{Policy, Selection};
use support::bench::request;
use support::mock::{HeaderMap, HttpResponse, Vm};
use support::wasm::Build;

use crate::instruction_table::Table;
use crate::{accept, placed};

/// The number of requests that the mean is taken of. As many come before, so that the filter has its memory.
const REQUESTS: u32 = 32;
const SECOND: u64 = 1_000_000_000;

type Headers = Vec<(String, String)>;

#[test]
fn a_request_through_the_filter_takes_as_many_instructions_as_it_did() {
    let mut table = Table::new(["filter"]);
    for build in [Build::Whole, Build::Lean] {
        for (name, number) in counts(build) {
            let build = format!("{build:?}").to_lowercase();
            table.insert(format!("{build}: {name}"), [number]);
        }
    }
    table.check(
        "filter_instruction_count.txt",
        "a request through the filter",
    );
}

/// The instructions of a request or of a tick, by what happens.
fn counts(build: Build) -> Vec<(&'static str, u64)> {
    let mut split = Counter::start(build, &policy("split"));
    let malformed = |number| with(request_of(number), &[("x-account-sid", "AC7342")]);
    let elsewhere = |number| with(request_of(number), &[(":path", "/v2/Calls?PageSize=50")]);
    let forged = |number| {
        let mut headers = request_of(number);
        for (name, value) in [
            ("x-turnout-cluster", "channels-v2"),
            ("x-turnout-treatment", "v2"),
            ("x-turnout-decision", "chat=v2"),
        ] {
            headers.push((name.to_owned(), value.to_owned()));
        }
        headers
    };
    let by_request = &configuration(Policy::split(Selection::ByRequest));
    let guarded = &configuration(Policy::split(Selection::ByRequestGuarded));
    let mut guarded = Counter::start(build, guarded);
    let mut numbers = vec![
        (
            "off",
            Counter::start(build, &policy("off")).requests(request_of),
        ),
        ("split", split.requests(request_of)),
        (
            "split, by request alone",
            Counter::start(build, by_request).requests(request_of),
        ),
        // The same policy, with a guard that compares each request.
        ("split, guarded", guarded.requests(request_of)),
        ("tick, guarded", guarded.ticks_after_requests()),
        ("split, malformed account", split.requests(malformed)),
        ("split, no rollout matches", split.requests(elsewhere)),
        ("split, inbound headers are removed", split.requests(forged)),
        (
            "split, with trailers",
            split.count(|vm, number| {
                let stream = vm.request(&request_of(number), false).expect("no trap");
                vm.request_body(&stream, b"{}", false).expect("no trap");
                let trailers = [("x-checksum", "7342"), ("x-turnout-treatment", "v2")];
                vm.request_trailers(&stream, &trailers).expect("no trap");
                vm.response(&stream, &[(":status", "200")], true)
                    .expect("no trap");
                let exchange = vm.finish(stream).expect("no trap");
                assert_eq!(exchange.trailers.entries().len(), 1);
            }),
        ),
        (
            "tick, after no request",
            split.count(|vm, _| vm.tick().expect("no trap")),
        ),
        ("tick, after 32 requests", split.ticks_after_requests()),
    ];
    if build == Build::Whole {
        numbers.push(("shadow, the whole exchange", shadowed_exchanges(build)));
    }
    numbers
}

/// A VM with a policy.
struct Counter {
    vm: Vm,
}

impl Counter {
    fn start(build: Build, configuration: &str) -> Self {
        let mut vm = placed(Vm::start_counting(&build.artifact()), "");
        // What Envoy says about a whole response of upstream.
        vm.set_property(&["response", "code"], &200_u64.to_le_bytes());
        vm.set_property(&["response", "code_details"], b"via_upstream");
        accept(&mut vm, configuration);
        Self { vm }
    }

    /// The mean number of instructions of something that is done again and again.
    fn count(&mut self, mut run: impl FnMut(&mut Vm, u32)) -> u64 {
        for number in 0..REQUESTS {
            run(&mut self.vm, number);
        }
        self.vm.tick().expect("no trap");
        self.vm.drain_log();
        let before = self.vm.instructions();
        for number in 0..REQUESTS {
            run(&mut self.vm, number);
        }
        (self.vm.instructions() - before) / u64::from(REQUESTS)
    }

    fn requests(&mut self, headers: impl Fn(u32) -> Headers) -> u64 {
        self.count(|vm, number| {
            vm.exchange(&headers(number)).expect("no trap");
        })
    }

    fn ticks_after_requests(&mut self) -> u64 {
        let mut counted = 0;
        for _ in 0..2 {
            for number in 0..REQUESTS {
                self.vm.exchange(&request_of(number)).expect("no trap");
            }
            let before = self.vm.instructions();
            self.vm.tick().expect("no trap");
            counted = self.vm.instructions() - before;
        }
        counted
    }
}

/// Requests and responses with bodies, each with a shadow request to v2, which responds as v1 does.
fn shadowed_exchanges(build: Build) -> u64 {
    let mut configuration: Value = serde_json::from_str(&policy("shadow")).expect("JSON");
    configuration["policy"]["rollouts"][0]["shadow"] =
        json!({ "requests": 100, "methods": ["POST"] });
    let response = [
        (":status", "200"),
        ("content-type", "application/json"),
        ("x-envoy-upstream-service-time", "1"),
    ];
    let body = format!(r#"{{"channels":[{}{{}}]}}"#, r#"{"unread":7},"#.repeat(20));
    let mut now = 1_796_115_600 * SECOND;
    let mut counter = Counter::start(build, &configuration.to_string());
    counter.count(|vm, number| {
        // Shadow requests are limited per second.
        now += SECOND;
        vm.set_time(now);
        let headers = with(request_of(number), &[(":method", "POST")]);
        let stream = vm.request(&headers, false).expect("no trap");
        vm.request_body(&stream, br#"{"name":"support"}"#, true)
            .expect("no trap");
        vm.response(&stream, &response, false).expect("no trap");
        vm.response_body(&stream, body.as_bytes(), true)
            .expect("no trap");
        vm.finish(stream).expect("no trap");
        let [call] = vm.http_calls() else {
            panic!("one shadow request: {:?}", vm.http_calls());
        };
        let of_v2 = HttpResponse {
            headers: HeaderMap::received(&response),
            body: body.as_bytes().to_vec(),
            ..HttpResponse::default()
        };
        vm.respond(call.token, of_v2).expect("no trap");
    })
}

fn policy(mode: &'static str) -> String {
    configuration(Policy::of(mode))
}

fn configuration(policy: Policy) -> String {
    policy.configuration("r1").expect("a valid policy")
}

/// The headers of a request of the bench, and those that Envoy adds before its filters. Half of the requests are for
/// accounts of the large segment.
fn request_of(number: u32) -> Headers {
    let account = number * 3_001 + number % 2 * 1_000_000;
    let mut text = Vec::new();
    request::write(account, &mut text);
    let text = String::from_utf8(text).expect("a request that is UTF-8");
    let (line, fields) = text.split_once("\r\n").expect("a request line");
    let path = line.split(' ').nth(1).expect("a path");
    let id = format!("2b9dba03-eeb9-4af3-8c60-{account:012x}");
    let start = [(":method", "GET"), (":scheme", "http"), (":path", path)];
    let fields = fields.lines().filter_map(|line| line.split_once(": "));
    let added = [("x-forwarded-proto", "http"), ("x-request-id", &id)];
    let all = start.into_iter().chain(fields).chain(added);
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The headers with other values.
fn with(mut headers: Headers, values: &[(&str, &str)]) -> Headers {
    for (name, value) in values {
        let found = headers.iter_mut().find(|(known, _)| known == name);
        found.expect("a header of the request").1 = (*value).to_owned();
    }
    headers
}
