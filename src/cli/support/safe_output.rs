//! Prints everything that the command prints, escaped.
//!
//! Most output contains text from elsewhere: names of a policy, lines of a log, responses of a proxy, arguments.
//! Unescaped, that text could control the terminal, hide or reorder the text around it, or run a command of
//! the CI system that shows it. So only a [`SafeText`] is printed, and every constructor of it escapes. A lint
//! keeps other code from writing to standard output and standard error.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};

use turnout_text::{begins_ci_command, escape_for_terminal, is_visible, push_json_escape};

/// Text that no terminal and no CI system interprets as a command. A character that must not be shown is escaped
/// as `\u{1b}` in text and as `\u001b` in JSON, and so is the first character of a CI command: `::` at the
/// beginning of a line; `##[`, `##vso[` and `##teamcity[` anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SafeText {
    text: String,
    /// Whether the text has escape sequences for bold or colours.
    is_styled: bool,
    /// Whether the last line has a character other than white space.
    is_line_begun: bool,
}

/// How a piece of text looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Dim,
    Green,
    Red,
    Yellow,
}

/// An annotation, which GitHub shows next to the lines of a change.
pub(crate) struct Annotation<'a> {
    pub(crate) level: &'static str,
    /// Names and values, such as the file and the line.
    pub(crate) properties: &'a [(&'static str, &'a str)],
    pub(crate) message: &'a str,
}

impl SafeText {
    /// Text of the command with several lines. Callers escape what they quote first, so that it
    /// cannot add a line.
    pub(crate) fn lines(text: &str) -> Self {
        let mut safe = Self::default();
        safe.push(text);
        safe
    }

    /// One line. Line ends in it are escaped.
    pub(crate) fn line(line: &str) -> Self {
        let mut safe = Self::default();
        safe.push(&line.replace('\n', "\\n"));
        safe.push("\n");
        safe
    }

    /// One line of tab-separated cells.
    pub(crate) fn row(cells: &[&str]) -> Self {
        let mut safe = Self::default();
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                safe.text.push('\t');
            }
            safe.push(&escape_for_terminal(cell));
        }
        safe.push("\n");
        safe
    }

    /// JSON with the same value. Unsafe characters are escaped; they occur only in strings. Tabs between values
    /// stay, and lines end with `\n`.
    pub(crate) fn json(json: &str) -> Self {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n') && byte != b'#';
        if json.bytes().all(is_plain) {
            return Self::of(json.to_owned());
        }
        let mut text = String::with_capacity(json.len());
        let (mut is_in_string, mut is_escaped) = (false, false);
        let mut rest = json;
        while let Some(c) = rest.chars().next() {
            let command = begins_ci_command(rest);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                '\t' | '\n' if !is_in_string => text.push(c),
                '\r' if !is_in_string => {
                    if !rest.starts_with('\n') {
                        text.push('\n');
                    }
                }
                _ if command || !is_visible(c) => push_json_escape(&mut text, c),
                _ => text.push(c),
            }
            is_in_string ^= c == '"' && !is_escaped;
            is_escaped = is_in_string && c == '\\' && !is_escaped;
        }
        Self::of(text)
    }

    /// A value as indented JSON.
    pub(crate) fn json_of(value: &impl serde::Serialize) -> Self {
        // Serialization cannot fail: the values consist of numbers and texts.
        serde_json::to_string_pretty(value)
            .map_or_else(|_| Self::default(), |json| Self::json(&(json + "\n")))
    }

    /// A document whose format is unknown here, such as a filled-in template. The caller has rejected text that
    /// would need escaping; see [`unprintable`].
    pub(crate) fn document(text: &str) -> Self {
        let is_kept = |c| is_visible(c) || matches!(c, '\n' | '\t');
        let text = text.replace("\r\n", "\n");
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            match is_kept(c) {
                true => safe.push(c),
                false => safe.extend(c.escape_default()),
            }
        }
        Self::of(safe)
    }

    /// Output that is generated from the command's own options, such as the manual and completions.
    pub(crate) fn of_the_program(text: &str) -> Self {
        Self::document(text)
    }

    /// Text with marks of bold and colours from a library, in which what is quoted has been made
    /// [`escape_for_terminal`] before. No other terminal sequence comes through.
    pub(crate) fn styled_lines(text: &str) -> Self {
        let mut safe = Self::default();
        let mut rest = text;
        while let Some(place) = rest.find("\x1b[") {
            let (before, sequence) = rest.split_at_checked(place).unwrap_or((rest, ""));
            safe.push(before);
            let parameters = sequence.get(2..).unwrap_or_default();
            let length = parameters
                .bytes()
                .take_while(|byte| matches!(byte, b'0'..=b'9' | b';'))
                .count();
            let end = match parameters.as_bytes().get(length) {
                Some(b'm') => length.saturating_add(3),
                _ => 1,
            };
            let (sequence, after) = sequence.split_at_checked(end).unwrap_or((sequence, ""));
            match end {
                1 => safe.push(sequence),
                _ => safe.push_mark(sequence),
            }
            rest = after;
        }
        safe.push(rest);
        safe
    }

    /// Appends text; see [`lines`](Self::lines).
    pub(crate) fn push(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let is_command = match c {
                // Three colons are no command: a name follows two.
                ':' => !self.is_line_begun && rest.starts_with("::") && !rest.starts_with(":::"),
                '#' => begins_ci_command(rest),
                _ => false,
            };
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                '\n' => self.is_line_begun = false,
                c => self.is_line_begun |= !c.is_whitespace(),
            }
            match c == '\n' || (is_visible(c) && !is_command) {
                true => self.text.push(c),
                false => self.text.extend(escape(c)),
            }
        }
    }

    /// Appends text in a style.
    pub(crate) fn push_styled(&mut self, style: Style, text: &str) {
        self.push_mark(match style {
            Style::Bold => "\x1b[1m",
            Style::Dim => "\x1b[2m",
            Style::Green => "\x1b[32m",
            Style::Red => "\x1b[31m",
            Style::Yellow => "\x1b[33m",
        });
        self.push(text);
        self.push_mark("\x1b[0m");
    }

    /// Appends a GitHub workflow command on a line of its own.
    pub(crate) fn push_annotation(&mut self, annotation: &Annotation<'_>) {
        if self.is_line_begun {
            self.push("\n");
        }
        let Annotation {
            level,
            properties,
            message,
        } = annotation;
        let mut line = String::new();
        for (name, value) in *properties {
            let comma = if line.is_empty() { "" } else { "," };
            let _ = write!(line, "{comma}{name}={}", github(value, true));
        }
        let _ = write!(line, "::{}", github(message, false));
        let _ = write!(self.text, "::{level} ");
        self.is_line_begun = true;
        self.push(&line);
        self.push("\n");
    }

    /// The escaped text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn of(text: String) -> Self {
        Self {
            is_line_begun: !text.ends_with('\n') && !text.is_empty(),
            text,
            is_styled: false,
        }
    }

    fn push_mark(&mut self, mark: &str) {
        self.is_styled = true;
        self.text.push_str(mark);
    }
}

