//! The wire types of the policy: JSON with the right types, not yet checked for its meaning.
//!
//! With the feature `schema`, these types generate the JSON Schema of the policy. The doc comments of types and
//! fields are its descriptions, which policy authors read in their editors.

#[cfg(feature = "schema")]
use schemars::JsonSchema;

use crate::policy::json::{Field, List, Located, LocatedText, Map, Number};

/// Decides which accounts, and which of their requests, take v2.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Policy", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawPolicy<'a> {
    /// The path or URL of the JSON Schema, for editors. It has no effect on decisions.
    #[cfg_attr(feature = "schema", schemars(rename = "$schema"))]
    #[expect(dead_code, reason = "it is for editors alone")]
    pub(crate) schema: Field<LocatedText<'a>>,
    /// The version of the policy language. It is 1.
    #[cfg_attr(feature = "schema", schemars(required, extend("const" = 1)))]
    pub(crate) version: Field<Number<'a>>,
    /// The name of this version of the policy, for metrics and logs. Default: a hash of the text.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = REVISION)))]
    pub(crate) revision: Field<LocatedText<'a>>,
    /// Where requests name the account, and what an account looks like.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) account: Field<Located<RawAccount<'a>>>,
    /// Named sets of accounts, for the conditions of rules.
    #[cfg_attr(feature = "schema", schemars(extend("propertyNames" = { "pattern": NAME }, "maxProperties" = 1_000)))]
    pub(crate) segments: Field<Map<'a, Located<RawSegment<'a>>>>,
    /// If true, every request takes v1, whatever else the policy contains.
    pub(crate) halted: Field<Located<bool>>,
    /// The Envoy cluster of an OpenTelemetry collector (OTLP/HTTP) that also receives the records of shadow
    /// requests.
    pub(crate) collector: Field<LocatedText<'a>>,
    /// The moves from v1 to v2. The first rollout whose `match` matches a request decides it.
    #[cfg_attr(feature = "schema", schemars(required, length(max = 1_000)))]
    pub(crate) rollouts: Field<List<Located<RawRollout<'a>>>>,
}

#[cfg(feature = "schema")]
const REVISION: &str = "^[A-Za-z0-9._+-]{1,64}$";

/// The form of the names of segments and rollouts.
#[cfg(feature = "schema")]
const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// Where requests name the account, and what an account looks like.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Account", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawAccount<'a> {
    /// The places in a request that can name the account. The first one that is present decides, even if its
    /// content is malformed.
    #[cfg_attr(feature = "schema", schemars(required, length(min = 1, max = 1_000)))]
    pub(crate) from: Field<List<Located<RawSource<'a>>>>,
    /// `sid`: `AC` and 32 lower-case hex digits. `opaque`: any 1 to 128 bytes.
    #[cfg_attr(feature = "schema", schemars(required, extend("enum" = ["sid", "opaque"])))]
    pub(crate) format: Field<LocatedText<'a>>,
}

/// A place in a request that can name the account: a header, the user name of Basic authentication, or the path.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Source", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawSource<'a> {
    /// The name of a header whose value is the account.
    pub(crate) header: Field<LocatedText<'a>>,
    /// The account is the user name in `authorization: Basic …`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["username"])))]
    pub(crate) basic_auth: Field<LocatedText<'a>>,
    /// A path template in which `{account}` is the account, `*` matches one segment, and a final `**` matches the
    /// rest: `/2010-04-01/Accounts/{account}/**`.
    pub(crate) path: Field<LocatedText<'a>>,
}

/// A named set of accounts: as a list, in a file, or packed.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Segment", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawSegment<'a> {
    /// The accounts, each in the format of the policy.
    pub(crate) accounts: Field<List<LocatedText<'a>>>,
    /// A file with the accounts: one per line, or in a CSV column. Proxies read no files, so `turnout render` and
    /// `turnout apply` replace it by the accounts.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Field<crate::policy::schema::AccountsFrom>")
    )]
    pub(crate) accounts_from: Field<Located<RawAccountsFrom<'a>>>,
    /// The base64 of the sorted SIDs, 16 bytes each, as `turnout pack` writes it.
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
    /// The path of the file, relative to the folder of the policy.
    #[cfg_attr(feature = "schema", schemars(required, length(min = 1)))]
    pub(crate) file: Field<LocatedText<'a>>,
    /// The CSV column with the accounts: its name in the first line, or its number from 1.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub(crate) column: Field<LocatedText<'a>>,
}

