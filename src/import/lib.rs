//! Import: a flag of Split, Unleash, LaunchDarkly, GrowthBook or flagd becomes a policy in which
//! every account stays where it is.
//!
//! * [`import`] reads what the tool exports and gives an [`Imported`]: a policy that compiles, and
//!   [`Note`]s of what has no counterpart in it, each with its place in the file.
//! * What cannot be imported takes v1, and so does whoever it might have concerned: nobody is moved to
//!   v2 by a guess.
//!
//! One file reads each tool. All make the same list of branches, and `merge` makes rules of it.
//! Nothing here opens a file, and what is read may be hostile.

#![forbid(unsafe_code)]

mod draw;
mod flag;
mod flagd;
mod growthbook;
mod launchdarkly;
mod merge;
mod node;
mod not_json;
mod note;
mod options;
mod other_exports;
mod policy;
mod split;
mod treatment;
mod unleash;
mod when;
mod words;

use serde_json::Value;

pub use node::Unreadable;
pub use note::{Note, Severity};
pub use options::{Format, Formula, Options, Source, Tool};

use crate::node::Node;
use crate::note::Notes;

/// A flag as a policy.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The whole policy, as a JSON text that ends with a line break. It compiles.
    pub policy: String,
    /// What is to be known about it, in the order of reading; at most a thousand.
    pub notes: Vec<Note>,
    /// How many more notes there were.
    pub omitted: usize,
    /// Whether something of the flag is not in the policy.
    pub is_lossy: bool,
}

/// Reads a file that a tool exported and makes a policy of one flag in it.
///
/// # Errors
/// The text is none of the tool's, or an option does not fit it.
pub fn import(tool: Tool, text: &str, options: &Options) -> Result<Imported, Unreadable> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| not_json::explained(text, &error))?;
    let root = Node::root(&value);
    other_exports::refuse(tool, &root)?;
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
