//! Slow clients: they block no others, end in time, and make room.

use super::*;

/// A request of one of many accounts, or without an account.
fn open(vm: &mut Vm, account: Option<usize>, is_whole: bool) -> Stream {
    let account = account.map(|number| format!("AC{:032x}", number + 1));
    let mut headers = request(if is_whole { "GET" } else { "POST" }).to_vec();
    headers.retain(|(name, _)| *name != "x-account-sid");
    headers.extend(account.iter().map(|account| ("x-account-sid", &**account)));
    vm.request(&headers, is_whole).expect("no trap")
}

/// A whole request of an account with equal responses of v1 and v2.
fn compared(vm: &mut Vm, account: usize) {
    let stream = open(vm, Some(account), true);
    finish_request(vm, stream, "{}");
    let last = tokens(vm).into_iter().last().expect("v2 is asked");
    vm.respond(last, response("200", b"{}")).expect("no trap");
}

fn ticks(vm: &mut Vm, count: usize) {
    for _ in 0..count {
        vm.tick().expect("no trap");
    }
}

fn in_flight(vm: &mut Vm) -> u64 {
    vm.tick().expect("no trap");
    vm.metrics()["turnout.shadow_in_flight.r"]
}

fn count(counted: &[(String, u64)], outcome: &str) -> u64 {
    let name = format!(".r.{outcome}");
    let found = counted.iter().find(|(known, _)| *known == name);
    found.map_or(0, |(_, count)| *count)
}

#[test]
fn stalled_uploads_block_no_others() {
    for moment in ["after_answer", "with_request"] {
        let mut vm = shadowing(&json!({ "max_in_flight": 4, "send": moment }));
        // As many requests as may wait, each of another account.
        let mut slow: Vec<Stream> = (0..16).map(|n| open(&mut vm, Some(n), false)).collect();
        for stream in &slow {
            vm.request_body(stream, b"x", false).expect("no trap");
        }
        assert_eq!(in_flight(&mut vm), 0);
        ticks(&mut vm, 2);
        for number in 100..120 {
            compared(&mut vm, number);
        }
        let counted = outcomes(&mut vm);
        assert_eq!(count(&counted, "equal"), 20, "{counted:?}");
        // The oldest one made room; the later ones still wait.
        assert_eq!(count(&counted, "dropped_slow"), 1, "{counted:?}");
        let first = slow.remove(0);
        vm.request_body(&first, b"x", true).expect("no trap");
        finish_request(&mut vm, first, "{}");
        assert!(tokens(&vm).is_empty());
        for stream in slow {
            vm.request_body(&stream, b"x", true).expect("no trap");
            finish_request(&mut vm, stream, "{}");
            respond(&mut vm, response("200", b"{}"));
        }
        let counted = outcomes(&mut vm);
        assert_eq!(counted, [(".r.equal".to_owned(), 15)], "{moment}");
    }
}

#[test]
fn slowly_read_responses_are_not_in_flight_once_v2_has_responded() {
    let mut vm = shadowing(&json!({ "max_in_flight": 4, "send": "with_request" }));
    let slow: Vec<Stream> = (0..12)
        .map(|number| {
            let stream = open(&mut vm, Some(number), true);
            respond(&mut vm, response("200", b"{}"));
            vm.response(&stream, &OK, false).expect("no trap");
            vm.response_body(&stream, b"{", false).expect("no trap");
            stream
        })
        .collect();
    assert_eq!(in_flight(&mut vm), 0);
    for number in 100..120 {
        compared(&mut vm, number);
    }
    for stream in slow {
        vm.response_body(&stream, b"}", true).expect("no trap");
        vm.finish(stream).expect("no trap");
    }
    assert_eq!(count(&outcomes(&mut vm), "equal"), 32);
}

#[test]
fn a_request_that_waits_for_a_minute_is_dropped() {
    let mut vm = shadowing(&json!({}));
    let upload = open(&mut vm, Some(1), false);
    let unanswered = open(&mut vm, Some(2), true);
    let half_read = open(&mut vm, Some(3), true);
    vm.response(&half_read, &OK, false).expect("no trap");
    ticks(&mut vm, 59);
    assert_eq!(count(&outcomes(&mut vm), "dropped_slow"), 3);
    let before = vm.metrics()["turnout.held_bytes"];
    for stream in [upload, unanswered, half_read] {
        vm.finish(stream).expect("no trap");
    }
    assert_eq!(outcomes(&mut vm), []);
    assert_eq!(
        vm.metrics()["turnout.held_bytes"],
        before,
        "nothing was left"
    );
}