/// One move from v1 to v2, for the requests that `match` selects.
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
    /// The unique name of the rollout, in metrics, logs and headers. It is also the default of `salt`.
    #[cfg_attr(feature = "schema", schemars(required, regex(pattern = NAME)))]
    pub(crate) name: Field<LocatedText<'a>>,
    /// The requests that the rollout applies to. Default: all.
    #[cfg_attr(feature = "schema", schemars(rename = "match"))]
    pub(crate) matches: Field<RawMatch<'a>>,
    /// The Envoy cluster of v1.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) v1: Field<LocatedText<'a>>,
    /// The Envoy cluster of v2.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) v2: Field<LocatedText<'a>>,
    /// How far the rollout has come. `off`: v1 for all. `dark`: v1 for all, and the decision of `split` is
    /// recorded. `shadow`: as `dark`, and a sample of the requests is also sent to v2 as shadow requests. `split`:
    /// the rules decide. `on`: v2 for all.
    #[cfg_attr(
        feature = "schema",
        schemars(required, extend("enum" = ["off", "dark", "shadow", "split", "on"]))
    )]
    pub(crate) mode: Field<LocatedText<'a>>,
    /// If true, every request of this rollout takes v1, whatever its mode and rules are.
    pub(crate) halted: Field<Located<bool>>,
    /// Separates the bucketing of this rollout from that of others. Rollouts with the same salt put each account
    /// into the same bucket. Default: the name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128)))]
    pub(crate) salt: Field<LocatedText<'a>>,
    /// The hash that buckets accounts: `turnout`, or the hash of another tool, so that accounts keep their
    /// treatment when a flag is migrated. Requests are always bucketed by the salt. Default: `turnout`.
    pub(crate) hash: Field<HashValue<'a>>,
    /// The rules of the mode `split`. The first rule whose `when` matches decides. If none matches: v1.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub(crate) rules: Field<List<Located<RawRule<'a>>>>,
    /// The shadow requests to v2 in the modes `shadow` and `split`.
    pub(crate) shadow: Field<Located<RawShadow<'a>>>,
    /// The guard of the modes `split` and `on`: it sends everyone back to v1 when v2 is worse.
    pub(crate) guard: Field<Located<RawGuard<'a>>>,
}

/// The requests that a rollout applies to: a request must match every field that is set.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Match", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawMatch<'a> {
    /// The host of the request, without port, is one of these.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) hosts: Field<List<LocatedText<'a>>>,
    /// The path of the request, without query.
    pub(crate) path: Field<Located<RawPath<'a>>>,
    /// The method of the request is one of these, in upper case.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) methods: Field<List<LocatedText<'a>>>,
    /// The request matches each of these headers.
    pub(crate) headers: Field<Map<'a, Located<RawHeader<'a>>>>,
}

/// A path match: exact, by prefix, or by template.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Path", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawPath<'a> {
    /// The whole path.
    pub(crate) exact: Field<LocatedText<'a>>,
    /// The beginning of the path.
    pub(crate) prefix: Field<LocatedText<'a>>,
    /// A template in which `*` matches one segment and a final `**` matches the rest.
    pub(crate) template: Field<LocatedText<'a>>,
}

/// A header match: exact, by prefix, or by presence.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Header", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))
)]
#[derive(Clone)]
pub(crate) struct RawHeader<'a> {
    /// The whole value of the header.
    pub(crate) exact: Field<LocatedText<'a>>,
    /// The beginning of the header's value.
    pub(crate) prefix: Field<LocatedText<'a>>,
    /// Whether the header must be present (true) or absent (false).
    pub(crate) present: Field<bool>,
}

/// Decides the requests that match its `when`.
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
    /// The requests that the rule decides. Default: all.
    pub(crate) when: Field<RawWhen<'a>>,
    /// The treatment of the rule. A rule that serves `v1` has no percentages. Default: `v2`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["v1", "v2"])))]
    pub(crate) serve: Field<LocatedText<'a>>,
    /// The percentage of accounts that take v2, or a ramp. An account in a percentage is also in every larger one.
    /// Default: 100.
    pub(crate) accounts: Field<RawAccounts<'a>>,
    /// The percentage of the requests of each such account that take v2. Default: 100.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub(crate) requests: Field<Number<'a>>,
}

