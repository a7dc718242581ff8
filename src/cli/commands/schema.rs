//! `turnout schema`: prints the JSON Schema of policies, for editors and validators.

use std::path::PathBuf;

use clap::Args;

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::text_io;

/// Print the JSON Schema of the policy.
///
/// The schema is in JSON Schema 2020-12. With it, an editor completes, documents and checks a policy as you
/// type. `turnout lint` also checks what a schema cannot express, such as whether a segment exists.
#[derive(Args)]
#[command(after_help = "Example:
  turnout schema --output policy.schema.json
and then, as the first field of the policy:
  \"$schema\": \"policy.schema.json\"")]
pub(crate) struct Arguments {
    /// The output file, which is replaced atomically. Default: standard output.
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
