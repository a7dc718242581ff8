//! Parsing of command lines. The processes that a bench starts are the same binary with other arguments.

use std::slice::Iter;
use std::str::FromStr;

/// The options of a command line, in order.
pub struct Options<'a> {
    words: Iter<'a, &'a str>,
    help: &'static str,
}

impl<'a> Options<'a> {
    /// Options with the help text that errors show.
    #[must_use]
    pub fn new(words: &'a [&'a str], help: &'static str) -> Self {
        Self {
            words: words.iter(),
            help,
        }
    }

    /// The next option.
    pub fn next_name(&mut self) -> Option<&'a str> {
        self.words.next().copied()
    }

    /// The value of an option.
    pub fn value(&mut self, name: &str) -> Result<&'a str, String> {
        let value = self.words.next().copied();
        value.ok_or_else(|| format!("{name}: unknown option or missing value\n{}", self.help))
    }

    /// The error for an unknown option.
    #[must_use]
    pub fn unknown(&self, name: &str) -> String {
        format!("unknown option {name}\n{}", self.help)
    }
}

/// Parses a number greater than 0.
pub fn positive<N: FromStr + Default + PartialOrd>(name: &str, value: &str) -> Result<N, String> {
    let number: N = number(name, value)?;
    match number > N::default() {
        true => Ok(number),
        false => Err(format!("{name}: expected more than 0, found {value}")),
    }
}

/// Parses a number, or anything else that implements [`FromStr`].
pub fn number<N: FromStr>(name: &str, value: &str) -> Result<N, String> {
    let wrong = |_| format!("{name}: invalid value {value:?}");
    value.parse().map_err(wrong)
}
