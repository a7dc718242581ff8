//! What copies hold, and how long: places, swaps, memory, a v2 that fails.

use super::*;

#[test]
fn a_place_is_held_until_the_call_is_over() {
    let mut vm = copying(&json!({ "max_in_flight": 1, "send": "with_request" }));
    let stream = vm.request(&request("GET"), true).expect("no trap");
    assert_eq!(tokens(&vm).len(), 1);
    // It has its outcome, but its call is under way.
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_aborted"));
    asked(&mut vm, "{}");
    assert_eq!(outcomes(&mut vm), one("dropped_busy"));
    answer(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), []);
    asked(&mut vm, "{}");
    answer(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), one("equal"));
}

#[test]
fn a_swap_ends_the_copies_under_way_and_counts_them() {
    let mut vm = copying(&json!({}));
    for _ in 0..5 {
        asked(&mut vm, "{}");
    }
    let open = vm.request(&request("GET"), true).expect("no trap");
    let next = policy(&json!({ "requests": 100 }));
    assert!(vm.configure(next.as_bytes()).expect("no trap"));
    // The one that is open goes on under the policy that it began with.
    assert_eq!(outcomes(&mut vm), [("_sampled.r".to_owned(), 6)]);
    answered(&mut vm, open, "{}");
    let swapped = vec![(".r.skipped_swap".to_owned(), 6)];
    assert_eq!(outcomes(&mut vm), swapped);
    assert_eq!(vm.timers(), 1, "a plugin that is gone ticks no more");
    assert!(tokens(&vm).is_empty());
    asked(&mut vm, "{}");
    answer(&mut vm, response("200", b"{}"));
    assert_eq!(outcomes(&mut vm), one("equal"));
}

#[test]
fn what_is_sampled_and_black_holed_takes_bounded_memory() {
    let mut vm = copying(&json!({ "max_in_flight": 16 }));
    let body = vec![b'x'; 60_000];
    let round = |vm: &mut Vm| {
        for _ in 0..2_000 {
            let stream = vm.request(&request("POST"), false).expect("no trap");
            vm.request_body(&stream, &body, true).expect("no trap");
            vm.response(&stream, &OK, false).expect("no trap");
            vm.response_body(&stream, &body, true).expect("no trap");
            vm.finish(stream).expect("no trap");
        }
        // All of one account, which has a quarter.
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
    // What is given back may lie scattered at first.
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
fn a_v2_that_fails_is_asked_now_and_then() {
    let mut vm = copying(&json!({ "back_off_ms": 100 }));
    let start = 1_800_000_000_000_000_000;
    vm.set_time(start);
    let fail = |vm: &mut Vm| {
        asked(vm, "{}");
        for token in tokens(vm) {
            vm.reset_call(token).expect("no trap");
        }
    };
    for _ in 0..7 {
        fail(&mut vm);
    }
    // What v1 answers says nothing of v2.
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
    // After a while one asks, and nobody beside it.
    vm.set_time(start + 100_000_000);
    asked(&mut vm, "{}");
    asked(&mut vm, "{}");
    assert_eq!(tokens(&vm).len(), 1);
    answer(&mut vm, response("200", b"{}"));
    // It is well again.
    for _ in 0..3 {
        asked(&mut vm, "{}");
    }
    assert_eq!(tokens(&vm).len(), 3);
}
