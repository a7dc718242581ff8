//! What a Wasm plugin logged.

use memchr::memmem;

use crate::Unwrapped;

/// How Envoy begins the message; the names of plugin, root and VM follow, as far as there are any.
const BEGINNING: &[u8] = b"wasm log";

/// What a Wasm plugin logged, where it is the whole rest of a line that begins as Envoy's Wasm logger begins
/// its lines, in Envoy's default format or in Istio's. Nothing in an access log line gets there unless the
/// line begins with text of a client.
#[must_use]
pub fn plugin_message<'a>(line: &'a Unwrapped<'_>) -> Option<&'a [u8]> {
    let message = line
        .text
        .strip_prefix(BEGINNING)
        .filter(|_| line.is_of_wasm)?;
    let names = memmem::find(message, b": ")?;
    message.get(names.saturating_add(2)..)
}

/// What a Wasm plugin logged, and what a custom `--log-format` has written behind it.
///
/// Only for logs that have no text of clients: what an access log has in this form is read too.
///
/// A line without a known frame counts if `wasm log` is in it and no quote is before that: then a custom
/// `--log-format` has written it, and not an access log, which quotes what clients choose.
#[must_use]
pub fn wasm_message<'a>(line: &'a Unwrapped<'_>) -> Option<&'a [u8]> {
    let text = &*line.text;
    let begins = match line.logger {
        Some(_) => text.starts_with(BEGINNING).then_some(0)?,
        None => memmem::find(text, BEGINNING)?,
    };
    let (before, message) = text.split_at_checked(begins)?;
    // With `%v` inside of JSON, which is then none.
    let is_json = before.starts_with(b"{")
        && serde_json::from_slice::<&serde_json::value::RawValue>(text).is_err();
    if before.contains(&b'"') && !is_json {
        return None;
    }
    let names = memmem::find(message, b": ")?;
    message.get(names.saturating_add(2)..)
}
