//! Reads JSON into the wire types of the policy, with one function for each kind of object.

mod guard;
mod hash;
mod shadow;

use crate::diagnostics::problem::Expected;
use crate::policy::document::{
    RawAccount, RawAccounts, RawAccountsFrom, RawHeader, RawMatch, RawPath, RawPolicy, RawRollout,
    RawRule, RawSegment, RawSource, RawStep, RawWhen,
};
use crate::policy::json::{Field, List, Located, LocatedText, Node, Reader};

pub(crate) use hash::hash;

/// The values that each field accepts, for the messages of diagnostics.
pub(crate) mod expected {
    use crate::diagnostics::problem::Expected;

    const fn new(what: &'static str, example: &'static str) -> Expected {
        Expected::new(what, example)
    }

    pub(crate) const POLICY: Expected = new(
        "a policy",
        "{ \"version\": 1, \"account\": { … }, \"rollouts\": [] }",
    );
    pub(crate) const SCHEMA: Expected = new("a schema path or URL", "\"policy.schema.json\"");
    pub(crate) const VERSION: Expected = new("a version number", "1");
    pub(crate) const REVISION: Expected = new("a revision", "\"2026-12-01.1\"");
    pub(crate) const ACCOUNT: Expected = new(
        "an account object",
        "{ \"from\": [ { \"header\": \"x-account-sid\" } ], \"format\": \"sid\" }",
    );
    pub(crate) const SOURCES: Expected = new(
        "a list of account sources",
        "[ { \"header\": \"x-account-sid\" } ]",
    );
    pub(crate) const SOURCE: Expected =
        new("an account source", "{ \"header\": \"x-account-sid\" }");
    pub(crate) const FORMAT: Expected = new("a format", "\"sid\"");
    pub(crate) const HEADER_NAME: Expected = new("a header name", "\"x-account-sid\"");
    pub(crate) const BASIC_AUTH: Expected = new("the word `username`", "\"username\"");
    pub(crate) const ACCOUNT_PATH: Expected = new("a path template", "\"/Accounts/{account}/**\"");
    pub(crate) const SEGMENTS: Expected =
        new("an object of segments", "{ \"hvc\": { \"accounts\": [] } }");
    pub(crate) const SEGMENT: Expected = new("a segment", "{ \"accounts\": [] }");
    pub(crate) const ACCOUNTS: Expected = new("a list of accounts", "[]").at_most(usize::MAX);
    pub(crate) const PACKED: Expected = new("packed accounts", "\"\"");
    pub(crate) const FILE: Expected = new("an account file", "\"hvc.csv\"");
    pub(crate) const FILE_NAME: Expected = new("a file path", "\"hvc.csv\"");
    pub(crate) const COLUMN: Expected = new("a column", "\"account_sid\"");
    pub(crate) const ACCOUNT_ID: Expected =
        new("an account", "\"AC7342e9713fa896e4af00c654c444aada\"");
    pub(crate) const BOOLEAN: Expected = new("`true` or `false`", "false");
    pub(crate) const ROLLOUTS: Expected = new("a list of rollouts", "[]");
    pub(crate) const ROLLOUT: Expected = new(
        "a rollout",
        "{ \"name\": \"chat-users\", \"v1\": \"users-v1\", \"v2\": \"users-v2\", \"mode\": \"off\" }",
    );
    pub(crate) const NAME: Expected = new("a name", "\"chat-users\"");
    pub(crate) const CLUSTER: Expected = new("a cluster name", "\"users-v1\"");
    pub(crate) const MODE: Expected = new("a mode", "\"split\"");
    pub(crate) const SALT: Expected = new("a salt", "\"chat-users\"");
    pub(crate) const MATCH: Expected =
        new("a match", "{ \"path\": { \"prefix\": \"/v1/Users\" } }");
    pub(crate) const HOSTS: Expected = new("a list of hosts", "[ \"api.example.com\" ]");
    pub(crate) const HOST: Expected = new("a host", "\"api.example.com\"");
    pub(crate) const PATH_MATCH: Expected = new("a path match", "{ \"prefix\": \"/v1/Users\" }");
    pub(crate) const PATH: Expected = new("a path", "\"/v1/Users\"");
    pub(crate) const METHODS: Expected = new("a list of methods", "[ \"GET\" ]");
    pub(crate) const METHOD: Expected = new("a method", "\"GET\"");
    pub(crate) const HEADERS: Expected = new(
        "an object of headers",
        "{ \"x-beta\": { \"exact\": \"yes\" } }",
    );
    pub(crate) const HEADER: Expected = new("a header match", "{ \"exact\": \"yes\" }");
    pub(crate) const HEADER_VALUE: Expected = new("a header value", "\"yes\"");
    pub(crate) const RULES: Expected = new(
        "a list of rules",
        "[ { \"accounts\": 50, \"requests\": 10 } ]",
    )
    .at_most(100);
    pub(crate) const RULE: Expected = new("a rule", "{ \"accounts\": 50, \"requests\": 10 }");
    pub(crate) const WHEN: Expected = new("a condition", "{ \"not_in\": [ \"hvc\" ] }");
    pub(crate) const SEGMENT_NAMES: Expected = new("a list of segment names", "[ \"hvc\" ]");
    pub(crate) const SEGMENT_NAME: Expected = new("a segment name", "\"hvc\"");
    pub(crate) const SERVE: Expected = new("a treatment", "\"v2\"");
    pub(crate) const PERCENTAGE: Expected = new("a percentage", "12.5");
    pub(crate) const ACCOUNTS_PERCENTAGE: Expected = new("a percentage or a ramp", "12.5");
    pub(crate) const RAMP: Expected = new(
        "a ramp",
        "[ { \"from\": \"2026-12-01T09:00:00Z\", \"percent\": 1 } ]",
    );
    pub(crate) const STEP: Expected = new(
        "a ramp step",
        "{ \"from\": \"2026-12-01T09:00:00Z\", \"percent\": 1 }",
    );
    pub(crate) const TIME: Expected = new("a time", "\"2026-12-01T09:00:00Z\"");
    pub(crate) const REGIONS: Expected = new("a list of regions", "[ \"us-east-1\" ]");
    pub(crate) const REGION: Expected = new("a region", "\"us-east-1\"");
    pub(crate) const SHADOW: Expected = new("a shadow configuration", "{ \"requests\": 5 }");
    pub(crate) const REWRITE: Expected = new(
        "a rewrite",
        "{ \"prefix\": { \"from\": \"/api/\", \"to\": \"/\" } }",
    );
    pub(crate) const REWRITE_PREFIX: Expected = new(
        "a path prefix or a pair of prefixes",
        "{ \"from\": \"/api/\", \"to\": \"/\" }",
    );
    pub(crate) const PATH_PREFIX: Expected = new("a path prefix", "\"/api/\"");
    pub(crate) const REWRITE_HEADERS: Expected = new(
        "an object of headers",
        "{ \"x-tenant\": \"a\", \"x-debug\": null }",
    );
    pub(crate) const REWRITE_HEADER: Expected = new("a header value or `null`", "\"a\"");
    pub(crate) const COUNT: Expected = new("a whole number", "64");
    pub(crate) const SEND: Expected = new("a time to send", "\"after_answer\"");
    pub(crate) const HEADER_NAMES: Expected = new("a list of header names", "[ \"content-type\" ]");
    pub(crate) const ROUTES: Expected = new("a list of routes", "[ \"/v1/Users/*\" ]");
    pub(crate) const ROUTE: Expected = new("a path template", "\"/v1/Users/*\"");
    pub(crate) const COMPARE: Expected =
        new("comparison options", "{ \"ignore\": [ \"/meta/at\" ] }");
    pub(crate) const POINTERS: Expected = new("a list of JSON Pointers", "[ \"/users/*/at\" ]");
    pub(crate) const POINTER: Expected = new("a JSON Pointer", "\"/users/*/at\"");
    pub(crate) const UNORDERED: Expected = new(
        "a list of unordered lists",
        "[ { \"path\": \"/users\", \"key\": \"/id\" } ]",
    );
    pub(crate) const UNORDERED_ITEM: Expected =
        new("an unordered list", "{ \"path\": \"/users\" }");
    pub(crate) const TOLERANCES: Expected = new(
        "a list of tolerances",
        "[ { \"path\": \"/price\", \"absolute\": 0.01 } ]",
    );
    pub(crate) const TOLERANCE: Expected = new(
        "a tolerance",
        "{ \"path\": \"/price\", \"absolute\": 0.01 }",
    );
    pub(crate) const TOLERATED: Expected = new("a number", "0.01");
    pub(crate) const HASH: Expected = new("a hash", "{ \"split\": { \"seed\": 123 } }");
    pub(crate) const SPLIT: Expected = new("a Split hash configuration", "{ \"seed\": 123 }");
    pub(crate) const UNLEASH: Expected = new(
        "an Unleash hash configuration",
        "{ \"group_id\": \"chat\" }",
    );
    pub(crate) const LAUNCHDARKLY: Expected = new(
        "a LaunchDarkly hash configuration",
        "{ \"flag_key\": \"chat\", \"salt\": \"abc\" }",
    );
    pub(crate) const GROWTHBOOK: Expected = new(
        "a GrowthBook hash configuration",
        "{ \"seed\": \"chat\", \"version\": 2, \"rule\": \"rollout\" }",
    );
    pub(crate) const NAMESPACE: Expected = new(
        "a namespace",
        "{ \"id\": \"checkout\", \"from\": 0, \"to\": 50 }",
    );
    pub(crate) const FLAGD: Expected = new(
        "a flagd hash configuration",
        "{ \"flag_key\": \"chat\", \"version\": 2, \"total_weight\": 100 }",
    );
    pub(crate) const SEED: Expected = new("a seed", "123");
    pub(crate) const ALGO: Expected = new("a Split algorithm", "2");
    pub(crate) const HASHED: Expected = new("a string", "\"chat\"");
    pub(crate) const FORMULA: Expected = new("a hash version", "2");
    pub(crate) const HASH_RULE: Expected = new("a rule type", "\"rollout\"");
    pub(crate) const END: Expected = new("a position of v2", "\"last\"");
    pub(crate) const TOTAL_WEIGHT: Expected = new("the sum of the weights", "100");
    pub(crate) const NOISE: Expected = new("a noise configuration", "{ \"requests\": 1 }");
    pub(crate) const GUARD: Expected = new("a guard", "{ \"errors\": { \"ratio\": 1.2 } }");
    pub(crate) const GUARD_ERRORS: Expected = new("a comparison of errors", "{ \"ratio\": 1.2 }");
    pub(crate) const GUARD_SLOW: Expected =
        new("a comparison of slow requests", "{ \"over_ms\": 500 }");
    pub(crate) const GUARD_LIMIT: Expected = new("a limit of errors", "{ \"error_percent\": 2 }");
    pub(crate) const GUARD_ACCOUNTS: Expected =
        new("a test of accounts", "{ \"false_ejections\": 0.1 }");
    pub(crate) const OVER_MS: Expected = new("a whole number", "500");
    pub(crate) const ERROR_PERCENT: Expected = new("a percentage", "2");
    pub(crate) const REARMED: Expected = new("a whole number", "1");
    pub(crate) const SETTLE_SECONDS: Expected = new("a whole number", "20");
    pub(crate) const RATIO: Expected = new("a ratio", "1.2");
    pub(crate) const PROBABILITY: Expected = new("a probability", "0.01");
    pub(crate) const ACTION: Expected = new("an action", "\"halt\"");
    pub(crate) const FALSE_EJECTIONS: Expected = new("a number of accounts", "0.1");
}

