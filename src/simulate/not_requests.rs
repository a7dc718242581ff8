//! Lines of a log that are no requests, by kind.

use serde::Serialize;
use turnout_text::counted;

use crate::counts::{add, increase};
use crate::fields::{Entry, Part};

/// Lines that can be read, and that say of no request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotRequests {
    /// Messages that the proxy or an application has logged.
    pub log_messages: u64,
    /// Access log lines of connections on which no request was read: TCP, and what broke off before.
    pub connections: u64,
    /// JSON objects in which nothing says of a request.
    pub other: u64,
}

/// Why a line is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRequest {
    LogMessage,
    Connection,
    Other,
}

impl NotRequest {
    /// Why a line is none; `None` for a request.
    ///
    /// Applications too write `method`, `path` or `host` beside their messages, so an object with a field
    /// of a logger's, and with none that only an access log has, is a message.
    pub(crate) fn of(entry: &Entry<'_>) -> Option<Self> {
        let has = |part| entry.get(part).is_some();
        if has(Part::Treatment) {
            return None;
        }
        let is_known = has(Part::Method) || has(Part::Path) || has(Part::Account);
        let is_named = has(Part::Host) && (entry.is_of_a_proxy() || has(Part::RequestId));
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

    /// All of them.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.log_messages
            .saturating_add(self.connections)
            .saturating_add(self.other)
    }

    /// `2 log messages, 1 connection without a request`; nothing where there are none.
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
