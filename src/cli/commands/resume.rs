//! `turnout resume`: ends a halt.

use clap::Args;
use turnout_live::Intent;

use crate::support::change_options::{Options, Review};
use crate::support::exit::Exit;

/// End a halt.
///
/// The policy that was halted is in force again, as it was. To get the one before it, use
/// `turnout rollback --resume`, which needs no resume before it. Prints what changes.
#[derive(Args)]
#[command(
    after_help = "Ends with 1 if a proxy that was asked does not run it, or if the change does what is \
forbidden by --forbid or --max-new, and with 2 if a proxy would not hear of it; in the last two cases \
nothing was written.

Example:
  turnout resume --dir /etc/envoy/turnout --why \"v2 is mended\""
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    review: Review,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    arguments
        .options
        .carry_out(&Intent::Resume, &arguments.review)
}
