//! Inputs of a command, and runs with a hostile value in one of them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::Command as Process;

use crate::HOSTILE;
use crate::run::Case;

pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// A command line without hostile text.
    pub(crate) base: &'static str,
    pub(crate) inputs: &'static [Input],
}

pub(crate) struct Input {
    /// As the help lists it.
    pub(crate) name: &'static str,
    how: How,
}

enum How {
    /// In place of this word of the base.
    Argument(&'static str),
    /// As the value of the option, with these other arguments.
    Option(&'static str),
    /// As the value of an option that takes none.
    Flag,
}

pub(crate) const fn argument(name: &'static str, word: &'static str) -> Input {
    Input {
        name,
        how: How::Argument(word),
    }
}

pub(crate) const fn option(name: &'static str) -> Input {
    with(name, "")
}

pub(crate) const fn with(name: &'static str, others: &'static str) -> Input {
    Input {
        name,
        how: How::Option(others),
    }
}

pub(crate) const fn flag(name: &'static str) -> Input {
    Input {
        name,
        how: How::Flag,
    }
}

impl Command {
    /// This input with each hostile text, in each output format of the command.
    pub(crate) fn cases(&self, input: &Input) -> Vec<Case> {
        let mut cases = Vec::new();
        // After a prefix that a parser may require.
        const BEGIN: [&str; 7] = ["x", "header:x", "/", "#1", "1,2;", "http://", "a=b:"];
        // A file with this name is in the folder.
        let value = |begin: &str, hostile: &str| format!("{begin}{hostile}").replace('/', "%");
        for hostile in HOSTILE {
            cases.extend(self.with_value(input, &value("", hostile).into()));
        }
        if !matches!(input.how, How::Flag) {
            for (begin, hostile) in BEGIN.iter().zip(HOSTILE.iter().cycle()) {
                let all = self.with_value(input, &value(begin, hostile).into());
                cases.extend(all.into_iter().next());
            }
        }
        cases
    }

    /// This input with invalid UTF-8.
    pub(crate) fn cases_of_bytes(&self, input: &Input) -> Vec<Case> {
        let bytes = b"\xff\x1b\xfe\xc3(\x9b31m".to_vec();
        self.with_value(input, &OsString::from_vec(bytes))
    }

    fn with_value(&self, input: &Input, value: &OsString) -> Vec<Case> {
        let is_text = value.to_str().is_some();
        let mut case = match input.how {
            How::Argument(word) => {
                let arguments = self.base.split(' ').map(|given| match given == word {
                    true => value.clone(),
                    false => given.into(),
                });
                Case {
                    arguments: arguments.collect(),
                    ..Case::default()
                }
            }
            How::Option(others) => {
                let base = self
                    .base
                    .split(' ')
                    .chain(others.split(' ').filter(|word| !word.is_empty()));
                let base: Vec<&str> = base.collect();
                let mut case = Case::new(&base);
                // In place of the value in the base.
                if let Some(place) = base.iter().position(|word| *word == input.name) {
                    case.arguments.drain(place..=place.saturating_add(1));
                }
                let mut option = OsString::from(format!("{}=", input.name));
                option.push(value);
                case.and(option)
            }
            How::Flag => {
                let mut option = OsString::from(format!("{}=", input.name));
                option.push(value);
                Case::words(self.base).and(option)
            }
        };
        if matches!(self.name, "halt" | "rearm" | "resume" | "rollback" | "log") {
            for line in [
                "apply policy.json --dir d --wasm f.wasm",
                "apply second.json --dir d",
                "halt --dir d",
            ] {
                case = case.after(line);
            }
        }
        let mut cases = vec![case.clone()];
        if is_text {
            // As a file or a folder that exists and is invalid.
            let name = value.to_string_lossy().into_owned();
            cases.push(case.clone().with_file(&name, "what is this"));
            cases.push(
                case.clone()
                    .with_file(&format!("{name}/history/1.json"), "what is this"),
            );
        }
        let more = match self.name {
            "lint" => vec!["--format=json", "--format=github"],
            "report" => vec!["--json", "--html=-"],
            _ if self.inputs.iter().any(|input| input.name == "--json") => vec!["--json"],
            _ => Vec::new(),
        };
        for option in more {
            if !option.starts_with(input.name) {
                cases.push(case.clone().and(option));
            }
        }
        cases
    }
}

/// The names of all commands, as the help lists them.
pub(crate) fn commands() -> Vec<String> {
    let help = help(&["--help"]);
    let list = help.split("Commands:\n").nth(1).expect("commands");
    let names = list.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// The arguments and options of a command, as its help lists them.
pub(crate) fn options(command: &str) -> Vec<String> {
    let help = help(&[command, "-h"]);
    let lists = help
        .split("\n\n")
        .filter(|part| part.starts_with("Arguments:") || part.starts_with("Options"));
    let names = lists
        .flat_map(str::lines)
        .skip_while(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| word.ends_with(','));
        words
            .next()
            .filter(|word| line.starts_with(' ') && !word.is_empty())
    });
    let is_an_input = |name: &&str| match *name {
        "-h" | "-V" | "--help" => false,
        "--version" => command == "bucket",
        _ => true,
    };
    names.filter(is_an_input).map(str::to_owned).collect()
}

fn help(arguments: &[&str]) -> String {
    let output = Process::new(env!("CARGO_BIN_EXE_turnout"))
        .args(arguments)
        .output();
    String::from_utf8(output.expect("the command runs").stdout).expect("UTF-8")
}
