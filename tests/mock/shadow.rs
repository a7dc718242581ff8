//! Shadow requests, call by call: when they are sent, their outcomes, and that nothing remains afterwards.

mod held_bytes;
mod limits;
mod records;
mod slow_clients;
mod trial;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::mock::{HeaderMap, HttpResponse, Stream, Vm};
use turnout_core::{Configuration, Inbound};

use crate::{configured, gained};

const ACCOUNT: &str = "AC7342e9713fa896e4af00c654c444aada";
/// Headers of v1 itself. The proxy's own responses do not have the time.
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

/// A VM that samples every request. `changes` are changes of its `shadow`.
fn shadowing(changes: &Value) -> Vm {
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

/// A whole request with this response body of v1.
fn send_request(vm: &mut Vm, v1: &str) {
    let stream = vm.request(&request("GET"), true).expect("no trap");
    finish_request(vm, stream, v1);
}

fn finish_request(vm: &mut Vm, stream: Stream, v1: &str) {
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, v1.as_bytes(), true)
        .expect("no trap");
    vm.finish(stream).expect("no trap");
}

/// A response of v2 itself, not of the proxy in its place.
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

/// Responds to the only call in flight.
fn respond(vm: &mut Vm, response: HttpResponse) {
    let [token] = tokens(vm)[..] else {
        panic!("{:?}", vm.http_calls());
    };
    vm.respond(token, response).expect("no trap");
}

/// The increments of the shadow counters: `(name without its prefix, count)`.
fn outcomes(vm: &mut Vm) -> Vec<(String, u64)> {
    gained(vm)
        .into_iter()
        .filter_map(|(name, count)| Some((name.strip_prefix("turnout.shadow")?.to_owned(), count)))
        .collect()
}

fn one(outcome: &str) -> Vec<(String, u64)> {
    vec![(format!(".r.{outcome}"), 1), ("_sampled.r".to_owned(), 1)]
}
