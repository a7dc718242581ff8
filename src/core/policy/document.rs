//! The policy as the JSON says it: right in its types, not yet in its meaning.
//!
//! What is said of a type and of a field here is what an author reads in an editor: with the feature
//! `schema`, the JSON Schema of the policy is made of these very types.

#[cfg(feature = "schema")]
use schemars::JsonSchema;

use crate::policy::json::{Field, List, Located, LocatedText, Map, Number};

/// Which accounts, and which of their requests, take v2.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Policy", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawPolicy<'a> {
    /// Where editors find the schema of this document; it decides nothing.
    #[cfg_attr(feature = "schema", schemars(rename = "$schema"))]
    #[expect(dead_code, reason = "it is for editors alone")]
    pub(crate) schema: Field<LocatedText<'a>>,
    /// The version of the policy's language: 1.
    #[cfg_attr(feature = "schema", schemars(required, extend("const" = 1)))]
    pub(crate) version: Field<Number<'a>>,
    /// A name of this version of the policy, for metrics and logs; a hash of the text unless given.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = REVISION)))]
    pub(crate) revision: Field<LocatedText<'a>>,
    /// Where a request says which account it is for.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) account: Field<Located<RawAccount<'a>>>,
    /// Named sets of accounts.
    #[cfg_attr(feature = "schema", schemars(extend("propertyNames" = { "pattern": NAME }, "maxProperties" = 1_000)))]
    pub(crate) segments: Field<Map<'a, Located<RawSegment<'a>>>>,
    /// Everyone takes v1 at once, whatever else the policy says.
    pub(crate) halted: Field<Located<bool>>,
    /// The cluster of an OpenTelemetry collector (OTLP/HTTP) that is to have the records of shadow
    /// mode too.
    pub(crate) collector: Field<LocatedText<'a>>,
    /// The moves from v1 to v2. The first whose `match` holds has the request.
    #[cfg_attr(feature = "schema", schemars(required, length(max = 1_000)))]
    pub(crate) rollouts: Field<List<Located<RawRollout<'a>>>>,
}

#[cfg(feature = "schema")]
const REVISION: &str = "^[A-Za-z0-9._+-]{1,64}$";

/// Of segments and rollouts.
#[cfg(feature = "schema")]
const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// Where a request says which account it is for.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Account", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawAccount<'a> {
    /// Places in a request. The first that is present decides, even when what it holds is malformed.
    #[cfg_attr(feature = "schema", schemars(required, length(min = 1, max = 1_000)))]
    pub(crate) from: Field<List<Located<RawSource<'a>>>>,
    /// `sid`: `AC` and 32 lower-case hex digits. `opaque`: any 1 to 128 bytes.
    #[cfg_attr(feature = "schema", schemars(required, extend("enum" = ["sid", "opaque"])))]
    pub(crate) format: Field<LocatedText<'a>>,
}

/// One place of the account: a header, the user name of Basic authentication, or the path.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Source", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawSource<'a> {
    /// The value of this header.
    pub(crate) header: Field<LocatedText<'a>>,
    /// The user name of `authorization: Basic …`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["username"])))]
    pub(crate) basic_auth: Field<LocatedText<'a>>,
    /// A path with `{account}` in its place, `*` for one segment, a final `**` for the rest:
    /// `/2010-04-01/Accounts/{account}/**`.
    pub(crate) path: Field<LocatedText<'a>>,
}

/// A named set of accounts: a list, a file, or packed.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Segment", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawSegment<'a> {
    /// The accounts, each of the policy's format.
    pub(crate) accounts: Field<List<LocatedText<'a>>>,
    /// The file that has the accounts, one in each line or in a column of CSV. `turnout render` and
    /// `turnout apply` put them in: a proxy reads no files.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Field<crate::policy::schema::AccountsFrom>")
    )]
    pub(crate) accounts_from: Field<Located<RawAccountsFrom<'a>>>,
    /// The base64 of the sorted SIDs, 16 bytes each, as `turnout pack` makes it.
    #[cfg_attr(feature = "schema", schemars(with = "Field<String>"))]
    pub(crate) accounts_packed: Field<Located<Vec<u128>>>,
}

