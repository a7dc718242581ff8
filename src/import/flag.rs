//! A flag as all tools have it: branches in order, of which the first that holds decides.

use crate::draw::Serve;
use crate::node::{Node, Read, Unreadable};
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
}

/// For whom it holds, and what it serves.
pub(crate) struct Branch<'a> {
    /// Its place in the file.
    pub(crate) at: String,
    pub(crate) condition: Condition<'a>,
    pub(crate) serve: Serve,
    pub(crate) rest: Rest,
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
        }
    }

    pub(crate) fn push(&mut self, at: &str, condition: Condition<'a>, serve: Serve, rest: Rest) {
        self.branches.push(Branch {
            at: at.to_owned(),
            condition,
            serve,
            rest,
        });
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
}

/// Tells that a branch is left out.
pub(crate) fn leave_out(at: &str, what: &str, notes: &mut Notes) {
    notes.lost(
        at,
        format!("{what}, so what it decides is left out and whoever was in it takes v1"),
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
