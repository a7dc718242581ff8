//! Requests, responses and ticks that make a filter call every host function that it ever calls while it runs.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::error::Error;

use serde_json::{Value, json};
use support::mock::{Action, HeaderMap, HttpResponse, Stream, Vm};
use support::wasm::Build;
use turnout_core::{Configuration, Inbound};

use crate::{accept, placed};

const SECOND: u64 = 1_000_000_000;
const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "AC7342e9713fa896e4af00c654c444aada";
const JSON: (&str, &str) = ("content-type", "application/json");
/// Only responses of an upstream have it; the proxy's own do not.
const OF_UPSTREAM: (&str, &str) = ("x-envoy-upstream-service-time", "1");
const OK: [(&str, &str); 3] = [(":status", "200"), JSON, OF_UPSTREAM];
const TRAILERS: [(&str, &str); 2] = [("x-checksum", "7"), ("x-turnout-treatment", "v2")];

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub(super) struct Scenario {
    build: Build,
    configuration: String,
    /// The clock of all its VMs, which only goes forward.
    seconds: Cell<u64>,
}

impl Scenario {
    pub(super) fn of(build: Build) -> Self {
        Self {
            build,
            configuration: Configuration::to_json(&policy(build).to_string(), Inbound::Trust),
            seconds: Cell::new(1_796_115_600),
        }
    }

    /// A VM with the policy, which has decided a request.
    pub(super) fn start(&self) -> Vm {
        let mut vm = placed(Vm::start(&self.build.artifact()), REGION);
        self.advance(&mut vm, 1);
        accept(&mut vm, &self.configuration);
        self.check(&mut vm).expect("nothing fails");
        vm
    }

    /// Returns the callbacks, each with the host functions that it calls if nothing fails. Those of a new
    /// configuration are not among them.
    pub(super) fn record(&self, vm: &mut Vm) -> Outcome<BTreeSet<(&'static str, &'static str)>> {
        vm.drain_calls_by_callback();
        self.serve(vm)?;
        let mut calls = vm.drain_calls_by_callback();
        self.check(vm)?;
        let retiring = self.replace_policy(vm)?;
        vm.drain_calls_by_callback();
        self.retire(vm, retiring)?;
        calls.extend(vm.drain_calls_by_callback());
        self.check(vm)?;
        calls.retain(|(_, function)| function.starts_with("proxy_"));
        Ok(calls)
    }

    /// Requests of all kinds, the responses to the filter's own calls, and ticks.
    pub(super) fn serve(&self, vm: &mut Vm) -> Outcome {
        decided_request(vm, "/split")?;
        decided_request(vm, "/ramp")?;
        decided_request(vm, "/region")?;
        decided_request(vm, "/nothing")?;
        if self.build == Build::Whole {
            for path in ["/shadow", "/early"] {
                shadowed_without_bodies(vm, path)?;
                shadowed_with_bodies(vm, path)?;
                shadowed_with_trailers(vm, path)?;
                aborted(vm, path)?;
                rejected(vm, path)?;
            }
            // v2's responses differ, so the filter asks v1 again, and then writes records.
            for round in 0..3 {
                self.advance(vm, 1);
                respond_to_calls(vm, round)?;
            }
        }
        for round in 0..3 {
            self.advance(vm, 11);
            vm.tick()?;
            // These calls are those to the collector.
            respond_to_calls(vm, round)?;
        }
        Ok(())
    }

