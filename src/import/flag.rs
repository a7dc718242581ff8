//! A flag in a form that is common to all tools: branches in order. The first branch whose condition holds
//! decides.

use crate::account_set::Condition;
use crate::bucketing::Allocation;
use crate::error::{ImportError, ImportResult};
use crate::located_value::LocatedValue;
use crate::note::Notes;
use crate::object_reader::ObjectReader;
use crate::quote::{quote, quote_list};

/// A flag as read from a tool's export.
pub(crate) struct Flag<'a> {
    pub(crate) key: &'a str,
    /// The branches in order. An account for which none decides takes v1.
    pub(crate) branches: Vec<Branch<'a>>,
    /// Whether the rollout is off, whatever the branches are.
    pub(crate) is_off: bool,
    /// Whether a branch that serves v2 to everyone also serves it to requests without an account.
    pub(crate) serves_without_account: bool,
}

/// A condition with its allocation.
pub(crate) struct Branch<'a> {
    /// The branch's pointer in the file.
    pub(crate) at: String,
    pub(crate) condition: Condition<'a>,
    pub(crate) allocation: Allocation,
    pub(crate) remainder: Remainder,
    /// Indices of the notes on what the branch loses. Their messages still need the treatment of its
    /// accounts.
    pub(crate) notes: Vec<usize>,
}

/// What happens to the accounts of a branch that its allocation does not send to v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remainder {
    /// They take v1.
    V1,
    /// The next branches decide.
    Next,
    /// Some take v1; for the others the next branches decide.
    Mixed,
}

impl<'a> Flag<'a> {
    pub(crate) fn new(key: &'a str) -> Self {
        Self {
            key,
            branches: Vec::new(),
            is_off: false,
            serves_without_account: false,
        }
    }

    /// Adds a branch for which the tool needs an account.
    pub(crate) fn push(
        &mut self,
        at: &str,
        condition: Condition<'a>,
        allocation: Allocation,
        remainder: Remainder,
        notes: &mut Notes,
    ) {
        self.branches.push(Branch {
            at: at.to_owned(),
            condition,
            allocation,
            remainder,
            notes: notes.take_pending(),
        });
    }

    /// Adds a branch that the tool also serves to requests without an account.
    pub(crate) fn push_without_account(
        &mut self,
        at: &str,
        condition: Condition<'a>,
        allocation: Allocation,
        remainder: Remainder,
        notes: &mut Notes,
    ) {
        let is_for_all = condition.is_known && condition.accounts.is_everyone();
        self.serves_without_account |= is_for_all && allocation == Allocation::V2;
        self.push(at, condition, allocation, remainder, notes);
    }

    /// Turns the rollout off because the tool serves v1 to everyone.
    pub(crate) fn turn_off(&mut self, at: &str, notes: &mut Notes) {
        self.is_off = true;
        notes.add_note(
            at,
            "the flag is off, so the rollout is off",
            "its rules are imported; set the mode to `split` to apply them",
        );
    }

    /// Turns the rollout off because something unsupported decides for every account.
    pub(crate) fn reject(&mut self, at: &str, message: &str, notes: &mut Notes) {
        self.is_off = true;
        notes.add_loss(
            at,
            format!("{message}, so the rollout is `off` and every account takes v1"),
            "write its rules by hand",
        );
    }

    /// Turns the rollout off if one of these fields is missing.
    ///
    /// The tool always writes them. Without one of them, the file is another export or only a part of one,
    /// and what is missing may keep accounts on v1.
    pub(crate) fn require_fields(
        &mut self,
        object: &ObjectReader<'_>,
        names: &[&'static str],
        tool: &str,
        notes: &mut Notes,
    ) {
        let missing = object.missing(names);
        if missing.is_empty() {
            return;
        }
        self.is_off = true;
        let (are, them) = match missing.len() {
            1 => ("is", "it"),
            _ => ("are", "them"),
        };
        let names = quote_list(missing.into_iter());
        notes.add_loss(
            object.at(),
            format!("{names} {are} missing, so the file is not a complete export ({tool} always writes {them}) and the rollout is `off`"),
            format!("export the whole flag, or add {names} to the file"),
        );
    }
}

/// Notes that the import skips an unsupported part of a branch.
pub(crate) fn note_skipped(at: &str, message: &str, notes: &mut Notes) {
    notes.add_branch_loss(
        at,
        format!("{message}, so the rule is skipped"),
        "write this rule by hand, for example with `headers`",
    );
}

/// Selects the flag with this name, or the only one.
pub(crate) fn select_flag<'a>(
    flags: &[(&'a str, LocatedValue<'a>)],
    name: Option<&str>,
    at: &str,
) -> ImportResult<(&'a str, LocatedValue<'a>)> {
    let names = || quote_list(flags.iter().map(|(key, _)| *key));
    if flags.is_empty() {
        return Err(ImportError::new(
            at,
            "the file has no flags",
            "export it with its flags",
        ));
    }
    match name {
        Some(name) => match flags.iter().find(|(key, _)| *key == name) {
            Some(flag) => Ok(flag.clone()),
            None => Err(ImportError::option(
                "--flag",
                format!("the file has no flag {}", quote(name)),
                format!("use one of {}", names()),
            )),
        },
        None => match flags {
            [flag] => Ok(flag.clone()),
            _ => Err(ImportError::new(
                at,
                format!("the file has {} flags: {}", flags.len(), names()),
                "select one with --flag NAME",
            )),
        },
    }
}

/// Refuses `--environment` for a file that has only one environment.
pub(crate) fn reject_environment(name: Option<&str>) -> ImportResult<()> {
    match name {
        None => Ok(()),
        Some(_) => Err(ImportError::option(
            "--environment",
            "the file has only one environment",
            "omit the option, and export the file from the environment that you want",
        )),
    }
}
