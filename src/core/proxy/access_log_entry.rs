//! What an access log says of a decision: one text of `key=value` pairs, because each property that the
//! proxy is told costs a request a call.
//!
//! `rollout=chat treatment=v2 reason=rule revision=2026-11-21.3 account=AC7342…`: always in this order, one
//! blank between two. There is no `account` where none is known. Of an opaque account the bytes that are
//! no visible ASCII, and `"`, `%`, `=` and `\\`, are written `%20`: no client can write a pair of its own.
//!
//! The escapes are written and read by hand: the crate `percent-encoding` writes upper-case digits, where
//! this format has lower-case ones, and it accepts malformed escapes.

use std::borrow::Cow;

use crate::decision::Decision;
use crate::proxy::revision::Revision;
use crate::proxy::wire_names::NO_ROLLOUT;
use crate::request::account::{Account, hex_digit};

/// What one entry says, with its words as they stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogEntry<'a> {
    /// The rollout's name; [`NO_ROLLOUT`] where none had the request.
    pub rollout: &'a [u8],
    /// `v1` or `v2`: what was decided, though it need not be what was served.
    pub treatment: &'a [u8],
    /// As [`Reason::as_str`](crate::Reason::as_str) has it.
    pub reason: &'a [u8],
    /// Of the policy that decided.
    pub revision: &'a [u8],
    /// `None` where the request named none, or a malformed one.
    pub account: Option<Cow<'a, [u8]>>,
}

impl Decision<'_> {
    /// Writes what an access log is told of this decision, under a policy of this revision, behind what
    /// the buffer holds.
    pub fn log(&self, revision: &Revision, account: &Account<'_>, entry: &mut Vec<u8>) {
        let rollout = self.rollout.map_or(NO_ROLLOUT, |rollout| &rollout.name);
        for part in [
            "rollout=",
            rollout,
            " treatment=",
            self.treatment.as_str(),
            " reason=",
            self.reason.as_str(),
            " revision=",
            revision.as_str(),
        ] {
            entry.extend_from_slice(part.as_bytes());
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
    /// Reads an entry; `None` when it is none. Pairs that it does not know it passes over.
    #[must_use]
    pub fn parse(entry: &'a [u8]) -> Option<Self> {
        let mut logged = Self::default();
        for pair in entry.split(|byte| *byte == b' ') {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            let (key, value) = (pair.get(..equals)?, pair.get(equals.checked_add(1)?..)?);
            match key {
                b"rollout" => logged.rollout = value,
                b"treatment" => logged.treatment = value,
                b"reason" => logged.reason = value,
                b"revision" => logged.revision = value,
                b"account" => logged.account = Some(unescaped(value)?),
                _ => {}
            }
        }
        Some(logged)
    }
}

fn unescaped(value: &[u8]) -> Option<Cow<'_, [u8]>> {
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
