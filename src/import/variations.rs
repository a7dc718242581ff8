//! The treatment of each variation of a flag.

pub(crate) use turnout_core::Treatment;

use crate::error::{ImportError, ImportResult};
use crate::note::Notes;
use crate::options::Options;
use crate::quote::{quote, quote_list};

/// Names of variations that are v2 by default.
const V2_NAMES: &[&str] = &["on", "true", "v2", "enabled"];
/// Names of variations that are v1 by default.
const V1_NAMES: &[&str] = &["off", "false", "v1", "disabled", "control"];

/// The variations of a flag: one is v2, and all others are v1.
pub(crate) struct Variations<'a> {
    v2: &'a str,
}

impl<'a> Variations<'a> {
    /// Finds v2 by `--v2-is` or by name. `names` may be in any order and have duplicates; `at` is their
    /// pointer.
    pub(crate) fn new(
        mut names: Vec<&'a str>,
        options: &'a Options,
        at: &str,
        notes: &mut Notes,
    ) -> ImportResult<Self> {
        names.sort_unstable();
        names.dedup();
        let v2 = match &options.v2_is {
            Some(name) if names.contains(&name.as_str()) => name.as_str(),
            Some(name) => {
                return Err(ImportError::option(
                    "--v2-is",
                    format!("the flag has no variation {}", quote(name)),
                    format!("use one of {}", quote_list(names.iter().copied())),
                ));
            }
            None => v2_by_name(&names, at)?,
        };
        let others: Vec<_> = names.into_iter().filter(|name| *name != v2).collect();
        if others.len() > 1 {
            notes.add_loss(
                at,
                format!(
                    "the variations {} all become v1",
                    quote_list(others.into_iter())
                ),
                "if they differ, write a rollout by hand for each of them",
            );
        }
        Ok(Self { v2 })
    }

    pub(crate) fn with_v2(v2: &'a str) -> Self {
        Self { v2 }
    }

    pub(crate) fn treatment(&self, name: &str) -> Treatment {
        match name == self.v2 {
            true => Treatment::V2,
            false => Treatment::V1,
        }
    }
}

fn v2_by_name<'a>(names: &[&'a str], at: &str) -> ImportResult<&'a str> {
    let is_in = |name: &&str, known: &[&str]| known.contains(&name.to_lowercase().as_str());
    let mut v2_names = names.iter().filter(|name| is_in(name, V2_NAMES));
    let are_all_known = names
        .iter()
        .all(|name| is_in(name, V2_NAMES) || is_in(name, V1_NAMES));
    match (v2_names.next(), v2_names.next()) {
        (Some(v2), None) if are_all_known => Ok(v2),
        (None, _) if are_all_known => Ok("on"),
        _ => Err(ImportError::new(
            at,
            format!(
                "which of the variations {} is v2 is ambiguous",
                quote_list(names.iter().copied())
            ),
            "set it with --v2-is VARIATION",
        )),
    }
}
