//! Extracts records from logs that contain no text of clients (`--own-log`): in any log format, after any
//! text, and bare.

use serde_json::value::RawValue;
use turnout_logs::{Unwrapped, wasm_message};

use crate::input::MESSAGE_PREFIX;
use crate::record::RECORD_START;

/// Extracts the record of a line, if it has one where the filter can have written it.
pub(crate) fn extract_record(line: &Unwrapped<'_>) -> Option<String> {
    let Some(message) = wasm_message(line) else {
        let bare = String::from_utf8_lossy(&line.text);
        let bare = bare.strip_prefix(MESSAGE_PREFIX).unwrap_or(&bare);
        return bare.starts_with(RECORD_START).then(|| bare.to_owned());
    };
    let message = String::from_utf8_lossy(message);
    let message = message.strip_prefix(MESSAGE_PREFIX).unwrap_or(&message);
    if !message.starts_with(RECORD_START) {
        return None;
    }
    // A custom log format may append text. A quote in it shows that the record itself is quoted, for
    // example in a field of an access log. In a JSON line whose message is not escaped, the quote is the
    // end of the field.
    let is_custom_format = line.logger.is_none();
    let mut values = serde_json::Deserializer::from_str(message).into_iter::<&RawValue>();
    let record = match values.next() {
        Some(Ok(record)) if is_custom_format => record.get(),
        _ => return Some(message.to_owned()),
    };
    let appended = message.get(values.byte_offset()..).unwrap_or_default();
    let is_quoted = appended.contains('"') && !line.text.starts_with(b"{");
    (!is_quoted).then(|| record.to_owned())
}
