//! Which of a flag's variations is v2.

use crate::node::{Read, Unreadable};
use crate::note::Notes;
use crate::options::Options;
use crate::words::{list, quoted};

/// A version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    V1,
    V2,
}

/// Variations that mean v2 without being asked, and those that mean v1.
const ON: &[&str] = &["on", "true", "v2", "enabled"];
const OFF: &[&str] = &["off", "false", "v1", "disabled", "control"];

/// The name of the variation that is v2; each other one is v1.
pub(crate) struct Variations<'a> {
    v2: &'a str,
}

impl<'a> Variations<'a> {
    /// Of a flag's variations, in any order and more than once; `at` is where they stand.
    pub(crate) fn new(
        mut names: Vec<&'a str>,
        options: &'a Options,
        at: &str,
        notes: &mut Notes,
    ) -> Read<Self> {
        names.sort_unstable();
        names.dedup();
        let v2 = match &options.v2_is {
            Some(name) if names.contains(&name.as_str()) => name.as_str(),
            Some(name) => {
                return Err(Unreadable::option(
                    "--v2-is",
                    format!("the flag has no variation {}", quoted(name)),
                    format!("write one of {}", list(names.iter().copied())),
                ));
            }
            None => {
                let is =
                    |name: &&str, words: &[&str]| words.contains(&name.to_lowercase().as_str());
                let mut on = names.iter().filter(|name| is(name, ON));
                let are_all_known = names.iter().all(|name| is(name, ON) || is(name, OFF));
                match (on.next(), on.next()) {
                    (Some(v2), None) if are_all_known => v2,
                    (None, _) if are_all_known => "on",
                    _ => {
                        return Err(Unreadable::new(
                            at,
                            format!(
                                "which of the variations {} is v2 is not plain",
                                list(names.iter().copied())
                            ),
                            "say it with --v2-is VARIATION",
                        ));
                    }
                }
            }
        };
        let others: Vec<_> = names.into_iter().filter(|name| *name != v2).collect();
        if others.len() > 1 {
            notes.lost(
                at,
                format!("the variations {} are all v1", list(others.into_iter())),
                "make a rollout of its own for each that is more than v1",
            );
        }
        Ok(Self { v2 })
    }

    pub(crate) fn of_v2(v2: &'a str) -> Self {
        Self { v2 }
    }

    pub(crate) fn treatment(&self, name: &str) -> Treatment {
        match name == self.v2 {
            true => Treatment::V2,
            false => Treatment::V1,
        }
    }
}
