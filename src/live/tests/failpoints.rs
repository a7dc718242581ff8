//! Properties: a command that is killed, or finds the disk full, at any step.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::model::{
    Command, Expected, Model, active_policy, are_counts_kept, are_kept, author, carry_out, check,
    check_after, commands, filter, folder, halts, is_unsettled, rearmed, target, wanted,
};
use crate::Outcome;
use crate::failpoint::{self, Fault};

fn unfinished(folder: &Path) -> usize {
    let count = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".tmp")).count()
    };
    count(folder).saturating_add(count(&folder.join("history")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// A command killed before any step of any write leaves the old or the new file, and later commands
    /// continue from there.
    #[test]
    fn a_command_killed_at_any_step_leaves_a_state_that_the_next_one_understands(
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
        let kept = command.keeps(&halts(&directory));
        let counts = rearmed(&directory);
        let mut new = model.clone();
        new.is_unsettled = is_unsettled(&directory);
        let expected = new.expect(
            &match command {
                // When it is killed before the rejection is known, it is an apply or a rearm like any other.
                Command::Refused(number) => Command::Apply(*number),
                Command::RefusedRearm(name) => Command::Rearm(name),
                other => other.clone(),
            },
            to,
        );
        let (was_killed, _) = failpoint::with(Fault::Killed(step), || carry_out(&directory, command, to));

        prop_assert!(are_kept(&directory, &kept), "{:?} ends a halt", command);
        prop_assert!(are_counts_kept(&directory, &counts), "{:?} undoes a rearm", command);
        let is_old = filter(&directory) == old_file;
        if !is_old {
            prop_assert_eq!(active_policy(&directory), wanted(&new.stack));
            prop_assert_eq!(expected, Expected::Changed);
            let newest = directory.log(1).expect("a log");
            let mut in_place = newest.rows.iter().filter(|row| row.is_in_place);
            let is_refused = in_place.any(|row| row.entry.outcome == Outcome::Rejected);
            if !is_refused {
                model.stack.clone_from(&new.stack);
            } else if model.stack.is_empty() {
                model.left = new.state();
            }
            if let Some(row) = newest.rows.first().filter(|row| row.is_in_place && !is_refused) {
                model.entries.insert(row.entry.sequence, model.stack.clone());
            }
        } else if !was_killed && matches!(
            command,
            Command::Rollback
                | Command::RollbackAndResume
                | Command::RollbackAndResumeRollout(_)
                | Command::To(_)
                | Command::Rearm(_)
        ) {
            prop_assert_ne!(expected, Expected::Changed);
        }
        for command in &after {
            // The state that was found gets an entry with its own number.
            check_after(&directory, &mut model, command);
        }
        // Any command removes temporary files.
        let _ = directory.halt(&author());
        prop_assert_eq!(unfinished(folder.path()), 0);
    }

    /// With a full disk a command changes everything or nothing.
    #[test]
    fn on_a_full_disk_a_command_happens_completely_or_not_at_all(
        before in commands(),
        command in 0_usize..8,
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
            Command::HaltRollout("a"),
            Command::ResumeRollout("a"),
            Command::Rearm("a"),
        ][command].clone();
        let old = filter(&directory);
        let mut new = model.clone();
        new.is_unsettled = is_unsettled(&directory);
        let expected = new.expect(&command, None);
        let (was_full, result) = failpoint::with(Fault::Full(step), || carry_out(&directory, &command, None));
        prop_assert_eq!(unfinished(folder.path()), 0);
        match result {
            Ok(change) => {
                prop_assert_eq!(active_policy(&directory), wanted(&new.stack));
                prop_assert!(!was_full || !change.notes.is_empty());
            }
            Err(error) => {
                prop_assert_eq!(filter(&directory), old);
                if expected == Expected::Changed {
                    let full = error.to_string();
                    prop_assert!(full.contains("stays active"), "{full}");
                }
            }
        }
    }
}
