//! The memory of a worker: under every attack it stays within `max_held_bytes`, by the gauge and by the VM's
//! memory. No request of a user is delayed, and all memory is returned.

use support::wasm::filter_wasm;
use turnout_core::{MaxHeldBytes, Proxy};

use super::*;
use crate::accept;

const MIB: usize = 1 << 20;
const DEFAULT: usize = 64 * MIB;

/// A VM that clients attack to exhaust its memory.
struct Attacked {
    vm: Vm,
    limit: usize,
    /// The VM's memory before the policy.
    memory: usize,
    /// The bytes that the policy holds.
    baseline: u64,
    most: u64,
}

fn configuration(policy: &Value, limit: usize) -> String {
    let bytes = u32::try_from(limit).expect("a limit");
    let proxy = Proxy {
        max_held_bytes: MaxHeldBytes::new(bytes).expect("a limit"),
        ..Proxy::default()
    };
    Configuration::to_json(&policy.to_string(), proxy)
}

/// So many rollouts, each for its own path, that sample every request.
fn rollouts(count: usize, shadow: &Value) -> Value {
    let mut merged = json!({ "requests": 100, "methods": ["GET", "POST"], "back_off_ms": 0 });
    for (field, value) in shadow.as_object().expect("fields") {
        merged[field] = value.clone();
    }
    let rollout = |number: usize| {
        json!({ "name": format!("r{number}"), "v1": "a", "v2": "b", "mode": "shadow",
                "match": { "path": { "prefix": format!("/r{number}/") } }, "shadow": merged })
    };
    json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "collector": "otel",
        "rollouts": (0..count).map(rollout).collect::<Vec<_>>(),
    })
}

impl Attacked {
    fn start(policy: &Value, limit: usize) -> Self {
        let mut vm = Vm::start(&filter_wasm());
        vm.set_time(1_796_115_600_000_000_000);
        let memory = vm.memory_bytes();
        accept(&mut vm, &configuration(policy, limit));
        let mut attacked = Self {
            vm,
            limit,
            memory,
            baseline: 0,
            most: 0,
        };
        attacked.baseline = attacked.held();
        assert!(attacked.baseline > 0);
        attacked
    }

    fn held(&mut self) -> u64 {
        self.vm.tick().expect("no trap");
        self.vm.metrics()["turnout.held_bytes"]
    }

    /// Neither the gauge nor the memory exceeds the limit.
    fn check(&mut self) {
        let (held, memory) = (self.held(), self.vm.memory_bytes());
        self.most = self.most.max(held);
        let limit = self.limit;
        assert!(held <= limit as u64, "{held} bytes of {limit} are held");
        let taken = memory - self.memory;
        assert!(
            taken <= limit,
            "the VM has {taken} bytes more than at first, of {limit}"
        );
    }

    /// A request of one of many accounts, up to its headers.
    fn request(
        &mut self,
        number: usize,
        rollout: usize,
        end: bool,
        more: &[(&str, &str)],
    ) -> Stream {
        let path = format!("/r{rollout}/x");
        let account = format!("AC{:032x}", number + 1);
        let id = format!("2b9dba03-eeb9-4af3-8c60-{number:012x}");
        let mut headers = vec![
            (":method", if end { "GET" } else { "POST" }),
            (":authority", "a.example.com"),
            (":path", &path),
            ("x-account-sid", &account),
            ("x-request-id", &id),
        ];
        headers.extend(more);
        self.vm.request(&headers, end).expect("no trap")
    }

    fn respond(&mut self, stream: &Stream, headers: &[(&str, &str)], body: &[u8]) {
        self.vm.response(stream, headers, false).expect("no trap");
        for piece in body.chunks(32_768) {
            self.vm
                .response_body(stream, piece, false)
                .expect("no trap");
        }
        self.vm.response_body(stream, b"", true).expect("no trap");
    }

    fn finish(&mut self, stream: Stream) {
        let exchange = self.vm.finish(stream).expect("no trap");
        assert_eq!(exchange.header("x-turnout-treatment"), Some("v1"));
    }

