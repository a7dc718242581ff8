//! `turnout resume`: lifts a halt.

use clap::Args;
use turnout_live::Intent;

use crate::support::change_options::{Options, Review};
use crate::support::exit::Exit;

/// Lift a halt.
///
/// Restores the policy that was halted, and prints what changes. Without --rollout, lifts the halt of everyone;
/// a rollout that has a halt of its own stays halted. With --rollout, lifts the halt of that rollout alone. To
/// return to the policy before the halted one instead, use `turnout rollback` with --resume or
/// --resume-rollout, and do not resume first. A guard that has tripped still sends requests to v1;
/// `turnout rearm` re-arms it.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the policy is written, and every proxy that was asked runs it
  1  a proxy that was asked does not run the policy (if every proxy refused it, the previous one is
     restored); or nothing is written, because the change violates
     --forbid or --max-new
  2  nothing is written: an option has an error, or a proxy would not receive the change

Examples:
  turnout resume --dir /etc/envoy/turnout --why \"v2 is fixed\"
  turnout resume --dir /etc/envoy/turnout --rollout chat-users --why \"v2 is fixed\"")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The rollout whose halt to lift. Default: the halt of everyone.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    #[command(flatten)]
    review: Review,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let intent = Intent::Resume {
        rollout: arguments.rollout.as_deref(),
    };
    arguments.options.carry_out(&intent, &arguments.review)
}
