//! `turnout schema`: what editors and validators need to know of a policy.

use std::path::PathBuf;

use clap::Args;

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::text_io;

/// Print the JSON Schema of the policy.
///
/// It is JSON Schema 2020-12. An editor that has it completes, explains and checks a policy while it
/// is written; what it cannot know, such as whether a segment exists, `turnout lint` says.
#[derive(Args)]
#[command(after_help = "Example:
  turnout schema --output policy.schema.json
and then, as the first field of the policy:
  \"$schema\": \"policy.schema.json\"")]
pub(crate) struct Arguments {
    /// Where to write; the file is replaced as a whole. Standard output unless given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let schema = SafeText::json(&format!("{:#}\n", turnout_core::schema()));
    match text_io::write(arguments.output.as_deref(), &schema) {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}