pub(crate) fn policy<'a>(reader: &mut Reader<'a>, root: Node<'a, '_>) -> Option<RawPolicy<'a>> {
    let mut object = reader.object(root, expected::POLICY)?;
    let policy = RawPolicy {
        version: object.field(reader, "version", &|r, n| r.number(n, expected::VERSION)),
        revision: object.field(reader, "revision", &|r, n| r.text(n, expected::REVISION)),
        account: object.field(reader, "account", &account),
        segments: object.field(reader, "segments", &|r, n| {
            r.map(n, expected::SEGMENTS, &segment)
        }),
        halted: object.field(reader, "halted", &halted),
        collector: object.field(reader, "collector", &|r, n| r.text(n, expected::CLUSTER)),
        rollouts: object.field(reader, "rollouts", &|r, n| {
            r.list(n, expected::ROLLOUTS, &rollout)
        }),
        schema: object.field(reader, "$schema", &|r, n| r.text(n, expected::SCHEMA)),
    };
    object.finish(reader);
    Some(policy)
}

fn halted<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<bool>> {
    Some(located(node, reader.boolean(node, expected::BOOLEAN)?))
}

fn account<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawAccount<'a>>> {
    let mut object = reader.object(node, expected::ACCOUNT)?;
    let account = RawAccount {
        from: object.field(reader, "from", &|r, n| {
            r.list(n, expected::SOURCES, &source)
        }),
        format: object.field(reader, "format", &|r, n| r.text(n, expected::FORMAT)),
    };
    object.finish(reader);
    Some(located(node, account))
}

