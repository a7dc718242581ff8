//! The `turnout` command: it parses arguments and prints; every answer is computed in core.

#![forbid(unsafe_code)]

mod accounts_access;
mod accounts_files;
mod apply;
mod bad_arguments;
mod bucket;
mod changes;
mod completions;
mod diff;
mod exit;
mod explain;
mod halt;
mod headers;
mod import;
mod limits;
mod lint;
mod live;
mod log;
mod man;
mod many;
mod max_held_bytes;
mod moment;
mod pack;
mod panics;
mod plan;
mod policy;
mod problems;
mod record_level;
mod render;
mod report;
mod resume;
mod rollback;
mod schema;
mod series;
mod simulate;
mod sink;
mod text;
mod watch;
mod who;

use clap::builder::Styles;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use turnout_core::is_visible;

use crate::exit::Exit;

/// Moves a service from v1 to v2 account by account, inside Envoy.
#[derive(Parser)]
#[command(name = "turnout", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Apply(Box<apply::Arguments>),
    Bucket(Box<bucket::Arguments>),
    Completions(completions::Arguments),
    Diff(diff::Arguments),
    Explain(Box<explain::Arguments>),
    Halt(halt::Arguments),
    Import(Box<import::Arguments>),
    Lint(lint::Arguments),
    Log(log::Arguments),
    Man(man::Arguments),
    Pack(pack::Arguments),
    Plan(Box<plan::Arguments>),
    Render(render::Arguments),
    Report(report::Arguments),
    Resume(resume::Arguments),
    Rollback(rollback::Arguments),
    Schema(schema::Arguments),
    Simulate(Box<simulate::Arguments>),
    Watch(watch::Arguments),
}

fn main() -> Exit {
    std::panic::set_hook(Box::new(panics::report));
    match arguments() {
        Ok(arguments) => run(arguments.command),
        Err(error) => bad_arguments::tell(error),
    }
}

/// Reads the arguments of the process.
fn arguments() -> Result<Arguments, clap::Error> {
    let mut command = Arguments::command().bin_name("turnout");
    // An error quotes what was given. It has no colours where that might have some of its own.
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

fn run(command: Command) -> Exit {
    match command {
        Command::Apply(arguments) => apply::run(&arguments),
        Command::Bucket(arguments) => bucket::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Halt(arguments) => halt::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
        Command::Pack(arguments) => pack::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Render(arguments) => render::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Resume(arguments) => resume::run(&arguments),
        Command::Rollback(arguments) => rollback::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
    }
}
