//! `turnout roll`: moves a rollout through the steps of a plan.

mod json_event;
mod options;
mod plan_of_roll;
mod policy_change;
mod progress;
mod proxy_source;
mod roll_world;
mod schedule_text;
mod termination;

use std::thread;
use std::time::{Duration, Instant};

use turnout_live::{Lock, StateFolder};
use turnout_roll::{
    Driver, Event, EventCode, Outcome, Phase, RollState, SavedRoll, StateFile, Steps, Webhooks,
    World,
};
use turnout_text::escape_for_terminal;

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::print_error_line;

pub(crate) use options::Arguments;
use plan_of_roll::PlanOfRoll;
use progress::Progress;
use roll_world::RollWorld;
use termination::Termination;

/// How long the command waits at its end until the notifications are delivered.
const LAST_NOTIFICATIONS: Duration = Duration::from_secs(30);
/// The same after a signal, because whoever sends one does not wait long.
const LAST_NOTIFICATIONS_AFTER_SIGNAL: Duration = Duration::from_secs(1);
/// How often signals are checked.
const POLL: Duration = Duration::from_millis(100);

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match try_run(arguments) {
        Ok(exit) => exit,
        Err(error) => refuse(&error),
    }
}

fn try_run(arguments: &Arguments) -> Result<Exit, String> {
    let Some(plan) = PlanOfRoll::read(arguments)? else {
        return Ok(Exit::BadInput);
    };
    let Some(steps) = plan.steps() else {
        return Err("the plan has no steps".into());
    };
    if arguments.check {
        return Ok(Exit::Done);
    }
    if arguments.dry_run {
        return schedule_text::print(arguments, &plan);
    }
    let folder = StateFolder::new(arguments.state_folder()?);
    let _lock: Lock = folder.lock("roll").map_err(|error| error.to_string())?;
    let state_file = StateFile::new(folder);
    let (saved, is_new) = state(arguments, &plan, steps, &state_file)?;
    let urls = [&plan.plan.notify[..], &arguments.notify[..]].concat();
    let webhooks = Webhooks::start(&urls)?;
    let progress = Progress::new(arguments.json, &plan);
    let mut world = RollWorld::new(arguments, &plan, state_file, webhooks, progress)?;
    let termination = Termination::watch()?;
    let mut driver = Driver::new(steps, saved, arguments.expected_proxies());
    if is_new {
        world.event(&started(&plan, driver.saved()));
    }
    if driver.saved().roll.outcome() == Some(Outcome::Finished) {
        print_note("the plan is finished; to begin again, use --from STEP");
    }
    let outcome = keep_looking(arguments, &mut driver, &mut world, &termination);
    let exit = sum_up(&driver, &mut world, outcome, termination.has_come());
    let within = match termination.has_come() {
        true => LAST_NOTIFICATIONS_AFTER_SIGNAL,
        false => LAST_NOTIFICATIONS,
    };
    for delivery in world.finish(within) {
        let Some(error) = delivery.last_error.filter(|_| delivery.undelivered > 0) else {
            continue;
        };
        print_note(&format!(
            "could not deliver {} to {}: {error}",
            turnout_text::counted(delivery.undelivered, "notification", "notifications"),
            delivery.host
        ));
    }
    Ok(exit)
}

/// Reads the state of an earlier run, or creates that of a new roll. Returns whether the roll is new.
fn state(
    arguments: &Arguments,
    plan: &PlanOfRoll,
    steps: Steps<'_>,
    file: &StateFile,
) -> Result<(SavedRoll, bool), String> {
    let new = |first: usize| {
        let roll = RollState::new(&steps, first, crate::support::time_arg::now());
        (SavedRoll { roll, ledger: None }, true)
    };
    if let Some(name) = &arguments.from {
        return Ok(new(plan.step_named(name)?));
    }
    let Some(mut saved) = file.read_for(&steps)? else {
        return Ok(new(0));
    };
    let is_over = matches!(saved.roll.phase, Phase::Ended { .. });
    if saved.roll.plan != steps.fingerprint() {
        return match is_over {
            true => Ok(new(0)),
            false => Err(format!(
                "the plan or its policy has other steps than the roll of `{}` that is under way; use --from STEP to \
                 continue with the new steps",
                escape_for_terminal(&saved.roll.rollout)
            )),
        };
    }
    if arguments.proceed {
        match saved.roll.is_held {
            true => saved.roll.resume(),
            false => return Err("--continue: the plan is not held".into()),
        }
    }
    Ok((saved, false))
}

/// Looks at the world at the interval until the roll ends or a signal comes.
fn keep_looking(
    arguments: &Arguments,
    driver: &mut Driver<'_>,
    world: &mut RollWorld<'_>,
    termination: &Termination,
) -> Option<Outcome> {
    loop {
        let began = Instant::now();
        let outcome = driver.tick(world);
        if let Some(failure) = driver.save_failure() {
            print_note(&format!(
                "the state is not saved, so the roll does not move on: {failure}"
            ));
        }
        world.show(driver.saved());
        if outcome.is_some() || arguments.once {
            return outcome;
        }
        while began.elapsed() < arguments.interval {
            if termination.has_come() {
                return None;
            }
            thread::sleep(POLL.min(arguments.interval.saturating_sub(began.elapsed())));
        }
        if termination.has_come() {
            return None;
        }
    }
}

/// Prints how the roll has ended, or how to continue it. Returns the exit code.
fn sum_up(
    driver: &Driver<'_>,
    world: &mut RollWorld<'_>,
    outcome: Option<Outcome>,
    is_interrupted: bool,
) -> Exit {
    world.clear();
    let roll = &driver.saved().roll;
    match (outcome, &roll.phase) {
        (Some(Outcome::Finished), _) => Exit::Done,
        (Some(Outcome::RolledBack | Outcome::GivenUp), Phase::Ended { why, .. }) => {
            print_note(&format!(
                "rolled back: {why}; to begin again, use --from STEP once v2 is repaired"
            ));
            Exit::No
        }
        (Some(Outcome::Held), _) => {
            print_note("the plan is held; `turnout roll --continue` continues it");
            Exit::NotEnoughData
        }
        _ => {
            if is_interrupted {
                print_note("interrupted; the same command continues the plan where it is");
            }
            Exit::NotEnoughData
        }
    }
}

fn started(plan: &PlanOfRoll, saved: &SavedRoll) -> Event {
    let names: Vec<&str> = plan
        .policies
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    Event {
        at: saved.roll.began,
        code: EventCode::Started,
        step: None,
        text: format!(
            "rollout `{}` begins its plan: {}",
            saved.roll.rollout,
            names.join(", ")
        ),
        wait: None,
        judgment: None,
    }
}

/// Prints one line to standard error.
fn print_note(sentence: &str) {
    print_error_line(&format!("turnout: {}", escape_for_terminal(sentence)));
}