fn source<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawSource<'a>>> {
    let mut object = reader.object(node, expected::SOURCE)?;
    let source = RawSource {
        header: object.field(reader, "header", &|r, n| r.text(n, expected::HEADER_NAME)),
        basic_auth: object.field(reader, "basic_auth", &|r, n| {
            r.text(n, expected::BASIC_AUTH)
        }),
        path: object.field(reader, "path", &|r, n| r.text(n, expected::ACCOUNT_PATH)),
    };
    object.finish(reader);
    Some(located(node, source))
}

fn segment<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawSegment<'a>>> {
    let mut object = reader.object(node, expected::SEGMENT)?;
    let segment = RawSegment {
        accounts: object.field(reader, "accounts", &|r, n| {
            texts(r, n, expected::ACCOUNTS, expected::ACCOUNT_ID)
        }),
        accounts_from: object.field(reader, "accounts_from", &accounts_from),
        accounts_packed: object.field(reader, "accounts_packed", &|r, n| {
            r.packed(n, expected::PACKED)
        }),
    };
    object.finish(reader);
    Some(located(node, segment))
}

fn accounts_from<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
) -> Option<Located<RawAccountsFrom<'a>>> {
    let from = if node.raw().starts_with('{') {
        let mut object = reader.object(node, expected::FILE)?;
        let from = RawAccountsFrom {
            file: object.field(reader, "file", &|r, n| r.text(n, expected::FILE_NAME)),
            column: object.field(reader, "column", &|r, n| r.text(n, expected::COLUMN)),
        };
        object.finish(reader);
        from
    } else {
        RawAccountsFrom {
            file: Field::Given(reader.text(node, expected::FILE)?),
            column: Field::Absent,
        }
    };
    Some(located(node, from))
}

