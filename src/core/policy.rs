//! The policy as the JSON says it: right in its types, not yet in its meaning.

use crate::json::{Field, Located, Text};

/// A list of which some items may be unreadable (and reported).
pub(crate) type List<T> = Located<Vec<Option<T>>>;
/// An object whose keys are the author's.
pub(crate) type Map<'a, T> = Vec<(Text<'a>, Option<T>)>;
/// The literal of a number.
pub(crate) type Number<'a> = Located<&'a str>;

pub(crate) struct Policy<'a> {
    pub(crate) version: Field<Number<'a>>,
    pub(crate) account: Field<Located<Account<'a>>>,
    pub(crate) segments: Field<Map<'a, Located<Segment<'a>>>>,
    pub(crate) halted: Field<bool>,
    pub(crate) collector: Field<Text<'a>>,
    pub(crate) rollouts: Field<List<Located<Rollout<'a>>>>,
}

pub(crate) struct Account<'a> {
    pub(crate) from: Field<List<Located<Source<'a>>>>,
    pub(crate) format: Field<Text<'a>>,
}

pub(crate) struct Source<'a> {
    pub(crate) header: Field<Text<'a>>,
    pub(crate) basic_auth: Field<Text<'a>>,
    pub(crate) path: Field<Text<'a>>,
}

pub(crate) struct Segment<'a> {
    pub(crate) accounts: Field<List<Text<'a>>>,
}

pub(crate) struct Rollout<'a> {
    pub(crate) name: Field<Text<'a>>,
    pub(crate) matches: Field<Match<'a>>,
    pub(crate) v1: Field<Text<'a>>,
    pub(crate) v2: Field<Text<'a>>,
    pub(crate) mode: Field<Text<'a>>,
    pub(crate) salt: Field<Text<'a>>,
    pub(crate) rules: Field<List<Rule<'a>>>,
    pub(crate) shadow: Field<Located<Shadow<'a>>>,
}

pub(crate) struct Match<'a> {
    pub(crate) hosts: Field<List<Text<'a>>>,
    pub(crate) path: Field<Located<Path<'a>>>,
    pub(crate) methods: Field<List<Text<'a>>>,
    pub(crate) headers: Field<Map<'a, Located<Header<'a>>>>,
}

pub(crate) struct Path<'a> {
    pub(crate) exact: Field<Text<'a>>,
    pub(crate) prefix: Field<Text<'a>>,
    pub(crate) template: Field<Text<'a>>,
}

pub(crate) struct Header<'a> {
    pub(crate) exact: Field<Text<'a>>,
    pub(crate) prefix: Field<Text<'a>>,
    pub(crate) present: Field<bool>,
}

pub(crate) struct Rule<'a> {
    pub(crate) when: Field<When<'a>>,
    pub(crate) serve: Field<Text<'a>>,
    pub(crate) accounts: Field<Accounts<'a>>,
    pub(crate) requests: Field<Number<'a>>,
}

pub(crate) enum Accounts<'a> {
    Percentage(Number<'a>),
    Ramp(List<Located<Step<'a>>>),
}

pub(crate) struct Step<'a> {
    pub(crate) from: Field<Text<'a>>,
    pub(crate) percent: Field<Number<'a>>,
}

pub(crate) struct When<'a> {
    pub(crate) within: Field<List<Text<'a>>>,
    pub(crate) outside: Field<List<Text<'a>>>,
    pub(crate) regions: Field<List<Text<'a>>>,
    pub(crate) headers: Field<Map<'a, Located<Header<'a>>>>,
}

pub(crate) struct Shadow<'a> {
    pub(crate) v1: Field<Text<'a>>,
    pub(crate) v2: Field<Text<'a>>,
    pub(crate) when: Field<When<'a>>,
    pub(crate) accounts: Field<Number<'a>>,
    pub(crate) requests: Field<Number<'a>>,
    pub(crate) methods: Field<List<Text<'a>>>,
    pub(crate) idempotency_header: Field<Text<'a>>,
    pub(crate) strip_headers: Field<List<Text<'a>>>,
    pub(crate) max_body_bytes: Field<Number<'a>>,
    pub(crate) max_in_flight: Field<Number<'a>>,
    pub(crate) timeout_ms: Field<Number<'a>>,
    pub(crate) back_off_ms: Field<Number<'a>>,
    pub(crate) send: Field<Text<'a>>,
    pub(crate) routes: Field<List<Text<'a>>>,
    pub(crate) compare: Field<Compare<'a>>,
    pub(crate) noise: Field<Located<Noise<'a>>>,
    pub(crate) recheck: Field<bool>,
    pub(crate) reveal: Field<List<Text<'a>>>,
    pub(crate) summary_seconds: Field<Number<'a>>,
}

pub(crate) struct Compare<'a> {
    pub(crate) headers: Field<List<Text<'a>>>,
    pub(crate) ignore: Field<List<Text<'a>>>,
    pub(crate) unordered: Field<List<Located<Unordered<'a>>>>,
    pub(crate) tolerance: Field<List<Located<Tolerance<'a>>>>,
    pub(crate) maps: Field<List<Text<'a>>>,
}

pub(crate) struct Unordered<'a> {
    pub(crate) path: Field<Text<'a>>,
    pub(crate) key: Field<Text<'a>>,
}

pub(crate) struct Tolerance<'a> {
    pub(crate) path: Field<Text<'a>>,
    pub(crate) absolute: Field<Number<'a>>,
    pub(crate) relative: Field<Number<'a>>,
}

pub(crate) struct Noise<'a> {
    pub(crate) requests: Field<Number<'a>>,
}
