//! `turnout completions`: completions of commands and options for a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::text_io;

/// Print shell completions.
#[derive(Args)]
#[command(after_help = "Example:
  turnout completions bash > ~/.local/share/bash-completion/completions/turnout
  turnout completions zsh > ~/.zfunc/_turnout
  turnout completions fish > ~/.config/fish/completions/turnout.fish")]
pub(crate) struct Arguments {
    /// The shell to print completions for.
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, mut command: Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "turnout", &mut script);
    let script = SafeText::of_the_program(&String::from_utf8_lossy(&script));
    match text_io::write(None, &script) {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}
