//! `turnout rollback`: returns to an earlier policy.

use clap::Args;
use turnout_live::{Intent, Target};

use crate::support::change_options::{Options, Resume, Review};
use crate::support::exit::Exit;

/// Return to an earlier policy.
///
/// Each rollback goes back one more policy, and skips those that proxies refused. A halt stays: after
/// `apply A`, `apply B` and `halt`, a rollback restores A, halted; with --resume it restores A and lifts the
/// halt. A halted rollout stays halted too; --resume-rollout lifts its halt. A policy without that rollout is
/// refused. A guard keeps the greater `rearmed` of both policies. Prints what changes.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the policy is written, and every proxy that was asked runs it
  1  a proxy that was asked does not run the policy (if every proxy refused it, the previous one is
     restored); or nothing is written, because the change violates
     --forbid or --max-new
  2  nothing is written: an option has an error, or a proxy would not receive the change

Examples:
  turnout rollback --dir /etc/envoy/turnout --admin http://127.0.0.1:9901
  turnout rollback --dir /etc/envoy/turnout --to 2026-11-21.3 --resume")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The entry of `turnout log`, or the revision, to return to. Default: the policy before the active one.
    #[arg(long, value_name = "ENTRY|REVISION")]
    to: Option<String>,
    #[command(flatten)]
    resume: Resume,
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
        lifts: arguments.resume.lifts(),
    };
    arguments.options.carry_out(&intent, &arguments.review)
}