/// A percentage, or a ramp of percentages over time.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Accounts", untagged)
)]
#[derive(Clone)]
pub(crate) enum RawAccounts<'a> {
    /// From 0 to 100, with at most six decimals.
    Percentage(#[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))] Number<'a>),
    /// Steps in chronological order. The last step that has begun applies; before the first one, no account takes
    /// v2.
    Ramp(
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
        List<Located<RawStep<'a>>>,
    ),
}

/// A percentage that applies from a time until the next step.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Step", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawStep<'a> {
    /// When the step begins: an RFC 3339 time in whole seconds, for example `2026-12-01T09:00:00Z`.
    #[cfg_attr(feature = "schema", schemars(required, extend("format" = "date-time")))]
    pub(crate) from: Field<LocatedText<'a>>,
    /// From 0 to 100, with at most six decimals.
    #[cfg_attr(feature = "schema", schemars(required, range(min = 0, max = 100)))]
    pub(crate) percent: Field<Number<'a>>,
}

/// A condition: a request must match every field that is set. For "or", write another rule.
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
    /// The proxy runs in one of these regions, according to the locality of its Envoy node.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) regions: Field<List<LocatedText<'a>>>,
    /// The request matches each of these headers.
    pub(crate) headers: Field<Map<'a, Located<RawHeader<'a>>>>,
}

/// Which requests are shadowed to v2, how they are sent, and how the responses are compared.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Shadow", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawShadow<'a> {
    /// A separate Envoy cluster for repeated requests to v1. Default: the rollout's `v1`.
    pub(crate) v1: Field<LocatedText<'a>>,
    /// A separate Envoy cluster for shadow requests. Default: the rollout's `v2`.
    pub(crate) v2: Field<LocatedText<'a>>,
    /// The requests that can be shadowed. Default: all.
    pub(crate) when: Field<RawWhen<'a>>,
    /// The percentage of accounts whose requests can be shadowed. Default: 100.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub(crate) accounts: Field<Number<'a>>,
    /// The percentage of requests to shadow.
    #[cfg_attr(feature = "schema", schemars(required, range(min = 0, max = 100)))]
    pub(crate) requests: Field<Number<'a>>,
    /// The methods of requests that can be shadowed. Default: `GET` and `HEAD`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1_000)))]
    pub(crate) methods: Field<List<LocatedText<'a>>>,
    /// The name of a header that the filter sets to the request id in requests with unsafe methods, to v1 and to v2,
    /// so that both can recognise a repetition.
    pub(crate) idempotency_header: Field<LocatedText<'a>>,
    /// Headers that are removed from shadow requests.
    pub(crate) strip_headers: Field<List<LocatedText<'a>>>,
    /// What the route in the proxy changes in a request after the filter. The filter makes the same changes in
    /// shadow requests, so that v2 receives what v1 receives.
    pub(crate) rewrite: Field<Located<RawRewrite<'a>>>,
    /// The most bytes of the body of a request and of each response. Larger ones are not compared. Default: 65536.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_048_576), extend("type" = "integer")))]
    pub(crate) max_body_bytes: Field<Number<'a>>,
    /// The most sampled requests that one worker holds at the same time. Default: 64.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000), extend("type" = "integer")))]
    pub(crate) max_in_flight: Field<Number<'a>>,
    /// The timeout of a shadow request, in milliseconds. Default: 1000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60_000), extend("type" = "integer")))]
    pub(crate) timeout_ms: Field<Number<'a>>,
    /// After 8 consecutive failures of v2, one request per this many milliseconds is shadowed; 0 shadows all.
    /// Default: 100.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 60_000), extend("type" = "integer")))]
    pub(crate) back_off_ms: Field<Number<'a>>,
    /// When the shadow request is sent: `after_answer` (after the response of v1) or `with_request` (together with
    /// the request). Default: `after_answer`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["after_answer", "with_request"])))]
    pub(crate) send: Field<LocatedText<'a>>,
    /// Path templates that group the records of differences.
    pub(crate) routes: Field<List<LocatedText<'a>>>,
    /// What counts as a difference.
    pub(crate) compare: Field<RawCompare<'a>>,
    /// Sends some requests to v1 a second time, to find differences that v1 has with itself.
    pub(crate) noise: Field<Located<RawNoise<'a>>>,
    /// Whether a difference counts only after v1 has been asked again. Default: true.
    pub(crate) recheck: Field<bool>,
    /// JSON Pointers to the values in bodies that records may contain.
    pub(crate) reveal: Field<List<LocatedText<'a>>>,
    /// The seconds between two summaries in the log. Default: 60.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 3_600), extend("type" = "integer")))]
    pub(crate) summary_seconds: Field<Number<'a>>,
}

