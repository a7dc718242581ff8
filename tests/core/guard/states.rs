//! The states: held, tripped, armed again, invalid, re-armed.

use turnout_core::guard::{GuardAction, GuardState};

use super::*;

/// Notes a second in which v2 fails this often and v1 never, at 50 %.
fn fail(guard: &mut WorkerGuard, stratum: Stratum, errors: u64, from: u64) {
    for id in from..from + errors {
        note(guard, stratum, Treatment::V2, id, Response::Error);
        note(
            guard,
            stratum,
            Treatment::V1,
            1 << 40 | id,
            Response::Success,
        );
    }
}

#[test]
fn a_guard_holds_until_the_errors_have_settled_and_then_trips() {
    let (mut guard, stratum) = guard(settling(3), "50");
    fail(&mut guard, stratum, 12, 0);
    assert_eq!(guard.state(), GuardState::Armed);
    let change = tick(&mut guard).expect("a change");
    assert_eq!(
        (change.from, change.to),
        (GuardState::Armed, GuardState::Holding)
    );
    assert!(guard.is_acting());
    // Everyone takes v1, so nothing is compared.
    assert!(
        guard
            .note_decision(stratum, Treatment::V2, 99, None)
            .is_none()
    );
    assert_eq!(tick(&mut guard), None);
    assert_eq!(tick(&mut guard), None);
    let change = tick(&mut guard).expect("a change");
    assert_eq!(
        (change.from, change.to),
        (GuardState::Holding, GuardState::Tripped)
    );
    // Tripped is latched.
    for _ in 0..1_000 {
        assert_eq!(tick(&mut guard), None);
    }
    assert!(guard.is_acting());
    assert!(guard.evidence().total >= guard.test().ln_threshold());
}

/// Another worker ticks later, and its errors also settle later.
#[test]
fn a_guard_holds_until_the_errors_of_other_workers_have_settled() {
    let (mut one, stratum) = guard(settling(1), "50");
    let (mut other, _) = guard(settling(1), "50");
    fail(&mut one, stratum, 7, 0);
    fail(&mut other, stratum, 7, 100);
    let tick_one = |one: &mut WorkerGuard, other: &WorkerGuard| {
        let mut bytes = Vec::new();
        other.write_snapshot(&mut bytes);
        let mut others = OtherWorkers::new(EPOCH);
        others.add(&bytes);
        one.tick(&others);
        one.state()
    };
    tick(&mut other);
    assert_eq!(tick_one(&mut one, &other), GuardState::Holding);
    assert_eq!(tick_one(&mut one, &other), GuardState::Holding);
    assert!(one.is_acting());
    tick(&mut other);
    assert_eq!(tick_one(&mut one, &other), GuardState::Tripped);
}

/// Both treatments fail, and v2 fails sooner.
#[test]
fn a_guard_that_held_without_a_reason_is_armed_again() {
    let (mut guard, stratum) = guard(settling(3), "50");
    let mut open = Vec::new();
    for id in 0..20 {
        note(&mut guard, stratum, Treatment::V2, id, Response::Error);
        let request = guard.note_decision(stratum, Treatment::V1, 100 + id, None);
        open.push(request.expect("a request"));
    }
    tick(&mut guard);
    assert_eq!(guard.state(), GuardState::Holding);
    tick(&mut guard);
    for request in open {
        guard.note_end(request, Response::Error, 1_500);
    }
    tick(&mut guard);
    assert_eq!(guard.state(), GuardState::Holding);
    tick(&mut guard);
    assert_eq!(guard.state(), GuardState::Armed);
    assert!(!guard.is_acting());
    assert_eq!(guard.settled().strata()[0].arms.v1, counts(20, 20, 0));
}

#[test]
fn reporting_never_acts() {
    let settings = GuardSettings {
        action: GuardAction::Report,
        accounts: Some(bounded(100)),
        ..settling(1)
    };
    let (mut guard, stratum) = guard(settings, "50");
    for second in 0..10 {
        for id in 0..40 {
            let id = second * 40 + id;
            // One account has half of the errors.
            let account = Some(if id % 2 == 0 { 1 } else { id });
            note_for(
                &mut guard,
                stratum,
                Treatment::V2,
                id,
                account,
                Response::Error,
            );
            note(
                &mut guard,
                stratum,
                Treatment::V1,
                1 << 40 | id,
                Response::Success,
            );
        }
        tick(&mut guard);
        assert!(!guard.is_acting());
    }
    assert_eq!(guard.state(), GuardState::Tripped);
    assert_eq!(guard.ejected_accounts(), 1);
    assert!(!guard.sends_to_v1(1));
    // It still counts.
    assert!(
        guard
            .note_decision(stratum, Treatment::V2, 1 << 50, None)
            .is_some()
    );
}

