//! What is counted, compared with a slow model that keeps every request: for any order of ends, and for ends that never
//! come.

use std::collections::BTreeSet;

use proptest::prelude::*;
use turnout_core::guard::{ComparedRequest, GuardCounts, SlowSettings};

use super::*;

const SETTLE: u32 = 3;
const OVER_MS: u64 = 1_500;
const PERCENTAGES: [&str; 3] = ["5", "50", "100"];

#[derive(Clone, Debug)]
enum Event {
    Decide {
        stratum: usize,
        arm: Treatment,
        id: u64,
    },
    /// The end of one of the open requests.
    End {
        which: prop::sample::Index,
        response: Response,
        duration_ms: u64,
    },
    Tick,
}

fn event() -> impl Strategy<Value = Event> {
    let arm = prop_oneof![Just(Treatment::V1), Just(Treatment::V2)];
    let response = prop_oneof![
        2 => Just(Response::Success),
        4 => Just(Response::Error),
        1 => Just(Response::ClientLeft),
        1 => Just(Response::NotForwarded),
    ];
    // Few ids, so that many are repeated, and of few groups.
    let id = (0..40_u64).prop_map(|id| (id << 20) | (id % 10));
    prop_oneof![
        6 => (0..3_usize, arm, id).prop_map(|(stratum, arm, id)| Event::Decide { stratum, arm, id }),
        6 => (any::<prop::sample::Index>(), response, 0..3_000_u64).prop_map(
            |(which, response, duration_ms)| Event::End { which, response, duration_ms }
        ),
        2 => Just(Event::Tick),
    ]
}

/// One request of the model.
#[derive(Debug)]
struct Request {
    stratum: usize,
    arm: Treatment,
    id: u64,
    second: u32,
    is_first: bool,
    is_open: bool,
    is_counted: bool,
    is_error: bool,
    is_slow: bool,
}

#[derive(Default)]
struct Model {
    requests: Vec<Request>,
    decided: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    slowed: BTreeSet<u64>,
    /// Ids whose first request was not forwarded.
    forgotten: BTreeSet<u64>,
    second: u32,
}

impl Model {
    fn decide(&mut self, stratum: usize, arm: Treatment, id: u64) -> usize {
        let is_first = self.decided.insert(id);
        self.requests.push(Request {
            stratum,
            arm,
            id,
            second: self.second,
            is_first,
            is_open: true,
            is_counted: is_first,
            is_error: false,
            is_slow: false,
        });
        self.requests.len() - 1
    }

    fn end(&mut self, which: usize, response: Response, duration_ms: u64) {
        let request = &mut self.requests[which];
        // The second has ended and is `SETTLE` seconds old.
        if request.second + 1 + SETTLE <= self.second {
            return;
        }
        request.is_open = false;
        let id = request.id;
        if response == Response::NotForwarded {
            let is_known = self.failed.contains(&id) || self.slowed.contains(&id);
            if request.is_first && !is_known {
                request.is_counted = false;
                self.decided.remove(&id);
                self.forgotten.insert(id);
            }
            return;
        }
        if !request.is_first && self.forgotten.contains(&id) {
            request.is_counted = self.decided.insert(id);
        }
        request.is_slow = duration_ms > OVER_MS && self.slowed.insert(id);
        request.is_error = response == Response::Error && self.failed.insert(id);
    }

    fn counts(&self, is_counted: impl Fn(u32) -> bool) -> GuardCounts {
        let mut sum = GuardCounts::default();
        for requests in PERCENTAGES {
            sum.add(percent(requests), Arms::default());
        }
        for request in self
            .requests
            .iter()
            .filter(|request| is_counted(request.second))
        {
            let is_old =
                u64::from(self.second - request.second) * 1_000 > OVER_MS.div_ceil(1_000) * 1_000;
            let is_open_slow = request.is_open && request.is_first && is_old;
            let one = counts(
                u64::from(request.is_counted),
                u64::from(request.is_error),
                u64::from(request.is_slow || is_open_slow),
            );
            let mut arms = Arms::default();
            *arms.get_mut(request.arm) = one;
            sum.add(percent(PERCENTAGES[request.stratum]), arms);
        }
        sum
    }
}

fn settings() -> GuardSettings {
    GuardSettings {
        slow: Some(SlowSettings {
            over_ms: 1_500,
            ratio: bounded(1_500),
        }),
        accounts: Some(bounded(10_000)),
        // It must not act.
        action: turnout_core::guard::GuardAction::Report,
        ..settling(SETTLE)
    }
}