    fn respond_all(&mut self, response: impl Fn() -> HttpResponse) {
        while let Some(token) = tokens(&self.vm).first().copied() {
            self.vm.respond(token, response()).expect("no trap");
        }
    }

    fn reset_all(&mut self) {
        while let Some(token) = tokens(&self.vm).first().copied() {
            self.vm.reset_call(token).expect("no trap");
        }
    }

    /// At the end the worker holds as much as before, and at least so many samples were dropped.
    fn is_free_again(&mut self, dropped: u64) {
        self.check();
        let minute = 61_000_000_000;
        self.vm.set_time(1_796_115_600_000_000_000 + minute);
        self.vm.tick().expect("no trap");
        self.reset_all();
        assert_eq!(self.held(), self.baseline);
        let counters = self.vm.drain_counters();
        let sum = |end: &str| {
            let named = counters
                .iter()
                .filter(|(name, _)| name.starts_with("turnout.shadow.") && name.ends_with(end));
            named.map(|(_, count)| count).sum::<u64>()
        };
        let sampled = counters
            .iter()
            .filter(|(name, _)| name.starts_with("turnout.shadow_sampled"));
        assert_eq!(
            sum(""),
            sampled.map(|(_, count)| count).sum::<u64>(),
            "each has one outcome"
        );
        assert!(
            sum(".dropped_busy") + sum(".dropped_slow") >= dropped,
            "{counters:?}"
        );
    }
}

/// This once trapped: 1 MiB bodies, 1,000 in flight, and a silent v2.
#[test]
fn the_largest_bodies_and_a_silent_v2_stay_within_the_budget() {
    let policy = rollouts(1, &json!({ "max_body_bytes": MIB, "max_in_flight": 1_000 }));
    let mut attacked = Attacked::start(&policy, DEFAULT);
    let piece = vec![b'x'; 32_768];
    for number in 0..600 {
        let stream = attacked.request(number, 0, false, &[]);
        for _ in 0..32 {
            attacked
                .vm
                .request_body(&stream, &piece, false)
                .expect("no trap");
        }
        attacked
            .vm
            .request_body(&stream, b"", true)
            .expect("no trap");
        attacked.respond(&stream, &OK, b"{}");
        attacked.finish(stream);
        if number % 50 == 0 {
            attacked.check();
        }
    }
    let under_way = tokens(&attacked.vm).len();
    assert!((20..64).contains(&under_way), "{under_way}");
    attacked.reset_all();
    attacked.is_free_again(500);
}

/// Clients alone once caused this trap: uploads that stop before their end, over two rollouts.
#[test]
fn stalled_uploads_stay_within_the_budget() {
    let policy = rollouts(2, &json!({ "max_body_bytes": MIB, "max_in_flight": 1_000 }));
    let mut attacked = Attacked::start(&policy, DEFAULT);
    let piece = vec![b'x'; 50_000];
    let mut open = Vec::new();
    for number in 0..1_150 {
        let stream = attacked.request(number, number % 2, false, &[]);
        for _ in 0..20 {
            attacked
                .vm
                .request_body(&stream, &piece, false)
                .expect("no trap");
        }
        open.push(stream);
        if number % 100 == 0 {
            attacked.check();
        }
    }
    for stream in open {
        attacked.finish(stream);
    }
    attacked.is_free_again(1_000);
}

/// A large policy with default sizes once caused this trap.
#[test]
fn many_rollouts_with_default_sizes_stay_within_the_budget() {
    let mut attacked = Attacked::start(&rollouts(170, &json!({})), DEFAULT);
    let body = vec![b'x'; 65_536];
    for number in 0..8_000 {
        let stream = attacked.request(number, number % 170, false, &[]);
        attacked
            .vm
            .request_body(&stream, &body, true)
            .expect("no trap");
        attacked.respond(&stream, &OK, &body);
        attacked.finish(stream);
        if number % 500 == 0 {
            attacked.check();
        }
    }
    attacked.reset_all();
    attacked.is_free_again(6_000);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    body.extend(miniz_oxide::deflate::compress_to_vec(plain, 9));
    body.extend([0; 4]);
    body.extend(u32::try_from(plain.len()).expect("a length").to_le_bytes());
    body
}