/// A file of accounts.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "AccountsFrom", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawAccountsFrom<'a> {
    /// Its path, from the folder of the policy on.
    #[cfg_attr(feature = "schema", schemars(required, length(min = 1)))]
    pub(crate) file: Field<LocatedText<'a>>,
    /// The column of CSV that has the accounts: its name in the first line, or its number from 1.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub(crate) column: Field<LocatedText<'a>>,
}

/// One move from v1 to v2, of the requests that `match` selects.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Rollout", 
        deny_unknown_fields,
        extend(
            "if" = { "properties": { "mode": { "const": "shadow" } }, "required": ["mode"] },
            "then" = { "required": ["shadow"] }
        )
    )
)]
#[derive(Clone)]
pub(crate) struct RawRollout<'a> {
    /// The rollout's name, in metrics and on the wire; and its salt, unless it has one.
    #[cfg_attr(feature = "schema", schemars(required, regex(pattern = NAME)))]
    pub(crate) name: Field<LocatedText<'a>>,
    /// Which requests; all unless given.
    #[cfg_attr(feature = "schema", schemars(rename = "match"))]
    pub(crate) matches: Field<RawMatch<'a>>,
    /// The cluster of v1.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) v1: Field<LocatedText<'a>>,
    /// The cluster of v2.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) v2: Field<LocatedText<'a>>,
    /// How far the rollout has come. `off`: v1. `dark`: v1, and what `split` would decide is recorded.
    /// `shadow`: as dark, and a sample of the requests is copied to v2. `split`: what the rules
    /// decide. `on`: v2.
    #[cfg_attr(
        feature = "schema",
        schemars(required, extend("enum" = ["off", "dark", "shadow", "split", "on"]))
    )]
    pub(crate) mode: Field<LocatedText<'a>>,
    /// Places accounts and requests; the name unless given. Rollouts that share one draw alike.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128)))]
    pub(crate) salt: Field<LocatedText<'a>>,
    /// How accounts are drawn: `turnout`, or as another tool drew them, so that all of them stay where
    /// they are. Requests are drawn by the salt always.
    pub(crate) hash: Field<HashValue<'a>>,
    /// In order; the first that holds decides. Where none holds: v1.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub(crate) rules: Field<List<Located<RawRule<'a>>>>,
    /// What is copied to v2 in the modes `shadow` and `split`.
    pub(crate) shadow: Field<Located<RawShadow<'a>>>,
}

/// Which requests a rollout has: all parts that are given have to hold.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Match", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawMatch<'a> {
    /// One of these hosts, without port.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) hosts: Field<List<LocatedText<'a>>>,
    /// The path, without query.
    pub(crate) path: Field<Located<RawPath<'a>>>,
    /// One of these methods, in upper case.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) methods: Field<List<LocatedText<'a>>>,
    /// Each of these headers.
    pub(crate) headers: Field<Map<'a, Located<RawHeader<'a>>>>,
}

/// A path: as a whole, by its beginning, or by a template.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Path", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawPath<'a> {
    /// The whole path.
    pub(crate) exact: Field<LocatedText<'a>>,
    /// How the path begins.
    pub(crate) prefix: Field<LocatedText<'a>>,
    /// The path with `*` for one segment and a final `**` for the rest.
    pub(crate) template: Field<LocatedText<'a>>,
}

/// What a header has to be.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Header", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawHeader<'a> {
    /// Its whole value.
    pub(crate) exact: Field<LocatedText<'a>>,
    /// How its value begins.
    pub(crate) prefix: Field<LocatedText<'a>>,
    /// Whether it is there at all.
    pub(crate) present: Field<bool>,
}

/// Who takes v2. A rule holds where its `when` does.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Rule", 
        deny_unknown_fields,
        extend(
            "if" = { "properties": { "serve": { "const": "v1" } }, "required": ["serve"] },
            "then" = { "properties": { "accounts": false, "requests": false } }
        )
    )
)]
#[derive(Clone)]
pub(crate) struct RawRule<'a> {
    /// For which requests; all unless given.
    pub(crate) when: Field<RawWhen<'a>>,
    /// `v2` unless given.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["v1", "v2"])))]
    pub(crate) serve: Field<LocatedText<'a>>,
    /// The percentage of the accounts that take v2, or a ramp of it; 100 unless given. Who is inside of
    /// a percentage is inside of every larger one.
    pub(crate) accounts: Field<RawAccounts<'a>>,
    /// The percentage of the requests of each such account; 100 unless given.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub(crate) requests: Field<Number<'a>>,
}