fn rollout<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawRollout<'a>>> {
    let mut object = reader.object(node, expected::ROLLOUT)?;
    let rollout = RawRollout {
        name: object.field(reader, "name", &|r, n| r.text(n, expected::NAME)),
        matches: object.field(reader, "match", &request_match),
        v1: object.field(reader, "v1", &|r, n| r.text(n, expected::CLUSTER)),
        v2: object.field(reader, "v2", &|r, n| r.text(n, expected::CLUSTER)),
        mode: object.field(reader, "mode", &|r, n| r.text(n, expected::MODE)),
        halted: object.field(reader, "halted", &halted),
        salt: object.field(reader, "salt", &|r, n| r.text(n, expected::SALT)),
        hash: object.field(reader, "hash", &hash),
        rules: object.field(reader, "rules", &|r, n| r.list(n, expected::RULES, &rule)),
        shadow: object.field(reader, "shadow", &shadow::shadow),
        guard: object.field(reader, "guard", &guard::guard),
    };
    object.finish(reader);
    Some(located(node, rollout))
}

fn request_match<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<RawMatch<'a>> {
    let mut object = reader.object(node, expected::MATCH)?;
    let request_match = RawMatch {
        hosts: object.field(reader, "hosts", &|r, n| {
            texts(r, n, expected::HOSTS, expected::HOST)
        }),
        path: object.field(reader, "path", &path),
        methods: object.field(reader, "methods", &|r, n| {
            texts(r, n, expected::METHODS, expected::METHOD)
        }),
        headers: object.field(reader, "headers", &|r, n| {
            r.map(n, expected::HEADERS, &header)
        }),
    };
    object.finish(reader);
    Some(request_match)
}

