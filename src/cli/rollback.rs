//! `turnout rollback`: the policy before the one in force.

use clap::Args;
use turnout_live::Target;

use crate::exit::Exit;
use crate::live::{FirstLook, Options};

/// Put the policy in force that was in force before.
///
/// Each rollback goes one policy further back, and none goes to a policy that proxies refused. A halt is
/// a state of a policy and not a policy: after `apply A`, `apply B`, `halt`, a rollback gives A.
#[derive(Args)]
#[command(after_help = "Ends with 1 if a proxy that was asked does not run it.

Examples:
  turnout rollback --dir /etc/envoy/turnout --admin http://127.0.0.1:9901
  turnout rollback --dir /etc/envoy/turnout --to 2026-11-21.3")]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// To this entry of `turnout log`, or to this revision.
    #[arg(long, value_name = "ENTRY|REVISION")]
    to: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let target = match &arguments.to {
        Some(name) => Target::Named(name.clone()),
        None => Target::Before,
    };
    arguments
        .options
        .carry_out(FirstLook::Waits, |directory, author| {
            directory.rollback(&target, author)
        })
}
