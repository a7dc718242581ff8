//! What clients can do to the guard. Bad requests, aborts and one repeated id neither trip it nor hide errors of
//! others. A client that chooses its ids can fail on purpose: with `accounts`, only it is ejected.

use support::random::Random;
use turnout_core::guard::{ComparedRequest, GuardState};

use super::*;

/// Runs a minute in which a client sends ten requests a second in addition to fifty others, whose arms are random and of which
/// one in a hundred fails.
fn minute(
    accounts: bool,
    client: impl Fn(
        &mut WorkerGuard,
        Stratum,
        &mut Random,
        Vec<ComparedRequest>,
    ) -> Vec<ComparedRequest>,
) -> WorkerGuard {
    let settings = GuardSettings {
        accounts: accounts.then(|| bounded(1_000)),
        ..settling(2)
    };
    let (mut guard, stratum) = guard(settings, "20");
    let mut random = Random::new(3);
    let mut open = Vec::new();
    for _ in 0..60 {
        for _ in 0..50 {
            let (id, account) = (random.next(), random.below(30) + 2);
            let response = match random.happens(10_000) {
                true => Response::Error,
                false => Response::Success,
            };
            let arm = arm(&mut random);
            note_for(&mut guard, stratum, arm, id, Some(account), response);
        }
        open = client(&mut guard, stratum, &mut random, open);
        tick(&mut guard);
        assert_eq!(guard.state(), GuardState::Armed);
    }
    guard
}

fn arm(random: &mut Random) -> Treatment {
    match random.happens(200_000) {
        true => Treatment::V2,
        false => Treatment::V1,
    }
}

#[test]
fn bad_requests_are_no_errors() {
    let guard = minute(true, |guard, stratum, random, open| {
        for _ in 0..10 {
            let (arm, id) = (arm(random), random.next());
            // A 4xx.
            note_for(guard, stratum, arm, id, Some(1), Response::Success);
        }
        open
    });
    assert_eq!(guard.ejected_accounts(), 0);
}

#[test]
fn aborted_requests_are_no_errors() {
    let guard = minute(true, |guard, stratum, random, open| {
        for request in open {
            guard.note_end(request, Response::ClientLeft, 900);
        }
        let requests = (0..10).filter_map(|_| {
            let (arm, id) = (arm(random), random.next());
            guard.note_decision(stratum, arm, id, Some(1))
        });
        requests.collect()
    });
    assert_eq!(guard.ejected_accounts(), 0);
}

/// The client found an id that takes v2 and a request that fails, and repeats both.
#[test]
fn one_repeated_id_is_one_error_and_hides_none() {
    let without = minute(true, |_, _, _, open| open);
    let with = minute(true, |guard, stratum, _, open| {
        for _ in 0..10 {
            note_for(guard, stratum, Treatment::V2, 42, Some(1), Response::Error);
        }
        open
    });
    assert_eq!(with.ejected_accounts(), 0);
    let [without, with] = [without, with].map(|guard| guard.settled().strata()[0].arms);
    assert_eq!(with.v1, without.v1);
    assert_eq!(with.v2.errors, without.v2.errors + 1);
    assert_eq!(with.v2.all, without.v2.all + 1);
}

/// A client that chooses its request ids chooses its treatment. What it can do then is bounded by `accounts`: it is
/// ejected, and nobody else.
#[test]
fn a_client_that_chooses_its_ids_ejects_only_itself() {
    let mut settings = settling(2);
    settings.accounts = Some(bounded(100));
    let (mut guard, stratum) = guard(settings, "20");
    let mut random = Random::new(5);
    for _ in 0..60 {
        for _ in 0..200 {
            let (id, account) = (random.next(), random.below(30) + 2);
            let arm = arm(&mut random);
            note_for(
                &mut guard,
                stratum,
                arm,
                id,
                Some(account),
                Response::Success,
            );
        }
        if !guard.sends_to_v1(1) {
            note_for(
                &mut guard,
                stratum,
                Treatment::V2,
                random.next(),
                Some(1),
                Response::Error,
            );
        }
        tick(&mut guard);
        assert_eq!(guard.state(), GuardState::Armed);
    }
    assert!(guard.sends_to_v1(1));
    assert_eq!(guard.ejected_accounts(), 1);
}
