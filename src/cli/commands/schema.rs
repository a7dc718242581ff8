//! `turnout schema`: prints the JSON Schema of policies or of plans, for editors and validators.

use std::path::PathBuf;

use clap::Args;

use crate::support::document_kind_arg::DocumentKind;
use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::text_io;

/// Print the JSON Schema of the policy, or of the plan of `turnout roll`.
///
/// The schema is in JSON Schema 2020-12. With it, an editor completes, documents and checks a document as you
/// type. `turnout lint` also checks what a schema cannot express, such as whether a segment exists.
#[derive(Args)]
#[command(after_help = "Example:
  turnout schema --output policy.schema.json
and then, as the first field of the policy:
  \"$schema\": \"policy.schema.json\"")]
pub(crate) struct Arguments {
    /// The kind of document that the schema describes.
    #[arg(long = "for", value_name = "KIND", value_enum, default_value_t = DocumentKind::Policy)]
    kind: DocumentKind,
    /// The output file, which is replaced atomically. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let schema = match arguments.kind {
        DocumentKind::Policy => turnout_core::schema(),
        DocumentKind::Roll => turnout_roll::schema(),
    };
    let schema = SafeText::json(&format!("{schema:#}\n"));
    match text_io::write(arguments.output.as_deref(), &schema) {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}
