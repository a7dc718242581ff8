//! The access-log entry of a decision: one property with `key=value` pairs, because each property that the
//! filter sets costs a host call for each request.
//!
//! The pairs always have this order, and one space between them:
//! `rollout=chat treatment=v2 reason=rule revision=2026-11-21.3 account=AC7342…`.
//! `account` is missing if the request has no account. In an opaque account, bytes that are not visible ASCII, and
//! `"`, `%`, `=` and `\\`, are percent-encoded, so that no client can add a pair of its own.
//!
//! The escapes are written and read by hand: the crate `percent-encoding` writes upper-case digits, where
//! this format has lower-case ones, and it accepts malformed escapes.

use std::borrow::Cow;

use crate::decision::Decision;
use crate::proxy::revision::Revision;
use crate::proxy::wire_names::NO_ROLLOUT;
use crate::request::account_id::{Account, hex_digit};

/// A parsed entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogEntry<'a> {
    /// The name of the rollout; [`NO_ROLLOUT`] if no rollout matched.
    pub rollout: &'a [u8],
    /// The treatment that was decided, `v1` or `v2`. The one that was served may differ.
    pub treatment: &'a [u8],
    /// The reason, as in [`Reason::as_str`](crate::Reason::as_str).
    pub reason: &'a [u8],
    /// The revision of the policy that decided.
    pub revision: &'a [u8],
    /// The account; `None` if the request had none or a malformed one.
    pub account: Option<Cow<'a, [u8]>>,
}

impl Decision<'_> {
    /// Appends the entry of this decision to a buffer. `revision` is that of the policy that decided.
    pub fn log(&self, revision: &Revision, account: &Account<'_>, entry: &mut Vec<u8>) {
        let rollout = self.rollout.map_or(NO_ROLLOUT, |rollout| &rollout.name);
        for text in [
            "rollout=",
            rollout,
            " treatment=",
            self.treatment.as_str(),
            " reason=",
            self.reason.as_str(),
            " revision=",
            revision.as_str(),
        ] {
            entry.extend_from_slice(text.as_bytes());
        }
        if let Account::Known(account) = account {
            entry.extend_from_slice(b" account=");
            let bytes = account.as_slice();
            if account.sid().is_some() || bytes.iter().all(|byte| is_plain(*byte)) {
                entry.extend_from_slice(bytes);
            } else {
                bytes.iter().for_each(|byte| escape(*byte, entry));
            }
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%' | b'=' | b'\\')
}

fn escape(byte: u8, entry: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if is_plain(byte) {
        entry.push(byte);
    } else {
        let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
        entry.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
    }
}

impl<'a> AccessLogEntry<'a> {
    /// Parses an entry; `None` if it is malformed. Unknown keys are ignored.
    #[must_use]
    pub fn parse(entry: &'a [u8]) -> Option<Self> {
        let mut parsed = Self::default();
        for pair in entry.split(|byte| *byte == b' ') {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            let (key, value) = (pair.get(..equals)?, pair.get(equals.checked_add(1)?..)?);
            match key {
                b"rollout" => parsed.rollout = value,
                b"treatment" => parsed.treatment = value,
                b"reason" => parsed.reason = value,
                b"revision" => parsed.revision = value,
                b"account" => parsed.account = Some(unescape(value)?),
                _ => {}
            }
        }
        Some(parsed)
    }
}

fn unescape(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !value.contains(&b'%') {
        return Some(Cow::Borrowed(value));
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => (hex_digit(rest.next()?)? << 4) | hex_digit(rest.next()?)?,
            plain => plain,
        });
    }
    Some(Cow::Owned(bytes))
}