/// Escapes a character, even if it is visible.
fn escape(c: char) -> impl Iterator<Item = char> {
    let escaped = match is_visible(c) {
        true => c.escape_unicode().to_string(),
        false => c.escape_default().to_string(),
    };
    escaped.into_bytes().into_iter().map(char::from)
}

/// Escapes text by the rules of GitHub's runner. In a property, the characters that end it are escaped too.
fn github(text: &str, in_property: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => escaped.push_str("%25"),
            '\r' => escaped.push_str("%0D"),
            '\n' => escaped.push_str("%0A"),
            ':' if in_property => escaped.push_str("%3A"),
            ',' if in_property => escaped.push_str("%2C"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Finds the first text of a document that must not be printed unescaped: the number of its line, and what is
/// wrong. Only the author of the document knows how to escape it.
pub(crate) fn unprintable(document: &str) -> Option<(usize, String)> {
    let lines = document
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line));
    (1..).zip(lines).find_map(|(number, line)| {
        let hidden = line.chars().find(|c| !is_visible(*c) && *c != '\t');
        if let Some(hidden) = hidden {
            let hidden = hidden.escape_default();
            return Some((number, format!("has the invisible character {hidden}")));
        }
        let marks = line
            .match_indices("##")
            .filter_map(|(place, _)| line.get(place..));
        let begins = line.trim_start().strip_prefix("::");
        let is_command = begins.is_some_and(|rest| rest.contains("::"))
            || marks.into_iter().any(begins_ci_command);
        is_command.then(|| {
            (
                number,
                "would be a command to a CI system that prints it".to_owned(),
            )
        })
    })
}

/// Prints to standard output in one piece.
pub(crate) fn print(text: &SafeText) -> io::Result<()> {
    let bytes = text.text.as_bytes();
    match text.is_styled {
        true => {
            let mut out = anstream::AutoStream::auto(output());
            out.write_all(bytes).and_then(|()| out.flush())
        }
        false => {
            let mut out = output();
            out.write_all(bytes).and_then(|()| out.flush())
        }
    }
}

/// Prints to standard error; `false` if the reader has closed it.
pub(crate) fn print_error(text: &SafeText) -> bool {
    let mut out = anstream::AutoStream::auto(errors());
    out.write_all(text.text.as_bytes()).is_ok()
}

/// Prints one line to standard error. Ignores a closed reader.
pub(crate) fn print_error_line(line: &str) {
    print_error(&SafeText::line(line));
}

/// Standard output for text that is printed in several pieces.
pub(crate) struct Output(BufWriter<io::Stdout>);

impl Output {
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(output()))
    }

    pub(crate) fn print(&mut self, text: &SafeText) -> io::Result<()> {
        self.0.write_all(text.text.as_bytes())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    output().is_terminal()
}

/// Whether standard error is a terminal.
pub(crate) fn is_error_terminal() -> bool {
    errors().is_terminal()
}

#[expect(
    clippy::disallowed_methods,
    reason = "all output goes through this module"
)]
fn output() -> io::Stdout {
    io::stdout()
}

#[expect(
    clippy::disallowed_methods,
    reason = "all output goes through this module"
)]
fn errors() -> io::Stderr {
    io::stderr()
}
