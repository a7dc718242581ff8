//! Compiles a rollout's `guard`, and checks its numbers.

use std::ops::RangeInclusive;

use turnout_text::format_decimal;

use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::{Problem, excerpt};
use crate::guard::{
    Bounded, ErrorLimit, FalseEjections, GuardAction, GuardSettings, MAX_STRATA, Ratio,
    SettleSeconds, SlowSettings,
};
use crate::plan::{Rule, Serve};
use crate::policy::decimal::{Decimal, UnitError};
use crate::policy::document::{
    RawGuard, RawGuardAccounts, RawGuardErrors, RawGuardLimit, RawGuardSlow,
};
use crate::policy::json::{Field, Located, Number, Reader};
use crate::policy::read::expected;

use super::whole_number::whole;
use super::{present, required};

const OVER_MS: RangeInclusive<u32> = 1..=MS_PER_SECOND * SettleSeconds::HIGHEST;
const REARMED: RangeInclusive<u32> = 0..=1_000_000;

const MS_PER_SECOND: u32 = 1_000;

/// The decimals of the unit of each number: thousandths and millionths.
const RATIO_DECIMALS: u32 = 3;
const FALSE_EJECTIONS_DECIMALS: u32 = 3;
const ALPHA_DECIMALS: u32 = 6;
const LIMIT_DECIMALS: u32 = 6;

const DEFAULT_ERROR_RATIO: u32 = 1_200;
const DEFAULT_SLOW_RATIO: u32 = 1_500;
const DEFAULT_FALSE_EJECTIONS: u32 = 100;

/// Compiles the guard of a rollout with these rules.
pub(crate) fn settings(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    guard: Located<RawGuard<'_>>,
    rules: &[Rule],
) -> Option<GuardSettings> {
    let Located { value, span } = guard;
    let default = GuardSettings::default();
    let names_errors = present(&value.errors);
    let names_others = present(&value.slow) || present(&value.limit);
    if let Field::Given(accounts) = &value.accounts
        && names_others
        && !names_errors
    {
        let problem = Problem::invalid(
            "a guard tests single accounts only for errors, and this guard does not compare errors",
            "add \"errors\": {}, or remove `accounts`",
        )
        .with_code(ErrorCode::UselessAccounts);
        reader.report(accounts.span.head(), &at.field("accounts"), problem);
    }
    let strata = stratum_count(rules);
    if strata > MAX_STRATA {
        let problem = Problem::invalid(
            format!("the rules of this rollout have {strata} different percentages of `requests` above 0, and a guard compares at most {MAX_STRATA}"),
            "write the same percentage in more of the rules, or remove `guard`",
        )
        .with_code(ErrorCode::TooManyStrata);
        reader.report(span.head(), at, problem);
    }
    let settle_seconds = match &value.settle_seconds {
        Field::Absent => Some(default.settle_seconds),
        Field::Bad => None,
        Field::Given(number) => whole(
            reader,
            &at.field("settle_seconds"),
            number,
            &(SettleSeconds::LOWEST..=SettleSeconds::HIGHEST),
        )
        .and_then(SettleSeconds::new),
    };
    let errors = match value.errors {
        Field::Absent => Some(default.errors.filter(|_| !names_others)),
        given => test(given, |given| errors(reader, &at.field("errors"), given)),
    };
    let slow = test(value.slow, |given| {
        slow(reader, &at.field("slow"), given, settle_seconds)
    });
    let limit = test(value.limit, |given| {
        limit(reader, &at.field("limit"), given)
    });
    let accounts = test(value.accounts, |given| {
        accounts(reader, &at.field("accounts"), &given)
    });
    let alpha = &value.alpha;
    let alpha = bounded(
        reader,
        &at.field("alpha"),
        alpha,
        ALPHA_DECIMALS,
        default.alpha.get(),
    );
    let action = match value.action {
        Field::Absent => Some(default.action),
        given => given.into_value().and_then(|word| {
            let known = [("halt", GuardAction::Halt), ("report", GuardAction::Report)];
            reader.one_of_words(&at.field("action"), "action", known, &word)
        }),
    };
    // The number has no effect; a change of it re-arms the guard.
    if let Field::Given(number) = &value.rearmed {
        whole(reader, &at.field("rearmed"), number, &REARMED);
    }
    Some(GuardSettings {
        errors: errors?,
        slow: slow?,
        limit: limit?,
        alpha: alpha?,
        settle_seconds: settle_seconds?,
        action: action?,
        accounts: accounts?,
    })
}

