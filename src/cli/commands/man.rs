//! `turnout man`: prints the manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::text_io;

/// Print the manual page, or write one page for each command.
#[derive(Args)]
#[command(after_help = "Example:
  turnout man | man -l -
  turnout man --dir ~/.local/share/man/man1")]
pub(crate) struct Arguments {
    /// Write one file for each command, such as `turnout-lint.1`, to this existing folder.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, command: Command) -> Exit {
    let written = match &arguments.dir {
        None => {
            page(command).and_then(|page| text_io::write(None, &SafeText::of_the_program(&page)))
        }
        Some(folder) => clap_mangen::generate_to(command, folder)
            .map_err(|error| format!("cannot write to {}: {error}", text_io::name_of(folder))),
    };
    match written {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}

fn page(command: Command) -> Result<String, String> {
    let mut page = Vec::new();
    let rendered = Man::new(command).render(&mut page);
    rendered.map_err(|error| format!("cannot write the manual: {error}"))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
