//! `turnout rollback`: the policy before the one in force.

use clap::Args;
use turnout_live::{Intent, Target};

use crate::support::change_options::{Options, Review};
use crate::support::exit::Exit;

/// Put the policy in force that was in force before.
///
/// Each rollback goes one policy further back, and none goes to a policy that proxies refused. A halt
/// stays: after `apply A`, `apply B`, `halt`, a rollback gives A, halted, and with --resume it gives A as
/// it was. Prints what changes.
#[derive(Args)]
#[command(
    after_help = "Ends with 1 if a proxy that was asked does not run it, or if the change does what is \
forbidden by --forbid or --max-new, and with 2 if a proxy would not hear of it; in the last two cases \
nothing was written.

Examples:
  turnout rollback --dir /etc/envoy/turnout --admin http://127.0.0.1:9901
  turnout rollback --dir /etc/envoy/turnout --to 2026-11-21.3 --resume"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// To this entry of `turnout log`, or to this revision.
    #[arg(long, value_name = "ENTRY|REVISION")]
    to: Option<String>,
    /// End the halt, if there is one.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    review: Review,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let target = match &arguments.to {
        Some(name) => Target::Named(name.clone()),
        None => Target::Before,
    };
    let intent = Intent::Rollback {
        target: &target,
        lifts_halt: arguments.resume,
    };
    arguments.options.carry_out(&intent, &arguments.review)
}
