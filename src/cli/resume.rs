//! `turnout resume`: takes a halt back.

use clap::Args;

use crate::exit::Exit;
use crate::live::{FirstLook, Options};

/// Take a halt back.
///
/// The policy that was halted is in force again, as it was. To get the one before it, use
/// `turnout rollback`, which needs no resume.
#[derive(Args)]
#[command(after_help = "Ends with 1 if a proxy that was asked does not run it.

Example:
  turnout resume --dir /etc/envoy/turnout --why \"v2 is mended\"")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let options = &arguments.options;
    options.carry_out(FirstLook::Waits, |directory, author| {
        directory.resume(author)
    })
}