fn three_strata(settings: GuardSettings) -> (WorkerGuard, Vec<Stratum>) {
    let mut guard = WorkerGuard::new(settings, EPOCH);
    let strata = PERCENTAGES.map(|requests| guard.stratum(percent(requests)));
    (guard, strata.into_iter().flatten().collect())
}

proptest! {
    #[test]
    fn counts_equal_those_of_a_model(events in prop::collection::vec(event(), 0..300)) {
        let (mut guard, strata) = three_strata(settings());
        let mut model = Model::default();
        let mut open: Vec<(usize, ComparedRequest)> = Vec::new();
        for event in events {
            match event {
                Event::Decide { stratum, arm, id } => {
                    let request = guard.note_decision(strata[stratum], arm, id, Some(id % 5));
                    open.push((model.decide(stratum, arm, id), request.expect("a request")));
                }
                Event::End { which, response, duration_ms } if !open.is_empty() => {
                    let (number, request) = open.swap_remove(which.index(open.len()));
                    guard.note_end(request, response, duration_ms);
                    model.end(number, response, duration_ms);
                }
                Event::End { .. } => {}
                Event::Tick => {
                    tick(&mut guard);
                    model.second += 1;
                    let has_settled = |second| second + 1 + SETTLE <= model.second;
                    prop_assert_eq!(guard.settled(), model.counts(has_settled));
                    prop_assert_eq!(guard.unsettled(), model.counts(|second| !has_settled(second)));
                }
            }
        }
    }

    /// The order in which requests of a second end does not matter, and two workers count what one would.
    #[test]
    fn counts_add_up_in_any_order(
        requests in prop::collection::vec((0..3_usize, any::<bool>(), any::<bool>(), 0..3_000_u64), 0..200),
        order in any::<u64>(),
    ) {
        let (mut whole, strata) = three_strata(settings());
        let mut parts = [three_strata(settings()).0, three_strata(settings()).0];
        let mut ends = Vec::new();
        for (number, (stratum, is_v2, is_error, duration_ms)) in requests.iter().enumerate() {
            let arm = if *is_v2 { Treatment::V2 } else { Treatment::V1 };
            let response = if *is_error { Response::Error } else { Response::Success };
            let id = number as u64;
            let part = &mut parts[number % 2];
            let of_part = part.note_decision(strata[*stratum], arm, id, None).expect("a request");
            part.note_end(of_part, response, *duration_ms);
            let of_whole = whole.note_decision(strata[*stratum], arm, id, None);
            ends.push((of_whole.expect("a request"), response, *duration_ms));
        }
        ends.sort_by_cached_key(|(_, _, duration_ms)| (duration_ms ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for (request, response, duration_ms) in ends {
            whole.note_end(request, response, duration_ms);
        }
        for _ in 0..=SETTLE {
            tick(&mut whole);
            parts.iter_mut().for_each(|part| { tick(part); });
            let mut sum = parts[0].settled();
            sum.add_all(&parts[1].settled());
            prop_assert_eq!(sum, whole.settled());
        }
    }
}

/// The guard has no clock. Its worker ticks once a second, whatever the clock of the host shows, and a worker that is
/// busy for an hour ticks once.
#[test]
fn a_second_settles_after_so_many_ticks() {
    let (mut guard, stratum) = guard(settling(SETTLE), "50");
    note(&mut guard, stratum, Treatment::V2, 1, Response::Error);
    for _ in 0..SETTLE {
        tick(&mut guard);
        assert_eq!(guard.settled().strata()[0].arms, Arms::default());
    }
    tick(&mut guard);
    assert_eq!(guard.settled().strata()[0].arms.v2, counts(1, 1, 0));
}

#[test]
fn what_ends_later_is_dropped_and_what_is_open_can_only_be_slow() {
    for arm in Treatment::ALL {
        let settings = GuardSettings {
            settle_seconds: bounded(2),
            ..settings()
        };
        let (mut guard, stratum) = guard(settings, "50");
        let late = guard
            .note_decision(stratum, arm, 1, None)
            .expect("a request");
        let in_time = guard
            .note_decision(stratum, arm, 2, None)
            .expect("a request");
        tick(&mut guard);
        tick(&mut guard);
        guard.note_end(in_time, Response::Error, 1_000);
        tick(&mut guard);
        guard.note_end(late, Response::Error, 2_001);
        tick(&mut guard);
        assert_eq!(guard.settled().strata()[0].arms.get(arm), &counts(2, 1, 1));
    }
}

/// What happens to the requests of one id, and what is counted of them.
#[test]
fn an_id_whose_first_request_was_not_forwarded_counts_as_if_that_had_never_come() {
    use Response::{ClientLeft, Error, NotForwarded, Success};

    // In the order of their ends, by the order of their decisions.
    let overlapping: [(&[(usize, Response)], _); 9] = [
        (&[(0, NotForwarded)], counts(0, 0, 0)),
        (&[(0, NotForwarded), (1, Error)], counts(1, 1, 0)),
        (
            &[(0, NotForwarded), (1, Success), (2, Error)],
            counts(1, 1, 0),
        ),
        (&[(0, NotForwarded), (1, ClientLeft)], counts(1, 0, 0)),
        (
            &[(0, NotForwarded), (1, NotForwarded), (2, NotForwarded)],
            counts(0, 0, 0),
        ),
        (&[(1, Error), (0, NotForwarded)], counts(1, 1, 0)),
        (
            &[(1, Error), (0, NotForwarded), (2, Error)],
            counts(1, 1, 0),
        ),
        (&[(1, NotForwarded), (0, Error)], counts(1, 1, 0)),
        (&[(1, NotForwarded), (0, Success)], counts(1, 0, 0)),
    ];
    for (ends, expected) in overlapping {
        let (mut guard, stratum) = guard(settling(2), "50");
        let decide = |guard: &mut WorkerGuard| guard.note_decision(stratum, Treatment::V2, 5, None);
        let mut open = [decide(&mut guard), decide(&mut guard), decide(&mut guard)];
        for (which, response) in ends {
            let request = open[*which].take().expect("an open request");
            guard.note_end(request, *response, 1);
        }
        for _ in 0..4 {
            tick(&mut guard);
        }
        assert_eq!(guard.settled().strata()[0].arms.v2, expected, "{ends:?}");
    }

    // A retry after a rate limit, and one after an error.
    let (mut guard, stratum) = guard(settling(2), "50");
    for response in [NotForwarded, Error, NotForwarded, Error] {
        note(&mut guard, stratum, Treatment::V2, 5, response);
    }
    for _ in 0..4 {
        tick(&mut guard);
    }
    assert_eq!(guard.settled().strata()[0].arms.v2, counts(1, 1, 0));
}

/// An id that is unknown only because it is old counts once, however late its other requests end.
#[test]
fn an_old_id_is_not_counted_again_when_a_call_of_it_ends() {
    let (mut guard, stratum) = guard(settling(2), "50");
    let first = guard.note_decision(stratum, Treatment::V2, 5, None);
    let call = guard.note_decision(stratum, Treatment::V2, 5, None);
    guard.note_end(first.expect("a request"), Response::Success, 1);
    for number in 0..100_000_u64 {
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        note(&mut guard, stratum, Treatment::V1, id, Response::Success);
    }
    guard.note_end(call.expect("a request"), Response::Error, 1);
    for _ in 0..4 {
        tick(&mut guard);
    }
    assert_eq!(guard.settled().strata()[0].arms.v2, counts(1, 1, 0));
}

#[test]
fn counting_allocates_nothing() {
    let (mut guard, strata) = three_strata(settings());
    for second in 0..50 {
        let allocations = allocation_counter::measure(|| {
            for number in 0..500_u64 {
                let id = (second * 500 + number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let arm = if number % 3 == 0 {
                    Treatment::V2
                } else {
                    Treatment::V1
                };
                let stratum = strata[number as usize % 3];
                let request = guard
                    .note_decision(stratum, arm, id, Some(id))
                    .expect("a request");
                guard.note_end(request, Response::Error, number * 10);
                std::hint::black_box(guard.sends_to_v1(id));
            }
        });
        assert_eq!(allocations.count_total, 0);
        tick(&mut guard);
    }
}

#[test]
fn memory_depends_only_on_the_settings() {
    let (mut guard, strata) = three_strata(settings());
    let before = guard.held_bytes();
    assert!(before < 128 << 10, "{before} bytes");
    for second in 0..100 {
        for number in 0..1_000_u64 {
            let id = second << 32 | number;
            // It never ends.
            let _open = guard.note_decision(strata[0], Treatment::V1, id, Some(id));
        }
        tick(&mut guard);
    }
    assert_eq!(guard.held_bytes(), before);
}
