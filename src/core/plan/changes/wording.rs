//! Describes rules and conditions in words.

use std::collections::BTreeSet;

use crate::bucketing::Fraction;
use crate::plan::path_match::PathMatch;
use crate::plan::ramp::{Ramp, Step};
use crate::plan::request_match::{HeaderMatch, HeaderTest, RequestMatch, When};
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{Plan, Rule, Serve};

/// Describes a rule: `in hvc: accounts 5 %`.
pub(super) fn describe_rule(plan: &Plan, rule: &Rule) -> String {
    let serve = describe_serve(&rule.serve);
    match describe_when(plan, &rule.when).as_str() {
        "always" => serve,
        when => format!("{when}: {serve}"),
    }
}

/// Describes what a rule serves: `accounts 5 %, requests 10 %`.
pub(super) fn describe_serve(serve: &Serve) -> String {
    match serve {
        Serve::V1 => "v1".into(),
        Serve::V2 { accounts, requests } if *requests == Fraction::ALL => {
            format!("accounts {}", describe_ramp(accounts))
        }
        Serve::V2 { accounts, requests } => {
            format!(
                "accounts {}, requests {}",
                describe_ramp(accounts),
                percent(*requests)
            )
        }
    }
}

/// Describes a percentage, or each step of a ramp.
pub(super) fn describe_ramp(ramp: &Ramp) -> String {
    let step = |step: &Step| match step.from {
        None => percent(step.fraction),
        Some(from) => format!("{} from {from}", percent(step.fraction)),
    };
    match ramp.steps() {
        [only] => step(only),
        steps => format!(
            "({})",
            steps.iter().map(step).collect::<Vec<_>>().join(", ")
        ),
    }
}

pub(super) fn percent(fraction: Fraction) -> String {
    format!("{fraction} %")
}

/// Describes a rule's `when`: `in hvc and header x-beta`.
pub(super) fn describe_when(plan: &Plan, when: &When) -> String {
    let list = |segments| {
        sorted_names(plan, segments)
            .into_iter()
            .collect::<Vec<_>>()
            .join(" or ")
    };
    let mut parts = Vec::new();
    if let Some(within) = &when.within {
        parts.push(format!("in {}", list(within)));
    }
    if when.outside.first().is_some() {
        parts.push(format!("not in {}", list(&when.outside)));
    }
    parts.extend(when.headers.iter().map(describe_header));
    if !when.regions.is_empty() {
        parts.push(format!("in region {}", when.regions.join(" or ")));
    }
    match parts.is_empty() {
        true => "always".into(),
        false => parts.join(" and "),
    }
}

/// Describes a rollout's `match`: `host api.example.com and path prefix /v1/`.
pub(super) fn describe_match(matches: &RequestMatch) -> String {
    let RequestMatch {
        hosts,
        path,
        methods,
        headers,
    } = matches;
    let mut parts = Vec::new();
    if !hosts.is_empty() {
        parts.push(format!("host {}", hosts.join(" or ")));
    }
    parts.extend(path.as_ref().map(|path| match path {
        PathMatch::Exact(exact) => format!("path {exact}"),
        PathMatch::Prefix(prefix) => format!("path prefix {prefix}"),
        PathMatch::Template(template) => format!("path template {template}"),
    }));
    if !methods.is_empty() {
        parts.push(methods.join(" or "));
    }
    parts.extend(headers.iter().map(describe_header));
    match parts.is_empty() {
        true => "all requests".into(),
        false => parts.join(" and "),
    }
}

fn describe_header(header: &HeaderMatch) -> String {
    let name = &header.name;
    match &header.test {
        HeaderTest::Exact(exact) => format!("header {name} = {exact}"),
        HeaderTest::Prefix(prefix) => format!("header {name} = {prefix}…"),
        HeaderTest::Present(true) => format!("header {name}"),
        HeaderTest::Present(false) => format!("no header {name}"),
    }
}

/// The names of the segments of a set, sorted.
pub(super) fn sorted_names<'p>(plan: &'p Plan, segments: &SegmentSet) -> BTreeSet<&'p str> {
    let names = segments
        .iter()
        .filter_map(|segment| plan.segment_names.get(segment));
    names.map(String::as_str).collect()
}
