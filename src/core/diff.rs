//! The differ: what two answers to the same request differ in, and what that means for a client.
//!
//! [`compare`] takes the answer of v1 and that of v2. Bodies of JSON are compared by what they mean:
//! neither the order of keys, nor white space, nor the way a number or a string is written is a
//! difference. What is found is told with two places: one that holds nothing of a user's data and
//! may leave the proxy, and an exact one.
//!
//! Two answers are never called equal because comparing them costs too much: beyond the
//! [`Limits`] they are not comparable.

mod amount;
mod body;
mod canonical;
mod entry;
mod finding;
mod findings;
mod hash;
mod hashes;
mod head;
mod limits;
mod lists;
mod matching;
mod media_type;
mod number;
mod options;
mod pairing;
mod parse;
mod pattern;
mod rules;
mod sink;
mod tape;
mod text;
mod trail;
mod usage;
mod walk;

pub use amount::{Allowed, Amount};
pub use finding::{Finding, Kind, NotComparable, Part, Severity, Value, ValueType};
pub use findings::Findings;
pub use limits::Limits;
pub use options::{Options, Tolerance, Unordered};
pub use pattern::{BadPattern, Pattern};
pub use usage::Usage;

use crate::request::headers::Headers;
use sink::Sink;

/// What one version answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: Headers<'a>,
    /// The body as it was sent; empty where there is none.
    pub body: &'a [u8],
}

/// What became of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison<'a> {
    /// A client cannot tell the answers apart, as far as the options ask.
    Equal,
    /// They differ, or all that differs is noise: see [`Findings::is_only_noise`].
    Different(Findings<'a>),
    /// Nobody can tell whether the bodies differ, and nothing else does.
    NotComparable(NotComparable),
}

/// Compares two answers.
///
/// `is_noisy` says of a part and a folded pointer whether the value there is known to vary by
/// itself, from one answer of v1 to the next: a difference of severity `changed` there is noise.
/// `usage` has been made of the same options.
#[must_use]
pub fn compare<'a>(
    v1: &Answer<'a>,
    v2: &Answer<'a>,
    options: &Options,
    is_noisy: &dyn Fn(Part, &str) -> bool,
    usage: &mut Usage,
) -> Comparison<'a> {
    let mut sink = Sink::new(options.limits.findings, is_noisy);
    head::status(v1.status, v2.status, &mut sink);
    for name in &options.headers {
        head::header(name, v1.headers, v2.headers, &mut sink);
    }
    let bodies = [v1, v2].map(|answer| body::Body {
        bytes: answer.body,
        encoding: head::encoding(answer.headers),
    });
    let [left, right] = &bodies;
    let compared = body::compare(left, right, options, &mut sink, usage);
    let mut findings = sink.findings;
    match compared {
        Err(why) if findings.severity().is_none() => return Comparison::NotComparable(why),
        Err(why) => findings.set_uncompared(why),
        Ok(()) if findings.severity().is_none() && findings.noisy() == 0 => {
            return Comparison::Equal;
        }
        Ok(()) => {}
    }
    Comparison::Different(findings)
}
