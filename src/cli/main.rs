//! The `turnout` command: it parses arguments and prints. Core and its sibling crates compute every result.

#![forbid(unsafe_code)]

mod commands;
mod support;

use clap::builder::Styles;
use clap::{CommandFactory, FromArgMatches, Parser};
use turnout_text::is_visible;

use crate::commands::Command;
use crate::support::exit::Exit;
use crate::support::{panic_hook, usage_error};

/// Moves a service from v1 to v2 account by account, inside Envoy.
#[derive(Parser)]
#[command(name = "turnout", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> Exit {
    std::panic::set_hook(Box::new(panic_hook::report));
    match arguments() {
        Ok(arguments) => arguments.command.run(Arguments::command),
        Err(error) => usage_error::print(error),
    }
}

/// Reads the arguments of the process.
fn arguments() -> Result<Arguments, clap::Error> {
    let mut command = Arguments::command().bin_name("turnout");
    // An error quotes the arguments. If they may contain terminal sequences, the error gets no colours.
    let mut given = std::env::args_os().skip(1);
    if given.any(|argument| {
        argument
            .to_str()
            .is_none_or(|text| !text.chars().all(is_visible))
    }) {
        command = command.styles(Styles::plain());
    }
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}
