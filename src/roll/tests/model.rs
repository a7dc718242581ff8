//! Random worlds: whatever happens, a roll keeps its promises.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tempfile::TempDir;
use turnout_judge::Verdict;
use turnout_live::StateFolder;
use turnout_live::failpoint::{self, Fault};

use super::actions::{Action, actions};
use super::simulated_world::{Policy, Simulation, plan};
use crate::plan::{OnRegressed, RollPlan, Then};
use crate::{Driver, Outcome, Phase, RollState, SavedRoll};

/// No world needs more looks than this to end, once it is reliable. The longest pause is 15 minutes, and the quiet time
/// may come after a jump of the clock.
const MOST_LOOKS: usize = 400;
/// How often a look may leave a worse v2 live: one until its requests are counted, and one until they are judged.
const WORSE_LOOKS: u32 = 3;

/// How often a look may leave a step active that some proxies have refused: the one that has applied it.
const DIVIDED_LOOKS: u32 = 1;

pub(super) fn new_world(plan: RollPlan) -> (TempDir, Simulation) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let state = StateFolder::new(folder.path().join("roll"));
    drop(state.lock("roll").unwrap());
    (folder, Simulation::new(plan, state))
}

/// One process of the roll, which looks once or many times.
pub(super) struct Controller {
    pub(super) saved: Option<SavedRoll>,
}

impl Controller {
    pub(super) fn look(&mut self, world: &mut Simulation, fault: Option<Fault>) -> Option<Outcome> {
        let (plan, policies) = (world.plan.clone(), world.policies.clone());
        let steps = crate::Steps::new(&plan, &policies).unwrap();
        let saved = match self.saved.take() {
            Some(saved) => saved,
            None => {
                world.restart_controller();
                // A new process removes what a killed one left unfinished.
                drop(world.folder.lock("roll").unwrap());
                let read = world.state_file.read_for(&steps).expect("a state");
                read.unwrap_or_else(|| SavedRoll {
                    roll: RollState::new(&steps, 0, world.time()),
                    ledger: None,
                })
            }
        };
        let mut driver = Driver::new(steps, saved, None);
        let was_interfered_with = world.is_interfered_with();
        let live = world.live_step();
        world.audit.begin_look();
        let (failed, outcome) = match fault {
            None => (false, driver.tick(world)),
            Some(fault) => failpoint::with(fault, || driver.tick(world)),
        };
        let was_killed = failed && matches!(fault, Some(Fault::Killed(_)));
        world.audit.was_killed = was_killed;
        if !was_killed {
            let phase = &driver.saved().roll.phase;
            if let Phase::Baking { step } = phase {
                world.audit.all_run(*step);
            }
            self.saved = Some(driver.saved().clone());
        }
        let can_act = !was_interfered_with && !failed && !world.halt_fails;
        if can_act && world.audit.verdict() == Some(Verdict::Regressed) {
            // A roll that was killed has returned to the step before already.
            let roll = &driver.saved().roll;
            let is_shipped = matches!(roll.phase, Phase::RollingBack { .. }) && roll.is_delivered;
            let is_over = matches!(outcome, Some(Outcome::RolledBack | Outcome::GivenUp));
            let is_live = world.live_step().is_some();
            let is_back = world.live_step() < live || is_shipped || is_over || !is_live;
            assert!(is_back, "leaves step {live:?} live");
        }
        let is_readable = world.proxies.iter().any(|proxy| !proxy.is_missing);
        let is_exposed = world.is_v2_worse && world.live_step().is_some() && outcome.is_none();
        let can_see = is_readable && !world.is_invalid;
        if failed {
            world.audit.looks_after_kill = 1;
            // Nobody may have learnt that proxies refuse the step.
            world.audit.is_refused = false;
        }
        if was_killed {
            return None;
        }
        let audit = &mut world.audit;
        audit.worse_looks = match is_exposed && can_act && can_see {
            true => audit.worse_looks + 1,
            false => 0,
        };
        let looks = audit.worse_looks;
        let most = WORSE_LOOKS + audit.looks_after_kill;
        assert!(looks <= most, "a worse v2 is live for {looks} looks");
        let is_divided = world.audit.is_refused && world.live_step() > Some(0);
        let can_return = can_act && world.can_return();
        let audit = &mut world.audit;
        audit.divided_looks = match is_divided && can_return && outcome.is_none() {
            true => audit.divided_looks + 1,
            false => 0,
        };
        let looks = audit.divided_looks;
        assert!(
            looks <= DIVIDED_LOOKS,
            "proxies are divided for {looks} looks"
        );
        if !is_exposed {
            audit.looks_after_kill = 0;
        }
        if let (Some(outcome), false) = (outcome, world.audit.has_ended) {
            world.audit.has_ended = true;
            check_end(world, outcome);
        }
        outcome
    }
}

