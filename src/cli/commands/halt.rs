//! `turnout halt`: sends everyone, or everyone in one rollout, to v1.

use clap::Args;

use crate::support::change_options::Options;
use crate::support::exit::Exit;

/// Send everyone, or one rollout, to v1 immediately.
///
/// Sets `halted` in the active policy, appends `-halted` to its revision, and changes nothing else. With
/// --rollout, sets `halted` in that rollout and appends `+halted.NAME`; other rollouts do not change. Writes filter.json
/// first; this works even if the history is damaged or no proxy responds. Then asks the proxies of --admin, or
/// those of the last `turnout apply`, and prints which of them confirm the halt. To lift it, use
/// `turnout resume`, with --rollout for the halt of a rollout, or --resume or --resume-rollout of apply and
/// rollback. Nothing else lifts a halt.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the halt is written, and every proxy that was asked confirms it
  1  the halt is written, but a proxy that was asked does not confirm it
  2  nothing is written

Examples:
  turnout halt --dir /etc/envoy/turnout --why \"v2 returns 500\"
  turnout halt --dir /etc/envoy/turnout --rollout chat-users --why \"v2 returns 500\"")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The rollout to halt. Default: everyone, in all rollouts.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    arguments.options.halt(arguments.rollout.as_deref())
}
