//! Limits of shadow requests: in-flight requests, policy swaps, memory, a failing v2.

use super::*;

#[test]
fn a_request_is_in_flight_until_its_call_ends() {
    let mut vm = shadowing(&json!({ "max_in_flight": 1, "send": "with_request" }));
    let stream = vm.request(&request("GET"), true).expect("no trap");
    assert_eq!(tokens(&vm).len(), 1);
    // The request has its outcome, but its call is still in flight.
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_aborted"));
    send_request(&mut vm, "{}");
    assert_eq!(outcomes(&mut vm), one("dropped_busy"));
    respond(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), []);
    send_request(&mut vm, "{}");
    respond(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), one("equal"));
}

#[test]
fn a_swap_ends_and_counts_shadow_requests_in_flight() {
    let mut vm = shadowing(&json!({}));
    for _ in 0..5 {
        send_request(&mut vm, "{}");
    }
    let open = vm.request(&request("GET"), true).expect("no trap");
    let next = policy(&json!({ "requests": 100 }));
    assert!(vm.configure(next.as_bytes()).expect("no trap"));
    // The open request continues under its policy.
    assert_eq!(outcomes(&mut vm), [("_sampled.r".to_owned(), 6)]);
    finish_request(&mut vm, open, "{}");
    let swapped = vec![(".r.skipped_swap".to_owned(), 6)];
    assert_eq!(outcomes(&mut vm), swapped);
    assert_eq!(vm.timers(), 1, "a plugin that is gone ticks no more");
    assert!(tokens(&vm).is_empty());
    send_request(&mut vm, "{}");
    respond(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), one("equal"));
}

#[test]
fn sampled_requests_to_a_black_hole_take_bounded_memory() {
    let mut vm = shadowing(&json!({ "max_in_flight": 16 }));
    let body = vec![b'x'; 60_000];
    let round = |vm: &mut Vm| {
        for _ in 0..2_000 {
            let stream = vm.request(&request("POST"), false).expect("no trap");
            vm.request_body(&stream, &body, true).expect("no trap");
            vm.response(&stream, &OK, false).expect("no trap");
            vm.response_body(&stream, &body, true).expect("no trap");
            vm.finish(stream).expect("no trap");
        }
        // All are of one account, which gets a quarter.
        assert_eq!(tokens(vm).len(), 4);
        for token in tokens(vm) {
            vm.reset_call(token).expect("no trap");
        }
    };
    let memory: Vec<usize> = (0..6)
        .map(|_| {
            round(&mut vm);
            vm.memory_bytes()
        })
        .collect();
    assert!(memory[5] < 8 << 20, "{memory:?}");
    // Memory that was returned may be fragmented at first.
    assert_eq!(memory[5], memory[2], "{memory:?}");
    let counted = outcomes(&mut vm);
    let count = |name: &str| {
        counted
            .iter()
            .find(|(n, _)| n == name)
            .map_or(0, |(_, c)| *c)
    };
    assert_eq!(count(".r.v2_error"), 24);
    assert_eq!(count(".r.dropped_busy"), 11_976);
    assert_eq!(count("_sampled.r"), 12_000);
}

#[test]
fn a_failing_v2_is_retried_sometimes() {
    let mut vm = shadowing(&json!({ "back_off_ms": 100 }));
    let start = 1_800_000_000_000_000_000;
    vm.set_time(start);
    let fail = |vm: &mut Vm| {
        send_request(vm, "{}");
        for token in tokens(vm) {
            vm.reset_call(token).expect("no trap");
        }
    };
    for _ in 0..7 {
        fail(&mut vm);
    }
    // The response of v1 says nothing about v2.
    let stream = vm.request(&request("GET"), true).expect("no trap");
    let events = [(":status", "200"), ("content-type", "text/event-stream")];
    vm.response(&stream, &events, true).expect("no trap");
    vm.finish(stream).expect("no trap");
    for _ in 0..13 {
        fail(&mut vm);
    }
    let expected = [
        (".r.dropped_busy", 12),
        (".r.not_comparable", 1),
        (".r.v2_error", 8),
        ("_sampled.r", 21),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(outcomes(&mut vm), expected);
    // After a while one shadow request is sent, and no other at the same time.
    vm.set_time(start + 100_000_000);
    send_request(&mut vm, "{}");
    send_request(&mut vm, "{}");
    assert_eq!(tokens(&vm).len(), 1);
    respond(&mut vm, response("200", b"{}"));
    // v2 works again.
    for _ in 0..3 {
        send_request(&mut vm, "{}");
    }
    assert_eq!(tokens(&vm).len(), 3);
}
