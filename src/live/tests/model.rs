//! The folder against a simple model: a stack of policies, each halted or not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;
use turnout_core::{EmittedHeaders, RecordLevel, Time};

use crate::edit::Text;
use crate::failpoint::{self, Fault};
use crate::{Author, Change, Directory, Error, Given, Intent, Outcome, Target, What};

const POLICIES: usize = 4;

/// The last one comes halted.
fn policy(number: usize) -> String {
    let halted = match number {
        3 => r#" "halted": true,"#,
        _ => "",
    };
    format!(
        r#"{{"revision":"p{number}",{halted} "version": 1, "account": {{ "from": [{{ "header": "a" }}], "format": "sid" }}, "rollouts": []}}"#
    )
}

/// What a policy was given with.
fn given(number: usize) -> Given<'static> {
    Given {
        wasm: Some("/filter.wasm"),
        inbound: None,
        headers: Some(headers(number)),
        record_level: Some(record_level(number)),
        max_held_bytes: None,
    }
}

fn headers(number: usize) -> EmittedHeaders {
    let words: &[&str] = match number {
        0 => &EmittedHeaders::WORDS,
        1 => &["cluster"],
        _ => &["treatment", "decision"],
    };
    EmittedHeaders::from_words(words.iter().copied()).expect("headers")
}

fn record_level(number: usize) -> RecordLevel {
    match number {
        0 => RecordLevel::Info,
        _ => RecordLevel::Warn,
    }
}

fn author() -> Author {
    Author {
        who: Some("me".into()),
        why: None,
        when: Time::from_seconds(1_800_000_000),
        keep: 1_000,
    }
}

#[derive(Clone, Debug)]
enum Command {
    Apply(usize),
    Refused(usize),
    Halt,
    Resume,
    Rollback,
    /// To one of the entries so far.
    To(prop::sample::Index),
    /// As `Apply`, with `--resume`.
    ApplyAndResume(usize),
    /// As `Rollback`, with `--resume`.
    RollbackAndResume,
}

impl Command {
    /// Whether somebody asks for the end of a halt.
    fn resumes(&self) -> bool {
        use Command::{ApplyAndResume, Resume, RollbackAndResume};
        matches!(self, Resume | ApplyAndResume(_) | RollbackAndResume)
    }
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        4 => (0..POLICIES).prop_map(Command::Apply),
        2 => (0..POLICIES).prop_map(Command::Refused),
        2 => Just(Command::Halt),
        2 => Just(Command::Resume),
        3 => Just(Command::Rollback),
        1 => any::<prop::sample::Index>().prop_map(Command::To),
        1 => (0..POLICIES).prop_map(Command::ApplyAndResume),
        1 => Just(Command::RollbackAndResume),
    ];
    prop::collection::vec(command, 1..12)
}

/// The policies that were in force, the last one now.
type Stack = Vec<(usize, bool)>;

#[derive(Clone, Debug, Default)]
struct Model {
    stack: Stack,
    /// Where no policy was ever in force: the file that proxies refused says that it halts.
    left_halted: bool,
    /// Proxies may still refuse what is in force.
    is_unsettled: bool,
    /// As the stack was after an entry that nobody refused.
    entries: BTreeMap<u64, Stack>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Changed,
    Already,
    Refused,
    NothingInForce,
    NothingBefore,
    HaltsItself,
}

impl Model {
    fn is_halted(&self) -> bool {
        self.stack
            .last()
            .map_or(self.left_halted, |(_, halted)| *halted)
    }

