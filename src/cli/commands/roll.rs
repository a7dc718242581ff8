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

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use turnout_live::{Directory, Lock, StateFolder};
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
    let _lock_of_dir = lock_of_dir(arguments)?;
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

/// Locks the folder of the policies if the state is kept elsewhere, so that no two rolls change the same folder.
fn lock_of_dir(arguments: &Arguments) -> Result<Option<Lock>, String> {
    let (Some(dir), Some(_)) = (&arguments.dir, &arguments.state) else {
        return Ok(None);
    };
    let own = Arguments::default_state_folder(dir)?;
    let is_same = |state: PathBuf| state.canonicalize().ok() == own.canonicalize().ok();
    if own.exists() && is_same(arguments.state_folder()?) {
        return Ok(None);
    }
    let lock = StateFolder::new(own).lock("roll");
    lock.map(Some).map_err(|error| error.to_string())
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
        return match step_without_state(arguments, steps) {
            Some(step) => Err(format!(
                "step `{step}` of the plan is active, but there is no state of a roll; use --from {step} to continue \
                 there"
            )),
            None => Ok(new(0)),
        };
    };
    if saved.roll.plan != steps.fingerprint() {
        let rollout = escape_for_terminal(&saved.roll.rollout);
        return match &saved.roll.phase {
            Phase::Ended { .. } if !may_be_active(arguments, plan, &saved.roll) => Ok(new(0)),
            // The first step would take accounts back to v1, or serve a v2 again that was rolled back.
            Phase::Ended { outcome, .. } => Err(format!(
                "the plan or its policy has other steps than the roll of `{rollout}` that has ended ({}), and a step of \
                 that one is active; use --from STEP to begin with the new steps",
                outcome.as_str()
            )),
            _ => Err(format!(
                "the plan or its policy has other steps than the roll of `{rollout}` that is under way; use --from STEP \
                 to continue with the new steps"
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

/// Whether a step of a roll that has ended may be active still. Without a folder, that is unknown.
fn may_be_active(arguments: &Arguments, plan: &PlanOfRoll, ended: &RollState) -> bool {
    let Some(dir) = &arguments.dir else {
        return ended.rollout == plan.plan.rollout;
    };
    let active = Directory::new(dir).active_revision();
    let root = active.ok().flatten().map(|active| active.root);
    let mut steps = ended.steps.iter();
    steps.any(|step| Some(&step.revision) == root.as_ref()) && ended.rollout == plan.plan.rollout
}

/// Returns the step whose policy the folder has, unless it is the first one. If the state is lost, a roll that began with
/// the first step would take accounts back to v1.
fn step_without_state<'a>(arguments: &Arguments, steps: Steps<'a>) -> Option<&'a str> {
    let active = Directory::new(arguments.dir.as_ref()?).active_revision();
    let root = active.ok().flatten()?.root;
    let mut later = steps.policies().iter().skip(1);
    let step = later.find(|step| step.revision.as_str() == root)?;
    Some(&step.name)
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
                "the roll has ended: {why}; to begin again, use --from STEP once v2 is repaired"
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