    /// Decides requests and ticks, if all host functions work.
    pub(super) fn check(&self, vm: &mut Vm) -> Outcome {
        self.advance(vm, 1);
        vm.tick()?;
        vm.drain_log();
        vm.drain_counters();
        for (path, rollout) in [
            ("/split", "split"),
            ("/ramp", "ramp"),
            ("/region", "region"),
        ] {
            let exchange = vm.exchange(&request("GET", path))?;
            expect(rollout, exchange.action, Action::Continue)?;
            expect(rollout, exchange.header("x-turnout-treatment"), Some("v2"))?;
            expect(rollout, exchange.header("x-turnout-cluster"), Some("b"))?;
            expect(rollout, &*exchange.logged()["treatment"], "v2")?;
        }
        vm.tick()?;
        let gained = vm.drain_counters();
        for rollout in ["split", "ramp", "region"] {
            let counter = format!("turnout.decisions.{rollout}.v2.rule");
            expect(&counter, gained.get(&counter), Some(&1))?;
        }
        Ok(())
    }

    /// Activates the policy again. The root context of the policy before still serves the streams returned.
    pub(super) fn replace_policy(&self, vm: &mut Vm) -> Outcome<Vec<Stream>> {
        decided_request(vm, "/split")?;
        let mut streams = vec![vm.request(&request("GET", "/split"), true)?];
        if self.build == Build::Whole {
            // A record and calls that wait when the policy ends.
            shadowed_with_bodies(vm, "/shadow")?;
            respond_to_calls(vm, 0)?;
            respond_to_calls(vm, 0)?;
            shadowed_with_bodies(vm, "/shadow")?;
            streams.push(vm.request(&request("POST", "/shadow"), false)?);
        }
        let is_accepted = vm.configure(self.configuration.as_bytes())?;
        expect("the policy", is_accepted, true)?;
        Ok(streams)
    }

    /// Ends the streams, and with the last one the policy before.
    pub(super) fn retire(&self, vm: &mut Vm, streams: Vec<Stream>) -> Outcome {
        for stream in streams {
            finish(vm, stream)?;
        }
        self.advance(vm, 1);
        Ok(vm.tick()?)
    }

    fn advance(&self, vm: &mut Vm, seconds: u64) {
        self.seconds.set(self.seconds.get() + seconds);
        vm.set_time(self.seconds.get() * SECOND);
    }
}

fn policy(build: Build) -> Value {
    let rollout = |name: &str, rule: Value| {
        json!({ "name": name, "match": { "path": { "prefix": format!("/{name}") } },
                "v1": "a", "v2": "b", "mode": "split", "rules": [rule] })
    };
    let ramp = json!([{ "from": "2026-01-01T00:00:00Z", "percent": 100 },
                      { "from": "2100-01-01T00:00:00Z", "percent": 0 }]);
    let mut rollouts = vec![
        rollout("split", json!({})),
        rollout("ramp", json!({ "accounts": ramp })),
        rollout("region", json!({ "when": { "regions": [REGION] } })),
    ];
    let mut policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
    });
    if build == Build::Whole {
        for (name, send) in [("shadow", "after_answer"), ("early", "with_request")] {
            let mut shadowed = rollout(name, json!({}));
            shadowed["mode"] = "shadow".into();
            shadowed["shadow"] = json!({ "requests": 100, "methods": ["GET", "POST"], "send": send,
                                         "back_off_ms": 0, "summary_seconds": 10 });
            rollouts.push(shadowed);
        }
        policy["collector"] = "otel".into();
    }
    policy["rollouts"] = rollouts.into();
    policy
}

/// A request that an earlier hop has decided already.
fn request(method: &'static str, path: &'static str) -> [(&'static str, &'static str); 8] {
    [
        (":method", method),
        (":authority", "flex.example.com"),
        (":path", path),
        ("x-account-sid", ACCOUNT),
        ("x-request-id", "2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd"),
        ("x-turnout-cluster", "z"),
        ("x-turnout-treatment", "v1"),
        ("x-turnout-decision", "other=v2"),
    ]
}

/// A request with a body and trailers.
fn decided_request(vm: &mut Vm, path: &'static str) -> Outcome {
    let stream = vm.request(&request("POST", path), false)?;
    expect(path, stream.action, Action::Continue)?;
    send_request_trailers(vm, &stream, path)?;
    expect(path, vm.response(&stream, &OK, true)?, Action::Continue)?;
    finish(vm, stream)
}

