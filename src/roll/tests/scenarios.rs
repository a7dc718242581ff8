//! Single stories of a roll.

use std::fs;

use super::actions::Action;
use super::model::{Controller, new_world};
use super::simulated_world::{Policy, Simulation, plan};
use crate::plan::{Bake, OnRegressed, Then};
use crate::{EventCode, Outcome, Phase, Steps, WaitCode};

fn world(then: Then) -> (tempfile::TempDir, Simulation, Controller) {
    let (folder, world) = new_world(plan(then, OnRegressed::Halt, true));
    (folder, world, Controller { saved: None })
}

/// Looks every ten seconds until the roll ends, or this many times.
fn looks(controller: &mut Controller, world: &mut Simulation, most: usize) -> Option<Outcome> {
    for _ in 0..most {
        world.advance(10);
        if let Some(outcome) = controller.look(world, None) {
            return Some(outcome);
        }
    }
    None
}

fn codes(world: &Simulation) -> Vec<EventCode> {
    world.audit.events.iter().map(|event| event.code).collect()
}

fn phase(controller: &Controller) -> Phase {
    controller.saved.as_ref().unwrap().roll.phase.clone()
}

fn wait(controller: &Controller) -> Option<(WaitCode, String)> {
    let wait = controller.saved.as_ref().unwrap().roll.waits_for.clone();
    wait.map(|wait| (wait.code, wait.text))
}

#[test]
fn a_good_v2_moves_through_all_steps() {
    let (_folder, mut world, mut controller) = world(Then::Wait);
    assert_eq!(
        looks(&mut controller, &mut world, 300),
        Some(Outcome::Finished)
    );
    use EventCode::{Applying, Baking, Finished, Waiting};
    let step = [Applying, Baking, Waiting];
    assert_eq!(
        codes(&world),
        [&step[..], &step[..], &step[..], &[Finished]].concat()
    );
    let why = &world.audit.events[3].text;
    assert_eq!(
        why,
        "step 2 of 3 (`half`); step 1 of 3 (`canary`) was HEALTHY after 480 compared requests of v2 and 2 min: \
         because"
    );
    let steps = &controller.saved.as_ref().unwrap().roll.steps;
    let baked: Vec<_> = steps.iter().map(|step| step.baked_seconds).collect();
    assert_eq!(baked, [120, 150, 180]);
}

#[test]
fn an_apply_that_fails_is_tried_again_after_growing_pauses_and_reported_once() {
    let (_folder, mut world, mut controller) = world(Then::Wait);
    world.happens(Action::ApplyFails(true));
    assert_eq!(looks(&mut controller, &mut world, 30), None);
    assert_eq!(
        codes(&world),
        [
            EventCode::Applying,
            EventCode::ApplyFailed,
            EventCode::Waiting
        ]
    );
    assert_eq!(
        wait(&controller).unwrap(),
        (
            WaitCode::Retry,
            "applying step 1 of 3 (`canary`) failed: nothing was written".into()
        )
    );
    // 15, 30, 60, 120 and 240 seconds.
    assert_eq!(controller.saved.as_ref().unwrap().roll.failures, 5);
    world.happens(Action::ApplyFails(false));
    assert_eq!(
        looks(&mut controller, &mut world, 200),
        Some(Outcome::Finished)
    );
}

#[test]
fn a_halt_of_a_person_is_waited_for_and_the_bake_starts_over() {
    let (_folder, mut world, mut controller) = world(Then::Wait);
    assert_eq!(looks(&mut controller, &mut world, 10), None);
    assert_eq!(phase(&controller), Phase::Baking { step: 0 });
    world.happens(Action::PersonHalts);
    assert_eq!(looks(&mut controller, &mut world, 200), None);
    let (code, text) = wait(&controller).unwrap();
    assert_eq!(code, WaitCode::Halted);
    assert_eq!(
        text,
        "rollout `chat` is halted; `turnout resume --rollout chat` lifts the halt"
    );
    world.happens(Action::PersonResumes);
    assert_eq!(looks(&mut controller, &mut world, 12), None);
    assert_eq!(phase(&controller), Phase::Baking { step: 0 });
    assert_eq!(
        looks(&mut controller, &mut world, 300),
        Some(Outcome::Finished)
    );
}

#[test]
fn a_held_plan_ends_at_its_step_and_can_be_continued() {
    let (_folder, mut world, mut controller) = world(Then::Hold);
    world.happens(Action::Invalid(true));
    assert_eq!(looks(&mut controller, &mut world, 300), Some(Outcome::Held));
    assert_eq!(world.policy, Policy::Step(0));
    let mut events = world.audit.events.iter();
    let held = events.find(|event| event.code == EventCode::Held);
    assert_eq!(
        held.unwrap().text,
        "step 1 of 3 (`canary`) has not become healthy within 20 min: the verdict is INVALID"
    );
    world.happens(Action::Invalid(false));
    assert_eq!(looks(&mut controller, &mut world, 300), Some(Outcome::Held));
    controller.saved.as_mut().unwrap().roll.resume();
    assert_eq!(
        looks(&mut controller, &mut world, 300),
        Some(Outcome::Finished)
    );
}

