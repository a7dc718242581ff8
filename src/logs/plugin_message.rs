//! Messages of Wasm plugins in Envoy's log.

use memchr::memmem;

use crate::Unwrapped;

/// How Envoy begins the message. The names of plugin, root and VM follow, if any.
const BEGINNING: &[u8] = b"wasm log";

/// Returns the message of a Wasm plugin: the whole rest of a line with the exact frame of Envoy's Wasm logger, in
/// Envoy's default format or in Istio's. An access log line cannot have that frame unless it begins with text from
/// a client.
#[must_use]
pub fn plugin_message<'a>(line: &'a Unwrapped<'_>) -> Option<&'a [u8]> {
    let message = line
        .text
        .strip_prefix(BEGINNING)
        .filter(|_| line.is_of_wasm)?;
    let names = memmem::find(message, b": ")?;
    message.get(names.saturating_add(2)..)
}

/// Returns the message of a Wasm plugin, including what a custom `--log-format` adds after it.
///
/// Only for logs without text from clients, because an access log line in this form matches too.
///
/// A line without a known frame counts if it has `wasm log` without a quote before it: then it has a custom
/// `--log-format`, and is not from an access log, which quotes text from clients.
#[must_use]
pub fn wasm_message<'a>(line: &'a Unwrapped<'_>) -> Option<&'a [u8]> {
    let text = &*line.text;
    let begins = match line.logger {
        Some(_) => text.starts_with(BEGINNING).then_some(0)?,
        None => memmem::find(text, BEGINNING)?,
    };
    let (before, message) = text.split_at_checked(begins)?;
    // A format with `%v` inside JSON does not produce valid JSON.
    let is_json = before.starts_with(b"{")
        && serde_json::from_slice::<&serde_json::value::RawValue>(text).is_err();
    if before.contains(&b'"') && !is_json {
        return None;
    }
    let names = memmem::find(message, b": ")?;
    message.get(names.saturating_add(2)..)
}