/// A percentage, or steps of time.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Accounts", untagged)
)]
#[derive(Clone)]
pub(crate) enum RawAccounts<'a> {
    /// From 0 to 100, with at most six decimals.
    Percentage(#[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))] Number<'a>),
    /// Steps in the order of time: the last that has begun holds, before the first one nobody.
    Ramp(
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
        List<Located<RawStep<'a>>>,
    ),
}

/// A percentage from a moment on, until the next step.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Step", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawStep<'a> {
    /// The moment, by RFC 3339, in whole seconds: `2026-12-01T09:00:00Z`.
    #[cfg_attr(feature = "schema", schemars(required, extend("format" = "date-time")))]
    pub(crate) from: Field<LocatedText<'a>>,
    /// From 0 to 100, with at most six decimals.
    #[cfg_attr(feature = "schema", schemars(required, range(min = 0, max = 100)))]
    pub(crate) percent: Field<Number<'a>>,
}

/// All parts that are given have to hold. For "or", write another rule.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "When", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawWhen<'a> {
    /// The account is in one of these segments.
    #[cfg_attr(
        feature = "schema",
        schemars(rename = "in", length(min = 1, max = 1_000))
    )]
    pub(crate) within: Field<List<LocatedText<'a>>>,
    /// The account is in none of these segments.
    #[cfg_attr(
        feature = "schema",
        schemars(rename = "not_in", length(min = 1, max = 1_000))
    )]
    pub(crate) outside: Field<List<LocatedText<'a>>>,
    /// The proxy is in one of these regions, by the locality of its node.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) regions: Field<List<LocatedText<'a>>>,
    /// Each of these headers.
    pub(crate) headers: Field<Map<'a, Located<RawHeader<'a>>>>,
}

/// Which requests are copied to v2, how, and how the answers are compared.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Shadow", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawShadow<'a> {
    /// A cluster of its own for asking v1 again.
    pub(crate) v1: Field<LocatedText<'a>>,
    /// A cluster of its own for the copies.
    pub(crate) v2: Field<LocatedText<'a>>,
    /// Of which requests; all unless given.
    pub(crate) when: Field<RawWhen<'a>>,
    /// Of which percentage of the accounts; 100 unless given.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub(crate) accounts: Field<Number<'a>>,
    /// The percentage of the requests to copy.
    #[cfg_attr(feature = "schema", schemars(required, range(min = 0, max = 100)))]
    pub(crate) requests: Field<Number<'a>>,
    /// Which methods; `GET` and `HEAD` unless given.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) methods: Field<List<LocatedText<'a>>>,
    /// A header that gets the request id in requests of unsafe methods, for v1 too.
    pub(crate) idempotency_header: Field<LocatedText<'a>>,
    /// Headers that a copy does not carry.
    pub(crate) strip_headers: Field<List<LocatedText<'a>>>,
    /// What the proxy's route changes in a request after the filter. Shadow requests are changed alike,
    /// so that both versions answer what v1 answers for the user.
    pub(crate) rewrite: Field<Located<RawRewrite<'a>>>,
    /// Of the request and of each answer; what is larger is not compared. 65536 unless given.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_048_576), extend("type" = "integer")))]
    pub(crate) max_body_bytes: Field<Number<'a>>,
    /// Sampled requests that one worker holds until they have an outcome. 64 unless given.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000), extend("type" = "integer")))]
    pub(crate) max_in_flight: Field<Number<'a>>,
    /// How long v2 has to answer. 1000 unless given.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60_000), extend("type" = "integer")))]
    pub(crate) timeout_ms: Field<Number<'a>>,
    /// After 8 failures of v2 in a row, one request is copied in so long; 0 copies all. 100 unless
    /// given.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 60_000), extend("type" = "integer")))]
    pub(crate) back_off_ms: Field<Number<'a>>,
    /// When a copy leaves: `after_answer`, or `with_request`. `after_answer` unless given.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["after_answer", "with_request"])))]
    pub(crate) send: Field<LocatedText<'a>>,
    /// Path templates, by which records are told apart.
    pub(crate) routes: Field<List<LocatedText<'a>>>,
    /// What counts as a difference.
    pub(crate) compare: Field<RawCompare<'a>>,
    /// Ask v1 a second time, to see where it disagrees with itself.
    pub(crate) noise: Field<Located<RawNoise<'a>>>,
    /// Ask v1 again before a difference counts. `true` unless given.
    pub(crate) recheck: Field<bool>,
    /// Places of the body whose values records may show.
    pub(crate) reveal: Field<List<LocatedText<'a>>>,
    /// Seconds from one summary in the log to the next. 60 unless given.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 3_600), extend("type" = "integer")))]
    pub(crate) summary_seconds: Field<Number<'a>>,
}

