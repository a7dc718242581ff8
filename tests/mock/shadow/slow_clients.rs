//! Clients that take their time: they hold no place, end in time, and make room for others.

use super::*;

/// A request of one of many accounts, or of none.
fn open(vm: &mut Vm, account: Option<usize>, is_whole: bool) -> Stream {
    let account = account.map(|number| format!("AC{:032x}", number + 1));
    let mut headers = request(if is_whole { "GET" } else { "POST" }).to_vec();
    headers.retain(|(name, _)| *name != "x-account-sid");
    headers.extend(account.iter().map(|account| ("x-account-sid", &**account)));
    vm.request(&headers, is_whole).expect("no trap")
}

/// The whole of a request of an account, which v1 answers and v2 answers alike.
fn compared(vm: &mut Vm, account: usize) {
    let stream = open(vm, Some(account), true);
    answered(vm, stream, "{}");
    let last = tokens(vm).into_iter().last().expect("v2 is asked");
    vm.answer(last, response("200", b"{}")).expect("no trap");
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
fn uploads_that_stall_leave_all_places_to_others() {
    for moment in ["after_answer", "with_request"] {
        let mut vm = copying(&json!({ "max_in_flight": 4, "send": moment }));
        // As many as may wait, and each of them of another account.
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
        // One made room, and was the first one; those after it still wait.
        assert_eq!(count(&counted, "dropped_slow"), 1, "{counted:?}");
        let first = slow.remove(0);
        vm.request_body(&first, b"x", true).expect("no trap");
        answered(&mut vm, first, "{}");
        assert!(tokens(&vm).is_empty());
        for stream in slow {
            vm.request_body(&stream, b"x", true).expect("no trap");
            answered(&mut vm, stream, "{}");
            answer(&mut vm, response("200", b"{}"));
        }
        let counted = outcomes(&mut vm);
        assert_eq!(counted, [(".r.equal".to_owned(), 15)], "{moment}");
    }
}

#[test]
fn answers_that_are_read_slowly_hold_no_place_once_v2_has_answered() {
    let mut vm = copying(&json!({ "max_in_flight": 4, "send": "with_request" }));
    let slow: Vec<Stream> = (0..12)
        .map(|number| {
            let stream = open(&mut vm, Some(number), true);
            answer(&mut vm, response("200", b"{}"));
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
fn whoever_waits_for_a_minute_is_given_up() {
    let mut vm = copying(&json!({}));
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
fn one_account_has_a_quarter_of_the_places_and_those_without_one_three() {
    let mut vm = copying(&json!({ "max_in_flight": 8 }));
    let mut ask = |account: Option<usize>, times: usize| {
        let before = tokens(&vm).len();
        for _ in 0..times {
            let stream = open(&mut vm, account, true);
            answered(&mut vm, stream, "{}");
        }
        tokens(&vm).len() - before
    };
    assert_eq!(ask(Some(1), 10), 2);
    assert_eq!(ask(None, 10), 6);
    assert_eq!(ask(Some(2), 1), 0);
    let first = tokens(&vm)[0];
    vm.answer(first, response("200", b"{}")).expect("no trap");
    let stream = open(&mut vm, Some(2), true);
    answered(&mut vm, stream, "{}");
    assert_eq!(tokens(&vm).len(), 8);
    let counted = outcomes(&mut vm);
    assert_eq!(count(&counted, "dropped_busy"), 13, "{counted:?}");
}

#[test]
fn an_account_that_makes_many_wait_gives_up_its_own() {
    let mut vm = copying(&json!({ "max_in_flight": 8 }));
    let others: Vec<Stream> = (10..14).map(|n| open(&mut vm, Some(n), false)).collect();
    // Of 32 that may wait it has 8; while they are young the next ones are dropped.
    let slow: Vec<Stream> = (0..10).map(|_| open(&mut vm, Some(1), false)).collect();
    assert_eq!(count(&outcomes(&mut vm), "dropped_busy"), 2);
    ticks(&mut vm, 2);
    let more: Vec<Stream> = (0..3).map(|_| open(&mut vm, Some(1), false)).collect();
    assert_eq!(count(&outcomes(&mut vm), "dropped_slow"), 3);
    for stream in others {
        vm.request_body(&stream, b"x", true).expect("no trap");
        answered(&mut vm, stream, "{}");
        answer(&mut vm, response("200", b"{}"));
    }
    assert_eq!(count(&outcomes(&mut vm), "equal"), 4);
    for stream in slow.into_iter().chain(more) {
        vm.finish(stream).expect("no trap");
    }
    let rest = outcomes(&mut vm);
    assert_eq!(count(&rest, "skipped_aborted"), 8, "{rest:?}");
}

/// A v1 that takes long everywhere is compared too: half of those that may wait are waited for.
#[test]
fn a_v1_that_takes_long_is_waited_for() {
    let mut vm = copying(&json!({ "max_in_flight": 4 }));
    let waiting: Vec<Stream> = (0..8).map(|n| open(&mut vm, Some(n), true)).collect();
    ticks(&mut vm, 10);
    let more: Vec<Stream> = (8..20).map(|n| open(&mut vm, Some(n), true)).collect();
    assert_eq!(count(&outcomes(&mut vm), "dropped_busy"), 4);
    for stream in waiting {
        answered(&mut vm, stream, "{}");
        answer(&mut vm, response("200", b"{}"));
    }
    assert_eq!(count(&outcomes(&mut vm), "equal"), 8);
    for stream in more {
        vm.finish(stream).expect("no trap");
    }
}

#[test]
fn requests_at_a_slow_v1_leave_half_of_the_room_to_others() {
    let mut vm = copying(&json!({ "max_in_flight": 4 }));
    let slow: Vec<Stream> = (0..16).map(|n| open(&mut vm, Some(n), true)).collect();
    ticks(&mut vm, 10);
    // One after the other, and then as many at once as half of the room.
    for number in 100..120 {
        compared(&mut vm, number);
    }
    let others: Vec<Stream> = (200..208).map(|n| open(&mut vm, Some(n), true)).collect();
    let counted = outcomes(&mut vm);
    assert_eq!(count(&counted, "equal"), 20, "{counted:?}");
    assert_eq!(count(&counted, "dropped_slow"), 8, "{counted:?}");
    assert_eq!(count(&counted, "dropped_busy"), 0, "{counted:?}");
    for stream in others.into_iter().chain(slow.into_iter().take(8)) {
        answered(&mut vm, stream, "{}");
        answer(&mut vm, response("200", b"{}"));
    }
    assert_eq!(count(&outcomes(&mut vm), "equal"), 16);
}
