//! Records in logs that have no text of clients: in any frame, behind anything, and bare.

use serde_json::value::RawValue;
use turnout_logs::{Unwrapped, wasm_message};

use crate::input::SPEAKER;
use crate::record::BEGINNING;

/// The record of a line, if the line has one and is of a form that the filter's records have.
pub(crate) fn record_text(line: &Unwrapped<'_>) -> Option<String> {
    let Some(message) = wasm_message(line) else {
        let bare = String::from_utf8_lossy(&line.text);
        let bare = bare.strip_prefix(SPEAKER).unwrap_or(&bare);
        return bare.starts_with(BEGINNING).then(|| bare.to_owned());
    };
    let message = String::from_utf8_lossy(message);
    let message = message.strip_prefix(SPEAKER).unwrap_or(&message);
    if !message.starts_with(BEGINNING) {
        return None;
    }
    // A custom log format may write behind a message, but whoever quotes a record closes the quote. In
    // JSON that is none, since its message was not escaped, the quote is the field's.
    let is_loose = line.logger.is_none();
    let mut values = serde_json::Deserializer::from_str(message).into_iter::<&RawValue>();
    let record = match values.next() {
        Some(Ok(record)) if is_loose => record.get(),
        _ => return Some(message.to_owned()),
    };
    let behind = message.get(values.byte_offset()..).unwrap_or_default();
    let is_foreign = behind.contains('"') && !line.text.starts_with(b"{");
    (!is_foreign).then(|| record.to_owned())
}