#[test]
fn a_healthy_step_with_too_few_requests_for_its_bake_is_held_too() {
    let mut plan = plan(Then::Hold, OnRegressed::Halt, true);
    plan.steps[0].bake = Some(Bake {
        requests: 1_000_000,
        minutes: 2,
    });
    let (_folder, mut world) = new_world(plan);
    let mut controller = Controller { saved: None };
    assert_eq!(looks(&mut controller, &mut world, 300), Some(Outcome::Held));
    assert_eq!(world.policy, Policy::Step(0));
    let mut events = world.audit.events.iter();
    let held = events.find(|event| event.code == EventCode::Held);
    let text = &held.unwrap().text;
    let (before, progress) = text.split_once(": ").unwrap();
    assert_eq!(
        before,
        "step 1 of 3 (`canary`) has not completed its bake within 20 min"
    );
    assert!(progress.contains(" of 1,000,000 compared requests of v2, "));
}

#[test]
fn a_held_plan_is_still_rolled_back() {
    let (_folder, mut world, mut controller) = world(Then::Hold);
    world.happens(Action::Invalid(true));
    assert_eq!(looks(&mut controller, &mut world, 300), Some(Outcome::Held));
    world.happens(Action::Invalid(false));
    world.happens(Action::V2Worse(true));
    assert_eq!(
        looks(&mut controller, &mut world, 3),
        Some(Outcome::RolledBack)
    );
    assert!(world.halted_by_roll);
}

#[test]
fn a_plan_that_is_given_up_before_its_first_step_changes_nothing() {
    let (_folder, mut world, mut controller) = world(Then::GiveUp);
    world.happens(Action::ApplyFails(true));
    assert_eq!(
        looks(&mut controller, &mut world, 300),
        Some(Outcome::GivenUp)
    );
    assert_eq!(
        (world.policy, world.halted_by_roll),
        (Policy::Before, false)
    );
}

#[test]
fn without_a_folder_the_proxies_show_what_is_active() {
    let (_folder, mut world, mut controller) = world(Then::Wait);
    world.has_folder = false;
    assert_eq!(looks(&mut controller, &mut world, 10), None);
    assert_eq!(phase(&controller), Phase::Baking { step: 0 });
    // Someone ships another policy, and later the step again.
    world.happens(Action::PersonApplies);
    assert_eq!(looks(&mut controller, &mut world, 300), None);
    let (code, text) = wait(&controller).unwrap();
    assert_eq!(code, WaitCode::Proxies);
    assert_eq!(text, "not confirmed by 0 and 1: step 1 of 3 (`canary`)");
    world.happens(Action::PersonReturns);
    assert_eq!(looks(&mut controller, &mut world, 12), None);
    assert_eq!(phase(&controller), Phase::Baking { step: 0 });
    assert_eq!(
        looks(&mut controller, &mut world, 300),
        Some(Outcome::Finished)
    );
}

#[test]
fn a_state_that_cannot_be_used_is_an_error_and_not_a_new_roll() {
    let (_folder, mut world, mut controller) = world(Then::Wait);
    looks(&mut controller, &mut world, 3);
    let path = world.folder.path().join("state.json");
    let text = fs::read_to_string(&path).unwrap();
    let (plan, policies) = (world.plan.clone(), world.policies.clone());
    let steps = Steps::new(&plan, &policies).unwrap();
    for (from, to, why) in [
        (
            "\"version\": 1,\n    \"rollout\"",
            "\"version\": 2,\n    \"rollout\"",
            "expected version 1, found 2",
        ),
        ("\"step\": 0", "\"step\": 7", "it contradicts itself"),
        ("\"roll\"", "\"rol\"", "unknown field"),
        ("}", "", "it is damaged"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = world.state_file.read_for(&steps).unwrap_err();
        assert!(error.contains(why), "{error}");
        assert!(error.contains("use --from STEP"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(world.state_file.read_for(&steps), Ok(None));
}

#[test]
fn a_person_who_returns_from_a_step_that_is_not_confirmed_yet_is_waited_for() {
    let (_folder, mut world, mut controller) = world(Then::Wait);
    assert_eq!(looks(&mut controller, &mut world, 5), None);
    // One proxy does not respond after the second step is applied.
    for _ in 0..40 {
        if world.policy == Policy::Step(1) {
            break;
        }
        looks(&mut controller, &mut world, 1);
    }
    assert_eq!(
        phase(&controller),
        Phase::Applying {
            step: 1,
            is_undoing: false
        }
    );
    world.happens(Action::Missing(0, true));
    assert_eq!(looks(&mut controller, &mut world, 1), None);
    world.happens(Action::PersonReturnsToStepBefore);
    assert_eq!(looks(&mut controller, &mut world, 60), None);
    assert_eq!(world.policy, Policy::Step(0));
    let (code, text) = wait(&controller).unwrap();
    assert_eq!(code, WaitCode::OtherPolicy);
    assert_eq!(
        text,
        "someone applied r1+roll.canary, which is not step 2 of 3 (`half`); apply the policy of this step again, \
         or use --from STEP"
    );
}
