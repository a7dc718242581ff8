//! Unwraps log lines: removes what container runtimes, collectors and loggers add to them.
//!
//! * A [`Wrapper`] contains a line that a process wrote: Docker's JSON, CRI, `kubectl --prefix`,
//!   journald, OTLP, and the others that the enum lists.
//! * A [`Logger`] adds a frame to a message of the proxy's own log: Envoy's default format, and Istio's text and
//!   JSON. A line with such a frame is never an access log line.
//! * [`unwrap_line`] unwraps a single line. [`Unwrapper`] also joins lines that a runtime has split, and reads
//!   batches.
//! * [`plugin_message`] returns the message of a Wasm plugin, if no text from a client can precede it in the
//!   line. [`wasm_message`] also reads custom formats, for logs without text from clients.
//!
//! Only these wrappers and loggers are recognised, and only in these places, because clients control parts of an
//! access log.

#![forbid(unsafe_code)]

mod json_wrappers;
mod logger;
mod plugin_message;
mod prefix_wrappers;
mod timestamp;
mod unwrapper;
mod wasm_logger_frame;
mod wrapper;

use std::borrow::Cow;

pub use logger::Logger;
pub use plugin_message::{plugin_message, wasm_message};
pub use unwrapper::Unwrapper;
pub use wrapper::{Wrapper, Wrappers};

/// The largest number of nested wrappers that are removed.
const MOST_LAYERS: usize = 4;

/// A line without its wrappers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped<'a> {
    /// The line that the process wrote, without the frame of its logger.
    pub text: Cow<'a, [u8]>,
    /// The wrappers that were removed.
    pub wrappers: Wrappers,
    /// The logger whose frame was removed, if any: then the line is from the proxy's own log.
    pub logger: Option<Logger>,
    /// Whether that frame is exactly that of Envoy's Wasm logger, in Envoy's default format or in Istio's, at the
    /// beginning of the line.
    pub is_of_wasm: bool,
    /// Whether a wrapper marks the line as standard output. Envoy writes access logs there, and its own log only with
    /// `--log-path`.
    pub is_stdout: bool,
    /// Whether Turnout's filter exported the line to a collector, by its OpenTelemetry scope.
    pub is_exported: bool,
    /// Whether a container runtime has split the line, so that the next line of the stream continues it.
    pub continues: bool,
}

/// Removes the wrappers and the logger's frame from one line.
///
/// A batch (OTLP) is unwrapped only if it has a single line.
#[must_use]
pub fn unwrap_line(line: &[u8]) -> Unwrapped<'_> {
    let mut text = Cow::Borrowed(line_without_end(line));
    let mut context = LineContext::default();
    for _ in 0..MOST_LAYERS {
        let Some(mut layer) = peel_cow(&text) else {
            break;
        };
        let Some(inner) = layer.texts.pop().filter(|_| layer.texts.is_empty()) else {
            break;
        };
        context = context.and(&layer, &inner);
        text = inner.text;
        if layer.continues {
            let mut part = Unwrapped::unframed(text, context);
            part.continues = true;
            return part;
        }
    }
    Unwrapped::new(text, context)
}

impl<'a> Unwrapped<'a> {
    /// Removes the logger's frame from a text without wrappers.
    fn new(mut text: Cow<'a, [u8]>, context: LineContext) -> Self {
        match &mut text {
            Cow::Borrowed(line) => *line = line.trim_ascii_end(),
            Cow::Owned(line) => line.truncate(line.trim_ascii_end().len()),
        }
        let framed = match &text {
            Cow::Borrowed(line) => logger::strip_frame(line),
            Cow::Owned(line) => logger::strip_frame(line).map(logger::Framed::into_owned),
        };
        let Some(framed) = framed else {
            return Self::unframed(text, context);
        };
        Self {
            logger: Some(framed.logger),
            is_of_wasm: framed.is_of_wasm,
            ..Self::unframed(framed.message, context)
        }
    }

    const fn unframed(text: Cow<'a, [u8]>, context: LineContext) -> Self {
        Self {
            text,
            wrappers: context.wrappers,
            logger: None,
            is_of_wasm: false,
            is_stdout: context.is_stdout,
            is_exported: context.is_exported,
            continues: false,
        }
    }
}

/// What is known about a line from its wrappers.
#[derive(Clone, Copy, Debug, Default)]
struct LineContext {
    wrappers: Wrappers,
    is_stdout: bool,
    is_exported: bool,
}

impl LineContext {
    /// Adds one more wrapper, inside the others.
    fn and(mut self, layer: &Layer<'_>, inner: &Inner<'_>) -> Self {
        self.wrappers.push(layer.wrapper);
        self.is_stdout |= layer.is_stdout || inner.is_stdout;
        // Only the innermost wrapper counts: an outer collector does not know where the line came from.
        self.is_exported = inner.is_exported;
        self
    }
}

/// One wrapper and its contents.
struct Layer<'a> {
    wrapper: Wrapper,
    texts: Vec<Inner<'a>>,
    continues: bool,
    /// Whether the wrapper marks it as standard output.
    is_stdout: bool,
    /// Identifies the stream, because the lines of several streams may be mixed in one input.
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

/// One line from a wrapper.
struct Inner<'a> {
    text: Cow<'a, [u8]>,
    /// Whether Turnout's filter exported it to a collector.
    is_exported: bool,
    /// Whether the batch marks it as standard output.
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

/// Removes the line break. Blanks stay, because they may be in the middle of a split line.
fn line_without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Removes one wrapper from a line.
fn peel(line: &[u8]) -> Option<Layer<'_>> {
    match line.first()? {
        b'{' => json_wrappers::peel(line),
        _ => prefix_wrappers::peel(line),
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
