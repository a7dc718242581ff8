//! The guard without a proxy: what it counts, how strong the evidence is, when it trips, and how often it does so
//! without a reason. And what is computed from its counts: the ratio of the error rates, and whether v2 is healthy.

mod accounts;
mod balance;
mod binomial;
mod counting;
mod delay;
mod errors_needed;
mod evidence;
mod false_alarms;
mod false_health;
mod health;
mod hostile;
mod ratio_coverage;
mod ratio_estimate;
mod sampled_counts;
mod simulation;
mod snapshot;
mod states;
mod stream_end;

use turnout_core::guard::{
    Alpha, ArmCounts, Arms, Bounded, FalseEjections, GuardSettings, OtherWorkers, Ratio, Response,
    SettleSeconds, StateChange, Stratum, WorkerGuard,
};
use turnout_core::{Fraction, Treatment};

const EPOCH: u64 = 7;

fn percent(literal: &str) -> Fraction {
    Fraction::from_percentage(literal).expect("a percentage")
}

fn bounded<const LOWEST: u32, const HIGHEST: u32>(value: u32) -> Bounded<LOWEST, HIGHEST> {
    Bounded::new(value).expect("a number within bounds")
}

/// The defaults, with another time to settle.
fn settling(seconds: u32) -> GuardSettings {
    GuardSettings {
        settle_seconds: bounded(seconds),
        ..GuardSettings::default()
    }
}

/// A guard with one stratum.
fn guard(settings: GuardSettings, requests: &str) -> (WorkerGuard, Stratum) {
    let mut guard = WorkerGuard::new(settings, EPOCH);
    let stratum = guard.stratum(percent(requests)).expect("a stratum");
    (guard, stratum)
}

/// Ends a second of a worker that is alone.
fn tick(guard: &mut WorkerGuard) -> Option<StateChange> {
    guard.tick(&OtherWorkers::new(guard.epoch()))
}

/// Notes a request that ends at once.
fn note(guard: &mut WorkerGuard, stratum: Stratum, arm: Treatment, id: u64, response: Response) {
    note_for(guard, stratum, arm, id, None, response);
}

fn note_for(
    guard: &mut WorkerGuard,
    stratum: Stratum,
    arm: Treatment,
    id: u64,
    account: Option<u64>,
    response: Response,
) {
    if let Some(request) = guard.note_decision(stratum, arm, id, account) {
        guard.note_end(request, response, 1);
    }
}

fn counts(all: u64, errors: u64, slow: u64) -> ArmCounts {
    ArmCounts { all, errors, slow }
}

#[test]
fn settings_have_these_defaults_and_bounds() {
    let settings = GuardSettings::default();
    assert_eq!(settings.errors.map(Ratio::get), Some(1_200));
    assert_eq!(settings.alpha.get(), 10_000);
    assert_eq!(settings.settle_seconds.get(), 20);
    assert_eq!((settings.slow, settings.limit), (None, None));
    assert_eq!(settings.accounts, None);
    assert_eq!([999, 5_001].map(Ratio::new), [None; 2]);
    assert_eq!([0, 500_001].map(Alpha::new), [None; 2]);
    assert_eq!([0, 301].map(SettleSeconds::new), [None; 2]);
    assert_eq!([0, 10_001].map(FalseEjections::new), [None; 2]);
}
