//! Compiles a rollout's `shadow`, and checks its numbers, pointers and templates.

use std::ops::RangeInclusive;

use turnout_diff::{Amount, Limits, Margin, Options, Pattern, PatternError, Tolerance, Unordered};

use crate::bucketing::Fraction;
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Problem, excerpt};
use crate::plan::path_match::TemplateUse;
use crate::plan::shadow_plan::{Rewrite, SendTiming, ShadowPlan, ShadowRoute};
use crate::policy::decimal::Decimal;
use crate::policy::document;
use crate::policy::json::{Field, List, Located, LocatedText, Number, Reader};
use crate::policy::read::expected;

use super::rollout_rules::{Rollouts, cluster_name};
use super::whole_number::whole;
use super::{exactly_one, present, request_match, required, rewrite};

/// The most bytes of a body that is held for comparison. Larger ones would take memory from other requests.
const BODY_BYTES: RangeInclusive<u32> = 1..=1_048_576;
const IN_FLIGHT: RangeInclusive<u32> = 1..=1_000;
const TIMEOUT_MS: RangeInclusive<u32> = 1..=60_000;
const BACK_OFF_MS: RangeInclusive<u32> = 0..=60_000;
const SUMMARY_SECONDS: RangeInclusive<u32> = 1..=3_600;

/// The most findings of one comparison. A record groups findings of one kind, so more would not help.
const FINDINGS: usize = 256;

const DEFAULT_BODY_BYTES: u32 = 65_536;
const DEFAULT_IN_FLIGHT: u32 = 64;
const DEFAULT_TIMEOUT_MS: u32 = 1_000;
const DEFAULT_BACK_OFF_MS: u32 = 100;
const DEFAULT_SUMMARY_SECONDS: u32 = 60;

impl Rollouts<'_, '_, '_> {
    pub(super) fn shadow(
        &mut self,
        at: &JsonPointer<'_>,
        shadow: Located<document::RawShadow<'_>>,
        matched_prefix: Option<&str>,
    ) -> Option<ShadowPlan> {
        let Located { value, span } = shadow;
        if matches!(value.requests, Field::Absent) {
            let problem = Problem::missing_field("requests", expected::PERCENTAGE);
            self.reader.report(span.head(), at, problem);
        }
        let when = value.when.into_value();
        let when = when.map(|given| self.when(&at.field("when"), given));
        let accounts = self.account_fraction(&at.field("accounts"), &value.accounts);
        let requests = self.fraction(&at.field("requests"), &value.requests);
        let noise = self.noise(&at.field("noise"), value.noise);
        let reader = &mut *self.reader;
        let mut cluster = |field: &'static str, name: Field<LocatedText<'_>>| {
            let name = name.into_value()?;
            Some(cluster_name(reader, &at.field(field), name))
        };
        let clusters = [cluster("v1", value.v1), cluster("v2", value.v2)];
        let methods = methods(reader, &at.field("methods"), value.methods);
        let idempotency_header = value.idempotency_header.into_value().and_then(|name| {
            request_match::header_name(reader, &at.field("idempotency_header"), &name)
        });
        let strip_headers = header_names(reader, &at.field("strip_headers"), value.strip_headers);
        let rewrite = match value.rewrite {
            Field::Absent => Some(Rewrite::default()),
            Field::Bad => None,
            Field::Given(given) => {
                rewrite::rewrite(reader, &at.field("rewrite"), given, matched_prefix)
            }
        };
        let mut whole = |field: &'static str, number: &Field<Number<'_>>, range, default| {
            whole_or(reader, &at.field(field), number, &range, default)
        };
        let max_body_bytes = whole(
            "max_body_bytes",
            &value.max_body_bytes,
            BODY_BYTES,
            DEFAULT_BODY_BYTES,
        );
        let max_in_flight = whole(
            "max_in_flight",
            &value.max_in_flight,
            IN_FLIGHT,
            DEFAULT_IN_FLIGHT,
        );
        let timeout_ms = whole(
            "timeout_ms",
            &value.timeout_ms,
            TIMEOUT_MS,
            DEFAULT_TIMEOUT_MS,
        );
        let back_off_ms = whole(
            "back_off_ms",
            &value.back_off_ms,
            BACK_OFF_MS,
            DEFAULT_BACK_OFF_MS,
        );
        let summary_seconds = whole(
            "summary_seconds",
            &value.summary_seconds,
            SUMMARY_SECONDS,
            DEFAULT_SUMMARY_SECONDS,
        );
        let send = value
            .send
            .into_value()
            .map_or(Some(SendTiming::AfterAnswer), |word| {
                let known = [
                    ("after_answer", SendTiming::AfterAnswer),
                    ("with_request", SendTiming::WithRequest),
                ];
                reader.one_of_words(&at.field("send"), "time to send", known, &word)
            });
        let routes = routes(reader, &at.field("routes"), value.routes);
        let compare = match value.compare.into_value() {
            Some(given) => compare(reader, &at.field("compare"), given),
            None => default_compare(),
        };
        let reveal = patterns(reader, &at.field("reveal"), value.reveal);
        Some(ShadowPlan {
            clusters,
            when: when.unwrap_or_default(),
            accounts: accounts?,
            requests: requests?,
            methods,
            idempotency_header,
            strip_headers,
            rewrite: rewrite?,
            max_body_bytes: usize::try_from(max_body_bytes?).ok()?,
            max_in_flight: usize::try_from(max_in_flight?).ok()?,
            timeout_ms: timeout_ms?,
            back_off_ms: back_off_ms?,
            send: send?,
            routes,
            compare,
            noise: noise?,
            recheck: value.recheck.into_value().unwrap_or(true),
            reveal,
            summary_seconds: summary_seconds?,
        })
    }

    fn noise(
        &mut self,
        at: &JsonPointer<'_>,
        noise: Field<Located<document::RawNoise<'_>>>,
    ) -> Option<Fraction> {
        let Some(Located { value, span }) = noise.into_value() else {
            return Fraction::from_millionths(0);
        };
        if matches!(value.requests, Field::Absent) {
            let problem = Problem::missing_field("requests", expected::PERCENTAGE);
            self.reader.report(span.head(), at, problem);
        }
        self.fraction(&at.field("requests"), &value.requests)
    }
}