/// What the proxy's route changes in a request after the filter has seen it.
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(rename = "Rewrite", deny_unknown_fields, extend("minProperties" = 1)))]
#[derive(Clone)]
pub(crate) struct RawRewrite<'a> {
    /// How the path begins afterwards: Envoy's `prefix_rewrite`.
    pub(crate) prefix: Field<RawRewritePrefix<'a>>,
    /// The host afterwards: Envoy's `host_rewrite_literal`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub(crate) host: Field<LocatedText<'a>>,
    /// Headers that the route sets, each with its value, or removes: `null`.
    pub(crate) headers: Field<Map<'a, RawRewriteHeader<'a>>>,
}

/// How the path begins after the route.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "RewritePrefix", untagged)
)]
#[derive(Clone)]
pub(crate) enum RawRewritePrefix<'a> {
    /// What takes the place of the prefix that the rollout's `match` has.
    OfMatch(LocatedText<'a>),
    /// What takes the place of another prefix.
    Between(Located<RawPrefixPair<'a>>),
}

/// A prefix, and what takes its place.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "PrefixPair", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawPrefixPair<'a> {
    /// How the path begins in the request: `/api/`.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) from: Field<LocatedText<'a>>,
    /// How it begins after the route: `/`.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) to: Field<LocatedText<'a>>,
}

/// What a route makes of a header.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "RewriteHeader", untagged)
)]
#[derive(Clone)]
pub(crate) enum RawRewriteHeader<'a> {
    /// It has this value.
    Set(LocatedText<'a>),
    /// It is gone.
    Remove,
}

/// What counts as a difference. A place is a JSON Pointer in which `*` is any one step.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Compare", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawCompare<'a> {
    /// The headers that are compared; `content-type` unless given.
    pub(crate) headers: Field<List<LocatedText<'a>>>,
    /// Places that are not compared.
    pub(crate) ignore: Field<List<LocatedText<'a>>>,
    /// Lists whose order does not count.
    pub(crate) unordered: Field<List<Located<RawUnordered<'a>>>>,
    /// Numbers that may differ. Others are compared as exact decimals: 0.1 and 0.10000000000000001
    /// differ.
    pub(crate) tolerance: Field<List<Located<RawTolerance<'a>>>>,
    /// Objects whose keys are data, so that they are not written anywhere.
    pub(crate) maps: Field<List<LocatedText<'a>>>,
}

/// A list whose order does not count.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Unordered", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawUnordered<'a> {
    /// The list.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) path: Field<LocatedText<'a>>,
    /// The place in an element by which elements are paired.
    pub(crate) key: Field<LocatedText<'a>>,
}

/// A number that may differ: by an amount, or by a part of it.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Tolerance", deny_unknown_fields, extend("minProperties" = 2, "maxProperties" = 2))
)]
#[derive(Clone)]
pub(crate) struct RawTolerance<'a> {
    /// The number.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) path: Field<LocatedText<'a>>,
    /// By at most this much.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub(crate) absolute: Field<Number<'a>>,
    /// By at most this part of the larger one.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub(crate) relative: Field<Number<'a>>,
}

/// Where v1 disagrees with itself.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Noise", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawNoise<'a> {
    /// The percentage of the copied requests for which v1 is asked a second time.
    #[cfg_attr(feature = "schema", schemars(required, range(min = 0, max = 100)))]
    pub(crate) requests: Field<Number<'a>>,
}

/// Of a few objects that differ in nothing but their fields, read by tables of these: code for each
/// would be a thirtieth of the filter.
#[derive(Clone)]
pub(crate) enum HashValue<'a> {
    Text(LocatedText<'a>),
    Number(Number<'a>),
    Object(Located<HashFields<'a>>),
}

#[derive(Clone)]
pub(crate) struct HashFields<'a>(pub(crate) Vec<(&'static str, Field<HashValue<'a>>)>);
