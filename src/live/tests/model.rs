//! The folder, compared with a simple model: a stack of policies, each with its state.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;
use turnout_core::{EmittedHeaders, RecordLevel, Time};

use super::numbered_policies::{
    POLICIES, ROLLOUTS, headers, overrides, own_halts, own_rearmed, policy, record_level, rollouts,
};

use crate::policy_state::{PolicyState, RearmCounts};
use crate::policy_text::PolicyText;
use crate::{
    Action, Author, Change, Directory, Error, Halts, Intent, LiftedHalts, Outcome, Target,
};

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
    HaltRollout(&'static str),
    ResumeRollout(&'static str),
    /// As `Apply`, with `--resume-rollout`.
    ApplyAndResumeRollout(usize, &'static str),
    /// As `Rollback`, with `--resume-rollout`.
    RollbackAndResumeRollout(&'static str),
    Rearm(&'static str),
    RefusedRearm(&'static str),
}

impl Command {
    /// Whether the command ends the halt of everyone, and of which rollouts it ends the halt.
    fn resumes(&self) -> (bool, Vec<String>) {
        use Command::{
            ApplyAndResume, ApplyAndResumeRollout, Resume, ResumeRollout, RollbackAndResume,
            RollbackAndResumeRollout,
        };
        match self {
            Resume | ApplyAndResume(_) | RollbackAndResume => (true, Vec::new()),
            ResumeRollout(name)
            | ApplyAndResumeRollout(_, name)
            | RollbackAndResumeRollout(name) => (false, vec![(*name).to_owned()]),
            _ => (false, Vec::new()),
        }
    }

    /// Returns what stays halted after the command.
    pub(super) fn keeps(&self, halts: &Halts) -> Halts {
        let (everyone, rollouts) = self.resumes();
        let mut kept = halts.clone();
        kept.everyone &= !everyone;
        kept.rollouts.retain(|name| !rollouts.contains(name));
        kept
    }
}

fn rollout() -> impl Strategy<Value = &'static str> {
    prop::sample::select(ROLLOUTS.to_vec())
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
        3 => rollout().prop_map(Command::HaltRollout),
        2 => rollout().prop_map(Command::ResumeRollout),
        1 => (0..POLICIES, rollout())
            .prop_map(|(number, name)| Command::ApplyAndResumeRollout(number, name)),
        1 => rollout().prop_map(Command::RollbackAndResumeRollout),
        3 => rollout().prop_map(Command::Rearm),
        1 => rollout().prop_map(Command::RefusedRearm),
    ];
    prop::collection::vec(command, 1..12)
}

/// The policies that were active, the current one last.
pub(super) type Stack = Vec<(usize, PolicyState)>;

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) stack: Stack,
    /// Without any active policy so far: the state in the file that proxies rejected.
    pub(super) left: PolicyState,
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
    RolloutHaltsItself,
    UnknownRollout,
    LosesHalts,
    NoGuard,
}

/// The counts of a policy's guards: its own, or greater ones that are kept.
fn counts(number: usize, kept: &[&RearmCounts]) -> RearmCounts {
    let guarded = ROLLOUTS.iter().filter_map(|rollout| {
        let kept = kept.iter().filter_map(|kept| kept.get(*rollout).copied());
        let count = kept.chain([own_rearmed(number, rollout)?]).max()?;
        Some(((*rollout).to_owned(), count))
    });
    guarded.filter(|(_, count)| *count > 0).collect()
}

impl Model {
    pub(super) fn state(&self) -> PolicyState {
        let top = self.stack.last();
        top.map_or_else(|| self.left.clone(), |(_, state)| state.clone())
    }

    fn halts(&self) -> Halts {
        self.state().halts
    }

    pub(super) fn expect(&mut self, command: &Command, to: Option<u64>) -> Expected {
        let keeps = command.keeps(&self.halts());
        match command {
            Command::Apply(number)
            | Command::Refused(number)
            | Command::ApplyAndResume(number)
            | Command::ApplyAndResumeRollout(number, _) => {
                self.expect_apply(*number, command, &keeps)
            }
            Command::Halt
            | Command::Resume
            | Command::HaltRollout(_)
            | Command::ResumeRollout(_) => self.expect_switch(command),
            Command::Rearm(name) | Command::RefusedRearm(name) => {
                self.expect_rearm(name, matches!(command, Command::RefusedRearm(_)))
            }
            Command::Rollback
            | Command::RollbackAndResume
            | Command::RollbackAndResumeRollout(_) => {
                let before = self.stack.clone();
                match self.stack.len() {
                    0 => return Expected::NoActivePolicy,
                    1 => return Expected::NoEarlierPolicy,
                    _ => drop(self.stack.pop()),
                }
                self.turn_top(before, command, &keeps)
            }
            Command::To(_) => {
                let before = self.stack.clone();
                self.stack.clone_from(&self.entries[&to.expect("an entry")]);
                let expected = self.turn_top(before.clone(), command, &keeps);
                if expected == Expected::Changed && self.stack.last() == before.last() {
                    self.stack = before;
                    return Expected::Already;
                }
                expected
            }
        }
    }

    fn expect_apply(&mut self, number: usize, command: &Command, keeps: &Halts) -> Expected {
        let (everyone, rollouts) = command.resumes();
        let own = own_halts(number);
        if everyone && own.everyone {
            return Expected::HaltsItself;
        }
        if rollouts.iter().any(|name| own.rollouts.contains(name)) {
            return Expected::RolloutHaltsItself;
        }
        if let Some(expected) = self.refusal(number, command, keeps) {
            return expected;
        }
        let state = PolicyState {
            halts: own.union(keeps),
            rearmed: counts(number, &[&self.state().rearmed]),
        };
        let state = (number, state);
        if self.stack.last() == Some(&state) {
            return Expected::Already;
        }
        if matches!(command, Command::Refused(_)) {
            if self.stack.is_empty() {
                self.left = state.1;
            }
            return Expected::Refused;
        }
        if self.stack.last().is_some_and(|(top, _)| *top == number) {
            self.stack.pop();
        }
        self.stack.push(state);
        Expected::Changed
    }

    /// Why a policy cannot become active: it has no rollout of a name that is resumed or stays halted.
    fn refusal(&self, number: usize, command: &Command, keeps: &Halts) -> Option<Expected> {
        let is_unknown = |name: &String| !rollouts(number).contains(&name.as_str());
        let (_, resumed) = command.resumes();
        let halted = self.halts().rollouts;
        let mut resumed = resumed.iter().filter(|name| !halted.contains(*name));
        if resumed.any(is_unknown) {
            return Some(Expected::UnknownRollout);
        }
        keeps
            .rollouts
            .iter()
            .any(is_unknown)
            .then_some(Expected::LosesHalts)
    }

    fn expect_switch(&mut self, command: &Command) -> Expected {
        let Some((number, PolicyState { halts, .. })) = self.stack.last_mut() else {
            return Expected::NoActivePolicy;
        };
        let name = match command {
            Command::HaltRollout(name) | Command::ResumeRollout(name) => Some(*name),
            _ => None,
        };
        if name.is_some_and(|name| !rollouts(*number).contains(&name)) {
            return Expected::UnknownRollout;
        }
        let is_halt = matches!(command, Command::Halt | Command::HaltRollout(_));
        let mut wanted = command.keeps(halts);
        let own = own_halts(*number);
        let halts_itself = match name {
            None => {
                wanted.everyone |= is_halt;
                own.everyone
            }
            Some(name) => {
                if is_halt {
                    wanted.rollouts.insert(name.into());
                }
                own.rollouts.contains(name)
            }
        };
        // A policy that halts itself may still be rejected, a halt may not.
        let may_be_removed = is_halt && halts_itself && self.is_unsettled;
        if *halts == wanted && !may_be_removed {
            return Expected::Already;
        }
        *halts = wanted;
        Expected::Changed
    }

    fn expect_rearm(&mut self, name: &str, is_refused: bool) -> Expected {
        let Some((number, state)) = self.stack.last_mut() else {
            return Expected::NoActivePolicy;
        };
        if !rollouts(*number).contains(&name) {
            return Expected::UnknownRollout;
        }
        if own_rearmed(*number, name).is_none() {
            return Expected::NoGuard;
        }
        if is_refused {
            return Expected::Refused;
        }
        let count = state.rearmed.entry(name.into()).or_default();
        *count = count.saturating_add(1);
        Expected::Changed
    }

    /// The target of a rollback halts what it halted then and what is halted now.
    fn turn_top(&mut self, before: Stack, command: &Command, keeps: &Halts) -> Expected {
        let (number, state) = self.stack.pop().expect("a policy");
        let stack = std::mem::replace(&mut self.stack, before);
        if let Some(expected) = self.refusal(number, command, keeps) {
            return expected;
        }
        let state = PolicyState {
            halts: command.keeps(&state.halts).union(keeps),
            rearmed: counts(number, &[&state.rearmed, &self.state().rearmed]),
        };
        self.stack = stack;
        self.stack.push((number, state));
        Expected::Changed
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
    let (everyone, rollouts) = command.resumes();
    let rollouts = &*rollouts;
    let lifts = LiftedHalts { everyone, rollouts };
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
        Command::HaltRollout(name) => {
            let rollout = Some(*name);
            directory.change(&Intent::Halt { rollout }, &author, None)
        }
        Command::ResumeRollout(name) => {
            let rollout = Some(*name);
            directory.change(&Intent::Resume { rollout }, &author, None)
        }
        Command::Rearm(rollout) => directory.change(&Intent::Rearm { rollout }, &author, None),
        Command::RefusedRearm(rollout) => {
            let change = directory.change(&Intent::Rearm { rollout }, &author, None);
            let mut change = change?;
            directory.record_outcome(&mut change, Outcome::Rejected, &["no".into()]);
            Ok(change)
        }
        Command::ApplyAndResume(number) | Command::ApplyAndResumeRollout(number, _) => {
            let intent = Intent::Apply {
                policy: &policy(*number),
                given: overrides(*number),
                lifts,
            };
            directory.change(&intent, &author, None)
        }
        Command::RollbackAndResume | Command::RollbackAndResumeRollout(_) => {
            let target = &Target::Before;
            directory.change(&Intent::Rollback { target, lifts }, &author, None)
        }
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
pub(super) fn halts(directory: &Directory) -> Halts {
    let Some((policy, ..)) = active_policy(directory) else {
        return Halts::default();
    };
    let policy: Value = serde_json::from_str(&policy).expect("JSON");
    let rollouts = policy["rollouts"].as_array().expect("rollouts").iter();
    let halted = rollouts.filter(|rollout| rollout["halted"] == true);
    let names = halted.map(|rollout| rollout["name"].as_str().expect("a name").to_owned());
    Halts {
        everyone: policy["halted"] == true,
        rollouts: names.collect(),
    }
}

/// How many times each guard in the file was re-armed. Reads only the text of the file.
pub(super) fn rearmed(directory: &Directory) -> RearmCounts {
    let Some((policy, ..)) = active_policy(directory) else {
        return RearmCounts::new();
    };
    let policy: Value = serde_json::from_str(&policy).expect("JSON");
    let rollouts = policy["rollouts"].as_array().expect("rollouts").iter();
    let guarded = rollouts.filter(|rollout| rollout["guard"].is_object());
    let counts = guarded.map(|rollout| {
        let name = rollout["name"].as_str().expect("a name").to_owned();
        (
            name,
            rollout["guard"]["rearmed"].as_u64().unwrap_or_default(),
        )
    });
    counts.collect()
}

/// Whether no guard in the file was re-armed fewer times than before.
pub(super) fn are_counts_kept(directory: &Directory, before: &RearmCounts) -> bool {
    let now = rearmed(directory);
    let mut counts = now.iter();
    counts.all(|(name, count)| before.get(name).is_none_or(|before| before <= count))
}

/// Whether everything that was halted still is.
pub(super) fn are_kept(directory: &Directory, kept: &Halts) -> bool {
    let now = halts(directory);
    (now.everyone || !kept.everyone) && kept.rollouts.is_subset(&now.rollouts)
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
    let (number, state) = stack.last()?;
    let policy = policy(*number);
    let text = PolicyText::with_state(&policy, state).expect("a policy");
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
    let kept = command.keeps(&halts(directory));
    let counts = rearmed(directory);
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
        Err(Error::RolloutHaltsItself(_)) => Expected::RolloutHaltsItself,
        Err(Error::UnknownRollout { .. }) => Expected::UnknownRollout,
        Err(Error::LosesHalts { .. }) => Expected::LosesHalts,
        Err(Error::NoGuard { .. }) => Expected::NoGuard,
        Err(error) => panic!("{command:?}: {error}"),
    };
    assert_eq!(found, expected, "{command:?}");
    // Independent of the model.
    assert!(are_kept(directory, &kept), "{command:?} ends a halt");
    assert!(
        are_counts_kept(directory, &counts),
        "{command:?} undoes a rearm"
    );
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
        // The state that p0 had when p2 was applied, the rollout that p2 halts, and its `rearmed`.
        (Command::Rollback, "p0-halted+halted.b+rearmed.a.2"),
        (Command::Resume, "p0+halted.b+rearmed.a.2"),
        (Command::ResumeRollout("b"), "p0+rearmed.a.2"),
        (Command::Apply(3), "p3+rearmed.a.2"),
        // A policy that halts itself halts the folder too.
        (Command::Apply(1), "p1-halted"),
        (Command::ApplyAndResume(1), "p1"),
        (Command::Halt, "p1-halted"),
        (Command::RollbackAndResume, "p3-resumed+rearmed.a.2"),
        (Command::Halt, "p3+rearmed.a.2"),
    ] {
        check(&directory, &mut model, &command);
        let log = directory.log(1).expect("a log");
        assert_eq!(log.rows[0].entry.revision, revision, "{command:?}");
    }
}

#[test]
fn a_halted_rollout_stays_halted_until_it_is_resumed() {
    let (_folder, directory) = folder();
    let mut model = Model::default();
    for (command, revision) in [
        (Command::Apply(0), "p0"),
        (Command::HaltRollout("a"), "p0+halted.a"),
        (Command::HaltRollout("a"), "p0+halted.a"),
        (Command::Apply(1), "p1+halted.a"),
        (Command::HaltRollout("b"), "p1+halted.a"),
        (Command::Halt, "p1-halted+halted.a"),
        (Command::Resume, "p1+halted.a"),
        (Command::Rollback, "p0+halted.a"),
        (Command::HaltRollout("b"), "p0+halted.a.b"),
        // It has no rollout b.
        (Command::Apply(1), "p0+halted.a.b"),
        (Command::ApplyAndResumeRollout(1, "b"), "p1+halted.a"),
        // When p1 was applied, b was halted.
        (Command::Rollback, "p0+halted.a.b"),
        (Command::ResumeRollout("a"), "p0+halted.b"),
        (Command::Halt, "p0-halted+halted.b"),
        (Command::ResumeRollout("b"), "p0-halted"),
        (Command::Resume, "p0"),
        // It halts b itself.
        (Command::Apply(2), "p2"),
        (Command::Apply(0), "p0+halted.b+rearmed.a.2"),
        (Command::Apply(2), "p2"),
        (Command::ApplyAndResumeRollout(2, "b"), "p2"),
        (Command::ResumeRollout("b"), "p2+resumed.b"),
        (Command::HaltRollout("b"), "p2"),
    ] {
        check(&directory, &mut model, &command);
        let log = directory.log(1).expect("a log");
        assert_eq!(log.rows[0].entry.revision, revision, "{command:?}");
    }
}

#[test]
fn a_rearm_stays_whatever_becomes_active() {
    let (_folder, directory) = folder();
    let mut model = Model::default();
    for (command, revision) in [
        (Command::Apply(0), "p0"),
        (Command::Rearm("a"), "p0+rearmed.a.1"),
        (Command::Rearm("a"), "p0+rearmed.a.2"),
        // It has no guard, and is unchanged.
        (Command::Rearm("b"), "p0+rearmed.a.2"),
        (Command::RefusedRearm("a"), "p0+rearmed.a.2"),
        // The file of the author still has no `rearmed`.
        (Command::Apply(0), "p0+rearmed.a.2"),
        (Command::Rearm("a"), "p0+rearmed.a.3"),
        (Command::Halt, "p0-halted+rearmed.a.3"),
        (Command::Rearm("a"), "p0-halted+rearmed.a.4"),
        (Command::HaltRollout("a"), "p0-halted+halted.a+rearmed.a.4"),
        (Command::Resume, "p0+halted.a+rearmed.a.4"),
        (Command::ResumeRollout("a"), "p0+rearmed.a.4"),
        // Its own is 2.
        (Command::Apply(2), "p2+rearmed.a.4"),
        (Command::Rearm("b"), "p2+rearmed.a.4.b.1"),
        (Command::RollbackAndResumeRollout("b"), "p0+rearmed.a.4"),
        (Command::Apply(2), "p2+rearmed.a.4"),
        // Without a guard there is nothing to keep.
        (Command::ApplyAndResumeRollout(1, "b"), "p1"),
        (Command::Rearm("a"), "p1"),
        // The entry has it.
        (Command::Rollback, "p2+rearmed.a.4"),
    ] {
        check(&directory, &mut model, &command);
        let log = directory.log(1_000).expect("a log");
        let mut in_place = log.rows.iter().filter(|row| row.is_in_place);
        let found = in_place.next().map(|row| row.entry.revision.as_str());
        assert_eq!(found, Some(revision), "{command:?}");
    }
}
