//! Unwraps log lines: takes off what container runtimes, collectors and loggers put around them.
//!
//! * A [`Wrapper`] carries a line that a process wrote: Docker's JSON, CRI, `kubectl --prefix`,
//!   journald, OTLP, and the others that the enum lists.
//! * A [`Logger`] frames a message of the proxy's own log: Envoy's default format, and Istio's text and
//!   JSON. A line in such a frame is never an access log line.
//! * [`unwrap_line`] needs nothing but the line. [`Unwrapper`] also joins lines that a runtime has split
//!   and reads batches of lines.
//! * [`wasm_message`] gives what a Wasm plugin logged.
//!
//! Only the listed wrappers and loggers are known. Nothing is searched for in other places, because
//! clients choose parts of an access log.

#![forbid(unsafe_code)]

mod join;
mod json;
mod logger;
mod stamp;
mod text;
mod wasm;
mod wrapper;

use std::borrow::Cow;

pub use join::Unwrapper;
pub use logger::Logger;
pub use wasm::wasm_message;
pub use wrapper::{Wrapper, Wrappers};

/// Wrappers inside wrappers that are taken off.
const MOST_LAYERS: u8 = 4;

/// What is left of a line without its wrappers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped<'a> {
    /// The line that the process wrote; where a logger framed it, the message alone.
    pub text: Cow<'a, [u8]>,
    /// The wrappers that were taken off.
    pub wrappers: Wrappers,
    /// The logger whose frame was taken off: the line belongs to the proxy's own log.
    pub logger: Option<Logger>,
    /// Whether a container runtime has split the line, and the next line of the stream continues it.
    pub continues: bool,
}

/// Takes the wrappers and the logger's frame off one line.
///
/// A batch of lines (OTLP) is only unwrapped if it has one line.
#[must_use]
pub fn unwrap_line(line: &[u8]) -> Unwrapped<'_> {
    let mut text = Cow::Borrowed(line_without_end(line));
    let mut wrappers = Wrappers::default();
    for _ in 0..MOST_LAYERS {
        let Some(Layer {
            wrapper,
            mut texts,
            continues,
            ..
        }) = peel_cow(&text)
        else {
            break;
        };
        let Some(inner) = texts.pop().filter(|_| texts.is_empty()) else {
            break;
        };
        text = inner;
        wrappers.insert(wrapper);
        if continues {
            return Unwrapped {
                text,
                wrappers,
                logger: None,
                continues,
            };
        }
    }
    Unwrapped::new(text, wrappers)
}

impl<'a> Unwrapped<'a> {
    /// Takes the logger's frame off a text without wrappers.
    fn new(mut text: Cow<'a, [u8]>, wrappers: Wrappers) -> Self {
        match &mut text {
            Cow::Borrowed(line) => *line = line.trim_ascii_end(),
            Cow::Owned(line) => line.truncate(line.trim_ascii_end().len()),
        }
        let (text, logger) = match &text {
            Cow::Borrowed(line) => match logger::take_off(line) {
                Some((message, logger)) => (message, Some(logger)),
                None => (text, None),
            },
            Cow::Owned(line) => match logger::take_off(line) {
                Some((message, logger)) => (Cow::Owned(message.into_owned()), Some(logger)),
                None => (text, None),
            },
        };
        Self {
            text,
            wrappers,
            logger,
            continues: false,
        }
    }
}

/// One wrapper, and what was in it.
struct Layer<'a> {
    wrapper: Wrapper,
    texts: Vec<Cow<'a, [u8]>>,
    continues: bool,
    /// Distinguishes the streams whose lines may be mixed in one input.
    stream: Vec<u8>,
}

impl<'a> Layer<'a> {
    fn new(wrapper: Wrapper, text: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            wrapper,
            texts: vec![text.into()],
            continues: false,
            stream: Vec::new(),
        }
    }

    fn into_owned(self) -> Layer<'static> {
        let texts = self.texts.into_iter();
        Layer {
            texts: texts.map(|text| Cow::Owned(text.into_owned())).collect(),
            wrapper: self.wrapper,
            continues: self.continues,
            stream: self.stream,
        }
    }
}

/// Blanks stay: they may be in the middle of a line that a container runtime has split.
fn line_without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Takes one wrapper off a line.
fn peel(line: &[u8]) -> Option<Layer<'_>> {
    match line.first()? {
        b'{' => json::peel(line),
        _ => text::peel(line),
    }
}

fn peel_cow<'a>(line: &Cow<'a, [u8]>) -> Option<Layer<'a>> {
    match line {
        Cow::Borrowed(line) => peel(line),
        Cow::Owned(line) => peel(line).map(Layer::into_owned),
    }
}

#[cfg(test)]
mod tests;
