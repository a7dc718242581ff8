//! The properties of one request, as a log line has them.

use std::borrow::Cow;

use turnout_core::AccessLogEntry;

use crate::log_fields::{
    ENTRY, LogFields, OF_A_LOGGER, OF_A_PROXY, ORIGINAL_HOST, ORIGINAL_PATH, RequestPart, SLOTS,
};

/// The properties of a request, from one line. Envoy writes `-` or `null` for an absent property, and in JSON an
/// empty string for an empty header.
#[derive(Clone, Copy, Debug)]
pub struct LogEntry<'a> {
    values: [Option<&'a [u8]>; SLOTS],
    is_of_a_proxy: bool,
    is_of_a_logger: bool,
}

impl<'a> LogEntry<'a> {
    pub(crate) const fn new() -> Self {
        Self {
            values: [None; SLOTS],
            is_of_a_proxy: false,
            is_of_a_logger: false,
        }
    }

    /// Whether the line has a field that only access logs have.
    pub(crate) const fn is_of_a_proxy(&self) -> bool {
        self.is_of_a_proxy
    }

    /// Whether the line has a field that loggers write.
    pub(crate) const fn is_of_a_logger(&self) -> bool {
        self.is_of_a_logger
    }

    /// Records what a field in this slot implies for its line, regardless of its value. Returns whether the value
    /// is used too.
    pub(crate) const fn mark(&mut self, slot: usize) -> bool {
        match slot {
            OF_A_PROXY => self.is_of_a_proxy = true,
            OF_A_LOGGER => self.is_of_a_logger = true,
            _ => {
                // Only access logs have a start time or the filter's entry.
                let is_sure = slot == ENTRY || slot == RequestPart::Time as usize;
                self.is_of_a_proxy |= is_sure;
                return true;
            }
        }
        false
    }

    /// Sets a property. The first value that is present wins.
    pub(crate) fn set(&mut self, slot: usize, value: &'a [u8]) {
        let is_there = match value {
            b"-" => false,
            // Only headers can be empty.
            b"" => (RequestPart::ALL.len()..SLOTS).contains(&slot),
            _ => true,
        };
        let (slot, replaces) = match slot {
            ORIGINAL_PATH => (RequestPart::Path as usize, true),
            ORIGINAL_HOST => (RequestPart::Host as usize, true),
            slot => (slot, false),
        };
        if let Some(place) = self.values.get_mut(slot)
            && is_there
            && (place.is_none() || replaces)
        {
            *place = Some(value);
        }
    }

    /// Sets the properties of the filter's entry. `None` if one of them needs decoding.
    pub(crate) fn set_entry(&mut self, entry: &'a [u8]) -> Option<()> {
        let logged = AccessLogEntry::parse(entry)?;
        if let Some(account) = logged.account {
            let Cow::Borrowed(account) = account else {
                return None;
            };
            self.set_part(RequestPart::Account, account);
        }
        self.set_part(RequestPart::Treatment, logged.treatment);
        self.set_part(RequestPart::Reason, logged.reason);
        self.set_part(RequestPart::Rollout, logged.rollout);
        self.set_part(RequestPart::Revision, logged.revision);
        Some(())
    }

    pub(crate) fn set_part(&mut self, part: RequestPart, value: &'a [u8]) {
        self.set(part as usize, value);
    }

    pub(crate) fn get(&self, part: RequestPart) -> Option<&'a [u8]> {
        self.values.get(part as usize).copied().flatten()
    }

    /// The headers of the request, including pseudo-headers.
    pub(crate) fn pairs<'b>(&self, fields: &'b LogFields) -> HeaderPairs<'b>
    where
        'a: 'b,
    {
        let mut pairs = HeaderPairs {
            pairs: [(b"", b""); SLOTS],
            count: 0,
        };
        for (name, part) in [
            (&b":method"[..], RequestPart::Method),
            (b":authority", RequestPart::Host),
            (b":path", RequestPart::Path),
            (b"x-request-id", RequestPart::RequestId),
        ] {
            pairs.extend(name, self.get(part));
        }
        let headers = self
            .values
            .get(RequestPart::ALL.len()..)
            .unwrap_or_default();
        for (name, value) in fields.headers.iter().zip(headers) {
            pairs.extend(name.as_bytes(), *value);
        }
        pairs
    }
}

/// A list of headers, without an allocation.
pub(crate) struct HeaderPairs<'a> {
    pairs: [(&'a [u8], &'a [u8]); SLOTS],
    count: usize,
}

impl<'a> HeaderPairs<'a> {
    fn extend(&mut self, name: &'a [u8], value: Option<&'a [u8]>) {
        if let (Some(value), Some(place)) = (value, self.pairs.get_mut(self.count)) {
            *place = (name, value);
            self.count = self.count.saturating_add(1);
        }
    }

    pub(crate) fn as_slice(&self) -> &[(&'a [u8], &'a [u8])] {
        self.pairs.get(..self.count).unwrap_or_default()
    }
}
