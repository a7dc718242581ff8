//! The commands, one module each.

mod apply;
mod bucket;
mod completions;
mod diff;
mod explain;
mod halt;
mod import;
mod judge;
mod lint;
mod log;
mod man;
mod pack;
mod plan;
mod rearm;
mod render;
mod report;
mod resume;
mod roll;
mod rollback;
mod schema;
mod simulate;
mod watch;

use clap::Subcommand;

use crate::support::exit::Exit;

/// A command with its arguments.
#[derive(Subcommand)]
pub(crate) enum Command {
    Apply(Box<apply::Arguments>),
    Bucket(Box<bucket::Arguments>),
    Completions(completions::Arguments),
    Diff(diff::Arguments),
    Explain(Box<explain::Arguments>),
    Halt(halt::Arguments),
    Import(Box<import::Arguments>),
    Judge(Box<judge::Arguments>),
    Lint(lint::Arguments),
    Log(log::Arguments),
    Man(man::Arguments),
    Pack(pack::Arguments),
    Plan(Box<plan::Arguments>),
    Rearm(rearm::Arguments),
    Render(render::Arguments),
    Report(report::Arguments),
    Resume(resume::Arguments),
    Roll(Box<roll::Arguments>),
    Rollback(rollback::Arguments),
    Schema(schema::Arguments),
    Simulate(Box<simulate::Arguments>),
    Watch(watch::Arguments),
}

impl Command {
    /// Runs the command. `program` describes all commands, for the manual and completions.
    pub(crate) fn run(self, program: fn() -> clap::Command) -> Exit {
        match self {
            Self::Apply(arguments) => apply::run(&arguments),
            Self::Bucket(arguments) => bucket::run(&arguments),
            Self::Completions(arguments) => completions::run(&arguments, program()),
            Self::Diff(arguments) => diff::run(&arguments),
            Self::Explain(arguments) => explain::run(&arguments),
            Self::Halt(arguments) => halt::run(&arguments),
            Self::Import(arguments) => import::run(&arguments),
            Self::Judge(arguments) => judge::run(&arguments),
            Self::Lint(arguments) => lint::run(&arguments),
            Self::Log(arguments) => log::run(&arguments),
            Self::Man(arguments) => man::run(&arguments, program()),
            Self::Pack(arguments) => pack::run(&arguments),
            Self::Plan(arguments) => plan::run(&arguments),
            Self::Rearm(arguments) => rearm::run(&arguments),
            Self::Render(arguments) => render::run(&arguments),
            Self::Report(arguments) => report::run(&arguments),
            Self::Resume(arguments) => resume::run(&arguments),
            Self::Roll(arguments) => roll::run(&arguments),
            Self::Rollback(arguments) => rollback::run(&arguments),
            Self::Schema(arguments) => schema::run(&arguments),
            Self::Simulate(arguments) => simulate::run(&arguments),
            Self::Watch(arguments) => watch::run(&arguments),
        }
    }
}