    fn expect(&mut self, command: &Command, to: Option<u64>) -> Expected {
        let stays_halted = self.is_halted() && !command.resumes();
        let own = |number: usize| (number, number == 3 || stays_halted);
        let top = self.stack.last().copied();
        match command {
            Command::ApplyAndResume(3) => return Expected::HaltsItself,
            Command::Apply(number) | Command::Refused(number) | Command::ApplyAndResume(number)
                if top == Some(own(*number)) =>
            {
                return Expected::Already;
            }
            Command::Refused(number) => {
                if top.is_none() {
                    self.left_halted = own(*number).1;
                }
                return Expected::Refused;
            }
            Command::Apply(number) | Command::ApplyAndResume(number) => {
                if top.is_some_and(|(top, _)| top == *number) {
                    self.stack.pop();
                }
                self.stack.push(own(*number));
            }
            Command::Halt | Command::Resume => {
                let halted = matches!(command, Command::Halt);
                match self.stack.last_mut() {
                    None => return Expected::NothingInForce,
                    // A policy that halts itself may yet be taken out, and a halt may not.
                    Some((3, true)) if halted && self.is_unsettled => {}
                    Some(top) if top.1 == halted => return Expected::Already,
                    Some(top) => top.1 = halted,
                }
            }
            Command::Rollback | Command::RollbackAndResume => {
                match self.stack.len() {
                    0 => return Expected::NothingInForce,
                    1 => return Expected::NothingBefore,
                    _ => drop(self.stack.pop()),
                }
                self.turn_top(stays_halted, command);
            }
            Command::To(_) => {
                let before = self.stack.clone();
                self.stack.clone_from(&self.entries[&to.expect("an entry")]);
                self.turn_top(stays_halted, command);
                if before.last() == self.stack.last() {
                    self.stack = before;
                    return Expected::Already;
                }
            }
        }
        Expected::Changed
    }

    /// What a rollback goes to is halted if it was then, or if the folder is.
    fn turn_top(&mut self, stays_halted: bool, command: &Command) {
        if let Some((_, halted)) = self.stack.last_mut() {
            *halted = (*halted || stays_halted) && !command.resumes();
        }
    }
}

fn target(model: &Model, command: &Command) -> Option<u64> {
    let Command::To(index) = command else {
        return None;
    };
    let sequences: Vec<u64> = model.entries.keys().copied().collect();
    (!sequences.is_empty()).then(|| *index.get(&sequences))
}

fn carry_out(directory: &Directory, command: &Command, to: Option<u64>) -> Result<Change, Error> {
    let author = author();
    match command {
        Command::Apply(number) => directory.apply(&policy(*number), given(*number), &author),
        Command::Refused(number) => {
            let change = directory.apply(&policy(*number), given(*number), &author);
            let mut change = change?;
            if !change.is_already {
                directory.settle(&mut change, Outcome::Rejected, &["no".into()]);
            }
            Ok(change)
        }
        Command::Halt => directory.halt(&author),
        Command::Resume => directory.resume(&author),
        Command::ApplyAndResume(number) => directory.change(
            &Intent::Apply {
                policy: &policy(*number),
                given: given(*number),
                lifts_halt: true,
            },
            &author,
            None,
        ),
        Command::RollbackAndResume => directory.change(
            &Intent::Rollback {
                target: &Target::Before,
                lifts_halt: true,
            },
            &author,
            None,
        ),
        Command::Rollback => directory.rollback(&Target::Before, &author),
        Command::To(_) => {
            let name = format!("#{}", to.expect("an entry"));
            directory.rollback(&Target::Named(name), &author)
        }
    }
}

fn filter(directory: &Directory) -> Option<Vec<u8>> {
    fs::read(directory.filter()).ok()
}

/// What stands in `filter.json`.
fn in_force(directory: &Directory) -> Option<(String, EmittedHeaders, RecordLevel)> {
    let in_force = directory.in_force().expect("a folder");
    in_force.map(|in_force| {
        let plugin = in_force.plugin;
        (in_force.policy, plugin.headers, plugin.record_level)
    })
}

/// By the words of the file alone.
fn is_halted(directory: &Directory) -> bool {
    in_force(directory).is_some_and(|(policy, ..)| {
        policy.contains(r#""halted":true"#) || policy.contains(r#""halted": true"#)
    })
}

/// What is in force was applied, and no proxy has said yet whether it runs it.
fn is_unsettled(directory: &Directory) -> bool {
    let log = directory.log(1_000);
    let rows = log.map_or(Vec::new(), |log| log.rows);
    let in_place = rows.into_iter().find(|row| row.is_in_place);
    in_place.is_some_and(|row| {
        row.entry.what != What::Halt
            && matches!(row.entry.outcome, Outcome::Begun | Outcome::Written)
    })
}

fn wanted(stack: &Stack) -> Option<(String, EmittedHeaders, RecordLevel)> {
    let (number, halted) = stack.last()?;
    let policy = policy(*number);
    let text = Text::with_halted(&policy, *halted).expect("a policy");
    Some((
        text.text.into_owned(),
        headers(*number),
        record_level(*number),
    ))
}

fn unfinished(folder: &Path) -> usize {
    let count = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".tmp")).count()
    };
    count(folder).saturating_add(count(&folder.join("history")))
}

