//! Reads a rollout's `guard`.

use crate::policy::document::{
    RawGuard, RawGuardAccounts, RawGuardErrors, RawGuardLimit, RawGuardSlow,
};
use crate::policy::json::{Located, Node, Reader};

use super::{expected, located};

pub(super) fn guard<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
) -> Option<Located<RawGuard<'a>>> {
    let mut object = reader.object(node, expected::GUARD)?;
    let guard = RawGuard {
        errors: object.field(reader, "errors", &errors),
        slow: object.field(reader, "slow", &slow),
        limit: object.field(reader, "limit", &limit),
        alpha: object.field(reader, "alpha", &|r, n| r.number(n, expected::PROBABILITY)),
        settle_seconds: object.field(reader, "settle_seconds", &|r, n| {
            r.number(n, expected::SETTLE_SECONDS)
        }),
        action: object.field(reader, "action", &|r, n| r.text(n, expected::ACTION)),
        accounts: object.field(reader, "accounts", &accounts),
        rearmed: object.field(reader, "rearmed", &|r, n| r.number(n, expected::REARMED)),
    };
    object.finish(reader);
    Some(located(node, guard))
}

fn errors<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawGuardErrors<'a>>> {
    let mut object = reader.object(node, expected::GUARD_ERRORS)?;
    let errors = RawGuardErrors {
        ratio: object.field(reader, "ratio", &|r, n| r.number(n, expected::RATIO)),
    };
    object.finish(reader);
    Some(located(node, errors))
}

fn slow<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawGuardSlow<'a>>> {
    let mut object = reader.object(node, expected::GUARD_SLOW)?;
    let slow = RawGuardSlow {
        over_ms: object.field(reader, "over_ms", &|r, n| r.number(n, expected::OVER_MS)),
        ratio: object.field(reader, "ratio", &|r, n| r.number(n, expected::RATIO)),
    };
    object.finish(reader);
    Some(located(node, slow))
}

fn limit<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawGuardLimit<'a>>> {
    let mut object = reader.object(node, expected::GUARD_LIMIT)?;
    let limit = RawGuardLimit {
        error_percent: object.field(reader, "error_percent", &|r, n| {
            r.number(n, expected::ERROR_PERCENT)
        }),
    };
    object.finish(reader);
    Some(located(node, limit))
}

fn accounts<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
) -> Option<Located<RawGuardAccounts<'a>>> {
    let mut object = reader.object(node, expected::GUARD_ACCOUNTS)?;
    let accounts = RawGuardAccounts {
        false_ejections: object.field(reader, "false_ejections", &|r, n| {
            r.number(n, expected::FALSE_EJECTIONS)
        }),
    };
    object.finish(reader);
    Some(located(node, accounts))
}
