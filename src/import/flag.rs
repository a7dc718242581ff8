//! A flag as all tools have it: branches in order, of which the first that holds decides.

use crate::draw::Serve;
use crate::node::{Node, Object, Read, Unreadable};
use crate::note::Notes;
use crate::when::Condition;
use crate::words::{list, quoted};

/// What is read of a tool's file.
pub(crate) struct Flag<'a> {
    pub(crate) key: &'a str,
    /// In order. Whom none serves takes v1.
    pub(crate) branches: Vec<Branch<'a>>,
    /// The rollout is off whatever the branches say.
    pub(crate) is_off: bool,
    /// The tool serves v2 to requests without an account too, if it serves it to everyone.
    pub(crate) needs_no_account: bool,
}

/// For whom it holds, and what it serves.
pub(crate) struct Branch<'a> {
    /// Its place in the file.
    pub(crate) at: String,
    pub(crate) condition: Condition<'a>,
    pub(crate) serve: Serve,
    pub(crate) rest: Rest,
    /// The notes that say what of it is lost, and wait for what becomes of its accounts.
    pub(crate) notes: Vec<usize>,
}

/// What happens to the accounts of a branch that its part leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// They take v1.
    V1,
    /// They go on to the next branch.
    Next,
    /// Some take v1, the others go on.
    Mixed,
}

impl<'a> Flag<'a> {
    pub(crate) fn new(key: &'a str) -> Self {
        Self {
            key,
            branches: Vec::new(),
            is_off: false,
            needs_no_account: false,
        }
    }

    /// What the tool serves to an account, or to accounts that it draws.
    pub(crate) fn push(
        &mut self,
        at: &str,
        condition: Condition<'a>,
        serve: Serve,
        rest: Rest,
        notes: &mut Notes,
    ) {
        self.branches.push(Branch {
            at: at.to_owned(),
            condition,
            serve,
            rest,
            notes: notes.take_waiting(),
        });
    }

    /// What the tool serves without asking for an account.
    pub(crate) fn push_undrawn(
        &mut self,
        at: &str,
        condition: Condition<'a>,
        serve: Serve,
        rest: Rest,
        notes: &mut Notes,
    ) {
        let is_for_all = condition.is_known && condition.when.is_everyone();
        self.needs_no_account |= is_for_all && serve == Serve::V2;
        self.push(at, condition, serve, rest, notes);
    }

    /// The tool serves v1 to everyone, whatever the branches say.
    pub(crate) fn stop(&mut self, at: &str, notes: &mut Notes) {
        self.is_off = true;
        notes.note(
            at,
            "the flag is off, and so is the rollout",
            "its rules stand as they were; the mode `split` puts them into effect",
        );
    }

    /// What decides about anyone is unknown, so that nothing is decided: the rollout is off.
    pub(crate) fn refuse(&mut self, at: &str, what: &str, notes: &mut Notes) {
        self.is_off = true;
        notes.lost(
            at,
            format!("not imported: {what}"),
            "nobody is moved by a guess: the rollout is `off`; write its rules by hand",
        );
    }

    /// Reports fields that are not there though the tool always writes them: the file is another
    /// export, or a part of one, and what it leaves out may keep accounts on v1.
    pub(crate) fn expect(
        &mut self,
        object: &Object<'_>,
        names: &[&'static str],
        tool: &str,
        notes: &mut Notes,
    ) {
        let missing = object.missing(names);
        if missing.is_empty() {
            return;
        }
        self.is_off = true;
        let are = match missing.len() {
            1 => "is",
            _ => "are",
        };
        let names = list(missing.into_iter());
        notes.lost(
            object.at(),
            format!("{names} {are} missing, and {tool} always writes that, so this is a part of an export or another one"),
            format!("nobody is moved by a guess: the rollout is `off`; export the whole flag, or add {names} to the file"),
        );
    }
}

/// Tells that a branch is left out.
pub(crate) fn leave_out(at: &str, what: &str, notes: &mut Notes) {
    notes.lost_of_branch(
        at,
        format!("{what}, so what it decides is left out and"),
        "write a rule by hand, for example with `headers`, where its rule stood",
    );
}

/// The flag that is asked for, or the only one.
pub(crate) fn choose<'a>(
    flags: &[(&'a str, Node<'a>)],
    asked: Option<&str>,
    at: &str,
) -> Read<(&'a str, Node<'a>)> {
    let names = || list(flags.iter().map(|(key, _)| *key));
    if flags.is_empty() {
        return Err(Unreadable::new(
            at,
            "there is no flag in the file",
            "export it with its flags",
        ));
    }
    match asked {
        Some(asked) => match flags.iter().find(|(key, _)| *key == asked) {
            Some(flag) => Ok(flag.clone()),
            None => Err(Unreadable::option(
                "--flag",
                format!("there is no flag {} in the file", quoted(asked)),
                format!("write one of {}", names()),
            )),
        },
        None => match flags {
            [flag] => Ok(flag.clone()),
            _ => Err(Unreadable::new(
                at,
                format!("there are {} flags: {}", flags.len(), names()),
                "say which with --flag NAME",
            )),
        },
    }
}

/// Refuses the option of an environment where a file has no more than one.
pub(crate) fn no_environment(asked: Option<&str>) -> Read<()> {
    match asked {
        None => Ok(()),
        Some(_) => Err(Unreadable::option(
            "--environment",
            "this file is of one environment already",
            "leave the option out, and export the file from the environment",
        )),
    }
}