#[test]
fn one_account_gets_a_quarter_of_the_requests_in_flight() {
    let mut vm = shadowing(&json!({ "max_in_flight": 8 }));
    let mut ask = |account: Option<usize>, times: usize| {
        let before = tokens(&vm).len();
        for _ in 0..times {
            let stream = open(&mut vm, account, true);
            finish_request(&mut vm, stream, "{}");
        }
        tokens(&vm).len() - before
    };
    assert_eq!(ask(Some(1), 10), 2);
    assert_eq!(ask(None, 10), 6);
    assert_eq!(ask(Some(2), 1), 0);
    let first = tokens(&vm)[0];
    vm.respond(first, response("200", b"{}")).expect("no trap");
    let stream = open(&mut vm, Some(2), true);
    finish_request(&mut vm, stream, "{}");
    assert_eq!(tokens(&vm).len(), 8);
    let counted = outcomes(&mut vm);
    assert_eq!(count(&counted, "dropped_busy"), 13, "{counted:?}");
}

#[test]
fn an_account_with_many_waiting_requests_drops_its_own() {
    let mut vm = shadowing(&json!({ "max_in_flight": 8 }));
    let others: Vec<Stream> = (10..14).map(|n| open(&mut vm, Some(n), false)).collect();
    // Of 32 waiting requests it may have 8. While they are young, its next requests are dropped.
    let slow: Vec<Stream> = (0..10).map(|_| open(&mut vm, Some(1), false)).collect();
    assert_eq!(count(&outcomes(&mut vm), "dropped_busy"), 2);
    ticks(&mut vm, 2);
    let more: Vec<Stream> = (0..3).map(|_| open(&mut vm, Some(1), false)).collect();
    assert_eq!(count(&outcomes(&mut vm), "dropped_slow"), 3);
    for stream in others {
        vm.request_body(&stream, b"x", true).expect("no trap");
        finish_request(&mut vm, stream, "{}");
        respond(&mut vm, response("200", b"{}"));
    }
    assert_eq!(count(&outcomes(&mut vm), "equal"), 4);
    for stream in slow.into_iter().chain(more) {
        vm.finish(stream).expect("no trap");
    }
    let rest = outcomes(&mut vm);
    assert_eq!(count(&rest, "skipped_aborted"), 8, "{rest:?}");
}

/// Requests at a slow v1 are compared too: up to half of the waiting requests may wait for v1.
#[test]
fn a_slow_v1_is_waited_for() {
    let mut vm = shadowing(&json!({ "max_in_flight": 4 }));
    let waiting: Vec<Stream> = (0..8).map(|n| open(&mut vm, Some(n), true)).collect();
    ticks(&mut vm, 10);
    let more: Vec<Stream> = (8..20).map(|n| open(&mut vm, Some(n), true)).collect();
    assert_eq!(count(&outcomes(&mut vm), "dropped_busy"), 4);
    for stream in waiting {
        finish_request(&mut vm, stream, "{}");
        respond(&mut vm, response("200", b"{}"));
    }
    assert_eq!(count(&outcomes(&mut vm), "equal"), 8);
    for stream in more {
        vm.finish(stream).expect("no trap");
    }
}

#[test]
fn requests_at_a_slow_v1_leave_half_of_the_room_to_others() {
    let mut vm = shadowing(&json!({ "max_in_flight": 4 }));
    let slow: Vec<Stream> = (0..16).map(|n| open(&mut vm, Some(n), true)).collect();
    ticks(&mut vm, 10);
    // One at a time, and then half of the room at once.
    for number in 100..120 {
        compared(&mut vm, number);
    }
    let others: Vec<Stream> = (200..208).map(|n| open(&mut vm, Some(n), true)).collect();
    let counted = outcomes(&mut vm);
    assert_eq!(count(&counted, "equal"), 20, "{counted:?}");
    assert_eq!(count(&counted, "dropped_slow"), 8, "{counted:?}");
    assert_eq!(count(&counted, "dropped_busy"), 0, "{counted:?}");
    for stream in others.into_iter().chain(slow.into_iter().take(8)) {
        finish_request(&mut vm, stream, "{}");
        respond(&mut vm, response("200", b"{}"));
    }
    assert_eq!(count(&outcomes(&mut vm), "equal"), 16);
}
