//! `turnout rearm`: re-arms the guard of a rollout.

use clap::Args;
use turnout_live::Intent;

use crate::support::change_options::{Options, Review, UnreadyOption};
use crate::support::exit::Exit;

/// Re-arm the guard of a rollout.
///
/// A guard that has tripped sends every request of its rollout to v1 until the definition of the rollout changes.
/// This adds 1 to `rearmed` in the rollout's `guard`, appends `+rearmed.NAME.NUMBER` to the revision, and changes
/// nothing else. The guard of every proxy is then armed without its earlier evidence. What is halted stays halted;
/// `turnout halt` and `turnout resume` do not re-arm. Later, `turnout apply` and `turnout rollback` keep the greater
/// `rearmed` of the active policy and of their own, so they do not undo a rearm.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the policy is written, and every proxy that was asked runs it
  1  a proxy that was asked does not run the policy (if every proxy refused it, the previous one is
     restored)
  2  nothing is written: an option has an error, the rollout has no guard, or a proxy would not receive
     the change

Examples:
  turnout rearm --dir /etc/envoy/turnout --rollout chat-users --why \"v2 is fixed\"
  turnout rearm --dir /etc/envoy/turnout --rollout chat-users --admin http://127.0.0.1:9901")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The rollout whose guard to re-arm.
    #[arg(long, value_name = "NAME")]
    rollout: String,
    #[command(flatten)]
    unready: UnreadyOption,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let rollout = &arguments.rollout;
    let review = Review::without_limits(arguments.unready);
    arguments
        .options
        .carry_out(&Intent::Rearm { rollout }, &review)
}
