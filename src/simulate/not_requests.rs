//! Counts the lines of a log that are not requests, by kind.

use serde::Serialize;
use turnout_text::counted;

use crate::log_entry::LogEntry;
use crate::log_fields::RequestPart;
use crate::saturating::{add, increase};

/// Readable lines that are not requests, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotRequests {
    /// Log messages of the proxy or an application.
    pub log_messages: u64,
    /// Access log lines of connections without a request: TCP, or closed before one was read.
    pub connections: u64,
    /// JSON objects without any property of a request.
    pub other: u64,
}

/// The kinds of lines that are not requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRequest {
    LogMessage,
    Connection,
    Other,
}

impl NotRequest {
    /// The reason why a line is not a request; `None` for a request.
    ///
    /// Applications also write `method`, `path` or `host` with their messages. So an object that has a field of a
    /// logger, and no field that only an access log has, is a message.
    pub(crate) fn of(entry: &LogEntry<'_>) -> Option<Self> {
        let has = |part| entry.get(part).is_some();
        if has(RequestPart::Treatment) {
            return None;
        }
        let is_known =
            has(RequestPart::Method) || has(RequestPart::Path) || has(RequestPart::Account);
        let is_named =
            has(RequestPart::Host) && (entry.is_of_a_proxy() || has(RequestPart::RequestId));
        match (is_known || is_named, entry.is_of_a_proxy()) {
            (true, true) => None,
            (_, false) if entry.is_of_a_logger() => Some(Self::LogMessage),
            (true, false) => None,
            (false, true) => Some(Self::Connection),
            (false, false) => Some(Self::Other),
        }
    }
}

impl NotRequests {
    pub(crate) fn add(&mut self, kind: NotRequest) {
        increase(match kind {
            NotRequest::LogMessage => &mut self.log_messages,
            NotRequest::Connection => &mut self.connections,
            NotRequest::Other => &mut self.other,
        });
    }

    pub(crate) fn merge(&mut self, other: Self) {
        add(&mut self.log_messages, other.log_messages);
        add(&mut self.connections, other.connections);
        add(&mut self.other, other.other);
    }

    /// The number of lines of all kinds.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.log_messages
            .saturating_add(self.connections)
            .saturating_add(self.other)
    }

    /// Such as `2 log messages, 1 connection without a request`; empty if there are none.
    #[must_use]
    pub fn to_text(&self) -> String {
        let kinds = [
            (self.log_messages, "log message", "log messages", ""),
            (
                self.connections,
                "connection",
                "connections",
                " without a request",
            ),
            (self.other, "other JSON object", "other JSON objects", ""),
        ];
        let kinds = kinds.into_iter().filter(|(count, ..)| *count > 0);
        let words: Vec<String> = kinds
            .map(|(count, one, many, more)| format!("{}{more}", counted(count, one, many)))
            .collect();
        words.join(", ")
    }
}
