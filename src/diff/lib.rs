//! Compares two HTTP responses to the same request by what they mean to a client.
//!
//! [`compare`] takes the response of v1 and that of v2. JSON bodies are compared by their values: the
//! order of keys, white space, and the notation of numbers and strings make no difference. Each
//! [`Finding`] has two places: a folded one, which holds no user data and may leave the proxy, and
//! an exact one.
//!
//! A comparison that would exceed the [`Limits`] ends as not comparable, never as equal.

#![forbid(unsafe_code)]

mod body;
mod decimal;
mod entry;
mod finding;
mod finding_collector;
mod findings;
mod hash;
mod hash_cache;
mod json_string;
mod limits;
mod lists;
mod matching;
mod media_type;
mod number;
mod option_rules;
mod option_usage;
mod options;
mod pairing;
mod parse;
mod path_cursor;
mod pattern;
mod status_and_headers;
mod tape;
mod value_hash;
mod walk;

pub use decimal::{Amount, Margin};
pub use finding::{Finding, FindingKind, NotComparable, Part, Severity, Value, ValueType};
pub use findings::Findings;
pub use limits::Limits;
pub use option_usage::OptionUsage;
pub use options::{Options, Tolerance, Unordered};
pub use pattern::{Pattern, PatternError};

use finding_collector::FindingCollector;

/// The headers of a response: lower-case names and values in their order. A name may repeat.
pub type Headers<'a> = &'a [(&'a [u8], &'a [u8])];

/// One of the two responses.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: Headers<'a>,
    /// The body as it was sent; empty if there is none.
    pub body: &'a [u8],
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison<'a> {
    /// Under the given options a client cannot distinguish the responses.
    Equal,
    /// The responses differ, possibly by noise alone: see [`Findings::is_only_noise`].
    Different(Findings<'a>),
    /// The bodies could not be compared, and nothing else differs.
    NotComparable(NotComparable),
}

/// Compares two responses.
///
/// `is_noisy` takes a part and a folded pointer and returns whether the value there is known to vary
/// between responses of v1 itself. A difference of severity `changed` at such a place is noise.
/// `usage` must come from the same options.
#[must_use]
pub fn compare<'a>(
    v1: &Response<'a>,
    v2: &Response<'a>,
    options: &Options,
    is_noisy: &dyn Fn(Part, &str) -> bool,
    usage: &mut OptionUsage,
) -> Comparison<'a> {
    let mut collector = FindingCollector::new(options.limits.findings, is_noisy);
    status_and_headers::status(v1.status, v2.status, &mut collector);
    for name in &options.headers {
        status_and_headers::header(name, v1.headers, v2.headers, &mut collector);
    }
    let bodies = [v1, v2].map(|response| body::Body {
        bytes: response.body,
        encoding: status_and_headers::encoding(response.headers),
    });
    let [left, right] = &bodies;
    let compared = body::compare(left, right, options, &mut collector, usage);
    let mut findings = collector.findings;
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
