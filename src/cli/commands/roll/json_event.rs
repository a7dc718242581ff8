//! Writes an event as one line of JSON.

use serde_json::json;
use turnout_roll::{Event, WaitCode};

use crate::support::safe_output::SafeText;

/// Returns an event as one line of JSON.
pub(super) fn line(rollout: &str, event: &Event) -> SafeText {
    let line = json!({
        "at": event.at.to_string(),
        "event": event.code.as_str(),
        "rollout": rollout,
        "step": event.step,
        "text": event.text,
        "wait": event.wait.map(WaitCode::as_str),
        "judgment": event.judgment,
    });
    SafeText::json(&format!("{line}\n"))
}