fn then() -> impl Strategy<Value = Then> {
    prop::sample::select(vec![Then::Wait, Then::Hold, Then::GiveUp])
}

fn on_regressed() -> impl Strategy<Value = OnRegressed> {
    prop::sample::select(vec![OnRegressed::Halt, OnRegressed::PreviousStep])
}

/// Checks the policy that a roll leaves.
fn check_end(world: &Simulation, outcome: Outcome) {
    let last = world.plan.steps.len() - 1;
    match outcome {
        Outcome::Finished => assert_eq!(world.policy, Policy::Step(last)),
        Outcome::RolledBack => assert!(world.live_step() < Some(last)),
        Outcome::GivenUp | Outcome::Held => {}
    }
}

fn run(actions: Vec<Action>, plan: RollPlan, is_quiet: bool, has_folder: bool) {
    let (_folder, mut world) = new_world(plan);
    world.has_folder = has_folder;
    let mut controller = Controller { saved: None };
    world.clock_offset = if is_quiet { 40 * 60 } else { 0 };
    // The roll has begun before anything happens.
    let mut outcome = controller.look(&mut world, None);
    for action in actions {
        world.happens(action);
        // What a proxy counts is seen from its second reading on.
        if matches!(action, Action::Missing(..)) {
            world.audit.worse_looks = 0;
        }
        let mut fault = None;
        match action {
            Action::Wait(seconds) => world.advance(seconds),
            Action::Kill(step) => fault = Some(Fault::Killed(step)),
            Action::DiskFull(step) => fault = Some(Fault::Full(step)),
            Action::Down(seconds) => {
                controller.saved = None;
                world.advance(seconds);
                continue;
            }
            _ => {}
        }
        world.advance(10);
        outcome = controller.look(&mut world, fault);
        if outcome.is_some() {
            break;
        }
    }
    world.becomes_reliable();
    for _ in 0..MOST_LOOKS {
        if outcome.is_some() {
            break;
        }
        world.advance(30);
        outcome = controller.look(&mut world, None);
    }
    let outcome = outcome.expect("the roll ends");
    // Nothing happens afterwards.
    let (policy, sequence) = (world.policy, world.sequence);
    controller.saved = None;
    world.advance(1_000);
    world.is_v2_worse = false;
    let later = controller.look(&mut world, None);
    if outcome == Outcome::Held {
        // It may still have to return from a step that some proxies refused, or find that the last step is over.
        assert!(matches!(later, Some(Outcome::Held | Outcome::Finished)));
    } else {
        assert_eq!(later, Some(outcome));
        assert_eq!((world.policy, world.sequence), (policy, sequence));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(18), ..ProptestConfig::with_cases(300) })]

    /// The worlds are the same in each run; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` choose others.
    ///
    /// A roll never leaves a step without the verdict HEALTHY and a full bake, never leaves a worse v2 live, never fights
    /// a person, continues after a kill where it was, and ends.
    #[test]
    fn a_roll_keeps_its_promises_in_any_world(
        actions in actions(),
        then in then(),
        on_regressed in on_regressed(),
        last_bakes in any::<bool>(),
        is_quiet in any::<bool>(),
        has_folder in prop::bool::weighted(0.8),
    ) {
        let mut actions = actions;
        // Without a folder, a roll sees only what the proxies report, so a person's change may go unseen.
        actions.retain(|action| has_folder || !action.is_of_person());
        let plan = plan(then, on_regressed, last_bakes);
        run(actions, plan, is_quiet, has_folder);
    }
}