fn send_request_trailers(vm: &mut Vm, stream: &Stream, path: &str) -> Outcome {
    let action = vm.request_body(stream, b"{}", false)?;
    expect(path, action, Action::Continue)?;
    let action = vm.request_trailers(stream, &TRAILERS)?;
    expect(path, action, Action::Continue)
}

fn shadowed_without_bodies(vm: &mut Vm, path: &'static str) -> Outcome {
    let stream = vm.request(&request("GET", path), true)?;
    expect(path, stream.action, Action::Continue)?;
    expect(path, vm.response(&stream, &OK, true)?, Action::Continue)?;
    finish(vm, stream)
}

fn shadowed_with_bodies(vm: &mut Vm, path: &'static str) -> Outcome {
    let stream = vm.request(&request("POST", path), false)?;
    expect(path, stream.action, Action::Continue)?;
    for end in [false, true] {
        let action = vm.request_body(&stream, b"{}", end)?;
        expect(path, action, Action::Continue)?;
    }
    expect(path, vm.response(&stream, &OK, false)?, Action::Continue)?;
    for (piece, end) in [(&b"{\"a\":"[..], false), (b"1}", true)] {
        let action = vm.response_body(&stream, piece, end)?;
        expect(path, action, Action::Continue)?;
    }
    finish(vm, stream)
}

fn shadowed_with_trailers(vm: &mut Vm, path: &'static str) -> Outcome {
    let stream = vm.request(&request("POST", path), false)?;
    expect(path, stream.action, Action::Continue)?;
    send_request_trailers(vm, &stream, path)?;
    expect(path, vm.response(&stream, &OK, false)?, Action::Continue)?;
    let action = vm.response_body(&stream, b"{\"a\":1}", false)?;
    expect(path, action, Action::Continue)?;
    let action = vm.response_trailers(&stream, &TRAILERS)?;
    expect(path, action, Action::Continue)?;
    finish(vm, stream)
}

/// The user leaves before the end of the request, before the response, and within it.
fn aborted(vm: &mut Vm, path: &'static str) -> Outcome {
    let stream = vm.request(&request("POST", path), false)?;
    finish(vm, stream)?;
    let stream = vm.request(&request("GET", path), true)?;
    finish(vm, stream)?;
    let stream = vm.request(&request("GET", path), true)?;
    expect(path, vm.response(&stream, &OK, false)?, Action::Continue)?;
    finish(vm, stream)
}

/// The proxy responds in v1's place.
fn rejected(vm: &mut Vm, path: &'static str) -> Outcome {
    let stream = vm.request(&request("GET", path), true)?;
    let action = vm.response(&stream, &[(":status", "403")], true)?;
    expect(path, action, Action::Continue)?;
    finish(vm, stream)
}

fn finish(vm: &mut Vm, stream: Stream) -> Outcome {
    let exchange = vm.finish(stream)?;
    expect("the request", exchange.action, Action::Continue)?;
    expect("a local response", exchange.local_response.is_some(), false)?;
    expect("a reset", exchange.reset, false)
}

/// Ends all calls of the filter: some without a response, some with one that differs from v1's.
fn respond_to_calls(vm: &mut Vm, round: usize) -> Outcome {
    let tokens: Vec<u32> = vm.http_calls().iter().map(|call| call.token).collect();
    for (number, token) in tokens.into_iter().enumerate() {
        if (number + round) % 4 == 3 {
            vm.reset_call(token)?;
            continue;
        }
        let mut headers = HeaderMap::received(&OK);
        headers.add("x-number", number.to_string().as_bytes());
        let response = HttpResponse {
            headers,
            body: format!("{{\"a\":{number}}}").into_bytes(),
            trailers: HeaderMap::received(&TRAILERS),
        };
        vm.respond(token, response)?;
    }
    Ok(())
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: expected {expected:?}, found {found:?}").into()),
    }
}
