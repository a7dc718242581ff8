//! `turnout import`: converts a flag of Split, Unleash, LaunchDarkly, GrowthBook or flagd to a policy.
//!
//! * [`import`] reads the tool's export and returns an [`Imported`]: a policy that compiles, and a
//!   [`Note`] with its place in the file for each part of the flag that the policy does not have.
//! * Every account keeps its treatment. Accounts of an unsupported part take v1: the import never
//!   guesses that an account takes v2.
//!
//! Each tool has a module that reads its export into a list of branches. `merge` turns the branches
//! into rules. This crate opens no files, and its input may be hostile.

#![forbid(unsafe_code)]

mod account_set;
mod bucketing;
mod error;
mod flag;
mod flagd;
mod growthbook;
mod launchdarkly;
mod located_value;
mod merge;
mod not_json;
mod note;
mod object_reader;
mod options;
mod policy;
mod policy_name;
mod quote;
mod split;
mod unleash;
mod unsupported_exports;
mod variations;

use serde_json::Value;

pub use error::ImportError;
pub use note::{Note, Severity};
pub use options::{AccountFormat, AccountSource, FractionalVersion, Options, Tool};

use crate::located_value::LocatedValue;
use crate::note::Notes;

/// A flag as a policy.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The policy, as JSON text that ends with a line break. It compiles.
    pub policy: String,
    /// Notes on the import in reading order, at most 1,000.
    pub notes: Vec<Note>,
    /// The number of further notes, which are not kept.
    pub omitted: usize,
    /// Whether a part of the flag is missing in the policy.
    pub is_lossy: bool,
}

/// Converts one flag of a tool's export to a policy.
///
/// # Errors
/// If the text is not an export of this tool, or an option does not fit it.
pub fn import(tool: Tool, text: &str, options: &Options) -> Result<Imported, ImportError> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| not_json::explain(text, &error))?;
    let root = LocatedValue::root(&value);
    unsupported_exports::reject(tool, &root)?;
    let mut notes = Notes::default();
    let flag = match tool {
        Tool::Split => split::read(&root, options, &mut notes),
        Tool::Unleash => unleash::read(&root, options, &mut notes),
        Tool::LaunchDarkly => launchdarkly::read(&root, options, &mut notes),
        Tool::GrowthBook => growthbook::read(&root, options, &mut notes),
        Tool::Flagd => flagd::read(&root, options, &mut notes),
    }?;
    let policy = policy::write(flag, options, &mut notes)?;
    let (notes, omitted, is_lossy) = notes.finish();
    Ok(Imported {
        policy,
        notes,
        omitted,
        is_lossy,
    })
}
