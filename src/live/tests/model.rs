//! The folder, compared with a simple model: a stack of policies, each halted or not.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;
use turnout_core::{EmittedHeaders, RecordLevel, Time};

use crate::policy_text::PolicyText;
use crate::{Action, Author, Change, Directory, Error, Intent, Outcome, PluginOverrides, Target};

pub(super) const POLICIES: usize = 4;

/// The last policy has `"halted": true`.
pub(super) fn policy(number: usize) -> String {
    let halted = match number {
        3 => r#" "halted": true,"#,
        _ => "",
    };
    format!(
        r#"{{"revision":"p{number}",{halted} "version": 1, "account": {{ "from": [{{ "header": "a" }}], "format": "sid" }}, "rollouts": []}}"#
    )
}

/// The plugin options of a policy.
pub(super) fn overrides(number: usize) -> PluginOverrides<'static> {
    PluginOverrides {
        wasm: Some("/filter.wasm"),
        inbound: None,
        headers: Some(headers(number)),
        record_level: Some(record_level(number)),
        max_held_bytes: None,
    }
}

pub(super) fn headers(number: usize) -> EmittedHeaders {
    let words: &[&str] = match number {
        0 => &EmittedHeaders::WORDS,
        1 => &["cluster"],
        _ => &["treatment", "decision"],
    };
    EmittedHeaders::from_words(words.iter().copied()).expect("headers")
}

pub(super) fn record_level(number: usize) -> RecordLevel {
    match number {
        0 => RecordLevel::Info,
        _ => RecordLevel::Warn,
    }
}

pub(super) fn author() -> Author {
    Author {
        who: Some("me".into()),
        why: None,
        when: Time::from_seconds(1_800_000_000),
        keep: 1_000,
    }
}

#[derive(Clone, Debug)]
pub(super) enum Command {
    Apply(usize),
    Refused(usize),
    Halt,
    Resume,
    Rollback,
    /// `rollback --to` one of the entries so far.
    To(prop::sample::Index),
    /// As `Apply`, with `--resume`.
    ApplyAndResume(usize),
    /// As `Rollback`, with `--resume`.
    RollbackAndResume,
}

impl Command {
    /// Whether the command ends a halt.
    pub(super) fn resumes(&self) -> bool {
        use Command::{ApplyAndResume, Resume, RollbackAndResume};
        matches!(self, Resume | ApplyAndResume(_) | RollbackAndResume)
    }
}

pub(super) fn commands() -> impl Strategy<Value = Vec<Command>> {
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

/// The policies that were active, the current one last.
pub(super) type Stack = Vec<(usize, bool)>;

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) stack: Stack,
    /// Without any active policy so far: the file that proxies rejected halts.
    pub(super) left_halted: bool,
    /// Proxies may still reject the active policy.
    pub(super) is_unsettled: bool,
    /// The stack after each entry that was not rejected.
    pub(super) entries: BTreeMap<u64, Stack>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Changed,
    Already,
    Refused,
    NoActivePolicy,
    NoEarlierPolicy,
    HaltsItself,
}

impl Model {
    pub(super) fn is_halted(&self) -> bool {
        self.stack
            .last()
            .map_or(self.left_halted, |(_, halted)| *halted)
    }

    pub(super) fn expect(&mut self, command: &Command, to: Option<u64>) -> Expected {
        let keeps_halt = self.is_halted() && !command.resumes();
        let own = |number: usize| (number, number == 3 || keeps_halt);
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
                    None => return Expected::NoActivePolicy,
                    // A policy that halts itself may still be rejected, a halt may not.
                    Some((3, true)) if halted && self.is_unsettled => {}
                    Some(top) if top.1 == halted => return Expected::Already,
                    Some(top) => top.1 = halted,
                }
            }
            Command::Rollback | Command::RollbackAndResume => {
                match self.stack.len() {
                    0 => return Expected::NoActivePolicy,
                    1 => return Expected::NoEarlierPolicy,
                    _ => drop(self.stack.pop()),
                }
                self.turn_top(keeps_halt, command);
            }
            Command::To(_) => {
                let before = self.stack.clone();
                self.stack.clone_from(&self.entries[&to.expect("an entry")]);
                self.turn_top(keeps_halt, command);
                if before.last() == self.stack.last() {
                    self.stack = before;
                    return Expected::Already;
                }
            }
        }
        Expected::Changed
    }

    /// The target of a rollback is halted if it was halted then or if the folder is halted.
    fn turn_top(&mut self, keeps_halt: bool, command: &Command) {
        if let Some((_, halted)) = self.stack.last_mut() {
            *halted = (*halted || keeps_halt) && !command.resumes();
        }
    }
}

pub(super) fn target(model: &Model, command: &Command) -> Option<u64> {
    let Command::To(index) = command else {
        return None;
    };
    let sequences: Vec<u64> = model.entries.keys().copied().collect();
    (!sequences.is_empty()).then(|| *index.get(&sequences))
}