/// Compiles an optional test: `Some(None)` without it, and `None` if it has an error.
fn test<T, R>(given: Field<T>, compile: impl FnOnce(T) -> Option<R>) -> Option<Option<R>> {
    match given {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(given) => compile(given).map(Some),
    }
}

fn errors(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: Located<RawGuardErrors<'_>>,
) -> Option<Ratio> {
    let ratio = given.value.ratio;
    bounded(
        reader,
        &at.field("ratio"),
        &ratio,
        RATIO_DECIMALS,
        DEFAULT_ERROR_RATIO,
    )
}

fn slow(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: Located<RawGuardSlow<'_>>,
    settle_seconds: Option<SettleSeconds>,
) -> Option<SlowSettings> {
    let Located { value, span } = given;
    let ratio = &value.ratio;
    let ratio = bounded(
        reader,
        &at.field("ratio"),
        ratio,
        RATIO_DECIMALS,
        DEFAULT_SLOW_RATIO,
    );
    let number = required(
        reader,
        span,
        at,
        "over_ms",
        expected::OVER_MS,
        value.over_ms,
    )?;
    let at = at.field("over_ms");
    let over_ms = whole(reader, &at, &number, &OVER_MS)?;
    if let Some(settle_seconds) = settle_seconds.map(SettleSeconds::get) {
        let settle_ms = settle_seconds.saturating_mul(MS_PER_SECOND);
        if over_ms > settle_ms {
            let problem = Problem::invalid(
                format!("{over_ms} ms is longer than `settle_seconds`, {settle_seconds} s, after which a request no longer counts"),
                format!("write at most {settle_ms}, or a larger `settle_seconds`"),
            )
            .with_code(ErrorCode::SlowAfterSettling);
            reader.report(number.span, &at, problem);
        }
    }
    Some(SlowSettings {
        over_ms,
        ratio: ratio?,
    })
}

fn limit(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: Located<RawGuardLimit<'_>>,
) -> Option<ErrorLimit> {
    let Located { value, span } = given;
    let number = value.error_percent;
    let number = required(
        reader,
        span,
        at,
        "error_percent",
        expected::ERROR_PERCENT,
        number,
    )?;
    let at = at.field("error_percent");
    bounded(
        reader,
        &at,
        &Field::Given(number),
        LIMIT_DECIMALS,
        ErrorLimit::LOWEST,
    )
}

fn accounts(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: &Located<RawGuardAccounts<'_>>,
) -> Option<FalseEjections> {
    bounded(
        reader,
        &at.field("false_ejections"),
        &given.value.false_ejections,
        FALSE_EJECTIONS_DECIMALS,
        DEFAULT_FALSE_EJECTIONS,
    )
}

/// Counts the percentages of requests of which a part takes v2.
fn stratum_count(rules: &[Rule]) -> usize {
    let mut strata = Vec::new();
    for rule in rules {
        if let Serve::V2 { requests, .. } = &rule.serve
            && requests.millionths() > 0
            && !strata.contains(&requests.millionths())
        {
            strata.push(requests.millionths());
        }
    }
    strata.len()
}

/// Compiles an optional number within the bounds of its type, whose unit has this many decimals.
fn bounded<const LOWEST: u32, const HIGHEST: u32>(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    number: &Field<Number<'_>>,
    decimals: u32,
    default: u32,
) -> Option<Bounded<LOWEST, HIGHEST>> {
    let units = match number {
        Field::Absent => Some(default),
        Field::Bad => None,
        Field::Given(number) => units(reader, at, number, decimals, [LOWEST, HIGHEST]),
    };
    units.and_then(Bounded::new)
}

/// A separate function, because [`bounded`] is compiled for each type of number.
fn units(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    number: &Number<'_>,
    decimals: u32,
    bounds: [u32; 2],
) -> Option<u32> {
    let [lowest, highest] = bounds;
    let shown = excerpt(number.value);
    let units = Decimal::parse(number.value).in_units(decimals);
    let problem = match units {
        Ok(units) if (lowest..=highest).contains(&units) => return Some(units),
        Err(UnitError::TooPrecise(found)) => Problem::invalid(
            format!("{shown} has {found} decimals"),
            format!("write at most {decimals} decimals"),
        )
        .with_code(ErrorCode::TooManyDecimals),
        Ok(_) | Err(UnitError::OutOfRange) => {
            let [lowest, highest] = bounds.map(|bound| format_decimal(bound.into(), decimals));
            Problem::invalid(
                format!("{shown} is out of range"),
                format!("write a number from {lowest} to {highest}"),
            )
            .with_code(ErrorCode::OutOfRange)
        }
    };
    reader.report(number.span, at, problem);
    None
}
