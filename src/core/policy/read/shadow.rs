//! Reads a rollout's `shadow`.

use crate::policy::document::{
    RawCompare, RawNoise, RawPrefixPair, RawRewrite, RawRewriteHeader, RawRewritePrefix, RawShadow,
    RawTolerance, RawUnordered,
};
use crate::policy::json::{List, Located, LocatedText, Node, Reader};

use super::{expected, located, texts, when};

pub(super) fn shadow<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
) -> Option<Located<RawShadow<'a>>> {
    let mut object = reader.object(node, expected::SHADOW)?;
    let shadow = RawShadow {
        v1: object.field(reader, "v1", &|r, n| r.text(n, expected::CLUSTER)),
        v2: object.field(reader, "v2", &|r, n| r.text(n, expected::CLUSTER)),
        when: object.field(reader, "when", &when),
        accounts: object.field(reader, "accounts", &|r, n| {
            r.number(n, expected::PERCENTAGE)
        }),
        requests: object.field(reader, "requests", &|r, n| {
            r.number(n, expected::PERCENTAGE)
        }),
        methods: object.field(reader, "methods", &|r, n| {
            texts(r, n, expected::METHODS, expected::METHOD)
        }),
        idempotency_header: object.field(reader, "idempotency_header", &|r, n| {
            r.text(n, expected::HEADER_NAME)
        }),
        strip_headers: object.field(reader, "strip_headers", &header_names),
        rewrite: object.field(reader, "rewrite", &rewrite),
        max_body_bytes: object.field(reader, "max_body_bytes", &|r, n| {
            r.number(n, expected::COUNT)
        }),
        max_in_flight: object.field(reader, "max_in_flight", &|r, n| {
            r.number(n, expected::COUNT)
        }),
        timeout_ms: object.field(reader, "timeout_ms", &|r, n| r.number(n, expected::COUNT)),
        back_off_ms: object.field(reader, "back_off_ms", &|r, n| r.number(n, expected::COUNT)),
        send: object.field(reader, "send", &|r, n| r.text(n, expected::SEND)),
        routes: object.field(reader, "routes", &|r, n| {
            texts(r, n, expected::ROUTES, expected::ROUTE)
        }),
        compare: object.field(reader, "compare", &compare),
        noise: object.field(reader, "noise", &noise),
        recheck: object.field(reader, "recheck", &|r, n| r.boolean(n, expected::BOOLEAN)),
        reveal: object.field(reader, "reveal", &pointers),
        summary_seconds: object.field(reader, "summary_seconds", &|r, n| {
            r.number(n, expected::COUNT)
        }),
    };
    object.finish(reader);
    Some(located(node, shadow))
}

fn rewrite<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawRewrite<'a>>> {
    let mut object = reader.object(node, expected::REWRITE)?;
    let rewrite = RawRewrite {
        prefix: object.field(reader, "prefix", &rewrite_prefix),
        host: object.field(reader, "host", &|r, n| r.text(n, expected::HOST)),
        headers: object.field(reader, "headers", &|r, n| {
            r.map(n, expected::REWRITE_HEADERS, &rewrite_header)
        }),
    };
    object.finish(reader);
    Some(located(node, rewrite))
}

fn rewrite_prefix<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<RawRewritePrefix<'a>> {
    if !node.raw().starts_with('{') {
        let prefix = reader.text(node, expected::REWRITE_PREFIX)?;
        return Some(RawRewritePrefix::OfMatch(prefix));
    }
    let mut object = reader.object(node, expected::REWRITE_PREFIX)?;
    let pair = RawPrefixPair {
        from: object.field(reader, "from", &|r, n| r.text(n, expected::PATH_PREFIX)),
        to: object.field(reader, "to", &|r, n| r.text(n, expected::PATH_PREFIX)),
    };
    object.finish(reader);
    Some(RawRewritePrefix::Between(located(node, pair)))
}

fn rewrite_header<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<RawRewriteHeader<'a>> {
    if node.raw() == "null" {
        return Some(RawRewriteHeader::Remove);
    }
    let value = reader.text(node, expected::REWRITE_HEADER)?;
    Some(RawRewriteHeader::Set(value))
}

fn compare<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<RawCompare<'a>> {
    let mut object = reader.object(node, expected::COMPARE)?;
    let compare = RawCompare {
        headers: object.field(reader, "headers", &header_names),
        ignore: object.field(reader, "ignore", &pointers),
        unordered: object.field(reader, "unordered", &|r, n| {
            r.list(n, expected::UNORDERED, &unordered)
        }),
        tolerance: object.field(reader, "tolerance", &|r, n| {
            r.list(n, expected::TOLERANCES, &tolerance)
        }),
        maps: object.field(reader, "maps", &pointers),
    };
    object.finish(reader);
    Some(compare)
}

fn unordered<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawUnordered<'a>>> {
    let mut object = reader.object(node, expected::UNORDERED_ITEM)?;
    let unordered = RawUnordered {
        path: object.field(reader, "path", &|r, n| r.text(n, expected::POINTER)),
        key: object.field(reader, "key", &|r, n| r.text(n, expected::POINTER)),
    };
    object.finish(reader);
    Some(located(node, unordered))
}

fn tolerance<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawTolerance<'a>>> {
    let mut object = reader.object(node, expected::TOLERANCE)?;
    let tolerance = RawTolerance {
        path: object.field(reader, "path", &|r, n| r.text(n, expected::POINTER)),
        absolute: object.field(reader, "absolute", &|r, n| r.number(n, expected::TOLERATED)),
        relative: object.field(reader, "relative", &|r, n| r.number(n, expected::TOLERATED)),
    };
    object.finish(reader);
    Some(located(node, tolerance))
}

fn noise<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawNoise<'a>>> {
    let mut object = reader.object(node, expected::NOISE)?;
    let noise = RawNoise {
        requests: object.field(reader, "requests", &|r, n| {
            r.number(n, expected::PERCENTAGE)
        }),
    };
    object.finish(reader);
    Some(located(node, noise))
}

fn header_names<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<List<LocatedText<'a>>> {
    texts(reader, node, expected::HEADER_NAMES, expected::HEADER_NAME)
}

fn pointers<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<List<LocatedText<'a>>> {
    texts(reader, node, expected::POINTERS, expected::POINTER)
}