pub(super) fn carry_out(
    directory: &Directory,
    command: &Command,
    to: Option<u64>,
) -> Result<Change, Error> {
    let author = author();
    match command {
        Command::Apply(number) => directory.apply(&policy(*number), overrides(*number), &author),
        Command::Refused(number) => {
            let change = directory.apply(&policy(*number), overrides(*number), &author);
            let mut change = change?;
            if !change.is_unchanged {
                directory.record_outcome(&mut change, Outcome::Rejected, &["no".into()]);
            }
            Ok(change)
        }
        Command::Halt => directory.halt(&author),
        Command::Resume => directory.resume(&author),
        Command::ApplyAndResume(number) => directory.change(
            &Intent::Apply {
                policy: &policy(*number),
                given: overrides(*number),
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

pub(super) fn filter(directory: &Directory) -> Option<Vec<u8>> {
    fs::read(directory.filter()).ok()
}

/// The policy in `filter.json`.
pub(super) fn active_policy(
    directory: &Directory,
) -> Option<(String, EmittedHeaders, RecordLevel)> {
    let active = directory.active_policy().expect("a folder");
    active.map(|active| {
        let plugin = active.plugin;
        (active.policy, plugin.headers, plugin.record_level)
    })
}

/// Reads only the text of the file.
pub(super) fn is_halted(directory: &Directory) -> bool {
    active_policy(directory).is_some_and(|(policy, ..)| {
        policy.contains(r#""halted":true"#) || policy.contains(r#""halted": true"#)
    })
}

/// Whether the active policy was applied and no proxy has confirmed or rejected it yet.
pub(super) fn is_unsettled(directory: &Directory) -> bool {
    let log = directory.log(1_000);
    let rows = log.map_or(Vec::new(), |log| log.rows);
    let in_place = rows.into_iter().find(|row| row.is_in_place);
    // A command killed between the file and the history leaves no entry, so nothing confirms its policy.
    in_place.is_none_or(|row| {
        row.entry.action != Action::Halt
            && matches!(row.entry.outcome, Outcome::Begun | Outcome::Written)
    })
}

pub(super) fn wanted(stack: &Stack) -> Option<(String, EmittedHeaders, RecordLevel)> {
    let (number, halted) = stack.last()?;
    let policy = policy(*number);
    let text = PolicyText::with_halted(&policy, *halted).expect("a policy");
    Some((
        text.text.into_owned(),
        headers(*number),
        record_level(*number),
    ))
}

pub(super) fn folder() -> (TempDir, Directory) {
    // In memory if possible, because each write waits for the disk.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a folder");
    let directory = Directory::new(folder.path());
    (folder, directory)
}

/// Runs a command and compares the result with the model.
pub(super) fn check(directory: &Directory, model: &mut Model, command: &Command) {
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
        Ok(change) if change.is_unchanged => Expected::Already,
        Ok(change) if change.entry.outcome == Outcome::Rejected => Expected::Refused,
        Ok(_) => Expected::Changed,
        Err(Error::NoActivePolicy { .. }) => Expected::NoActivePolicy,
        Err(Error::NoEarlierPolicy { .. }) => Expected::NoEarlierPolicy,
        Err(Error::HaltsItself) => Expected::HaltsItself,
        Err(error) => panic!("{command:?}: {error}"),
    };
    assert_eq!(found, expected, "{command:?}");
    // Independent of the model.
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
        // After the first policy there is nothing to restore.
        Expected::Refused if model.stack.is_empty() => return,
        _ => assert_eq!(filter(directory), before, "{command:?}"),
    }
    let log = directory.log(1_000).expect("a log");
    assert_eq!(log.damaged, []);
    if !model.stack.is_empty() {
        assert_eq!(
            active_policy(directory),
            wanted(&model.stack),
            "{command:?}"
        );
        if was_known || expected == Expected::Changed {
            assert_eq!(log.filter, None, "{command:?}");
        }
    }
}

/// Like [`check`], but the first command after a kill also records the state that it found.
pub(super) fn check_after(directory: &Directory, model: &mut Model, command: &Command) {
    let known = directory.log(1_000).expect("a log").rows.len();
    check(directory, model, command);
    let log = directory.log(1_000).expect("a log");
    let new = log.rows.len().saturating_sub(known);
    for row in log.rows.iter().take(new) {
        if row.entry.action == Action::Found {
            assert!(new > 1 || row.is_in_place, "found, and nothing else done");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_sequence_of_commands_behaves_as_the_model(commands in commands()) {
        let (_folder, directory) = folder();
        let mut model = Model::default();
        for command in &commands {
            check(&directory, &mut model, command);
        }
    }
}

#[test]
fn a_rollback_of_a_halted_policy_keeps_the_halt() {
    let (_folder, directory) = folder();
    let mut model = Model::default();
    for (command, revision) in [
        (Command::Apply(0), "p0"),
        (Command::Apply(1), "p1"),
        (Command::Halt, "p1-halted"),
        (Command::Rollback, "p0-halted"),
        (Command::Apply(2), "p2-halted"),
        (Command::Resume, "p2"),
        // The state that p0 had when p2 was applied.
        (Command::Rollback, "p0-halted"),
        (Command::Resume, "p0"),
        (Command::Apply(3), "p3"),
        // A policy that halts itself halts the folder too.
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