#[test]
fn re_arming_starts_from_nothing() {
    let (mut guard, stratum) = guard(settling(1), "50");
    fail(&mut guard, stratum, 12, 0);
    let of_before = guard.note_decision(stratum, Treatment::V2, 500, None);
    tick(&mut guard);
    tick(&mut guard);
    assert_eq!(guard.state(), GuardState::Tripped);
    guard.rearm(EPOCH + 1);
    assert_eq!(guard.state(), GuardState::Armed);
    guard.note_end(of_before.expect("a request"), Response::Error, 1);
    tick(&mut guard);
    tick(&mut guard);
    let arms = guard.settled().strata()[0].arms;
    assert_eq!(arms, Arms::default());
    assert_eq!(guard.evidence().total, 0.0);
    // The same ids count again.
    fail(&mut guard, stratum, 12, 0);
    tick(&mut guard);
    tick(&mut guard);
    assert_eq!(guard.state(), GuardState::Tripped);
}

#[test]
fn workers_trip_together_by_the_sum_of_their_counts() {
    let (mut one, stratum) = guard(settling(1), "50");
    let (mut other, _) = guard(settling(1), "50");
    fail(&mut one, stratum, 7, 0);
    fail(&mut other, stratum, 7, 100);
    let mut snapshots = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        for [own, theirs] in [[0, 1], [1, 0]] {
            let guard = if own == 0 { &mut one } else { &mut other };
            let mut others = OtherWorkers::new(EPOCH);
            others.add(&snapshots[theirs]);
            guard.tick(&others);
            guard.write_snapshot(&mut snapshots[own]);
        }
    }
    assert_eq!([one.state(), other.state()], [GuardState::Tripped; 2]);
    assert_eq!(one.evidence().total, other.evidence().total);
}

#[test]
fn a_trip_of_another_worker_counts_only_in_the_same_epoch() {
    let (mut one, stratum) = guard(settling(1), "50");
    fail(&mut one, stratum, 12, 0);
    tick(&mut one);
    tick(&mut one);
    let mut bytes = Vec::new();
    one.write_snapshot(&mut bytes);
    let (mut other, _) = guard(settling(1), "50");
    let mut of_next = OtherWorkers::new(EPOCH + 1);
    assert!(!of_next.add(&bytes));
    let mut others = OtherWorkers::new(EPOCH);
    assert!(others.add(&bytes));
    other.rearm(EPOCH + 1);
    assert_eq!(other.tick(&others), None);
    other.rearm(EPOCH);
    other.tick(&others);
    assert_eq!(other.state(), GuardState::Tripped);
}

#[test]
fn workers_that_cannot_share_divide_alpha() {
    let (mut one, stratum) = guard(settling(1), "50");
    one.set_workers(8, false);
    assert_eq!(one.test().ln_threshold(), 800_f64.ln());
    fail(&mut one, stratum, 12, 0);
    tick(&mut one);
    tick(&mut one);
    assert_eq!(one.state(), GuardState::Armed);
    one.set_workers(8, true);
    assert!((one.test().ln_threshold() - 100_f64.ln()).abs() < 1e-12);
    tick(&mut one);
    assert_eq!(one.state(), GuardState::Tripped);
}

#[test]
fn without_a_control_only_the_limit_trips() {
    for (limit, expected) in [
        (None, GuardState::Armed),
        (Some(1_000_000), GuardState::Tripped),
    ] {
        let settings = GuardSettings {
            limit: limit.map(bounded),
            ..settling(1)
        };
        let (mut guard, stratum) = guard(settings, "100");
        for id in 0..20 {
            note(&mut guard, stratum, Treatment::V2, id, Response::Error);
        }
        tick(&mut guard);
        tick(&mut guard);
        assert_eq!(guard.state(), expected);
    }
}

#[test]
fn strata_are_found_again_and_bounded() {
    let mut guard = WorkerGuard::new(settling(1), EPOCH);
    assert_eq!(guard.stratum(percent("0")), None);
    let first = guard.stratum(percent("1"));
    for number in 2..=turnout_core::guard::MAX_STRATA {
        assert!(guard.stratum(percent(&number.to_string())).is_some());
    }
    assert_eq!(guard.stratum(percent("99")), None);
    assert_eq!(guard.stratum(percent("1.0")), first);
}