fn folder() -> (TempDir, Directory) {
    // In memory where there is such a place: each write waits for the disk.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a folder");
    let directory = Directory::new(folder.path());
    (folder, directory)
}

/// Does a command and holds what becomes of it against the model.
fn check(directory: &Directory, model: &mut Model, command: &Command) {
    let to = target(model, command);
    if matches!(command, Command::To(_)) && to.is_none() {
        return;
    }
    let before = filter(directory);
    let was_halted = is_halted(directory);
    let was_known = directory.log(0).is_ok_and(|log| log.filter.is_none());
    model.is_unsettled = is_unsettled(directory);
    let expected = model.expect(command, to);
    let result = carry_out(directory, command, to);
    let found = match &result {
        Ok(change) if change.is_already => Expected::Already,
        Ok(change) if change.entry.outcome == Outcome::Rejected => Expected::Refused,
        Ok(_) => Expected::Changed,
        Err(Error::NothingInForce { .. }) => Expected::NothingInForce,
        Err(Error::NothingBefore { .. }) => Expected::NothingBefore,
        Err(Error::HaltsItself) => Expected::HaltsItself,
        Err(error) => panic!("{command:?}: {error}"),
    };
    assert_eq!(found, expected, "{command:?}");
    // Whatever the model says.
    if was_halted && !command.resumes() {
        assert!(is_halted(directory), "{command:?} ends a halt");
    }
    match expected {
        Expected::Changed => {
            let change = result.expect("a change");
            model
                .entries
                .insert(change.entry.sequence, model.stack.clone());
        }
        // Of the first one nothing can be put back.
        Expected::Refused if model.stack.is_empty() => return,
        _ => assert_eq!(filter(directory), before, "{command:?}"),
    }
    let log = directory.log(1_000).expect("a log");
    assert_eq!(log.damaged, []);
    if !model.stack.is_empty() {
        assert_eq!(in_force(directory), wanted(&model.stack), "{command:?}");
        if was_known || expected == Expected::Changed {
            assert_eq!(log.filter, None, "{command:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_sequence_of_commands_does_as_the_model(commands in commands()) {
        let (_folder, directory) = folder();
        let mut model = Model::default();
        for command in &commands {
            check(&directory, &mut model, command);
        }
    }

    /// Killed before any step of any write, it leaves the file before or the file after, and the next
    /// commands go on from there.
    #[test]
    fn killed_at_any_step_it_leaves_what_the_next_command_understands(
        before in commands(),
        killed in commands(),
        after in commands(),
        step in 0_usize..16,
    ) {
        let (folder, directory) = folder();
        let mut model = Model::default();
        for command in &before {
            check(&directory, &mut model, command);
        }
        let command = &killed[0];
        let to = target(&model, command);
        prop_assume!(!matches!(command, Command::To(_)) || to.is_some());
        let old_file = filter(&directory);
        let was_halted = is_halted(&directory);
        let mut new = model.clone();
        new.is_unsettled = is_unsettled(&directory);
        let expected = new.expect(
            &match command {
                // Killed before the refusal was known, it is as good as any other.
                Command::Refused(number) => Command::Apply(*number),
                other => other.clone(),
            },
            to,
        );
        let (was_killed, _) = failpoint::with(Fault::Killed(step), || carry_out(&directory, command, to));

        if was_halted && !command.resumes() {
            prop_assert!(is_halted(&directory), "{:?} ends a halt", command);
        }
        let is_old = filter(&directory) == old_file;
        if !is_old {
            prop_assert_eq!(in_force(&directory), wanted(&new.stack));
            prop_assert_eq!(expected, Expected::Changed);
            let newest = directory.log(1).expect("a log");
            let mut in_place = newest.rows.iter().filter(|row| row.is_in_place);
            let is_refused = in_place.any(|row| row.entry.outcome == Outcome::Rejected);
            if !is_refused {
                model.stack.clone_from(&new.stack);
            }
            if let Some(row) = newest.rows.first().filter(|row| row.is_in_place && !is_refused) {
                model.entries.insert(row.entry.sequence, model.stack.clone());
            }
        } else if !was_killed && matches!(command, Command::Rollback | Command::RollbackAndResume | Command::To(_)) {
            prop_assert_ne!(expected, Expected::Changed);
        }
        for command in &after {
            // What was found is an entry of its own, so it has a number of its own.
            check_after(&directory, &mut model, command);
        }
        // Whatever it does, it tidies up.
        let _ = directory.halt(&author());
        prop_assert_eq!(unfinished(folder.path()), 0);
    }

    /// With a full disk nothing is half there, and nothing is in force that was not.
    #[test]
    fn on_a_full_disk_a_command_is_carried_out_or_it_is_not(
        before in commands(),
        command in 0_usize..5,
        step in 0_usize..12,
    ) {
        let (folder, directory) = folder();
        let mut model = Model::default();
        for command in &before {
            check(&directory, &mut model, command);
        }
        let command = [
            Command::Apply(0),
            Command::Apply(1),
            Command::Halt,
            Command::Resume,
            Command::Rollback,
        ][command].clone();
        let old = filter(&directory);
        let mut new = model.clone();
        new.is_unsettled = is_unsettled(&directory);
        let expected = new.expect(&command, None);
        let (was_full, result) = failpoint::with(Fault::Full(step), || carry_out(&directory, &command, None));
        prop_assert_eq!(unfinished(folder.path()), 0);
        match result {
            Ok(change) => {
                prop_assert_eq!(in_force(&directory), wanted(&new.stack));
                prop_assert!(!was_full || !change.notes.is_empty());
            }
            Err(error) => {
                prop_assert_eq!(filter(&directory), old);
                if expected == Expected::Changed {
                    let full = error.to_string();
                    prop_assert!(full.contains("stays in force"), "{full}");
                }
            }
        }
    }
}

/// What people, pipelines and their proxies do to a folder without asking for the end of a halt.
#[derive(Clone, Debug)]
enum Routine {
    /// An apply, and what the proxies say then.
    Apply(usize, Option<Outcome>),
    Rollback,
    /// To an entry of this number, which may be none.
    To(u64),
    Halt,
    /// What `log`, `watch`, `lint --against`, `plan` and a halt read.
    Look,
    /// The look of an apply and of a rollback, which comes before the lock.
    Preview(usize),
    /// An apply that looked at the folder before it was halted, and then waited for the lock.
    WaitedApply(usize),
    /// Proxies refuse what was applied before the halt, and say so only now.
    LateRefusal,
    /// An apply that is refused before anything is written.
    BadApply,
    Remember,
}

fn routines() -> impl Strategy<Value = Vec<(Routine, Option<Fault>)>> {
    let outcomes = prop::option::of(prop::sample::select(vec![
        Outcome::Accepted,
        Outcome::Rejected,
        Outcome::Divided,
        Outcome::Unconfirmed,
    ]));
    let routine = prop_oneof![
        4 => (0..POLICIES, outcomes).prop_map(|(number, outcome)| Routine::Apply(number, outcome)),
        2 => Just(Routine::Rollback),
        1 => (1_u64..12).prop_map(Routine::To),
        1 => Just(Routine::Halt),
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

/// What was seen and done before the halt.
struct BeforeHalt {
    previews: Vec<crate::Preview>,
    change: Change,
}

fn intent(policy: &str, number: usize) -> Intent<'_> {
    Intent::Apply {
        policy,
        given: given(number),
        lifts_halt: false,
    }
}

/// Does it, whether it is refused or not.
fn go_about(directory: &Directory, routine: &Routine, before: &mut BeforeHalt) {
    let author = author();
    match routine {
        Routine::Apply(number, outcome) => {
            let change = directory.apply(&policy(*number), given(*number), &author);
            if let (Ok(mut change), Some(outcome)) = (change, outcome) {
                directory.settle(&mut change, *outcome, &["no".into()]);
            }
        }
        Routine::Rollback => drop(directory.rollback(&Target::Before, &author)),
        Routine::To(number) => {
            drop(directory.rollback(&Target::Named(format!("#{number}")), &author));
        }
        Routine::Halt => drop(directory.halt(&author)),
        Routine::Look => {
            drop(directory.log(10));
            drop(directory.in_force());
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
            // As the command does it: it looks once more.
            if let Err(Error::ChangedMeanwhile) = changed
                && let Ok(preview) = directory.preview(&intent, &author)
            {
                drop(directory.change(&intent, &author, Some(&preview)));
            }
        }
        Routine::LateRefusal => {
            drop(directory.settle(&mut before.change, Outcome::Rejected, &["no".into()]));
        }
        Routine::BadApply => drop(directory.apply("{", given(0), &author)),
        Routine::Remember => drop(directory.remember(&["http://127.0.0.1:1".into()])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Wherever they are killed, and with a full disk.
    #[test]
    fn no_sequence_of_routine_commands_ends_a_halt(
        before in commands(),
        last in 0..POLICIES,
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
        let change = directory.apply(&policy(last), given(last), &author()).expect("written");
        let mut before = BeforeHalt { previews, change };
        let _ = directory.halt(&author()).expect("halted");
        prop_assert!(is_halted(&directory));
        for (routine, fault) in &routines {
            match fault {
                Some(fault) => drop(failpoint::with(*fault, || go_about(&directory, routine, &mut before))),
                None => go_about(&directory, routine, &mut before),
            }
            prop_assert!(is_halted(&directory), "{routine:?} with {fault:?} ends a halt");
        }
        let _ = directory.resume(&author());
    }
}

/// As [`check`], where the first command after a death also enters what it found.
fn check_after(directory: &Directory, model: &mut Model, command: &Command) {
    let known = directory.log(1_000).expect("a log").rows.len();
    check(directory, model, command);
    let log = directory.log(1_000).expect("a log");
    let new = log.rows.len().saturating_sub(known);
    for row in log.rows.iter().take(new) {
        if row.entry.what == What::Found {
            assert!(new > 1 || row.is_in_place, "found, and nothing else done");
        }
    }
}

#[test]
fn who_halts_because_of_b_and_goes_back_gets_a_halted() {
    let (_folder, directory) = folder();
    let mut model = Model::default();
    for (command, revision) in [
        (Command::Apply(0), "p0"),
        (Command::Apply(1), "p1"),
        (Command::Halt, "p1-halted"),
        (Command::Rollback, "p0-halted"),
        (Command::Apply(2), "p2-halted"),
        (Command::Resume, "p2"),
        // In the state that it had when p2 came.
        (Command::Rollback, "p0-halted"),
        (Command::Resume, "p0"),
        (Command::Apply(3), "p3"),
        // That its author halted it is a halt too.
        (Command::Apply(1), "p1-halted"),
        (Command::ApplyAndResume(1), "p1"),
        (Command::Halt, "p1-halted"),
        (Command::RollbackAndResume, "p3-resumed"),
        (Command::Halt, "p3"),
    ] {
        check(&directory, &mut model, &command);
        let log = directory.log(1).expect("a log");
        assert_eq!(log.rows[0].entry.revision, revision, "{command:?}");
    }
}

#[test]
fn the_history_is_bounded_and_the_way_back_stays() {
    let (folder, directory) = folder();
    let author = Author {
        keep: 3,
        ..author()
    };
    for number in [0, 1] {
        let change = directory.apply(&policy(number), given(number), &author);
        change.expect("written");
    }
    for _ in 0..10 {
        directory.halt(&author).expect("halted");
        directory.resume(&author).expect("resumed");
    }
    let files = fs::read_dir(folder.path().join("history")).expect("a history");
    // Three entries and the one to go back to; two policies.
    assert_eq!(files.count(), 3 + 1 + 2);
    let back = directory.rollback(&Target::Before, &author).expect("back");
    assert_eq!(back.entry.revision, "p0");
    assert!(!back.entry.halted && !back.keeps_halt);
    let none = directory.rollback(&Target::Before, &author);
    assert!(matches!(none, Err(Error::NothingBefore { .. })), "{none:?}");
}

/// Envoy would not start without the file; with one that it refuses it starts, and serves v1.
#[test]
fn a_first_policy_that_is_refused_stays_and_is_nothing_to_go_back_to() {
    let (_folder, directory) = folder();
    let change = directory.apply(&policy(0), given(0), &author());
    let mut change = change.expect("written");
    let settled = directory.settle(&mut change, Outcome::Rejected, &["no".into()]);
    assert_eq!(settled.put_back, None);
    assert!(
        settled.notes[0].contains("no policy before it"),
        "{settled:?}"
    );
    assert_eq!(
        in_force(&directory),
        Some((policy(0), headers(0), record_level(0)))
    );
    let halted = directory.halt(&author());
    assert!(
        matches!(halted, Err(Error::NothingInForce { .. })),
        "{halted:?}"
    );
}