/// Each response of v1 and v2 is a kilobyte on the wire and a megabyte once it is decoded.
#[test]
fn responses_that_are_large_once_decoded_stay_within_the_budget() {
    let shadow = json!({ "max_body_bytes": MIB, "max_in_flight": 1_000, "timeout_ms": 60_000 });
    let mut attacked = Attacked::start(&rollouts(1, &shadow), DEFAULT);
    let body = |last: char| {
        let text = "x".repeat(1_000_000);
        gzip(format!("[\"{text}{last}\"]").as_bytes())
    };
    let (v1, v2) = (body('1'), body('2'));
    let mut headers = OK.to_vec();
    headers.push(("content-encoding", "gzip"));
    for number in 0..120 {
        let stream = attacked.request(number, 0, true, &[]);
        attacked.respond(&stream, &headers, &v1);
        attacked.finish(stream);
        if number % 20 == 0 {
            attacked.check();
        }
    }
    // v2's responses all differ from v1's, so the filter repeats requests to v1.
    for round in 0..3 {
        for token in tokens(&attacked.vm) {
            let mut response = response("200", if round == 0 { &v2 } else { &v1 });
            response.headers.add("content-encoding", b"gzip");
            attacked.vm.respond(token, response).expect("no trap");
        }
        attacked.check();
    }
    attacked.reset_all();
    attacked.check();
    assert!(
        attacked.held() < attacked.baseline + 100_000,
        "the noise model is small"
    );
}

/// As long as Envoy allows by default.
#[test]
fn long_headers_stay_within_the_budget() {
    let mut attacked = Attacked::start(&rollouts(1, &json!({ "max_in_flight": 1_000 })), 16 * MIB);
    let long = "h".repeat(58_000);
    let mut open = Vec::new();
    for number in 0..1_000 {
        let stream = attacked.request(number, 0, true, &[("x-long", &long)]);
        let mut headers = OK.to_vec();
        headers[1].1 = &long;
        attacked.respond(&stream, &headers, b"{}");
        open.push(stream);
        if number % 100 == 0 {
            attacked.check();
        }
    }
    for stream in open {
        attacked.finish(stream);
    }
    attacked.reset_all();
    attacked.is_free_again(500);
}

/// Every request differs in another way, and the collector accepts records without responding.
#[test]
fn records_that_a_collector_rejects_stay_within_the_budget() {
    let shadow = json!({ "recheck": false, "max_body_bytes": 200_000, "max_in_flight": 1_000 });
    let mut attacked = Attacked::start(&rollouts(3, &shadow), 32 * MIB);
    let deep = |name: usize, value: &str| {
        let step = format!("{{\"a_name_as_long_as_any_name_may_be_{}\":", name % 1_000);
        let members: Vec<String> = (0..40).map(|n| format!("\"member_{n}\":{value}")).collect();
        format!(
            "{}{{{}}}{}",
            step.repeat(60),
            members.join(","),
            "}".repeat(60)
        )
    };
    for number in 0..160 {
        let stream = attacked.request(number, number % 3, true, &[]);
        attacked.respond(&stream, &OK, deep(number, "1").as_bytes());
        attacked.finish(stream);
        let now = 1_796_115_600_000_000_000 + number as u64 * 200_000_000;
        attacked.vm.set_time(now);
        let asked = attacked
            .vm
            .http_calls()
            .iter()
            .find(|call| call.cluster == "b");
        let token = asked.expect("v2 is asked").token;
        let different = response("200", deep(number, "2").as_bytes());
        attacked.vm.respond(token, different).expect("no trap");
        attacked.check();
    }
    let waiting = attacked.most;
    assert!(waiting > attacked.baseline, "{waiting}");
    attacked.reset_all();
    attacked.check();
}