/// What the proxy's route changes in a request after the filter has seen it.
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(rename = "Rewrite", deny_unknown_fields, extend("minProperties" = 1)))]
#[derive(Clone)]
pub(crate) struct RawRewrite<'a> {
    /// The new beginning of the path: `prefix_rewrite` in Envoy.
    pub(crate) prefix: Field<RawRewritePrefix<'a>>,
    /// The new host: `host_rewrite_literal` in Envoy.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub(crate) host: Field<LocatedText<'a>>,
    /// Headers that the route sets to a value, or removes (`null`).
    pub(crate) headers: Field<Map<'a, RawRewriteHeader<'a>>>,
}

/// The new beginning of the path.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "RewritePrefix", untagged)
)]
#[derive(Clone)]
pub(crate) enum RawRewritePrefix<'a> {
    /// The replacement of the `prefix` in the rollout's `match`.
    OfMatch(LocatedText<'a>),
    /// The replacement of another prefix.
    Between(Located<RawPrefixPair<'a>>),
}

/// A prefix and its replacement.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "PrefixPair", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawPrefixPair<'a> {
    /// The beginning of the path in the request, for example `/api/`.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) from: Field<LocatedText<'a>>,
    /// The beginning of the path after the route, for example `/`.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) to: Field<LocatedText<'a>>,
}

/// What a route does with a header.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "RewriteHeader", untagged)
)]
#[derive(Clone)]
pub(crate) enum RawRewriteHeader<'a> {
    /// Sets the header to this value.
    Set(LocatedText<'a>),
    /// Removes the header.
    Remove,
}

/// What counts as a difference. Paths are JSON Pointers in which `*` matches any one step.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Compare", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawCompare<'a> {
    /// The headers that are compared. Default: `content-type`.
    pub(crate) headers: Field<List<LocatedText<'a>>>,
    /// Paths that are not compared.
    pub(crate) ignore: Field<List<LocatedText<'a>>>,
    /// Lists whose order is ignored.
    pub(crate) unordered: Field<List<Located<RawUnordered<'a>>>>,
    /// Numbers that may differ within a tolerance. All others are compared as exact decimals: 0.1 and
    /// 0.10000000000000001 differ.
    pub(crate) tolerance: Field<List<Located<RawTolerance<'a>>>>,
    /// Objects whose keys are data. Records do not contain these keys.
    pub(crate) maps: Field<List<LocatedText<'a>>>,
}

/// A list whose order is ignored.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Unordered", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawUnordered<'a> {
    /// The path of the list.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) path: Field<LocatedText<'a>>,
    /// The path, within an element, of the value that pairs elements.
    pub(crate) key: Field<LocatedText<'a>>,
}

/// A tolerance for a number: absolute or relative.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Tolerance", deny_unknown_fields, extend("minProperties" = 2, "maxProperties" = 2))
)]
#[derive(Clone)]
pub(crate) struct RawTolerance<'a> {
    /// The path of the number.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) path: Field<LocatedText<'a>>,
    /// The largest difference that is ignored.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub(crate) absolute: Field<Number<'a>>,
    /// The largest difference that is ignored, as a fraction of the larger number.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub(crate) relative: Field<Number<'a>>,
}

/// How often v1 is compared with itself.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Noise", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawNoise<'a> {
    /// The percentage of shadowed requests that are also sent to v1 a second time.
    #[cfg_attr(feature = "schema", schemars(required, range(min = 0, max = 100)))]
    pub(crate) requests: Field<Number<'a>>,
}

