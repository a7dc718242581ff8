//! The frames that a proxy's own logger adds to a message.

use std::borrow::Cow;

use crate::json_wrappers::{self, Fields};
use crate::timestamp::{digits, pattern, rfc3339};
use crate::wasm_logger_frame;

/// The logger of a message, by the format of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logger {
    /// Envoy's default: `[2026-11-21 03:38:00.000][12][info][wasm] [source/….cc:1137] …`.
    Envoy,
    /// Istio's text: `2026-…Z\tinfo\tenvoy wasm source/….cc:1151\t…\tthread=27`.
    IstioText,
    /// Istio's JSON, `{"level":"info","time":"…","scope":"envoy wasm","msg":"…",…}`, and what Envoy
    /// writes if its `json_format` has a level, a time and a message.
    Json,
}

/// The names of log levels in Envoy and Istio.
const LEVELS: [&str; 10] = [
    "trace", "debug", "info", "warning", "warn", "error", "critical", "fatal", "off", "none",
];

pub(crate) fn is_level(word: &[u8]) -> bool {
    let mut levels = LEVELS.iter();
    levels.any(|level| word.eq_ignore_ascii_case(level.as_bytes()))
}

/// A line without its frame.
pub(crate) struct Framed<'a> {
    pub(crate) message: Cow<'a, [u8]>,
    pub(crate) logger: Logger,
    /// Whether the frame is exactly that of the Wasm logger.
    pub(crate) is_of_wasm: bool,
}

impl Framed<'_> {
    pub(crate) fn into_owned(self) -> Framed<'static> {
        Framed {
            message: Cow::Owned(self.message.into_owned()),
            logger: self.logger,
            is_of_wasm: self.is_of_wasm,
        }
    }
}

/// Removes the frame from a line.
pub(crate) fn strip_frame(line: &[u8]) -> Option<Framed<'_>> {
    let framed = |message, logger, is_of_wasm| Framed {
        message,
        logger,
        is_of_wasm,
    };
    match line.first()? {
        b'[' => envoy(line).map(|message| {
            // Both matchers have to agree on where the message begins.
            let exact = wasm_logger_frame::envoy(line);
            let is_of_wasm = exact == Some(message);
            framed(Cow::Borrowed(message), Logger::Envoy, is_of_wasm)
        }),
        b'{' => own(&json_wrappers::fields(line)?).map(|message| {
            framed(
                Cow::Owned(message),
                Logger::Json,
                wasm_logger_frame::json(line),
            )
        }),
        _ => istio(line).map(|message| {
            let is_of_wasm = wasm_logger_frame::istio(line);
            framed(Cow::Borrowed(message), Logger::IstioText, is_of_wasm)
        }),
    }
}

/// Strips groups in brackets: the first is a time, and another one is a level.
fn envoy(line: &[u8]) -> Option<&[u8]> {
    let time = line.strip_prefix(b"[")?;
    pattern(time, b"dddd-dd-dd dd:dd:dd").or_else(|| pattern(time, b"dddd-dd-ddTdd:dd:dd"))?;
    let mut rest = line;
    let mut has_level = false;
    while let Some(group) = rest.strip_prefix(b"[") {
        let end = group.iter().position(|byte| *byte == b']')?;
        let (group, behind) = group.split_at_checked(end)?;
        let is_place = has_level && group.contains(&b':');
        has_level |= is_level(group);
        rest = behind.get(1..)?;
        rest = rest.strip_prefix(b" ").unwrap_or(rest);
        // The message follows the source location, even if it begins with a bracket.
        if is_place {
            break;
        }
    }
    has_level.then_some(rest)
}

/// Strips columns separated by tabs: time, level, scope, message, and optionally the thread.
fn istio(line: &[u8]) -> Option<&[u8]> {
    let (_, rest) = rfc3339(line)?;
    let mut columns = rest.strip_prefix(b"\t")?.splitn(2, |byte| *byte == b'\t');
    let level = columns.next()?;
    let rest = columns.next().filter(|_| is_level(level))?;
    let mut columns = rest.splitn(2, |byte| *byte == b'\t');
    let (scope, behind) = (columns.next()?, columns.next());
    // Lines of the Istio agent have no scope.
    let message = behind
        .filter(|_| scope.starts_with(b"envoy "))
        .unwrap_or(rest);
    let thread = memchr::memmem::rfind(message, b"\tthread=");
    let is_thread = |start: &usize| {
        let number = message.get(start.saturating_add(8)..).unwrap_or_default();
        !number.is_empty() && digits(number).is_empty()
    };
    let end = thread.filter(is_thread).unwrap_or(message.len());
    message.get(..end)
}

/// Whether an object is a line of the proxy's own log.
pub(crate) fn is_own(fields: &Fields<'_>) -> bool {
    own(fields).is_some()
}

/// Returns the message of an object that also has a level and a time, under any of their usual names.
fn own(fields: &Fields<'_>) -> Option<Vec<u8>> {
    let named = |names: &[&str]| {
        let mut all = fields.keys();
        let is_one = |name: &&String| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        all.find(is_one)
    };
    let text = |names: &[&str]| json_wrappers::string(fields, named(names)?);
    let level = text(&["level", "severity", "log_level"])?;
    named(&["time", "timestamp", "ts"])?;
    if !is_level(level.as_bytes()) {
        return None;
    }
    text(&["msg", "message"]).map(String::into_bytes)
}