fn path<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawPath<'a>>> {
    let mut object = reader.object(node, expected::PATH_MATCH)?;
    let path = RawPath {
        exact: object.field(reader, "exact", &|r, n| r.text(n, expected::PATH)),
        prefix: object.field(reader, "prefix", &|r, n| r.text(n, expected::PATH)),
        template: object.field(reader, "template", &|r, n| r.text(n, expected::PATH)),
    };
    object.finish(reader);
    Some(located(node, path))
}

fn header<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawHeader<'a>>> {
    let mut object = reader.object(node, expected::HEADER)?;
    let header = RawHeader {
        exact: object.field(reader, "exact", &|r, n| r.text(n, expected::HEADER_VALUE)),
        prefix: object.field(reader, "prefix", &|r, n| r.text(n, expected::HEADER_VALUE)),
        present: object.field(reader, "present", &|r, n| r.boolean(n, expected::BOOLEAN)),
    };
    object.finish(reader);
    Some(located(node, header))
}

fn rule<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawRule<'a>>> {
    let mut object = reader.object(node, expected::RULE)?;
    let rule = RawRule {
        when: object.field(reader, "when", &when),
        serve: object.field(reader, "serve", &|r, n| r.text(n, expected::SERVE)),
        accounts: object.field(reader, "accounts", &rule_accounts),
        requests: object.field(reader, "requests", &|r, n| {
            r.number(n, expected::PERCENTAGE)
        }),
    };
    object.finish(reader);
    Some(located(node, rule))
}

fn rule_accounts<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<RawAccounts<'a>> {
    if node.raw().starts_with('[') {
        let steps = reader.list(node, expected::RAMP, &step)?;
        return Some(RawAccounts::Ramp(steps));
    }
    let number = reader.number(node, expected::ACCOUNTS_PERCENTAGE)?;
    Some(RawAccounts::Percentage(number))
}

fn step<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawStep<'a>>> {
    let mut object = reader.object(node, expected::STEP)?;
    let step = RawStep {
        from: object.field(reader, "from", &|r, n| r.text(n, expected::TIME)),
        percent: object.field(reader, "percent", &|r, n| r.number(n, expected::PERCENTAGE)),
    };
    object.finish(reader);
    Some(located(node, step))
}

fn when<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<RawWhen<'a>> {
    let mut object = reader.object(node, expected::WHEN)?;
    let when = RawWhen {
        within: object.field(reader, "in", &segment_names),
        outside: object.field(reader, "not_in", &segment_names),
        regions: object.field(reader, "regions", &|r, n| {
            texts(r, n, expected::REGIONS, expected::REGION)
        }),
        headers: object.field(reader, "headers", &|r, n| {
            r.map(n, expected::HEADERS, &header)
        }),
    };
    object.finish(reader);
    Some(when)
}

fn segment_names<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<List<LocatedText<'a>>> {
    texts(
        reader,
        node,
        expected::SEGMENT_NAMES,
        expected::SEGMENT_NAME,
    )
}

pub(crate) fn texts<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
    list: Expected,
    item: Expected,
) -> Option<List<LocatedText<'a>>> {
    reader.list(node, list, &|reader, node| reader.text(node, item))
}

pub(crate) fn located<T>(node: Node<'_, '_>, value: T) -> Located<T> {
    Located {
        value,
        span: node.span,
    }
}
