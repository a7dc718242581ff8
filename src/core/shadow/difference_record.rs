//! The record of one difference, as JSON.

use xxhash_rust::xxh3::xxh3_64;

use super::json_writer::{Object, hex, list};
use super::{Difference, RecordedFinding, RecordedSide, RecordedValue};

/// One difference and the request that it was found in.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// The rollout's name.
    pub rollout: &'a str,
    /// The name of the first segment that contains the account, or `-`.
    pub segment: &'a str,
    /// The account, if the request has one.
    pub account: Option<&'a [u8]>,
    /// The `x-request-id`.
    pub request_id: Option<&'a [u8]>,
    /// The method, one of those that the policy shadows.
    pub method: &'a [u8],
    /// The template in the policy that matches the path, or `-`.
    pub route: &'a str,
    /// The status and the duration in microseconds of v1's response, then of v2's.
    pub answers: [(u16, u64); 2],
    /// The difference.
    pub difference: &'a Difference,
}

/// The longest part kept of values whose length a client chooses, in bytes.
const LONGEST_ID: usize = 128;

impl<'a> Record<'a> {
    /// Returns a hash that is the same for similar differences: rollout, route, method, status classes,
    /// and the places and kinds of the findings.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let method = String::from_utf8_lossy(self.method);
        let mut text = [self.rollout, self.route, &method].join("\0");
        for (status, _) in self.answers {
            text.push('\0');
            text.push_str(&(status / 100).to_string());
        }
        for finding in &self.difference.findings {
            for part in [
                finding.part.as_str(),
                &finding.pointer,
                finding.kind.as_str(),
            ] {
                text.push('\0');
                text.push_str(part);
            }
        }
        xxh3_64(text.as_bytes())
    }

    /// Returns the record as JSON on one line. `repeats` is the number of similar records that were not
    /// written.
    #[must_use]
    pub fn to_json(&self, repeats: u64) -> String {
        let [v1, v2] = self.answers.map(|(status, micros)| {
            let answer = Object::new().number("status", status.into());
            answer.number("us", micros).end()
        });
        let short = |id: Option<&'a [u8]>| id.map(|id| id.get(..LONGEST_ID).unwrap_or(id));
        let difference = self.difference;
        Object::new()
            .text("turnout", b"difference")
            .number("time_ms", self.time_ms)
            .text("rollout", self.rollout.as_bytes())
            .text("segment", self.segment.as_bytes())
            .text_or_null("account", short(self.account))
            .text_or_null("request_id", short(self.request_id))
            .text("method", self.method)
            .text("route", self.route.as_bytes())
            .json("v1", &v1)
            .json("v2", &v2)
            .text("severity", difference.severity.as_str().as_bytes())
            .json(
                "rechecked",
                if difference.rechecked {
                    "true"
                } else {
                    "false"
                },
            )
            .text("fingerprint", hex(self.fingerprint()).as_bytes())
            .number("repeats", repeats)
            .json("findings", &list(difference.findings.iter().map(finding)))
            .number(
                "omitted",
                u64::try_from(difference.omitted).unwrap_or(u64::MAX),
            )
            .end()
    }
}

fn finding(finding: &RecordedFinding) -> String {
    let [v1, v2] = finding.sides.each_ref().map(|side| match side {
        Some(side) => value(side),
        None => String::from("null"),
    });
    Object::new()
        .text("part", finding.part.as_str().as_bytes())
        .text("pointer", finding.pointer.as_bytes())
        .text("kind", finding.kind.as_str().as_bytes())
        .text("severity", finding.severity.as_str().as_bytes())
        .json("v1", &v1)
        .json("v2", &v2)
        .end()
}

fn value(side: &RecordedSide) -> String {
    let object = Object::new().text("type", side.kind.as_str().as_bytes());
    match &side.shown {
        RecordedValue::Hash(hash) => object.text("hash", hex(*hash).as_bytes()),
        RecordedValue::Value(value) => object.text("value", value.as_bytes()),
    }
    .end()
}
