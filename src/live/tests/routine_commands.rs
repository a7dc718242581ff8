//! Property: no sequence of commands that people and pipelines run every day ends a halt or undoes a rearm.

use proptest::prelude::*;

use super::model::{
    Command, Model, are_counts_kept, are_kept, author, carry_out, check, commands, folder, rearmed,
};
use super::numbered_policies::{POLICIES, overrides, policy};
use crate::failpoint::{self, Fault};
use crate::{Change, Directory, Error, Halts, Intent, LiftedHalts, Outcome, Target};

/// What people, pipelines and proxies do to a folder without ending a halt on purpose.
#[derive(Clone, Debug)]
enum Routine {
    /// An apply and its outcome.
    Apply(usize, Option<Outcome>),
    Rollback,
    /// `rollback --to` an entry that may not exist.
    To(u64),
    Halt,
    HaltRollout(&'static str),
    Rearm(&'static str, Option<Outcome>),
    /// The reads of `log`, `watch`, `lint --against`, `plan` and `halt`.
    Look,
    /// The preview of an apply, which comes before the lock.
    Preview(usize),
    /// An apply with a preview from before the halt, which then waited for the lock.
    WaitedApply(usize),
    /// Proxies reject the policy from before the halt only now.
    LateRefusal,
    /// An apply that fails before it writes.
    BadApply,
    Remember,
}

fn routines() -> impl Strategy<Value = Vec<(Routine, Option<Fault>)>> {
    let outcomes = || {
        prop::option::of(prop::sample::select(vec![
            Outcome::Accepted,
            Outcome::Rejected,
            Outcome::PartiallyApplied,
            Outcome::Unconfirmed,
        ]))
    };
    let routine = prop_oneof![
        4 => (0..POLICIES, outcomes()).prop_map(|(number, outcome)| Routine::Apply(number, outcome)),
        2 => Just(Routine::Rollback),
        1 => (1_u64..12).prop_map(Routine::To),
        1 => Just(Routine::Halt),
        1 => prop::sample::select(vec!["a", "b"]).prop_map(Routine::HaltRollout),
        2 => (prop::sample::select(vec!["a", "b"]), outcomes())
            .prop_map(|(rollout, outcome)| Routine::Rearm(rollout, outcome)),
        1 => Just(Routine::Look),
        1 => (0..POLICIES).prop_map(Routine::Preview),
        2 => (0..POLICIES).prop_map(Routine::WaitedApply),
        1 => Just(Routine::LateRefusal),
        1 => Just(Routine::BadApply),
        1 => Just(Routine::Remember),
    ];
    let fault = prop_oneof![
        2 => Just(None),
        2 => (0_usize..20).prop_map(|step| Some(Fault::Killed(step))),
        1 => (0_usize..20).prop_map(|step| Some(Fault::Full(step))),
    ];
    prop::collection::vec((routine, fault), 1..10)
}

/// Previews and a change from before the halt.
struct BeforeHalt {
    previews: Vec<crate::Preview>,
    change: Change,
}

fn intent(policy: &str, number: usize) -> Intent<'_> {
    Intent::Apply {
        policy,
        given: overrides(number),
        lifts: LiftedHalts::default(),
    }
}

/// Runs it, and ignores errors.
fn go_about(directory: &Directory, routine: &Routine, before: &mut BeforeHalt) {
    let author = author();
    match routine {
        Routine::Apply(number, outcome) => {
            let change = directory.apply(&policy(*number), overrides(*number), &author);
            if let (Ok(mut change), Some(outcome)) = (change, outcome) {
                directory.record_outcome(&mut change, *outcome, &["no".into()]);
            }
        }
        Routine::Rollback => drop(directory.rollback(&Target::Before, &author)),
        Routine::To(number) => {
            drop(directory.rollback(&Target::Named(format!("#{number}")), &author));
        }
        Routine::Halt => drop(directory.halt(&author)),
        Routine::HaltRollout(rollout) => {
            let rollout = Some(*rollout);
            drop(directory.change(&Intent::Halt { rollout }, &author, None));
        }
        Routine::Rearm(rollout, outcome) => {
            let change = directory.change(&Intent::Rearm { rollout }, &author, None);
            if let (Ok(mut change), Some(outcome)) = (change, outcome) {
                directory.record_outcome(&mut change, *outcome, &["no".into()]);
            }
        }
        Routine::Look => {
            drop(directory.log(10));
            drop(directory.active_policy());
            drop(directory.remembered());
        }
        Routine::Preview(number) => {
            let policy = policy(*number);
            drop(directory.preview(&intent(&policy, *number), &author));
        }
        Routine::WaitedApply(number) => {
            let policy = policy(*number);
            let intent = intent(&policy, *number);
            let changed = directory.change(&intent, &author, before.previews.get(*number));
            // The command makes a new preview then.
            if let Err(Error::ChangedMeanwhile) = changed
                && let Ok(preview) = directory.preview(&intent, &author)
            {
                drop(directory.change(&intent, &author, Some(&preview)));
            }
        }
        Routine::LateRefusal => {
            drop(directory.record_outcome(&mut before.change, Outcome::Rejected, &["no".into()]));
        }
        Routine::BadApply => drop(directory.apply("{", overrides(0), &author)),
        Routine::Remember => drop(directory.remember(&["http://127.0.0.1:1".into()])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Also when commands are killed or the disk is full.
    #[test]
    fn no_sequence_of_routine_commands_ends_a_halt_or_undoes_a_rearm(
        before in commands(),
        last in 0..POLICIES,
        halted in prop::sample::select(vec![
            vec![Command::Halt],
            vec![Command::HaltRollout("a")],
            vec![Command::HaltRollout("a"), Command::Halt],
        ]),
        routines in routines(),
    ) {
        let (_folder, directory) = folder();
        let mut model = Model::default();
        for command in &before {
            check(&directory, &mut model, command);
        }
        let previews = (0..POLICIES).filter_map(|number| {
            directory.preview(&intent(&policy(number), number), &author()).ok()
        });
        let previews = previews.collect();
        let change = directory.apply(&policy(last), overrides(last), &author());
        // It has no rollout b, which may be halted.
        let Ok(change) = change else { return Ok(()) };
        let mut before = BeforeHalt { previews, change };
        for command in &halted {
            carry_out(&directory, command, None).expect("halted");
        }
        let kept = Halts {
            everyone: halted.iter().any(|command| matches!(command, Command::Halt)),
            rollouts: halted
                .iter()
                .filter_map(|command| match command {
                    Command::HaltRollout(name) => Some((*name).to_owned()),
                    _ => None,
                })
                .collect(),
        };
        prop_assert!(are_kept(&directory, &kept));
        for (routine, fault) in &routines {
            let counts = rearmed(&directory);
            match fault {
                Some(fault) => drop(failpoint::with(*fault, || go_about(&directory, routine, &mut before))),
                None => go_about(&directory, routine, &mut before),
            }
            prop_assert!(are_kept(&directory, &kept), "{routine:?} with {fault:?} ends a halt");
            // The refused policy, with a `rearmed` of its own, may still be in the file.
            let is_undone = !matches!(routine, Routine::LateRefusal) && !are_counts_kept(&directory, &counts);
            prop_assert!(!is_undone, "{routine:?} with {fault:?} undoes a rearm");
        }
        let _ = directory.resume(&author());
    }
}