/// Requests of each policy continue while the next one comes.
#[test]
fn swaps_under_load_share_one_budget() {
    let policy = rollouts(2, &json!({ "max_body_bytes": MIB, "max_in_flight": 1_000 }));
    let mut attacked = Attacked::start(&policy, DEFAULT);
    let body = vec![b'x'; 500_000];
    let mut open = Vec::new();
    for round in 0..12 {
        for number in 0..20 {
            let stream = attacked.request(round * 20 + number, number % 2, false, &[]);
            attacked
                .vm
                .request_body(&stream, &body, number % 3 == 0)
                .expect("no trap");
            open.push(stream);
        }
        attacked.check();
        accept(&mut attacked.vm, &configuration(&policy, DEFAULT));
    }
    for stream in open {
        attacked.finish(stream);
    }
    attacked.is_free_again(1);
}

/// A worker that rejects a policy that Envoy's main thread accepted would have no filter.
#[test]
fn a_policy_is_accepted_however_many_bytes_samples_hold() {
    let with_segment = |accounts: u32| {
        let mut policy = rollouts(1, &json!({ "max_body_bytes": MIB, "max_in_flight": 1_000 }));
        let accounts = support::sized_policy::packed(0..accounts);
        policy["segments"] = json!({ "many": { "accounts_packed": accounts } });
        configuration(&policy, DEFAULT)
    };
    let policy = rollouts(1, &json!({ "max_body_bytes": MIB, "max_in_flight": 1_000 }));
    let mut attacked = Attacked::start(&policy, DEFAULT);
    let piece = vec![b'x'; 500_000];
    let mut open = Vec::new();
    for number in 0..200 {
        let stream = attacked.request(number, 0, false, &[]);
        attacked
            .vm
            .request_body(&stream, &piece, false)
            .expect("no trap");
        open.push(stream);
    }
    assert!(attacked.held() > 30 * MIB as u64);
    for accounts in [400_000, 500_000, 400_000] {
        accept(&mut attacked.vm, &with_segment(accounts));
        attacked.check();
    }
    accept(&mut attacked.vm, &configuration(&policy, DEFAULT));
    for stream in open {
        attacked.finish(stream);
    }
    attacked.is_free_again(1);
}

#[test]
fn a_policy_that_does_not_fit_is_rejected_and_the_active_one_stays() {
    let mut attacked = Attacked::start(&rollouts(1, &json!({})), 16 * MIB);
    let accounts = support::sized_policy::packed(0..900_000);
    let mut large = rollouts(1, &json!({}));
    large["segments"] = json!({ "many": { "accounts_packed": accounts } });
    let text = configuration(&large, 16 * MIB);
    attacked.vm.drain_log();
    assert!(!attacked.vm.configure(text.as_bytes()).expect("no trap"));
    let log = attacked.vm.drain_log();
    let lines: Vec<&str> = log.iter().map(|(_, line)| line.as_str()).collect();
    assert!(
        lines[0].contains("max_held_bytes is 16777216; raise it (turnout apply --max-held-bytes)"),
        "{lines:?}"
    );
    let stream = attacked.request(1, 0, true, &[]);
    attacked.respond(&stream, &OK, b"{}");
    attacked.finish(stream);
    attacked.respond_all(|| response("200", b"{}"));
    attacked.is_free_again(0);
    // The policy fits if there is room, wherever the limit is in the text.
    let text = configuration(&large, 200 * MIB);
    let (limit, rest) = (
        r#""max_held_bytes":209715200,"#,
        text.replace(r#""max_held_bytes":209715200,"#, ""),
    );
    let closing = rest.len() - rest.trim_end_matches('}').len();
    let behind = format!(
        "{}{},{}}}",
        rest.trim_end_matches('}'),
        "}".repeat(closing - 1),
        limit.trim_end_matches(',')
    );
    for text in [text, behind] {
        accept(&mut attacked.vm, &text);
    }
}
