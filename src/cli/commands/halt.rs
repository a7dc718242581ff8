//! `turnout halt`: sends everyone to v1.

use clap::Args;

use crate::support::change_options::Options;
use crate::support::exit::Exit;

/// Send everyone to v1, at once.
///
/// Sets `halted` in the policy in force and changes nothing else of it; its revision gets `-halted`.
/// Writes filter.json first, which needs no history and no proxy that answers. Then it asks the proxies
/// of --admin whether they run it, or else those of the last `turnout apply`, and says which of them
/// confirm it. Only `turnout resume`, or --resume of apply and rollback, ends a halt.
#[derive(Args)]
#[command(
    after_help = "Ends with 0 if every proxy that was asked runs it, or none was asked; with 1 if it is \
written and a proxy that was asked does not confirm it; with 2 if nothing was written.

Example:
  turnout halt --dir /etc/envoy/turnout --why \"v2 answers 500\""
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    arguments.options.halt()
}