/// Compiles an optional whole number within bounds.
fn whole_or(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    number: &Field<Number<'_>>,
    range: &RangeInclusive<u32>,
    default: u32,
) -> Option<u32> {
    match number {
        Field::Absent => Some(default),
        Field::Bad => None,
        Field::Given(number) => whole(reader, at, number, range),
    }
}

fn methods(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    methods: Field<List<LocatedText<'_>>>,
) -> Vec<String> {
    if matches!(methods, Field::Absent) {
        return ["GET", "HEAD"].map(String::from).into();
    }
    let compile = |reader: &mut Reader<'_>, at: &JsonPointer<'_>, text: &LocatedText<'_>| {
        let method = request_match::method(reader, at, text)?;
        if method == "CONNECT" {
            let problem =
                Problem::invalid("a CONNECT request cannot be shadowed", "remove `CONNECT`")
                    .with_code(ErrorCode::MalformedMethod);
            reader.report(text.span, at, problem);
        }
        Some(method)
    };
    request_match::items(reader, at, methods, "the list of methods", compile)
}

fn header_names(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    names: Field<List<LocatedText<'_>>>,
) -> Vec<String> {
    each(reader, at, names, |reader, at, name| {
        request_match::header_name(reader, at, &name)
    })
}

fn routes(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    routes: Field<List<LocatedText<'_>>>,
) -> Vec<ShadowRoute> {
    each(reader, at, routes, |reader, at, text| {
        let template = request_match::template(reader, at, &text, TemplateUse::Match)?;
        let name = text.value.into_owned();
        Some(ShadowRoute { name, template })
    })
}

fn patterns(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    patterns: Field<List<LocatedText<'_>>>,
) -> Vec<Pattern> {
    each(reader, at, patterns, |reader, at, text| {
        pattern(reader, at, &text, Pattern::parse)
    })
}

