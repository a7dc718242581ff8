//! `turnout halt`: sends everyone to v1.

use clap::Args;

use crate::support::change_options::Options;
use crate::support::exit::Exit;

/// Send everyone to v1 immediately.
///
/// Sets `halted` in the active policy, appends `-halted` to its revision, and changes nothing else. Writes
/// filter.json first; this works even if the history is damaged or no proxy responds. Then asks the proxies of
/// --admin, or those of the last `turnout apply`, and prints which of them confirm the halt. Only
/// `turnout resume`, or --resume of apply and rollback, lifts a halt.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the halt is written, and every proxy that was asked confirms it
  1  the halt is written, but a proxy that was asked does not confirm it
  2  nothing is written

Example:
  turnout halt --dir /etc/envoy/turnout --why \"v2 returns 500\"")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    arguments.options.halt()
}