/// What the guard tests, and what it does when v2 is worse. If none of `errors`, `slow` and `limit` is set, it compares
/// errors.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "Guard", 
        deny_unknown_fields,
        extend(
            "if" = {
                "required": ["accounts"],
                "anyOf": [{ "required": ["slow"] }, { "required": ["limit"] }]
            },
            "then" = { "required": ["errors"] }
        )
    )
)]
#[derive(Clone)]
pub(crate) struct RawGuard<'a> {
    /// Compares how often requests to v1 and v2 fail.
    pub(crate) errors: Field<Located<RawGuardErrors<'a>>>,
    /// Compares how often requests to v1 and v2 are slow.
    pub(crate) slow: Field<Located<RawGuardSlow<'a>>>,
    /// Limits how often requests to v2 fail, whatever v1 does.
    pub(crate) limit: Field<Located<RawGuardLimit<'a>>>,
    /// The highest probability that the guard of one proxy trips although v2 is not worse, from the start of the
    /// guard or from its last re-arm. At most six decimals. Default: 0.01.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.000_001, max = 0.5)))]
    pub(crate) alpha: Field<Number<'a>>,
    /// The seconds after which a request enters the test. It must be at least as long as the slowest failure, for
    /// example a timeout. Default: 20.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 300), extend("type" = "integer")))]
    pub(crate) settle_seconds: Field<Number<'a>>,
    /// What the guard does when v2 is worse. `halt`: everyone takes v1. `report`: it reports it and changes no
    /// decision. Default: `halt`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["halt", "report"])))]
    pub(crate) action: Field<LocatedText<'a>>,
    /// Also tests single accounts for errors, and sends an account back to v1 when v2 is worse for it.
    pub(crate) accounts: Field<Located<RawGuardAccounts<'a>>>,
    /// The number of times that the guard was re-armed by hand. Every change of the rollout, also of this number,
    /// re-arms the guard. Default: 0.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1_000_000), extend("type" = "integer")))]
    pub(crate) rearmed: Field<Number<'a>>,
}

/// The comparison of errors.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "GuardErrors", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawGuardErrors<'a> {
    /// The allowed ratio of how often v2 fails to how often v1 fails. At most three decimals. Default: 1.2.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 5)))]
    pub(crate) ratio: Field<Number<'a>>,
}

/// The comparison of slow requests.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "GuardSlow", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawGuardSlow<'a> {
    /// A request is slow if it takes longer than this, in milliseconds. At most `settle_seconds`.
    #[cfg_attr(feature = "schema", schemars(required, range(min = 1, max = 300_000), extend("type" = "integer")))]
    pub(crate) over_ms: Field<Number<'a>>,
    /// The allowed ratio of how often v2 is slow to how often v1 is slow. At most three decimals. Default: 1.5.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 5)))]
    pub(crate) ratio: Field<Number<'a>>,
}

/// The limit of v2's errors.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "GuardLimit", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawGuardLimit<'a> {
    /// The percentage of v2's requests that may fail: above 0 and below 50, with at most six decimals.
    #[cfg_attr(
        feature = "schema",
        schemars(required, range(min = 0.000_001, max = 49.999_999))
    )]
    pub(crate) error_percent: Field<Number<'a>>,
}

/// The test of single accounts.
#[cfg_attr(
    feature = "schema",
    derive(JsonSchema),
    schemars(rename = "GuardAccounts", deny_unknown_fields)
)]
#[derive(Clone)]
pub(crate) struct RawGuardAccounts<'a> {
    /// The highest expected number of accounts that one proxy sends back to v1 although v2 is not worse for them,
    /// until the guard is re-armed. At most three decimals. Default: 0.1.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.001, max = 10)))]
    pub(crate) false_ejections: Field<Number<'a>>,
}

/// The value of a field of `hash`. The hash objects of all tools are read by one table of fields, because separate
/// code for each tool would be 3 % of the filter.
#[derive(Clone)]
pub(crate) enum HashValue<'a> {
    Text(LocatedText<'a>),
    Number(Number<'a>),
    Object(Located<HashFields<'a>>),
}

#[derive(Clone)]
pub(crate) struct HashFields<'a>(pub(crate) Vec<(&'static str, Field<HashValue<'a>>)>);