fn each<T, R>(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    list: Field<List<T>>,
    mut compile: impl FnMut(&mut Reader<'_>, &JsonPointer<'_>, T) -> Option<R>,
) -> Vec<R> {
    let items = list.into_value().map_or(Vec::new(), |list| list.value);
    let mut compiled = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        compiled.extend(item.and_then(|item| compile(reader, &at.index(index), item)));
    }
    compiled
}

fn default_compare() -> Options {
    let default = Options::default();
    Options {
        limits: Limits {
            findings: FINDINGS,
            ..default.limits
        },
        ..default
    }
}

fn compare(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: document::RawCompare<'_>,
) -> Options {
    let default = default_compare();
    let limits = default.limits;
    let headers = match given.headers {
        Field::Absent => default.headers,
        headers => header_names(reader, &at.field("headers"), headers),
    };
    Options {
        headers,
        ignore: patterns(reader, &at.field("ignore"), given.ignore),
        unordered: each(reader, &at.field("unordered"), given.unordered, unordered),
        tolerance: each(reader, &at.field("tolerance"), given.tolerance, tolerance),
        maps: patterns(reader, &at.field("maps"), given.maps),
        limits,
    }
}

fn unordered(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: Located<document::RawUnordered<'_>>,
) -> Option<Unordered> {
    let Located { value, span } = given;
    let path = path(reader, span, at, value.path);
    let key = match value.key {
        Field::Absent => None,
        key => {
            let at = at.field("key");
            Some(pattern(
                reader,
                &at,
                &key.into_value()?,
                Pattern::parse_key,
            )?)
        }
    };
    Some(Unordered { path: path?, key })
}

fn tolerance(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: Located<document::RawTolerance<'_>>,
) -> Option<Tolerance> {
    const KNOWN: &[&str] = &["absolute", "relative"];
    let Located { value, span } = given;
    let path = path(reader, span, at, value.path);
    let given = [present(&value.absolute), present(&value.relative)];
    let is_one = exactly_one(reader, span, at, "a tolerance", KNOWN, given);
    let mut amount = |field: &'static str, number: Field<Number<'_>>| {
        let number = number.into_value()?;
        tolerated(reader, &at.field(field), &number)
    };
    let absolute = amount("absolute", value.absolute).map(Margin::Absolute);
    let relative = amount("relative", value.relative).map(Margin::Relative);
    Some(Tolerance {
        path: path?,
        allowed: is_one.and(absolute.or(relative))?,
    })
}

fn tolerated(reader: &mut Reader<'_>, at: &JsonPointer<'_>, number: &Number<'_>) -> Option<Amount> {
    let amount = Amount::parse(number.value);
    let is_exact = Decimal::parse(number.value).is_exact_in_a_double();
    let problem = match amount {
        Some(_) if is_exact => None,
        Some(_) => Some(
            Problem::invalid(
                format!(
                    "{} may be rounded by JSON parsers that use doubles",
                    excerpt(number.value)
                ),
                "write at most 15 significant digits, and an exponent of at most 300",
            )
            .with_code(ErrorCode::InexactNumber),
        ),
        None => Some(
            Problem::invalid(
                format!("{} is not a tolerance", excerpt(number.value)),
                "write a number that is not negative, for example 0.01",
            )
            .with_code(ErrorCode::MalformedTolerance),
        ),
    };
    if let Some(problem) = problem {
        reader.report(number.span, at, problem);
    }
    amount
}

fn path(
    reader: &mut Reader<'_>,
    span: Span,
    at: &JsonPointer<'_>,
    path: Field<LocatedText<'_>>,
) -> Option<Pattern> {
    let text = required(reader, span, at, "path", expected::POINTER, path)?;
    pattern(reader, &at.field("path"), &text, Pattern::parse)
}

fn pattern(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    text: &LocatedText<'_>,
    parse: fn(&str) -> Result<Pattern, PatternError>,
) -> Option<Pattern> {
    match parse(&text.value) {
        Ok(pattern) => Some(pattern),
        Err(problem) => {
            let problem = Problem::invalid(problem.what(), problem.help())
                .with_code(ErrorCode::MalformedPointer);
            reader.report(text.span, at, problem);
            None
        }
    }
}
