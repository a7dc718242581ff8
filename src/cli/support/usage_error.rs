//! Prints help and errors of the argument parser. An error quotes arguments, so it is escaped.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use turnout_text::escape_for_terminal;

use crate::support::exit::Exit;
use crate::support::safe_output::{self, SafeText};
use crate::support::text_io;

/// Prints the help text or the error.
pub(crate) fn print(mut error: clap::Error) -> Exit {
    let quoted: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| Some((kind, quoted(kind, value)?)))
        .collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    let text = SafeText::styled_lines(&error.render().ansi().to_string());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => text_io::print(&text, Exit::Done),
        _ => {
            safe_output::print_error(&text);
            Exit::BadInput
        }
    }
}

/// Escapes what an error quotes, on one line.
fn quoted(kind: ContextKind, value: &ContextValue) -> Option<ContextValue> {
    let one = |text: &StyledStr| text.ansi().to_string();
    match value {
        _ if kind == ContextKind::Usage => None,
        ContextValue::String(text) => Some(ContextValue::String(escape_for_terminal(text))),
        ContextValue::Strings(texts) => {
            let texts = texts.iter().map(|text| escape_for_terminal(text));
            Some(ContextValue::Strings(texts.collect()))
        }
        ContextValue::StyledStrs(texts) if texts.iter().any(|text| one(text).contains('\n')) => {
            let texts = texts
                .iter()
                .map(|text| escape_for_terminal(&one(text)).into());
            Some(ContextValue::StyledStrs(texts.collect()))
        }
        _ => None,
    }
}
