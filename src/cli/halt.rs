//! `turnout halt`: sends everyone to v1.

use clap::Args;

use crate::exit::Exit;
use crate::live::{FirstLook, Options};

/// Send everyone to v1, at once.
///
/// Sets `halted` in the policy in force and changes nothing else of it; its revision gets `-halted`.
/// Needs no history and no proxy that answers: where those are damaged or dead, that is said after
/// everyone is on v1.
#[derive(Args)]
#[command(after_help = "Ends with 1 if a proxy that was asked does not run it.

Example:
  turnout halt --dir /etc/envoy/turnout --why \"v2 answers 500\"")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let options = &arguments.options;
    options.carry_out(FirstLook::DoesNotWait, |directory, author| {
        directory.halt(author)
    })
}
