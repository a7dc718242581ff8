//! Unwraps log lines: takes off what container runtimes, collectors and loggers put around them.
//!
//! * A [`Wrapper`] carries a line that a process wrote: Docker's JSON, CRI, `kubectl --prefix`,
//!   journald, OTLP, and the others that the enum lists.
//! * A [`Logger`] frames a message of the proxy's own log: Envoy's default format, and Istio's text and
//!   JSON. A line in such a frame is never an access log line.
//! * [`unwrap_line`] needs nothing but the line. [`Unwrapper`] also joins lines that a runtime has split
//!   and reads batches of lines.
//! * [`plugin_message`] gives what a Wasm plugin logged, where no text of a client can be before it in the
//!   line. [`wasm_message`] also reads custom formats, for logs that have no text of clients.
//!
//! Only the listed wrappers and loggers are known. Nothing is searched for in other places, because
//! clients choose parts of an access log.

#![forbid(unsafe_code)]

mod exact;
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
pub use wasm::{plugin_message, wasm_message};
pub use wrapper::{Wrapper, Wrappers};

/// Wrappers inside wrappers that are taken off.
const MOST_LAYERS: usize = 4;

/// What is left of a line without its wrappers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped<'a> {
    /// The line that the process wrote; where a logger framed it, the message alone.
    pub text: Cow<'a, [u8]>,
    /// The wrappers that were taken off.
    pub wrappers: Wrappers,
    /// The logger whose frame was taken off: the line belongs to the proxy's own log.
    pub logger: Option<Logger>,
    /// Whether that frame is the one of Envoy's Wasm logger, in Envoy's default format or in Istio's, and
    /// begins where the line does.
    pub is_of_wasm: bool,
    /// Whether a wrapper says that the process wrote the line to standard output, where Envoy writes
    /// access logs, and not its own log unless `--log-path` says so.
    pub is_stdout: bool,
    /// Whether OpenTelemetry's scope says that Turnout's filter exported the line to a collector.
    pub is_exported: bool,
    /// Whether a container runtime has split the line, and the next line of the stream continues it.
    pub continues: bool,
}

/// Takes the wrappers and the logger's frame off one line.
///
/// A batch of lines (OTLP) is only unwrapped if it has one line.
#[must_use]
pub fn unwrap_line(line: &[u8]) -> Unwrapped<'_> {
    let mut text = Cow::Borrowed(line_without_end(line));
    let mut around = Around::default();
    for _ in 0..MOST_LAYERS {
        let Some(mut layer) = peel_cow(&text) else {
            break;
        };
        let Some(inner) = layer.texts.pop().filter(|_| layer.texts.is_empty()) else {
            break;
        };
        around = around.and(&layer, &inner);
        text = inner.text;
        if layer.continues {
            let mut part = Unwrapped::unframed(text, around);
            part.continues = true;
            return part;
        }
    }
    Unwrapped::new(text, around)
}

impl<'a> Unwrapped<'a> {
    /// Takes the logger's frame off a text without wrappers.
    fn new(mut text: Cow<'a, [u8]>, around: Around) -> Self {
        match &mut text {
            Cow::Borrowed(line) => *line = line.trim_ascii_end(),
            Cow::Owned(line) => line.truncate(line.trim_ascii_end().len()),
        }
        let framed = match &text {
            Cow::Borrowed(line) => logger::take_off(line),
            Cow::Owned(line) => logger::take_off(line).map(logger::Framed::into_owned),
        };
        let Some(framed) = framed else {
            return Self::unframed(text, around);
        };
        Self {
            logger: Some(framed.logger),
            is_of_wasm: framed.is_of_wasm,
            ..Self::unframed(framed.message, around)
        }
    }

    const fn unframed(text: Cow<'a, [u8]>, around: Around) -> Self {
        Self {
            text,
            wrappers: around.wrappers,
            logger: None,
            is_of_wasm: false,
            is_stdout: around.is_stdout,
            is_exported: around.is_exported,
            continues: false,
        }
    }
}

/// What the wrappers of one line say of it.
#[derive(Clone, Copy, Debug, Default)]
struct Around {
    wrappers: Wrappers,
    is_stdout: bool,
    is_exported: bool,
}

impl Around {
    /// With one more wrapper, inside of the others.
    fn and(mut self, layer: &Layer<'_>, inner: &Inner<'_>) -> Self {
        self.wrappers.push(layer.wrapper);
        self.is_stdout |= layer.is_stdout || inner.is_stdout;
        // Of the innermost wrapper only: a collector that got the line from elsewhere does not vouch for it.
        self.is_exported = inner.is_exported;
        self
    }
}

/// One wrapper, and what was in it.
struct Layer<'a> {
    wrapper: Wrapper,
    texts: Vec<Inner<'a>>,
    continues: bool,
    /// Whether the process wrote it to standard output.
    is_stdout: bool,
    /// Distinguishes the streams whose lines may be mixed in one input.
    stream: Vec<u8>,
}

impl<'a> Layer<'a> {
    fn new(wrapper: Wrapper, text: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            wrapper,
            texts: vec![Inner {
                text: text.into(),
                is_exported: false,
                is_stdout: false,
            }],
            continues: false,
            is_stdout: false,
            stream: Vec::new(),
        }
    }

    fn into_owned(self) -> Layer<'static> {
        let texts = self.texts.into_iter();
        Layer {
            texts: texts.map(Inner::into_owned).collect(),
            wrapper: self.wrapper,
            continues: self.continues,
            is_stdout: self.is_stdout,
            stream: self.stream,
        }
    }
}

/// One line that was in a wrapper.
struct Inner<'a> {
    text: Cow<'a, [u8]>,
    /// Whether Turnout's filter sent it to a collector.
    is_exported: bool,
    /// Whether the process wrote it to standard output, as a batch says of each of its lines.
    is_stdout: bool,
}

impl Inner<'_> {
    fn into_owned(self) -> Inner<'static> {
        Inner {
            text: Cow::Owned(self.text.into_owned()),
            is_exported: self.is_exported,
            is_stdout: self.is_stdout,
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
